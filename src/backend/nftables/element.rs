//! Elements of the maps and of the ledger: keys and values to bytes and back.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nftnl::nftnl_sys::libc;

use super::frame::{Set, text};
use crate::backend::Count;
use crate::model::{Family, Mark, PortRange, Prefix, Protocol};
use crate::state::{LedgerEntry, MarkEntry, MarkKey, ServiceKey, Source, SourceEntry, SourceKey};

/// A key: its parts one after another, each padded to 4 bytes. At most an IPv6 address,
/// a protocol and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key {
    bytes: [u8; 24],
    length: usize,
}

impl Key {
    /// The key as the kernel sent it; `None` where it is too long to be one of ours.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut key = Self::default();
        key.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        key.length = bytes.len();
        Some(key)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn push(&mut self, part: &[u8]) {
        self.bytes[self.length..self.length + part.len()].copy_from_slice(part);
        self.length += part.len().next_multiple_of(4);
    }

    fn push_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.push(&v4.octets()),
            IpAddr::V6(v6) => self.push(&v6.octets()),
        }
    }

    /// Address, protocol and port: the protocol that of the map where its keys have none,
    /// the port 0 where the key has none.
    fn split(&self, set: Set) -> Option<(IpAddr, u8, u16)> {
        let bytes = self.as_bytes();
        if bytes.len() != set.key_length() as usize {
            return None;
        }
        let (address, rest) = match set.family()? {
            Family::Ipv4 => {
                let (address, rest) = bytes.split_first_chunk::<4>()?;
                (Ipv4Addr::from(*address).into(), rest)
            }
            Family::Ipv6 => {
                let (address, rest) = bytes.split_first_chunk::<16>()?;
                (Ipv6Addr::from(*address).into(), rest)
            }
        };
        let (protocol, rest) = match set.protocol() {
            Some(protocol) => (protocol.number(), rest),
            None => (*rest.first()?, rest.get(4..).unwrap_or_default()),
        };
        let port = rest.get(..2).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
        Some((address, protocol, port))
    }
}

/// An element as the kernel keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element<'a> {
    /// The key, or the lowest key of an interval.
    pub(super) key: Key,
    /// The highest value of each part, in an interval map.
    pub(super) key_end: Option<Key>,
    /// The value, in a map.
    pub(super) mark: Option<u32>,
    /// The value, in a map of sources.
    pub(super) source: Option<IpAddr>,
    /// The comment.
    pub(super) comment: Option<Cow<'a, str>>,
    /// What it counted. The kernel says it; it is never written.
    pub(super) count: Option<Count>,
}

impl<'a> Element<'a> {
    /// The element of a mark entry in the map where it belongs; without an entry, what
    /// names it for removal.
    pub(super) fn of_mark(key: &MarkKey, entry: Option<&'a MarkEntry>) -> Self {
        Self::in_map(Set::of(key), key, entry)
    }

    /// The same in the map `set`. "Any port" is a range like any other in an interval map,
    /// which packets without a port do not hit.
    pub(super) fn in_map(set: Set, key: &MarkKey, entry: Option<&'a MarkEntry>) -> Self {
        let bound = |address: IpAddr, port: u16| {
            let mut bytes = Key::default();
            bytes.push_address(address);
            if set.protocol().is_none() {
                bytes.push(&[key.protocol.number()]);
            }
            if !matches!(set, Set::Host(_)) {
                bytes.push(&port.to_be_bytes());
            }
            bytes
        };
        Self {
            key: bound(key.destination.address(), key.ports.first()),
            key_end: set.is_interval().then(|| bound(key.destination.last(), key.ports.last())),
            mark: entry.map(|entry| entry.mark.map_or(0, Mark::get)),
            comment: entry
                .and_then(|entry| entry.group.as_ref())
                .map(|group| Cow::Borrowed(group.as_str())),
            count: None,
            source: None,
        }
    }

    /// The element of a source entry in the set or map where it belongs; without an entry,
    /// what names it for removal.
    pub(super) fn of_source(key: SourceKey, entry: Option<&'a SourceEntry>) -> Self {
        let mut bytes = Key::default();
        bytes.push(&key.mark.get().to_ne_bytes());
        bytes.push_address(key.server);
        let source = entry.and_then(|entry| match entry.source {
            Source::Masquerade => None,
            Source::Address(address) => Some(address),
        });
        let group = entry.and_then(|entry| entry.group.as_ref());
        let comment = group.map(|group| Cow::Borrowed(group.as_str()));
        Self { key: bytes, source, comment, ..Self::default() }
    }

    /// The element of a ledger entry in the set where it belongs, or what names it for
    /// removal.
    pub(super) fn of_service(key: ServiceKey, entry: Option<&LedgerEntry>) -> Self {
        let mut bytes = Key::default();
        match key {
            ServiceKey::Mark { mark, family } => {
                bytes.push(&mark.get().to_ne_bytes());
                bytes.push(&[family_number(family)]);
            }
            ServiceKey::Address { address, protocol, port } => {
                bytes.push_address(address);
                bytes.push(&[protocol.number()]);
                bytes.push(&port.to_be_bytes());
            }
        }
        let comment = entry.map(|entry| Cow::Owned(entry.to_comment()));
        Self { key: bytes, comment, ..Self::default() }
    }

    /// The mark entry that this element of `set` is, or what it is instead.
    pub(super) fn to_mark(&self, set: Set) -> Result<(MarkKey, MarkEntry), String> {
        let odd = || format!("an entry with a key of {} bytes", self.key.as_bytes().len());
        let (first, number, first_port) = self.key.split(set).ok_or_else(odd)?;
        let end = self.key_end.unwrap_or(self.key);
        let (last, last_number, last_port) = end.split(set).ok_or_else(odd)?;
        if number != last_number {
            return Err(format!("{first} with the protocols {number} to {last_number}"));
        }
        let protocol = Protocol::from_number(number).ok_or_else(|| {
            format!("{first} with protocol {number}, which IPVS does not schedule")
        })?;
        let destination = prefix_between(first, last)
            .ok_or_else(|| format!("{first}-{last}, which is not a prefix"))?;
        let ports = match (set, first_port, last_port) {
            (Set::Host(_), ..) | (_, 0, u16::MAX) => PortRange::ANY,
            _ => PortRange::new(first_port, last_port)
                .map_err(|error| format!("{destination} with ports that do not exist: {error}"))?,
        };
        let mark = self.mark.ok_or_else(|| format!("{destination} without a mark"))?;
        let group = self.comment.as_deref().and_then(|comment| comment.parse().ok());
        let key = MarkKey { destination, protocol, ports };
        Ok((key, MarkEntry { mark: Mark::new(mark), group }))
    }

    /// The ledger entry that this element of `set` is, or what it is instead.
    pub(super) fn to_service(&self, set: Set) -> Result<(ServiceKey, LedgerEntry), String> {
        let key = match set {
            Set::AddressServices(_) => self.to_address_service(set)?,
            _ => self.to_mark_service()?,
        };
        Ok((key, LedgerEntry::from_comment(self.comment.as_deref().unwrap_or_default())))
    }

    fn to_address_service(&self, set: Set) -> Result<ServiceKey, String> {
        let odd = || format!("an entry with a key of {} bytes", self.key.as_bytes().len());
        let (address, number, port) = self.key.split(set).ok_or_else(odd)?;
        let protocol = Protocol::from_number(number).ok_or_else(|| {
            format!("{address} with protocol {number}, which IPVS does not schedule")
        })?;
        Ok(ServiceKey::Address { address, protocol, port })
    }

    fn to_mark_service(&self) -> Result<ServiceKey, String> {
        let bytes = self.key.as_bytes();
        let [a, b, c, d, number, ..] = *bytes else {
            return Err(format!("an entry with a key of {} bytes", bytes.len()));
        };
        let mark = Mark::new(u32::from_ne_bytes([a, b, c, d])).ok_or("a service of mark 0")?;
        let family = Family::BOTH
            .into_iter()
            .find(|family| family_number(*family) == number)
            .ok_or_else(|| format!("a service of mark {mark} and the family {number}"))?;
        Ok(ServiceKey::Mark { mark, family })
    }

    /// The source entry that this element of `set` is, or what it is instead.
    pub(super) fn to_source(&self, set: Set) -> Result<(SourceKey, SourceEntry), String> {
        let bytes = self.key.as_bytes();
        let odd = || format!("an entry with a key of {} bytes", bytes.len());
        let (mark, address) = bytes.split_first_chunk::<4>().ok_or_else(odd)?;
        let server = read_address(address).ok_or_else(odd)?;
        let mark = Mark::new(u32::from_ne_bytes(*mark))
            .ok_or_else(|| format!("{server} of the mark 0"))?;
        let key = SourceKey { mark, server };
        let source = match set {
            Set::Source(_) => {
                Source::Address(self.source.ok_or_else(|| format!("{key} without a source"))?)
            }
            _ => Source::Masquerade,
        };
        let group = self.comment.as_deref().and_then(|comment| comment.parse().ok());
        Ok((key, SourceEntry { source, group }))
    }

    /// This element of `set` in words.
    pub(super) fn describe(&self, set: Set) -> String {
        let words = if set.is_ledger() {
            self.to_service(set).map(|(key, _)| format!("the ledger's entry of {key}"))
        } else if set.is_source() {
            // What is removed is named by its key alone.
            let named = Self { source: self.source.or(Some(ANY)), ..self.clone() };
            named.to_source(set).map(|(key, entry)| match (set, self.source) {
                (Set::Source(_), None) => key.to_string(),
                _ => format!("{key} → {}", entry.source),
            })
        } else {
            // What is removed is named by its key alone.
            let named = Self { mark: self.mark.or(Some(0)), ..self.clone() };
            named.to_mark(set).map(|(key, entry)| match self.mark {
                Some(_) => format!("{key} → {entry}"),
                None => key.to_string(),
            })
        };
        words.unwrap_or_else(|what| format!("{what} in {}", text(set.name())))
    }
}

/// Stands for the address that a removal does not name.
const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// An address as the kernel keeps it.
pub(super) fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// `NFPROTO_IPV4` and `NFPROTO_IPV6`.
fn family_number(family: Family) -> u8 {
    let number = match family {
        Family::Ipv4 => libc::NFPROTO_IPV4,
        Family::Ipv6 => libc::NFPROTO_IPV6,
    };
    u8::try_from(number).unwrap_or_default()
}

/// The prefix that holds just the addresses from `first` to `last`.
fn prefix_between(first: IpAddr, last: IpAddr) -> Option<Prefix> {
    let (differing, bits) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            (u128::from(first.to_bits() ^ last.to_bits()), Family::Ipv4.bits())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            (first.to_bits() ^ last.to_bits(), Family::Ipv6.bits())
        }
        _ => return None,
    };
    let host_bits = u8::try_from(128 - differing.leading_zeros()).ok()?;
    let prefix = Prefix::new(first, bits.checked_sub(host_bits)?).ok()?;
    (prefix.last() == last).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(destination: &str, protocol: Protocol, ports: PortRange) -> MarkKey {
        MarkKey { destination: destination.parse().expect(destination), protocol, ports }
    }

    fn ports(first: u16, last: u16) -> PortRange {
        PortRange::new(first, last).expect("a range")
    }

    fn entry() -> MarkEntry {
        MarkEntry { mark: Mark::new(10), group: "web".parse().ok() }
    }

    #[test]
    fn keys_have_the_bytes_that_nft_writes() {
        let exact = Element::of_mark(&key("192.0.2.1", Protocol::Tcp, ports(80, 80)), None);
        assert_eq!(exact.key.as_bytes(), [192, 0, 2, 1, 6, 0, 0, 0, 0, 80, 0, 0]);
        assert_eq!(exact.key_end, None);
        let host = Element::of_mark(&key("192.0.2.1", Protocol::Udp, PortRange::ANY), None);
        assert_eq!(host.key.as_bytes(), [192, 0, 2, 1, 17, 0, 0, 0]);
        let range = Element::of_mark(&key("192.0.2.0/28", Protocol::Tcp, ports(8000, 8100)), None);
        assert_eq!(range.key.as_bytes(), [192, 0, 2, 0, 0x1f, 0x40, 0, 0]);
        let end = range.key_end.expect("an interval");
        assert_eq!(end.as_bytes(), [192, 0, 2, 15, 0x1f, 0xa4, 0, 0]);
    }

    #[test]
    fn keys_of_every_kind_read_back() {
        for (destination, ports) in [
            ("192.0.2.1", ports(80, 80)),
            ("192.0.2.1", PortRange::ANY),
            ("192.0.2.1", ports(80, 81)),
            ("128.0.0.0/1", ports(1, 65535)),
            ("192.0.2.0/24", PortRange::ANY),
            ("2001:db8::1", ports(443, 443)),
            ("2001:db8::1", PortRange::ANY),
            ("8000::/1", ports(53, 53)),
        ] {
            let key = key(destination, Protocol::Sctp, ports);
            let entry = entry();
            let element = Element::of_mark(&key, Some(&entry));
            assert_eq!(element.to_mark(Set::of(&key)), Ok((key, entry.clone())));
            for map in [Set::shadow_of(&key), Set::FormerShadow(key.family())] {
                let element = Element::in_map(map, &key, Some(&entry));
                assert_eq!(element.to_mark(map), Ok((key, entry.clone())));
            }
        }
    }

    #[test]
    fn services_of_both_kinds_read_back() {
        let entry = LedgerEntry::from_comment("web 0123456789abcdef");
        for key in [
            "fwmark 10 ipv4",
            "fwmark 4294967295 ipv6",
            "tcp 192.0.2.1:80",
            "sctp 192.0.2.1:0",
            "udp [2001:db8::1]:443",
        ] {
            let key: ServiceKey = key.parse().expect(key);
            let set = Set::of_service(key);
            let element = Element::of_service(key, Some(&entry));
            assert_eq!(element.key.as_bytes().len(), set.key_length() as usize);
            assert_eq!(element.to_service(set), Ok((key, entry.clone())));
        }
    }

    #[test]
    fn sources_of_both_kinds_read_back() {
        for (server, source) in [
            ("192.0.2.11", Source::Masquerade),
            ("2001:db8::11", Source::Masquerade),
            ("192.0.2.11", Source::Address("192.0.2.5".parse().expect("an address"))),
            ("2001:db8::11", Source::Address("2001:db8::5".parse().expect("an address"))),
        ] {
            let key = SourceKey {
                mark: Mark::new(10).expect("a mark"),
                server: server.parse().expect(server),
            };
            let entry = SourceEntry { source, group: "web".parse().ok() };
            let set = Set::of_source(key, source);
            let element = Element::of_source(key, Some(&entry));
            assert_eq!(element.key.as_bytes().len(), set.key_length() as usize);
            assert_eq!(element.to_source(set), Ok((key, entry.clone())));
            assert_eq!(element.describe(set), format!("{key} → {source}"));
        }
    }

    #[test]
    fn intervals_that_are_no_prefix_are_told_apart() {
        let between = |first: &str, last: &str| {
            prefix_between(first.parse().expect(first), last.parse().expect(last))
        };
        assert_eq!(between("10.0.0.0", "10.0.0.3").map(|prefix| prefix.length()), Some(30));
        assert_eq!(between("10.0.0.0", "10.0.0.2"), None);
        assert_eq!(between("10.0.0.1", "10.0.0.2"), None);
        assert_eq!(between("10.0.0.3", "10.0.0.0"), None);
        assert_eq!(between("0.0.0.0", "255.255.255.255"), None);
    }

    #[test]
    fn odd_elements_are_words_not_panics() {
        for length in 0..=24 {
            let key = Key::read(&vec![0xff; length]).expect("it fits");
            let element = Element { key, mark: Some(1), ..Element::default() };
            for set in Set::all().chain(Set::FORMER) {
                assert!(!element.describe(set).is_empty());
            }
        }
        assert_eq!(Key::read(&[0; 25]), None);
        let zero = Element {
            mark: Some(0),
            ..Element::of_mark(&key("192.0.2.1", Protocol::Tcp, PortRange::ANY), None)
        };
        let (_, entry) = zero.to_mark(Set::Host(Family::Ipv4)).expect("an entry");
        assert_eq!(entry.mark, None);
    }

    #[test]
    fn words_name_the_entry() {
        let key = key("172.18.100.7", Protocol::Tcp, ports(80, 80));
        let entry = entry();
        let set = Set::of(&key);
        assert_eq!(
            Element::of_mark(&key, Some(&entry)).describe(set),
            "172.18.100.7:80/tcp → mark 10"
        );
        assert_eq!(Element::of_mark(&key, None).describe(set), "172.18.100.7:80/tcp");
    }
}
