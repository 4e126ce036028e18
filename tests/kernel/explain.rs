//! What `explain` says of a packet is what happens to it.

use std::time::Duration;

use serde_json::Value;

use crate::lab::{CLIENT, Connection, Director, Failure, Lab, Marks, client_v4, client_v6};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, until, web_and_mail};

/// What is said of a packet, and whether it gets through.
fn explain(director: &Director, client: &str, target: &str) -> (bool, Value) {
    let (code, document) = director.json(&["explain", client, target], "");
    let arrives = match code {
        0 => true,
        3 => false,
        _ => panic!("{client} {target}: {document:#}"),
    };
    (arrives, document)
}

/// The names of the real servers that may get it: 172.18.100.11 is rs1.
fn chosen(document: &Value) -> Vec<String> {
    let chosen = document["chosen"].as_array().unwrap().iter();
    let name = |it: &Value| {
        let place = it.as_str().unwrap();
        // A connection's has its port too.
        let address = place.split(':').next().unwrap();
        format!("rs{}", address.strip_prefix("172.18.100.1").unwrap())
    };
    chosen.map(name).collect()
}

fn said(document: &Value, stage: &str) -> String {
    let steps = document["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["stage"] == stage);
    step.map_or_else(String::new, |step| step["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_client_goes_where_it_was_said_to_go() {
    let lab = web_and_mail();
    let director = lab.director();
    for number in 0..4 {
        let client = client_v4(number);
        let (arrives, before) = explain(director, &client, WEB);
        assert!(arrives, "{before:#}");
        assert_eq!((chosen(&before).len(), &before["group"]), (2, &"web".into()), "{before:#}");
        let server = lab.client().tcp(client.as_str(), WEB).unwrap();
        // Now a template knows the client, on the other port of the group too.
        for target in [WEB, "172.18.100.7:443/tcp"] {
            let (_, known) = explain(director, &client, target);
            assert_eq!(chosen(&known), [server.as_str()], "{known:#}");
            assert!(said(&known, "schedule").starts_with("a template ties"), "{known:#}");
        }
        assert_eq!(lab.client().tcp(client.as_str(), "172.18.100.7:443"), Ok(server));
        // The group mail knows nobody.
        assert_eq!(chosen(&explain(director, &client, MAIL).1).len(), 2);
    }
}

#[test]
fn the_least_busy_server_is_foretold_for_one_client_after_another() {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443]);
    let director = lab.director();
    for scheduler in ["wlc", "lc", "sed", "nq", "fo"] {
        let config = WEB_AND_MAIL
            .replace("persistence = \"pfwmc\"\n", "")
            .replace("scheduler = \"rr\"", &format!("scheduler = \"{scheduler}\""))
            .replace("\"172.18.100.12\"]", "{ address = \"172.18.100.12\", weight = 2 }]");
        director.apply(&config);
        let mut open: Vec<Connection> = Vec::new();
        for number in 0..5 {
            let client = client_v4(number);
            let (_, foretold) = explain(director, &client, WEB);
            let connection = lab.client().connect(client.as_str(), WEB).unwrap();
            let may = chosen(&foretold);
            assert!(may.contains(&connection.server), "{scheduler} {number}: {foretold:#}");
            let counted = |number: usize| {
                let (_, document) = explain(director, CLIENT, WEB);
                let servers = document["real_servers"].as_array().unwrap().iter();
                let active = servers.map(|it| it["active"].as_u64().unwrap()).sum::<u64>();
                active == number as u64
            };
            open.push(connection);
            until("the connection is counted", || counted(open.len()));
        }
        drop(open);
        director.fwmarkctl(&["clear", "--yes"]).ok();
    }
}

#[test]
fn a_connection_is_known_by_its_port() {
    let lab = web_and_mail();
    let connection = lab.client().connect(CLIENT, WEB).unwrap();
    let place = connection.local().to_string();
    lab.director()
        .ipvsadm("-e -f 10 -r 172.18.100.11:0 -g -w 0\n-e -f 10 -r 172.18.100.12:0 -g -w 0");
    let (arrives, known) = explain(lab.director(), &place, WEB);
    assert!(arrives, "{known:#}");
    assert_eq!(chosen(&known), [connection.server.as_str()], "{known:#}");
    assert!(said(&known, "known").starts_with("it belongs to a connection"), "{known:#}");
}

#[test]
fn what_is_lost_is_said_to_be_lost_and_where() {
    let lab = web_and_mail();
    let director = lab.director();
    let ask = |target: &str| lab.client().tcp(CLIENT, target);
    // Not marked.
    let (arrives, lost) = explain(director, CLIENT, "172.18.100.7:8080");
    assert_eq!(
        (arrives, &lost["end"], &lost["mark"]),
        (false, &"not-balanced".into(), &Value::Null)
    );
    assert_eq!(ask("172.18.100.7:8080"), Err(Failure::Refused));
    // Nobody takes it.
    director.ipvsadm("-e -f 25 -r 172.18.100.11:0 -g -w 0\n-e -f 25 -r 172.18.100.12:0 -g -w 0");
    let (arrives, refused) = explain(director, CLIENT, MAIL);
    assert_eq!((arrives, &refused["end"]), (false, &"refused".into()), "{refused:#}");
    assert_eq!(ask(MAIL), Err(Failure::Refused));
    // The service is gone.
    director.ipvsadm("-D -f 25");
    let (arrives, gone) = explain(director, CLIENT, MAIL);
    assert_eq!((arrives, &gone["end"]), (false, &"not-balanced".into()), "{gone:#}");
    assert!(said(&gone, "service").starts_with("there is no service of mark 25"), "{gone:#}");
    assert_eq!(ask(MAIL), Err(Failure::Refused));
    // A filter of somebody else's drops what this client sends.
    assert!(explain(director, CLIENT, WEB).0);
    director.nft(&format!(
        "table inet ban {{\n\
         chain input {{ type filter hook input priority filter; ip saddr {CLIENT} tcp dport 80 drop; }}\n\
         }}"
    ));
    let (arrives, dropped) = explain(director, CLIENT, WEB);
    assert!(!arrives, "{dropped:#}");
    let (arrives, other) = explain(director, &client_v4(1), WEB);
    assert!(arrives, "{other:#}");
    assert!(lab.client().tcp(client_v4(1).as_str(), WEB).is_ok());
    let short = lab.client().patience(Duration::from_secs(1));
    assert_eq!(short.tcp(CLIENT, WEB), Err(Failure::Timeout));
    director.nft("delete table inet ban");
    // It is not marked for want of the rule that calls ours, or for one before it.
    if let Marks::Iptables { variant, .. } = Marks::of_this_run() {
        let mangle = |rule: &str| {
            let words = rule.split(' ');
            let command = director.command(&format!("iptables-{variant}"));
            command.args(["-t", "mangle"]).args(words).ok();
        };
        for (spoil, mend, code) in [
            ("-I PREROUTING -s 172.18.100.100 -j ACCEPT", "-D PREROUTING 1", "D0305"),
            ("-D PREROUTING -j FWMARKCTL", "-A PREROUTING -j FWMARKCTL", "D0306"),
        ] {
            mangle(spoil);
            let (arrives, lost) = explain(director, CLIENT, WEB);
            assert!(!arrives, "{spoil}: {lost:#}");
            assert_eq!(lost["findings"][0]["code"], code, "{lost:#}");
            assert!(said(&lost, "mark").contains("would mark it"), "{lost:#}");
            assert_eq!(ask(WEB), Err(Failure::Refused), "{spoil}");
            mangle(mend);
            assert!(explain(director, CLIENT, WEB).0, "{mend}");
        }
    }
    // A filter of somebody else's drops it.
    director.nft(
        "table inet filter {\n\
         chain input { type filter hook input priority filter; policy accept; tcp dport 80 drop; }\n\
         }",
    );
    let (arrives, dropped) = explain(director, CLIENT, WEB);
    assert!(!arrives, "{dropped:#}");
    assert_eq!(dropped["findings"][0]["severity"], "stops", "{dropped:#}");
    assert!(explain(director, CLIENT, "172.18.100.7:443").0);
    let text = director.fwmarkctl(&["explain", CLIENT, WEB]).run();
    assert_eq!(text.code, Some(3));
    assert!(text.stdout.contains("It does not get through"), "{}", text.stdout);
    assert!(text.stdout.lines().all(|line| line.chars().count() < 80), "{}", text.stdout);
    assert_eq!(
        lab.client().patience(Duration::from_secs(1)).tcp(CLIENT, WEB),
        Err(Failure::Timeout)
    );
}

#[test]
fn packets_of_ipv6_and_udp_are_followed_too() {
    let lab = Lab::dr();
    lab.serve_udp(&[443]);
    let director = lab.director();
    director.apply(
        r#"
        [group.quic]
        vips = ["2001:db8:18:100::7"]
        ports = ["443/udp"]
        scheduler = "rr"
        persistence = "pfwmc"
        real = ["2001:db8:18:100::11", "2001:db8:18:100::12"]
        "#,
    );
    let (client, target) = (client_v6(1), "[2001:db8:18:100::7]:443");
    let server = lab.client().udp(client.as_str(), target).unwrap();
    let (arrives, known) = explain(director, &client, &format!("{target}/udp"));
    assert!(arrives, "{known:#}");
    let number = server.trim_start_matches("rs");
    assert_eq!(known["chosen"][0], format!("2001:db8:18:100::1{number}"), "{known:#}");
    assert!(!explain(director, &client, &format!("{target}/tcp")).0);
}
