//! What a director needs beside marks and services: it is part of the plan, comes with the
//! transaction, and goes with it.

use std::time::Duration;

use crate::lab::{CLIENT, CLIENT_V6, Director, Kind, Lab, RealServer};
use crate::scene::{Fwmarkctl, list, the_one_server};

/// One group by NAT.
const NAT: &str = r#"
    [group.web]
    vips    = ["172.18.100.7", "2001:db8:18:100::7"]
    ports   = ["80/tcp"]
    mark    = 10
    forward = "nat"
    real    = ["10.20.0.11", "2001:db8:20::11"]
"#;

/// The same by direct routing, which needs nothing.
const DR: &str = r#"
    [group.web]
    vips  = ["172.18.100.7"]
    ports = ["80/tcp"]
    mark  = 10
    real  = ["172.18.100.11"]
"#;

/// IPVS's timeouts for TCP, TCP after a FIN, and UDP.
fn timeouts(director: &Director) -> Vec<u32> {
    let text = director.command("ipvsadm").args(["-L", "--timeout"]).ok();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn daemons(director: &Director) -> String {
    director.command("ipvsadm").args(["-L", "--daemon"]).ok()
}

/// The rules and the routes beside those of every machine.
fn routing(machine: &crate::lab::Namespace) -> String {
    ["-4", "-6"]
        .map(|family| {
            let show = |what: &[&str]| machine.command("ip").arg(family).args(what).ok();
            show(&["rule"]) + &show(&["route", "show", "table", "all"])
        })
        .concat()
}

#[test]
fn forwarding_is_part_of_the_plan_and_goes_back_with_the_group() {
    let director = Director::alone();
    let value = |name: &str| director.sysctl_value(name);
    let both = || [value("net.ipv4.ip_forward"), value("net.ipv6.conf.all.forwarding")];
    let before = both();
    assert_eq!(before, ["0", "0"]);
    // The kernel changes it together with forwarding.
    let redirects = || value("net.ipv4.conf.all.accept_redirects");
    director.sysctl("net.ipv4.conf.all.accept_redirects", "0");
    let (_, plan) = director.json(&["plan"], NAT);
    let line = &plan["changes"][0];
    assert_eq!(
        [
            &line["phase"],
            &line["action"],
            &line["object"],
            &line["key"],
            &line["before"],
            &line["after"]
        ],
        ["stage", "change", "sysctl", "net.ipv4.ip_forward", "0", "1"],
        "{plan}"
    );
    assert_eq!(both(), before, "a plan writes nothing");

    director.apply(NAT);
    assert_eq!(both(), ["1", "1"]);
    director.in_sync(NAT).unwrap();
    let status = director.with(&["status"], NAT).ok();
    assert!(status.contains("sysctl net.ipv4.ip_forward  1  (was 0)"), "{status}");
    // Somebody switches it off: drift like any other.
    director.sysctl("net.ipv4.ip_forward", "0");
    director.sysctl("net.ipv4.conf.all.accept_redirects", "0");
    assert!(director.in_sync(NAT).is_err());
    director.apply(NAT);
    assert_eq!(both(), ["1", "1"]);
    // Without the group it is as it was before, by an apply, a rollback and a clear.
    director.apply(DR);
    assert_eq!(both(), before);
    director.fwmarkctl(&["rollback"]).ok();
    assert_eq!(both(), ["1", "1"]);
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(both(), before);
    assert_eq!(redirects(), "0");
}

/// A parameter goes with its device, and does not stand in the way.
#[test]
fn a_parameter_of_a_device_that_is_gone_is_forgotten() {
    let director = Director::alone();
    let named = format!("[director.sysctl]\n\"net.ipv4.conf.eth9.rp_filter\" = 2\n{DR}");
    for end in [&["apply"][..], &["clear", "--yes"]] {
        director.ip("link add eth9 type veth peer name eth8");
        director.apply(&named);
        assert_eq!(director.sysctl_value("net.ipv4.conf.eth9.rp_filter"), "2");
        director.ip("link del eth9");
        let again = director.with(&["apply"], &named).run();
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(again.stderr.contains("no such parameter"), "{}", again.stderr);
        director.with(end, DR).ok();
    }
    assert_eq!(director.ruleset(), "");
}

#[test]
fn what_serves_already_is_left_alone_for_ever() {
    let director = Director::alone();
    director.sysctl("net.ipv4.ip_forward", "1");
    director.sysctl("net.ipv6.conf.all.forwarding", "1");
    let (_, plan) = director.json(&["plan"], NAT);
    let changes = plan["changes"].as_array().unwrap();
    assert!(changes.iter().all(|line| line["object"] != "sysctl"), "{plan}");
    director.apply(NAT);
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(director.sysctl_value("net.ipv4.ip_forward"), "1");
    // Who changes it after the apply has changed it: clear does not turn it round.
    director.apply(NAT);
    director.sysctl("net.ipv4.ip_forward", "0");
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(director.sysctl_value("net.ipv4.ip_forward"), "0");
}

#[test]
fn parameters_and_timeouts_that_are_named_are_set_and_come_back() {
    let director = Director::alone();
    director.apply(DR);
    let named = format!(
        "[director.sysctl]\nvs.sloppy_tcp = 1\n\"net.ipv4.vs.conn_reuse_mode\" = 3\n\
         vs.sync_threshold = \"5 60\"\n\
         [director.timeouts]\ntcp = \"20m\"\nudp = 60\n{DR}"
    );
    let vs = |name: &str| director.sysctl_value(&format!("net.ipv4.vs.{name}"));
    let all =
        || (vs("sloppy_tcp"), vs("conn_reuse_mode"), vs("sync_threshold"), timeouts(&director));
    let before = all();
    let plan = director.with(&["plan"], &named).ok();
    for line in ["~ timeout      tcp ", "~ sysctl       net.ipv4.vs.sloppy_tcp "] {
        assert!(plan.contains(line), "{plan}");
    }
    director.apply(&named);
    assert_eq!((vs("sloppy_tcp").as_str(), vs("conn_reuse_mode").as_str()), ("1", "3"));
    assert_eq!(vs("sync_threshold").split_whitespace().collect::<Vec<_>>(), ["5", "60"]);
    assert_eq!(timeouts(&director), [1200, before.3[1], 60]);
    director.in_sync(&named).unwrap();
    // Somebody sets another timeout.
    director.command("ipvsadm").args(["--set", "100", "0", "0"]).ok();
    assert!(director.in_sync(&named).is_err());
    director.apply(&named);
    assert_eq!(timeouts(&director)[0], 1200);
    director.fwmarkctl(&["rollback"]).ok();
    assert_eq!(all(), before);
}

#[test]
fn a_parameter_that_the_kernel_lacks_leaves_all_as_it_was() {
    let director = Director::alone();
    director.apply(DR);
    let before = director.dump();
    let wrong = format!(
        "[director.sysctl]\nip_forward = 1\n\"net.ipv4.vs.tomorrow\" = 1\n[director.timeouts]\ntcp = 60\n{NAT}"
    );
    let timeout = timeouts(&director);
    let ended = director.with(&["apply"], &wrong).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for words in [
        "set sysctl net.ipv4.vs.tomorrow to 1",
        "no such parameter",
        "the state from before stands",
        "sysctl -a",
    ] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
    assert_eq!(director.sysctl_value("net.ipv4.ip_forward"), "0");
    assert_eq!((director.dump(), timeouts(&director)), (before, timeout));
    director.in_sync(DR).unwrap();
}

/// VIPs that are no address of the director: by each method, explicit and automatic marks,
/// both families.
#[test]
fn vips_that_are_only_routed_are_served() {
    let lab = Lab::of(&[Kind::Dr, Kind::Nat, Kind::Tunnel]);
    lab.serve_tcp(&[80, 443]);
    let director = lab.director();
    director.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front\n\
         rule add fwmark 0x99 lookup 99\nroute add local 192.0.2.0/24 dev lo table 99");
    // Clients get there by a route, as through a router.
    lab.client().namespace().ip("route add 172.18.100.7/32 via 172.18.100.1\n\
         route add 2001:db8:18:100::7/128 via 2001:db8:18:100::1");
    let foreign = routing(director);
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
    let config = |place: &str, mark: &str| {
        format!(
            "[director]\n{place}\n[group.web]\nvips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\n\
             ports = [\"80/tcp\"]\n{mark}\nscheduler = \"rr\"\nreal = [{entries}]\n"
        )
    };
    let client = || lab.client();
    let silent = client().patience(Duration::from_millis(300));
    director.apply(&config("", ""));
    assert!(silent.tcp(CLIENT, "172.18.100.7:80").is_err(), "it is nobody's");
    for mark in ["", "mark = 10"] {
        let routed = config("vips = \"route\"", mark);
        director.apply(&routed);
        director.in_sync(&routed).unwrap();
        for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
            let target = format!("{vip}:80");
            let tally = client().tally(3, |client, _| client.tcp(source, &target)).unwrap();
            assert_eq!(tally.len(), 3, "{vip} {mark}: {tally:?}");
        }
    }
    let rules = director.command("ip").arg("rule").ok();
    assert!(rules.contains("456:\tfrom all fwmark 0xa lookup 19542"), "{rules}");
    // Somebody removes the rule: drift, and mended.
    director.ip("rule del priority 456");
    let routed = config("vips = \"route\"", "mark = 10");
    assert!(director.in_sync(&routed).is_err());
    director.apply(&routed);
    assert!(client().tcp(CLIENT, "172.18.100.7:80").is_ok());
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(routing(director), foreign);
}

/// A datagram in several fragments reaches its server where the VIP is no local address:
/// without tracking connections.
#[test]
fn fragments_to_a_routed_vip_are_put_together() {
    let lab = Lab::dr();
    lab.serve_udp(&[5353]);
    let director = lab.director();
    director.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front");
    lab.client().namespace().ip("route add 172.18.100.7/32 via 172.18.100.1\n\
         route add 2001:db8:18:100::7/128 via 2001:db8:18:100::1");
    let config = format!(
        "[director]\nvips = \"route\"\n[group.web]\n\
         vips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\nports = [\"5353/udp\"]\nreal = {}\n",
        list(&lab, &[RealServer::v4, RealServer::v6])
    );
    director.apply(&config);
    director.in_sync(&config).unwrap();
    let tracked = "/proc/sys/net/netfilter/nf_conntrack_count";
    let count = || director.run(|| std::fs::read_to_string(tracked).unwrap_or_default());
    for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
        let target = format!("{vip}:5353");
        let client = lab.client();
        assert!(client.udp(source, &target).is_ok(), "{vip}");
        assert!(client.udp_of(source, &target, 4000).is_ok(), "{vip}, in fragments");
    }
    // Without the chain only what fits into one packet gets there.
    let target = "172.18.100.7:5353";
    director.scatter_fragments();
    let hasty = lab.client().patience(Duration::from_millis(500));
    assert!(hasty.udp_of(CLIENT, target, 4000).is_err());
    assert!(hasty.udp(CLIENT, target).is_ok());
    assert!(director.in_sync(&config).is_err());
    director.apply(&config);
    assert!(lab.client().udp_of(CLIENT, target, 4000).is_ok());
    assert!(["", "0\n"].contains(&count().as_str()), "{} connections are tracked", count());
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(director.ruleset(), "");
}

#[test]
fn vips_are_bound_to_an_interface_and_leave_it() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    let director = lab.director();
    director.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front");
    let addresses = || director.command("ip").args(["-o", "addr", "show", "dev", "front"]).ok();
    let before = addresses();
    let config = |interface: &str| {
        format!(
            "[director]\nvips = \"bind\"\ninterface = {interface:?}\n[group.web]\n\
             vips = [\"172.18.100.7\", \"2001:db8:18:100::7\", \"172.18.100.8\"]\nports = [\"80/tcp\"]\n\
             scheduler = \"rr\"\nreal = {}\n",
            list(&lab, &[RealServer::v4, RealServer::v6])
        )
    };
    let ended = director.with(&["apply"], &config("front9")).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("there is no device front9"), "{}", ended.stderr);
    assert_eq!((addresses(), director.ruleset().as_str()), (before.clone(), ""));

    let front = config("front");
    director.apply(&front);
    director.in_sync(&front).unwrap();
    for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
        let target = format!("{vip}:80");
        let tally = lab.client().tally(4, |client, _| client.tcp(source, &target)).unwrap();
        assert_eq!(tally.values().copied().collect::<Vec<_>>(), [2, 2], "{vip}");
    }
    // Never the source of what the director itself sends.
    let bound = addresses();
    let vip = bound.lines().find(|line| line.contains("2001:db8:18:100::7/128")).unwrap();
    assert!(vip.contains("deprecated"), "{vip}");
    director.fwmarkctl(&["clear", "--yes"]).ok();
    // The one that somebody else had brought stays.
    assert_eq!(addresses(), before);
}

/// Without the parameter a known client returns to a server that drains; with it, its next
/// connection goes elsewhere.
#[test]
fn a_persistent_server_of_weight_0_drains() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    let director = lab.director();
    let group = |first: u32, second: u32| {
        format!(
            "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nmark = 10\n\
             scheduler = \"wrr\"\npersistence = \"pfwmc\"\n\
             real = [{{ address = \"172.18.100.11\", weight = {first} }}, \
             {{ address = \"172.18.100.12\", weight = {second} }}]\n"
        )
    };
    let quiescent = || director.sysctl_value("net.ipv4.vs.expire_quiescent_template");
    director.apply(&group(1, 1));
    assert_eq!(quiescent(), "0");
    let target = ["172.18.100.7:80"; 3];
    let known = the_one_server(lab.client(), CLIENT, &target);
    let (drained, other) = if known == "rs1" { (group(0, 1), "rs2") } else { (group(1, 0), "rs1") };
    director.apply(&drained);
    assert_eq!(quiescent(), "1");
    assert_eq!(the_one_server(lab.client(), CLIENT, &target), other);
    director.apply(&group(1, 1));
    assert_eq!(quiescent(), "0");
}

const SYNC: &str = "[director.sync]\nrole = \"both\"\ninterface = \"back\"\nid = 7\n";

#[test]
fn synchronisation_is_part_of_the_plan_and_of_the_way_back() {
    let lab = Lab::dr();
    let director = lab.director();
    director.apply(DR);
    let with = format!("{SYNC}{DR}");
    let (_, plan) = director.json(&["plan"], &with);
    let lines = plan["changes"].as_array().unwrap();
    assert!(lines.iter().all(|line| line["object"] == "sync-daemon" && line["phase"] == "retire"));
    director.apply(&with);
    director.in_sync(&with).unwrap();
    let running = daemons(director);
    for words in ["master sync daemon", "backup sync daemon", "mcast=back", "syncid=7"] {
        assert!(running.contains(words), "{running}");
    }
    let status = director.with(&["status"], &with).ok();
    assert!(
        status.contains("sync daemon master  interface back id 7 group 224.0.0.81"),
        "{status}"
    );
    // Somebody stops one: drift, and mended.
    director.command("ipvsadm").args(["--stop-daemon", "backup"]).ok();
    assert!(director.in_sync(&with).is_err());
    director.apply(&with);
    assert_eq!(daemons(director), running);
    // Another number is another daemon.
    let other = with.replace("id = 7", "id = 8\nmaxlen = 1100");
    director.apply(&other);
    let changed = daemons(director);
    assert!(changed.contains("syncid=8") && changed.contains("maxlen=1100"), "{changed}");
    director.fwmarkctl(&["rollback"]).ok();
    assert_eq!(daemons(director), running);
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!(daemons(director), "");
    // A device that is not there.
    let ended = director.with(&["apply"], &with.replace("back", "back9")).run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("there is no device back9"), "{}", ended.stderr);
}

/// Two directors: what the first knows, the second goes on with.
#[test]
fn connections_and_persistence_survive_the_failover() {
    let lab = Lab::of(&[Kind::Dr, Kind::Dr, Kind::Dr]);
    lab.serve_tcp(&[80]);
    let second = lab.second_director();
    let first = lab.director();
    let group = format!(
        "[group.web]\nvips = [\"172.18.100.7\"]\n\
         ports = [\"80/tcp\"]\nmark = 10\nscheduler = \"rr\"\npersistence = \"pfwmc\"\nreal = {}\n",
        list(&lab, &[RealServer::v4])
    );
    let role = |role: &str| format!("{}{group}", SYNC.replace("both", role));
    second.apply(&role("backup"));
    first.apply(&role("master"));
    // The third client of a round: nobody gets there by beginning anew.
    let clients: Vec<_> = (0..3).map(crate::lab::client_v4).collect();
    let mut open: Vec<_> = clients
        .iter()
        .map(|client| lab.client().connect(client.as_str(), "172.18.100.7:80").unwrap())
        .collect();
    let before: Vec<_> = open.iter().map(|connection| connection.server.clone()).collect();
    // A connection is told of with its third packet (`sync_threshold`).
    for connection in &mut open {
        for _ in 0..3 {
            connection.ask().unwrap();
        }
    }
    let entries =
        || second.run(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs_conn").unwrap());
    crate::scene::until("the second director knows all", || {
        let table = entries();
        // Three connections and three templates.
        table.lines().count() == 7 && table.matches("ESTABLISHED").count() == 3
    });
    lab.fail_over(&second);
    for (connection, server) in open.iter_mut().zip(&before) {
        assert_eq!(connection.ask().as_ref(), Ok(server), "a connection goes on");
    }
    for (client, server) in clients.iter().zip(&before).rev() {
        let again = lab.client().tcp(client.as_str(), "172.18.100.7:80");
        assert_eq!(again.as_ref(), Ok(server), "a client stays");
    }
}
