//! The main job: a group's ports and addresses behave as one service, by one mark.

use std::collections::BTreeSet;

use crate::lab::{CLIENT, CLIENT_V6, Lab, Tally, client_v4, client_v6};
use crate::scene::{Fwmarkctl, servers, the_one_server};

const WEB: &str = r#"
[group.web]
vips = ["172.18.100.7"]
ports = ["80/tcp", "443/tcp"]
mark = 10
scheduler = "rr"
persistence = { mode = "pfwmc", timeout = "300s" }
real = ["172.18.100.11", "172.18.100.12"]
"#;

const WEB_V6: &str = r#"
[group.web]
vips = ["2001:db8:18:100::7"]
ports = ["80/tcp", "443/tcp"]
mark = 10
scheduler = "rr"
persistence = { mode = "pfwmc", timeout = "300s" }
real = ["2001:db8:18:100::11", "2001:db8:18:100::12"]
"#;

const PORTS: [&str; 2] = ["172.18.100.7:80", "172.18.100.7:443"];
const PORTS_V6: [&str; 2] = ["[2001:db8:18:100::7]:80", "[2001:db8:18:100::7]:443"];

fn evenly(times: usize) -> Tally {
    [("rs1".to_owned(), times), ("rs2".to_owned(), times)].into()
}

/// A lab whose servers answer the web's ports and nothing more.
fn web_lab() -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443]);
    lab
}

#[test]
fn one_client_reaches_one_server_by_both_ports() {
    let lab = web_lab();
    lab.director().apply(WEB);
    let one = servers(20, |number| lab.client().tcp(CLIENT, PORTS[number % 2]));
    assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 1, "{one:?}");
    lab.director().in_sync(WEB).unwrap();
}

#[test]
fn forty_clients_spread_over_both_servers() {
    let lab = web_lab();
    lab.director().apply(WEB);
    // A client's first port alternates, so that neither port is special.
    let seen = lab
        .client()
        .tally(40, |client, number| client.tcp(client_v4(number).as_str(), PORTS[number % 2]));
    assert_eq!(seen, Ok(evenly(20)));
    // And the other port leads each of them to the server that it has.
    for number in (0..40).step_by(8) {
        the_one_server(lab.client(), &client_v4(number), &PORTS);
    }
}

#[test]
fn ipv6_clients_stay_and_spread_as_those_of_ipv4() {
    let lab = web_lab();
    lab.director().apply(WEB_V6);
    let one = servers(20, |number| lab.client().tcp(CLIENT_V6, PORTS_V6[number % 2]));
    assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 1, "{one:?}");
    let mut tally = Tally::new();
    for number in 0..20 {
        let server = the_one_server(lab.client(), &client_v6(number), &PORTS_V6);
        *tally.entry(server).or_default() += 1;
    }
    assert_eq!(tally, evenly(10));
}

#[test]
fn without_persistence_requests_take_turns() {
    let lab = web_lab();
    let config = WEB.replace("persistence", "# persistence");
    lab.director().apply(&config);
    let turns = servers(10, |number| lab.client().tcp(CLIENT, PORTS[number / 2 % 2]));
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
}

#[test]
fn weights_decide_the_shares() {
    let lab = web_lab();
    let weighted = r#"real = ["172.18.100.11", { address = "172.18.100.12", weight = 2 }]"#;
    let config = WEB
        .replace("persistence", "# persistence")
        .replace(r#""rr""#, r#""wrr""#)
        .replace(r#"real = ["172.18.100.11", "172.18.100.12"]"#, weighted);
    lab.director().apply(&config);
    let seen = lab.client().tally(30, |client, number| client.tcp(CLIENT, PORTS[number % 2]));
    assert_eq!(seen, Ok([("rs1".to_owned(), 10), ("rs2".to_owned(), 20)].into()));
}

#[test]
fn a_dual_stack_group_has_one_mark_and_a_service_of_each_family() {
    let lab = web_lab();
    let config = r#"
        [group.web]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["80/tcp", "443/tcp"]
        mark = 10
        scheduler = "rr"
        persistence = "pfwmc"
        real = ["172.18.100.11", "172.18.100.12", "2001:db8:18:100::11", "2001:db8:18:100::12"]
    "#;
    lab.director().apply(config);
    let services = lab.director().ipvsadm_save();
    assert!(services.contains("-A -f 10 -s rr -p 300"), "{services}");
    assert!(services.contains("-A -f 10 -6 -s rr -p 300"), "{services}");
    let mut tally = Tally::new();
    for number in 0..4 {
        let v4 = the_one_server(lab.client(), &client_v4(number), &PORTS);
        let v6 = the_one_server(lab.client(), &client_v6(number), &PORTS_V6);
        *tally.entry(v4).or_default() += 1;
        *tally.entry(v6).or_default() += 1;
    }
    assert_eq!(tally, evenly(4));
}

#[test]
fn http3_stays_on_the_server_of_its_tcp_ports() {
    let lab = web_lab();
    lab.serve_udp(&[443]);
    let config = WEB.replace(r#""443/tcp""#, r#""443/tcp", "443/udp""#);
    lab.director().apply(&config);
    let mut tally = Tally::new();
    for number in 0..6 {
        let source = client_v4(number);
        // Half of the clients come by QUIC first, the others by TCP.
        let by_udp = || lab.client().udp(source.as_str(), PORTS[1]);
        let first = (number % 2 == 0).then(by_udp);
        let by_tcp = the_one_server(lab.client(), &source, &PORTS);
        assert_eq!(first.unwrap_or_else(by_udp).as_ref(), Ok(&by_tcp), "{source}");
        *tally.entry(by_tcp).or_default() += 1;
    }
    assert_eq!(tally, evenly(3));
}
