//! What the scenes share: fwmarkctl run on a lab's director with a configuration
//! on its standard input, and the questions that each scene asks afterwards.

use std::fs::read_to_string;
use std::time::{Duration, Instant};

use fwmarkctl::backend::nftables::Nftables;
use fwmarkctl::backend::{KernelDirector, Netfilter};
use fwmarkctl::model::{Form, Marker, Variant};
use fwmarkctl::state::DirectorState;
use serde_json::Value;

use crate::lab::{Client, Director, Ended, Failure, Lab, Marks, Program, RealServer};

/// Two groups with real servers in common: the web on one VIP, mail on the other.
pub(crate) const WEB_AND_MAIL: &str = r#"
[group.web]
vips = ["172.18.100.7"]
ports = ["80/tcp", "443/tcp"]
mark = 10
scheduler = "rr"
persistence = "pfwmc"
real = ["172.18.100.11", "172.18.100.12"]

[group.mail]
vips = ["172.18.100.8"]
ports = ["25/tcp"]
mark = 25
scheduler = "rr"
real = ["172.18.100.11", "172.18.100.12"]
"#;

/// A port of the group web.
pub(crate) const WEB: &str = "172.18.100.7:80";
/// The port of the group mail.
pub(crate) const MAIL: &str = "172.18.100.8:25";

/// A lab that serves [`WEB_AND_MAIL`], applied.
pub(crate) fn web_and_mail() -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443]);
    lab.director().apply(WEB_AND_MAIL);
    lab
}

/// Enough groups that an apply takes a while: 400, of two servers each.
pub(crate) fn many() -> String {
    let group = |n: usize| {
        format!(
            "[group.g{n}]\nvips = [\"10.1.{}.{}\"]\nports = [\"80/tcp\"]\n\
             real = [\"10.2.0.1\", \"10.2.0.2\"]\n",
            n / 250,
            n % 250 + 1
        )
    };
    (0..400).map(group).collect()
}

/// What a boot does: the kernel is empty, and counts another boot. Files survive it.
pub(crate) fn reboot(director: &Director) {
    director.run(|| {
        std::fs::write("/run/boot_id", "00000000-0000-4000-8000-000000000001\n").unwrap();
        rustix::mount::mount_bind("/run/boot_id", "/proc/sys/kernel/random/boot_id").unwrap();
    });
    director.forget_rules();
    director.ipvsadm("-C");
}

/// `state`, marked by the backend of this run.
pub(crate) fn marked(state: DirectorState) -> DirectorState {
    let (marker, form) = match Marks::of_this_run() {
        Marks::Nftables => (Marker::Nftables, Form::Rules),
        Marks::Iptables { variant, sets } => {
            let variant = if variant == "nft" { Variant::Nft } else { Variant::Legacy };
            (Marker::Iptables(variant), if sets { Form::Sets } else { Form::Rules })
        }
    };
    DirectorState { marker, form, ..state }
}

/// fwmarkctl with a configuration, on the director.
pub(crate) trait Fwmarkctl {
    /// `fwmarkctl ARGS` that reads `config`.
    fn with(&self, args: &[&str], config: &str) -> Program<'_>;

    /// Applies `config`, which has to succeed; the answer is what it printed.
    fn apply(&self, config: &str) -> String {
        self.with(&["apply"], config).ok()
    }

    /// Runs a command that answers in JSON; the answer is the exit status and
    /// the document.
    fn json(&self, args: &[&str], config: &str) -> (i32, Value) {
        let ended = self.with(&[&["-o", "json"], args].concat(), config).run();
        let document = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {ended:?}"));
        (ended.code.unwrap(), document)
    }

    /// Whether the kernel holds what `config` says, by `plan`; whoever expects
    /// otherwise gets the plan to look at.
    fn in_sync(&self, config: &str) -> Result<(), String> {
        let Ended { code, stdout, stderr } =
            self.with(&["plan", "--detailed-exitcode"], config).run();
        match code {
            Some(0) => Ok(()),
            _ => Err(format!("plan ended with {code:?}\n{stdout}{stderr}")),
        }
    }

    /// The generation that the kernel's ledger names.
    fn generation(&self) -> Option<u64>;

    /// What every commit of anybody to netfilter moves. Legacy iptables counts none, and
    /// it stays 0: there [`Fwmarkctl::dump`] must do.
    fn commits(&self) -> u32;

    /// What a director holds: rules with their handles and counters, and services.
    fn dump(&self) -> [String; 2];

    /// The services with their counters, as `ipvsadm` shows them.
    fn counters(&self) -> String;

    /// [`Fwmarkctl::counters`] when they count all packets that there were: the kernel
    /// adds up what each processor counted only once in two seconds.
    fn settled_counters(&self) -> String;
}

impl Fwmarkctl for Director {
    fn with(&self, args: &[&str], config: &str) -> Program<'_> {
        let program = self.fwmarkctl(&["-c", "-"]).args(args).args(Director::yes(args));
        program.stdin(&Marks::in_config(config))
    }

    fn generation(&self) -> Option<u64> {
        let ruleset = self.run(|| KernelDirector::new().marking().unwrap());
        ruleset.ledger.record.map(|record| record.generation)
    }

    fn commits(&self) -> u32 {
        match Marks::of_this_run() {
            Marks::Iptables { variant: "legacy", .. } => 0,
            _ => self.run(|| Nftables::new().observe().unwrap().generation.0),
        }
    }

    fn dump(&self) -> [String; 2] {
        [self.ruleset_in_detail(), self.ipvsadm_save()]
    }

    fn counters(&self) -> String {
        self.command("ipvsadm").args(["-Ln", "--stats", "--exact"]).ok()
    }

    fn settled_counters(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let counted = self.run(|| read_to_string("/proc/thread-self/net/ip_vs_stats_percpu"));
            let counted = packets_of_processors(&counted.unwrap());
            let shown = self.counters();
            if packets_of_services(&shown) == counted {
                assert!(counted > 0, "there were packets");
                return shown;
            }
            assert!(Instant::now() < deadline, "{counted} packets, but shown are\n{shown}");
        }
    }
}

/// Returns when it has become so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never happens: {what}");
        // The emulated machine has one processor, which others need for it to happen.
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The incoming packets in the lines of processors: `CPU Conns Packets …`, hexadecimal.
fn packets_of_processors(table: &str) -> u64 {
    // The line of the sum is what is added up late, and behind it are rates.
    let lines = table.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let processors = lines.take_while(|words| words[0] != "~");
    processors.map(|words| u64::from_str_radix(words[2], 16).unwrap()).sum()
}

/// The incoming packets in the lines of services: the third number from the end.
fn packets_of_services(listing: &str) -> u64 {
    let services = listing.lines().skip(3).filter(|line| !line.starts_with("  ->"));
    services.map(|line| line.split_whitespace().rev().nth(3).unwrap().parse::<u64>().unwrap()).sum()
}

/// The lines of one service in a dump of `ipvsadm -L`: of `FWM  25`, of `172.18.100.8:8080`.
pub(crate) fn service(dump: &str, name: &str) -> String {
    let of_service = |line: &&str| line.starts_with("  ->");
    let mut lines = dump.lines().skip_while(|line| !line.contains(name));
    let first = lines.next().unwrap_or_else(|| panic!("there is no {name} in\n{dump}"));
    std::iter::once(first).chain(lines.take_while(of_service)).collect::<Vec<_>>().join("\n")
}

/// A TOML list of addresses of the lab's real servers.
pub(crate) fn list(lab: &Lab, addresses: &[fn(&RealServer) -> String]) -> String {
    let all = addresses.iter().flat_map(|address| lab.real_servers().iter().map(address));
    format!("{:?}", all.collect::<Vec<_>>())
}

/// The servers that answer `times` requests, one after another.
pub(crate) fn servers(
    times: usize,
    mut request: impl FnMut(usize) -> Result<String, Failure>,
) -> Vec<String> {
    (0..times)
        .map(|number| request(number).unwrap_or_else(|why| panic!("request {number}: {why:?}")))
        .collect()
}

/// The one server that answers `source` at all of `targets`, by TCP.
pub(crate) fn the_one_server(client: Client<'_>, source: &str, targets: &[&str]) -> String {
    let answers = servers(targets.len(), |number| client.tcp(source, targets[number]));
    assert!(answers.iter().all(|name| *name == answers[0]), "{source} at {targets:?}: {answers:?}");
    answers[0].clone()
}
