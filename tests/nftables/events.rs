//! What somebody commits to our table is heard; what they commit elsewhere is not.
//!
//! The kernel tells of a commit before the system call that makes it returns: when nft(8)
//! has ended, everything waits in the socket.

use fwmarkctl::backend::nftables::Events;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::set_socket_recv_buffer_size;

use super::*;

fn subscribe() -> Events {
    Events::subscribe().expect("root may subscribe")
}

/// Whether anything waits, within `seconds`.
fn waits(events: &Events, seconds: i64) -> bool {
    let patience = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let mut descriptors = [PollFd::new(events, PollFlags::IN)];
    poll(&mut descriptors, Some(&patience)).expect("a descriptor to poll") > 0
}

/// Waits for events, reads all of them, and tells whether one may be about our table.
fn heard(events: &mut Events) -> bool {
    assert!(waits(events, 10), "nothing was told");
    let ours = events.drain().expect("drained");
    assert!(!waits(events, 0), "a drain leaves nothing");
    assert!(!events.drain().expect("drained"), "what was read is not told again");
    ours
}

/// Commands that put many elements into a foreign set.
fn thousands(first: u32) -> String {
    let elements: Vec<_> = (first..first + 20_000).map(|number| number.to_string()).collect();
    format!(
        "add table inet other
         add set inet other many {{ type mark; }}
         add element inet other many {{ {} }}\n",
        elements.join(",")
    )
}

#[test]
fn whatever_is_done_to_our_table_is_heard() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let mut events = subscribe();
        for command in [
            "add element inet fwmarkctl exact4 { 192.0.2.7 . tcp . 80 : 7 }",
            "delete element inet fwmarkctl exact4 { 192.0.2.7 . tcp . 80 }",
            "flush map inet fwmarkctl range6_tcp",
            "add rule inet fwmarkctl prerouting accept",
            "flush chain inet fwmarkctl prerouting",
            "add chain inet fwmarkctl theirs",
            "delete chain inet fwmarkctl theirs",
            "add set inet fwmarkctl theirs { type mark; }",
            "delete set inet fwmarkctl theirs",
            "add counter inet fwmarkctl theirs",
            "delete counter inet fwmarkctl theirs",
            "add table inet fwmarkctl { flags dormant; }",
            "delete table inet fwmarkctl",
            "add table inet fwmarkctl",
            "flush ruleset",
        ] {
            nft_file(command);
            assert!(heard(&mut events), "{command}");
        }
    });
}

#[test]
fn a_single_deleted_rule_is_heard() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let listing = nft(&["-a", "list", "chain", "inet", "fwmarkctl", "prerouting"]);
        let line = listing.lines().find(|line| line.contains("@host4")).expect("the rule");
        let handle = line.rsplit(' ').next().expect("a handle");
        let mut events = subscribe();
        nft(&["delete", "rule", "inet", "fwmarkctl", "prerouting", "handle", handle]);
        assert!(heard(&mut events));
    });
}

#[test]
fn our_own_switch_is_heard_too() {
    in_namespace(|| {
        let mut events = subscribe();
        switch(&creation(&sample())).expect("created");
        assert!(heard(&mut events));
    });
}

#[test]
fn what_is_done_to_other_tables_is_not_ours() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let mut events = subscribe();
        for table in ["inet other", "ip fwmarkctl", "ip6 fwmarkctl", "inet fwmarkctl2"] {
            for command in [
                format!("add table {table}"),
                format!("add chain {table} fwmarkctl"),
                format!("add rule {table} fwmarkctl counter comment \"fwmarkctl\""),
                format!("add set {table} fwmarkctl {{ type mark; }}"),
                format!("add element {table} fwmarkctl {{ 1, 2, 3 }}"),
                format!("flush chain {table} fwmarkctl"),
                format!("delete table {table}"),
            ] {
                nft_file(&command);
                assert!(!heard(&mut events), "{command}");
            }
        }
        // The same listener is not deaf.
        nft_file("flush chain inet fwmarkctl prerouting");
        assert!(heard(&mut events));
    });
}

#[test]
fn nothing_is_heard_when_nothing_is_committed_here() {
    in_namespace(|| {
        let mut events = subscribe();
        // Another namespace has a table of the same name; and reading is no change.
        in_namespace(|| switch(&creation(&sample())).expect("created"));
        observe();
        nft(&["list", "ruleset"]);
        assert!(!waits(&events, 0));
        assert!(!events.drain().expect("drained"));
    });
}

#[test]
fn one_change_of_ours_behind_thousands_of_others_is_heard() {
    in_namespace(|| {
        nft_file("add table inet fwmarkctl");
        let mut events = subscribe();
        nft_file(&thousands(0));
        assert!(!heard(&mut events), "the receive buffer holds as many");
        nft_file(&(thousands(20_000) + "delete table inet fwmarkctl"));
        assert!(heard(&mut events));
    });
}

#[test]
fn what_was_lost_may_have_been_ours_and_then_it_hears_again() {
    in_namespace(|| {
        nft_file("add table inet fwmarkctl");
        let mut events = subscribe();
        // The kernel makes it the least that it knows, two pages or so.
        set_socket_recv_buffer_size(&events, 0).expect("a buffer too small");
        for round in 0..3 {
            nft_file(&thousands(round * 20_000));
            assert!(heard(&mut events), "round {round}");
        }
        nft_file("add chain inet other quiet");
        assert!(!heard(&mut events));
        nft_file("add chain inet fwmarkctl loud");
        assert!(heard(&mut events));
    });
}

#[test]
fn without_privilege_nobody_listens() {
    in_namespace(|| {
        let result = std::thread::spawn(|| {
            use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            set_capabilities(None, none).expect("capabilities can be dropped");
            Events::subscribe().map(|_| ())
        })
        .join()
        .expect("no panic");
        assert!(matches!(result, Err(NetfilterError::Privilege)), "{result:?}");
    });
}
