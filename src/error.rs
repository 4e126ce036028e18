//! The sum of the module errors, and what each means for the exit code.

use std::path::PathBuf;
use std::time::Duration;

use crate::compile::CompileError;
use crate::config::ConfigErrors;
use crate::import::ImportError;
use crate::operation::OperationError;
use crate::real_server::RealServerError;
use crate::transaction::{Cause, LockError, TransactionError, Unreadable};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or in sync.
    Done = 0,
    /// Failed, and the state from before stands.
    Failed = 1,
    /// Usage, configuration or conflict: nothing was tried.
    Refused = 2,
    /// The kernel differs from the config.
    Differs = 3,
    /// Neither done nor undone: a person is needed.
    Incomplete = 4,
    /// Another fwmarkctl holds the lock.
    Locked = 5,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The configuration, seen as a whole.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The kernel could not be read.
    #[error(transparent)]
    Kernel(#[from] Cause),
    /// A transaction.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A saved generation.
    #[error(transparent)]
    History(#[from] Unreadable),
    /// What another tool wrote.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// Preparing a real server.
    #[error(transparent)]
    RealServer(#[from] RealServerError),
    /// A trial has to end first.
    #[error(
        "generation {generation} waits to be confirmed, for another {} s", left.as_secs()
    )]
    Pending {
        /// What is tried.
        generation: u64,
        /// How long there is left.
        left: Duration,
    },
    /// The time to confirm a trial was over.
    #[error("generation {0} was not confirmed in time; the state from before is back")]
    Expired(u64),
    /// What was asked for makes no sense.
    #[error("{message}")]
    Usage {
        /// What.
        message: String,
        /// What would.
        hint: Option<String>,
    },
    /// A file of ours.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The journal or the history; the reason names the file.
    #[error("cannot {action}")]
    Record {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Standard output.
    #[error("cannot write to standard output")]
    Output(#[source] std::io::Error),
}

/// What an operation failed with, among all that a command can fail with.
impl From<OperationError> for Error {
    fn from(error: OperationError) -> Self {
        let usage = |error: &OperationError, hint: &str| Self::Usage {
            message: error.to_string(),
            hint: Some(hint.to_owned()),
        };
        match error {
            OperationError::Kernel(cause) => Self::Kernel(cause),
            OperationError::Transaction(error) => Self::Transaction(error),
            OperationError::Lock(error) => Self::Lock(error),
            OperationError::History(why) => Self::History(why),
            OperationError::Pending { generation, left } => Self::Pending { generation, left },
            OperationError::Expired(generation) => Self::Expired(generation),
            OperationError::File { action, path, source } => Self::File { action, path, source },
            OperationError::Record { action, source } => Self::Record { action, source },
            OperationError::NothingApplied => usage(&error, "fwmarkctl apply"),
            OperationError::NoTrial | OperationError::NoEarlierGeneration => {
                usage(&error, "fwmarkctl history")
            }
        }
    }
}

impl Error {
    /// The exit code that this error means.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_)
            | Self::Compile(_)
            | Self::Usage { .. }
            | Self::Import(_)
            | Self::Pending { .. }
            | Self::History(Unreadable::Missing(_))
            | Self::Transaction(TransactionError::Conflict(_) | TransactionError::Unconfirmed(_)) => {
                Exit::Refused
            }
            Self::Transaction(TransactionError::Incomplete(_))
            | Self::RealServer(RealServerError::Incomplete { .. }) => Exit::Incomplete,
            Self::Lock(LockError::Held(_)) => Exit::Locked,
            Self::Kernel(_)
            | Self::Transaction(_)
            | Self::RealServer(_)
            | Self::History(_)
            | Self::Expired(_)
            | Self::Record { .. }
            | Self::Lock(LockError::File(..))
            | Self::File { .. }
            | Self::Output(_) => Exit::Failed,
        }
    }

    /// The word for it in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Config(_) | Self::Compile(_) => "config",
            Self::Usage { .. } | Self::History(Unreadable::Missing(_)) => "usage",
            Self::Import(_) => "import",
            Self::Pending { .. } => "pending",
            Self::Expired(_) => "expired",
            Self::Lock(LockError::Held(_)) => "locked",
            Self::Transaction(TransactionError::Conflict(_)) => "conflict",
            Self::Transaction(TransactionError::Unconfirmed(_)) => "unconfirmed",
            Self::Transaction(TransactionError::Incomplete(_)) => "incomplete",
            Self::Transaction(TransactionError::Restored { .. }) => "restored",
            Self::Transaction(TransactionError::Unread(_)) | Self::Kernel(_) => "kernel",
            Self::RealServer(error) => error.kind(),
            Self::Transaction(TransactionError::Journal(_))
            | Self::Lock(LockError::File(..))
            | Self::History(_)
            | Self::Record { .. }
            | Self::File { .. }
            | Self::Output(_) => "file",
        }
    }

    /// The error with all its reasons, on one line.
    pub fn sentence(&self) -> String {
        let mut text = self.to_string();
        let mut reason = std::error::Error::source(self);
        while let Some(error) = reason {
            let more = error.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            reason = error.source();
        }
        text
    }
}
