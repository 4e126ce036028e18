//! What another process began and did not end, as it is seen without the lock.

use std::io;

use super::OperationError;
use super::error::record;
use crate::state::DirectorState;
use crate::transaction::{Author, Found, Purpose, RunJournal, Trial, TrialFile};

/// What another process began and did not end.
#[derive(Debug)]
pub struct Unfinished {
    /// A trial that waits to be confirmed, or whose time is over.
    pub trial: Option<Trial>,
    /// A transaction that is under way, or whose process died.
    pub interrupted: Option<Interrupted>,
}

/// A transaction that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// What it is for.
    pub purpose: Purpose,
    /// The generation that it is to make.
    pub generation: u64,
    /// Who began it.
    pub author: Author,
}

impl Unfinished {
    pub(super) fn find(trial: &TrialFile, run: &RunJournal) -> Result<Self, OperationError> {
        let trial = trial.find().or_else(hidden).map_err(record("read the trial"))?;
        let found = run
            .find()
            .or_else(|error| hidden(error).map(|()| Found::Nothing))
            .map_err(record("read the journal"))?;
        let interrupted = match found {
            Found::Interrupted(intent) => Some(Interrupted {
                purpose: intent.purpose,
                generation: intent.generation(),
                author: intent.author,
            }),
            _ => None,
        };
        Ok(Self { trial, interrupted })
    }

    /// What the kernel shall hold now: while a trial waits, also what it holds back.
    pub fn now(&self, desired: DirectorState) -> DirectorState {
        match &self.trial {
            Some(trial) if trial.left().is_some() => desired.holding_back(&trial.before),
            _ => desired,
        }
    }
}

/// A process that may read the kernel and not our files goes on without them.
fn hidden<T: Default>(error: io::Error) -> io::Result<T> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            tracing::warn!("whether something has not ended is not known: {error}");
            Ok(T::default())
        }
        _ => Err(error),
    }
}
