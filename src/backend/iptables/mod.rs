//! The marking half as chains of iptables, of either variant and both families.
//!
//! `program` runs iptables-save and iptables-restore, `presence` tells without them that
//! there is nothing of ours. `listing` and `decode` make values of what is printed, `sets`
//! of what is in sets, and `read` compares these with the chains as
//! [`render::iptables`](crate::render::iptables) writes them. `commit` takes the step.
//! Why it is built like that is in `docs/decisions/0022-iptables-by-restore.md`.

mod choice;
mod commit;
mod decode;
mod listing;
mod presence;
mod program;
mod read;
mod sets;

use std::path::Path;

pub use self::choice::variant_in_use;
use self::read::Found;
use super::{
    CountedRuleset, Generation, MarkRuleset, Netfilter, NetfilterError, Observed, settle_packets,
};
use crate::model::{Family, Marker, Variant};
use crate::plan::MarkSwitch;
use crate::render::iptables::Bank;

/// iptables of one variant, in the network namespace of the calling thread.
#[derive(Debug, Clone, Copy)]
pub struct Iptables {
    variant: Variant,
}

impl Iptables {
    /// The backend; programs are started by each call that needs them.
    pub const fn new(variant: Variant) -> Self {
        Self { variant }
    }
}

impl Netfilter for Iptables {
    fn marker(&self) -> Marker {
        Marker::Iptables(self.variant)
    }

    /// The generation is a digest of our chains: others may change what is theirs.
    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        let Observed { value, generation } = self.observe_counted()?;
        Ok(Observed { value: value.ruleset, generation })
    }

    /// A rule counts for all of its entries: its first one has the count.
    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        let Found { value, generation, .. } = Found::read(self.variant)?;
        Ok(Observed { value, generation })
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        let found = Found::read(self.variant)?;
        if found.generation != at {
            return Err(NetfilterError::StaleGeneration);
        }
        // The chains are always written whole, whatever was found in them.
        commit::commit(self.variant, &found, &change.applied_to(found.ruleset()))
    }

    fn settle(&self) {
        settle_packets();
    }

    fn tidy(&self) {
        // To ask for sets would load the module for them.
        if !Path::new("/sys/module/ip_set").exists() {
            return;
        }
        for family in Family::BOTH {
            for bank in Bank::BOTH {
                commit::empty(family, bank);
            }
        }
    }
}
