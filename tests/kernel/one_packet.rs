//! One-packet scheduling: each datagram by itself, where real servers answer as the VIP.

use crate::lab::{CLIENT, Failure, Lab};
use crate::scene::Fwmarkctl;

const DNS: &str = "172.18.100.7:53";

/// A group for the lab's servers, and what it said when it was applied.
fn apply(lab: &Lab, forward: &str) -> String {
    lab.serve_udp(&[53]);
    let [one, two] = [1, 2].map(|number| lab.rs(number).v4());
    let config = format!(
        r#"
        [group.dns]
        vips = ["172.18.100.7"]
        ports = ["53/udp"]
        scheduler = "rr"
        one-packet = true
        forward = "{forward}"
        real = ["{one}", "{two}"]
        "#
    );
    let ended = lab.director().with(&["apply"], &config).run();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stderr
}

#[test]
fn each_datagram_is_scheduled_and_leaves_no_connection() {
    for (lab, forward) in [(Lab::dr(), "dr"), (Lab::tunnel(), "tun")] {
        let warned = apply(&lab, forward);
        assert!(!warned.contains("W0105"), "{warned}");
        let answers = [(); 4].map(|()| lab.client().udp(CLIENT, DNS).unwrap());
        assert_eq!(answers[..2], answers[2..], "{forward}");
        assert_ne!(answers[0], answers[1], "{forward}");
        let entries = lab.director().command("ipvsadm").args(["-Ln", "-c"]).ok();
        assert!(!entries.contains(CLIENT), "{entries}");
    }
}

#[test]
fn with_nat_the_answers_are_lost_which_is_warned_of() {
    let lab = Lab::nat();
    let warned = apply(&lab, "nat");
    assert!(warned.contains("W0105"), "{warned}");
    assert_eq!(lab.client().udp(CLIENT, DNS), Err(Failure::Timeout));
    // It was asked, and did answer.
    assert_eq!(lab.requests().len(), 1);
}
