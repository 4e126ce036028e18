//! Real servers that nobody has prepared but `fwmarkctl realserver up`: they serve, and
//! keep silent about the VIPs.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::lab::{CLIENT, CLIENT_V6, Failure, Kind, Lab, Namespace, RealServer};
use crate::scene::{Fwmarkctl, list};

const VIP: &str = "172.18.100.7";
const VIP_V6: &str = "2001:db8:18:100::7";

/// A group of both families with all of the lab's servers, which says what the director
/// does and what the servers need.
fn web(lab: &Lab, forward: &str) -> String {
    format!(
        r#"
        [group.web]
        vips = ["{VIP}", "{VIP_V6}"]
        ports = ["80/tcp"]
        mark = 10
        scheduler = "rr"
        forward = "{forward}"
        real = {}
        "#,
        list(lab, &[RealServer::v4, RealServer::v6]),
    )
}

/// `fwmarkctl realserver up` on every server, with the director's own configuration.
fn prepare(lab: &Lab, config: &str) {
    for server in lab.real_servers() {
        let up = server.fwmarkctl(&["-c", "-", "-o", "json", "realserver", "up"]);
        let document: serde_json::Value = serde_json::from_str(&up.stdin(config).ok()).unwrap();
        assert_eq!(document["chosen"], "by-address", "{document:#}");
    }
}

/// Every server answers its share, for both families, and one after the other.
fn all_servers_answer(lab: &Lab) {
    let (count, client) = (lab.real_servers().len(), lab.client());
    for (source, target) in [(CLIENT, format!("{VIP}:80")), (CLIENT_V6, format!("[{VIP_V6}]:80"))] {
        let tally = client.tally(2 * count, |client, _| client.tcp(source, &target)).unwrap();
        assert_eq!(tally.len(), count, "{target}: {tally:?}");
        assert!(tally.values().all(|times| *times == 2), "{target}: {tally:?}");
    }
}

fn mac(machine: &Namespace) -> String {
    let line = machine.command("ip").args(["-br", "link", "show", "front"]).ok();
    let mac = line.split_whitespace().find(|word| word.matches(':').count() == 5);
    mac.unwrap_or_else(|| panic!("no MAC in {line}")).to_owned()
}

/// Everybody who answers the clients' question by ARP who has the VIP; each time all are
/// asked.
fn who_has_the_vip(lab: &Lab) -> BTreeSet<String> {
    let arping = ["arping", "-b", "-c", "5", "-w", "5", "-I", "front", VIP];
    let ended = lab.client().namespace().command("busybox").args(arping).run();
    let answers = ended.stdout.lines().filter_map(|line| {
        let (_, rest) = line.split_once('[')?;
        let (mac, _) = rest.split_once(']')?;
        // "2:a:…" is what others write as "02:0a:…".
        Some(mac.split(':').map(|byte| format!("{byte:0>2}")).collect::<Vec<_>>().join(":"))
    });
    answers.collect()
}

/// Makes the director the slower one to answer, so that whoever else does is first.
fn slow_down_the_director(lab: &Lab) {
    let qdisc = ["qdisc", "add", "dev", "front", "root", "netem", "delay", "50ms"];
    lab.director().command("tc").args(qdisc).ok();
}

/// The MAC that a client without any knowledge of it finds for a VIP, and who then
/// answers on port 80.
fn a_fresh_client(lab: &Lab, vip: &str) -> (String, Result<String, Failure>) {
    let machine = lab.client().namespace();
    machine.command("ip").args(["neigh", "flush", "to", vip, "dev", "front"]).ok();
    let target = if vip.contains(':') { format!("[{vip}]:80") } else { format!("{vip}:80") };
    let answer = lab.client().tcp(None, &target);
    let entry = machine.command("ip").args(["neigh", "show", vip, "dev", "front"]).ok();
    let mac = entry.split_whitespace().skip_while(|word| *word != "lladdr").nth(1);
    (mac.unwrap_or_else(|| panic!("no neighbour in {entry:?}")).to_owned(), answer)
}

#[test]
fn direct_routing_needs_nothing_else() {
    let lab = Lab::bare(&[Kind::Dr; 2]);
    lab.serve_tcp(&[80]);
    let config = web(&lab, "dr");
    lab.director().apply(&config);
    prepare(&lab, &config);
    all_servers_answer(&lab);
    for server in lab.real_servers() {
        let status = ["-c", "-", "realserver", "status", "--check"];
        let said = server.fwmarkctl(&status).stdin(&config).ok();
        assert!(said.contains("Ready."), "{said}");
    }
}

#[test]
fn only_the_director_is_found_for_the_vip() {
    let lab = Lab::bare(&[Kind::Dr; 2]);
    lab.serve_tcp(&[80]);
    let config = web(&lab, "dr");
    prepare(&lab, &config);
    let director = mac(lab.director().namespace());
    assert_eq!(who_has_the_vip(&lab), BTreeSet::from([director.clone()]));
    slow_down_the_director(&lab);
    for _ in 0..5 {
        for vip in [VIP, VIP_V6] {
            // No group is applied: the director refuses, and no server is asked.
            let found = a_fresh_client(&lab, vip);
            assert_eq!(found, (director.clone(), Err(Failure::Refused)), "{vip}");
        }
    }
}

/// What the parameters are for: with the address alone, the network learns that the VIP
/// is at the real server, and clients go around the director.
#[test]
fn without_the_parameters_the_vip_flaps() {
    let lab = Lab::bare(&[Kind::Dr]);
    lab.serve_tcp(&[80]);
    let server = lab.rs(1).namespace();
    server.ip(&format!("addr add {VIP}/32 dev lo\n"));
    let (director, other) = (mac(lab.director().namespace()), mac(server));
    assert_eq!(who_has_the_vip(&lab), BTreeSet::from([director.clone(), other.clone()]));
    slow_down_the_director(&lab);
    assert_eq!(a_fresh_client(&lab, VIP), (other, Ok("rs1".to_owned())));
    // It is mended while it is there: somebody else's address, silent from now on.
    lab.rs(1).fwmarkctl(&["realserver", "up", "--vip", VIP]).ok();
    assert_eq!(who_has_the_vip(&lab), BTreeSet::from([director.clone()]));
    assert_eq!(a_fresh_client(&lab, VIP), (director, Err(Failure::Refused)));
}

#[test]
fn a_prefix_is_served_and_nobody_is_told_of_it() {
    let lab = Lab::bare(&[Kind::Dr; 2]);
    lab.serve_tcp(&[80]);
    // The director's VIPs are in it, and nobody else's address.
    let config = r#"
        [group.web]
        vips = ["172.18.100.4/30"]
        ports = ["80/tcp"]
        scheduler = "rr"
        real = ["172.18.100.11", "172.18.100.12"]
    "#;
    lab.director().apply(config);
    for server in lab.real_servers() {
        server.fwmarkctl(&["-c", "-", "realserver", "up"]).stdin(config).ok();
    }
    let director = mac(lab.director().namespace());
    assert_eq!(who_has_the_vip(&lab), BTreeSet::from([director]));
    let tally = lab.client().tally(4, |client, _| client.tcp(CLIENT, &format!("{VIP}:80")));
    assert_eq!(tally, Ok([("rs1".to_owned(), 2), ("rs2".to_owned(), 2)].into()));
}

/// By the fallback devices, past a strict filter of the way back.
#[test]
fn tunnels_need_nothing_else() {
    let lab = Lab::bare(&[Kind::Tunnel; 2]);
    lab.serve_tcp(&[80]);
    let config = web(&lab, "tun");
    lab.director().apply(&config);
    let state = |server: &RealServer| {
        let links = ["-o", "addr", "show"];
        let names = ["all.rp_filter", "tunl0.rp_filter", "all.arp_ignore", "lo.arp_announce"];
        let values =
            names.map(|name| server.namespace().sysctl_value(&format!("net.ipv4.conf.{name}")));
        server.namespace().command("ip").args(links).ok() + &values.join(" ")
    };
    for server in lab.real_servers() {
        server.namespace().sysctl("net.ipv4.conf.all.rp_filter", "1");
    }
    let before: Vec<_> = lab.real_servers().iter().map(state).collect();
    prepare(&lab, &config);
    all_servers_answer(&lab);
    assert_eq!(who_has_the_vip(&lab), BTreeSet::from([mac(lab.director().namespace())]));
    let server = lab.rs(1);
    let up = server.fwmarkctl(&["-c", "-", "realserver", "up"]).stdin(&config).ok();
    assert!(up.contains("nothing to do"), "{up}");
    // The filter counts: as the kernel has the device, strict like all others.
    server.namespace().sysctl("net.ipv4.conf.tunl0.rp_filter", "0");
    let status = ["-c", "-", "realserver", "status", "--check"];
    let ended = server.fwmarkctl(&status).stdin(&config).run();
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    server.fwmarkctl(&["-c", "-", "realserver", "up"]).stdin(&config).ok();
    all_servers_answer(&lab);
    for server in lab.real_servers() {
        server.fwmarkctl(&["realserver", "down"]).ok();
    }
    let after: Vec<_> = lab.real_servers().iter().map(state).collect();
    assert_eq!(after, before);
}

/// Where the kernel gives a namespace no fallback devices (it is asked to with
/// `fb_tunnels_only_for_init_net`), they are made, and go again.
#[test]
fn devices_that_are_missing_are_made() {
    let fallback = |value: &str| {
        std::fs::write("/proc/sys/net/core/fb_tunnels_only_for_init_net", value).unwrap();
    };
    fallback("1");
    let lab = Lab::bare(&[Kind::Tunnel]);
    fallback("0");
    let links = || lab.rs(1).namespace().command("ip").args(["-o", "addr", "show"]).ok();
    let before = links();
    assert!(!before.contains("tunl0"), "{before}");
    lab.serve_tcp(&[80]);
    let config = web(&lab, "tun");
    lab.director().apply(&config);
    prepare(&lab, &config);
    all_servers_answer(&lab);
    lab.rs(1).fwmarkctl(&["realserver", "down"]).ok();
    assert_eq!(links(), before);
}

/// A loose filter lets nothing in by a device that has no address at all.
#[test]
fn a_prefix_is_served_through_a_tunnel() {
    let lab = Lab::bare(&[Kind::Tunnel]);
    lab.serve_tcp(&[80]);
    lab.rs(1).namespace().sysctl("net.ipv4.conf.all.rp_filter", "1");
    let config = r#"
        [group.web]
        vips = ["172.18.100.4/30"]
        ports = ["80/tcp"]
        real = [{ address = "10.20.0.11", forward = "tun" }]
    "#;
    lab.director().apply(config);
    lab.rs(1).fwmarkctl(&["-c", "-", "realserver", "up"]).stdin(config).ok();
    let ask = |patience| lab.client().patience(patience).tcp(CLIENT, &format!("{VIP}:80"));
    assert_eq!(ask(Duration::from_secs(5)), Ok("rs1".to_owned()));
    lab.rs(1).namespace().ip("addr del 172.18.100.4/32 dev tunl0");
    assert_eq!(ask(Duration::from_secs(2)), Err(Failure::Timeout));
}

#[test]
fn the_way_back_through_the_director_is_checked() {
    let lab = Lab::nat();
    let server = lab.rs(1);
    let check = |director: &str| {
        let status = ["realserver", "status", "--check", "--method", "nat", "--director"];
        server.fwmarkctl(&status).args([director]).run()
    };
    for director in ["10.20.0.1", "2001:db8:20::1"] {
        assert_eq!(check(director).code, Some(0), "{director}");
    }
    let wrong = check("10.20.0.2");
    assert_eq!(wrong.code, Some(3));
    assert!(wrong.stdout.contains("ip route replace default via 10.20.0.2"), "{}", wrong.stdout);
    server.namespace().ip("route del default");
    let up = ["realserver", "up", "--method", "nat", "--director", "10.20.0.1"];
    let failed = server.fwmarkctl(&up).run();
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("the default route is none"), "{}", failed.stderr);
}
