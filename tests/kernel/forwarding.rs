//! Forwarding: each method carries requests of a group by mark, alone and mixed.

use crate::lab::{CLIENT, CLIENT_V6, Failure, Kind, Lab, RealServer, Tally, client_v4, client_v6};
use crate::scene::{Fwmarkctl, list, the_one_server};

/// A group on both families with all of the lab's servers.
fn web(lab: &Lab, more: &str) -> String {
    format!(
        r#"
        [group.web]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["80/tcp", "443/tcp", "443/udp"]
        mark = 10
        scheduler = "rr"
        {more}
        real = {}
        "#,
        list(lab, &[RealServer::v4, RealServer::v6]),
    )
}

fn once(lab: &Lab) -> Tally {
    lab.real_servers().iter().map(|server| (server.name().to_owned(), 1)).collect()
}

/// All servers answer, for both families, by TCP and UDP.
fn all_servers_answer(lab: &Lab, config: &str) {
    lab.serve_tcp(&[80, 443]);
    lab.serve_udp(&[443]);
    lab.director().apply(config);
    let (count, client) = (lab.real_servers().len(), lab.client());
    for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
        let target = |port: u16| format!("{vip}:{port}");
        let tcp = client.tally(count, |client, _| client.tcp(source, &target(443)));
        assert_eq!(tcp, Ok(once(lab)), "tcp to {vip}");
        let udp = client.tally(count, |client, _| client.udp(source, &target(443)));
        assert_eq!(udp, Ok(once(lab)), "udp to {vip}");
        // The services of the group are one: port 80 goes on where 443 ended.
        let tcp = client.tally(count, |client, _| client.tcp(source, &target(80)));
        assert_eq!(tcp, Ok(once(lab)), "tcp to {vip}, port 80");
    }
    lab.director().in_sync(config).unwrap();
}

#[test]
fn nat_carries_both_families() {
    let lab = Lab::nat();
    all_servers_answer(&lab, &web(&lab, r#"forward = "nat""#));
}

#[test]
fn ipip_tunnels_carry_both_families() {
    let lab = Lab::tunnel();
    all_servers_answer(&lab, &web(&lab, r#"forward = "tun""#));
}

#[test]
fn gre_and_gue_tunnels_carry_requests() {
    let lab = Lab::tunnel();
    // In the place of IPIP, which these servers unpack by default.
    lab.rs(1)
        .namespace()
        .ip("link del tunnel4\nlink add unpack type gre external\nlink set unpack up");
    lab.rs(2).namespace().ip("fou add port 6080 gue");
    lab.serve_tcp(&[80]);
    let config = r#"
        [group.web]
        vips = ["172.18.100.7"]
        ports = ["80/tcp"]
        scheduler = "rr"

        [[group.web.real]]
        address = "10.20.0.11"
        forward = { type = "gre" }

        [[group.web.real]]
        address = "10.20.0.12"
        forward = { type = "gue", port = 6080 }
    "#;
    lab.director().apply(config);
    let tally = lab.client().tally(4, |client, _| client.tcp(CLIENT, "172.18.100.7:80"));
    assert_eq!(tally, Ok([("rs1".to_owned(), 2), ("rs2".to_owned(), 2)].into()));
    lab.director().in_sync(config).unwrap();
}

#[test]
fn a_tunnel_carries_ipv4_to_a_server_of_ipv6() {
    let lab = Lab::tunnel();
    lab.serve_tcp(&[80]);
    let config = format!(
        r#"
        [group.web]
        vips = ["172.18.100.7"]
        ports = ["80/tcp"]
        scheduler = "rr"
        forward = "tun"
        real = {}
        "#,
        list(&lab, &[RealServer::v6]),
    );
    lab.director().apply(&config);
    let tally = lab.client().tally(2, |client, _| client.tcp(CLIENT, "172.18.100.7:80"));
    assert_eq!(tally, Ok(once(&lab)));
    lab.director().in_sync(&config).unwrap();
}

#[test]
fn methods_mix_within_a_group() {
    let lab = Lab::of(&[Kind::Dr, Kind::Nat, Kind::Tunnel, Kind::Dr]);
    let entries: Vec<_> = lab
        .real_servers()
        .iter()
        .flat_map(|server| [(server.v4(), server.kind()), (server.v6(), server.kind())])
        .map(|(address, kind)| {
            let forward = match kind {
                Kind::Dr => "dr",
                Kind::Nat => "nat",
                Kind::Tunnel => "tun",
            };
            format!("{{ address = {address:?}, forward = {forward:?} }}")
        })
        .collect();
    let entries = entries.join(", ");
    let config = web(&lab, "").replace(
        &format!("real = {}", list(&lab, &[RealServer::v4, RealServer::v6])),
        &format!("real = [{entries}]"),
    );
    all_servers_answer(&lab, &config);
}

#[test]
fn nat_maps_a_port_and_keeps_the_clients_address() {
    let lab = Lab::nat();
    lab.serve_tcp(&[8080, 8443]);
    let config = r#"
        [group.plain]
        vips = ["172.18.100.7"]
        ports = ["80/tcp"]
        forward = "nat"
        scheduler = "rr"
        real = [{ address = "10.20.0.11", port = 8080 }, { address = "10.20.0.12", port = 8080 }]

        [group.secure]
        vips = ["172.18.100.7", "2001:db8:18:100::7"]
        ports = ["443/tcp"]
        forward = "nat"
        scheduler = "sh"

        [[group.secure.real]]
        address = "10.20.0.12"
        port = 8443

        [[group.secure.real]]
        address = "2001:db8:20::11"
        port = 8443
    "#;
    lab.director().apply(config);
    let plain = lab.client().tally(2, |client, _| client.tcp(CLIENT, "172.18.100.7:80"));
    assert_eq!(plain, Ok(once(&lab)));
    let (v4, v6) = (client_v4(3), client_v6(3));
    lab.requests();
    assert_eq!(the_one_server(lab.client(), &v4, &["172.18.100.7:443"; 2]), "rs2");
    assert_eq!(the_one_server(lab.client(), &v6, &["[2001:db8:18:100::7]:443"; 2]), "rs1");
    let seen: Vec<_> = lab
        .requests()
        .into_iter()
        .map(|request| (request.from.ip().to_string(), request.to.to_string()))
        .collect();
    let (to_v4, to_v6) = ((v4, "10.20.0.12:8443".into()), (v6, "[2001:db8:20::11]:8443".into()));
    assert_eq!(seen, [to_v4.clone(), to_v4, to_v6.clone(), to_v6]);
    // The ports behind the mapping are nobody's at the VIP.
    assert_eq!(lab.client().tcp(CLIENT, "172.18.100.7:8443"), Err(Failure::Refused));
}

const MARKED: &str = "table inet t {
    chain c {
        type filter hook prerouting priority mangle
        tcp dport 443 meta mark set 10
    }
}";

/// Why a mapped port and persistence do not go together (`ip_vs_sched_persist` takes the
/// server's port only for the very port of the service, and a mark's is 0).
#[test]
fn the_kernel_keeps_the_port_of_a_persistent_mark_whatever_the_server_says() {
    let lab = Lab::nat();
    lab.serve_tcp(&[8443]);
    lab.director().nft(MARKED);
    let ask = || lab.client().tcp(CLIENT, "172.18.100.7:443");
    lab.director().ipvsadm("-A -f 10 -s rr\n-a -f 10 -r 10.20.0.11:8443 -m\n");
    assert_eq!(ask(), Ok("rs1".to_owned()));
    lab.director().ipvsadm("-E -f 10 -s rr -p 300\n");
    assert_eq!(ask(), Err(Failure::Refused));
}
