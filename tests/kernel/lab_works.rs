//! The lab itself: each topology carries requests once IPVS is set up by hand,
//! and none before. When one of these fails, look here before anywhere else.

use rustix::process::Signal;

use crate::lab::{
    CLIENT, CLIENT_V6, Client, Failure, Kind, Lab, RealServer, Tally, client_v4, client_v6,
};

const MARKED: &str = "table inet t {
    chain c {
        type filter hook prerouting priority mangle
        fib daddr type local th dport { 80, 443 } meta l4proto { tcp, udp } meta mark set 1
    }
}";

const WEB: [&str; 2] = ["172.18.100.7:80", "[2001:db8:18:100::7]:443"];

fn evenly(names: &[&str], times: usize) -> Tally {
    names.iter().map(|name| ((*name).to_owned(), times)).collect()
}

/// Refused before, balanced after, for both families, TCP and UDP.
fn carries_requests(lab: &Lab) {
    let names: Vec<_> = lab.real_servers().iter().map(RealServer::name).collect();
    let client = lab.client();
    lab.serve_tcp(&[80, 443, 8080]);
    lab.serve_udp(&[80, 443]);
    for (source, target) in [CLIENT, CLIENT_V6].into_iter().zip(WEB) {
        assert_eq!(client.tcp(source, target), Err(Failure::Refused));
        assert_eq!(client.udp(source, target), Err(Failure::Refused));
    }

    lab.director().nft(MARKED);
    lab.director().balance(1, lab.real_servers());

    for (source, target) in [CLIENT, CLIENT_V6].into_iter().zip(WEB) {
        let twice = 2 * names.len();
        let tcp = client.tally(twice, |client, _| client.tcp(source, target));
        assert_eq!(tcp, Ok(evenly(&names, 2)), "tcp to {target}");
        let udp = client.tally(twice, |client, _| client.udp(source, target));
        assert_eq!(udp, Ok(evenly(&names, 2)), "udp to {target}");
    }
    // An unmarked port is the director's own, and it has no listener there.
    assert_eq!(client.tcp(CLIENT, "172.18.100.7:8080"), Err(Failure::Refused));
}

#[test]
fn direct_routing_carries_requests() {
    carries_requests(&Lab::dr());
}

#[test]
fn nat_carries_requests() {
    carries_requests(&Lab::nat());
}

#[test]
fn tunnels_carry_requests() {
    carries_requests(&Lab::tunnel());
}

#[test]
fn one_service_mixes_all_kinds() {
    carries_requests(&Lab::of(&[Kind::Dr, Kind::Nat, Kind::Tunnel, Kind::Dr]));
}

#[test]
fn servers_see_the_client_and_the_vip_or_their_own_address() {
    let lab = Lab::of(&[Kind::Dr, Kind::Nat]);
    lab.serve_tcp(&[80]);
    lab.director().nft(MARKED);
    lab.director().balance(1, lab.real_servers());

    let (first, second) = (client_v4(49), client_v6(19));
    let both = lab.client().tally(2, |client, _| client.tcp(first.as_str(), WEB[0]));
    assert_eq!(both, Ok(evenly(&["rs1", "rs2"], 1)));
    let both =
        lab.client().tally(2, |client, _| client.tcp(second.as_str(), "[2001:db8:18:100::7]:80"));
    assert_eq!(both, Ok(evenly(&["rs1", "rs2"], 1)));

    let mut seen: Vec<_> = lab
        .requests()
        .into_iter()
        .map(|request| (request.server, request.from.ip().to_string(), request.to.to_string()))
        .collect();
    seen.sort();
    let expected = [
        ("rs1", first.as_str(), "172.18.100.7:80"),
        ("rs1", second.as_str(), "[2001:db8:18:100::7]:80"),
        ("rs2", first.as_str(), "10.20.0.12:80"),
        ("rs2", second.as_str(), "[2001:db8:20::12]:80"),
    ];
    let seen: Vec<_> =
        seen.iter().map(|(name, from, to)| (name.as_str(), from.as_str(), to.as_str())).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_connection_stays_with_its_server() {
    let lab = Lab::nat();
    lab.serve_tcp(&[80]);
    lab.director().nft(MARKED);
    lab.director().balance(1, lab.real_servers());

    let mut connection = lab.client().connect(CLIENT, WEB[0]).unwrap();
    let server = connection.server.clone();
    for _ in 0..4 {
        assert_eq!(connection.ask(), Ok(server.clone()));
    }
    // Its way goes through the service: without one, the director resets it.
    lab.director().command("ipvsadm").arg("-C").ok();
    assert_eq!(connection.ask(), Err(Failure::Reset));
}

#[test]
fn the_director_answers_what_no_service_takes() {
    let lab = Lab::dr();
    lab.serve_tcp_on_director(&[80]);
    lab.director().nft(MARKED);
    assert_eq!(lab.client().tcp(CLIENT, WEB[0]), Ok("director".to_owned()));
    assert_eq!(Client::at(lab.director()).tcp(None, WEB[0]), Ok("director".to_owned()));
    assert_eq!(lab.director().nft_ruleset_json().len(), 3);
    assert_eq!(lab.director().ipvsadm_save(), "");
}

#[test]
fn run_directories_of_two_labs_do_not_meet() {
    let labs = [Lab::dr(), Lab::dr()];
    labs[0].director().run(|| std::fs::write("/run/lock-of-a-lab", "").unwrap());
    let there = |lab: &Lab| lab.director().run(|| std::fs::exists("/run/lock-of-a-lab").unwrap());
    assert_eq!(labs.each_ref().map(there), [true, false]);
    assert!(!std::fs::exists("/run/lock-of-a-lab").unwrap());
}

#[test]
fn a_program_beside_the_test_can_be_ended() {
    let lab = Lab::dr();
    let monitor = lab.director().command("nft").arg("monitor").spawn();
    monitor.signal(Signal::TERM);
    assert_eq!(monitor.wait().code, None);
    let echoed = lab.director().command("cat").stdin("a line").run();
    assert_eq!((echoed.code, echoed.stdout.as_str()), (Some(0), "a line"));
}
