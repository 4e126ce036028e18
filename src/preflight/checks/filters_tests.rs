//! Packet filters on a machine that does not exist, in the words of iptables-save(8).

use super::invented::{codes, forward, ip, leads, machine, out, remedy};
use crate::model::{Family, Tunnel, TunnelChecksum};
use crate::preflight::filter::{Ruleset, parse};
use crate::preflight::scene::Scene;
use crate::preflight::subject::Client;
use crate::state::Method;

/// The machine with these rules of legacy iptables in its table filter.
fn filtered(policies: [&str; 3], rules: &str) -> Scene {
    let [input, forward, output] = policies;
    let text = format!(
        "*filter\n:INPUT {input} [0:0]\n:FORWARD {forward} [0:0]\n:OUTPUT {output} [0:0]\n\
         :USER - [0:0]\n{rules}\nCOMMIT\n"
    );
    with_chains(&text)
}

fn with_chains(text: &str) -> Scene {
    let ruleset = Ruleset { chains: parse(Family::Ipv4, text), ..Ruleset::default() };
    Scene { ruleset: Some(ruleset), ..machine() }
}

fn input(policy: &str, rules: &str) -> Vec<String> {
    codes(&filtered([policy, "ACCEPT", "ACCEPT"], rules))
}

#[test]
fn a_policy_that_drops_stops_what_no_rule_accepts() {
    assert_eq!(input("DROP", "-A INPUT -i lo -j ACCEPT"), ["D0201 stops web"]);
    assert!(input("DROP", "-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT").is_empty());
    assert!(input("DROP", "-A INPUT -d 172.18.100.0/24 -j ACCEPT").is_empty());
    assert!(input("DROP", "-A INPUT -m mark --mark 0xa -j ACCEPT").is_empty());
    assert_eq!(input("DROP", "-A INPUT -p udp -m udp --dport 80 -j ACCEPT").len(), 1);
    assert_eq!(
        remedy(&filtered(["DROP", "ACCEPT", "ACCEPT"], "")),
        "iptables-legacy -t filter -I INPUT -m mark --mark 10 -j ACCEPT"
    );
}

#[test]
fn rules_for_some_clients_are_not_held_against_the_filter() {
    assert!(input("ACCEPT", "-A INPUT -s 192.0.2.0/24 -j DROP").is_empty());
    assert!(input("ACCEPT", "-A INPUT -m limit --limit 5/sec -j DROP").is_empty());
    let only_some = "-A INPUT -s 192.0.2.0/24 -j ACCEPT";
    assert_eq!(input("DROP", only_some), ["D0201 may-stop web"]);
    assert_eq!(input("ACCEPT", "-A INPUT ! -s 192.0.2.0/24 -j DROP"), ["D0201 may-stop web"]);
}

#[test]
fn what_cannot_be_worked_out_is_may() {
    assert_eq!(input("ACCEPT", "-A INPUT -m recent --rcheck -j DROP"), ["D0201 may-stop web"]);
    let doubtful = "-A INPUT -m recent --rcheck -j ACCEPT";
    assert_eq!(input("DROP", doubtful), ["D0201 may-stop web"]);
    let elsewhere = "-A INPUT -p tcp -m recent --rcheck -g USER\n-A USER -j DROP";
    assert_eq!(input("ACCEPT", elsewhere), ["D0201 may-stop web"]);
}

#[test]
fn chains_are_followed_and_left() {
    let jump = "-A INPUT -p tcp -j USER\n-A INPUT -j DROP\n-A USER -p tcp --dport 80 -j";
    assert!(input("ACCEPT", &format!("{jump} ACCEPT")).is_empty());
    assert_eq!(input("ACCEPT", &format!("{jump} RETURN")), ["D0201 stops web"]);
    let goto = "-A INPUT -p tcp -g USER\n-A INPUT -j DROP\n-A USER -p udp -j DROP";
    assert!(input("ACCEPT", goto).is_empty());
}

/// FACT: conntrack never sees a connection of IPVS established.
#[test]
fn later_packets_are_new_and_the_last_is_invalid() {
    let invalid = "-A INPUT -m conntrack --ctstate INVALID -j DROP";
    assert_eq!(input("ACCEPT", invalid), ["D0202 stops web"]);
    let only_syn = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n\
                    -A INPUT -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT";
    assert_eq!(input("DROP", only_syn), ["D0202 stops web"]);
    let first = format!("-A INPUT -m mark --mark 0xa -j ACCEPT\n{invalid}");
    assert!(input("ACCEPT", &first).is_empty());
    // With NAT, and IPVS telling conntrack, connections are established.
    let mut scene = filtered(["ACCEPT", "ACCEPT", "ACCEPT"], invalid);
    forward(&mut scene, Method::Nat);
    scene.addresses.remove(0);
    assert_eq!(codes(&scene), ["D0202 stops web"]);
    scene.sysctls.insert("net.ipv4.vs.conntrack".to_owned(), 1);
    assert!(codes(&scene).is_empty(), "{:?}", codes(&scene));
}

#[test]
fn what_ipvs_sends_is_untracked_at_output() {
    let output = |rules: &str| filtered(["ACCEPT", "ACCEPT", "DROP"], rules);
    let established = "-A OUTPUT -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT";
    assert_eq!(codes(&output(established)), ["D0203 stops web"]);
    assert!(codes(&output("-A OUTPUT -d 172.18.100.7/32 -o front -j ACCEPT")).is_empty());
    let mut tunnel = output("-A OUTPUT -d 172.18.100.11/32 -p 4 -j ACCEPT");
    forward(&mut tunnel, Method::Tunnel(Tunnel::Ipip));
    tunnel.links[1].mtu = 9000;
    assert!(codes(&tunnel).is_empty(), "{:?}", codes(&tunnel));
    forward(&mut tunnel, Method::Tunnel(Tunnel::Gre { checksum: TunnelChecksum::None }));
    assert_eq!(codes(&tunnel), ["D0203 stops web"]);
}

#[test]
fn answers_of_nat_servers_come_by_forward() {
    let mut scene = filtered(
        ["ACCEPT", "DROP", "ACCEPT"],
        "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    );
    assert!(codes(&scene).is_empty(), "direct routing forwards nothing");
    forward(&mut scene, Method::Nat);
    let server = &mut scene.subject.groups[0].services[0].1.destinations[0];
    (server.key.address, server.key.port) = (ip("10.20.0.11"), 8080);
    leads(&mut scene, "10.20.0.11", 0, out(3, None));
    assert_eq!(codes(&scene), ["D0204 stops web"]);
    assert_eq!(
        remedy(&scene),
        "iptables-legacy -t filter -I FORWARD -s 10.20.0.11 -p tcp --sport 8080 -j ACCEPT"
    );
    scene.sysctls.insert("net.ipv4.vs.conntrack".to_owned(), 1);
    assert!(codes(&scene).is_empty());
}

#[test]
fn other_destinations_and_other_marks_are_seen() {
    let nat = "*nat\n:PREROUTING ACCEPT [0:0]\n\
               -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1\n";
    assert_eq!(codes(&with_chains(nat)), ["D0205 stops web"]);
    let mangle = |rule: &str| {
        with_chains(&format!("*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n{rule}\n"))
    };
    let given = mangle("-A INPUT -p tcp -j MARK --set-xmark 0x1/0xffffffff");
    assert_eq!(codes(&given), ["D0301 stops web"]);
    let bit = mangle("-A INPUT -p tcp -j MARK --set-xmark 0x100/0x100");
    assert_eq!(codes(&bit), ["D0301 stops web"]);
    assert_eq!(remedy(&bit), "iptables-legacy -t mangle -I INPUT -m mark --mark 10 -j ACCEPT");
    let restored = mangle("-A INPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff");
    assert_eq!(codes(&restored), ["D0301 may-stop web"]);
    assert!(codes(&mangle("-A INPUT -p udp -j MARK --set-xmark 0x1/0xffffffff")).is_empty());
    // The same mark again changes nothing, but is one of ours in other hands.
    let same = mangle("-A INPUT -p tcp -j MARK --set-xmark 0xa/0xffffffff");
    assert_eq!(codes(&same), ["D0302 may-stop web"]);
}

/// The table mangle with our chain, and rules before the one that calls it.
fn called_behind(rules: &str) -> Scene {
    with_chains(&format!(
        "*mangle\n:PREROUTING ACCEPT [0:0]\n:FWMARKCTL - [0:0]\n:USER - [0:0]\n{rules}\n\
         -A PREROUTING -j FWMARKCTL\n\
         -A FWMARKCTL -d 172.18.100.7/32 -p tcp -m tcp --dport 80 -j MARK --set-xmark 0xa/0xffffffff\n"
    ))
}

/// ACCEPT ends the built-in chain of the table, and with it what comes behind.
#[test]
fn what_leaves_the_chain_before_our_rule_is_not_marked() {
    let accept = called_behind("-A PREROUTING -d 172.18.100.7/32 -j ACCEPT");
    assert_eq!(codes(&accept), ["D0305 stops web"]);
    assert_eq!(
        crate::preflight::checks::examine(&accept).findings[0].remedy,
        [
            "iptables-legacy -t mangle -I PREROUTING -j FWMARKCTL",
            "iptables-legacy -t mangle -D PREROUTING 3"
        ]
    );
    let stops = ["D0305 stops web"];
    assert_eq!(codes(&called_behind("-A PREROUTING -p tcp -j RETURN")), stops);
    assert_eq!(codes(&called_behind("-A PREROUTING -g USER")), stops);
    assert_eq!(codes(&called_behind("-A PREROUTING -j USER\n-A USER -j ACCEPT")), stops);
    let doubtful = called_behind("-A PREROUTING -m recent --rcheck -j ACCEPT");
    assert_eq!(codes(&doubtful), ["D0305 may-stop web"]);
    for harmless in [
        "-A PREROUTING -d 172.18.100.8/32 -j ACCEPT",
        "-A PREROUTING -p udp -j ACCEPT",
        "-A PREROUTING -j USER\n-A USER -j RETURN",
        // Some clients are meant to be left out.
        "-A PREROUTING -s 192.0.2.0/24 -j ACCEPT",
        // What comes behind ours is too late to matter.
        "-A PREROUTING -j FWMARKCTL\n-A PREROUTING -d 172.18.100.7/32 -j ACCEPT",
    ] {
        assert!(codes(&called_behind(harmless)).is_empty(), "{harmless}");
    }
    // Another table's chain ends by itself.
    let raw = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j ACCEPT\n";
    let scene = with_chains(&format!(
        "{raw}*mangle\n:PREROUTING ACCEPT [0:0]\n\
        :FWMARKCTL - [0:0]\n-A PREROUTING -j FWMARKCTL\n"
    ));
    assert!(codes(&scene).is_empty());
}

/// The scene, asked about for one client.
fn asked_for(mut scene: Scene, client: &str, port: Option<u16>) -> Scene {
    scene.subject.client = Some(Client { address: ip(client), port });
    scene
}

#[test]
fn a_client_that_is_known_meets_the_rules_for_it() {
    let input = |policy: &str, rules: &str, client: &str, port: Option<u16>| {
        asked_for(filtered([policy, "ACCEPT", "ACCEPT"], rules), client, port)
    };
    let drops = "-A INPUT -s 10.50.0.2/32 -j DROP";
    let dropped = input("ACCEPT", drops, "10.50.0.2", None);
    assert_eq!(codes(&dropped), ["D0201 stops web"]);
    // What keeps one client out is not opened for all.
    assert_eq!(
        remedy(&dropped),
        "iptables-legacy -t filter -I INPUT -s 10.50.0.2 -m mark --mark 10 -j ACCEPT"
    );
    assert!(codes(&input("ACCEPT", drops, "10.50.0.3", None)).is_empty());
    let network = "-A INPUT -s 10.50.0.0/24 -p tcp -m tcp --dport 80 -j ACCEPT";
    assert!(codes(&input("DROP", network, "10.50.0.2", None)).is_empty());
    assert_eq!(codes(&input("DROP", network, "10.51.0.2", None)), ["D0201 stops web"]);
    let all = input("DROP", "", "10.50.0.2", None);
    assert_eq!(remedy(&all), "iptables-legacy -t filter -I INPUT -m mark --mark 10 -j ACCEPT");
    let ports = "-A INPUT -p tcp -m tcp --sport 4000 -j DROP";
    assert_eq!(codes(&input("ACCEPT", ports, "10.50.0.2", Some(4000))), ["D0201 stops web"]);
    assert!(codes(&input("ACCEPT", ports, "10.50.0.2", Some(4001))).is_empty());
    // Before our rule too.
    let before =
        |client| asked_for(called_behind("-A PREROUTING -s 10.50.0.2 -j ACCEPT"), client, None);
    assert_eq!(codes(&before("10.50.0.2")), ["D0305 stops web"]);
    assert!(codes(&before("10.50.0.3")).is_empty());
}

#[test]
fn a_client_that_is_known_is_who_sends_what_is_forwarded_and_gets_the_answer() {
    let output = filtered(["ACCEPT"; 3], "-A OUTPUT -s 10.50.0.0/24 -j DROP");
    assert!(codes(&output).is_empty());
    assert_eq!(codes(&asked_for(output.clone(), "10.50.0.2", None)), ["D0203 stops web"]);
    // In a tunnel it is the director that sends.
    let mut tunnel = asked_for(output, "10.50.0.2", None);
    forward(&mut tunnel, Method::Tunnel(Tunnel::Ipip));
    tunnel.links[1].mtu = 9000;
    assert!(codes(&tunnel).is_empty(), "{:?}", codes(&tunnel));
    let mut nat = filtered(["ACCEPT"; 3], "-A FORWARD -d 10.50.0.0/24 -p tcp --dport 4000 -j DROP");
    forward(&mut nat, Method::Nat);
    nat.addresses.remove(0);
    assert!(codes(&nat).is_empty());
    let asked = |port| asked_for(nat.clone(), "10.50.0.2", Some(port));
    assert_eq!(codes(&asked(4000)), ["D0204 stops web"]);
    assert!(codes(&asked(4001)).is_empty());
}
