//! The end of a trial: it is confirmed, or the state before it returns.

use std::time::Duration;

use super::error::record;
use super::{Event, OperationError, Session, TrialEnd};
use crate::transaction::{Aim, Ending, Outcome, Purpose, Trial};

impl Session<'_> {
    /// Confirms the trial that waits; the answer is its generation. From the moment that the
    /// history's head names it, a boot brings it back. Then what the trial held back goes,
    /// and its file.
    ///
    /// # Errors
    /// [`OperationError::Expired`] when it was not in time, [`OperationError::NoTrial`] when
    /// there is none, and what a transaction fails with.
    pub fn confirm(&self) -> Result<u64, OperationError> {
        match (self.trial(), self.ended()) {
            (Some(trial), _) => {
                let generation = trial.generation;
                self.history.set_head(generation).map_err(record("write the history"))?;
                self.release(generation)?;
                Ok(generation)
            }
            (None, Some(TrialEnd::Confirmed(generation))) => Ok(generation),
            (None, Some(TrialEnd::Expired(generation))) => Err(OperationError::Expired(generation)),
            (None, None) => Err(OperationError::NoTrial),
        }
    }

    /// Returns to the state before a trial. Its time is over from now on: a process that
    /// comes after this one died goes back too.
    ///
    /// # Errors
    /// What a transaction fails with.
    pub fn return_to_before(&self, trial: &Trial) -> Result<(), OperationError> {
        if trial.left().is_some() {
            let over = Trial { deadline: Duration::ZERO, ..trial.clone() };
            self.trial_file.write(&over).map_err(record("end the trial"))?;
        }
        let generation = trial.record_before.as_ref().map_or(0, |record| record.generation);
        let purpose = Purpose::Expire(trial.generation);
        let aim = Aim { generation: Some(generation), ..Aim::new(&trial.before, purpose) };
        let outcome = self.transact(aim, &self.journal())?;
        tracing::debug!(?outcome, "the trial is over");
        self.trial_file.remove().map_err(record("end the trial"))
    }

    /// Ends a trial that is over.
    pub(super) fn end_trial(&mut self) -> Result<(), OperationError> {
        let found = self.trial_file.find().map_err(record("read the trial"))?;
        let Some(trial) = found else { return Ok(()) };
        let head = self.history.head().map_err(record("read the history"))?;
        if head == Some(trial.generation) {
            self.release(trial.generation)?;
            self.note_trial(Err(TrialEnd::Confirmed(trial.generation)));
        } else if trial.left().is_some() {
            self.note_trial(Ok(trial));
        } else {
            self.return_to_before(&trial)?;
            self.observer.tell(&Event::TrialExpired { generation: trial.generation });
            self.note_trial(Err(TrialEnd::Expired(trial.generation)));
        }
        Ok(())
    }

    /// The trial of a generation is confirmed, for the head names it: what it held back goes,
    /// and then its file. A process that comes after this one died finds the file, and does
    /// the same; what fails is told once, and is left to the next apply.
    fn release(&self, generation: u64) -> Result<(), OperationError> {
        let released = self.retire_held_back(generation);
        self.trial_file.remove().map_err(record("end the trial"))?;
        released
    }

    /// What the trial of a generation held back goes. It counts already.
    fn retire_held_back(&self, generation: u64) -> Result<(), OperationError> {
        let saved = self.history.read(generation)?;
        let aim = Aim { generation: Some(generation), ..Aim::new(&saved.state, Purpose::Confirm) };
        if let Outcome::InSync { .. } = self.transact(aim, &self.journal())? {
            // Nothing had to go, so no transaction said that it is confirmed.
            let (purpose, ending) = (Purpose::Confirm, Ending::Applied);
            self.history
                .record(generation, purpose, ending, &self.site.author)
                .map_err(record("write the history"))?;
        }
        Ok(())
    }
}
