//! The chains that a hook calls, and their rules. All but the one that marks are there
//! only while something needs them.

use std::ffi::CStr;

use nftnl::nftnl_sys::libc;
use nftnl::{ChainType, Hook};

use super::frame::{self, Set, Step, text};
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

/// A rule, and what it is called in a sentence.
pub(super) struct BaseRule {
    pub(super) what: String,
    pub(super) steps: Vec<Step>,
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
        let of = |set: Set, steps| BaseRule {
            what: format!("the rule that looks up {}", text(set.name())),
            steps,
        };
        let marking = Set::MAPS.into_iter().map(|map| of(map, frame::marking(map)));
        match self {
            Self::Prerouting => marking.collect(),
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
            .chain(marking)
            .collect(),
            Self::Postrouting => {
                Set::SOURCES.into_iter().map(|set| of(set, frame::translation(set))).collect()
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
        assert_eq!(Base::named("ledger"), None);
    }
}
