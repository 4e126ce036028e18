//! Chains and rules, whichever tool made them.

use std::collections::BTreeMap;
use std::fmt;

use super::xt::Match;
use crate::model::Family;

/// The priority of our chain at prerouting, `mangle`.
pub(in crate::preflight) const PRIORITY_OF_OURS: i32 = -150;

/// A place where the kernel hands packets to chains (`enum nf_inet_hooks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::preflight) enum Hook {
    Prerouting = 0,
    Input = 1,
    Forward = 2,
    Output = 3,
    Postrouting = 4,
}

impl Hook {
    pub(in crate::preflight) const ALL: [Self; 5] =
        [Self::Prerouting, Self::Input, Self::Forward, Self::Output, Self::Postrouting];

    pub(in crate::preflight) fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| *hook as u32 == number)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
        })
    }
}

/// Who keeps a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::preflight) enum Origin {
    /// nf_tables, of this family: `ip`, `ip6`, `inet`.
    Nft(&'static str),
    /// Legacy iptables of a family.
    Legacy(Family),
}

impl Origin {
    /// Whether packets of `family` come by.
    pub(in crate::preflight) fn sees(self, family: Family) -> bool {
        match self {
            Self::Nft("ip") => family == Family::Ipv4,
            Self::Nft("ip6") => family == Family::Ipv6,
            Self::Nft(other) => other == "inet",
            Self::Legacy(own) => own == family,
        }
    }
}

/// A chain's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::preflight) struct ChainId {
    pub(in crate::preflight) origin: Origin,
    pub(in crate::preflight) table: String,
    pub(in crate::preflight) name: String,
}

impl ChainId {
    /// Whether it is in our own table, or is one of our chains in the tables of iptables.
    pub(in crate::preflight) fn is_ours(&self) -> bool {
        match self.origin {
            Origin::Nft("inet") => self.table == "fwmarkctl",
            _ => {
                matches!(self.table.as_str(), "mangle" | "nat")
                    && self.name.starts_with("FWMARKCTL")
            }
        }
    }

    /// The other chain of the same table.
    pub(in crate::preflight) fn sibling(&self, name: &str) -> Self {
        Self { origin: self.origin, table: self.table.clone(), name: name.to_owned() }
    }

    /// Whether legacy iptables keeps it, whose rules have no handles.
    pub(in crate::preflight) fn origin_is_legacy(&self) -> bool {
        matches!(self.origin, Origin::Legacy(_))
    }

    /// The iptables that manages it, where that is iptables-nft or legacy.
    pub(in crate::preflight) fn iptables(&self) -> Option<&'static str> {
        let tables = ["filter", "mangle", "nat", "raw", "security"];
        let chains = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
        let of_iptables = tables.contains(&self.table.as_str());
        match self.origin {
            Origin::Legacy(Family::Ipv4) => Some("iptables-legacy"),
            Origin::Legacy(Family::Ipv6) => Some("ip6tables-legacy"),
            Origin::Nft("ip") if of_iptables && chains.contains(&self.name.as_str()) => {
                Some("iptables-nft")
            }
            Origin::Nft("ip6") if of_iptables && chains.contains(&self.name.as_str()) => {
                Some("ip6tables-nft")
            }
            Origin::Nft(_) => None,
        }
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, table, name } = self;
        match (origin, self.iptables()) {
            (_, Some(tool)) => write!(f, "chain {name} of {tool}'s table {table}"),
            (Origin::Nft(family), _) => write!(f, "chain {name} of table {family} {table}"),
            (Origin::Legacy(_), None) => write!(f, "chain {name} of table {table}"),
        }
    }
}

/// Where a base chain is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) struct Base {
    pub(in crate::preflight) hook: Hook,
    pub(in crate::preflight) priority: i32,
    /// Whether its policy is to drop.
    pub(in crate::preflight) drops: bool,
    /// `filter`, `nat` or `route`.
    pub(in crate::preflight) kind: String,
}

/// A chain with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) struct Chain {
    pub(in crate::preflight) id: ChainId,
    pub(in crate::preflight) base: Option<Base>,
    pub(in crate::preflight) rules: Vec<Rule>,
    /// The place among the chains of its hook, where the kernel told.
    pub(in crate::preflight) order: Option<usize>,
    /// The handle of its table, which grows with each table that is made.
    pub(in crate::preflight) table: Option<u64>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::preflight) struct Rule {
    /// The handle of nf_tables, or the number in a legacy chain.
    pub(in crate::preflight) handle: u64,
    pub(in crate::preflight) steps: Vec<Step>,
}

/// What ends a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) enum Verdict {
    Accept,
    Drop,
    /// To a program, which decides.
    Queue,
    Return,
    Jump(String),
    Goto(String),
    /// The destination is another one from here on.
    Divert,
}

/// One part of a rule. Registers are counted in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) enum Step {
    /// `meta load`.
    Meta { key: u32, to: usize },
    /// `ct load`.
    Ct { key: u32, to: usize },
    /// `payload load`.
    Payload { base: u32, offset: usize, length: usize, to: usize },
    /// `fib … type` of the destination.
    DestinationType { to: usize },
    /// Something that depends on the client or on the moment.
    Sometimes { to: usize },
    /// Something that is not known.
    Blind { to: usize },
    /// `immediate`, data.
    Value { to: usize, value: Vec<u8> },
    /// `bitwise`: and, then exclusive or.
    Bitwise { from: usize, to: usize, mask: Vec<u8>, xor: Vec<u8> },
    /// `byteorder`: swaps words of `size` bytes.
    Swap { from: usize, to: usize, length: usize, size: usize },
    /// `cmp`: the operator's number.
    Compare { at: usize, operator: u32, value: Vec<u8> },
    /// `range`.
    Range { at: usize, inverted: bool, first: Vec<u8>, last: Vec<u8> },
    /// `lookup`; `to` is where data goes, or the verdict's register.
    Lookup { set: String, at: usize, to: Option<Target>, inverted: bool },
    /// `meta mark set`.
    SetMark { from: usize },
    /// A match of xtables.
    Test(Match),
    /// xtables: `(mark & !mask) ^ value`.
    ChangeMark { value: u32, mask: u32 },
    /// A mark that is not known beforehand (`ct mark` restored, for example).
    GuessMark,
    /// `notrack`.
    Untrack,
    /// A limit, a quota: sometimes it matches.
    Limit,
    /// What ends the rule.
    Verdict(Verdict),
    /// What changes nothing: counters, logs, comments.
    Nothing,
    /// What is not understood, by its name.
    Unknown(String),
}

/// Where a look-up's data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::preflight) enum Target {
    Register(usize),
    Verdict,
}

/// An element of a set or map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::preflight) struct Element {
    pub(in crate::preflight) key: Vec<u8>,
    /// The last key, inclusive, of an interval with concatenated parts.
    pub(in crate::preflight) last: Option<Vec<u8>>,
    /// Whether an interval ends before this key.
    pub(in crate::preflight) ends: bool,
    pub(in crate::preflight) data: Option<Vec<u8>>,
    pub(in crate::preflight) verdict: Option<Verdict>,
}

/// A set or map that rules look into.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::preflight) struct Set {
    /// `NFT_SET_INTERVAL`.
    pub(in crate::preflight) is_interval: bool,
    /// The length of its keys, in bytes.
    pub(in crate::preflight) key_length: usize,
    /// `None` where it is too large to be read, or changes by itself.
    pub(in crate::preflight) elements: Option<Vec<Element>>,
}

/// Everything that packets pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::preflight) struct Ruleset {
    pub(in crate::preflight) chains: Vec<Chain>,
    /// Sets by family, table and name.
    pub(in crate::preflight) sets: BTreeMap<(&'static str, String, String), Set>,
}

impl Ruleset {
    /// The chains of a hook in the order in which packets of a family come by.
    pub(in crate::preflight) fn hooked(&self, hook: Hook, family: Family) -> Vec<(&Chain, &Base)> {
        let mut chains: Vec<_> = self
            .chains
            .iter()
            .filter(|chain| chain.id.origin.sees(family))
            .filter_map(|chain| Some((chain, chain.base.as_ref().filter(|b| b.hook == hook)?)))
            .collect();
        // Of one priority, what was registered later is called earlier. Where the kernel does
        // not tell: a table younger than ours has only younger chains. An older one may have
        // got its chain later, and is taken to be called behind ours, which may matter.
        let ours = self.chains.iter().find(|chain| chain.id.is_ours()).and_then(|c| c.table);
        let tie = |chain: &Chain| match (chain.id.is_ours(), chain.table, ours) {
            (true, ..) => 1,
            (false, Some(table), Some(ours)) if table > ours => 0,
            _ => 2,
        };
        chains.sort_by_key(|(chain, base)| (base.priority, chain.order, tie(chain)));
        chains
    }

    pub(in crate::preflight) fn chain(&self, id: &ChainId) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.id == *id)
    }

    /// The set that a rule of `chain` names.
    pub(in crate::preflight) fn set(&self, chain: &ChainId, name: &str) -> Option<&Set> {
        let Origin::Nft(family) = chain.origin else { return None };
        self.sets.get(&(family, chain.table.clone(), name.to_owned()))
    }
}
