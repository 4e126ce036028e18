//! What the routing tables answer, and what files say.

use super::{WEB, codes, found, on_a_director, report, run};

#[test]
fn a_director_that_is_well_has_no_findings() {
    on_a_director(|| {
        let report = found(WEB);
        assert!(report.findings.is_empty(), "{:#?}", report.findings);
        assert!(report.checked.contains(&"packet filters"));
    });
}

#[test]
fn a_vip_is_local_by_an_address_a_route_or_a_rule_on_its_mark() {
    on_a_director(|| {
        run("ip address del 172.18.100.7/32 dev front");
        let found_then = found(WEB);
        assert_eq!(codes(&found_then), ["D0401"]);
        assert_eq!(found_then.findings[0].remedy, ["ip address add 172.18.100.7/32 dev front"]);
        run("ip rule add fwmark 10 lookup 100");
        run("ip route add local default dev lo table 100");
        assert!(codes(&found(WEB)).is_empty());
        // The same for what arrives only.
        run("ip rule del fwmark 10 lookup 100");
        run("ip rule add fwmark 10 iif front lookup 100");
        assert!(codes(&found(WEB)).is_empty(), "{:#?}", found(WEB).findings);
        run("ip rule del fwmark 10 iif front lookup 100");
        run(&found_then.findings[0].remedy[0]);
        assert!(codes(&found(WEB)).is_empty());
    });
}

#[test]
fn a_rule_before_the_local_table_takes_the_vip_away() {
    on_a_director(|| {
        run("ip rule add priority 32765 lookup local");
        run("ip rule del priority 0");
        run("ip rule add priority 100 fwmark 0xa blackhole");
        let report = found(WEB);
        assert_eq!(codes(&report), ["D0304"], "{:#?}", report.findings);
        run(&report.findings[0].remedy[0]);
        assert!(codes(&found(WEB)).is_empty());
    });
}

#[test]
fn a_server_behind_a_router_or_nowhere_is_named() {
    on_a_director(|| {
        run("ip route add 172.18.100.11 via 172.18.100.254");
        assert_eq!(codes(&found(WEB)), ["D0502"]);
        run("ip route replace unreachable 172.18.100.11");
        assert_eq!(codes(&found(WEB)), ["D0501"]);
        run("ip route del unreachable 172.18.100.11");
        run("ip neigh add 172.18.100.11 dev front nud failed");
        let report = found(WEB);
        assert_eq!(codes(&report), ["D0504?"]);
        run(&report.findings[0].remedy[0]);
        assert!(codes(&found(WEB)).is_empty());
    });
}

#[test]
fn an_ipv6_vip_that_is_preferred_is_the_source_of_tunnels() {
    on_a_director(|| {
        let tunnel = WEB.replace("scheduler", "forward = \"tun\"\nscheduler");
        assert!(codes(&found(&tunnel)).is_empty());
        run("ip -6 address del 2001:db8:18:100::1/64 dev front");
        run("ip -6 address change 2001:db8:18:100::7/128 dev front preferred_lft forever");
        run("ip -6 route add 2001:db8:18:100::/64 dev front");
        let report = found(&tunnel);
        assert_eq!(codes(&report), ["D0403"], "{:#?}", report.findings);
        run("ip -6 address add 2001:db8:18:100::1/64 dev front nodad");
        run(&report.findings[0].remedy[0]);
        assert!(codes(&found(&tunnel)).is_empty());
    });
}

#[test]
fn parameters_of_this_namespace_are_read() {
    on_a_director(|| {
        run("sysctl -q -w net.ipv4.ip_forward=0");
        run("ip address del 172.18.100.7/32 dev front");
        run("ip address add 172.18.100.7/32 dev lo");
        run("sysctl -q -w net.ipv4.conf.all.arp_ignore=1");
        let nat = WEB.replace("scheduler", "forward = \"nat\"\nscheduler");
        let report = report(&nat, std::path::Path::new("/"));
        let codes = codes(&report);
        for code in ["D0402", "D0405"] {
            assert!(codes.contains(&code.to_owned()), "{code}: {codes:?}");
        }
    });
}

#[test]
fn loopback_that_is_down_is_named() {
    on_a_director(|| {
        run("ip link set lo down");
        assert!(codes(&found(WEB)).contains(&"D0104".to_owned()));
    });
}
