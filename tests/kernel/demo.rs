//! `make demo`: the main job, shown to a newcomer. A throw-away client, director and two
//! real servers in namespaces; the real program on the real kernel; real requests.

#![allow(clippy::print_stdout, reason = "this program's purpose is to show something")]
#![allow(clippy::unwrap_used, reason = "a demonstration that fails shall say where")]
#![allow(dead_code, reason = "the lab serves the tests too")]

mod lab;

use std::collections::BTreeMap;
use std::time::Duration;

use lab::{CLIENT, Client, Director, Lab, client_v4};

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/web.toml");
const VIP: &str = "172.18.100.7";

fn main() {
    println!("{PICTURE}");
    title("The configuration: examples/web.toml");
    print!("{}", std::fs::read_to_string(CONFIG).unwrap());

    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443]);
    let (director, client) = (lab.director(), lab.client());

    title("Nobody answers yet");
    ask(client);

    title("What would an apply change?");
    fwmarkctl(director, &["-c", "examples/web.toml", "plan"]);

    title("One transaction");
    fwmarkctl(director, &["-c", "examples/web.toml", "apply"]);

    title("One client, 20 requests, port 80 and 443 in turn: one real server");
    answers(client, 20, |_| CLIENT.to_owned());

    title("40 clients, one request to each port: spread over both, each client on one");
    answers(client, 80, |request| client_v4(request / 2).as_str().to_owned());

    title("What the director holds now");
    fwmarkctl(director, &["-c", "examples/web.toml", "status"]);

    title("A second apply has nothing to do");
    fwmarkctl(director, &["-c", "examples/web.toml", "apply"]);

    title("And everything goes as it came");
    fwmarkctl(director, &["clear", "--yes"]);
    ask(client);
    println!("\nThat was the whole of it. README.md goes on from here.");
}

const PICTURE: &str = "
                           director                        real servers
   client                 172.18.100.1                     rs1 172.18.100.11
   172.18.100.100 ...     VIP 172.18.100.7                 rs2 172.18.100.12
        │                      │                                │
        └──────────────────────┴────────────────────────────────┘
   80, 443 to the VIP  →  mark 10 (nftables)  →  fwmark 10 (IPVS)  →  one of both
   the answer goes straight back to the client (direct routing)";

fn title(text: &str) {
    println!("\n── {text} {}", "─".repeat(74_usize.saturating_sub(text.chars().count())));
}

/// Runs the real program in the director and shows what a person would see.
fn fwmarkctl(director: &Director, arguments: &[&str]) {
    println!("director# fwmarkctl {}", arguments.join(" "));
    let whole: Vec<&str> = arguments
        .iter()
        .map(|&word| if word == "examples/web.toml" { CONFIG } else { word })
        .collect();
    print!("{}", director.fwmarkctl(&whole).ok());
}

/// Asks both ports once.
fn ask(client: Client<'_>) {
    for port in [80, 443] {
        let target = format!("{VIP}:{port}");
        let client = client.patience(Duration::from_secs(1));
        match client.tcp(CLIENT, target.as_str()) {
            Ok(server) => println!("client$ curl {target}  →  {server}"),
            Err(failure) => println!("client$ curl {target}  →  {failure:?}"),
        }
    }
}

/// Sends requests to 80 and 443 in turn, and shows a table of who answered what.
fn answers(client: Client<'_>, requests: usize, source: impl Fn(usize) -> String) {
    let mut table: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut homes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in 0..requests {
        let port = [80, 443][request % 2];
        let from = source(request);
        let server = client.tcp(from.as_str(), format!("{VIP}:{port}").as_str()).unwrap();
        table.entry(server.clone()).or_default()[request % 2] += 1;
        let servers = homes.entry(from).or_default();
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    println!("  real server   port 80   port 443");
    for (server, [http, https]) in table {
        println!("  {server:<12}  {http:>7}   {https:>8}");
    }
    let split = homes.values().filter(|servers| servers.len() > 1).count();
    println!("  clients: {}, torn between two servers: {split}", homes.len());
    assert_eq!(split, 0, "a client must stay on its real server");
}
