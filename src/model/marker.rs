//! What writes the marks of a director, and in which form.

use std::fmt;
use std::str::FromStr;

/// The part of the kernel that writes marks, by the tools that people know it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Marker {
    /// nf_tables, through netlink: a table of our own with maps.
    #[default]
    Nftables,
    /// iptables, through `iptables-restore`: chains of our own in the tables of all.
    Iptables(Variant),
}

/// The two programs that are called iptables. They do not see each other's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// `iptables-nft`: the syntax of iptables, kept in nf_tables.
    Nft,
    /// `iptables-legacy`: the kernel's `ip_tables` and `ip6_tables`.
    Legacy,
}

/// How iptables says which packets get which mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Form {
    /// A rule for each address and protocol, as people write them. A packet passes all of
    /// them. It is also the form of nftables, whose maps have no other.
    #[default]
    Rules,
    /// A few rules that look into sets (ipset(8)), whatever the number of entries.
    Sets,
}

impl Marker {
    /// All of them, the default first.
    pub const ALL: [Self; 3] =
        [Self::Nftables, Self::Iptables(Variant::Nft), Self::Iptables(Variant::Legacy)];

    /// Its name, as in `iptables-legacy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nftables => "nftables",
            Self::Iptables(Variant::Nft) => "iptables-nft",
            Self::Iptables(Variant::Legacy) => "iptables-legacy",
        }
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No name of a [`Marker`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is none of nftables, iptables-nft and iptables-legacy")]
pub struct InvalidMarker;

impl FromStr for Marker {
    type Err = InvalidMarker;

    fn from_str(text: &str) -> Result<Self, InvalidMarker> {
        Self::ALL.into_iter().find(|marker| marker.name() == text).ok_or(InvalidMarker)
    }
}

impl Form {
    /// `rules` or `sets`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Sets => "sets",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back_from_its_name() {
        for marker in Marker::ALL {
            assert_eq!(marker.to_string().parse(), Ok(marker));
        }
        assert_eq!("iptables".parse::<Marker>(), Err(InvalidMarker));
    }
}
