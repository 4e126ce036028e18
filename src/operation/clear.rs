//! All that is ours goes, and nothing else.

use super::{OperationError, Session, marks as marks_of};
use crate::state::DirectorState;
use crate::transaction::{Aim, Draft, Outcome, Purpose};

impl Session<'_> {
    /// Removes all that is ours from the kernel. The marks outlive their groups: one that
    /// comes back has its clients' affinity.
    ///
    /// # Errors
    /// [`OperationError::Pending`] while a trial waits; else as [`Session::apply`].
    pub fn clear(&self) -> Result<Outcome, OperationError> {
        self.refuse_trial()?;
        let (nothing, marks) = (DirectorState::default(), marks_of(&self.history));
        let draft = Draft { state: &nothing, marks: &marks, config: None };
        let journal = self.journal().with_draft(draft);
        let outcome = self.transact(Aim::new(&nothing, Purpose::Clear), &journal)?;
        // Sets that rules of others looked into once.
        self.site.director.tidy();
        Ok(outcome)
    }
}
