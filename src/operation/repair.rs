//! The kernel is compared with what it shall hold, and led back to it.

use super::{Expectation, Expected, OperationError, Session, Site};
use crate::plan::{Conflict, Plan};
use crate::state::{DirectorState, MarkingHalf, Observation};
use crate::transaction::{Aim, Cause, Outcome, Purpose};

/// What a look at the kernel found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Look {
    /// It holds what it shall; nothing where nothing was ever applied.
    InSync {
        /// The generation that it holds.
        generation: Option<u64>,
        /// Whether that is a trial.
        is_trial: bool,
    },
    /// It holds something else, or a trial is over.
    Differs,
}

/// What a repair did.
#[derive(Debug)]
#[must_use]
pub struct Repaired {
    /// The generation that the kernel holds now.
    pub generation: u64,
    /// Whether that is a trial.
    pub is_trial: bool,
    /// What the transaction did.
    pub outcome: Outcome,
}

impl Site<'_> {
    /// Compares the kernel with what it shall hold, without the lock. With `marks_first` the
    /// marks are compared before IPVS is read, which takes the most of a look: where marks
    /// are missing the services need not be known.
    ///
    /// # Errors
    /// When the kernel, the history or the trial cannot be read.
    pub fn look(
        &self,
        expectation: &mut Expectation,
        marks_first: bool,
    ) -> Result<Look, OperationError> {
        let wanted = match expectation.now(self)? {
            Expected::Generation(wanted) => wanted,
            Expected::Nothing => return Ok(Look::InSync { generation: None, is_trial: false }),
            Expected::TrialOver => return Ok(Look::Differs),
        };
        if marks_first && self.marks_differ(&wanted.state)? {
            return Ok(Look::Differs);
        }
        let observed = self.observe(&wanted.state)?;
        let plan = Plan::between(&observed, &wanted.state);
        if plan.is_empty() && Conflict::find(&observed, &wanted.state).is_empty() {
            let (generation, is_trial) = (Some(wanted.generation), wanted.is_trial);
            return Ok(Look::InSync { generation, is_trial });
        }
        Ok(Look::Differs)
    }

    /// Whether the ruleset alone is another one than that of `state`.
    fn marks_differ(&self, state: &DirectorState) -> Result<bool, OperationError> {
        let found = self.director.marking(state.marker, state.is_empty()).map_err(Cause::from)?;
        let MarkingHalf { marker, ruleset, elsewhere, generation, commits } = found;
        let of_state = Observation::of(state);
        let assumed = Observation { marker, ruleset, elsewhere, generation, commits, ..of_state };
        let plan = Plan::between(&assumed, state);
        Ok(!plan.switch.is_empty() || !plan.moving.is_empty())
    }
}

impl Session<'_> {
    /// Leads the kernel to what it shall hold; none where nothing was ever applied. The
    /// history gets a line and no generation.
    ///
    /// # Errors
    /// As [`Session::apply`].
    pub fn repair(
        &self,
        expectation: &mut Expectation,
    ) -> Result<Option<Repaired>, OperationError> {
        let Expected::Generation(wanted) = expectation.now(&self.site)? else { return Ok(None) };
        let generation = wanted.generation;
        let aim = Aim { generation: Some(generation), ..Aim::new(&wanted.state, Purpose::Restore) };
        let outcome = self.transact(aim, &self.journal())?;
        Ok(Some(Repaired { generation, is_trial: wanted.is_trial, outcome }))
    }
}
