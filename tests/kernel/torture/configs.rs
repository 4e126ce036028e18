//! Random configurations. Few groups with few addresses, ports and marks, which change
//! hands: what one configuration has, another has too, elsewhere.

use std::fmt::Write;
use std::str::FromStr;

use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{Options, Sources, load};
use fwmarkctl::state::{DirectorState, MarkBook};
use proptest::sample::{select, subsequence};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config as Proptest, RngAlgorithm, TestRng, TestRunner};

use crate::lab::Marks;

/// A configuration, and what the kernel holds when it is applied.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) text: String,
    pub(crate) state: DirectorState,
}

impl Config {
    /// With the backend of this run.
    pub(crate) fn new(text: &str) -> Self {
        let text = Marks::in_config(text);
        let options =
            Options { effective_uid: 0, presets: None, extra_schedulers: &[], instead: None };
        let config = load(Sources::text(text.clone()), &options)
            .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        // A mark that is remembered is the one that is chosen anew: it depends on the name.
        let book = MarkBook::default();
        let compiled = compile(&config.groups, &config.director, Past::of(&book)).unwrap();
        Self { text, state: compiled.state }
    }
}

/// A group's choices.
#[derive(Clone, Debug)]
struct Group {
    vips: Vec<&'static str>,
    persistence: &'static str,
    netmask: bool,
    forward: &'static str,
    scheduler: &'static str,
    own_mark: bool,
    real: Vec<(u32, u32)>,
}

const NAMES: [&str; 3] = ["web", "mail", "calls"];

/// Ports that no two of which meet; which group has which changes.
const PORTS: [&[&str]; 3] =
    [&["80/tcp", "443/tcp"], &["25/tcp", "8000-8009/tcp"], &["5060/udp", "16384-16483/udp", "53"]];

fn group() -> impl Strategy<Value = Group> {
    let vips = ["10.0.0.1", "10.0.0.2", "10.0.1.0/29", "2001:db8::1", "2001:db8:1::/64"];
    let persistence = ["none", "none", "pfwmc", "pfwmc", "ppc", "pcc"];
    let real = (subsequence(vec![1_u32, 2, 3], 1..=2), 0_u32..3)
        .prop_map(|(hosts, weight)| hosts.into_iter().map(|host| (host, weight)).collect());
    let choices = (
        subsequence(vips.to_vec(), 1..=2),
        select(persistence.to_vec()),
        proptest::bool::ANY,
        select(vec!["dr", "nat", "tun"]),
        select(vec!["rr", "wlc", "sh", "mh"]),
        proptest::bool::ANY,
        real,
    );
    choices.prop_map(|(vips, persistence, netmask, forward, scheduler, own_mark, real)| Group {
        vips,
        persistence,
        netmask,
        forward,
        scheduler,
        own_mark,
        real,
    })
}

impl Group {
    /// Group number `number`, where everybody's ports and marks moved on by `shift`.
    fn write(&self, number: usize, shift: usize, text: &mut String) {
        let ports = PORTS[(number + shift) % PORTS.len()];
        let whole = self.persistence == "pcc";
        // A group that takes whole VIPs shares none; with `shift` they are another's.
        let own = [
            format!("10.0.2.{}", 1 + (number + shift) % 3),
            format!("2001:db8:2::{}", 1 + (number + shift) % 3),
        ];
        let vips = match (whole, self.has(':')) {
            _ if self.has_automatic_marks() => format!("{:?}", self.vips_of(number)),
            (true, true) => format!("{own:?}"),
            (true, false) => format!("{:?}", &own[..1]),
            (false, _) => format!("{:?}", self.vips),
        };
        let mode = match (self.persistence, self.netmask) {
            ("none", _) => String::from("\"none\""),
            (mode, false) => format!("\"{mode}\""),
            (mode, true) => {
                format!("{{ mode = \"{mode}\", timeout = 60, netmask = 24, netmask6 = 64 }}")
            }
        };
        writeln!(text, "[group.{}]\nvips = {vips}\npersistence = {mode}", NAMES[number]).unwrap();
        writeln!(text, "forward = \"{}\"\nscheduler = \"{}\"", self.forward, self.scheduler)
            .unwrap();
        let mark = 1 + (number + shift) % 3;
        match (self.own_mark, self.persistence) {
            (true, "ppc") => writeln!(text, "marks = {{ \"{}\" = {mark} }}", ports[0]).unwrap(),
            (true, _) => writeln!(text, "mark = {mark}").unwrap(),
            (false, _) => {}
        }
        if !whole {
            writeln!(text, "ports = {ports:?}").unwrap();
        }
        let mut real = Vec::new();
        for (host, weight) in &self.real {
            let addresses = [(whole || self.has('.'), "10.1.0."), (self.has(':'), "2001:db8:9::")];
            for (_, network) in addresses.iter().filter(|(wanted, _)| *wanted) {
                real.push(format!("{{ address = \"{network}{host}\", weight = {weight} }}"));
            }
        }
        writeln!(text, "real = [{}]", real.join(", ")).unwrap();
    }

    /// Whether a mark is chosen by the group's name.
    fn has_automatic_marks(&self) -> bool {
        !self.own_mark || self.persistence == "ppc"
    }

    /// VIPs that only group number `number` ever has: who takes those of a group that is
    /// gone would get its automatic mark, and that mark depends on all that was before.
    fn vips_of(&self, number: usize) -> Vec<String> {
        let v4 = self.persistence == "pcc" || self.has('.');
        let v4 = v4.then(|| format!("10.0.3.{}", 1 + number));
        let v6 = self.has(':').then(|| format!("2001:db8:3::{}", 1 + number));
        v4.into_iter().chain(v6).collect()
    }

    fn has(&self, mark_of_family: char) -> bool {
        self.vips.iter().any(|vip| vip.contains(mark_of_family))
    }
}

fn config() -> impl Strategy<Value = Config> {
    let groups = proptest::collection::btree_map(0..NAMES.len(), group(), 1..=2);
    (groups, 0..PORTS.len()).prop_map(|(groups, shift)| {
        let mut text = String::new();
        for (number, group) in groups {
            group.write(number, shift, &mut text);
        }
        Config::new(&text)
    })
}

/// A number of the environment, or what it is without.
pub(crate) fn set<T: FromStr>(name: &str, without: T) -> T {
    std::env::var(name).map_or(without, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is {text}, which is no such number"))
    })
}

fn runner(part: u8) -> TestRunner {
    let seed: u8 = set("FWMARKCTL_TORTURE_SEED", 0);
    let mut bytes = [seed; 32];
    bytes[0] = part;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    TestRunner::new_with_rng(Proptest::default(), rng)
}

/// An endless row of numbers below `bound`.
pub(crate) fn numbers(part: u8, bound: u32) -> impl Iterator<Item = u32> {
    let mut runner = runner(part);
    std::iter::repeat_with(move || (0..bound).new_tree(&mut runner).unwrap().current())
}

/// An endless row of configurations, each another one than the one before it. Each part
/// of the ring has its own, and the same one in each run.
pub(crate) fn configs(part: u8) -> impl Iterator<Item = Config> {
    let mut runner = runner(part);
    let mut last = DirectorState::default();
    std::iter::from_fn(move || {
        loop {
            let config = config().new_tree(&mut runner).unwrap().current();
            if config.state != last {
                last = config.state.clone();
                return Some(config);
            }
        }
    })
}
