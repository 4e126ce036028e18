//! Up: what a VIP needs, once, and no more.

use crate::{OTHER, VIP, everything, ip, on_a_machine, on_lo, set_sysctl, silence, sysctl};

#[test]
fn a_vip_is_on_lo_behind_the_parameters_that_hide_it() {
    on_a_machine(|machine| {
        let said = machine.ok("up --vip 172.18.100.7 --vip 2001:db8::7");
        assert!(on_lo(VIP) && on_lo("2001:db8::7"), "{said}");
        assert_eq!(silence(), [1, 2, 1, 2]);
        let order: Vec<_> = said.lines().filter(|line| line.starts_with("+ ")).collect();
        assert_eq!(
            order,
            [
                "+ net.ipv4.conf.all.arp_ignore = 1 (was 0)",
                "+ net.ipv4.conf.all.arp_announce = 2 (was 0)",
                "+ net.ipv4.conf.lo.arp_ignore = 1 (was 0)",
                "+ net.ipv4.conf.lo.arp_announce = 2 (was 0)",
                "+ 172.18.100.7 on lo",
                "+ 2001:db8::7 on lo",
            ]
        );
        // Never the source of what this machine itself sends.
        let lo = ip("-6 -o addr show dev lo");
        let vip = lo.lines().find(|line| line.contains("2001:db8::7")).expect("it is there");
        assert!(vip.contains("deprecated") && !vip.contains("tentative"), "{vip}");
    });
}

#[test]
fn a_second_up_changes_nothing_and_says_so() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        let (before, record) = (everything(), std::fs::read(machine.record()).expect("written"));
        let said = machine.ok("up --vip 172.18.100.7");
        assert!(said.ends_with("Up: nothing to do.\n"), "{said}");
        assert_eq!(everything(), before);
        assert_eq!(std::fs::read(machine.record()).expect("as it was"), record);
        let document = machine.realserver("up --vip 172.18.100.7 -o json").json();
        assert_eq!((&document["format"], &document["changed"]), (&1.into(), &false.into()));
    });
}

#[test]
fn a_dry_run_shows_the_steps_and_changes_nothing() {
    on_a_machine(|machine| {
        let before = everything();
        let said = machine.ok("up --vip 172.18.100.7 --dry-run");
        assert!(said.contains("+ 172.18.100.7 on lo"), "{said}");
        let document = machine.realserver("up --vip 172.18.100.7 --dry-run -o json").json();
        assert_eq!(document["steps"].as_array().map(Vec::len), Some(5), "{document:#}");
        assert_eq!(everything(), before);
        assert!(!machine.record().exists());
        machine.ok("up --vip 172.18.100.7");
        let down = machine.ok("down --dry-run");
        assert!(down.starts_with("- 172.18.100.7 on lo\n"), "{down}");
        assert!(on_lo(VIP));
    });
}

#[test]
fn other_vips_than_before_are_exchanged_by_their_difference() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7 --vip 172.18.100.8");
        let said = machine.ok("up --vip 172.18.100.8 --vip 172.18.100.9");
        assert_eq!(said.lines().filter(|line| line.starts_with("+ ")).count(), 1, "{said}");
        assert!(!on_lo(VIP) && on_lo(OTHER) && on_lo("172.18.100.9"));
        // Without IPv4 nobody needs to be silent about anything.
        machine.ok("up --vip 2001:db8::7");
        assert_eq!(silence(), [0; 4]);
        assert!(!on_lo(OTHER) && on_lo("2001:db8::7"));
        machine.ok("down");
        assert!(!on_lo("2001:db8::7"));
    });
}

#[test]
fn a_prefix_is_a_local_route() {
    on_a_machine(|machine| {
        let before = everything();
        machine.ok("up --vip 198.51.100.0/24 --vip 2001:db8:1::/64");
        assert!(ip("route get 198.51.100.200").starts_with("local 198.51.100.200"));
        assert!(ip("-6 route get 2001:db8:1::abc").starts_with("local 2001:db8:1::abc"));
        assert_eq!(silence(), [1, 2, 1, 2]);
        let again = machine.ok("up --vip 198.51.100.0/24 --vip 2001:db8:1::/64");
        assert!(again.contains("nothing to do"), "{again}");
        machine.ok("down");
        assert_eq!(everything(), before);
    });
}

#[test]
fn stricter_values_of_somebody_stay() {
    on_a_machine(|machine| {
        set_sysctl("all.arp_ignore", 8);
        set_sysctl("all.arp_announce", 1);
        machine.ok("up --vip 172.18.100.7");
        assert_eq!(silence(), [8, 2, 1, 2]);
        machine.ok("down");
        assert_eq!(silence(), [8, 1, 0, 0]);
    });
}

#[test]
fn what_somebody_took_away_is_made_again() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        ip("addr del 172.18.100.7/32 dev lo");
        set_sysctl("all.arp_announce", 1);
        machine.ok("up --vip 172.18.100.7");
        assert!(on_lo(VIP));
        assert_eq!(sysctl("all.arp_announce"), 2);
        // The value that somebody chose last is the one to come back.
        machine.ok("down");
        assert_eq!(silence(), [0, 1, 0, 0]);
        assert!(!on_lo(VIP));
    });
}

#[test]
fn groups_with_an_address_of_this_machine_say_which_vips() {
    on_a_machine(|machine| {
        ip("addr add 172.18.100.11/24 dev front");
        let config = machine.config(
            r#"
            [group.web]
            vips = ["172.18.100.7"]
            ports = ["80/tcp"]
            real = ["172.18.100.11", "172.18.100.12"]

            [group.mail]
            vips = ["172.18.100.8"]
            ports = ["25/tcp"]
            real = ["172.18.100.12"]
            "#,
        );
        let document = machine.realserver(&format!("up -c {config} -o json")).json();
        assert_eq!(document["chosen"], "by-address");
        assert_eq!(document["groups"], serde_json::json!(["web"]));
        assert!(on_lo(VIP) && !on_lo(OTHER));
        machine.ok(&format!("up -c {config} --group mail"));
        assert!(!on_lo(VIP) && on_lo(OTHER));
        ip("addr del 172.18.100.11/24 dev front");
        let all = machine.realserver(&format!("up -c {config}"));
        assert!(all.stderr.contains("all groups are taken"), "{}", all.stderr);
        assert!(on_lo(VIP) && on_lo(OTHER));
        let none = machine.realserver(&format!("up -c {config} --group none"));
        assert_eq!(none.code, 2, "{}", none.stderr);
    });
}
