//! What surrounds the mark entries: table, chains, rules, maps. This is the one
//! definition: `encode` writes it, `inspect` compares the kernel's tables with it.
//!
//! ```text
//! table inet fwmarkctl {
//!   map exact4 { type ipv4_addr . inet_proto . inet_service : mark; counter }  one address, one port
//!   map host4  { type ipv4_addr . inet_proto : mark; counter }           one address, any port
//!   map range4 { as exact4; flags interval }                             prefixes, port ranges
//!   map shadow4 { as range4, without counter }                           empty but while marks switch
//!   map exact6, host6, range6, shadow6                                   the same for IPv6
//!   set services { type mark . nf_proto }                                which services are ours
//!   set services4 { type ipv4_addr . inet_proto . inet_service }         those without a mark
//!   set services6                                                        the same for IPv6
//!   set masquerade4 { type mark . ipv4_addr }                            whose clients' addresses are replaced
//!   map source4 { type mark . ipv4_addr : ipv4_addr }                    the same, by an address of choice
//!   set masquerade6, map source6                                         the same for IPv6
//!   chain ledger { counter comment "generation 12 tx … state … boot …" } never called
//!   chain defragment { … }               while VIPs are routed: fragments are put together
//!   chain prerouting {
//!     type filter hook prerouting priority mangle; policy accept;
//!     meta mark set ip daddr . meta l4proto . th dport map @exact4 accept
//!     …                                                                  a rule for each map
//!   }
//!   chain output {                                                       only for local traffic
//!     type route hook output priority mangle; policy accept;
//!     meta mark != 0 accept                                              what IPVS forwards, too
//!     …                                                                  the rules of prerouting
//!   }
//!   chain postrouting {                                                  only for full NAT
//!     type nat hook postrouting priority srcnat; policy accept;
//!     meta mark . ip daddr @masquerade4 masquerade
//!     snat ip to meta mark . ip daddr map @source4
//!     …                                                                  the same for IPv6
//!   }
//! }
//! ```
//!
//! The hash maps are looked up first: a packet that they know needs no walk through the
//! interval maps, and an address has the last word over the prefix that holds it. The
//! shadow maps come last: what they hold counts only while an interval map exchanges
//! entries, which is not one instant (see `plan::Shadow`).
//!
//! Each entry counts the packets that it marks. The kernel gives every element the counter
//! of its map, so elements are written without one; and it counts on a look-up that hits
//! (`nft_lookup_eval`, `net/netfilter/nft_lookup.c`), so the rules need none either.

use std::ffi::CStr;

use nftnl::nftnl_sys::libc;

use crate::model::{Family, Protocol};
use crate::state::{Lookup, MarkKey, ServiceKey, Source, SourceKey};

/// The table's name; its family is inet.
pub(super) const TABLE: &CStr = c"fwmarkctl";
/// The chain that nothing calls; its one rule's comment is the commit record.
pub(super) const LEDGER: &CStr = c"ledger";

/// `NF_ACCEPT`.
#[allow(clippy::cast_sign_loss)]
pub(super) const POLICY: u32 = libc::NF_ACCEPT as u32;

/// The table's name as text.
pub(super) fn table_name() -> &'static str {
    text(TABLE)
}

/// A name of this file as text.
pub(super) fn text(name: &'static CStr) -> &'static str {
    name.to_str().unwrap_or_default()
}

/// The maps and sets of the table, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    /// One address and one port: a hash map.
    Exact(Family),
    /// One address and any port: a hash map.
    Host(Family),
    /// Prefixes and port ranges: an interval map.
    Range(Family),
    /// Old entries of the maps before it, while these change: an interval map.
    Shadow(Family),
    /// The virtual services by mark that are ours.
    Services,
    /// The virtual services by address that are ours.
    AddressServices(Family),
    /// Whose clients' addresses are replaced by one of the device.
    Masquerade(Family),
    /// Whose clients' addresses are replaced by an address of choice.
    Source(Family),
}

impl Set {
    /// The maps, in the order of their rules.
    pub(super) const MAPS: [Self; 8] = [
        Self::Exact(Family::Ipv4),
        Self::Exact(Family::Ipv6),
        Self::Host(Family::Ipv4),
        Self::Host(Family::Ipv6),
        Self::Range(Family::Ipv4),
        Self::Range(Family::Ipv6),
        Self::Shadow(Family::Ipv4),
        Self::Shadow(Family::Ipv6),
    ];

    /// The sets of the ledger.
    pub(super) const LEDGER: [Self; 3] =
        [Self::Services, Self::AddressServices(Family::Ipv4), Self::AddressServices(Family::Ipv6)];

    /// Where it stands whose address real servers see, in the order of their rules.
    pub(super) const SOURCES: [Self; 4] = [
        Self::Masquerade(Family::Ipv4),
        Self::Masquerade(Family::Ipv6),
        Self::Source(Family::Ipv4),
        Self::Source(Family::Ipv6),
    ];

    /// The maps and the sets.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::MAPS.into_iter().chain(Self::LEDGER).chain(Self::SOURCES)
    }

    /// The map in which `key` belongs.
    pub(super) fn of(key: &MarkKey) -> Self {
        let family = key.family();
        match key.lookup() {
            Lookup::Exact => Self::Exact(family),
            Lookup::Host => Self::Host(family),
            Lookup::Range => Self::Range(family),
        }
    }

    pub(super) fn name(self) -> &'static CStr {
        match self {
            Self::Exact(Family::Ipv4) => c"exact4",
            Self::Exact(Family::Ipv6) => c"exact6",
            Self::Host(Family::Ipv4) => c"host4",
            Self::Host(Family::Ipv6) => c"host6",
            Self::Range(Family::Ipv4) => c"range4",
            Self::Range(Family::Ipv6) => c"range6",
            Self::Shadow(Family::Ipv4) => c"shadow4",
            Self::Shadow(Family::Ipv6) => c"shadow6",
            Self::Services => c"services",
            Self::AddressServices(Family::Ipv4) => c"services4",
            Self::AddressServices(Family::Ipv6) => c"services6",
            Self::Masquerade(Family::Ipv4) => c"masquerade4",
            Self::Masquerade(Family::Ipv6) => c"masquerade6",
            Self::Source(Family::Ipv4) => c"source4",
            Self::Source(Family::Ipv6) => c"source6",
        }
    }

    /// The set of a name, where it is one of ours.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().find(|set| text(set.name()) == name)
    }

    /// Its family, where it holds addresses.
    pub(super) fn family(self) -> Option<Family> {
        match self {
            Self::Exact(family)
            | Self::Host(family)
            | Self::Range(family)
            | Self::Shadow(family)
            | Self::AddressServices(family)
            | Self::Masquerade(family)
            | Self::Source(family) => Some(family),
            Self::Services => None,
        }
    }

    /// The set of the ledger in which a service belongs.
    pub(super) fn of_service(key: ServiceKey) -> Self {
        match key {
            ServiceKey::Mark { .. } => Self::Services,
            ServiceKey::Address { .. } => Self::AddressServices(key.family()),
        }
    }

    /// The set or map in which a source belongs.
    pub(super) fn of_source(key: SourceKey, source: Source) -> Self {
        match source {
            Source::Masquerade => Self::Masquerade(key.family()),
            Source::Address(_) => Self::Source(key.family()),
        }
    }

    /// Whether it holds sources.
    pub(super) fn is_source(self) -> bool {
        matches!(self, Self::Masquerade(_) | Self::Source(_))
    }

    /// Whether it is part of the ledger, and no map of marks.
    pub(super) fn is_ledger(self) -> bool {
        matches!(self, Self::Services | Self::AddressServices(_))
    }

    /// Whether it is an interval map.
    pub(super) fn is_interval(self) -> bool {
        matches!(self, Self::Range(_) | Self::Shadow(_))
    }

    /// Whether its entries count the packets that they mark.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::Exact(_) | Self::Host(_) | Self::Range(_))
    }

    /// `NFT_SET_*`.
    #[allow(clippy::cast_sign_loss)]
    pub(super) fn flags(self) -> u32 {
        const CONCATENATION: libc::c_int = 0x80;
        let flags = match self {
            Self::Exact(_) | Self::Host(_) | Self::Source(_) => libc::NFT_SET_MAP,
            Self::Range(_) | Self::Shadow(_) => {
                libc::NFT_SET_MAP | libc::NFT_SET_INTERVAL | CONCATENATION
            }
            Self::Services | Self::AddressServices(_) | Self::Masquerade(_) => 0,
        };
        flags as u32
    }

    /// nft's numbers of the parts of the key (`include/datatype.h`), and their lengths.
    fn parts(self) -> &'static [(u32, u8)] {
        const PROTOCOL: (u32, u8) = (12, 1);
        const SERVICE: (u32, u8) = (13, 2);
        const FAMILY: (u32, u8) = (2, 1);
        match self {
            Self::Host(Family::Ipv4) => &[ADDRESS4, PROTOCOL],
            Self::Host(Family::Ipv6) => &[ADDRESS6, PROTOCOL],
            Self::Exact(Family::Ipv4)
            | Self::Range(Family::Ipv4)
            | Self::Shadow(Family::Ipv4)
            | Self::AddressServices(Family::Ipv4) => &[ADDRESS4, PROTOCOL, SERVICE],
            Self::Exact(Family::Ipv6)
            | Self::Range(Family::Ipv6)
            | Self::Shadow(Family::Ipv6)
            | Self::AddressServices(Family::Ipv6) => &[ADDRESS6, PROTOCOL, SERVICE],
            Self::Services => &[MARK, FAMILY],
            Self::Masquerade(Family::Ipv4) | Self::Source(Family::Ipv4) => &[MARK, ADDRESS4],
            Self::Masquerade(Family::Ipv6) | Self::Source(Family::Ipv6) => &[MARK, ADDRESS6],
        }
    }

    /// Type and length of the values; `None` where there are none.
    pub(super) fn data(self) -> Option<(u32, u32)> {
        let (number, length) = match self {
            Self::Exact(_) | Self::Host(_) | Self::Range(_) | Self::Shadow(_) => MARK,
            Self::Source(Family::Ipv4) => ADDRESS4,
            Self::Source(Family::Ipv6) => ADDRESS6,
            Self::Services | Self::AddressServices(_) | Self::Masquerade(_) => return None,
        };
        Some((number, u32::from(length)))
    }

    /// The key's type: six bits for each part.
    pub(super) fn key_type(self) -> u32 {
        self.parts().iter().fold(0, |all, (number, _)| all << 6 | number)
    }

    /// The key's length: each part takes whole registers of 4 bytes.
    pub(super) fn key_length(self) -> u32 {
        self.parts().iter().map(|(_, length)| u32::from(*length).next_multiple_of(4)).sum()
    }

    /// The length of each part, which an interval map must know.
    pub(super) fn part_lengths(self) -> Vec<u8> {
        self.parts().iter().map(|(_, length)| *length).collect()
    }
}

/// nft's numbers and lengths of the types `mark`, `ipv4_addr` and `ipv6_addr`.
const MARK: (u32, u8) = (19, 4);
const ADDRESS4: (u32, u8) = (7, 4);
const ADDRESS6: (u32, u8) = (8, 16);

/// One expression of a rule. Registers are counted in words of 4 bytes: the kernel has
/// two names for most (`NFT_REG_1` is `NFT_REG32_00`), and this is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `meta load KEY`.
    Meta { key: u32, to: u32 },
    /// `cmp eq`.
    Equals { register: u32, value: Vec<u8> },
    /// `cmp neq`.
    Differs { register: u32, value: Vec<u8> },
    /// `payload load`.
    Payload { base: u32, offset: u32, length: u32, to: u32 },
    /// `lookup` in a map.
    Lookup { map: String, key: u32, to: u32 },
    /// `lookup` in a set.
    Find { set: String, key: u32 },
    /// `immediate`: a value into a register.
    Value { to: u32, value: Vec<u8> },
    /// `tproxy` to the port in a register.
    Tproxy { family: u32, from: u32 },
    /// `masq`.
    Masquerade,
    /// `nat snat` to the address in a register.
    Snat { family: u32, from: u32 },
    /// `meta set mark`.
    SetMark { from: u32 },
    /// The verdict accept.
    Accept,
    /// `counter`.
    Counter,
    /// Anything that our rules do not have.
    Foreign(String),
}

#[allow(clippy::cast_sign_loss)]
fn number(constant: libc::c_int) -> u32 {
    constant as u32
}

/// `meta nfproto`.
fn of_family(protocol: libc::c_int) -> [Step; 2] {
    [
        Step::Meta { key: number(libc::NFT_META_NFPROTO), to: 0 },
        Step::Equals { register: 0, value: vec![u8::try_from(protocol).unwrap_or(0)] },
    ]
}

/// The rule that looks up `map`, as nft 1.0.6 writes it:
/// `meta mark set ip daddr . meta l4proto . th dport map @exact4 accept`.
pub(super) fn marking(map: Set) -> Vec<Step> {
    // Offset and length of the destination address: RFC 791, RFC 8200.
    let (protocol, offset, length) = match map.family() {
        Some(Family::Ipv6) => (libc::NFPROTO_IPV6, 24, 16),
        _ => (libc::NFPROTO_IPV4, 16, 4),
    };
    let words = length / 4;
    let network = number(libc::NFT_PAYLOAD_NETWORK_HEADER);
    let mut steps = of_family(protocol).to_vec();
    steps.extend([
        Step::Payload { base: network, offset, length, to: 0 },
        Step::Meta { key: number(libc::NFT_META_L4PROTO), to: words },
    ]);
    if !matches!(map, Set::Host(_)) {
        let transport = number(libc::NFT_PAYLOAD_TRANSPORT_HEADER);
        steps.push(Step::Payload { base: transport, offset: 2, length: 2, to: words + 1 });
    }
    steps.extend([
        Step::Lookup { map: text(map.name()).to_owned(), key: 0, to: 0 },
        Step::SetMark { from: 0 },
        Step::Accept,
    ]);
    steps
}

/// The rule that accepts what has a mark: `meta mark != 0 accept`.
pub(super) fn is_marked() -> Vec<Step> {
    vec![
        Step::Meta { key: number(libc::NFT_META_MARK), to: 0 },
        Step::Differs { register: 0, value: vec![0; 4] },
        Step::Accept,
    ]
}

/// A rule that no packet meets, as nft 1.0.6 writes it: `meta mark 1 meta mark 2 meta
/// l4proto udp tproxy ip to :1`. That it is there has the kernel put fragments together
/// before any chain of this priority sees them (`nft_tproxy_init`,
/// `net/netfilter/nft_tproxy.c`), without tracking connections, which a `ct` expression
/// would have as well. For IPv6, IPVS sees to it by itself (`ip_vs_add_service`,
/// `net/netfilter/ipvs/ip_vs_ctl.c`).
pub(super) fn defragmentation() -> Vec<Step> {
    let mut steps = Vec::new();
    for mark in [1_u32, 2] {
        steps.push(Step::Meta { key: number(libc::NFT_META_MARK), to: 0 });
        steps.push(Step::Equals { register: 0, value: mark.to_ne_bytes().to_vec() });
    }
    steps.extend([
        Step::Meta { key: number(libc::NFT_META_L4PROTO), to: 0 },
        Step::Equals { register: 0, value: vec![Protocol::Udp.number()] },
        Step::Value { to: 0, value: vec![0, 1] },
        Step::Tproxy { family: number(libc::NFPROTO_IPV4), from: 0 },
    ]);
    steps
}

/// The rule that looks up a set or map of sources, as nft 1.0.6 writes it:
/// `meta mark . ip daddr @masquerade4 masquerade` and
/// `snat ip to meta mark . ip daddr map @source4`.
pub(super) fn translation(set: Set) -> Vec<Step> {
    let (protocol, offset, length) = match set.family() {
        Some(Family::Ipv6) => (libc::NFPROTO_IPV6, 24, 16),
        _ => (libc::NFPROTO_IPV4, 16, 4),
    };
    let base = number(libc::NFT_PAYLOAD_NETWORK_HEADER);
    let mut steps = of_family(protocol).to_vec();
    steps.extend([
        Step::Meta { key: number(libc::NFT_META_MARK), to: 0 },
        Step::Payload { base, offset, length, to: 1 },
    ]);
    let name = text(set.name()).to_owned();
    if set.data().is_none() {
        steps.extend([Step::Find { set: name, key: 0 }, Step::Masquerade]);
    } else {
        let snat = Step::Snat { family: number(protocol), from: 0 };
        steps.extend([Step::Lookup { map: name, key: 0, to: 0 }, snat]);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_types_and_lengths_are_those_of_nft() {
        let shape = |set: Set| (set.key_type(), set.key_length());
        assert_eq!(shape(Set::Exact(Family::Ipv4)), (0x730d, 12));
        assert_eq!(shape(Set::Range(Family::Ipv6)), (0x830d, 24));
        assert_eq!(shape(Set::Shadow(Family::Ipv6)), (0x830d, 24));
        assert_eq!(shape(Set::Host(Family::Ipv4)), (0x1cc, 8));
        assert_eq!(shape(Set::Services), (0x4c2, 8));
        assert_eq!(shape(Set::AddressServices(Family::Ipv4)), (0x730d, 12));
        assert_eq!(shape(Set::AddressServices(Family::Ipv6)), (0x830d, 24));
    }

    #[test]
    fn every_set_is_found_by_its_name() {
        for set in Set::all() {
            assert_eq!(Set::named(text(set.name())), Some(set));
        }
        assert_eq!(Set::named("exact"), None);
    }
}
