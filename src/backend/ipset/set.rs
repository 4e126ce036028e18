//! What a set is, beside its members.

use crate::model::Family;

/// What the members of a set are made of. All are hash tables: a look-up costs a packet
/// the same whatever they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetKind {
    /// `hash:ip,port`: one address, a protocol and a port.
    IpPort,
    /// `hash:net,port`: a prefix, a protocol and a port.
    NetPort,
    /// `hash:net`: a prefix.
    Net,
    /// `hash:ip,mark`: one address and a packet's mark.
    IpMark,
}

impl SetKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::IpPort, Self::NetPort, Self::Net, Self::IpMark];

    /// The name of the type, as ipset(8) has it.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::IpPort => "hash:ip,port",
            Self::NetPort => "hash:net,port",
            Self::Net => "hash:net",
            Self::IpMark => "hash:ip,mark",
        }
    }

    /// The kind of a type's name.
    pub fn of_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.type_name() == name)
    }

    /// The kernel module that has it.
    pub fn module(self) -> &'static str {
        match self {
            Self::IpPort => "ip_set_hash_ipport",
            Self::NetPort => "ip_set_hash_netport",
            Self::Net => "ip_set_hash_net",
            Self::IpMark => "ip_set_hash_ipmark",
        }
    }

    /// The first revision that has skbinfo, of Linux 3.19 (the `REV_MAX` comments of
    /// `net/netfilter/ipset/ip_set_hash_*.c`): what is older cannot give marks, and
    /// what is newer is not used.
    pub(super) fn revision(self) -> u8 {
        match self {
            Self::IpPort => 5,
            Self::NetPort => 7,
            Self::Net => 6,
            Self::IpMark => 2,
        }
    }

    pub(super) fn has_port(self) -> bool {
        matches!(self, Self::IpPort | Self::NetPort)
    }

    pub(super) fn has_prefix(self) -> bool {
        matches!(self, Self::NetPort | Self::Net)
    }
}

/// What members carry beside what they are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extensions {
    /// A mark for the packet, by `-j SET --map-set … --map-mark`.
    pub skbinfo: bool,
    /// How many packets and bytes found them.
    pub counters: bool,
    /// A comment.
    pub comment: bool,
}

impl Extensions {
    /// All of them.
    pub const ALL: Self = Self { skbinfo: true, counters: true, comment: true };
}

/// A set as it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDefinition {
    /// Its name, of 31 bytes at most.
    pub name: String,
    /// What its members are made of.
    pub kind: SetKind,
    /// The family of their addresses.
    pub family: Family,
    /// How many members it takes.
    pub capacity: u32,
    /// What they carry.
    pub extensions: Extensions,
}

impl SetDefinition {
    /// How many buckets the hash table begins with: one for each member, so that it never
    /// has to grow while it is filled.
    pub(super) fn buckets(&self) -> u32 {
        self.capacity.clamp(64, 1 << 20).next_power_of_two()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_the_name_of_its_type() {
        for kind in SetKind::ALL {
            assert_eq!(SetKind::of_type(kind.type_name()), Some(kind));
        }
        assert_eq!(SetKind::of_type("hash:ip"), None);
    }
}
