//! `connections`: the entries that `ipvsadm -Lnc` shows, with their groups.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::lab::{CLIENT, CLIENT_V6, Director, Kind, Lab, RealServer, client_v4};
use crate::scene::{Fwmarkctl, MAIL, WEB, list, until, web_and_mail};

/// Protocol, state, client, virtual and real side; seconds left apart.
type Entry = ([String; 5], u64);

/// `pro expire state source virtual destination` of ipvsadm, expiry as minutes and seconds.
fn of_ipvsadm(director: &Director) -> BTreeSet<Entry> {
    let listing = director.command("ipvsadm").arg("-Lnc").ok();
    let entry = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let [protocol, left, state, client, target, real] = words.try_into().unwrap();
        let (minutes, seconds) = left.split_once(':').unwrap();
        let left = minutes.parse::<u64>().unwrap() * 60 + seconds.parse::<u64>().unwrap();
        ([protocol, state, client, target, real], left)
    };
    listing.lines().skip(2).map(entry).collect()
}

fn endpoint(of: &Value) -> String {
    let (address, port) = (of["address"].as_str().unwrap(), &of["port"]);
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// The same of our document.
fn of(document: &Value) -> BTreeSet<Entry> {
    let text = |of: &Value| of.as_str().unwrap().to_owned();
    let connection = |row: &Value| {
        let protocol = text(&row["protocol"]).to_uppercase();
        let sides = [&row["client"], &row["virtual"], &row["real_server"]].map(endpoint);
        let [client, target, real] = sides;
        ([protocol, text(&row["state"]), client, target, real], row["expires"].as_u64().unwrap())
    };
    let template = |row: &Value| {
        let client = text(&row["client"]);
        let mark = u32::try_from(row["mark"].as_u64().unwrap()).unwrap();
        let (client, target) = if client.contains(':') {
            let address = std::net::Ipv6Addr::from(u128::from(mark) << 96);
            (format!("[{client}]:0"), format!("[{address}]:0"))
        } else {
            (format!("{client}:0"), format!("{}:0", std::net::Ipv4Addr::from_bits(mark)))
        };
        let sides = [text(&row["state"]), client, target, endpoint(&row["real_server"])];
        let [state, client, target, real] = sides;
        (["IP".to_owned(), state, client, target, real], row["expires"].as_u64().unwrap())
    };
    let connections = document["connections"].as_array().unwrap().iter().map(connection);
    let templates = document["templates"].as_array().unwrap().iter().map(template);
    connections.chain(templates).collect()
}

fn connections(director: &Director, args: &[&str]) -> Value {
    let (code, document) = director.json(&[&["connections"], args].concat(), "");
    assert_eq!(code, 0, "{document:#}");
    document
}

/// Whether both show the same; time passes between them.
fn agree(ours: &BTreeSet<Entry>, theirs: &BTreeSet<Entry>) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|(our, their)| our.0 == their.0 && our.1.abs_diff(their.1) <= 5)
}

/// Connections that stay open, and some that end, of both families.
fn same_as_ipvsadm(lab: &Lab, more: &str) -> Value {
    lab.serve_tcp(&[80, 443]);
    lab.serve_udp(&[443]);
    let director = lab.director();
    director.apply(&format!(
        "[group.web]\nvips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\n\
         ports = [\"80/tcp\", \"443/tcp\", \"440-443/udp\"]\nmark = 10\nscheduler = \"rr\"\n\
         {more}\nreal = {}\n",
        list(lab, &[RealServer::v4, RealServer::v6]),
    ));
    let mut open = Vec::new();
    for (source, vip) in [(CLIENT, "172.18.100.7"), (CLIENT_V6, "[2001:db8:18:100::7]")] {
        open.push(lab.client().connect(source, &format!("{vip}:80")).unwrap());
        lab.client().tcp(source, &format!("{vip}:443")).unwrap();
        lab.client().udp(source, &format!("{vip}:443")).unwrap();
    }
    let mut document = Value::Null;
    until("both show the same", || {
        document = connections(director, &[]);
        let (ours, theirs) = (of(&document), of_ipvsadm(director));
        assert!(ours.len() >= 6, "{document:#}");
        agree(&ours, &theirs)
    });
    for row in document["connections"].as_array().unwrap() {
        assert_eq!(row["group"], "web", "{document:#}");
    }
    let states = document["connections"].as_array().unwrap().iter();
    assert_eq!(states.filter(|row| row["state"] == "ESTABLISHED").count(), 2, "{document:#}");
    document
}

#[test]
fn direct_routing_is_listed_as_ipvsadm_lists_it() {
    let document = same_as_ipvsadm(&Lab::dr(), "");
    assert_eq!(document["templates"], serde_json::json!([]));
}

#[test]
fn direct_routing_with_persistence_is_listed_as_ipvsadm_lists_it() {
    let document = same_as_ipvsadm(&Lab::dr(), "persistence = \"pfwmc\"");
    let templates = document["templates"].as_array().unwrap();
    let shown: Vec<_> = templates
        .iter()
        .map(|row| (row["group"].as_str(), row["mark"].as_u64(), row["client"].as_str()))
        .collect();
    let of = |client| (Some("web"), Some(10), Some(client));
    assert_eq!(shown, [of(CLIENT), of(CLIENT_V6)], "{document:#}");
}

#[test]
fn nat_with_persistence_is_listed_as_ipvsadm_lists_it() {
    let document = same_as_ipvsadm(&Lab::nat(), "forward = \"nat\"\npersistence = \"pfwmc\"");
    assert_eq!(document["templates"].as_array().unwrap().len(), 2, "{document:#}");
}

/// The real server is of another family than the client.
#[test]
fn a_tunnel_across_families_is_listed_as_ipvsadm_lists_it() {
    let lab = Lab::of(&[Kind::Tunnel]);
    lab.serve_tcp(&[80]);
    let server = lab.rs(1).v6();
    lab.director().apply(
        &format!(
            "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nforward = \"tun\"\n\
         persistence = \"pcc\"\nreal = [\"{server}\"]\n"
        )
        .replace("ports = [\"80/tcp\"]\n", ""),
    );
    let _open = lab.client().connect(CLIENT, WEB).unwrap();
    until("both show the same", || {
        let document = connections(lab.director(), &[]);
        assert_eq!(document["connections"][0]["real_server"]["address"], server.as_str());
        agree(&of(&document), &of_ipvsadm(lab.director()))
    });
}

/// A service of somebody else, by address, with persistence.
const FOREIGN: &str =
    "-A -t 172.18.100.8:443 -s rr -p 60\n-a -t 172.18.100.8:443 -r 172.18.100.11:443 -g\n";

#[test]
fn entries_are_filtered_by_group_client_real_server_and_state() {
    let lab = web_and_mail();
    let director = lab.director();
    director.ipvsadm(FOREIGN);
    let open: Vec<_> = [(0, WEB), (1, WEB), (0, MAIL), (2, "172.18.100.8:443")]
        .map(|(client, target)| lab.client().connect(client_v4(client).as_str(), target).unwrap())
        .into();
    let count = |args: &[&str]| {
        let document = connections(director, args);
        let length = |of: &str| document[of].as_array().map(Vec::len);
        (length("connections"), length("templates"))
    };
    // The foreign one has a template too: of its address, which is of no group.
    assert_eq!(count(&[]), (Some(4), Some(3)));
    assert_eq!(count(&["web"]), (Some(2), Some(2)));
    assert_eq!(count(&["mail"]), (Some(1), Some(0)));
    assert_eq!(count(&["web", "mail"]), (Some(3), Some(2)));
    assert_eq!(count(&["--client", "172.18.100.100"]), (Some(2), Some(1)));
    assert_eq!(count(&["--client", "172.18.100.100/31", "web"]), (Some(2), Some(2)));
    assert_eq!(count(&["--client", "fd00::/8"]), (Some(0), Some(0)));
    assert_eq!(count(&["--templates"]), (None, Some(3)));
    assert_eq!(count(&["--state", "established"]), (Some(4), Some(0)));
    assert_eq!(count(&["--state", "fin_wait"]), (Some(0), Some(0)));
    // Two servers take turns: each has one of the web's clients.
    assert_eq!(count(&["--real", "172.18.100.11", "web"]), (Some(1), Some(1)));
    assert_eq!(count(&["--real", "172.18.100.12:80", "web"]), (Some(1), Some(0)));
    assert_eq!(count(&["--real", "172.18.100.12:443", "web"]), (Some(0), Some(0)));

    let document = connections(director, &["--client", &client_v4(2)]);
    assert_eq!(document["connections"][0]["group"], Value::Null, "{document:#}");
    let template = &document["templates"][0];
    assert_eq!((&template["mark"], &template["group"]), (&Value::Null, &Value::Null));
    assert_eq!(endpoint(&template["virtual"]), "172.18.100.8:443");

    let text = director.fwmarkctl(&["connections", "web"]).ok();
    assert!(text.contains("\n2 connections, 2 persistence templates.\n"), "{text}");
    let lines = text.lines().filter(|line| line.contains("fwmark 10") && line.contains("172.18."));
    assert_eq!(lines.count(), 2, "{text}");
    let ended = director.fwmarkctl(&["connections", "games"]).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    drop(open);
}

#[test]
fn a_director_without_groups_has_nothing_to_list() {
    let director = Director::alone();
    let text = director.fwmarkctl(&["connections"]).ok();
    assert_eq!(text, "0 connections, 0 persistence templates.\n");
    let text = director.fwmarkctl(&["stats"]).ok();
    assert_eq!(text, "This director holds nothing of ours.\n");
    let text = director.fwmarkctl(&["zero"]).ok();
    assert_eq!(text, "Counting from zero: 0 mark rules, 0 services.\n");
}
