//! The shadow of a switch: a batch before it and a batch after it, where the kernel would
//! lose marks for a moment without ([`Shadow`] says where and why).
//!
//! Only the maps of nftables need one.
//!
//! A crash between the three batches leaves entries in the shadow maps. They are observed
//! like all others, so the plan of a recovery takes them out.

use super::{Cause, REPLANS, Transaction};
use crate::backend::NetfilterError;
use crate::model::Marker;
use crate::plan::Shadow;
use crate::state::{Generation, Marking};

impl Transaction<'_> {
    /// Fills the shadow maps, which changes no mark, and tells from which generation the
    /// switch goes on; `None` when the plan has to be made anew.
    pub(super) fn cast_shadow(
        &mut self,
        shadow: &Shadow,
        at: Generation,
    ) -> Result<Option<Generation>, Cause> {
        let Some(batch) = shadow.cast() else { return Ok(Some(at)) };
        let netfilter = self.director.marker(Marker::Nftables)?;
        let answer = netfilter.switch(&batch, at);
        self.shadowed |= matches!(answer, Ok(()) | Err(NetfilterError::Unknown(_)));
        match answer {
            Ok(()) => Ok(Some(at.next())),
            Err(NetfilterError::StaleGeneration) => Ok(None),
            Err(error @ NetfilterError::Unknown(_)) => {
                // The answer was lost. If the batch was not, the next plan finds it there.
                let found = netfilter.observe()?.value;
                if found.shadow == shadow.entries { Ok(None) } else { Err(error.into()) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Empties shadow maps that hold `entries` at the generation `at`. When that is not so
    /// any more, what they hold then; somebody else may have emptied them too.
    pub(super) fn lift_shadow(&self, entries: &Marking, at: Generation) -> Result<(), Cause> {
        if entries.is_empty() {
            return Ok(());
        }
        // A packet that looked into an interval map before it was exchanged may look into
        // the shadow map only now.
        let netfilter = self.director.marker(Marker::Nftables)?;
        netfilter.settle();
        let (mut batch, mut at) = (Shadow::lift(entries), at);
        let mut cause = Cause::Contended;
        for _ in 0..REPLANS {
            match netfilter.switch(&batch, at) {
                Ok(()) => return Ok(()),
                Err(NetfilterError::StaleGeneration) => {}
                Err(error @ NetfilterError::Unknown(_)) => cause = error.into(),
                Err(error) => return Err(error.into()),
            }
            let found = netfilter.observe()?;
            if found.value.shadow.is_empty() {
                return Ok(());
            }
            (batch, at) = (Shadow::lift(&found.value.shadow), found.generation);
        }
        Err(cause)
    }
}
