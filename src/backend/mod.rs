//! The two halves of a director, and what is between a change and the kernel.
//!
//! A backend observes and writes; it decides nothing. It can be deleted by deleting its
//! folder, and another one (eBPF, a director elsewhere) added without touching the
//! planner or the transaction.

#[cfg(feature = "fail-points")]
pub mod fail_points;
pub mod ipvs;
pub mod machine;
pub mod memory;
pub mod nftables;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use crate::netlink::NetlinkError;
use crate::plan::{MarkSwitch, ServiceChange, SettingChange};
use crate::state::{DestinationKey, ServiceKey, ServiceTable, SettingKey, Settings};
pub use crate::state::{Frame, Generation, MarkRuleset};
pub use traffic::{
    Count, CountedRuleset, DestinationStatistics, MarkCounts, ServiceStatistics, Statistics,
    StatisticsTable, Traffic,
};

/// What was read, and the generation at which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed<T> {
    /// What was read.
    pub value: T,
    /// When.
    pub generation: Generation,
}

/// Why the marking half could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum NetfilterError {
    /// Somebody committed to nf_tables since the ruleset was read; nothing was changed.
    #[error("somebody else changed the ruleset meanwhile")]
    StaleGeneration,
    /// The kernel refused a part of the switch; nothing was changed.
    #[error("the kernel refused {object}: {reason}")]
    Refused {
        /// What was refused, in the field's words.
        object: String,
        /// Why, in the kernel's words.
        reason: String,
    },
    /// No privilege.
    #[error("nftables needs CAP_NET_ADMIN")]
    Privilege,
    /// The kernel has no nf_tables, or lacks a part of it.
    #[error("this kernel has no nf_tables: {0}")]
    Unsupported(String),
    /// The switch was sent, and whether it was committed is not known: the ledger tells.
    #[error("whether the switch was committed is not known")]
    Unknown(#[source] NetlinkError),
    /// Talking to the kernel failed before anything was sent.
    #[error("cannot read the nftables ruleset")]
    Netlink(#[from] NetlinkError),
}

/// Why the scheduling half could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IpvsError {
    /// The kernel refused a change. IPVS stops at nothing: others of the batch, before
    /// it and behind it, may be done.
    #[error("the kernel refused to {change}: {reason}")]
    Refused {
        /// What was refused, in words.
        change: String,
        /// Why, in words.
        reason: String,
        /// What mends it, where that is known.
        remedy: Option<String>,
        /// Which changes of the batch were not made, by their places in it.
        undone: Vec<usize>,
    },
    /// No privilege.
    #[error("IPVS needs CAP_NET_ADMIN")]
    Privilege,
    /// The kernel has no IPVS.
    #[error("this kernel has no IPVS, and it could not be loaded")]
    Unsupported,
    /// What was read kept changing.
    #[error("the IPVS tables keep changing while they are read")]
    Unstable,
    /// The table of connections could not be read.
    #[error("cannot read the table of connections, {}", ipvs::CONNECTIONS)]
    Connections(#[source] std::io::Error),
    /// Talking to the kernel failed.
    #[error("cannot talk to IPVS")]
    Netlink(#[from] NetlinkError),
}

/// Why a setting of the machine could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A change was refused; those behind it were not tried.
    #[error("cannot {change}: {reason}")]
    Refused {
        /// What was refused, in words.
        change: String,
        /// Why, in words.
        reason: String,
        /// What mends it, where that is known.
        remedy: Option<String>,
    },
    /// A setting could not be read.
    #[error("cannot read {setting}")]
    Unreadable {
        /// Which.
        setting: String,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// Talking to IPVS failed.
    #[error(transparent)]
    Ipvs(Box<IpvsError>),
    /// Talking to the kernel failed.
    #[error("cannot talk to the kernel's routing")]
    Netlink(#[from] NetlinkError),
}

impl From<IpvsError> for MachineError {
    fn from(error: IpvsError) -> Self {
        Self::Ipvs(Box::new(error))
    }
}

/// The connections of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Activity {
    /// Connections that are established.
    pub active: u32,
    /// Connections in any other state.
    pub inactive: u32,
}

/// The connections of each destination of each service.
pub type ActivityTable = BTreeMap<(ServiceKey, DestinationKey), Activity>;

/// The marking half of a director. Owns one table or its chains, and nothing else.
pub trait Netfilter {
    /// Reads what is ours.
    ///
    /// # Errors
    /// [`NetfilterError`], never [`NetfilterError::Refused`].
    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError>;

    /// Takes one atomic step from what was observed at `at`, after which the generation is
    /// the [next](Generation::next). On any error but [`NetfilterError::Unknown`] nothing
    /// has changed.
    ///
    /// # Errors
    /// [`NetfilterError`].
    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError>;

    /// Waits until no packet that was marked before the last switch is still on its way
    /// to IPVS.
    fn settle(&self);
}

/// The scheduling half: the virtual services that are ours.
pub trait Ipvs {
    /// Reads the services of `keys`, with their destinations; those that do not exist
    /// are left out.
    ///
    /// # Errors
    /// [`IpvsError`].
    fn observe(&self, keys: &BTreeSet<ServiceKey>) -> Result<ServiceTable, IpvsError>;

    /// Reads how busy the destinations of `keys` are.
    ///
    /// # Errors
    /// [`IpvsError`].
    fn activity(&self, keys: &BTreeSet<ServiceKey>) -> Result<ActivityTable, IpvsError>;

    /// Runs the changes in order as one batch. To remove what is gone already is no error.
    ///
    /// # Errors
    /// [`IpvsError::Refused`] names the first change that failed. IPVS has no
    /// transactions: what was done stays until the executor puts it back.
    fn apply(&self, changes: &[ServiceChange]) -> Result<(), IpvsError>;
}

/// What a director needs beside its two halves.
pub trait Machine {
    /// Reads the settings of `keys`; what is absent is left out.
    ///
    /// # Errors
    /// [`MachineError`], never [`MachineError::Refused`].
    fn observe(&self, keys: &BTreeSet<&SettingKey>) -> Result<Settings, MachineError>;

    /// Makes the changes one after another, up to the first that is refused. To make what
    /// is there already or to remove what is gone is no error.
    ///
    /// # Errors
    /// [`MachineError`]. What was done stays until the executor puts it back.
    fn apply(&self, changes: &[SettingChange]) -> Result<(), MachineError>;
}

/// Both halves, and the machine that they are on.
pub struct Director<'a> {
    /// What marks.
    pub netfilter: &'a dyn Netfilter,
    /// What schedules.
    pub ipvs: &'a dyn Ipvs,
    /// What else is needed.
    pub machine: &'a dyn Machine,
}
