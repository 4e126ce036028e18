//! What no group can say, state by state, in the words that people read.

use super::*;
use crate::model::Forwarding;

/// A state in the rows of the history: mark entries of mark 10 (`VIP PORTS`), services with
/// what they have beside `rr`, and all else.
fn state(marking: &[&str], services: &[(&str, &str)], rest: &str) -> DirectorState {
    let marking: Vec<_> = marking
        .iter()
        .map(|entry| {
            let (to, ports) = entry.split_once(' ').expect("a VIP and ports");
            format!(r#"{{"to":"{to}","protocol":"tcp","ports":"{ports}","mark":10}}"#)
        })
        .collect();
    let services: Vec<_> = services
        .iter()
        .map(|(key, rest)| {
            let netmask = if key.contains("ipv6") { 128 } else { u32::MAX };
            let netmask = if rest.contains("netmask") {
                String::new()
            } else {
                format!(r#""netmask":{netmask},"#)
            };
            format!(r#"{{"key":"{key}","scheduler":"rr",{netmask}{rest}}}"#)
        })
        .collect();
    let (marking, services) = (marking.join(","), services.join(","));
    let text = format!(r#"{{"marking":[{marking}],"services":[{services}]{rest}}}"#);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const V4: &str = "fwmark 10 ipv4";
const V6: &str = "fwmark 10 ipv6";
const VIP: &[&str] = &["192.0.2.1 80"];
const REAL: &str = r#""real":[{"address":"10.0.0.1","method":"dr","weight":1}]"#;
const REAL6: &str = r#""real":[{"address":"2001:db8::1","method":"dr","weight":1}]"#;

/// What is lost of a state, each with whether it is left out.
fn lost(state: &DirectorState) -> Vec<(String, bool)> {
    let found = regroup(state);
    assert!(found.lost.iter().all(|lost| !lost.reason.remedy().is_empty()));
    found.lost.iter().map(|lost| (lost.reason.to_string(), lost.reason.is_left_out())).collect()
}

/// One thing is lost of a mark with a service that has `rest`, and a group is there still.
fn of_service(rest: &str) -> String {
    let state = state(VIP, &[(V4, rest)], "");
    let lost = lost(&state);
    let [(why, left_out)] = lost.as_slice() else { panic!("{lost:?}") };
    let servers = regroup(&state).groups[0].real_servers.len();
    assert!(!left_out || servers == 1, "{why}");
    why.clone()
}

#[test]
fn a_mark_and_a_service_that_have_not_each_other_are_lost() {
    let alone = state(VIP, &[("fwmark 11 ipv4", REAL)], "");
    let wanted = [
        ("packets get mark 10, but there is no service fwmark 10 ipv4".to_owned(), true),
        ("fwmark 11 ipv4: no packet gets its mark".to_owned(), true),
    ];
    assert_eq!(lost(&alone), wanted);
    assert_eq!(regroup(&alone).groups, []);
    let empty = regroup(&state(VIP, &[(V4, r#""real":[]"#)], ""));
    assert_eq!(empty.lost[0].reason.to_string(), "fwmark 10 ipv4: it has no real server");
    assert_eq!((empty.lost[0].marking.len(), empty.lost[0].services.len()), (1, 1));
    let mut zero = state(VIP, &[], "");
    for entry in zero.marking.values_mut() {
        entry.mark = None;
    }
    assert!(lost(&zero)[0].0.starts_with("mark 0 means"));
}

#[test]
fn a_mark_keeps_the_ports_that_most_vips_have() {
    let entries =
        ["192.0.2.1 80", "192.0.2.1 443", "192.0.2.2 80", "192.0.2.2 443", "192.0.2.3 80"];
    let found = regroup(&state(&entries, &[(V4, REAL)], ""));
    assert_eq!(found.groups[0].vips.len(), 2);
    assert_eq!(found.groups[0].listeners.iter().count(), 2);
    assert_eq!(found.lost.len(), 1);
    assert_eq!(found.lost[0].marking[0].to_string(), "192.0.2.3:80/tcp");
    assert_eq!(
        found.lost[0].reason.to_string(),
        "mark 10 is on these ports of some addresses only"
    );
}

#[test]
fn families_that_differ_are_not_one_group() {
    let both = ["192.0.2.1 80", "2001:db8::7 80"];
    let other = REAL6.to_owned() + r#","flags":1,"timeout":300"#;
    let why = "fwmark 10 ipv6: persistence differs from that of fwmark 10 ipv4, and a mark belongs to one group";
    let persistent = state(&both, &[(V4, REAL), (V6, &other)], "");
    assert_eq!(lost(&persistent), [(why.to_owned(), true)]);
    assert_eq!(regroup(&persistent).groups[0].vips.len(), 1);
    let across = r#""real":[{"address":"10.0.0.1","method":"tun","weight":1},{"address":"2001:db8::1","method":"dr","weight":1}]"#;
    let servers = state(&both, &[(V4, REAL), (V6, across)], "");
    assert!(lost(&servers)[0].0.contains("a real server differs"));
    assert_eq!(lost(&state(&both, &[(V4, REAL), (V6, REAL6)], "")), []);
}

#[test]
fn what_a_service_has_beyond_a_group_is_told() {
    let real = |server: &str| {
        let first = r#"{"address":"10.0.0.1","method":"dr","weight":1}"#;
        format!(r#""real":[{first},{{"address":"10.0.0.2",{server}}}]"#)
    };
    let persistent = |rest: &str| format!(r#"{REAL},"flags":1,{rest}"#);
    for (rest, why) in [
        (
            real(r#""method":{"other":7},"weight":1"#),
            "10.0.0.2 is reached by method 7, which has no name",
        ),
        (
            real(r#""method":"dr","port":8080,"weight":1"#),
            "the port of 10.0.0.2:8080 is ignored by its forwarding method",
        ),
        (real(r#""method":"dr","weight":70000"#), "the weight 70000 of 10.0.0.2 is above 65535"),
        (
            real(r#""method":"dr","weight":1,"lower":5"#),
            "the thresholds of 10.0.0.2 are not in order, or above 2147483647",
        ),
        (
            persistent(r#""timeout":9999999"#),
            "a persistence timeout of 9999999 s is not from 1 to 2678400",
        ),
        (persistent(r#""timeout":0"#), "a persistence timeout of 0 s is not from 1 to 2678400"),
        (
            persistent(r#""timeout":9,"netmask":4278190335"#),
            "the netmask 255.0.0.255 is not the length of a prefix",
        ),
        (format!(r#"{REAL},"timeout":9"#), "a timeout without persistence does nothing"),
        (format!(r#"{REAL},"engine":"sip""#), "an engine without persistence does nothing"),
    ] {
        assert_eq!(of_service(&rest), format!("fwmark 10 ipv4: {why}"));
    }
    let twice = r#""real":[{"address":"10.0.0.1","method":"dr","weight":1},{"address":"10.0.0.1","port":80,"method":"dr","weight":1}]"#;
    let twice = lost(&state(VIP, &[(V4, twice)], ""));
    assert!(
        twice[1]
            .0
            .ends_with("10.0.0.1:80 is another port of a real server whose ports IPVS ignores")
    );
}

#[test]
fn by_address_every_port_is_all_protocols_and_one_packet_is_udp() {
    let kept = format!(r#"{REAL},"flags":1,"timeout":300"#);
    let tcp = state(&[], &[("tcp 192.0.2.1:0", &kept)], "");
    let why = "tcp 192.0.2.1:0: every port, but not of tcp, udp and sctp alike and persistent";
    assert_eq!(lost(&tcp), [(why.to_owned(), true)]);
    let all =
        ["tcp 192.0.2.1:0", "udp 192.0.2.1:0", "sctp 192.0.2.1:0"].map(|key| (key, kept.as_str()));
    let all = regroup(&state(&[], &all, ""));
    assert_eq!((all.lost.len(), all.groups[0].name.as_str()), (0, "any-192-0-2-1"));
    let real = r#""real":[{"address":"10.0.0.1","port":80,"method":"dr","weight":1}],"flags":4"#;
    let one = lost(&state(&[], &[("tcp 192.0.2.1:80", real)], ""));
    let why = "tcp 192.0.2.1:80: one-packet scheduling is for UDP, and it has none";
    assert_eq!(one, [(why.to_owned(), false)]);
}

#[test]
fn services_of_one_name_that_are_no_group_are_one_each() {
    let of = |scheduler: &str| {
        let real =
            r#""group":"web","real":[{"address":"10.0.0.1","port":80,"method":"dr","weight":1}]"#;
        real.replace(r#""port":80"#, &format!(r#""port":{scheduler}"#))
    };
    let (web, tls) = (of("80"), of("443"));
    let whole = [("tcp 192.0.2.1:80", web.as_str()), ("tcp 192.0.2.1:443", tls.as_str())];
    assert_eq!(regroup(&state(&[], &whole, "")).groups.len(), 1);
    let uneven = [whole[0], whole[1], ("tcp 192.0.2.2:80", web.as_str())];
    let found = regroup(&state(&[], &uneven, ""));
    let names: Vec<_> = found.groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!((names, found.lost.len()), (vec!["web", "web-2", "web-3"], 0));
}

#[test]
fn sources_belong_to_real_servers_by_nat() {
    let nat = r#""real":[{"address":"10.0.0.1","method":"nat","weight":1},{"address":"10.0.0.2","method":"nat","weight":1}]"#;
    let of = |sources: &str| state(VIP, &[(V4, nat)], &format!(r#","sources":[{sources}]"#));
    let both =
        r#"{"mark":10,"server":"10.0.0.1","snat":"10.9.0.1"},{"mark":10,"server":"10.0.0.2""#;
    let alike = regroup(&of(&format!(r#"{both},"snat":"10.9.0.1"}}"#)));
    assert_eq!(alike.lost, []);
    assert_eq!(alike.groups[0].snat.len(), 1);
    assert!(alike.groups[0].real_servers.iter().all(|it| it.forwarding == Forwarding::FullNat));
    let differ =
        "fwmark 10 10.0.0.2: another source address than for the group's other real servers";
    assert_eq!(lost(&of(&format!("{both}}}"))), [(differ.to_owned(), false)]);
    let nobody = lost(&of(r#"{"mark":10,"server":"10.0.0.3"}"#));
    assert!(nobody[0].0.starts_with("fwmark 10 10.0.0.3: the source address is replaced"));
}

#[test]
fn settings_that_no_director_has_are_told() {
    let nat = r#""real":[{"address":"10.0.0.1","method":"nat","weight":1}]"#;
    for (setting, why) in [
        (r#""sysctl net.ipv4.ip_forward":"0""#, "net.ipv4.ip_forward is 0, and the groups need 1"),
        (r#""timeout tcp":"0""#, "timeout tcp is '0', which the configuration cannot say"),
        (
            r#""local-route 192.0.2.9":"present""#,
            "local-route 192.0.2.9 belongs to no group's VIPs, or not to all of them",
        ),
        (
            r#""sync-daemon master":"interface eth0 id 1","sync-daemon backup":"interface eth0 id 2""#,
            "sync-daemon backup is 'interface eth0 id 2', which the configuration cannot say",
        ),
    ] {
        let state = state(VIP, &[(V4, nat)], &format!(r#","settings":{{{setting}}}"#));
        assert_eq!(lost(&state), [(why.to_owned(), true)]);
    }
}

/// What is the director's own has lost its method in the kernel.
#[test]
fn an_address_of_the_director_is_reached_as_the_others_are() {
    let real = r#""real":[{"address":"10.0.0.1","method":"local","weight":1},{"address":"10.0.0.2","method":"tun","weight":1}]"#;
    let found = regroup(&state(VIP, &[(V4, real)], ""));
    assert_eq!(found.lost, []);
    let methods: Vec<_> = found.groups[0].real_servers.iter().map(|it| it.forwarding).collect();
    assert_eq!(methods[0], methods[1]);
    assert_eq!(found.groups[0].name.as_str(), "mark-10");
}
