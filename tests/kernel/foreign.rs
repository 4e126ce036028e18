//! Foreign state is sacred: whatever we do, what others made stays bit for bit, with
//! handles, order and counters.

use crate::lab::{CLIENT, Director, Lab};
use crate::scene::{Fwmarkctl, WEB, WEB_AND_MAIL, service};

/// Rules of somebody else: at our hook and priority, in a chain of our name, marking
/// and counting. Only TCP is counted, for there is always some IPv6 housekeeping.
const RULES: &str = "
table inet firewall {
    set admins { type ipv4_addr; elements = { 172.18.100.100, 172.18.100.101 } }
    map ports { type inet_service : mark; elements = { 8080 : 0x63 } }
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        tcp dport 8080 counter comment \"before us\"
        tcp dport 80 counter
        meta mark set tcp dport map @ports
    }
    chain input {
        type filter hook input priority filter; policy accept;
        ip saddr @admins tcp dport 22 counter accept
        tcp dport 80 counter
    }
}
table ip fwmarkctl {
    chain prerouting {
        tcp dport 80 counter
    }
}
table ip6 nat {
    chain post {
        type nat hook postrouting priority srcnat; policy accept;
    }
}
";

/// Made after us: at equal priority a table that comes later is called earlier.
const LATER: &str = "
table inet later {
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        tcp dport 80 counter
    }
}
";

/// The same in iptables, where there is one chain of each hook for everybody: before us,
/// and in a chain of their own.
const CHAINS: &str = "
*mangle
:theirs - [0:0]
-A PREROUTING -p tcp -m tcp --dport 8082 -m comment --comment \"before us\" -j MARK --set-mark 99
-A PREROUTING -p tcp -m tcp --dport 80 -j theirs
-A theirs -p tcp -m tcp --dport 80
COMMIT
*filter
-A INPUT -p tcp -m tcp --dport 80
COMMIT
";

/// Behind us, in the same chain.
const LATER_IN_CHAIN: &str = "*mangle\n-A PREROUTING -p tcp -m tcp --dport 80\nCOMMIT\n";

/// Services of somebody else: one by address, one by another mark, for both families.
const SERVICES: &str = "\
-A -t 172.18.100.8:8081 -s rr -p 60
-a -t 172.18.100.8:8081 -r 172.18.100.12:8081 -g -w 5
-A -f 99 -s wlc
-a -f 99 -r 172.18.100.11:0 -g -w 3 -x 200 -y 100
-a -f 99 -r 172.18.100.12:0 -g -w 1
-A -f 99 -6 -s sh -b sh-port
-a -f 99 -6 -r [2001:db8:18:100::11]:0 -g -w 1
";

/// What others hold: rules with handles and counters, the rules of iptables with those
/// beside them in their chain, and services with counters.
fn foreign(director: &Director, counters: &str) -> (String, String, Vec<String>) {
    let list =
        |table: &[&str]| director.command("nft").args(["-a", "list", "table"]).args(table).ok();
    let tables = [["inet", "firewall"], ["ip", "fwmarkctl"], ["ip6", "nat"], ["inet", "later"]];
    let saved = director.ipvsadm_save();
    let mut services: Vec<_> = ["172.18.100.8:8081", "FWM  99", "FWM  99 IPv6"]
        .iter()
        .map(|name| service(counters, name))
        .collect();
    let others = |line: &&str| ["8081", "-f 99"].iter().any(|name| line.contains(name));
    let thresholds = director.command("ipvsadm").args(["-Ln", "--thresholds"]).ok();
    services.push(service(&thresholds, "FWM  99"));
    services.extend(saved.lines().filter(others).map(str::to_owned));
    (tables.iter().map(|table| list(table)).collect(), director.foreign_chains(), services)
}

#[test]
fn nothing_that_others_made_is_touched() {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443, 8080, 8081]);
    let director = lab.director();
    director.nft(RULES);
    director.restore_chains(CHAINS);
    director.ipvsadm(SERVICES);
    director.apply(WEB_AND_MAIL);
    director.nft(LATER);
    director.restore_chains(LATER_IN_CHAIN);
    // All of it counts, ours and theirs.
    let mut theirs = lab.client().connect(CLIENT, "172.18.100.7:8080").unwrap();
    let mut persistent = lab.client().connect(CLIENT, "172.18.100.8:8081").unwrap();
    let _ours = lab.client().connect(CLIENT, WEB).unwrap();
    let before = foreign(director, &director.settled_counters());
    assert!(before.0.matches("counter packets").count() == 6, "{}", before.0);
    let counted = |service: &String| {
        let first = service.lines().next().unwrap();
        !first.ends_with(" 0        0        0        0        0")
    };
    assert!(before.2[..2].iter().all(counted), "{:?}", before.2);
    let place = director.place_in_chain();

    let changed = WEB_AND_MAIL.replace("443/tcp", "444-450/tcp").replace(r#""rr""#, r#""wlc""#);
    let fewer = &WEB_AND_MAIL[WEB_AND_MAIL.find("[group.mail]").unwrap()..];
    for config in [changed.as_str(), fewer, WEB_AND_MAIL] {
        director.apply(config);
        assert_eq!(foreign(director, &director.counters()), before, "after an apply of {config}");
        assert_eq!(director.place_in_chain(), place);
    }
    // Back from the middle: a scheduler that this kernel lacks.
    let refused = changed.replacen(r#""wlc""#, r#""twos""#, 1);
    assert_eq!(director.with(&["apply"], &refused).run().code, Some(1));
    assert_eq!(foreign(director, &director.counters()), before, "after a restored apply");
    assert_eq!(director.place_in_chain(), place);
    // Somebody takes away our hook.
    director.unhook();
    director.apply(WEB_AND_MAIL);
    assert_eq!(foreign(director, &director.counters()), before, "after a repair");
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(foreign(director, &director.counters()), before, "after clear");
    for talk in [&mut theirs, &mut persistent] {
        assert_eq!(talk.ask(), Ok(talk.server.clone()));
    }
}

#[test]
fn an_apply_writes_to_one_table_only() {
    let lab = Lab::dr();
    let director = lab.director();
    director.nft(RULES);
    director.apply(WEB_AND_MAIL);
    let tables = director.command("nft").args(["list", "tables"]).ok();
    let ours: Vec<_> = tables.lines().filter(|line| !RULES.contains(line)).collect();
    assert_eq!(ours, ["table inet fwmarkctl"]);
    assert!(tables.contains("table ip fwmarkctl"), "a table of our name, in another family");
}
