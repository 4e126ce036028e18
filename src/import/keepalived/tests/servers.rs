//! Virtual servers and their real servers.

use super::{becomes, imported, tells, told};

const REAL: &str = "real_server 10.0.0.11 80 {\n weight 3\n}";

#[test]
fn a_virtual_server_is_a_service_by_address() {
    becomes(
        "virtual_server 192.0.2.7 80 {
            delay_loop 6
            lb_algo rr
            lb_kind DR
            persistence_timeout 50
            persistence_granularity 255.255.255.0
            protocol TCP
            real_server 10.0.0.11 80 {
                weight 1
                TCP_CHECK {
                    connect_timeout 3
                }
            }
            real_server 10.0.0.12 80 { weight 2 uthreshold 100
            }
            real_server 10.0.0.13 80 {
                weight 2
                uthreshold 100
                lthreshold 50
                lvs_method TUN type gue port 6080
            }
        }",
        "tcp 192.0.2.7:80: rr persistent 50 s netmask 255.255.255.0
           10.0.0.11:80 dr weight 1
           10.0.0.12:80 dr weight 2
           10.0.0.13:80 tun gue port 6080 weight 2 thresholds 50..100",
    );
}

#[test]
fn defaults_are_those_of_keepalived_and_are_told() {
    let text = format!("virtual_server 192.0.2.7 80 {{ persistence_timeout\n {REAL} }}");
    becomes(&text, "udp 192.0.2.7:80: wlc persistent 360 s\n 10.0.0.11:80 nat weight 3");
    for wanted in [
        "k.conf:1: no protocol: keepalived makes it UDP, and so is the group",
        "k.conf:1: no scheduler: keepalived runs wlc, and so does the group",
        "k.conf:1: no lvs_method: keepalived forwards by NAT, and so does the group",
    ] {
        tells(&text, wanted);
    }
}

#[test]
fn slips_that_keepalived_ignores_are_told() {
    let server = |words: &str| format!("virtual_server 192.0.2.7 80 {{\n{words}\n{REAL}\n}}");
    for (words, wanted) in [
        ("lvs_sched wrrr", "'wrrr' is no scheduler: keepalived ignores it and runs wlc"),
        ("sh-port\nlvs_sched sh", "sh-port counts only behind the scheduler"),
        ("lvs_sched sh\nmh-port", "mh-port counts only behind the scheduler"),
        ("lvs_method dr", "'dr' is none of NAT, DR and TUN: keepalived ignores it"),
        ("persistence_timeout 0", "persistence_timeout '0' is wrong: keepalived ignores it"),
        ("persistence_granularity 255.0.255.0", "it has holes"),
        ("persistence_granularity 24", "persistence_granularity '24' is wrong"),
        ("protocol ICMP", "protocol 'ICMP' is wrong"),
        ("protocol TCP\nops", "ops is for UDP"),
        ("ip_family inet6", "ip_family 'inet6' is wrong"),
        ("weight 0", "weight '0' is wrong"),
        ("wieght 1", "'wieght' is no word of a virtual_server"),
        ("real_server 10.0.0.11 80", "the real server 10.0.0.11 stands twice"),
        ("real_server 10.0.0 80", "'10.0.0 80' is no address and port of a real server"),
        ("real_server ::1 80", "has not the family of its virtual server"),
        ("real_server 10.0.0.1 80 {\nlthreshold 5\nuthreshold 2\n}", "lthreshold is above"),
        ("real_server 10.0.0.1 80 {\nweight x\n}", "weight 'x' is wrong"),
        ("real_server 10.0.0.1 80 {\nwieght 1\n}", "'wieght' is no word of a real_server"),
        ("real_server 10.0.0.1 80 {\nlvs_method x\n}", "'x' is none of NAT, DR and TUN"),
        ("lvs_method DR\nreal_server 10.0.0.1 81", "only NAT reaches a real server at another"),
        ("sorry_server 10.0.0.9 80", "a sorry server is not turned"),
        ("quorum 2", "quorum: it is for health checks"),
        ("quorum_up /bin/true", "nobody is told of a change of health"),
    ] {
        tells(&server(words), wanted);
    }
    tells("virtual_server 192.0.2.7 80 {\nprotocol TCP\n}", "without real servers");
    tells("virtual_server 192.0.2 80 {\n}", "nothing that a virtual server can listen to");
    tells("virtual_server fwmark 0 {\n}", "nothing that a virtual server can listen to");
    tells("virtual_servers 192.0.2.7 80 {\n}\nvirtual_server x {\n}", "has no block");
    tells("global_defs {\nlvs_flush\n}", "k.conf:2: lvs_flush: when keepalived starts");
    tells("net_namespace_ipvs x", "in another network namespace");
}

#[test]
fn flags_of_schedulers_and_engines_are_kept() {
    let text = format!(
        "virtual_server 192.0.2.7 5060 {{\n lvs_sched mh\n mh-port\n flag-1\n hashed\n ops
          protocol udp\n persistence_engine sip\n persistence_timeout 60\n lvs_method NAT\n{REAL}\n}}"
    );
    becomes(
        &text,
        "udp 192.0.2.7:5060: mh mh-fallback mh-port one-packet persistent 60 s engine sip
           10.0.0.11:80 nat weight 3",
    );
}

#[test]
fn checks_are_told_once() {
    let real = |last: u8| {
        format!("real_server 10.0.0.{last} 80 {{\nHTTP_GET {{\nurl {{\npath /\n}}\n}}\n}}\n")
    };
    let text = format!("virtual_server 192.0.2.7 80 {{\nprotocol TCP\n{}{}\n}}", real(1), real(2));
    let told = told(&imported(&text));
    let checks: Vec<_> = told.iter().filter(|line| line.contains("health checks")).collect();
    assert_eq!(checks.len(), 1, "{told:#?}");
    assert!(checks[0].starts_with("k.conf:4: ") && checks[0].ends_with("(and once more)"));
}

#[test]
fn every_port_makes_clients_persistent() {
    let text = format!(
        "virtual_server 192.0.2.7 0 {{ protocol TCP\n lvs_sched rr\n lvs_method DR\n {REAL} }}"
    );
    becomes(&text, "tcp 192.0.2.7:0: rr persistent 360 s\n 10.0.0.11 dr weight 3");
    tells(&text, "no port is every port");
}

#[test]
fn marks_have_the_family_of_their_real_servers() {
    let server = |mark: &str, words: &str| {
        format!("virtual_server fwmark {mark} {{\nlvs_sched rr\n{words}\n}}\n")
    };
    let text = server("10", "lvs_method DR\nreal_server 10.0.0.11 80")
        + &server("11", "lvs_method NAT\nreal_server 2001:db8::11 8080")
        + &server("12", "lvs_method TUN\nreal_server 2001:db8::11")
        + &server("13", "lvs_method TUN\nip_family inet6\nreal_server 10.0.0.11")
        + &server("14", "protocol TCP\nlvs_method TUN\nreal_server 10.0.0.1\nreal_server ::2");
    becomes(
        &text,
        "fwmark 10 ipv4: rr
           10.0.0.11 dr weight 1
         fwmark 11 ipv6: rr
           [2001:db8::11]:8080 nat weight 1
         fwmark 12 ipv6: rr
           2001:db8::11 tun weight 1
         fwmark 13 ipv6: rr
           10.0.0.11 tun weight 1
         fwmark 14 ipv4: rr
           10.0.0.1 tun weight 1
           ::2 tun weight 1",
    );
    tells(&text, "a mark has no protocol");
}
