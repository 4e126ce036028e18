//! Entries count what they mark, and keep their counts while others change.

use fwmarkctl::backend::{Count, MarkCounts};
use fwmarkctl::plan::Plan;
use fwmarkctl::state::{DirectorState, Observation};

use super::*;
use std::time::{Duration, Instant};

/// An entry of each kind, on addresses that a packet of this machine reaches.
fn local() -> (Marking, Services) {
    let marking = Marking::from([
        (key("127.0.0.2", Protocol::Udp, ports(80, 80)), entry(10, "web")),
        (key("127.0.0.3", Protocol::Udp, PortRange::ANY), entry(11, "dns")),
        (key("127.0.1.0/24", Protocol::Udp, ports(80, 90)), entry(12, "net")),
        (key("::1", Protocol::Udp, ports(80, 80)), entry(10, "web")),
        (key("::1", Protocol::Udp, PortRange::ANY), entry(11, "dns")),
        (key("2001:db8:1::/48", Protocol::Udp, ports(80, 90)), entry(12, "net")),
        // Below the first of all.
        (key("127.0.0.0/28", Protocol::Udp, ports(80, 80)), entry(12, "net")),
    ]);
    (marking, Services::new())
}

/// Sends packets of 10 bytes.
fn send(times: usize, target: &str) {
    let source = if target.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" };
    let socket = UdpSocket::bind(source).expect("a socket");
    for _ in 0..times {
        // Without anybody there the second may be told that the first was refused.
        while socket.send_to(&[0; 10], target).is_err() {}
    }
}

fn counts() -> MarkCounts {
    let found = Nftables::new().observe_counted().expect("the ruleset can be read").value;
    assert_eq!(found.ruleset, observe().value);
    assert_eq!(found.counts.len(), found.ruleset.entries.len());
    found.counts
}

/// Returns when an entry has counted so many packets, each so long: the kernel may hand a
/// packet over to itself a moment after it was sent.
fn counted(destination: &str, of: PortRange, packets: u64, length: u64) {
    let expected = Count { packets, bytes: packets * length };
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let found = counts()[&key(destination, Protocol::Udp, of)];
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{destination} {of:?}: {found:?} for {expected:?}");
    }
}

fn up() {
    for command in ["link set lo up", "route add local 2001:db8:1::/48 dev lo"] {
        let status = Command::new("ip").args(command.split(' ')).status();
        assert!(status.expect("ip is installed").success(), "{command}");
    }
}

/// IPv4 and UDP headers are 28 bytes, IPv6's and UDP's 48.
#[test]
fn entries_of_every_kind_count_packets_and_bytes() {
    in_namespace(|| {
        up();
        switch(&creation(&local())).expect("created");
        assert!(counts().values().all(|count| *count == Count::default()));
        for (times, target) in [
            (1, "127.0.0.2:80"),
            (2, "127.0.0.3:81"),
            (3, "127.0.1.77:85"),
            (4, "[::1]:80"),
            (5, "[::1]:81"),
            (6, "[2001:db8:1::5]:90"),
            (1, "127.0.0.2:81"),
        ] {
            send(times, target);
        }
        counted("127.0.0.2", ports(80, 80), 1, 38);
        counted("127.0.0.3", PortRange::ANY, 2, 38);
        counted("127.0.1.0/24", ports(80, 90), 3, 38);
        counted("::1", ports(80, 80), 4, 58);
        counted("::1", PortRange::ANY, 5, 58);
        counted("2001:db8:1::/48", ports(80, 90), 6, 58);
        // The first that knows a packet marks it, and it alone counts.
        counted("127.0.0.0/28", ports(80, 80), 0, 0);
    });
}

#[test]
fn what_did_not_change_keeps_its_count_and_what_did_begins_anew() {
    in_namespace(|| {
        up();
        let before = local();
        switch(&creation(&before)).expect("created");
        let web = ("127.0.0.2", ports(80, 80));
        let net = ("127.0.1.0/24", ports(80, 90));
        send(3, "127.0.0.2:80");
        send(4, "127.0.1.1:80");

        // Another entry of the same maps comes, one goes, one gets another mark.
        let mut after = before.clone();
        after.0.insert(key("127.0.0.9", Protocol::Udp, ports(80, 80)), entry(9, "new"));
        after.0.insert(key("127.0.2.0/24", Protocol::Udp, ports(80, 90)), entry(9, "new"));
        after.0.remove(&key("127.0.0.3", Protocol::Udp, PortRange::ANY));
        after.0.insert(key("::1", Protocol::Udp, ports(80, 80)), entry(99, "web"));
        send(5, "[::1]:80");
        counted(web.0, web.1, 3, 38);
        counted(net.0, net.1, 4, 38);
        counted("::1", ports(80, 80), 5, 58);
        switch(&between(&before, &after)).expect("switched");
        counted(web.0, web.1, 3, 38);
        counted(net.0, net.1, 4, 38);
        counted("::1", ports(80, 80), 0, 0);

        // Rules that are written again are no new entries.
        let frame = FrameChange::RewriteRules;
        switch(&MarkSwitch { frame, record: Some(record(3)), ..MarkSwitch::default() })
            .expect("rewritten");
        send(1, "127.0.0.2:80");
        counted(web.0, web.1, 4, 38);
        counted(net.0, net.1, 4, 38);
    });
}

#[test]
fn a_plan_does_not_see_counts() {
    in_namespace(|| {
        up();
        let (marking, services) = local();
        switch(&creation(&(marking.clone(), services))).expect("created");
        send(7, "127.0.0.2:80");
        counted("127.0.0.2", ports(80, 80), 7, 38);
        let ruleset = observe().value;
        let observed = Observation { ruleset, ..Observation::default() };
        let state = DirectorState { marking, ..DirectorState::default() };
        assert!(Plan::between(&observed, &state).is_empty());
    });
}
