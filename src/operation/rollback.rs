//! An earlier generation returns, as a new transaction.

use super::error::record;
use super::{OperationError, Session, Site, marks as marks_of};
use crate::state::MarkBook;
use crate::transaction::{Aim, Draft, Outcome, Purpose, SavedGeneration};

/// What a roll-back did.
#[derive(Debug)]
#[must_use]
pub enum RolledBack {
    /// The trial of this generation has ended, and the state before it is back.
    Trial(u64),
    /// An earlier generation is back.
    Generation(Outcome),
}

impl Site<'_> {
    /// The generation that a roll-back leads to: the one that is named, or the last one
    /// before the head that has another state.
    ///
    /// # Errors
    /// [`OperationError::NoEarlierGeneration`], and when it cannot be read.
    pub fn returning(&self, wanted: Option<u64>) -> Result<SavedGeneration, OperationError> {
        let history = self.history();
        let head = history.head().map_err(record("read the history"))?;
        let earlier = match (wanted, head) {
            (Some(number), _) => return Ok(history.read(number)?),
            (None, Some(head)) => history.before(head).map_err(record("read the history"))?,
            (None, None) => None,
        };
        earlier.ok_or(OperationError::NoEarlierGeneration)
    }
}

impl Session<'_> {
    /// Leads the kernel to an earlier generation: the one that is wanted, or the previous
    /// different one. While a trial waits and none is named, the trial ends.
    ///
    /// # Errors
    /// As [`Site::returning`] and [`Session::apply`]; [`OperationError::Pending`] while a
    /// trial waits and a generation is named.
    pub fn roll_back(&self, wanted: Option<u64>) -> Result<RolledBack, OperationError> {
        if let (Some(trial), None) = (self.trial(), wanted) {
            self.return_to_before(trial)?;
            return Ok(RolledBack::Trial(trial.generation));
        }
        self.refuse_trial()?;
        let SavedGeneration { header, marks, state } = self.site.returning(wanted)?;
        let marks = joined(marks_of(&self.history), marks);
        let draft = Draft { state: &state, marks: &marks, config: header.config };
        let journal = self.journal().with_draft(draft);
        let aim = Aim::new(&state, Purpose::Rollback(header.number));
        Ok(RolledBack::Generation(self.transact(aim, &journal)?))
    }
}

/// The marks of now, with those of the generation that returns: what came since keeps its
/// marks for when it comes back.
fn joined(now: MarkBook, returning: MarkBook) -> MarkBook {
    let mut marks = now.0;
    marks.extend(returning.0);
    MarkBook(marks)
}
