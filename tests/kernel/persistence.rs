//! Persistence: what stays together, and what does not, in each mode.

use std::collections::BTreeSet;

use crate::lab::{CLIENT, Failure, Lab, Tally, client_v4, client_v6};
use crate::scene::{Fwmarkctl, servers, the_one_server};

/// Two servers that answer the web's ports and one more, and a group of theirs.
fn scene(more: &str) -> (Lab, String) {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443, 8080]);
    let config = format!(
        r#"
        [group.web]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        scheduler = "rr"
        real = ["172.18.100.11", "172.18.100.12", "2001:db8:18:100::11", "2001:db8:18:100::12"]
        {more}
        "#
    );
    lab.director().apply(&config);
    (lab, config)
}

const HTTP: &str = "172.18.100.7:80";
const HTTPS: &str = "172.18.100.7:443";
const UNLISTED: &str = "172.18.100.7:8080";

#[test]
fn ppc_keeps_a_client_for_each_port_by_itself() {
    let (lab, config) = scene(
        r#"
        ports = ["80/tcp", "443/tcp"]
        persistence = "ppc"
        "#,
    );
    let ask = |client: usize, port: &str| lab.client().tcp(client_v4(client).as_str(), port);
    // Each service deals by itself, so the first of one port is no first of the other.
    let plain = servers(6, |client| ask(client, HTTP));
    let mut secure = servers(6, |client| ask((client + 1) % 6, HTTPS));
    secure.rotate_right(1);
    assert!((0..6).any(|client| plain[client] != secure[client]), "{plain:?} {secure:?}");
    for _ in 0..3 {
        assert_eq!(servers(6, |client| ask(client, HTTP)), plain);
        assert_eq!(servers(6, |client| ask(client, HTTPS)), secure);
    }
    assert_eq!(lab.client().tcp(CLIENT, UNLISTED), Err(Failure::Refused));
    lab.director().in_sync(&config).unwrap();
}

#[test]
fn pcc_ties_every_port_of_the_vip_even_one_that_nobody_named() {
    let (lab, config) = scene(r#"persistence = "pcc""#);
    lab.serve_udp(&[5353]);
    let mut tally = Tally::new();
    for client in 0..6 {
        let source = client_v4(client);
        let mut ports = [HTTP, HTTPS, UNLISTED];
        ports.rotate_left(client % 3);
        let server = the_one_server(lab.client(), &source, &ports);
        assert_eq!(lab.client().udp(source.as_str(), "172.18.100.7:5353"), Ok(server.clone()));
        *tally.entry(server).or_default() += 1;
    }
    assert_eq!(tally, [("rs1".to_owned(), 3), ("rs2".to_owned(), 3)].into());
    lab.director().in_sync(&config).unwrap();
}

#[test]
fn pfwmc_leaves_an_unlisted_port_to_the_director() {
    let (lab, _) = scene(
        r#"
        ports = ["80/tcp", "443/tcp"]
        persistence = "pfwmc"
        "#,
    );
    the_one_server(lab.client(), CLIENT, &[HTTP, HTTPS]);
    lab.requests();
    assert_eq!(lab.client().tcp(CLIENT, UNLISTED), Err(Failure::Refused));
    assert_eq!(lab.client().tcp(CLIENT, "172.18.100.8:80"), Err(Failure::Refused), "another VIP");
    assert_eq!(lab.requests(), [], "no real server saw it");
    // What the director itself listens on there is its own, and stays so.
    lab.serve_tcp_on_director(&[8080]);
    assert_eq!(lab.client().tcp(CLIENT, UNLISTED), Ok("director".to_owned()));
}

#[test]
fn pfwmc_ties_several_addresses_and_a_range_of_ports() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 8003, 8100]);
    let config = r#"
        [group.web]
        vips = ["172.18.100.8/31", "172.18.100.7"]
        ports = ["80/tcp", "8000-8100/tcp"]
        scheduler = "rr"
        persistence = "pfwmc"
        real = ["172.18.100.11", "172.18.100.12"]
    "#;
    lab.director().apply(config);
    let targets = ["172.18.100.7:80", "172.18.100.8:80", "172.18.100.7:8100", "172.18.100.8:8003"];
    let both: BTreeSet<_> =
        (0..4).map(|number| the_one_server(lab.client(), &client_v4(number), &targets)).collect();
    assert_eq!(both.len(), 2, "{both:?}");
    assert_eq!(lab.client().tcp(CLIENT, "172.18.100.7:8101"), Err(Failure::Refused));
}

/// The servers of the clients, each asked once.
fn deal(lab: &Lab, clients: &[String], target: &str) -> Vec<String> {
    servers(clients.len(), |number| lab.client().tcp(clients[number].as_str(), target))
}

#[test]
fn a_netmask_makes_one_client_of_a_network() {
    let ports = r#"ports = ["80/tcp"]"#;
    let all: Vec<_> = (0..50).step_by(5).map(client_v4).collect();
    let (lab, _) = scene(&format!(
        "{ports}\npersistence = {{ mode = \"pfwmc\", netmask = 24, netmask6 = 64 }}"
    ));
    let one: BTreeSet<_> = deal(&lab, &all, HTTP).into_iter().collect();
    assert_eq!(one.len(), 1, "172.18.100.0/24 is one client");
    let all_v6: Vec<_> = (0..20).step_by(4).map(client_v6).collect();
    let one: BTreeSet<_> = deal(&lab, &all_v6, "[2001:db8:18:100::7]:80").into_iter().collect();
    assert_eq!(one.len(), 1, "2001:db8:18:100::/64 is one client");
}

#[test]
fn a_narrower_netmask_makes_two_clients_of_it() {
    let (lab, config) = scene(
        r#"
        ports = ["80/tcp"]
        persistence = { mode = "pfwmc", netmask = 25, netmask6 = 124 }
        "#,
    );
    // .100 to .127 and .128 to .149; ::100 to ::109 and ::110 to ::119.
    let v4 = [0, 27, 28, 49].map(client_v4);
    let v6 = [0, 9, 10, 19].map(client_v6);
    for (clients, target) in [(v4, HTTP), (v6, "[2001:db8:18:100::7]:80")] {
        let dealt = deal(&lab, &clients, target);
        assert_eq!(dealt[0], dealt[1], "{dealt:?}");
        assert_eq!(dealt[2], dealt[3], "{dealt:?}");
        assert_ne!(dealt[0], dealt[2], "{dealt:?}");
    }
    lab.director().in_sync(&config).unwrap();
}
