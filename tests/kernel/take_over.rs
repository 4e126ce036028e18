//! A director that runs is taken over: by `ipvsadm` and iptables of both variants, by
//! `ipvsadm` and nft. What the tools dump becomes groups, these are applied over what is
//! there, the old rules go, and nobody notices: connections go on, clients keep their real
//! servers, and the services are not touched.

use std::fs;

use crate::lab::{CLIENT, Director, Ended, Lab};
use crate::scene::{Fwmarkctl, the_one_server};

/// What clients reach.
const TARGETS: [&str; 6] = [
    "172.18.100.7:80",
    "172.18.100.7:443",
    "[2001:db8:18:100::7]:80",
    "172.18.100.8:25",
    "172.18.100.8:8080",
    "172.18.100.8:8081",
];

/// The web for both families, mail, a range of ports, and a service by address.
const SERVICES: &str = "\
-A -f 10 -s rr -p 300
-a -f 10 -r 172.18.100.11:0 -g -w 1
-a -f 10 -r 172.18.100.12:0 -g -w 1
-A -f 10 -6 -s rr -p 300
-a -f 10 -6 -r [2001:db8:18:100::11]:0 -g -w 1
-a -f 10 -6 -r [2001:db8:18:100::12]:0 -g -w 1
-A -f 25 -s wlc
-a -f 25 -r 172.18.100.11:0 -g -w 1
-a -f 25 -r 172.18.100.12:0 -g -w 3
-A -f 30 -s mh -b mh-fallback,mh-port
-a -f 30 -r 172.18.100.11:0 -g -w 1
-a -f 30 -r 172.18.100.12:0 -g -w 1
-A -t 172.18.100.8:8081 -s rr -p 60
-a -t 172.18.100.8:8081 -r 172.18.100.11:8081 -g -w 1
-a -t 172.18.100.8:8081 -r 172.18.100.12:8081 -g -w 2
";

/// Rules as people write them, in a firewall that has others.
const RULES: [&str; 6] = [
    "-A PREROUTING -m conntrack --ctstate INVALID -j LOG",
    "-A PREROUTING -d 172.18.100.7 -p tcp -m multiport --dports 80,443 -m comment --comment web \
     -j MARK --set-mark 10",
    "-A PREROUTING -d 172.18.100.8 -j LVS",
    "-A LVS -p tcp --dport 25 -m comment --comment mail -j MARK --set-mark 0x19",
    "-A LVS -p tcp --dport 8080:8080 -j MARK --set-mark 30",
    "-A LVS -p tcp --dport 8090:8099 -j MARK --set-mark 30",
];

const RULES_V6: &str = "\
*mangle
-A PREROUTING -d 2001:db8:18:100::7 -p tcp -m multiport --dports 80,443 -m comment \
--comment web -j MARK --set-mark 10
COMMIT
";

const NFT: &str = "
table inet lvs {
    map marks {
        type ipv4_addr . inet_proto . inet_service : mark
        flags interval
        elements = { 172.18.100.8 . tcp . 25 : 25, 172.18.100.8 . tcp . 8080 : 30,
                     172.18.100.8 . tcp . 8090-8099 : 30 }
    }
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        iifname \"lo\" counter
        ip daddr 172.18.100.7 tcp dport { 80, 443 } meta mark set 10 comment \"web\"
        ip6 daddr 2001:db8:18:100::7 tcp dport { 80, 443 } counter meta mark set 0xa
        meta mark set ip daddr . meta l4proto . th dport map @marks
    }
}
";

/// A director of somebody's, with what clients need.
fn director() -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443, 8080, 8081]);
    lab.director().ipvsadm(SERVICES);
    lab
}

/// Writes a file that only this director sees.
fn write(director: &Director, name: &str, text: &str) -> String {
    let path = format!("/run/{name}");
    director.run(|| fs::write(&path, text)).unwrap();
    path
}

/// Takes over what these files say while there is traffic; `remove` takes the old rules.
fn take_over(lab: &Lab, files: &[&str], remove: impl Fn(&Director)) {
    let director = lab.director();
    let client = lab.client();
    let both = [TARGETS[0], TARGETS[1]];
    lab.beside_traffic(&TARGETS, &TARGETS, |traffic| {
        traffic.each_answers(2, |_| true);
        let server = the_one_server(client, CLIENT, &both);
        let before = director.ipvsadm_save();
        let services = write(director, "ipvs.rules", &before);
        let arguments = [&["import", "ipvsadm", &services], files].concat();
        let Ended { code, stdout: config, stderr } = director.fwmarkctl(&arguments).run();
        assert_eq!((code, stderr.as_str()), (Some(0), "4 groups\n"), "{config}");

        director.with(&["check"], &config).ok();
        // Somebody made these services: that is said before anything is taken.
        let refused = director.with(&["plan"], &config).run();
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("`fwmarkctl plan --adopt`"), "{}", refused.stderr);
        let (_, plan) = director.json(&["plan", "--adopt"], &config);
        let changes = plan["changes"].as_array().unwrap();
        // Before and after the switch nothing happens to a service; in it, it is recorded as
        // ours, and the marks are added.
        let expected = |it: &serde_json::Value| {
            let recorded = it["after"].as_str().is_some_and(|it| it.starts_with("recorded as"));
            let added = it["phase"] == "switch" && it["action"] == "add";
            added && (it["object"] == "mark-rule" || it["object"] == "service" && recorded)
        };
        assert!(!changes.is_empty() && changes.iter().all(expected), "{plan:#}");

        director.with(&["apply", "--adopt"], &config).ok();
        traffic.each_answers(2, |_| true);
        remove(director);
        traffic.each_answers(3, |_| true);
        director.in_sync(&config).unwrap();
        assert_eq!(director.ipvsadm_save(), before, "the services");
        assert_eq!(the_one_server(client, CLIENT, &both), server, "a client that is known");
        if let Err(seen) = traffic.undisturbed(|_| true) {
            panic!("{seen}: {:?}", seen.failures);
        }
    });
}

fn of_iptables(variant: &str) {
    let lab = director();
    let director = lab.director();
    let run = |program: &str, what: &str| director.command(&format!("{program}-{variant}{what}"));
    let rules = format!("*mangle\n:LVS - [0:0]\n{}\nCOMMIT\n", RULES.join("\n"));
    run("iptables", "-restore").arg("--noflush").stdin(&rules).ok();
    run("ip6tables", "-restore").arg("--noflush").stdin(RULES_V6).ok();
    let v4 = run("iptables", "-save").arg("-c").ok();
    let v6 = run("ip6tables", "-save").ok();
    let (v4, v6) = (write(director, "rules.v4", &v4), write(director, "rules.v6", &v6));
    take_over(&lab, &["iptables", &v4, &v6], |director| {
        for program in ["iptables", "ip6tables"] {
            let program = format!("{program}-{variant}");
            director.command(&program).args(["-t", "mangle", "-F"]).ok();
        }
    });
}

#[test]
fn a_director_of_ipvsadm_and_iptables_nft_is_taken_over_unnoticed() {
    of_iptables("nft");
}

#[test]
fn a_director_of_ipvsadm_and_iptables_legacy_is_taken_over_unnoticed() {
    of_iptables("legacy");
}

#[test]
fn a_director_of_ipvsadm_and_nft_is_taken_over_unnoticed() {
    let lab = director();
    let director = lab.director();
    director.nft(NFT);
    let ruleset = director.command("nft").args(["-j", "list", "ruleset"]).ok();
    let ruleset = write(director, "ruleset.json", &ruleset);
    take_over(&lab, &["nft", &ruleset], |director| director.nft("delete table inet lvs"));
}
