//! The nftables backend on this machine's own kernel: each test in a network namespace
//! of its own. They need `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`, and fail without: a test
//! that skips itself proves nothing.

mod counters;
mod drift;
mod events;
mod exactness;
#[path = "../loading/mod.rs"]
#[allow(unreachable_pub, reason = "shared with other test programs")]
mod loading;
mod loads;
mod refusals;
mod round_trip;
mod shadow;
mod sources;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use fwmarkctl::backend::nftables::Nftables;
use fwmarkctl::backend::{MarkRuleset, Netfilter, NetfilterError, Observed};
use fwmarkctl::model::{Family, Mark, PortRange, Protocol};
use fwmarkctl::plan::{EntryChange, FrameChange, LedgerChange, MarkSwitch, Shadow};
use fwmarkctl::state::{
    LedgerEntry, MarkEntry, MarkKey, Marking, Record, ServiceKey, TransactionId,
};

/// Runs a test on a thread in a network namespace of its own.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("these tests make network namespaces: run them as root");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// What nft(8) prints for a command.
fn nft(arguments: &[&str]) -> String {
    let output = Command::new("nft").args(arguments).output().expect("nft is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft {arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// Gives nft(8) a ruleset.
fn nft_file(ruleset: &str) {
    let mut child =
        Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft");
    child.stdin.take().expect("a pipe").write_all(ruleset.as_bytes()).expect("nft reads");
    assert!(child.wait().expect("nft ends").success(), "nft refused:\n{ruleset}");
}

/// What a listing says, whatever order the kernel keeps sets and their elements in.
fn sorted(listing: &str) -> Vec<String> {
    let mut lines: Vec<String> = listing
        .replace("elements = {", "")
        .lines()
        .map(|line| line.trim().trim_end_matches([',', '}', ' ']).to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort();
    lines
}

fn observe() -> Observed<MarkRuleset> {
    Nftables::new().observe().expect("the ruleset can be read")
}

fn switch(change: &MarkSwitch) -> Result<(), NetfilterError> {
    Nftables::new().switch(change, observe().generation)
}

fn ports(first: u16, last: u16) -> PortRange {
    if (first, last) == (0, u16::MAX) {
        return PortRange::ANY;
    }
    PortRange::new(first, last).expect("ports")
}

fn key(destination: &str, protocol: Protocol, ports: PortRange) -> MarkKey {
    MarkKey { destination: destination.parse().expect(destination), protocol, ports }
}

fn entry(mark: u32, group: &str) -> MarkEntry {
    MarkEntry { mark: Mark::new(mark), group: group.parse().ok() }
}

fn record(generation: u64) -> Record {
    Record {
        generation,
        transaction: TransactionId(0x0123_4567_89ab_cdef),
        boot: "0f6d8a51-25b6-4c5f-8f0e-1df3a0a3a6d1".into(),
        state: "00112233445566ff".parse().expect("a fingerprint"),
    }
}

type Services = BTreeMap<ServiceKey, LedgerEntry>;

/// An entry of each kind in both families, and their services.
fn sample() -> (Marking, Services) {
    let marking = Marking::from([
        (key("192.0.2.1", Protocol::Tcp, ports(80, 80)), entry(10, "web")),
        (key("192.0.2.1", Protocol::Tcp, ports(443, 443)), entry(10, "web")),
        (key("192.0.2.2", Protocol::Udp, PortRange::ANY), entry(11, "dns")),
        (key("192.0.2.3", Protocol::Sctp, ports(8000, 8100)), entry(0x4c56_0001, "range")),
        (key("198.51.100.0/24", Protocol::Tcp, ports(53, 53)), entry(12, "net")),
        (key("203.0.113.0/28", Protocol::Udp, PortRange::ANY), entry(13, "all.of_it")),
        (key("2001:db8::1", Protocol::Tcp, ports(80, 80)), entry(10, "web")),
        (key("2001:db8::2", Protocol::Udp, PortRange::ANY), entry(11, "dns")),
        (key("2001:db8:1::/48", Protocol::Tcp, ports(1, 1000)), entry(u32::MAX, "six")),
    ]);
    let service = |mark: u32, family: Family, comment: &str| {
        let mark = Mark::new(mark).expect("a mark");
        (ServiceKey::Mark { mark, family }, LedgerEntry::from_comment(comment))
    };
    let by_address =
        |key: &str, comment: &str| (key.parse().expect(key), LedgerEntry::from_comment(comment));
    let services = Services::from([
        service(10, Family::Ipv4, "web 0123456789abcdef"),
        service(10, Family::Ipv6, "web 0123456789abcdee"),
        service(11, Family::Ipv4, "dns 0000000000000001"),
        service(u32::MAX, Family::Ipv6, "six"),
        by_address("tcp 192.0.2.9:80", "plain 0000000000000002"),
        by_address("udp 192.0.2.9:0", "plain 0000000000000003"),
        by_address("tcp [2001:db8::9]:80", "plain"),
    ]);
    (marking, services)
}

/// What leads from some entries to others.
fn between(from: &(Marking, Services), to: &(Marking, Services)) -> MarkSwitch {
    fn changed<K: Ord + Copy, V: PartialEq + Clone>(
        from: &BTreeMap<K, V>,
        to: &BTreeMap<K, V>,
    ) -> Vec<(K, Option<V>, Option<V>)> {
        let mut keys: Vec<K> = from.keys().chain(to.keys()).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
            .map(|key| (key, from.get(&key).cloned(), to.get(&key).cloned()))
            .filter(|(_, before, after)| before != after)
            .collect()
    }
    let entry = |(key, before, after)| EntryChange { key, before, after };
    let ledger = |(key, before, after)| LedgerChange { key, before, after };
    MarkSwitch {
        frame: FrameChange::Keep,
        entries: changed(&from.0, &to.0).into_iter().map(entry).collect(),
        ledger: changed(&from.1, &to.1).into_iter().map(ledger).collect(),
        record: Some(record(2)),
        ..MarkSwitch::default()
    }
}

/// A first table with these entries.
fn creation(of: &(Marking, Services)) -> MarkSwitch {
    let nothing = (Marking::new(), Services::new());
    MarkSwitch { frame: FrameChange::Create, record: Some(record(1)), ..between(&nothing, of) }
}
