//! From one marker to another, before the marks switch.
//!
//! What the one marks, the other marks too before the first goes: whichever of them a
//! packet meets, it gets the mark that it had. Only then do the marks become what they
//! shall be, as in every other plan, in one step of the new marker.

use super::{
    ChainChange, EntryChange, FrameChange, LedgerChange, MarkSwitch, SourceChange, entry_changes,
    source_changes,
};
use crate::model::{Form, Marker};
use crate::state::{Frame, MarkRuleset, Marking, Observation, Sources};

/// What leads there. It changes no mark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Moving {
    /// What makes the marks of another marker in that of the plan too; `None` where it
    /// marks already.
    pub copy: Option<MarkSwitch>,
    /// The markers that are left.
    pub leave: Vec<Marker>,
}

impl Moving {
    /// What leads to the marker of `observed`. A state that is empty needs no copy.
    pub(super) fn of(observed: &Observation, form: Form, to_empty: bool) -> Self {
        let leave = observed.elsewhere.iter().map(|(marker, _)| *marker).collect();
        let found = observed.elsewhere.first().map(|(_, ruleset)| ruleset);
        let wanted = observed.ruleset.frame == Frame::Absent && !to_empty;
        Self { copy: found.filter(|_| wanted).map(|found| copy(found, form)), leave }
    }

    /// Whether there is nothing to leave.
    pub fn is_empty(&self) -> bool {
        self.leave.is_empty()
    }

    /// What leaves a marker: all that is ours there goes.
    pub fn removal() -> MarkSwitch {
        MarkSwitch { frame: FrameChange::Remove, ..MarkSwitch::default() }
    }
}

/// The ruleset that the plan goes on from when the marks have moved.
pub(super) fn moved(observed: &Observation, form: Form, to_empty: bool) -> MarkRuleset {
    let found = &observed.ruleset;
    match observed.elsewhere.first() {
        Some((_, other)) if found.frame == Frame::Absent && !to_empty => {
            MarkRuleset { frame: Frame::Intact, form, shadow: Marking::new(), ..other.clone() }
        }
        _ => found.clone(),
    }
}

fn copy(from: &MarkRuleset, form: Form) -> MarkSwitch {
    let ledger = &from.ledger;
    let change = |(key, entry): (&_, &crate::state::LedgerEntry)| LedgerChange {
        key: *key,
        before: None,
        after: Some(entry.clone()),
    };
    let entries: Vec<EntryChange> = entry_changes(&Marking::new(), &from.entries);
    let sources: Vec<SourceChange> = source_changes(&Sources::new(), &from.sources);
    MarkSwitch {
        frame: FrameChange::Create,
        form,
        entries,
        shadow: Vec::new(),
        sources,
        chains: ChainChange { after: from.chains, ..ChainChange::default() },
        ledger: ledger.services.iter().map(change).collect(),
        record: ledger.record.clone(),
    }
}
