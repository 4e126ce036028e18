//! The kernel comes to hold a new generation, for good or on trial; or the last one again.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use super::error::record;
use super::{Event, OperationError, Session};
use crate::plan::Limit;
use crate::transaction::{
    Aim, Draft, Intent, Outcome, Purpose, SavedGeneration, Trial, Unreadable,
};

/// What an apply on trial did.
#[derive(Debug)]
#[must_use]
pub struct Tried {
    /// What the transaction did.
    pub outcome: Outcome,
    /// The trial that has begun; none where the kernel held the state already.
    pub trial: Option<Trial>,
}

/// The last confirmed generation, restored.
#[derive(Debug)]
#[must_use]
pub struct Restored {
    /// Which one it is.
    pub generation: u64,
    /// What the transaction did.
    pub outcome: Outcome,
}

impl Session<'_> {
    /// Leads the kernel to a new generation, which counts from then on. `adopt` takes over
    /// services of others on our marks, `limit` is how much may go out of service.
    ///
    /// # Errors
    /// [`OperationError::Transaction`], which says what the kernel holds now.
    pub fn apply(
        &self,
        draft: Draft<'_>,
        adopt: bool,
        limit: Option<Limit<'_>>,
    ) -> Result<Outcome, OperationError> {
        let aim = Aim { adopt, limit, ..Aim::new(draft.state, Purpose::Apply) };
        self.transact(aim, &self.journal().with_draft(draft))
    }

    /// Leads the kernel to a generation that goes again unless it is confirmed `within` this
    /// time. What only the state before has stays until then, so that a return loses no
    /// connection. `guard` is called once, before the kernel is written to, and has to see to
    /// it that the trial ends at its deadline when this process has died.
    ///
    /// # Errors
    /// As [`Session::apply`]; and what `guard` fails with, then the trial is not begun.
    pub fn apply_on_trial(
        &self,
        draft: Draft<'_>,
        within: Duration,
        (adopt, limit): (bool, Option<Limit<'_>>),
        guard: &dyn Fn() -> io::Result<()>,
    ) -> Result<Tried, OperationError> {
        let before = self.site.observe(draft.state)?.state();
        let tried = draft.state.holding_back(&before);
        let armed = RefCell::new(None);
        let arm = |intent: &Intent| {
            let (before, record) = (intent.before.clone(), intent.record_before.clone());
            let trial = Trial::new(intent.record.generation, within, before, record);
            self.trial_file.write(&trial)?;
            armed.replace(Some(trial));
            guard()
        };
        let disarm = || self.trial_file.remove();
        let journal = self.journal().with_draft(draft).with_arm(&arm, &disarm);
        let aim = Aim { adopt, limit, ..Aim::new(&tried, Purpose::Trial) };
        let outcome = self.transact(aim, &journal);
        match (outcome, armed.take()) {
            (Ok(outcome @ Outcome::Applied(_)), Some(trial)) => {
                // The time begins when there is something to look at.
                let trial = Trial::new(trial.generation, within, trial.before, trial.record_before);
                if let Err(error) = self.trial_file.write(&trial) {
                    tracing::warn!("the time has begun before the apply: {error}");
                }
                Ok(Tried { outcome, trial: Some(trial) })
            }
            (outcome, trial) => {
                if trial.is_some() {
                    self.trial_file.remove().map_err(record("end the trial"))?;
                }
                Ok(Tried { outcome: outcome?, trial: None })
            }
        }
    }

    /// Restores the last confirmed generation, which is what a boot does; none where there
    /// never was one.
    ///
    /// # Errors
    /// As [`Session::apply`]; and when no generation can be read.
    pub fn restore(&self, adopt: bool) -> Result<Option<Restored>, OperationError> {
        let Some(saved) = self.last_confirmed()? else { return Ok(None) };
        let generation = saved.header.number;
        let aim =
            Aim { adopt, generation: Some(generation), ..Aim::new(&saved.state, Purpose::Restore) };
        let outcome = self.transact(aim, &self.journal())?;
        Ok(Some(Restored { generation, outcome }))
    }

    /// The last confirmed generation. When that one is damaged an older one is better than
    /// none.
    fn last_confirmed(&self) -> Result<Option<SavedGeneration>, OperationError> {
        let history = &self.history;
        let Some(head) = history.head().map_err(record("read the history"))? else {
            return Ok(None);
        };
        let why = match history.read(head) {
            Ok(saved) => return Ok(Some(saved)),
            Err(why @ Unreadable::File { .. }) => return Err(why.into()),
            Err(why) => why,
        };
        let older = history.before(head).map_err(record("read the history"))?;
        let Some(older) = older else { return Err(why.into()) };
        let generation = older.header.number;
        self.observer.tell(&Event::OlderRestored { why: &why, generation });
        Ok(Some(older))
    }
}
