//! Whatever the doctor says stops traffic stops a real client, and what it says mends it
//! does: each scene works, is spoilt, is found, is mended as printed, and works again.

use std::time::Duration;

use serde_json::Value;

use crate::lab::{CLIENT, CLIENT_V6, Failure, Kind, Lab, Marks, RealServer};
use crate::scene::{Fwmarkctl, list, until};

const VIP: &str = "172.18.100.7:80";
const APPLY: &str = "fwmarkctl apply";
const VIP_V6: &str = "[2001:db8:18:100::7]:80";

/// A group of both families with all of the lab's servers.
fn web(lab: &Lab, more: &str) -> String {
    format!(
        "[group.web]\nvips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\nports = [\"80/tcp\"]\n\
         mark = 10\nscheduler = \"rr\"\n{more}\nreal = {}\n",
        list(lab, &[RealServer::v4, RealServer::v6]),
    )
}

/// The findings that are more than notes.
fn findings(lab: &Lab, config: &str) -> (i32, Vec<Value>) {
    let (code, document) = lab.director().json(&["doctor"], config);
    assert_eq!(document["format"], 1);
    // Tables of legacy iptables are read where there are some.
    assert_eq!(document["unchecked"], serde_json::json!([]), "{document:#}");
    let all = document["findings"].as_array().unwrap();
    (code, all.iter().filter(|finding| finding["severity"] != "note").cloned().collect())
}

fn codes(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

/// Runs a command as it was printed, on the director.
fn run(lab: &Lab, command: &str) {
    let mut words = command.split_whitespace();
    lab.director().command(words.next().unwrap()).args(words).ok();
}

fn run_remedies(lab: &Lab, config: &str, findings: &[Value]) {
    for command in findings.iter().flat_map(|finding| finding["remedy"].as_array().unwrap()) {
        match command.as_str().unwrap() {
            APPLY => drop(lab.director().apply(config)),
            command => run(lab, command),
        }
    }
}

fn ask(lab: &Lab, target: &str) -> Result<String, Failure> {
    let source = if target.starts_with('[') { CLIENT_V6 } else { CLIENT };
    lab.client().patience(Duration::from_secs(2)).tcp(source, target)
}

/// Whether a connection opens, is answered, and ends as the client wants it to.
fn whole(lab: &Lab) -> Result<(), Failure> {
    let client = lab.client().patience(Duration::from_secs(2));
    let mut connection = client.connect(CLIENT, VIP)?;
    connection.ask()?;
    match connection.end() {
        Failure::Closed => Ok(()),
        other => Err(other),
    }
}

/// A lab whose group works and is well.
fn well(lab: Lab, config: &str) -> Lab {
    lab.serve_tcp(&[80]);
    lab.director().apply(config);
    assert_eq!(whole(&lab), Ok(()));
    let (code, found) = findings(&lab, config);
    assert_eq!((code, found), (0, Vec::new()));
    lab
}

/// It is spoilt; `code` is found, and nothing else; the remedy makes it work.
fn spoilt_found_mended(lab: &Lab, config: &str, code: &str, spoil: impl FnOnce()) {
    spoil();
    assert!(whole(lab).is_err(), "{code}: it is not spoilt");
    let (exit, found) = findings(lab, config);
    assert_eq!((exit, codes(&found)), (3, vec![code]), "{found:#?}");
    assert_eq!(found[0]["groups"], serde_json::json!(["web"]));
    run_remedies(lab, config, &found);
    // A client that still looks for the VIP's MAC address gives up once more.
    until(&format!("{code} is mended by {:?}", found[0]["remedy"]), || whole(lab).is_ok());
    let (exit, found) = findings(lab, config);
    assert_eq!((exit, found), (0, Vec::new()));
}

/// A table of nft with one chain.
fn chain(hook: &str, rules: &str) -> String {
    format!(
        "table inet firewall {{\nchain {hook} {{\ntype filter hook {hook} priority filter; {rules}\n}}\n}}"
    )
}

#[test]
fn input_filters_are_found_and_mended() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    let lab = well(lab, &config);
    let director = lab.director();
    let nft = |rules: &str| director.nft(&format!("{}\n", chain("input", rules)));
    let forget = || director.nft("delete table inet firewall");
    let icmp = "meta l4proto { icmp, icmpv6 } accept;";
    spoilt_found_mended(&lab, &config, "D0201", || {
        nft(&format!("policy drop; {icmp} iif lo accept; ct state established accept;"));
    });
    forget();
    // The client's FIN is INVALID: it waits for the server's end for ever.
    spoilt_found_mended(&lab, &config, "D0202", || nft("ct state invalid drop;"));
    forget();
    // What comes behind the SYN is NEW.
    spoilt_found_mended(&lab, &config, "D0202", || {
        nft(&format!(
            "policy drop; {icmp} ct state established accept; \
             tcp flags & (fin|syn|rst|ack) == syn tcp dport 80 accept;"
        ));
    });
    forget();
    let redirect = "table ip other {\nchain pre {\ntype nat hook prerouting priority dstnat; \
                    tcp dport 80 redirect to :81;\n}\n}";
    spoilt_found_mended(&lab, &config, "D0205", || director.nft(redirect));
}

#[test]
fn both_iptables_are_read() {
    for tool in ["iptables-nft", "iptables-legacy"] {
        let lab = Lab::dr();
        let config = web(&lab, "");
        let lab = well(lab, &config);
        let iptables = |line: &str| run(&lab, &format!("{tool} {line}"));
        spoilt_found_mended(&lab, &config, "D0201", || {
            iptables("-A INPUT -i lo -j ACCEPT");
            iptables("-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
            iptables("-A INPUT -p tcp -m multiport --dports 22,25 -j ACCEPT");
            iptables("-A INPUT -p tcp -j REJECT");
        });
        iptables("-F INPUT");
        spoilt_found_mended(&lab, &config, "D0202", || {
            iptables("-A INPUT -m conntrack --ctstate INVALID -j DROP");
        });
        iptables("-F INPUT");
        spoilt_found_mended(&lab, &config, "D0301", || {
            iptables("-t mangle -A INPUT -p tcp --dport 80 -j MARK --set-mark 7");
        });
    }
}

#[test]
fn what_ipvs_sends_passes_the_output_filter() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    let lab = well(lab, &config);
    let rules =
        "policy drop; meta l4proto { icmp, icmpv6 } accept; ct state new,established accept;";
    spoilt_found_mended(&lab, &config, "D0203", || lab.director().nft(&chain("output", rules)));
}

#[test]
fn nat_needs_forwarding_and_a_forward_filter_that_takes_answers() {
    let lab = Lab::nat();
    let config = web(&lab, "forward = \"nat\"");
    let lab = well(lab, &config);
    spoilt_found_mended(&lab, &config, "D0405", || {
        lab.director().sysctl("net.ipv4.ip_forward", "0");
    });
    let rules = "policy drop; ct state established,related accept;";
    spoilt_found_mended(&lab, &config, "D0204", || lab.director().nft(&chain("forward", rules)));
}

/// What the configuration says, or a group needs, an apply sets: before the first one and
/// when somebody changes it.
#[test]
fn what_an_apply_sets_is_mended_by_one() {
    let lab = Lab::nat();
    for server in lab.real_servers() {
        server.namespace().ip("route del default\nroute del ::/0\n");
    }
    let director = lab.director();
    director.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front");
    // Clients get there by a route, as through a router.
    lab.client().namespace().ip("route add 172.18.100.7/32 via 172.18.100.1");
    director.sysctl("net.ipv4.ip_forward", "0");
    let config = format!("[director]\nvips = \"route\"\n{}", web(&lab, "forward = \"fullnat\""));
    let (exit, found) = findings(&lab, &config);
    let of_v4_and_v6 = ["D0401", "D0401", "D0405"];
    assert_eq!((exit, &codes(&found)[..3]), (3, &of_v4_and_v6[..]), "{found:#?}");
    for finding in &found {
        assert_eq!(finding["remedy"], serde_json::json!([APPLY]), "{found:#?}");
    }
    let lab = well(lab, &config);
    let director = lab.director();
    for name in ["net.ipv4.ip_forward", "net.ipv4.vs.conntrack"] {
        let code = if name.ends_with("forward") { "D0405" } else { "D0406" };
        spoilt_found_mended(&lab, &config, code, || director.sysctl(name, "0"));
    }
    spoilt_found_mended(&lab, &config, "D0401", || director.ip("rule del priority 456"));
    // It is there, and another one is in front of it: no apply mends that.
    director.ip("rule add priority 455 to 172.18.100.7 blackhole");
    let (exit, found) = findings(&lab, &config);
    assert_eq!((exit, codes(&found)), (3, vec!["D0401"]), "{found:#?}");
    assert_ne!(found[0]["remedy"], serde_json::json!([APPLY]));
    director.ip("rule del priority 455");
    // Where nothing is configured there is nothing to apply.
    director.sysctl("net.ipv4.vs.conntrack", "0");
    director.sysctl("net.ipv4.ip_forward", "0");
    let ended = director.fwmarkctl(&["doctor"]).run();
    assert!(ended.stdout.contains("sysctl -w net.ipv4.ip_forward=1"), "{ended:?}");
}

#[test]
fn a_vip_that_is_not_here_or_silent_is_found() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    let lab = well(lab, &config);
    let director = lab.director();
    let new_client = || lab.client().namespace().ip("neigh flush dev front");
    spoilt_found_mended(&lab, &config, "D0401", || {
        director.ip("addr del 172.18.100.7/32 dev front");
        new_client();
    });
    spoilt_found_mended(&lab, &config, "D0402", || {
        director.ip("addr del 172.18.100.7/32 dev front\naddr add 172.18.100.7/32 dev lo");
        director.sysctl("net.ipv4.conf.all.arp_ignore", "1");
        new_client();
    });
}

#[test]
fn marks_in_the_hands_of_others_are_found() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    let lab = well(lab, &config);
    let director = lab.director();
    spoilt_found_mended(&lab, &config, "D0306", || match Marks::of_this_run() {
        Marks::Nftables => director.nft("flush chain inet fwmarkctl prerouting\n"),
        Marks::Iptables { variant, .. } => {
            run(&lab, &format!("iptables-{variant} -t mangle -D PREROUTING -j FWMARKCTL"));
        }
    });
    if let Marks::Iptables { variant, .. } = Marks::of_this_run() {
        spoilt_found_mended(&lab, &config, "D0305", || {
            let before = "-t mangle -I PREROUTING -d 172.18.100.7 -j ACCEPT";
            run(&lab, &format!("iptables-{variant} {before}"));
        });
    }
    spoilt_found_mended(&lab, &config, "D0301", || {
        let bit = "table inet other {\nchain pre {\ntype filter hook prerouting priority 0; \
                   tcp dport 80 meta mark set meta mark | 0x100;\n}\n}";
        director.nft(bit);
    });
    spoilt_found_mended(&lab, &config, "D0304", || {
        director.ip("rule add priority 32765 lookup local\nrule del priority 0\n\
                     rule add priority 100 fwmark 0xa blackhole");
    });
}

/// Of two tables at our priority, the one that was made first has the last word.
#[test]
fn the_order_of_chains_at_our_priority_is_known() {
    let table = "table inet other {\nchain pre {\ntype filter hook prerouting priority mangle; \
                 tcp dport 80 meta mark set 7;\n}\n}";
    let lab = Lab::dr();
    let config = web(&lab, "");
    lab.serve_tcp(&[80]);
    lab.director().nft(table);
    lab.director().apply(&config);
    assert!(whole(&lab).is_err());
    let (exit, found) = findings(&lab, &config);
    assert_eq!(codes(&found), ["D0301"], "{found:#?}");
    // Where the kernel does not tell the order, the older table is doubtful.
    assert_eq!(exit == 3, found[0]["severity"] == "stops");
    run_remedies(&lab, &config, &found);
    assert_eq!(whole(&lab), Ok(()));
    lab.director().nft("delete table inet other");
    lab.director().nft(table);
    assert_eq!(whole(&lab), Ok(()));
    assert_eq!(findings(&lab, &config), (0, Vec::new()));
}

#[test]
fn a_service_of_somebody_else_is_taken_over_or_removed() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    lab.serve_tcp(&[80]);
    let director = lab.director();
    director.ipvsadm("-A -f 10 -s wlc\n-A -t 172.18.100.7:80 -s rr\n");
    let (exit, document) = director.json(&["doctor"], &config);
    assert_eq!(exit, 3);
    let found = document["findings"].as_array().unwrap();
    assert_eq!(codes(found), ["D0601", "D0602"], "{found:#?}");
    assert_eq!(found[0]["remedy"][0], "fwmarkctl apply --adopt");
    // The second remedy of each; then there is nothing in the way.
    run(&lab, found[0]["remedy"][1].as_str().unwrap());
    run(&lab, found[1]["remedy"][0].as_str().unwrap());
    assert_eq!(findings(&lab, &config), (0, Vec::new()));
    director.ipvsadm("-A -f 10 -s wlc\n");
    director.with(&["apply", "--adopt"], &config).ok();
    assert_eq!(whole(&lab), Ok(()));
    assert_eq!(findings(&lab, &config), (0, Vec::new()));
}

#[test]
fn a_server_behind_a_router_is_not_reached_by_direct_routing() {
    let lab = Lab::of(&[Kind::Dr; 2]);
    let config = web(&lab, "").replace(", \"172.18.100.12\"", "");
    lab.serve_tcp(&[80]);
    lab.director().apply(&config);
    assert_eq!(whole(&lab), Ok(()));
    lab.director().ip("route add 172.18.100.11 via 172.18.100.100");
    assert!(whole(&lab).is_err());
    let (exit, found) = findings(&lab, &config);
    assert_eq!((exit, codes(&found)), (3, vec!["D0502"]), "{found:#?}");
    lab.director().ip("route del 172.18.100.11 via 172.18.100.100");
    assert_eq!(whole(&lab), Ok(()));
    assert_eq!(findings(&lab, &config), (0, Vec::new()));
}

#[test]
fn nat_servers_beside_their_clients_answer_through_the_director() {
    let lab = Lab::dr();
    // The servers listen on their own addresses; the VIPs on lo do not matter for NAT.
    let config = web(&lab, "forward = \"nat\"");
    lab.serve_tcp(&[80]);
    lab.director().sysctl("net.ipv4.ip_forward", "1");
    lab.director().sysctl("net.ipv6.conf.all.forwarding", "1");
    for server in lab.real_servers() {
        server.namespace().ip("addr del 172.18.100.7/32 dev lo");
    }
    lab.director().apply(&config);
    assert!(ask(&lab, VIP).is_err());
    let (exit, found) = findings(&lab, &config);
    assert_eq!(exit, 0, "it may stop some clients");
    let of_v4 = found
        .iter()
        .filter(|finding| finding["what"].as_str().unwrap().contains("172.18.100.0/24"));
    for finding in of_v4 {
        assert_eq!(finding["code"], "D0503");
        for server in lab.real_servers() {
            for command in finding["on_real_server"].as_array().unwrap() {
                let command = command.as_str().unwrap().replace("DEVICE", "front");
                let words: Vec<_> = command.split_whitespace().collect();
                server.namespace().command(words[0]).args(&words[1..]).ok();
            }
        }
        run_remedies(&lab, &config, std::slice::from_ref(finding));
    }
    for server in lab.real_servers() {
        server.namespace().ip("neigh flush dev front");
    }
    assert!(ask(&lab, VIP).is_ok());
}

#[test]
fn an_ipv6_vip_must_not_be_the_source_of_a_tunnel() {
    let lab = Lab::tunnel();
    let config = web(&lab, "forward = \"tun\"");
    let lab = well(lab, &config);
    assert!(ask(&lab, VIP_V6).is_ok());
    let director = lab.director();
    director.ip("addr del 2001:db8:20::1/64 dev back\n\
         addr del 2001:db8:18:100::7/128 dev front\n\
         addr add 2001:db8:18:100::7/128 dev back nodad\n\
         route add 2001:db8:20::/64 dev back\n");
    // The VIP is now on another device, which answers for its own only by a route.
    lab.client().namespace().ip("route add 2001:db8:18:100::7/128 via 2001:db8:18:100::1");
    assert!(ask(&lab, VIP_V6).is_err());
    let (exit, found) = findings(&lab, &config);
    assert_eq!((exit, codes(&found)), (3, vec!["D0403"]), "{found:#?}");
    run_remedies(&lab, &config, &found);
    assert!(ask(&lab, VIP_V6).is_ok());
    assert_eq!(findings(&lab, &config), (0, Vec::new()));
}

#[test]
fn a_strict_filter_of_the_way_back_drops_clients_from_elsewhere() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    let lab = well(lab, &config);
    lab.client().namespace().ip("addr add 192.0.2.5/32 dev front");
    for server in lab.real_servers() {
        server.namespace().ip(&format!("route add 192.0.2.0/24 via {CLIENT}"));
    }
    let from_elsewhere =
        || lab.client().patience(Duration::from_secs(2)).tcp("192.0.2.5", VIP).map(|_| ());
    lab.director().ip("route add default dev back");
    assert_eq!(from_elsewhere(), Ok(()));
    lab.director().sysctl("net.ipv4.conf.front.rp_filter", "1");
    assert_eq!(from_elsewhere(), Err(Failure::Timeout));
    let (exit, found) = findings(&lab, &config);
    assert_eq!((exit, codes(&found)), (0, vec!["D0404"]), "{found:#?}");
    run_remedies(&lab, &config, &found);
    assert_eq!(from_elsewhere(), Ok(()));
    assert_eq!(findings(&lab, &config), (0, Vec::new()));
}

#[test]
fn what_an_apply_would_be_refused_for_is_known_before() {
    let lab = Lab::tunnel();
    let director = lab.director();
    let twos = web(&lab, "forward = \"tun\"").replace("\"rr\"", "\"twos\"");
    assert_eq!(director.with(&["apply"], &twos).run().code, Some(1));
    let (exit, found) = findings(&lab, &twos);
    assert_eq!((exit, codes(&found)), (3, vec!["D0102"]), "{found:#?}");
    let mixed = format!(
        "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nforward = \"tun\"\nreal = {}\n",
        list(&lab, &[RealServer::v6])
    );
    assert_eq!(findings(&lab, &mixed), (0, Vec::new()));
    run(&lab, "ipvsadm --start-daemon master --mcast-interface back");
    assert_eq!(director.with(&["apply"], &mixed).run().code, Some(1));
    let (exit, found) = findings(&lab, &mixed);
    assert_eq!((exit, codes(&found)), (3, vec!["D0603"]), "{found:#?}");
    run_remedies(&lab, &mixed, &found);
    director.apply(&mixed);
    assert_eq!(findings(&lab, &mixed), (0, Vec::new()));
}

/// Without a configuration what the kernel holds has to get through; and a group can be
/// asked for by its name.
#[test]
fn what_the_kernel_holds_is_enough_to_look_at() {
    let lab = Lab::dr();
    let config = web(&lab, "");
    let lab = well(lab, &config);
    let director = lab.director();
    director.nft(&chain("input", "tcp dport 80 drop;"));
    let ended = director.fwmarkctl(&["doctor"]).run();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for text in ["stops D0201", "[web]", "mend: nft insert rule", "why: "] {
        assert!(ended.stdout.contains(text), "{}", ended.stdout);
    }
    let of_group = director.fwmarkctl(&["doctor", "web"]).run();
    assert_eq!((of_group.code, of_group.stdout), (Some(3), ended.stdout));
    assert_eq!(director.fwmarkctl(&["doctor", "mail"]).run().code, Some(2));
}
