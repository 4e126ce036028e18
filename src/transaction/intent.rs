//! The intent: what a transaction is about to do, written down before it does it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Summary;
use crate::state::{DirectorState, Generation, Record, ServiceKey};

/// Who runs a transaction, for the history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Author {
    /// The user.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// The process.
    pub process: u32,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A configuration is applied.
    Apply,
    /// A configuration is applied, and goes again unless it is confirmed.
    Trial,
    /// A trial was confirmed: what it held back goes.
    Confirm,
    /// A trial was not confirmed: the state before it returns.
    Expire,
    /// An earlier generation is applied again.
    Rollback(u64),
    /// All that is ours goes.
    Clear,
    /// The last generation returns after a reboot, or after somebody changed it.
    Restore,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("apply"),
            Self::Trial => f.write_str("apply, to be confirmed"),
            Self::Confirm => f.write_str("confirm"),
            Self::Expire => f.write_str("return, unconfirmed"),
            Self::Rollback(to) => write!(f, "rollback to {to}"),
            Self::Clear => f.write_str("clear"),
            Self::Restore => f.write_str("restore"),
        }
    }
}

/// What a transaction leads from and to. Together with what the kernel holds, it is all
/// that is needed to finish the transaction or to undo it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What it is for.
    pub purpose: Purpose,
    /// Who runs it.
    pub author: Author,
    /// The kernel's count of nf_tables commits when it began: it only grows, so a lower
    /// one is another network namespace that has the same number.
    pub began_at: Generation,
    /// What there was.
    pub before: DirectorState,
    /// The commit record that there was.
    pub record_before: Option<Record>,
    /// What there shall be.
    pub after: DirectorState,
    /// The commit record that the switch writes.
    pub record: Record,
    /// It failed, and is on its way back.
    pub aborting: bool,
    /// How much differs.
    pub summary: Summary,
}

impl Intent {
    /// The services that are ours before it or after it.
    pub fn services(&self) -> BTreeSet<ServiceKey> {
        let (before, after) = (self.before.services.iter(), self.after.services.iter());
        let ours = before.chain(after).filter(|(_, service)| service.recorded);
        ours.map(|(key, _)| *key).collect()
    }

    /// The services of somebody else that it takes over.
    pub fn adopted(&self) -> BTreeSet<ServiceKey> {
        let foreign = self.before.services.iter().filter(|(_, service)| !service.recorded);
        foreign.map(|(key, _)| *key).filter(|key| self.after.services.contains_key(key)).collect()
    }
}

/// How a transaction ended, for the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// As it was meant; the kernel was read back.
    Applied,
    /// It failed; the state from before was put back.
    Restored,
    /// It failed, and so did the way back.
    Incomplete,
    /// It was interrupted; a later command finished it.
    Finished,
    /// It was interrupted; a later command undid it.
    Undone,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "applied",
            Self::Restored => "failed, undone",
            Self::Incomplete => "failed, incomplete",
            Self::Finished => "interrupted, finished",
            Self::Undone => "interrupted, undone",
        })
    }
}

impl Ending {
    /// Whether the kernel held the new state at the end.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Applied | Self::Finished)
    }
}
