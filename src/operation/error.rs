//! Why an operation failed.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::transaction::{Cause, LockError, TransactionError, Unreadable};

/// Why an operation failed. Unless a transaction says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The kernel could not be read.
    #[error(transparent)]
    Kernel(#[from] Cause),
    /// A transaction failed; the error says what holds now.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// Another process has the lock, or the lock's file cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A saved generation cannot be read.
    #[error(transparent)]
    History(#[from] Unreadable),
    /// A trial has to be confirmed or to end first.
    #[error("generation {generation} waits to be confirmed, for another {} s", left.as_secs())]
    Pending {
        /// The generation that is tried.
        generation: u64,
        /// How long there is left to confirm it.
        left: Duration,
    },
    /// A trial ended before it was confirmed; the state before it is back.
    #[error("generation {0} was not confirmed in time; the state from before is back")]
    Expired(u64),
    /// There is no trial.
    #[error("nothing waits to be confirmed")]
    NoTrial,
    /// No generation was ever applied.
    #[error("nothing was ever applied")]
    NothingApplied,
    /// The history has no earlier generation with another state.
    #[error("there is no earlier generation with another state")]
    NoEarlierGeneration,
    /// A file of the machine cannot be read.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The journal, the trial or the history cannot be used; the source names the file.
    #[error("cannot {action}")]
    Record {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

/// An error of the journal, the trial or the history.
pub(super) fn record(action: &'static str) -> impl Fn(io::Error) -> OperationError {
    move |source| OperationError::Record { action, source }
}
