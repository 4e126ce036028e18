//! Random configurations with all that the format has: few addresses, ports and marks, so
//! that groups resemble each other. Some are refused; [`config`] gives only sound ones.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]
#![allow(dead_code, reason = "each test program uses what it needs")]

use std::fmt::Write;

use fwmarkctl::config::{Config, Options, Sources, load};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// What one group has.
#[derive(Clone, Debug)]
struct Choices {
    families: usize,
    prefix: bool,
    ports: Vec<&'static str>,
    persistence: &'static str,
    wide: &'static str,
    via_address: bool,
    marks: usize,
    scheduler: &'static str,
    one_packet: bool,
    forward: &'static str,
    snat: usize,
    servers: Vec<Server>,
}

#[derive(Clone, Debug)]
struct Server {
    host: u32,
    family: usize,
    port: Option<u16>,
    weight: u32,
    forward: Option<&'static str>,
    thresholds: (u32, u32),
}

const NAMES: [&str; 4] = ["web", "a.b", "mail_1", "x-2"];

const FORWARDS: [&str; 7] = [
    r#""dr""#,
    r#""nat""#,
    r#""fullnat""#,
    r#""tun""#,
    r#"{ type = "gue" }"#,
    r#"{ type = "gue", port = 7000, checksum = "remcsum" }"#,
    r#"{ type = "gre", checksum = "csum" }"#,
];

const SCHEDULERS: [&str; 5] = [
    r#""rr""#,
    r#""wlc""#,
    r#"{ name = "mh", flags = ["fallback", "port"] }"#,
    r#"{ name = "sh", flags = ["sh-port"] }"#,
    r#"{ name = "lc", flags = ["flag-3"] }"#,
];

fn server() -> impl Strategy<Value = Server> {
    let port = select(vec![None, None, None, Some(80), Some(8080)]);
    let weight = select(vec![1, 1, 1, 0, 2, 65_535]);
    let mut forwards = vec![None; 12];
    forwards.extend(FORWARDS.map(Some));
    let thresholds = select(vec![(0, 0), (0, 0), (100, 0), (100, 50)]);
    (1_u32..5, 0_usize..2, port, weight, select(forwards), thresholds).prop_map(
        |(host, family, port, weight, forward, thresholds)| Server {
            host,
            family,
            port,
            weight,
            forward,
            thresholds,
        },
    )
}

fn choices() -> impl Strategy<Value = Choices> {
    let ports = vec!["80/tcp", "80/udp", "443/tcp", "443/udp", "8000-8100/tcp", "9000/sctp", "any"];
    let ports = prop_oneof![
        4 => subsequence(ports.clone(), 1..3),
        2 => Just(vec!["80/tcp", "443/tcp"]),
        1 => subsequence(ports, 1..7),
        2 => Just(vec![]),
        1 => Just(vec!["any"]),
        1 => Just(vec!["5060/udp"]),
    ];
    let persistence = select(vec!["none", "pfwmc", "ppc", "ppc", "pcc", "pcc"]);
    let wide = select(vec![
        "",
        "",
        ", timeout = \"90m\"",
        ", netmask = 24",
        ", netmask6 = 64",
        ", timeout = 7, netmask = 8, netmask6 = 1",
        ", engine = \"sip\"",
    ]);
    let rare = || prop::bool::weighted(0.2);
    let first = (1_usize..4, rare(), ports, persistence, wide, prop::bool::weighted(0.4));
    let second = (0_usize..3, select(SCHEDULERS.to_vec()), rare(), select(FORWARDS.to_vec()));
    let third = (0_usize..3, prop::collection::vec(server(), 1..6));
    (first, second, third).prop_map(|(first, second, third)| {
        let (families, prefix, ports, persistence, wide, via_address) = first;
        let (marks, scheduler, one_packet, forward) = second;
        let (snat, servers) = third;
        Choices {
            families,
            prefix,
            ports,
            persistence,
            wide,
            via_address,
            marks,
            scheduler,
            one_packet,
            forward,
            snat,
            servers,
        }
    })
}

impl Choices {
    fn write(&self, number: usize, text: &mut String) {
        let name = NAMES[number];
        writeln!(text, "[group.\"{name}\"]").unwrap();
        // Its own VIPs, in whatever order.
        let mut vips = Vec::new();
        if self.families & 1 != 0 {
            vips.push(format!("10.0.{number}.9"));
            vips.push(format!("10.0.{number}.{}", 1 + self.snat));
            if self.prefix {
                vips.push(format!("10.0.{number}.64/26"));
            }
        }
        if self.families & 2 != 0 {
            vips.push(format!("2001:db8:{number}::1"));
            if self.prefix {
                vips.push(format!("2001:db8:{number}:1::/64"));
            }
        }
        writeln!(text, "vips = {vips:?}").unwrap();
        if self.persistence != "pcc" {
            writeln!(text, "ports = {:?}", self.ports).unwrap();
        }
        writeln!(text, "persistence = {{ mode = \"{}\"{} }}", self.persistence, self.wide).unwrap();
        writeln!(text, "scheduler = {}\nforward = {}", self.scheduler, self.forward).unwrap();
        if self.via_address {
            text.push_str("via = \"address\"\n");
        }
        match (self.marks, self.persistence) {
            _ if self.via_address => {}
            (0, "ppc") => {
                let marks = self.ports.iter().zip(10 * (1 + number)..);
                let marks: Vec<_> =
                    marks.map(|(port, mark)| format!("\"{port}\" = {mark}")).collect();
                writeln!(text, "marks = {{ {} }}", marks.join(", ")).unwrap();
            }
            (0, _) => writeln!(text, "mark = {}", 10 * (1 + number)).unwrap(),
            _ => {}
        }
        if self.one_packet {
            text.push_str("one-packet = true\n");
        }
        if self.snat > 0 {
            let both = ["\"10.9.0.1\"", "\"2001:db8:9::1\""];
            let snat = if self.snat == 1 { &both[..1] } else { &both[..] };
            writeln!(text, "snat = [{}]", snat.join(", ")).unwrap();
        }
        let servers: Vec<_> = self.servers.iter().map(Server::text).collect();
        writeln!(text, "real = [{}]", servers.join(", ")).unwrap();
    }
}

impl Server {
    fn text(&self) -> String {
        let network = ["10.1.0.", "2001:db8:f::"][self.family];
        let mut text = format!("{{ address = \"{network}{}\", weight = {}", self.host, self.weight);
        if let Some(port) = self.port {
            write!(text, ", port = {port}").unwrap();
        }
        if let Some(forward) = self.forward {
            write!(text, ", forward = {forward}").unwrap();
        }
        let (upper, lower) = self.thresholds;
        write!(text, ", upper-threshold = {upper}, lower-threshold = {lower} }}").unwrap();
        text
    }
}

fn director() -> impl Strategy<Value = String> {
    let lines = vec![
        "local-traffic = true",
        "backend = \"iptables\"\nvariant = \"legacy\"",
        "backend = \"iptables\"\nvariant = \"nft\"",
        "max-rules = 7",
        "ask-above = \"0%\"",
        "ask-above = 80",
        "marks = \"0x1000-0x1fff\"",
        "marks = \"257-1019\"",
        "vips = \"route\"",
        "vips = \"bind\"\ninterface = \"eth0\"",
        "sysctl.\"net.ipv4.vs.conntrack\" = 1",
        "sysctl.vs.sync_threshold = \"3 50\"",
        "sysctl.vs.expire_quiescent_template = 0",
        "sysctl.\"net.ipv4.conf.eth0/100.rp_filter\" = 2",
        "timeouts = { tcp = \"1h\", udp = 7 }",
        "sync = { role = \"master\", interface = \"eth1\" }",
        "sync = { role = \"both\", interface = \"eth1\", id = 7, group = \"ff02::81\", port = 9, ttl = 2, maxlen = 1024 }",
    ];
    subsequence(lines, 0..3).prop_map(|lines| format!("[director]\n{}\n", lines.join("\n")))
}

/// The text of a configuration, which may be refused.
fn text() -> impl Strategy<Value = String> {
    let groups = prop::collection::btree_map(0..NAMES.len(), choices(), 1..4);
    (director(), groups).prop_map(|(mut text, groups)| {
        for (number, group) in groups {
            group.write(number, &mut text);
        }
        text
    })
}

/// Reads a text; none where it is refused.
pub(crate) fn read(text: &str) -> Option<Config> {
    load(Sources::text(text.to_owned()), &Options::default()).ok()
}

/// A sound configuration of one group or several: those of its groups that are refused are
/// left out.
pub(crate) fn config() -> impl Strategy<Value = (String, Config)> {
    text().prop_filter_map("refused", |text| {
        let mut parts = text.split_inclusive("[group.");
        let mut sound = parts.next()?.trim_end_matches("[group.").to_owned();
        let groups: Vec<_> =
            text.split("[group.").skip(1).map(|it| format!("[group.{it}")).collect();
        for group in groups {
            if read(&format!("{sound}{group}")).is_some() {
                sound.push_str(&group);
            }
        }
        let config = read(&sound)?;
        Some((sound, config))
    })
}
