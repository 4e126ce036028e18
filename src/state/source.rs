//! Whose address real servers see: where the client's is replaced by one of the
//! director's, which is what makes NAT a full one.
//!
//! IPVS replaces the destination and leaves the mark, so behind it a packet's mark and
//! destination say for which group it was forwarded, and to whom.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::model::{Family, GroupName, Mark};

/// The packets whose source is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    /// The mark of their group.
    pub mark: Mark,
    /// The real server to which they were forwarded.
    pub server: IpAddr,
}

impl SourceKey {
    /// The family of the packets.
    pub fn family(&self) -> Family {
        Family::of(self.server)
    }
}

impl fmt::Display for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fwmark {} {}", self.mark, self.server)
    }
}

/// What stands for the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// An address of the device by which the packet leaves.
    Masquerade,
    /// This address.
    Address(IpAddr),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masquerade => f.write_str("masquerade"),
            Self::Address(address) => write!(f, "snat {address}"),
        }
    }
}

/// The source of a [`SourceKey`] and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// What stands for the client's address.
    pub source: Source,
    /// The group; `None` where the kernel's entry does not say.
    pub group: Option<GroupName>,
}

/// All entries, in the order of their keys.
pub type Sources = BTreeMap<SourceKey, SourceEntry>;
