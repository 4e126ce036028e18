//! The ledger: a commit record inside the kernel.
//!
//! The batch that switches the marks also writes, into our own table, which generation
//! it was and which virtual services belong to it. So the record is exactly as durable
//! as the state that it speaks of, "did it commit?" has an answer after any crash, and
//! a service on one of our marks that nobody wrote down is somebody else's.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use xxhash_rust::xxh3::Xxh3;

use super::{DirectorState, Method, ServiceKey, Source, VirtualService};
use crate::model::{Form, GroupName, Mark, Marker, Tunnel, TunnelChecksum};

/// A short digest of a part of the state, to notice that it changed: 64 bits of XXH3.
/// It guards against accidents, not against an attacker, who could write the ledger too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The digest of a service with its destinations.
    pub fn of_service(key: ServiceKey, service: &VirtualService) -> Self {
        let mut digest = Xxh3::new();
        write_service(&mut digest, key, service);
        Self(digest.digest())
    }

    /// The digest of a whole state.
    pub fn of_state(state: &DirectorState) -> Self {
        let mut digest = Xxh3::new();
        for (key, entry) in &state.marking {
            write_address(&mut digest, key.destination.address());
            digest.update(&[key.destination.length(), key.protocol.number()]);
            for port in [key.ports.first(), key.ports.last()] {
                digest.update(&port.to_be_bytes());
            }
            digest.update(&entry.mark.map_or(0, Mark::get).to_be_bytes());
            write_group(&mut digest, entry.group.as_ref());
        }
        for (key, service) in &state.services {
            write_group(&mut digest, service.group.as_ref());
            write_service(&mut digest, *key, service);
        }
        for (key, value) in &state.settings {
            digest.update(key.to_string().as_bytes());
            digest.update(&[0]);
            digest.update(value.as_bytes());
            digest.update(&[0]);
        }
        for (key, entry) in &state.sources {
            digest.update(&key.mark.get().to_be_bytes());
            write_address(&mut digest, key.server);
            match entry.source {
                Source::Masquerade => digest.update(&[0]),
                Source::Address(address) => {
                    digest.update(&[1]);
                    write_address(&mut digest, address);
                }
            }
            write_group(&mut digest, entry.group.as_ref());
        }
        if state.defragment {
            digest.update(b"defragment");
        }
        if state.local_traffic {
            digest.update(b"local");
        }
        // The digests of states from before there was a choice stay what they were.
        if state.marker != Marker::default() {
            digest.update(state.marker.name().as_bytes());
        }
        if state.form != Form::default() {
            digest.update(state.form.name().as_bytes());
        }
        Self(digest.digest())
    }
}

fn write_group(digest: &mut Xxh3, group: Option<&GroupName>) {
    digest.update(group.map_or("", GroupName::as_str).as_bytes());
    digest.update(&[0]);
}

/// Ten thousand services pass here in every apply: bytes, not text.
fn write_service(digest: &mut Xxh3, key: ServiceKey, service: &VirtualService) {
    match key {
        ServiceKey::Mark { mark, family } => {
            digest.update(&[0, family.bits()]);
            digest.update(&mark.get().to_be_bytes());
        }
        ServiceKey::Address { address, protocol, port } => {
            digest.update(&[1, protocol.number()]);
            digest.update(&port.to_be_bytes());
            write_address(digest, address);
        }
    }
    for name in [Some(service.scheduler), service.engine] {
        let name = name.as_ref().map_or("", |name| name.as_str());
        digest.update(name.as_bytes());
        digest.update(&[0]);
    }
    for number in [service.flags.bits(), service.timeout, service.netmask.0] {
        digest.update(&number.to_be_bytes());
    }
    for destination in &service.destinations {
        write_address(digest, destination.key.address);
        digest.update(&destination.key.port.to_be_bytes());
        digest.update(&method_bytes(destination.method));
        for number in [destination.weight, destination.upper_threshold, destination.lower_threshold]
        {
            digest.update(&number.to_be_bytes());
        }
    }
}

fn write_address(digest: &mut Xxh3, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => digest.update(&v4.octets()),
        IpAddr::V6(v6) => digest.update(&v6.octets()),
    }
}

fn method_bytes(method: Method) -> [u8; 5] {
    let checksum = |checksum: TunnelChecksum| match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Checksum => 1,
        TunnelChecksum::Remote => 2,
    };
    match method {
        Method::DirectRouting => [1, 0, 0, 0, 0],
        Method::Nat => [2, 0, 0, 0, 0],
        Method::LocalNode => [3, 0, 0, 0, 0],
        Method::Other(number) => [4, number, 0, 0, 0],
        Method::Tunnel(Tunnel::Ipip) => [5, 0, 0, 0, 0],
        Method::Tunnel(Tunnel::Gue { port, checksum: sum }) => {
            let [high, low] = port.to_be_bytes();
            [5, 1, high, low, checksum(sum)]
        }
        Method::Tunnel(Tunnel::Gre { checksum: sum }) => [5, 2, 0, 0, checksum(sum)],
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(());
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ())
    }
}

/// What the ledger says of one virtual service of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Whose it is; `None` where the entry does not say.
    pub group: Option<GroupName>,
    /// What it looked like when it was written; `None` where the entry does not say.
    pub fingerprint: Option<Fingerprint>,
}

impl LedgerEntry {
    /// The text that the kernel keeps with the entry: `GROUP FINGERPRINT`.
    pub fn to_comment(&self) -> String {
        let group = self.group.as_ref().map_or("-", GroupName::as_str);
        match self.fingerprint {
            Some(fingerprint) => format!("{group} {fingerprint}"),
            None => group.to_owned(),
        }
    }

    /// Reads such a text; what cannot be read is left out.
    pub fn from_comment(comment: &str) -> Self {
        let mut words = comment.split(' ');
        Self {
            group: words.next().and_then(|word| word.parse().ok()),
            fingerprint: words.next().and_then(|word| word.parse().ok()),
        }
    }
}

/// Which transaction wrote the marks: 64 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub u64);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The commit record: who wrote the marks that are in the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The generation, counted up by each apply.
    pub generation: u64,
    /// The transaction.
    pub transaction: TransactionId,
    /// The boot in which it ran (`/proc/sys/kernel/random/boot_id`).
    pub boot: String,
    /// The digest of the state that it wrote.
    pub state: Fingerprint,
}

impl Record {
    /// The text that the kernel keeps, below the 128 bytes of an nftables comment.
    pub fn to_comment(&self) -> String {
        let Self { generation, transaction, boot, state } = self;
        format!("generation {generation} tx {transaction} state {state} boot {boot}")
    }

    /// Reads such a text; `None` where it is not one.
    pub fn from_comment(comment: &str) -> Option<Self> {
        let words: Vec<&str> = comment.split(' ').collect();
        let ["generation", generation, "tx", transaction, "state", state, "boot", boot] =
            words.as_slice()
        else {
            return None;
        };
        Some(Self {
            generation: generation.parse().ok()?,
            transaction: TransactionId(u64::from_str_radix(transaction, 16).ok()?),
            boot: (*boot).to_owned(),
            state: state.parse().ok()?,
        })
    }
}

/// What the kernel says of us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ledger {
    /// The last commit; `None` before the first, or where somebody removed it.
    pub record: Option<Record>,
    /// The virtual services that are ours.
    pub services: BTreeMap<ServiceKey, LedgerEntry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_from_its_comment() {
        let record = Record {
            generation: u64::MAX,
            transaction: TransactionId(0x0123_4567_89ab_cdef),
            boot: "0f6d8a51-25b6-4c5f-8f0e-1df3a0a3a6d1".into(),
            state: "00000000000000ff".parse().expect("a fingerprint"),
        };
        let comment = record.to_comment();
        assert!(comment.len() < 128, "{}", comment.len());
        assert_eq!(Record::from_comment(&comment), Some(record));
        assert_eq!(Record::from_comment("generation 3"), None);
    }

    #[test]
    fn an_entry_reads_back_from_its_comment() {
        let entry =
            LedgerEntry { group: "web".parse().ok(), fingerprint: "0123456789abcdef".parse().ok() };
        assert_eq!(LedgerEntry::from_comment(&entry.to_comment()), entry);
        let nothing = LedgerEntry { group: None, fingerprint: None };
        assert_eq!(LedgerEntry::from_comment("Somebody's words"), nothing);
    }
}
