//! The sets (ipset(8)) of the form that costs a packet the same with ten entries and with
//! ten thousand.
//!
//! There are two banks of them. A switch fills the one that is not in use, and then has the
//! chain look there: so all sets of a family change with the one commit that also writes
//! the ledger, which swapping them one after another would not.

use std::fmt;

use super::RuleText;
use crate::model::{Family, Protocol};
use crate::state::MarkKey;

/// A range of more ports is a rule also where the others are in sets: a set has an element
/// for each port.
pub const MAX_PORTS_IN_SETS: u16 = 1024;

/// One of the two banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Bank {
    /// `fwmarkctl-a-…`
    #[default]
    A,
    /// `fwmarkctl-b-…`
    B,
}

impl Bank {
    /// What the names of all sets of ours begin with.
    pub const PREFIX: &str = "fwmarkctl-";
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The one that a switch fills while this one is in use.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// What the names of its sets begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::A => "fwmarkctl-a-",
            Self::B => "fwmarkctl-b-",
        }
    }
}

/// What a set is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetRole {
    /// Prefixes with ports: `hash:net,port`.
    Net,
    /// Addresses and prefixes whatever the port, of one protocol: `hash:net`.
    All(Protocol),
    /// Addresses with a port: `hash:ip,port`.
    Port,
}

impl SetRole {
    /// All, in the order in which they are looked into: the last that knows a packet has
    /// the last word.
    pub fn marking() -> impl Iterator<Item = Self> {
        let all = Protocol::ALL.into_iter().map(Self::All);
        std::iter::once(Self::Net).chain(all).chain([Self::Port])
    }

    /// The role of an entry's set.
    pub fn of(key: &MarkKey) -> Self {
        match (key.ports.is_any(), key.destination.is_host()) {
            (true, _) => Self::All(key.protocol),
            (false, true) => Self::Port,
            (false, false) => Self::Net,
        }
    }

    /// The name of the set of a family, 31 characters at most (`IPSET_MAXNAMELEN`).
    pub fn name(self, family: Family, bank: Bank) -> String {
        let number = match family {
            Family::Ipv4 => 4,
            Family::Ipv6 => 6,
        };
        format!("{}{self}{number}", bank.prefix())
    }

    /// The rule that marks what its set knows.
    pub fn rule(self, family: Family, bank: Bank) -> RuleText {
        let (protocol, dimensions) = match self {
            Self::All(protocol) => (Some(protocol), "dst"),
            Self::Net | Self::Port => (None, "dst,dst"),
        };
        let text = RuleText::new();
        let text = match protocol {
            Some(protocol) => text.with("-p", protocol.as_str()),
            None => text,
        };
        let name = self.name(family, bank);
        text.with("-j", "SET").with("--map-set", &name).flag(dimensions).flag("--map-mark")
    }

    /// The role and the bank of a set by its name.
    pub fn named(name: &str, family: Family) -> Option<(Self, Bank)> {
        let banks = Bank::BOTH.into_iter();
        banks
            .flat_map(|bank| Self::marking().map(move |role| (role, bank)))
            .find(|(role, bank)| role.name(family, *bank) == name)
    }
}

impl fmt::Display for SetRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net => f.write_str("net"),
            Self::All(protocol) => write!(f, "all-{protocol}-"),
            Self::Port => f.write_str("port"),
        }
    }
}

/// Whether an entry is in a set, and not a rule because it has very many ports.
pub fn in_sets(key: &MarkKey) -> bool {
    key.ports.is_any() || key.ports.last() - key.ports.first() < MAX_PORTS_IN_SETS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_read_back() {
        for family in Family::BOTH {
            for bank in Bank::BOTH {
                for role in SetRole::marking() {
                    let name = role.name(family, bank);
                    assert!(name.len() <= 31, "{name}");
                    assert_eq!(SetRole::named(&name, family), Some((role, bank)));
                }
            }
        }
        assert_eq!(SetRole::named("fwmarkctl-c-net4", Family::Ipv4), None);
    }
}
