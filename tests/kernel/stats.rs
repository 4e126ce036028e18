//! `stats` and `zero`: what marks counted, what IPVS counted, and what each says of the
//! other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::lab::{CLIENT, CLIENT_V6, Director, Failure, Lab, RealServer, client_v4};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, list, service, until, web_and_mail};

/// Connections, packets and bytes, in and out, as ipvsadm has its columns.
type Row = [u64; 5];

/// What `ipvsadm --stats --exact` shows: by service, and by service and server.
fn rows_of_ipvsadm(listing: &str) -> BTreeMap<(String, String), Row> {
    let mut rows = BTreeMap::new();
    let mut service = String::new();
    for line in listing.lines().skip(3) {
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, numbers) = words.split_at(words.len() - 5);
        let server = if let ["->", server] = name {
            (*server).to_owned()
        } else {
            service = name.join(" ");
            String::new()
        };
        let numbers: Vec<u64> = numbers.iter().map(|number| number.parse().unwrap()).collect();
        rows.insert((service.clone(), server), numbers.try_into().unwrap());
    }
    rows
}

fn row(of: &Value) -> Row {
    ["connections", "packets_in", "packets_out", "bytes_in", "bytes_out"]
        .map(|column| of[column].as_u64().unwrap_or_else(|| panic!("no {column} in {of}")))
}

/// The same of our document.
fn rows_of(document: &Value) -> BTreeMap<(String, String), Row> {
    let mut rows = BTreeMap::new();
    for counted in services(document) {
        let family = if counted["family"] == "ipv6" { " IPv6" } else { "" };
        let name = format!("FWM {}{family}", counted["mark"]);
        let scheduled = &counted["scheduled"];
        rows.insert((name.clone(), String::new()), row(scheduled));
        for server in scheduled["real_servers"].as_array().unwrap() {
            let address = server["address"].as_str().unwrap();
            let address =
                if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            rows.insert((name.clone(), format!("{address}:{}", server["port"])), row(server));
        }
    }
    rows
}

fn services(document: &Value) -> impl Iterator<Item = &Value> {
    let groups = document["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["services"].as_array().unwrap())
}

fn stats(director: &Director, args: &[&str]) -> Value {
    let ended = director.fwmarkctl(&["-o", "json", "stats"]).args(args).run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

/// The counters of the one service of `key`.
fn counters(document: &Value, key: &str) -> Value {
    let of = |counted: &&Value| counted["key"] == key;
    services(document).find(of).unwrap_or_else(|| panic!("no {key} in {document:#}")).clone()
}

/// Our counters when they stand still and IPVS has added up everything, with ipvsadm's of
/// the same time.
fn settled(director: &Director) -> (Value, String) {
    let mut found = None;
    until("both sides stand still", || {
        let before = director.settled_counters();
        let document = stats(director, &[]);
        found = Some((document, before.clone()));
        director.settled_counters() == before
    });
    found.unwrap()
}

/// Clients of both families ask a group by all of its ports.
fn both_sides_agree(lab: &Lab, more: &str) {
    lab.serve_tcp(&[80, 443]);
    lab.serve_udp(&[443]);
    let director = lab.director();
    director.apply(&format!(
        "[group.web]\nvips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\n\
         ports = [\"80/tcp\", \"443/tcp\", \"440-443/udp\"]\nmark = 10\nscheduler = \"rr\"\n\
         {more}\nreal = {}\n",
        list(lab, &[RealServer::v4, RealServer::v6]),
    ));
    for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
        for port in [80, 443] {
            lab.client().tcp(source, &format!("{vip}:{port}")).unwrap();
        }
        lab.client().udp(source, &format!("{vip}:443")).unwrap();
    }
    let (document, listing) = settled(director);
    assert_eq!(rows_of(&document), rows_of_ipvsadm(&listing), "{document:#}\n{listing}");
    let is_nat = more.contains("nat");
    for key in ["fwmark 10 ipv4", "fwmark 10 ipv6"] {
        let counted = counters(&document, key);
        let (marked, scheduled) = (&counted["marked"], &counted["scheduled"]);
        assert_eq!(marked["packets"], scheduled["packets_in"], "{document:#}");
        assert_eq!(marked["bytes"], scheduled["bytes_in"], "{document:#}");
        assert_eq!((&counted["unscheduled"], &counted["lost"]), (&0.into(), &Value::Null));
        assert_eq!(scheduled["packets_out"].as_u64().unwrap() > 0, is_nat, "{document:#}");
        assert_eq!(scheduled["connections"], 3, "{document:#}");
        let entries = marked["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 3, "{document:#}");
        let of =
            |ports: &str| entries.iter().find(|e| e["ports"] == ports).unwrap()["packets"].clone();
        assert_eq!(of("440-443"), 1, "a range counts too");
        assert!(of("80").as_u64() >= Some(4), "a TCP connection is four packets and more");
    }
}

#[test]
fn both_sides_agree_for_direct_routing() {
    both_sides_agree(&Lab::dr(), "");
}

#[test]
fn both_sides_agree_for_direct_routing_with_persistence() {
    both_sides_agree(&Lab::dr(), "persistence = \"pfwmc\"");
}

#[test]
fn both_sides_agree_for_nat() {
    both_sides_agree(&Lab::nat(), "forward = \"nat\"");
}

#[test]
fn both_sides_agree_for_nat_with_persistence() {
    both_sides_agree(&Lab::nat(), "forward = \"nat\"\npersistence = \"pfwmc\"");
}

#[test]
fn an_apply_keeps_the_counts_of_what_it_leaves_alone() {
    let lab = web_and_mail();
    let director = lab.director();
    for number in 0..4 {
        lab.client().tcp(client_v4(number).as_str(), WEB).unwrap();
        lab.client().tcp(client_v4(number).as_str(), MAIL).unwrap();
    }
    let (before, _) = settled(director);
    // The mail server gets a second port, the web another weight.
    let changed = WEB_AND_MAIL.replace("\"25/tcp\"", "\"25/tcp\", \"587/tcp\"").replace(
        "\"pfwmc\"\nreal = [\"172.18.100.11\"",
        "\"pfwmc\"\nreal = [{ address = \"172.18.100.11\", weight = 2 }",
    );
    director.apply(&changed);
    let (after, _) = settled(director);
    for key in ["fwmark 10 ipv4", "fwmark 25 ipv4"] {
        let (before, after) = (counters(&before, key), counters(&after, key));
        assert!(before["marked"]["packets"].as_u64() > Some(16), "{before:#}");
        for count in ["packets", "bytes"] {
            assert_eq!(before["marked"][count], after["marked"][count], "{key}");
        }
        assert_eq!(row(&before["scheduled"]), row(&after["scheduled"]), "{key}");
    }
    assert_eq!(counters(&after, "fwmark 25 ipv4")["marked"]["entries"][1]["packets"], 0);
}

/// A service of somebody else, by address.
const FOREIGN: &str =
    "-A -t 172.18.100.8:443 -s rr\n-a -t 172.18.100.8:443 -r 172.18.100.11:443 -g\n";

#[test]
fn zero_counts_both_sides_anew_and_nobody_elses() {
    let lab = web_and_mail();
    let director = lab.director();
    director.ipvsadm(FOREIGN);
    for target in [WEB, MAIL, "172.18.100.8:443"] {
        lab.client().tcp(CLIENT, target).unwrap();
    }
    let (_, listing) = settled(director);
    let foreign = service(&listing, "172.18.100.8:443");
    let mail = service(&listing, "FWM  25");

    let text = director.fwmarkctl(&["zero", "web"]).ok();
    assert_eq!(text, "Counting from zero: 2 mark rules, 1 service.\n");
    let document = stats(director, &[]);
    let web = counters(&document, "fwmark 10 ipv4");
    assert_eq!(row(&web["scheduled"]), [0; 5], "{document:#}");
    assert_eq!((&web["marked"]["packets"], &web["marked"]["bytes"]), (&0.into(), &0.into()));
    assert_ne!(counters(&document, "fwmark 25 ipv4")["marked"]["packets"], 0);
    let listing = director.counters();
    assert_eq!(service(&listing, "172.18.100.8:443"), foreign);
    assert_eq!(service(&listing, "FWM  25"), mail);

    // From there both count on, alike, and alone what changes begins anew.
    lab.client().tcp(client_v4(1).as_str(), WEB).unwrap();
    let both = || {
        let web = counters(&stats(director, &["web"]), "fwmark 10 ipv4");
        (
            web["marked"]["packets"].as_u64().unwrap(),
            web["scheduled"]["packets_in"].as_u64().unwrap(),
        )
    };
    until("both sides count alike", || {
        let (marked, scheduled) = both();
        marked > 3 && marked == scheduled
    });
    let (_, document) = director.json(&["zero"], "");
    assert_eq!(document["zeroed"], serde_json::json!({ "mark_rules": 3, "services": 2 }));
    let document = stats(director, &[]);
    for key in ["fwmark 10 ipv4", "fwmark 25 ipv4"] {
        let counted = counters(&document, key);
        assert_eq!(counted["marked"]["packets"], 0, "{document:#}");
        assert_eq!(row(&counted["scheduled"]), [0; 5], "{document:#}");
    }
    assert_eq!(service(&director.counters(), "172.18.100.8:443"), foreign);

    // A table that is made anew counts from 0 by itself; nothing is taken away then.
    director.flush_ruleset();
    director.apply(WEB_AND_MAIL);
    lab.client().tcp(client_v4(2).as_str(), WEB).unwrap();
    let document = stats(director, &["web"]);
    assert!(counters(&document, "fwmark 10 ipv4")["marked"]["packets"].as_u64() > Some(3));
    let files = director.run(|| std::fs::read_dir("/run/fwmarkctl").unwrap().count());
    let zeros = director.run(|| {
        let names = std::fs::read_dir("/run/fwmarkctl").unwrap();
        names
            .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("zero"))
            .count()
    });
    assert_eq!(zeros, 0, "the file went with the entries, of {files}");
}

#[test]
fn what_is_marked_and_not_scheduled_is_seen() {
    let lab = web_and_mail();
    let director = lab.director();
    lab.client().tcp(CLIENT, WEB).unwrap();
    lab.client().tcp(CLIENT, MAIL).unwrap();
    settled(director);
    director.fwmarkctl(&["zero"]).ok();

    // No real server of the mail takes anybody; the web's service is gone.
    for server in ["172.18.100.11", "172.18.100.12"] {
        director.command("ipvsadm").args(["-e", "-f", "25", "-r", server, "-g", "-w", "0"]).ok();
    }
    director.command("ipvsadm").args(["-D", "-f", "10"]).ok();
    for _ in 0..5 {
        assert_eq!(lab.client().tcp(CLIENT, MAIL), Err(Failure::Refused));
        assert_eq!(lab.client().tcp(CLIENT, WEB), Err(Failure::Refused));
    }

    let document = stats(director, &[]);
    let mail = counters(&document, "fwmark 25 ipv4");
    assert_eq!((&mail["marked"]["packets"], &mail["unscheduled"]), (&5.into(), &5.into()));
    assert_eq!(mail["lost"], Value::Null, "one reading does not tell");
    let web = counters(&document, "fwmark 10 ipv4");
    assert_eq!((&web["marked"]["packets"], &web["scheduled"]), (&5.into(), &Value::Null));
    let text = director.fwmarkctl(&["stats"]).ok();
    for remark in [
        "! there is no service fwmark 10 ipv4: what is marked for it is not scheduled",
        "! no real server has a weight: new connections are refused",
        "! 5 more packets were marked than scheduled; IPVS adds up every 2 s",
    ] {
        assert!(text.contains(remark), "{remark} is not in\n{text}");
    }

    // Two readings do.
    let document = stats(director, &["mail", "--rate"]);
    assert_eq!(counters(&document, "fwmark 25 ipv4")["lost"], 5, "{document:#}");
    let text = director.fwmarkctl(&["stats", "--rate", "mail"]).ok();
    let remark = "! 5 packets were marked and not scheduled";
    assert!(text.contains(remark), "{remark} is not in\n{text}");
    assert!(!text.contains("fwmark 10"), "{text}");

    // While it goes on, what meets no service is lost as it is marked.
    let config = lab.director();
    let running =
        config.fwmarkctl(&["-o", "json", "stats", "web", "--rate", "--watch", "2"]).spawn();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(6) {
        assert_eq!(lab.client().tcp(CLIENT, WEB), Err(Failure::Refused));
    }
    running.signal(Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in ended.stdout.lines() {
        let document: Value = serde_json::from_str(line).unwrap();
        assert!(document["interval"].as_f64() >= Some(2.0), "{line}");
    }
}

#[test]
fn rates_are_of_the_time_between_two_readings() {
    let lab = web_and_mail();
    let director = lab.director();
    let document = lab.beside_traffic(&[], &[WEB], |traffic| {
        traffic.each_answers(5, |_| true);
        // IPVS adds up every two seconds, and later where the machine has other work.
        let mut document = stats(director, &["web", "--rate"]);
        until("IPVS has added up between two readings", || {
            let rates = &counters(&document, "fwmark 10 ipv4")["scheduled"]["rate"];
            let is_so = rates["packets_in"].as_f64() > Some(0.0)
                && rates["connections"].as_f64() > Some(0.0);
            if !is_so {
                document = stats(director, &["web", "--rate"]);
            }
            is_so
        });
        document
    });
    let web = counters(&document, "fwmark 10 ipv4");
    let interval = document["interval"].as_f64().unwrap();
    assert!((2.0..10.0).contains(&interval), "{interval}");
    let rate = |of: &Value| of.as_f64().unwrap_or_else(|| panic!("no rate: {document:#}"));
    let marked = rate(&web["marked"]["rate"]["packets"]);
    let total = web["marked"]["packets"].as_f64().unwrap();
    assert!(marked > 0.0 && marked <= total / interval + 0.1, "{marked} of {total}");
    for column in ["connections", "packets_in", "bytes_in"] {
        assert!(rate(&web["scheduled"]["rate"][column]) > 0.0, "{column}: {document:#}");
    }
    assert!(web["scheduled"]["estimate"]["packets_in"].is_u64());
    assert_eq!(web["lost"].as_u64().unwrap_or(0), 0, "{document:#}");

    let text = director.fwmarkctl(&["stats", "web", "--rate", "--exact"]).ok();
    assert!(text.contains("kernel's estimate") && text.contains("packets in/s"), "{text}");
    let ended = director.fwmarkctl(&["stats", "webb"]).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("there is no group 'webb' in the kernel"), "{ended:?}");
    assert!(ended.stderr.contains("there are: mail, web"), "{ended:?}");
}
