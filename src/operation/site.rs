//! A director with the folders in which it keeps what it knows, and the author of changes.

use std::io;
use std::path::{Path, PathBuf};

use super::error::record;
use super::{OperationError, Unfinished};
use crate::backend::Director;
use crate::state::{DirectorState, MarkBook, Observation, TransactionId};
use crate::transaction::{
    Author, History, Identity, RunJournal, TransactionError, TrialFile, ZeroFile, observe,
};

/// Whether to wait for another process that has a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it lets go.
    Yes,
    /// Not at all: the operation fails with [`LockError::Held`](crate::transaction::LockError).
    No,
}

/// A director, its folders, and the author of changes. Making one reads nothing.
#[derive(Clone)]
pub struct Site<'a> {
    /// What marks, schedules and holds settings.
    pub director: Director<'a>,
    /// What survives a boot: the history of generations.
    pub state_dir: PathBuf,
    /// What a boot forgets: locks, the journal, the trial, what `zero` remembers.
    pub run_dir: PathBuf,
    /// The boot in which this is (`/proc/sys/kernel/random/boot_id`). What another one left
    /// in the run directory does not count.
    pub boot: String,
    /// The author of what is done: written into the history and the journal.
    pub author: Author,
}

impl Site<'_> {
    /// The saved generations.
    pub fn history(&self) -> History {
        History::new(&self.state_dir)
    }

    /// The journal's files: the intent of a transaction, and the services that are ours.
    ///
    /// # Errors
    /// When the network namespace of this thread cannot be told.
    pub fn run_journal(&self) -> Result<RunJournal, OperationError> {
        RunJournal::new(&self.run_dir, &self.boot).map_err(no_namespace)
    }

    /// The trial's file.
    ///
    /// # Errors
    /// When the network namespace of this thread cannot be told.
    pub fn trial_file(&self) -> Result<TrialFile, OperationError> {
        TrialFile::new(&self.run_dir, &self.boot).map_err(no_namespace)
    }

    /// What entries had counted at the last `zero`.
    ///
    /// # Errors
    /// When the network namespace of this thread cannot be told.
    pub fn zero_file(&self) -> Result<ZeroFile, OperationError> {
        ZeroFile::new(&self.run_dir, &self.boot).map_err(no_namespace)
    }

    /// Reads the kernel: what is ours, and what is in the way of `desired`.
    ///
    /// # Errors
    /// When the kernel cannot be read.
    pub fn observe(&self, desired: &DirectorState) -> Result<Observation, OperationError> {
        let owned = self.run_journal()?.owned();
        observe(&self.director, desired, &owned)
            .map_err(|cause| TransactionError::Unread(cause).into())
    }

    /// What another process began and did not end, as far as that can be seen without the
    /// lock. A process that may read the kernel and not the files gets a warning in the log.
    ///
    /// # Errors
    /// When the files are there and cannot be read.
    pub fn unfinished(&self) -> Result<Unfinished, OperationError> {
        Unfinished::find(&self.trial_file()?, &self.run_journal()?)
    }

    /// Who commits the next transaction.
    pub(super) fn identity(&self) -> Result<Identity, OperationError> {
        let (boot, author) = (self.boot.clone(), self.author.clone());
        Ok(Identity { transaction: TransactionId(random()?), boot, author })
    }
}

/// The marks that groups had. Without a history, or without the right to read it, there are
/// none.
pub fn marks(history: &History) -> MarkBook {
    let unused = |why: &dyn std::fmt::Display| {
        tracing::warn!("the history of marks is not used: {why}");
        MarkBook::default()
    };
    match history.head() {
        Ok(None) => MarkBook::default(),
        Ok(Some(head)) => history.marks(head).unwrap_or_else(|why| unused(&why)),
        Err(error) => unused(&error),
    }
}

/// The state of the generation that counts; none where there is none, or where it cannot be
/// read.
pub fn last_state(history: &History) -> Option<DirectorState> {
    let head = history.head().ok().flatten().and_then(|head| history.read(head).ok());
    head.map(|saved| saved.state)
}

fn no_namespace(source: io::Error) -> OperationError {
    OperationError::File { action: "read", path: "/proc/thread-self/ns/net".into(), source }
}

/// The first 64 of a random UUID's 122 bits, by the kernel (`random(4)`).
fn random() -> Result<u64, OperationError> {
    let path = Path::new("/proc/sys/kernel/random/uuid");
    let uuid = std::fs::read_to_string(path);
    let uuid =
        uuid.map_err(|source| OperationError::File { action: "read", path: path.into(), source })?;
    let digits: String = uuid.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    u64::from_str_radix(&digits, 16)
        .map_err(|error| record("draw a number for the transaction")(io::Error::other(error)))
}
