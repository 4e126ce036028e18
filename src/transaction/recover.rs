//! Recovery: an interrupted transaction is finished, or undone.
//!
//! Which of the two, the kernel says: the batch that switched the marks also wrote the
//! transaction's number into the ledger. Both ways are plans from what is there now, run
//! by the same executor, so a recovery that is itself interrupted is just begun again.

use super::intent::{Ending, Intent, Purpose};
use super::{Cause, Transaction, TransactionError, observe};
use crate::plan::Plan;
use crate::state::{Frame, Observation};

/// What became of an interrupted transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Recovered {
    /// Its marks had been switched: it was finished.
    Finished,
    /// They had not, or it was on its way back: it was undone.
    Undone,
}

impl Transaction<'_> {
    /// Finishes or undoes the transaction of `intent`, whose process died.
    ///
    /// # Errors
    /// [`TransactionError::Unread`] when nothing was tried, else
    /// [`TransactionError::Incomplete`].
    pub fn recover(mut self, intent: Intent) -> Result<Recovered, TransactionError> {
        // Services that were adopted are ours when the ledger says so, not before.
        self.owned.services.extend(&intent.services() - &intent.adopted());
        // Nobody who asks to stop wants to leave this half done.
        self.returning = true;
        let observed =
            observe(self.director, &intent.after, &self.owned).map_err(TransactionError::Unread)?;
        let forward = goes_forward(&intent, &observed);
        // The ruleset is left alone on the way back when it is the one of before.
        self.switched = observed.record() != intent.record_before.as_ref()
            || !observed.elsewhere.is_empty()
            || observed.holder().0 != intent.before.marker && !intent.before.is_empty();
        self.shadowed = !observed.ruleset.shadow.is_empty();
        let failed = if forward {
            let plan = Plan::between(&observed, &intent.after);
            let finished = self
                .carry_out(&intent.after, observed, &plan, &intent.record)
                .and_then(|()| self.journal.commit(&intent).map_err(Cause::Durability));
            match finished {
                Ok(()) => {
                    self.director.tidy();
                    self.end(&intent, Ending::Finished, &self.owned_in(&intent.after));
                    return Ok(Recovered::Finished);
                }
                Err(cause) => Some(cause),
            }
        } else {
            None
        };
        self.give_up(intent, failed.unwrap_or(Cause::Died), Ending::Undone)
            .map(|_| Recovered::Undone)
            .map_err(TransactionError::Incomplete)
    }
}

/// Whether the marks of `intent` are in the kernel, so that the rest is the shorter way.
/// A trial that nobody watches over any more goes back.
fn goes_forward(intent: &Intent, observed: &Observation) -> bool {
    let ruleset = &observed.ruleset;
    let switched = if intent.after.is_empty() {
        // With the table goes the ledger.
        let is_bare = ruleset.frame == Frame::Absent && observed.elsewhere.is_empty();
        is_bare && intent.record_before.is_some()
    } else {
        let record = ruleset.ledger.record.as_ref();
        record.is_some_and(|record| record.transaction == intent.record.transaction)
    };
    switched && !intent.aborting && intent.purpose != Purpose::Trial
}
