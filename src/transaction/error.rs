//! How a transaction ends when it does not succeed: a value that says what the kernel
//! holds now.

use crate::backend::{IpvsError, MachineError, NetfilterError};
use crate::plan::{ChangeLine, Conflict, Unconfirmed};

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The marking half.
    #[error(transparent)]
    Netfilter(#[from] NetfilterError),
    /// The scheduling half.
    #[error(transparent)]
    Ipvs(#[from] IpvsError),
    /// The settings of the machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Somebody else changed the ruleset again and again.
    #[error("somebody else keeps changing the nftables ruleset")]
    Contended,
    /// The process of a transaction died in the middle of it.
    #[error("a transaction was interrupted")]
    Died,
    /// Somebody asked to stop.
    #[error("interrupted by {0}")]
    Interrupted(&'static str),
    /// The kernel holds the new state, and the disk does not know.
    #[error("the new state could not be made durable")]
    Durability(#[source] std::io::Error),
    /// What was read back is not what was written.
    #[error("the kernel does not hold what was written to it")]
    Differs(Vec<ChangeLine>),
}

/// How a transaction failed, and what that means for the kernel.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// The kernel could not be read; nothing was tried.
    #[error(transparent)]
    Unread(Cause),
    /// What is about to be done could not be written down; nothing was tried.
    #[error("cannot write down what is about to be done, so nothing was tried")]
    Journal(#[source] std::io::Error),
    /// Somebody else's services are in the way; nothing was tried, or it was undone.
    #[error("{} not ours on marks of this configuration", count(.0.len()))]
    Conflict(Vec<Conflict>),
    /// More would go than somebody has agreed to; nothing was tried.
    #[error(transparent)]
    Unconfirmed(Box<Unconfirmed>),
    /// A step failed; the kernel holds what it held before.
    #[error("{cause}; the state from before stands")]
    Restored {
        /// What failed.
        cause: Cause,
    },
    /// A step failed, and the way back failed too.
    #[error(transparent)]
    Incomplete(Box<Incomplete>),
}

/// What is left of a transaction that could neither be finished nor undone.
#[derive(Debug, thiserror::Error)]
#[error("{cause}, and the way back failed too: {failure}")]
pub struct Incomplete {
    /// What failed first.
    pub cause: Cause,
    /// What failed on the way back.
    pub failure: Cause,
    /// What still differs from the state before; empty when not even that could be read.
    pub remaining: Vec<ChangeLine>,
}

fn count(services: usize) -> String {
    match services {
        1 => "a virtual service exists that is".to_owned(),
        n => format!("{n} virtual services exist that are"),
    }
}
