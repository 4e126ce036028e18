//! Classical services by address: real clients of each kind of persistence, beside groups
//! that go by mark; and what others made where they want to be.

use std::collections::BTreeSet;

use crate::lab::{CLIENT, CLIENT_V6, Failure, Lab, RealServer, client_v4};
use crate::scene::{Fwmarkctl, list, servers, the_one_server};

const HTTP: &str = "172.18.100.7:80";
const HTTPS: &str = "172.18.100.7:443";

#[test]
fn a_group_by_address_and_one_by_mark_come_in_one_apply_and_serve_clients() {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443]);
    lab.serve_udp(&[443]);
    let config = format!(
        r#"
        [group.web]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["80/tcp", "443/udp"]
        via = "address"
        scheduler = "rr"
        real = {servers}

        [group.marked]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["443/tcp"]
        mark = 10
        scheduler = "rr"
        real = {servers}
        "#,
        servers = list(&lab, &[RealServer::v4, RealServer::v6]),
    );
    lab.director().apply(&config);
    let both: BTreeSet<_> = ["rs1".to_owned(), "rs2".to_owned()].into();
    for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
        let (http, https) = (format!("{vip}:80"), format!("{vip}:443"));
        let ask = |target: &str| servers(2, |_| lab.client().tcp(source, target));
        assert_eq!(ask(&http).into_iter().collect::<BTreeSet<_>>(), both);
        assert_eq!(ask(&https).into_iter().collect::<BTreeSet<_>>(), both);
        assert!(lab.client().udp(source, &https).is_ok());
        assert_eq!(lab.client().tcp(source, &format!("{vip}:25")), Err(Failure::Refused));
    }
    let saved = lab.director().ipvsadm_save();
    assert!(saved.contains("-a -t 172.18.100.7:80 -r 172.18.100.11:80 -g -w 1"), "{saved}");
    assert!(saved.contains("-a -f 10 -r 172.18.100.11:0 -g -w 1"), "{saved}");
    lab.director().in_sync(&config).unwrap();
    let told = lab.director().apply(&config);
    assert!(told.contains("In sync"), "{told}");
}

/// What a persistent mark cannot do (see `forwarding`).
#[test]
fn ppc_by_address_maps_ports_and_keeps_a_client_for_each_port_by_itself() {
    let lab = Lab::nat();
    lab.serve_tcp(&[8080]);
    let config = r#"
        [group.web]
        vips = ["172.18.100.7"]
        ports = ["80/tcp", "443/tcp"]
        via = "address"
        forward = "nat"
        scheduler = "rr"
        persistence = "ppc"
        real = [{ address = "10.20.0.11", port = 8080 }, { address = "10.20.0.12", port = 8080 }]
    "#;
    lab.director().apply(config);
    let ask = |client: usize, port: &str| lab.client().tcp(client_v4(client).as_str(), port);
    let plain = servers(6, |client| ask(client, HTTP));
    let mut secure = servers(6, |client| ask((client + 1) % 6, HTTPS));
    secure.rotate_right(1);
    assert!((0..6).any(|client| plain[client] != secure[client]), "{plain:?} {secure:?}");
    for _ in 0..2 {
        assert_eq!(servers(6, |client| ask(client, HTTP)), plain);
        assert_eq!(servers(6, |client| ask(client, HTTPS)), secure);
    }
    lab.director().in_sync(config).unwrap();
}

#[test]
fn pcc_by_address_ties_every_port_of_a_protocol() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443, 8080]);
    let config = r#"
        [group.all]
        vips = ["172.18.100.7"]
        via = "address"
        scheduler = "rr"
        persistence = "pcc"
        real = ["172.18.100.11", "172.18.100.12"]
    "#;
    lab.director().apply(config);
    let targets = [HTTP, HTTPS, "172.18.100.7:8080"];
    let both: BTreeSet<_> =
        (0..4).map(|number| the_one_server(lab.client(), &client_v4(number), &targets)).collect();
    assert_eq!(both.len(), 2, "{both:?}");
    lab.director().in_sync(config).unwrap();
}

const PLAIN: &str = r#"
[group.web]
vips = ["172.18.100.7"]
ports = ["80/tcp"]
via = "address"
real = ["172.18.100.11"]
"#;

#[test]
fn a_service_of_somebody_at_our_address_is_a_conflict_until_it_is_adopted() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    let director = lab.director();
    let theirs = "-A -t 172.18.100.7:80 -s rr\n-a -t 172.18.100.7:80 -r 172.18.100.12:80 -g -w 1\n";
    director.ipvsadm(theirs);
    let before = director.dump();
    let ended = director.with(&["apply"], PLAIN).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let words = "group web: the service tcp 172.18.100.7:80 exists and is not ours";
    assert!(ended.stderr.contains(words), "{ended:?}");
    assert_eq!(director.dump(), before);
    director.with(&["apply", "--adopt"], PLAIN).ok();
    assert_eq!(lab.client().tcp(CLIENT, HTTP), Ok("rs1".to_owned()));
    director.in_sync(PLAIN).unwrap();
    // What is adopted is ours, and goes with the rest.
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(director.ipvsadm_save(), "");
}

#[test]
fn a_flushed_ruleset_leaves_services_by_address_at_work_and_ours() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    lab.director().apply(PLAIN);
    lab.director().flush_ruleset();
    assert_eq!(lab.client().tcp(CLIENT, HTTP), Ok("rs1".to_owned()));
    lab.director().apply(PLAIN);
    lab.director().in_sync(PLAIN).unwrap();
}
