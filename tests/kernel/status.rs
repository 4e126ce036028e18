//! `status`: how things are, on 80 columns.

use crate::lab::{CLIENT, Director, client_v4};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, until, web_and_mail};

/// Long addresses, many ports, a description of a service that is long, and much of each.
const WIDE: &str = r#"
[group.wide]
vips = ["2001:db8:1111:2222:3333:4444:5555:6666", "198.51.100.200", "10.1.0.0/16"]
ports = ["80", "443", "8000-8999", "9000-9100", "10000-10010/udp", "20000-29999/tcp", "30000"]
scheduler = { name = "mh", flags = ["mh-fallback", "mh-port"] }
persistence = { mode = "pfwmc", timeout = 86400, netmask = 24, netmask6 = 64 }
real = ["2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", "10.255.255.254"]

[group.mapped]
vips = ["2001:db8:1111:2222:3333:4444:5555:7777"]
ports = ["80"]
forward = "nat"
real = [{ address = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", port = 65535, weight = 65535 }]
"#;

fn status(director: &Director, args: &[&str], config: &str) -> String {
    director.with(&[&["status"], args].concat(), config).env("LC_ALL", "C.UTF-8").ok()
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    let director = Director::alone();
    director.apply(WIDE);
    for args in [&[] as &[&str], &["wide", "mapped"]] {
        let text = status(&director, args, WIDE);
        let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
        assert!(widest.chars().count() <= 80, "{widest}");
        assert!(text.contains("    2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff  dr\n"), "{text}");
    }
}

#[test]
fn each_real_server_has_its_share_of_the_connections() {
    let lab = web_and_mail();
    let director = lab.director();
    let text = status(director, &["mail"], WEB_AND_MAIL);
    assert!(text.contains(" 1 ··········    -       0        0\n"), "{text}");
    // Round-robin: one for each of the two, and a third.
    let open: Vec<_> = (0..3).map(|_| lab.client().connect(CLIENT, MAIL).unwrap()).collect();
    until("all are established", || {
        let text = status(director, &[], WEB_AND_MAIL);
        text.contains(" 1 ███████···  67%       2        0\n")
            && text.contains(" 1 ███·······  33%       1        0\n")
            && text.contains("2 groups, 4 real servers, 3 active connections.\n")
    });
    // Where the terminal has no such characters.
    let plain = director.with(&["status"], WEB_AND_MAIL).env("LC_ALL", "C").ok();
    assert!(plain.contains(" 1 #######...  67%       2        0\n"), "{plain}");
    drop(open);
}

#[test]
fn a_group_in_depth_tells_where_it_is_defined_and_what_was_counted() {
    let lab = web_and_mail();
    let director = lab.director();
    for client in 0..2 {
        assert!(lab.client().tcp(client_v4(client).as_str(), WEB).is_ok());
    }
    until("IPVS has added up", || {
        let text = status(director, &["web"], WEB_AND_MAIL);
        text.matches("50% of the weight, 1 connections so far").count() == 2
    });
    let text = status(director, &["web"], WEB_AND_MAIL);
    for told in [
        "  defined in <stdin>:2\n",
        "  172.18.100.7  80/tcp                   mark 10 (0xa)           ",
        "  172.18.100.7  443/tcp                  mark 10 (0xa)           0 packets\n",
        "      1 client stays by persistence\n",
        "1 group, 2 real servers, ",
    ] {
        assert!(text.contains(told), "{told:?} is not in\n{text}");
    }
    assert!(!text.contains("mail"), "{text}");
}

#[test]
fn what_differs_is_named_where_the_eye_is() {
    let lab = web_and_mail();
    let director = lab.director();
    director.ipvsadm("-e -f 25 -r 172.18.100.12 -w 0\n");
    let text = status(director, &[], WEB_AND_MAIL);
    assert!(text.contains("    172.18.100.12  dr  drained "), "{text}");
    assert!(text.contains("web  in sync\n") && text.contains("mail  differs (1)\n"), "{text}");
    let end = "2 groups, 4 real servers (1 drained), 0 active connections.\n\
               Generation 1, differs from the configuration: mail.\n\
               `fwmarkctl plan` shows what `fwmarkctl apply` would change.\n";
    assert!(text.ends_with(end), "{text}");

    // Colours say nothing that the words do not, and nobody gets them who reads by a pipe.
    let colored = status(director, &["--color", "always"], WEB_AND_MAIL);
    assert!(colored.contains("\x1b["), "{colored}");
    let (mut bare, mut is_code) = (String::new(), false);
    for letter in colored.chars() {
        match (is_code, letter) {
            (false, '\x1b') => is_code = true,
            (true, 'm') => is_code = false,
            (true, _) => {}
            (false, letter) => bare.push(letter),
        }
    }
    assert_eq!(bare, text);
}

/// The look that somebody takes just before a change of the backend.
#[test]
fn marks_of_another_backend_than_the_configured_one_are_shown_where_they_are() {
    let director = Director::alone();
    let nft = ("iptables-nft", "backend = \"iptables\"\nvariant = \"nft\"");
    let legacy = ("iptables-legacy", "backend = \"iptables\"\nvariant = \"legacy\"");
    let maps = ("nftables", "backend = \"nftables\"");
    let by = |director: &str| format!("[director]\n{director}\n{WEB_AND_MAIL}");
    for (generation, (from, to)) in (1_u64..).zip([(nft, maps), (maps, legacy), (legacy, nft)]) {
        director.apply(&by(from.1));
        let text = status(&director, &[], &by(to.1));
        let all = format!("  ! change mark rule all marks: {} → {}\n", from.0, to.0);
        let end = format!(
            "All marks are with {}; an apply moves them to {}.\n\
             Generation {generation}, differs from the configuration: the director.\n\
             `fwmarkctl plan` shows what `fwmarkctl apply` would change.\n",
            from.0, to.0
        );
        assert!(text.starts_with("director\n") && text.contains(&all), "{text}");
        assert!(text.contains("web  moves with all marks\n  172.18.100.7"), "{text}");
        assert!(text.ends_with(&end) && !text.contains("(no group)"), "{text}");
        let document = director.with(&["-o", "json", "status"], &by(to.1)).ok();
        let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
        assert_eq!(document["generation"], generation, "{document}");
        assert_eq!(document["marker"], from.0, "{document}");
        assert_eq!(document["groups"][0]["in_sync"], false, "{document}");
        assert_ne!(document["groups"][0]["marks"], serde_json::json!([]), "{document}");
        let planned = director.with(&["-o", "json", "plan"], &by(to.1)).ok();
        let planned: serde_json::Value = serde_json::from_str(&planned).expect("JSON");
        assert_eq!(planned["generation"], generation, "{planned}");
    }
}
