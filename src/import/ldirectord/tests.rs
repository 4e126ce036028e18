//! What becomes of whole configurations.

use super::read;
use crate::import::{Document, Imported};

fn imported(text: &str) -> Imported {
    let mut found = Imported::default();
    read(&Document::new("l.cf", text), &mut found).expect("ldirectord's");
    found
}

fn told(found: &Imported) -> Vec<String> {
    found.not_turned.iter().map(|it| format!("{}: {}", it.place, it.sentence)).collect()
}

#[track_caller]
fn becomes(text: &str, wanted: &str) {
    let found = imported(text);
    let mut made = Vec::new();
    for (key, service, _) in &found.services {
        let name = service.group.as_ref().map_or(String::new(), |name| format!(" [{name}]"));
        made.push(format!("{key}: {service}{name}"));
        let one = |it: &crate::state::Destination| format!("{} {it}", it.key);
        made.extend(service.destinations.iter().map(one));
    }
    let wanted: Vec<_> = wanted.lines().map(str::trim).collect();
    assert_eq!(made, wanted, "{:#?}", told(&found));
}

#[track_caller]
fn tells(text: &str, wanted: &str) {
    let told = told(&imported(text));
    assert!(told.iter().any(|line| line.contains(wanted)), "{told:#?}");
}

#[test]
fn a_virtual_service_is_a_service_with_its_real_servers() {
    becomes(
        "checktimeout=3\nquiescent=no\n\n# one\nvirtual=192.0.2.7:80
\tservicename=Web Site
\treal=10.0.0.2->10.0.0.3:80 gate
\treal=10.0.0.6:80 gate 5 \"/x\", \"ok\" l:50 u:100
\tservice=http\t# a comment
\tscheduler=rr
\tpersistent=600
\tnetmask=255.255.255.0
\tprotocol=tcp
    # a comment
    checktype=negotiate
virtual = 192.0.2.7:https
    real = 10.0.0.2:8443 masq
    real = 10.0.0.3 masq
    real = 10.0.0.4 ipip",
        "tcp 192.0.2.7:80: rr persistent 600 s netmask 255.255.255.0 [web-site]
           10.0.0.2:80 dr weight 1
           10.0.0.3:80 dr weight 1
           10.0.0.6:80 dr weight 5 thresholds 50..100
         tcp 192.0.2.7:443: wrr
           10.0.0.2:8443 nat weight 1
           10.0.0.3:443 nat weight 1
           10.0.0.4:443 tun weight 1",
    );
}

#[test]
fn marks_and_both_families_are_read() {
    becomes(
        "virtual=1\n\treal=10.0.0.2 gate\n\tprotocol=fwm\n\tops=yes\n\
         virtual6=1\n\treal6=[2001:db8::2] gate\n\
         virtual6=[2001:db8::7]:53\n\treal6=[2001:db8::2]->[2001:db8::3]:53 masq\n\tops=yes\n\
         \tscheduler=sh\n\tschedflags=sh-port,flag-1\n\tpersistent=60\n\tnetmask=64",
        "fwmark 1 ipv4: wrr
           10.0.0.2 dr weight 1
         fwmark 1 ipv6: wrr
           2001:db8::2 dr weight 1
         udp [2001:db8::7]:53: sh sh-fallback sh-port one-packet persistent 60 s netmask 64
           [2001:db8::2]:53 nat weight 1
           [2001:db8::3]:53 nat weight 1",
    );
}

#[test]
fn what_is_not_turned_is_told() {
    let service = |line: &str| format!("virtual=192.0.2.7:80\n\treal=10.0.0.2 gate\n\t{line}\n");
    for (line, wanted) in [
        ("service=http\n\trequest=\"/\"", "l.cf:3: health checks are not turned"),
        ("fallback=127.0.0.1:80 gate", "a fallback is not turned"),
        ("quiescent=yes", "quiescent: it is for health checks"),
        ("emailalert=a@b", "nobody is told of a change of health"),
        ("scheduler=a b", "scheduler: 'a b' is no scheduler"),
        ("schedflags=sh-port", "'sh-port' is no flag of wrr"),
        ("persistent=0", "persistent: '0' is no time"),
        ("netmask=255.0.255.0", "netmask: '255.0.255.0' is no netmask of a group"),
        ("protocol=sctp", "protocol: 'sctp' is neither tcp nor udp"),
        ("real6=[::1] gate", "real6: here it is real"),
        ("real=web1 gate", "names of hosts are not looked up"),
        ("real=10.0.0.3:nothing gate", "the port 'nothing' is not known"),
        ("real=10.0.0.3+80 gate", "'+80' is no port"),
        ("real=10.0.0.3", "'' is none of gate, masq and ipip"),
        ("real=10.0.0.3 gate 65536", "a weight is 0 to 65535"),
        ("real=10.0.0.3 gate l:9 u:3", "the lower threshold is above the upper one"),
        ("real=10.0.0.3 gate l:9 x:3", "'x:3' is no threshold"),
        ("real=10.0.0.3->10.0.0.1 gate", "a range does not go from 10.0.0.3 to 10.0.0.1"),
        ("real=10.0.0.0->10.9.0.0 gate", "a range of more than 65536"),
        ("real=[::1] gate", "has not the family of its service"),
        ("real=[x] gate", "'x' is no address of IPv6"),
        ("real=10.0.0.2 gate", "the real server 10.0.0.2:80 stands twice"),
        ("nonsense=1", "a service has no word 'nonsense'"),
        ("nonsense", "'nonsense' is no word with a value"),
    ] {
        tells(&service(line), wanted);
    }
    tells(&(service("") + "  real=10.0.0.3 gate"), "neither the margin nor four spaces");
    tells(&(service("") + "\n\treal=10.0.0.3 gate"), "stands below no service");
    tells(&(service("") + &service("")), "is that of l.cf:1 again: ldirectord ends here");
    tells(&(service("") + "wrong=1"), "ldirectord has no word 'wrong'");
    tells("fallback=127.0.0.1:80", "l.cf:1: a fallback is not turned");
    tells("virtual=192.0.2.7:80\n", "a service without real servers");
    tells("virtual=0\n\treal=10.0.0.1 gate\n", "'0' is no mark");
    tells("virtual=5\n\treal=10.0.0.1 gate\n\tprotocol=tcp", "a mark has the protocol fwm");
    tells("virtual=5\n\treal=10.0.0.1:80 gate", "only masq reaches another port");
    tells("virtual=[2001:db8::7]:80\n\treal=[::1] gate", "belongs to virtual6");
    tells("virtual=www:80\n\treal=10.0.0.1 gate", "names of hosts are not looked up");
    tells("virtual=192.0.2.7:x\n\treal=10.0.0.1 gate", "the port 'x' is not known");
}

#[test]
fn ranges_do_not_add_up_without_end() {
    let range = |net: u8| format!("\treal=10.{net}.0.0->10.{net}.255.255 gate\n");
    let wide: String = (0..7).map(range).collect();
    tells(&format!("virtual=5\n{wide}{}", range(8)), "real: more than 500000 real servers");
    let both = format!("virtual=5\n{wide}virtual=6\n{wide}");
    tells(&both, "l.cf:9: more than 500000 real servers: the rest is left out");
}

#[test]
fn what_is_something_else_is_refused() {
    let document = Document::new("x", "global_defs {\n}");
    let error = read(&document, &mut Imported::default()).expect_err("keepalived's");
    assert_eq!(
        error.to_string(),
        "x:1: this is not a configuration of ldirectord: it has no word 'global_defs {'"
    );
}
