//! Down: what up did goes, and nothing else.

use crate::{OTHER, VIP, everything, ip, on_a_machine, on_lo, set_sysctl, silence};

#[test]
fn down_leaves_the_machine_as_up_found_it() {
    on_a_machine(|machine| {
        set_sysctl("lo.arp_announce", 1);
        ip("addr add 192.0.2.1/24 dev front");
        let before = everything();
        machine.ok("up --vip 172.18.100.7 --vip 172.18.100.8 --vip 2001:db8::7");
        assert_ne!(everything(), before);
        let said = machine.ok("down");
        assert_eq!(everything(), before);
        assert!(!machine.record().exists());
        // First the addresses, then what hid them.
        let order: Vec<_> = said.lines().filter(|line| line.starts_with("- ")).collect();
        assert!(order[..3].iter().all(|line| line.ends_with(" on lo")), "{said}");
        assert_eq!(order.last(), Some(&"- net.ipv4.conf.all.arp_ignore = 0 again"));
        assert_eq!(machine.ok("down"), "Down: nothing of ours is here.\n");
    });
}

#[test]
fn an_address_of_somebody_else_stays() {
    on_a_machine(|machine| {
        ip("addr add 172.18.100.7/32 dev lo");
        let said = machine.ok("up --vip 172.18.100.7 --vip 172.18.100.8");
        assert!(!said.contains("+ 172.18.100.7"), "{said}");
        machine.ok("down");
        assert!(on_lo(VIP) && !on_lo(OTHER));
    });
}

#[test]
fn values_that_somebody_set_since_stay_and_are_told() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        set_sysctl("all.arp_ignore", 2);
        ip("addr del 172.18.100.7/32 dev lo");
        let said = machine.ok("down");
        assert_eq!(silence(), [2, 0, 0, 0]);
        assert!(said.contains("left: net.ipv4.conf.all.arp_ignore"), "{said}");
        assert!(!machine.record().exists());
    });
}

/// Who dies between the record and the steps leaves a record of too much.
#[test]
fn what_was_recorded_and_never_done_is_not_undone() {
    on_a_machine(|machine| {
        set_sysctl("lo.arp_announce", 1);
        machine.ok("up --vip 172.18.100.7");
        let record = std::fs::read(machine.record()).expect("a record");
        machine.ok("down");
        let before = everything();
        std::fs::write(machine.record(), &record).expect("writable");
        assert_eq!(machine.ok("down"), "Down: nothing of ours is here.\n");
        assert_eq!(everything(), before);
        std::fs::write(machine.record(), &record).expect("writable");
        machine.ok("up --vip 172.18.100.7");
        assert!(on_lo(VIP));
        machine.ok("down");
        assert_eq!(everything(), before);
    });
}

/// After a reboot the kernel has nothing of ours: what looks the same, somebody else
/// made. Here the record is made one of another boot.
#[test]
fn after_a_reboot_nothing_is_ours() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        of_another_boot(machine);
        let said = machine.ok("down");
        assert!(said.contains("of an earlier boot"), "{said}");
        assert!(on_lo(VIP) && !machine.record().exists());
        assert_eq!(silence(), [1, 2, 1, 2]);
    });
}

/// The kernel forgets, the record does not: up does it again, and what comes back is what
/// this boot had set.
#[test]
fn up_after_a_reboot_begins_anew() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        of_another_boot(machine);
        ip("addr del 172.18.100.7/32 dev lo");
        for name in crate::SILENCE {
            set_sysctl(name, 0);
        }
        set_sysctl("lo.arp_announce", 1);
        machine.ok("up --vip 172.18.100.7");
        assert!(on_lo(VIP));
        assert_eq!(silence(), [1, 2, 1, 2]);
        machine.ok("down");
        assert!(!on_lo(VIP));
        assert_eq!(silence(), [0, 0, 0, 1]);
    });
}

/// Writes the record anew, with another boot and the checksum of that.
fn of_another_boot(machine: &crate::Machine) {
    let text = std::fs::read_to_string(machine.record()).expect("a record");
    let (line, _) = text.split_once('\n').expect("a line and its seal");
    let mut written: serde_json::Value = serde_json::from_str(line).expect("JSON");
    written["boot"] = "another".into();
    let line = format!("{written}\n");
    let seal = xxhash_rust::xxh3::xxh3_64(line.as_bytes());
    let text = format!("{line}{{\"checksum\":\"{seal:016x}\"}}\n");
    std::fs::write(machine.record(), text).expect("writable");
}
