//! What goes wrong: the machine is then as it was before.

use crate::{VIP, everything, ip, on_a_machine, on_lo, silence};

#[test]
fn a_step_that_fails_undoes_the_others() {
    on_a_machine(|machine| {
        std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").expect("writable");
        let before = everything();
        let failed = machine.realserver("up --vip 172.18.100.7 --vip 2001:db8::7");
        assert_eq!(failed.code, 1, "{}", failed.stderr);
        assert!(failed.stderr.contains("2001:db8::7 on lo"), "{}", failed.stderr);
        assert!(failed.stderr.contains("disable_ipv6=0"), "{}", failed.stderr);
        assert_eq!(everything(), before);
        assert!(!machine.record().exists());
        let document = machine.realserver("up --vip 2001:db8::7 -o json").json();
        assert_eq!(document["error"]["kind"], "restored");
    });
}

#[test]
fn a_failed_change_of_vips_keeps_those_from_before() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "1").expect("writable");
        let before = (everything(), std::fs::read(machine.record()).expect("written"));
        let failed = machine.realserver("up --vip 172.18.100.8 --vip 2001:db8::7");
        assert_eq!(failed.code, 1, "{}", failed.stderr);
        assert_eq!((everything(), std::fs::read(machine.record()).expect("written")), before);
        machine.ok("down");
        assert!(!on_lo(VIP));
    });
}

#[test]
fn a_record_that_cannot_be_written_stops_it_before_anything_is_done() {
    on_a_machine(|machine| {
        std::fs::create_dir(machine.state.path().join("realserver.json.new")).expect("writable");
        let before = everything();
        let failed = machine.realserver("up --vip 172.18.100.7");
        assert_eq!(failed.code, 1, "{}", failed.stderr);
        assert!(failed.stderr.contains("realserver.json"), "{}", failed.stderr);
        assert_eq!(everything(), before);
    });
}

#[test]
fn a_damaged_record_is_refused_with_a_remedy() {
    on_a_machine(|machine| {
        machine.ok("up --vip 172.18.100.7");
        let before = everything();
        let mut bytes = std::fs::read(machine.record()).expect("a record");
        bytes[20] ^= 1;
        std::fs::write(machine.record(), bytes).expect("writable");
        for command in ["up --vip 172.18.100.8", "down", "down --dry-run"] {
            let failed = machine.realserver(command);
            assert_eq!(failed.code, 1, "{command}");
            let said = failed.stderr;
            assert!(said.contains("realserver.json") && said.contains("help: "), "{said}");
        }
        assert_eq!(everything(), before);
        let status = machine.ok("status --vip 172.18.100.7");
        assert!(status.contains("cannot be trusted"), "{status}");
    });
}

#[test]
fn lo_that_is_down_takes_nothing_and_is_left_down() {
    on_a_machine(|machine| {
        ip("link set lo down");
        let failed = machine.realserver("up --vip 172.18.100.7");
        assert_eq!(failed.code, 1);
        assert!(failed.stderr.contains("ip link set lo up"), "{}", failed.stderr);
        assert_eq!(silence(), [0; 4]);
    });
}

#[test]
fn a_tunnel_without_its_module_names_it() {
    // Where the kernel has the module, the tunnel works: that is the kernel ring's.
    on_a_machine(|machine| {
        let before = everything();
        let ended = machine.realserver("up --vip 172.18.100.7 --method tun");
        if ended.code == 0 {
            machine.ok("down");
        } else {
            assert_eq!(ended.code, 1, "{}", ended.stderr);
            assert!(ended.stderr.contains("modprobe ipip"), "{}", ended.stderr);
        }
        assert_eq!(everything(), before);
    });
}

#[test]
fn answers_that_do_not_go_through_the_director_fail_with_the_way_to_mend_it() {
    on_a_machine(|machine| {
        ip("addr add 10.20.0.11/24 dev front");
        let check = "up --method nat --director 10.20.0.1";
        let failed = machine.realserver(check);
        assert_eq!(failed.code, 1);
        let remedy = "ip route replace default via 10.20.0.1";
        assert!(failed.stderr.contains(remedy), "{}", failed.stderr);
        ip("route add default via 10.20.0.254");
        let failed = machine.realserver(check);
        assert!(failed.stderr.contains("via 10.20.0.254"), "{}", failed.stderr);
        let status = machine.realserver("status --method nat --director 10.20.0.1 --check");
        assert_eq!(status.code, 3);
        assert!(status.stdout.contains(remedy), "{}", status.stdout);
        ip("route replace default via 10.20.0.1");
        machine.ok(check);
        machine.ok("status --method nat --director 10.20.0.1 --check");
    });
}
