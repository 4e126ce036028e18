//! Status: what is there and what is not.

use crate::{ip, on_a_machine, set_sysctl};

#[test]
fn what_is_missing_is_told_and_exits_with_3() {
    on_a_machine(|machine| {
        let status = machine.realserver("status --vip 172.18.100.7 --check");
        assert_eq!(status.code, 3, "{}", status.stderr);
        assert!(status.stdout.contains("Not ready: 6 missing"), "{}", status.stdout);
        machine.ok("up --vip 172.18.100.7");
        let status = machine.ok("status --vip 172.18.100.7 --check");
        assert!(status.contains("172.18.100.7 on lo") && status.contains("Ready."), "{status}");
        assert!(status.contains("front: arp_ignore 1, arp_announce 2 "), "{status}");
        assert!(status.contains("net.ipv4.conf.lo.arp_announce is 2 "), "{status}");
        ip("addr del 172.18.100.7/32 dev lo");
        let status = machine.realserver("status --vip 172.18.100.7 --check -o json");
        assert_eq!(status.code, 3);
        let document = status.json();
        assert_eq!((&document["format"], &document["missing"]), (&1.into(), &1.into()));
        let vip = document["settings"].as_array().and_then(|all| all.last()).expect("the VIP");
        assert_eq!(
            (&vip["setting"], &vip["present"]),
            (&"172.18.100.7 on lo".into(), &false.into())
        );
        // Without being told, and without a configuration, it shows what was done.
        if !std::path::Path::new("/etc/fwmarkctl").exists() {
            assert!(machine.ok("status").contains("172.18.100.7 on lo"));
        }
    });
}

/// The kernel takes the greater value: a device may speak although `all` is right.
#[test]
fn a_device_that_answers_for_the_vip_is_named() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        set_sysctl("front.arp_ignore", 3);
        let status = machine.realserver("status --vip 172.18.100.7 --check");
        assert_eq!(status.code, 3);
        assert!(status.stdout.contains("answers for the VIPs"), "{}", status.stdout);
    });
}

#[test]
fn a_vip_on_a_network_device_is_told() {
    on_a_machine(|machine| {
        ip("addr add 172.18.100.7/32 dev front");
        machine.ok("up --vip 172.18.100.7");
        let status = machine.ok("status --vip 172.18.100.7");
        assert!(status.contains("also on front"), "{status}");
    });
}

#[test]
fn what_is_ours_and_not_wanted_any_more_is_told() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7 --vip 172.18.100.8");
        let status = machine.ok("status --vip 172.18.100.8");
        assert!(status.contains("172.18.100.7 on lo: ours, and not wanted"), "{status}");
    });
}
