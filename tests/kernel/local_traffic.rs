//! Clients on the director itself.

use std::time::Duration;

use crate::lab::{CLIENT, Client, Failure, Kind, Lab, Marks, RealServer, client_v4};
use crate::scene::{Fwmarkctl, list, servers};

const HTTP: &str = "172.18.100.7:80";
const HTTP6: &str = "[2001:db8:18:100::7]:80";
/// Where the director itself has no address (see [`lab`]).
const AWAY: [&str; 2] = ["172.18.100.8:80", "[2001:db8:18:100::8]:80"];

fn web(lab: &Lab, forward: &str, mark: u32, local: bool) -> String {
    format!(
        r#"
        [director]
        local-traffic = {local}

        [group.web]
        vips = ["172.18.100.7", "2001:db8:18:100::7", "172.18.100.8", "2001:db8:18:100::8"]
        ports = ["80/tcp", "80/udp"]
        mark = {mark}
        scheduler = "rr"
        forward = "{forward}"
        real = {}
        "#,
        list(lab, &[RealServer::v4, RealServer::v6]),
    )
}

/// The second VIPs are the director's no more, so that what it sends there goes out.
fn lab(kind: Kind) -> Lab {
    let lab = Lab::of(&[kind; 2]);
    lab.serve_tcp(&[80]);
    lab.serve_udp(&[80]);
    lab.director()
        .ip("addr del 172.18.100.8/32 dev front\naddr del 2001:db8:18:100::8/128 dev front\n");
    lab
}

/// Both servers answer the director itself at these addresses.
fn is_served(lab: &Lab, targets: &[&str]) {
    let own = Client::at(lab.director().namespace());
    for target in targets {
        let mut names = servers(2, |_| own.tcp(None, target));
        names.sort();
        assert_eq!(names, ["rs1", "rs2"], "{target}");
        assert!(own.udp(None, target).is_ok(), "udp to {target}");
    }
}

/// The director itself gets no answer from the VIPs that are not its own.
fn is_not_served(lab: &Lab) {
    let own = Client::at(lab.director().namespace()).patience(Duration::from_secs(1));
    for target in AWAY {
        assert!(own.tcp(None, target).is_err(), "{target}");
    }
}

#[test]
fn the_director_itself_is_served_by_nat_when_it_asks_for_it() {
    let lab = lab(Kind::Nat);
    let director = lab.director();
    let without = web(&lab, "nat", 10, false);
    director.apply(&without);
    is_not_served(&lab);
    // What it sends to itself comes in again by lo, and is marked as what arrives.
    is_served(&lab, &[HTTP, HTTP6]);
    assert!(!director.marks_its_own_traffic());

    let with = web(&lab, "nat", 10, true);
    let told = director.apply(&with);
    assert!(told.contains("+ mark rule    chain output"), "{told}");
    assert!(told.contains("1 to add, 0 to change, 0 to remove"), "{told}");
    is_served(&lab, &AWAY);
    is_served(&lab, &[HTTP, HTTP6]);
    assert!(lab.client().tcp(CLIENT, HTTP).is_ok(), "others are served too");
    director.in_sync(&with).unwrap();
    assert!(director.apply(&with).contains("In sync"));

    director.unhook_own_traffic();
    let plan = director.in_sync(&with).unwrap_err();
    let hook = match Marks::of_this_run() {
        Marks::Nftables => "the chain output has no rules",
        Marks::Iptables { .. } => "+ mark rule    chain output",
    };
    assert!(plan.contains(hook), "{plan}");
    director.apply(&with);
    is_served(&lab, &AWAY);

    director.fwmarkctl(&["rollback"]).ok();
    assert!(!director.marks_its_own_traffic());
    is_not_served(&lab);
    director.in_sync(&without).unwrap();
}

#[test]
fn the_director_itself_is_served_by_full_nat_without_a_way_back() {
    let lab = lab(Kind::Nat);
    for server in lab.real_servers() {
        server.namespace().ip("route del default\nroute del ::/0\n");
    }
    lab.director().apply(&web(&lab, "fullnat", 10, true));
    is_served(&lab, &[AWAY[0], AWAY[1], HTTP, HTTP6]);
}

/// What `check` warns of: the answer has the VIP as source, and is taken from nobody where
/// that is an address of one's own.
#[test]
fn by_direct_routing_it_is_answered_where_the_vip_is_not_its_own() {
    let lab = lab(Kind::Dr);
    let config = web(&lab, "dr", 10, true);
    let ended = lab.director().with(&["apply"], &config).run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("warning[W0104]"), "{ended:?}");
    is_served(&lab, &AWAY);
    let own = Client::at(lab.director().namespace()).patience(Duration::from_secs(1));
    assert_eq!(own.tcp(None, HTTP), Err(Failure::Timeout));
    assert!(lab.client().tcp(CLIENT, HTTP).is_ok());
}

/// IPVS sends what it forwards through the same hook, where it passes as it is. Here a rule
/// of somebody else gave it another mark meanwhile: marked again, it would go by the route
/// of the VIP, and come to the director itself.
#[test]
fn forwarded_packets_keep_the_mark_that_they_have() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    let director = lab.director();
    director.apply(&web(&lab, "dr", 10, true));
    director.nft(
        "table ip others { chain prerouting { type filter hook prerouting priority -140;\n\
         ip daddr 172.18.100.7 meta mark set 12; }; }",
    );
    let server = &lab.real_servers()[0].v4();
    director.ipvsadm(&format!("-A -f 12 -s rr\n-a -f 12 -r {server}:0 -g\n"));
    assert!(lab.client().tcp(client_v4(7).as_str(), HTTP).is_ok());
}

/// Two groups change their VIPs and keep their marks: no service goes, and no connection
/// with it.
#[test]
fn forwarded_packets_keep_their_way_while_the_marks_switch() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    let director = lab.director();
    let vips =
        [r#""172.18.100.7", "2001:db8:18:100::7""#, r#""172.18.100.8", "2001:db8:18:100::8""#];
    let real = list(&lab, &[RealServer::v4, RealServer::v6]);
    let marks_swapped = |swapped: bool| {
        let group = |mark: u32, place: usize| {
            format!(
                r#"
                [group.of-mark-{mark}]
                vips = [{}]
                ports = ["80/tcp"]
                mark = {mark}
                forward = "dr"
                real = {real}
                "#,
                vips[place],
            )
        };
        let [first, second] = if swapped { [1, 0] } else { [0, 1] };
        format!("[director]\nlocal-traffic = true\n{}{}", group(10, first), group(11, second))
    };
    director.apply(&marks_swapped(false));
    lab.beside_rush(&[HTTP, HTTP6], |traffic| {
        for swapped in [true, false, true, false] {
            director.apply(&marks_swapped(swapped));
            traffic.each_answers(3, |_| true);
        }
        let seen = traffic.seen(|_| true);
        assert_eq!(seen.failures, []);
    });
    assert!(lab.client().tcp(client_v4(7).as_str(), HTTP).is_ok());
}
