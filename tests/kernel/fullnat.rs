//! Full NAT: real servers that have no route back to the clients, and never see one.

use std::time::Duration;

use crate::lab::{CLIENT, CLIENT_V6, Failure, Kind, Lab, Marks, RealServer, client_v4};
use crate::scene::{Fwmarkctl, list, servers};

const HTTP: &str = "172.18.100.7:80";
const HTTPS: &str = "172.18.100.7:443";

/// Real servers behind a director; tracking the connections of IPVS is for the apply to set.
fn lab() -> Lab {
    let lab = Lab::nat();
    lab.serve_tcp(&[80, 443]);
    lab
}

/// The same without a route back through the director.
fn lab_without_a_way_back() -> Lab {
    let lab = lab();
    for server in lab.real_servers() {
        server.namespace().ip("route del default\nroute del ::/0\n");
    }
    lab
}

/// A group on port 80 of the VIPs, reached so.
fn web(lab: &Lab, forward: &str) -> String {
    group(lab, "web", 80, 10, forward)
}

fn group(lab: &Lab, name: &str, port: u16, mark: u32, forward: &str) -> String {
    format!(
        r#"
        [group.{name}]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["{port}/tcp", "{port}/udp"]
        mark = {mark}
        scheduler = "rr"
        real = {}
        {forward}
        "#,
        list(lab, &[RealServer::v4, RealServer::v6]),
    )
}

const NAT: &str = r#"forward = "nat""#;
const FULL: &str = r#"forward = "fullnat""#;

/// The addresses that the servers saw since they were last asked.
fn seen(lab: &Lab) -> Vec<String> {
    lab.requests().into_iter().map(|request| request.from.ip().to_string()).collect()
}

#[test]
fn servers_without_a_way_back_answer_and_see_the_director_alone() {
    let lab = lab_without_a_way_back();
    lab.serve_udp(&[80]);
    let director = lab.director();
    director.apply(&web(&lab, NAT));
    let brief = lab.client().patience(Duration::from_secs(1));
    assert_eq!(brief.tcp(CLIENT, HTTP), Err(Failure::Timeout), "there is no way back");
    assert!(!director.replaces_sources());

    let full = web(&lab, FULL);
    let told = director.apply(&full);
    let line = "+ nat rule     fwmark 10 10.20.0.11";
    assert!(told.contains(line) && told.contains("masquerade  [web]"), "{told}");
    assert_eq!(told.matches("note: connection tracking begins").count(), 1, "{told}");
    lab.requests();
    for (source, vip, from) in [
        (CLIENT, "172.18.100.7:80", "10.20.0.1"),
        (CLIENT_V6, "[2001:db8:18:100::7]:80", "2001:db8:20::1"),
    ] {
        let mut names = servers(2, |_| lab.client().tcp(source, vip));
        names.sort();
        assert_eq!(names, ["rs1", "rs2"]);
        assert!(lab.client().udp(source, vip).is_ok());
        assert_eq!(seen(&lab), [from; 3]);
    }
    director.in_sync(&full).unwrap();
    assert!(director.apply(&full).contains("In sync"));

    // What others take away comes back.
    director.unhook_source_nat();
    let plan = director.in_sync(&full).unwrap_err();
    let hook = match Marks::of_this_run() {
        Marks::Nftables => "+ nat rule     chain postrouting",
        Marks::Iptables { .. } => "the jumps to our chains of ipv4 are not as they were made",
    };
    assert!(plan.contains(hook), "{plan}");
    director.apply(&full);
    assert!(lab.client().tcp(CLIENT, HTTP).is_ok());

    // A roll-back takes it along, and another one brings it again.
    director.fwmarkctl(&["rollback"]).ok();
    assert!(!director.replaces_sources() && !director.ruleset().contains("10.20.0.11"));
    director.in_sync(&web(&lab, NAT)).unwrap();
    director.fwmarkctl(&["rollback"]).ok();
    assert!(lab.client().tcp(CLIENT, HTTP).is_ok());
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(director.ruleset(), "");
}

#[test]
fn snat_chooses_the_address_and_other_groups_keep_their_clients() {
    let lab = lab();
    let director = lab.director();
    director.ip("addr add 10.20.0.5/24 dev back\naddr add 2001:db8:20::5/64 dev back nodad\n");
    let chosen = format!("{FULL}\nsnat = [\"10.20.0.5\", \"2001:db8:20::5\"]");
    let config = web(&lab, &chosen) + &group(&lab, "plain", 443, 20, NAT);
    director.apply(&config);
    lab.requests();
    let client = lab.client();
    client.tcp(CLIENT, HTTP).unwrap();
    client.tcp(CLIENT_V6, "[2001:db8:18:100::7]:80").unwrap();
    // The same servers, by another mark.
    client.tcp(CLIENT, HTTPS).unwrap();
    assert_eq!(seen(&lab), ["10.20.0.5", "2001:db8:20::5", CLIENT]);
    // Another address is a change of its own, and nothing else changes.
    let told = director.apply(&config.replace("10.20.0.5", "10.20.0.1"));
    assert!(told.contains("snat 10.20.0.5 → snat 10.20.0.1"), "{told}");
    assert!(told.contains("0 to add, 2 to change, 0 to remove"), "{told}");
    client.tcp(CLIENT, HTTP).unwrap();
    assert_eq!(seen(&lab), ["10.20.0.1"]);
}

/// Connection tracking knows what it replaced, and what it did not.
#[test]
fn a_group_goes_to_full_nat_and_back_and_connections_keep_what_they_have() {
    let lab = lab();
    let director = lab.director();
    let other = group(&lab, "other", 443, 20, FULL);
    let config = |forward| web(&lab, forward) + &other;
    director.apply(&config(NAT));
    let client = lab.client();
    let mut plain = client.connect(client_v4(1).as_str(), HTTP).unwrap();
    director.apply(&config(FULL));
    let mut full = client.connect(client_v4(2).as_str(), HTTP).unwrap();
    assert!(plain.ask().is_ok() && full.ask().is_ok());
    let told = director.apply(&config(NAT));
    assert!(!told.contains("note:"), "{told}");
    let mut again = client.connect(client_v4(3).as_str(), HTTP).unwrap();
    for connection in [&mut plain, &mut full, &mut again] {
        assert!(connection.ask().is_ok());
    }
    let expected = [client_v4(1), "10.20.0.1".to_owned(), client_v4(3)];
    assert_eq!(seen(&lab), expected);
}

#[test]
fn with_the_last_full_nat_go_its_connections_as_the_plan_says() {
    let lab = lab();
    let director = lab.director();
    director.apply(&web(&lab, FULL));
    let mut full = lab.client().connect(client_v4(2).as_str(), HTTP).unwrap();
    assert!(full.ask().is_ok());
    let told = director.apply(&web(&lab, NAT));
    assert!(told.contains("note: established connections through fullnat break off"), "{told}");
    assert!(full.ask().is_err());
    assert!(lab.client().tcp(client_v4(3).as_str(), HTTP).is_ok());
}

/// Its clients would wait for ever if they were dealt to it before the switch.
#[test]
fn servers_come_one_after_another_under_a_rush_and_nobody_waits() {
    let lab = Lab::of(&[Kind::Nat; 5]);
    lab.serve_tcp(&[80]);
    for server in lab.real_servers() {
        server.namespace().ip("route del default\n");
    }
    let first = |count: usize| {
        let servers: Vec<_> = lab.real_servers().iter().take(count).map(RealServer::v4).collect();
        format!(
            "[group.web]\nvips = [\"172.18.100.7\"]\nports = [80]\nmark = 10\n\
             forward = \"fullnat\"\nreal = {servers:?}\n"
        )
    };
    lab.director().apply(&first(1));
    lab.beside_rush(&[HTTP], |traffic| {
        for count in 2..=5 {
            lab.director().apply(&first(count));
            traffic.each_answers(5, |_| true);
        }
        let seen = traffic.undisturbed(|_| true);
        assert!(seen.is_ok(), "{:?}", seen.unwrap_err().failures);
    });
}

/// Until it is confirmed, what a trial takes away stays for the connections that it has.
#[test]
fn a_trial_without_the_group_keeps_its_connections() {
    let lab = lab_without_a_way_back();
    let director = lab.director();
    let other = group(&lab, "other", 443, 20, FULL);
    director.apply(&(web(&lab, FULL) + &other));
    let mut talk = lab.client().connect(CLIENT, HTTP).unwrap();
    director.with(&["apply", "--confirm-within", "60s"], &other).ok();
    assert!(talk.ask().is_ok());
    director.fwmarkctl(&["rollback"]).ok();
    assert!(talk.ask().is_ok());
    assert!(lab.client().tcp(CLIENT, HTTP).is_ok());
}
