//! Virtual server groups, and the marks that keepalived gives to them.

use super::{becomes, imported, made, tells};

const GROUP: &str = "virtual_server_group Web-Site {
    192.0.2.7 80
    192.0.2.7 443
    192.0.2.9-10 80
}
";

fn of_group(name: &str, words: &str) -> String {
    let end = "lvs_sched rr\nlvs_method DR\nreal_server 10.0.0.11\n}\n";
    format!("virtual_server group {name} {{\n{words}\n{end}")
}

#[test]
fn a_group_is_a_service_for_each_address_and_port() {
    becomes(
        &(GROUP.to_owned() + &of_group("Web-Site", "protocol TCP")),
        "tcp 192.0.2.7:80: rr [web-site]
           10.0.0.11:80 dr weight 1
         tcp 192.0.2.7:443: rr [web-site]
           10.0.0.11:443 dr weight 1
         tcp 192.0.2.9:80: rr [web-site]
           10.0.0.11:80 dr weight 1
         tcp 192.0.2.10:80: rr [web-site]
           10.0.0.11:80 dr weight 1",
    );
}

#[test]
fn a_group_may_have_marks() {
    let group = "virtual_server_group m { fwmark 5\n fwmark 6 inet }\n";
    becomes(
        &(group.to_owned() + &of_group("m", "persistence_granularity 255.255.255.0")),
        "fwmark 5 ipv4: rr persistent 360 s [m]
           10.0.0.11 dr weight 1
         fwmark 6 ipv4: rr persistent 360 s [m]
           10.0.0.11 dr weight 1",
    );
    let text = group.to_owned() + &of_group("m", "persistence_granularity 255.255.255.0");
    tells(&text, "keepalived forgets persistence_granularity for a group");
}

/// The marks are counted from 1000 by group and protocol, in the order in which virtual
/// servers use them.
#[test]
fn marks_of_keepalived_are_counted_as_it_counts_them() {
    let other = "virtual_server_group other {\n 192.0.2.64/26 8000\n}\n";
    let text = "global_defs {\n nftables_ipvs\n}\n".to_owned()
        + GROUP
        + other
        + &of_group("other", "protocol TCP\npersistence_granularity 255.255.255.0")
        + &of_group("Web-Site", "protocol TCP\npersistence_timeout 50")
        + &of_group("Web-Site", "protocol UDP");
    becomes(
        &text,
        "fwmark 1000 ipv4: rr persistent 360 s netmask 255.255.255.0 [other]
           10.0.0.11 dr weight 1
         fwmark 1001 ipv4: rr persistent 50 s [web-site]
           10.0.0.11 dr weight 1
         fwmark 1002 ipv4: rr [web-site]
           10.0.0.11 dr weight 1
         192.0.2.64/26:8000/tcp: mark 1000
         192.0.2.7:80/tcp: mark 1001
         192.0.2.7:443/tcp: mark 1001
         192.0.2.9:80/tcp: mark 1001
         192.0.2.10:80/tcp: mark 1001
         192.0.2.7:80/udp: mark 1002
         192.0.2.7:443/udp: mark 1002
         192.0.2.9:80/udp: mark 1002
         192.0.2.10:80/udp: mark 1002",
    );
    tells(&text, "k.conf:2: keepalived counts its marks from the beginning of the file");
    let begun = text.replace("nftables_ipvs", "nftables_ipvs t\nnftables_ipvs_start_fwmark 7");
    assert!(made(&imported(&begun)).starts_with("fwmark 7 ipv4"), "{}", made(&imported(&begun)));
    tells(&begun, "table t");
}

#[test]
fn two_families_behind_tunnels_share_a_mark() {
    let text = "global_defs {\n nftables_ipvs\n}\nvirtual_server_group both {
          192.0.2.7 80\n 2001:db8::7 80\n }
          virtual_server group both {\n protocol TCP\n lvs_sched rr\n lvs_method TUN
          real_server 10.0.0.11\n real_server 2001:db8::11\n}";
    becomes(
        text,
        "fwmark 1000 ipv4: rr [both]
           10.0.0.11 tun weight 1
           2001:db8::11 tun weight 1
         fwmark 1000 ipv6: rr [both]
           10.0.0.11 tun weight 1
           2001:db8::11 tun weight 1
         192.0.2.7:80/tcp: mark 1000
         [2001:db8::7]:80/tcp: mark 1000",
    );
    tells(&text.replace("TUN", "DR"), "has both families, which only real servers behind tunnels");
}

#[test]
fn a_mark_that_is_used_twice_merges_two_servers() {
    let text = "global_defs {\n nftables_ipvs\n}\n".to_owned()
        + GROUP
        + &of_group("Web-Site", "protocol TCP")
        + "virtual_server fwmark 1000 {\n lvs_sched wlc\n lvs_method DR
            real_server 10.0.0.11\n real_server 10.0.0.12\n}";
    let found = imported(&text);
    assert!(
        made(&found).starts_with(
            "fwmark 1000 ipv4: rr [web-site]\n  10.0.0.11 dr weight 1\n  10.0.0.12 dr weight 1\n"
        ),
        "{}",
        made(&found)
    );
    tells(&text, "k.conf:15: fwmark 1000 ipv4 is that of k.conf:9 again");
}

#[test]
fn groups_that_keepalived_leaves_out_are_told() {
    let server = of_group("g", "protocol TCP");
    let group = |entries: &str| format!("virtual_server_group g {{\n{entries}\n}}\n");
    for (text, wanted) in [
        (group(""), "the group g has no entry"),
        (group("192.0.2.300 80"), "'192.0.2.300 80' is no address, range or mark"),
        (group("fwmark 0"), "'fwmark 0' is no address, range or mark"),
        (group("fwmark 1 inet7"), "'fwmark 1 inet7' is no address, range or mark"),
        (group("192.0.2.7 80\n::1 80\nfwmark 1"), "has both families, and a mark without one"),
        (group("::1 80"), "its real servers have not the family of its group"),
        (group("10.0.0.0/8 80"), "this range makes more than 65536 services"),
        (group("10.1.0.0/17 80\n10.2.0.0/16 80"), "more than 65536 services: the rest is left"),
        (group("192.0.2.1 80") + &group("192.0.2.2 80"), "a second group g"),
        (String::new(), "there is no group g: keepalived leaves this virtual server out"),
        (
            group("192.0.2.1") + "global_defs { nftables_ipvs }",
            "keepalived marks an address without a port by the port 0",
        ),
    ] {
        tells(&(text + &server), wanted);
    }
    tells(
        &("virtual_server_group g {\n192.0.2.7 80\n}\n".to_owned() + &server.replace("DR", "NAT")),
        "keepalived makes this real server with the port 0",
    );
}
