//! The maps and sets of our table: names, and types of keys and values.

use std::ffi::CStr;

use nftnl::nftnl_sys::libc;

use super::frame::text;
use crate::model::{Family, Protocol};
use crate::state::{Lookup, MarkKey, ServiceKey, Source, SourceKey};

/// The maps and sets of the table, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    /// One address and one port: a hash map.
    Exact(Family),
    /// One address and any port: a hash map.
    Host(Family),
    /// Prefixes and port ranges of one protocol: an interval map.
    Range(Family, Protocol),
    /// Old entries of the maps before it, while these change: an interval map.
    Shadow(Family, Protocol),
    /// The virtual services by mark that are ours.
    Services,
    /// The virtual services by address that are ours.
    AddressServices(Family),
    /// Whose clients' addresses are replaced by one of the device.
    Masquerade(Family),
    /// Whose clients' addresses are replaced by an address of choice.
    Source(Family),
    /// The interval map of every protocol that earlier versions had: read, never made.
    FormerRange(Family),
    /// The shadow map of every protocol that earlier versions had: read, never made.
    FormerShadow(Family),
}

impl Set {
    /// The maps, in the order in which they are made.
    pub(super) const MAPS: [Self; 16] = {
        use Family::{Ipv4, Ipv6};
        use Protocol::{Sctp, Tcp, Udp};
        [
            Self::Exact(Ipv4),
            Self::Exact(Ipv6),
            Self::Host(Ipv4),
            Self::Host(Ipv6),
            Self::Range(Ipv4, Tcp),
            Self::Range(Ipv4, Udp),
            Self::Range(Ipv4, Sctp),
            Self::Range(Ipv6, Tcp),
            Self::Range(Ipv6, Udp),
            Self::Range(Ipv6, Sctp),
            Self::Shadow(Ipv4, Tcp),
            Self::Shadow(Ipv4, Udp),
            Self::Shadow(Ipv4, Sctp),
            Self::Shadow(Ipv6, Tcp),
            Self::Shadow(Ipv6, Udp),
            Self::Shadow(Ipv6, Sctp),
        ]
    };

    /// The maps that only tables of earlier versions have.
    pub(super) const FORMER: [Self; 4] = [
        Self::FormerRange(Family::Ipv4),
        Self::FormerRange(Family::Ipv6),
        Self::FormerShadow(Family::Ipv4),
        Self::FormerShadow(Family::Ipv6),
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

    /// The maps and the sets that our table has.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::MAPS.into_iter().chain(Self::LEDGER).chain(Self::SOURCES)
    }

    /// The map in which `key` belongs.
    pub(super) fn of(key: &MarkKey) -> Self {
        let family = key.family();
        match key.lookup() {
            Lookup::Exact => Self::Exact(family),
            Lookup::Host => Self::Host(family),
            Lookup::Range => Self::Range(family, key.protocol),
        }
    }

    /// The shadow map in which `key` belongs.
    pub(super) fn shadow_of(key: &MarkKey) -> Self {
        Self::Shadow(key.family(), key.protocol)
    }

    /// Whether `key` belongs in this map.
    pub(super) fn is_home_of(self, key: &MarkKey) -> bool {
        match self {
            Self::FormerRange(family) => key.lookup() == Lookup::Range && key.family() == family,
            _ => Self::of(key) == self,
        }
    }

    pub(super) fn name(self) -> &'static CStr {
        match self {
            Self::Exact(Family::Ipv4) => c"exact4",
            Self::Exact(Family::Ipv6) => c"exact6",
            Self::Host(Family::Ipv4) => c"host4",
            Self::Host(Family::Ipv6) => c"host6",
            Self::Range(Family::Ipv4, Protocol::Tcp) => c"range4_tcp",
            Self::Range(Family::Ipv4, Protocol::Udp) => c"range4_udp",
            Self::Range(Family::Ipv4, Protocol::Sctp) => c"range4_sctp",
            Self::Range(Family::Ipv6, Protocol::Tcp) => c"range6_tcp",
            Self::Range(Family::Ipv6, Protocol::Udp) => c"range6_udp",
            Self::Range(Family::Ipv6, Protocol::Sctp) => c"range6_sctp",
            Self::Shadow(Family::Ipv4, Protocol::Tcp) => c"shadow4_tcp",
            Self::Shadow(Family::Ipv4, Protocol::Udp) => c"shadow4_udp",
            Self::Shadow(Family::Ipv4, Protocol::Sctp) => c"shadow4_sctp",
            Self::Shadow(Family::Ipv6, Protocol::Tcp) => c"shadow6_tcp",
            Self::Shadow(Family::Ipv6, Protocol::Udp) => c"shadow6_udp",
            Self::Shadow(Family::Ipv6, Protocol::Sctp) => c"shadow6_sctp",
            Self::FormerRange(Family::Ipv4) => c"range4",
            Self::FormerRange(Family::Ipv6) => c"range6",
            Self::FormerShadow(Family::Ipv4) => c"shadow4",
            Self::FormerShadow(Family::Ipv6) => c"shadow6",
            Self::Services => c"services",
            Self::AddressServices(Family::Ipv4) => c"services4",
            Self::AddressServices(Family::Ipv6) => c"services6",
            Self::Masquerade(Family::Ipv4) => c"masquerade4",
            Self::Masquerade(Family::Ipv6) => c"masquerade6",
            Self::Source(Family::Ipv4) => c"source4",
            Self::Source(Family::Ipv6) => c"source6",
        }
    }

    /// The set of a name, where it is one of ours or was.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().chain(Self::FORMER).find(|set| text(set.name()) == name)
    }

    /// Whether only tables of earlier versions have it.
    pub(super) fn is_former(self) -> bool {
        matches!(self, Self::FormerRange(_) | Self::FormerShadow(_))
    }

    /// Its family, where it holds addresses.
    pub(super) fn family(self) -> Option<Family> {
        match self {
            Self::Exact(family)
            | Self::Host(family)
            | Self::Range(family, _)
            | Self::Shadow(family, _)
            | Self::AddressServices(family)
            | Self::Masquerade(family)
            | Self::Source(family)
            | Self::FormerRange(family)
            | Self::FormerShadow(family) => Some(family),
            Self::Services => None,
        }
    }

    /// Its protocol, where it holds entries of one only and keys do not say it.
    pub(super) fn protocol(self) -> Option<Protocol> {
        match self {
            Self::Range(_, protocol) | Self::Shadow(_, protocol) => Some(protocol),
            _ => None,
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
        self.protocol().is_some() || self.is_former()
    }

    /// Whether it is looked up last, and holds what is on its way out.
    pub(super) fn is_shadow(self) -> bool {
        matches!(self, Self::Shadow(..) | Self::FormerShadow(_))
    }

    /// Whether its entries count the packets that they mark.
    pub(super) fn counts(self) -> bool {
        matches!(self, Self::Exact(_) | Self::Host(_) | Self::Range(..) | Self::FormerRange(_))
    }

    /// `NFT_SET_*`.
    #[allow(clippy::cast_sign_loss)]
    pub(super) fn flags(self) -> u32 {
        const CONCATENATION: libc::c_int = 0x80;
        let flags = match self {
            Self::Exact(_) | Self::Host(_) | Self::Source(_) => libc::NFT_SET_MAP,
            Self::Range(..) | Self::Shadow(..) | Self::FormerRange(_) | Self::FormerShadow(_) => {
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
            | Self::AddressServices(Family::Ipv4)
            | Self::FormerRange(Family::Ipv4)
            | Self::FormerShadow(Family::Ipv4) => &[ADDRESS4, PROTOCOL, SERVICE],
            Self::Exact(Family::Ipv6)
            | Self::AddressServices(Family::Ipv6)
            | Self::FormerRange(Family::Ipv6)
            | Self::FormerShadow(Family::Ipv6) => &[ADDRESS6, PROTOCOL, SERVICE],
            Self::Range(Family::Ipv4, _) | Self::Shadow(Family::Ipv4, _) => &[ADDRESS4, SERVICE],
            Self::Range(Family::Ipv6, _) | Self::Shadow(Family::Ipv6, _) => &[ADDRESS6, SERVICE],
            Self::Services => &[MARK, FAMILY],
            Self::Masquerade(Family::Ipv4) | Self::Source(Family::Ipv4) => &[MARK, ADDRESS4],
            Self::Masquerade(Family::Ipv6) | Self::Source(Family::Ipv6) => &[MARK, ADDRESS6],
        }
    }

    /// Type and length of the values; `None` where there are none.
    pub(super) fn data(self) -> Option<(u32, u32)> {
        let (number, length) = match self {
            Self::Exact(_)
            | Self::Host(_)
            | Self::Range(..)
            | Self::Shadow(..)
            | Self::FormerRange(_)
            | Self::FormerShadow(_) => MARK,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_types_and_lengths_are_those_of_nft() {
        let shape = |set: Set| (set.key_type(), set.key_length());
        assert_eq!(shape(Set::Exact(Family::Ipv4)), (0x730d, 12));
        assert_eq!(shape(Set::Range(Family::Ipv4, Protocol::Udp)), (0x1cd, 8));
        assert_eq!(shape(Set::Range(Family::Ipv6, Protocol::Tcp)), (0x20d, 20));
        assert_eq!(shape(Set::Shadow(Family::Ipv6, Protocol::Sctp)), (0x20d, 20));
        assert_eq!(shape(Set::FormerRange(Family::Ipv6)), (0x830d, 24));
        assert_eq!(shape(Set::Host(Family::Ipv4)), (0x1cc, 8));
        assert_eq!(shape(Set::Services), (0x4c2, 8));
        assert_eq!(shape(Set::AddressServices(Family::Ipv4)), (0x730d, 12));
        assert_eq!(shape(Set::AddressServices(Family::Ipv6)), (0x830d, 24));
    }

    #[test]
    fn every_set_is_found_by_its_name() {
        for set in Set::all().chain(Set::FORMER) {
            assert_eq!(Set::named(text(set.name())), Some(set));
        }
        assert_eq!(Set::named("exact"), None);
    }
}
