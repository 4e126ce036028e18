//! What marking costs a packet: the maps of nftables, rules and sets of both iptables, with
//! few entries and with many, in the same run. An entry is an address with a port; rules
//! have two ports each, as people write them. Of the maps also what a packet costs that an
//! interval map knows (a prefix with a range of ports, of which there is one for twenty
//! entries), and one that no entry knows.
//!
//! Run through `make bench`. What is measured is the way of an UDP packet over loopback
//! into a full receive buffer, less that way without any rule; forms take turns, and the
//! best tenth of the rounds counts. Needs no IPVS. `FWMARKCTL_BENCH_PROGRAM` compiles with
//! another fwmarkctl, to compare two.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on shall say where")]

#[allow(dead_code, reason = "shared with other benchmarks")]
mod groups;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use fwmarkctl::backend::ipset::{Extensions, Ipset, Member, SetDefinition, SetKind};
use fwmarkctl::model::{Family, Prefix, Protocol};
use groups::namespace;

const ROUNDS: usize = 60;
/// How long a form is measured in one round.
const ROUND: Duration = Duration::from_millis(20);
const PORTS: [u16; 2] = [80, 443];
/// The sets of a family, as the iptables backend looks into them.
const SETS: [(&str, &str, &str); 5] = [
    ("net", "", "dst,dst"),
    ("all-tcp", "-p tcp ", "dst"),
    ("all-udp", "-p udp ", "dst"),
    ("all-sctp", "-p sctp ", "dst"),
    ("port", "", "dst,dst"),
];

/// What marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Nothing,
    Nftables,
    Rules(&'static str),
    Sets(&'static str),
}

/// Where packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packet {
    /// To an address and port among the entries.
    Exact,
    /// To a prefix and a range of ports.
    Range,
    /// To what no entry knows.
    Foreign,
    /// The same by IPv6.
    ForeignIpv6,
}

const FORMS: [(&str, Form, Packet); 10] = [
    ("none", Form::Nothing, Packet::Exact),
    ("none, IPv6", Form::Nothing, Packet::ForeignIpv6),
    ("nftables: maps", Form::Nftables, Packet::Exact),
    ("nftables: maps, a range", Form::Nftables, Packet::Range),
    ("nftables: maps, not ours", Form::Nftables, Packet::Foreign),
    ("nftables: maps, not ours, IPv6", Form::Nftables, Packet::ForeignIpv6),
    ("iptables-legacy: rules", Form::Rules("iptables-legacy-restore"), Packet::Exact),
    ("iptables-nft: rules", Form::Rules("iptables-nft-restore"), Packet::Exact),
    ("iptables-legacy: sets", Form::Sets("iptables-legacy-restore"), Packet::Exact),
    ("iptables-nft: sets", Form::Sets("iptables-nft-restore"), Packet::Exact),
];
/// The places of the ways without a rule, and of the maps, in [`FORMS`].
const NONE: usize = 0;
const NONE_IPV6: usize = 1;
const MAPS: usize = 2;

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10, 1_000, 10_000] } else { sizes };
    println!("| entries | form | ns a packet | times that of the maps |");
    println!("|---|---|---|---|");
    for size in sizes {
        let mut all: Vec<_> =
            FORMS.iter().map(|(_, form, packet)| Measured::start(*form, *packet, size)).collect();
        let mut costs = vec![Vec::new(); all.len()];
        for _ in 0..ROUNDS {
            for (measured, costs) in all.iter_mut().zip(&mut costs) {
                costs.push(measured.round());
            }
        }
        let best: Vec<f64> = costs.into_iter().map(best_tenth).collect();
        let maps = best[MAPS] - best[NONE];
        for ((name, form, packet), cost) in FORMS.iter().zip(&best) {
            if *form == Form::Nothing {
                println!("| {size} | {name} | {cost:.0} in all | |");
                continue;
            }
            let without = if *packet == Packet::ForeignIpv6 { NONE_IPV6 } else { NONE };
            let added = cost - best[without];
            println!("| {size} | {name} | {added:.0} | {:.1} |", added / maps);
        }
    }
}

fn best_tenth(mut costs: Vec<f64>) -> f64 {
    costs.sort_by(f64::total_cmp);
    costs[costs.len() / 10]
}

/// A thread in a namespace of its own, which measures when it is asked to.
struct Measured {
    ask: Sender<()>,
    answer: Receiver<f64>,
}

impl Measured {
    fn start(form: Form, packet: Packet, entries: usize) -> Self {
        let (ask, asked) = channel();
        let (give, answer) = channel();
        std::thread::spawn(move || {
            let _namespace: File = namespace();
            run("ip", &["address", "add", "10.0.0.1/8", "dev", "lo"], "");
            run("ip", &["-6", "route", "add", "local", "fd00::/64", "dev", "lo"], "");
            load(form, entries / PORTS.len());
            let (to, port) = packet.destination(entries / PORTS.len());
            let packets = Packets::to(to, port);
            while asked.recv().is_ok() {
                give.send(packets.cost()).unwrap();
            }
        });
        Self { ask, answer }
    }

    fn round(&mut self) -> f64 {
        self.ask.send(()).unwrap();
        self.answer.recv().unwrap()
    }
}

/// Packets to one address and port, where somebody listens and never reads.
struct Packets {
    sender: UdpSocket,
    _listener: UdpSocket,
}

impl Packets {
    fn to(address: IpAddr, port: u16) -> Self {
        let listener = UdpSocket::bind((address, port)).unwrap();
        let from = if address.is_ipv6() { "[fd00::1]:0" } else { "10.0.0.1:0" };
        let sender = UdpSocket::bind(from).unwrap();
        sender.connect((address, port)).unwrap();
        Self { sender, _listener: listener }
    }

    /// Nanoseconds a packet.
    fn cost(&self) -> f64 {
        let start = Instant::now();
        let mut sent = 0_u32;
        while start.elapsed() < ROUND {
            for _ in 0..16 {
                self.sender.send(b"packet").unwrap();
            }
            sent += 16;
        }
        start.elapsed().as_secs_f64() * 1e9 / f64::from(sent)
    }
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a01_0000 + u32::try_from(number).unwrap())
}

impl Packet {
    fn destination(self, addresses: usize) -> (IpAddr, u16) {
        match self {
            Self::Exact => (address(addresses / 2).into(), PORTS[1]),
            Self::Range => ("10.128.0.5".parse().unwrap(), 8050),
            Self::Foreign => ("10.64.0.1".parse().unwrap(), 7777),
            Self::ForeignIpv6 => ("fd00::64".parse().unwrap(), 7777),
        }
    }
}

fn load(form: Form, addresses: usize) {
    match form {
        Form::Nothing => {}
        Form::Nftables => {
            let mut config = String::new();
            for n in 0..addresses {
                let vip = address(n);
                writeln!(
                    config,
                    "[group.g{n}]\nvips = [\"{vip}\"]\nports = [\"80/udp\", \"443/udp\"]\n\
                     persistence = \"pfwmc\"\nreal = [\"10.2.0.1\"]"
                )
                .unwrap();
            }
            for n in 0..(addresses / 10).max(1) {
                let net = Ipv4Addr::from_bits(0x0a80_0000 + (u32::try_from(n).unwrap() << 8));
                writeln!(
                    config,
                    "[group.r{n}]\nvips = [\"{net}/24\"]\nports = [\"8000-8099/udp\"]\n\
                     persistence = \"pfwmc\"\nreal = [\"10.2.0.1\"]"
                )
                .unwrap();
            }
            let other = std::env::var("FWMARKCTL_BENCH_PROGRAM").ok();
            let program = other.as_deref().unwrap_or(env!("CARGO_BIN_EXE_fwmarkctl"));
            let compile = ["-c", "-", "--state-dir", "/nowhere", "compile", "--format", "nft"];
            run("nft", &["-f", "-"], &run(program, &compile, &config));
        }
        Form::Rules(restore) => {
            let mut rules = String::new();
            for n in 0..addresses {
                writeln!(
                    rules,
                    "-A FWMARKCTL -d {}/32 -p udp -m multiport --dports 80,443 -m comment \
                     --comment g{n} -j MARK --set-mark {}",
                    address(n),
                    n + 1
                )
                .unwrap();
            }
            chain(restore, &rules);
        }
        Form::Sets(restore) => {
            let mut ipset = Ipset::open().unwrap();
            let mut rules = String::new();
            for (name, protocol, dimensions) in SETS {
                let set = set(name, addresses * PORTS.len());
                ipset.create(&set).unwrap();
                if set.kind == SetKind::IpPort {
                    ipset.add(&set, &members(addresses)).unwrap();
                }
                writeln!(
                    rules,
                    "-A FWMARKCTL {protocol}-j SET --map-set {} {dimensions} --map-mark",
                    set.name
                )
                .unwrap();
            }
            chain(restore, &rules);
        }
    }
}

fn chain(restore: &str, rules: &str) {
    let text = format!("*mangle\n:FWMARKCTL - [0:0]\n{rules}-A PREROUTING -j FWMARKCTL\nCOMMIT\n");
    run(restore, &["--noflush"], &text);
}

fn set(name: &str, capacity: usize) -> SetDefinition {
    let kind = match name {
        "net" => SetKind::NetPort,
        "port" => SetKind::IpPort,
        _ => SetKind::Net,
    };
    SetDefinition {
        name: format!("fwmarkctl-a-{name}-4"),
        kind,
        family: Family::Ipv4,
        capacity: u32::try_from(capacity).unwrap(),
        extensions: Extensions::ALL,
    }
}

fn members(addresses: usize) -> Vec<Member> {
    let member = |n: usize, port| Member {
        prefix: Prefix::host(address(n).into()),
        port: Some((Protocol::Udp, port)),
        mark_key: None,
        skbmark: Some(u32::try_from(n + 1).unwrap()),
        count: None,
        comment: Some(format!("g{n}")),
    };
    (0..addresses).flat_map(|n| PORTS.map(|port| member(n, port))).collect()
}

/// Runs a program of the machine to its end, and returns what it says.
fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
