//! The chains that a hook calls, those to which they send packets on, and their rules. Of
//! the former all but the one that marks are there only while something needs them.

use std::ffi::CStr;

use nftnl::nftnl_sys::libc;
use nftnl::{ChainType, Hook};

use super::frame::{self, Set, Step, text};
use crate::model::{Family, Protocol};
use crate::state::OptionalChains;

/// A chain that a hook calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Marks what arrives.
    Prerouting,
    /// Has fragments put together before they are marked.
    Defragment,
    /// Marks what the director itself sends.
    Output,
    /// Replaces clients' addresses.
    Postrouting,
}

/// A chain to which the chains that mark send packets on. None returns from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch {
    /// The interval maps of one family and protocol.
    Ranges(Family, Protocol),
    /// What is left of IPv6 after the map that most packets hit.
    Ipv6,
}

/// A rule, and what it is called in a sentence.
pub(super) struct BaseRule {
    pub(super) what: String,
    pub(super) steps: Vec<Step>,
}

/// The rule that looks up `set`.
fn lookup(set: Set, steps: Vec<Step>) -> BaseRule {
    BaseRule { what: format!("the rule that looks up {}", text(set.name())), steps }
}

/// The rule that sends packets on to `branch`.
fn on_to(branch: Branch) -> BaseRule {
    let chain = branch.name();
    let steps = match branch {
        Branch::Ranges(_, protocol) => frame::on_of(protocol, chain),
        Branch::Ipv6 => frame::on_of_ipv6(chain),
    };
    BaseRule { what: format!("the rule that leads to {}", text(chain)), steps }
}

/// The rules for what no hash map with ports knows.
fn less_exact(family: Family) -> impl Iterator<Item = BaseRule> {
    let host = Set::Host(family);
    let ranges = Protocol::ALL.into_iter().map(move |of| on_to(Branch::Ranges(family, of)));
    std::iter::once(lookup(host, frame::marking(host))).chain(ranges)
}

/// The rules that mark, at whichever hook. Hits of the exact maps come first. What else is
/// of IPv6 leaves then, and each protocol goes on by itself, so that a packet that no
/// entry knows passes no more rules than it must.
fn marking() -> impl Iterator<Item = BaseRule> {
    Family::BOTH
        .into_iter()
        .map(|family| lookup(Set::Exact(family), frame::marking(Set::Exact(family))))
        .chain(std::iter::once(on_to(Branch::Ipv6)))
        .chain(less_exact(Family::Ipv4))
}

impl Branch {
    /// All of them; one that sends packets on to others comes after them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let ranges = |family| Protocol::ALL.into_iter().map(move |of| Self::Ranges(family, of));
        Family::BOTH.into_iter().flat_map(ranges).chain(std::iter::once(Self::Ipv6))
    }

    /// The chain of a name, where it is one of these.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().find(|branch| text(branch.name()) == name)
    }

    pub(super) fn name(self) -> &'static CStr {
        match self {
            Self::Ranges(Family::Ipv4, Protocol::Tcp) => c"tcp4",
            Self::Ranges(Family::Ipv4, Protocol::Udp) => c"udp4",
            Self::Ranges(Family::Ipv4, Protocol::Sctp) => c"sctp4",
            Self::Ranges(Family::Ipv6, Protocol::Tcp) => c"tcp6",
            Self::Ranges(Family::Ipv6, Protocol::Udp) => c"udp6",
            Self::Ranges(Family::Ipv6, Protocol::Sctp) => c"sctp6",
            Self::Ipv6 => c"marking6",
        }
    }

    /// Its rules in their order.
    pub(super) fn rules(self) -> Vec<BaseRule> {
        match self {
            Self::Ranges(family, protocol) => {
                let maps = [Set::Range(family, protocol), Set::Shadow(family, protocol)];
                maps.into_iter().map(|map| lookup(map, frame::marking(map))).collect()
            }
            Self::Ipv6 => less_exact(Family::Ipv6).collect(),
        }
    }
}

impl Base {
    /// The optional ones, and whether they are among `chains`.
    pub(super) fn optional(chains: OptionalChains) -> [(Self, bool); 3] {
        [
            (Self::Defragment, chains.defragment),
            (Self::Output, chains.output),
            (Self::Postrouting, chains.postrouting),
        ]
    }

    /// The chain of a name, where it is one of these.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Prerouting, Self::Defragment, Self::Output, Self::Postrouting]
            .into_iter()
            .find(|chain| text(chain.name()) == name)
    }

    pub(super) fn name(self) -> &'static CStr {
        match self {
            Self::Prerouting => c"prerouting",
            Self::Defragment => c"defragment",
            Self::Output => c"output",
            Self::Postrouting => c"postrouting",
        }
    }

    /// When it is called, in words.
    pub(super) fn when(self) -> &'static str {
        match self {
            Self::Prerouting | Self::Defragment => "before routing",
            Self::Output => "for what this machine sends",
            Self::Postrouting => "after routing",
        }
    }

    pub(super) fn kind(self) -> ChainType {
        match self {
            Self::Prerouting | Self::Defragment => ChainType::Filter,
            // A mark may be reason for another route.
            Self::Output => ChainType::Route,
            Self::Postrouting => ChainType::Nat,
        }
    }

    /// [`Base::kind`] as the kernel writes it.
    pub(super) fn kind_name(self) -> &'static str {
        match self {
            Self::Prerouting | Self::Defragment => "filter",
            Self::Output => "route",
            Self::Postrouting => "nat",
        }
    }

    pub(super) fn hook(self) -> Hook {
        match self {
            Self::Prerouting | Self::Defragment => Hook::PreRouting,
            Self::Output => Hook::Out,
            Self::Postrouting => Hook::PostRouting,
        }
    }

    /// The priorities named `mangle` (before the routing decision and before IPVS), `raw`
    /// and `srcnat`.
    pub(super) fn priority(self) -> i32 {
        match self {
            Self::Prerouting | Self::Output => libc::NF_IP_PRI_MANGLE,
            Self::Defragment => libc::NF_IP_PRI_RAW,
            Self::Postrouting => libc::NF_IP_PRI_NAT_SRC,
        }
    }

    /// Its rules in their order.
    pub(super) fn rules(self) -> Vec<BaseRule> {
        match self {
            Self::Prerouting => marking().collect(),
            Self::Defragment => vec![BaseRule {
                what: "the rule for fragments".to_owned(),
                steps: frame::defragmentation(),
            }],
            // IPVS sends what it forwards through this hook too: it has its mark, and a
            // packet marked otherwise by now would get another route.
            Self::Output => std::iter::once(BaseRule {
                what: "the rule that leaves alone what has a mark".to_owned(),
                steps: frame::is_marked(),
            })
            .chain(marking())
            .collect(),
            Self::Postrouting => {
                Set::SOURCES.into_iter().map(|set| lookup(set, frame::translation(set))).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chain_is_found_by_its_name() {
        for chain in [Base::Prerouting, Base::Defragment, Base::Output, Base::Postrouting] {
            assert_eq!(Base::named(text(chain.name())), Some(chain));
        }
        for branch in Branch::all() {
            assert_eq!(Branch::named(text(branch.name())), Some(branch));
        }
        assert_eq!((Base::named("ledger"), Branch::named("ledger")), (None, None));
    }

    #[test]
    fn each_map_is_looked_up_once_and_each_chain_is_led_to() {
        let rules: Vec<_> =
            Branch::all().flat_map(Branch::rules).chain(Base::Prerouting.rules()).collect();
        let count = |step: &Step| rules.iter().filter(|rule| rule.steps.contains(step)).count();
        for map in Set::MAPS {
            let map = text(map.name()).to_owned();
            assert_eq!(count(&Step::Lookup { map, key: 0, to: 0 }), 1);
        }
        for branch in Branch::all() {
            assert_eq!(count(&Step::Goto { chain: text(branch.name()).to_owned() }), 1);
        }
        // Beside these lookups and gotos there is no rule.
        assert_eq!(rules.len(), Set::MAPS.len() + Branch::all().count());
    }
}
