//! The two halves of a director, and what is between a change and the kernel.
//!
//! A backend observes and writes; it decides nothing. It can be deleted by deleting its
//! folder, and another one (eBPF, a director elsewhere) added without touching the
//! planner or the transaction.

#[cfg(feature = "fail-points")]
pub mod fail_points;
pub mod ipset;
pub mod iptables;
pub mod ipvs;
mod kernel;
pub mod machine;
pub mod memory;
pub mod nftables;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use rustix::thread::{MembarrierCommand, membarrier};

use crate::model::Marker;
use crate::netlink::NetlinkError;
use crate::plan::{MarkSwitch, ServiceChange, SettingChange};
use crate::state::MarkingHalf;
use crate::state::{DestinationKey, ServiceKey, ServiceTable, SettingKey, Settings};
pub use crate::state::{Frame, Generation, MarkRuleset};
pub use kernel::KernelDirector;
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
    /// No privilege, says a program of iptables.
    #[error("{0} needs to be run as root, with CAP_NET_ADMIN and CAP_NET_RAW")]
    PrivilegeOf(String),
    /// A program of iptables failed; nothing was changed.
    #[error("{program} failed: {reason}")]
    Tool {
        /// Its name.
        program: String,
        /// Why, in its words.
        reason: String,
    },
    /// The kernel has no nf_tables, or lacks a part of it.
    #[error("this kernel has no nf_tables: {0}")]
    Unsupported(String),
    /// This machine lacks what writes these marks.
    #[error("{0}")]
    Missing(String),
    /// The switch was sent, and whether it was committed is not known: the ledger tells.
    #[error("whether the switch was committed is not known")]
    Unknown(#[source] NetlinkError),
    /// One part of the switch was committed, another one was not, and the first could not be
    /// put back: iptables has a transaction for each table of each family.
    #[error("the marks are changed in part: {0}")]
    Halved(String),
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

impl NetfilterError {
    /// Whether the marks may be others than before.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, Self::Unknown(_) | Self::Halved(_))
    }

    /// Whether this machine has not got what was asked, so that nothing of ours is in it.
    fn is_missing(&self) -> bool {
        matches!(self, Self::Unsupported(_) | Self::Missing(_))
    }
}

impl From<IpvsError> for MachineError {
    fn from(error: IpvsError) -> Self {
        Self::Ipvs(Box::new(error))
    }
}

/// The connections of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, schemars::JsonSchema)]
pub struct Activity {
    /// Connections that are established.
    pub active: u32,
    /// Connections in any other state.
    pub inactive: u32,
    /// Clients that persistence keeps on it: its templates.
    pub persistent: u32,
}

/// The connections of each destination of each service.
pub type ActivityTable = BTreeMap<(ServiceKey, DestinationKey), Activity>;

/// The marking half of a director. Owns one table or its chains, and nothing else.
pub trait Netfilter {
    /// Which one it is.
    fn marker(&self) -> Marker;

    /// Reads what is ours.
    ///
    /// # Errors
    /// [`NetfilterError`], never [`NetfilterError::Refused`].
    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError>;

    /// As [`Netfilter::observe`], with what each entry counted.
    ///
    /// # Errors
    /// As [`Netfilter::observe`].
    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError>;

    /// Takes one atomic step from what was observed at `at`, after which the generation is
    /// the [next](Generation::next). On any error that is not
    /// [uncertain](NetfilterError::is_uncertain) nothing has changed.
    ///
    /// # Errors
    /// [`NetfilterError`].
    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError>;

    /// Waits until no packet that was marked before the last switch is still on its way
    /// to IPVS.
    fn settle(&self);

    /// Removes what an interrupted switch prepared and nothing uses.
    fn tidy(&self) {}
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
#[derive(Clone, Copy)]
pub struct Director<'a> {
    /// What can mark: one of each [`Marker`] that there may be.
    pub netfilter: &'a [&'a dyn Netfilter],
    /// What schedules.
    pub ipvs: &'a dyn Ipvs,
    /// What else is needed.
    pub machine: &'a dyn Machine,
}

impl Director<'_> {
    /// What marks by `marker`.
    ///
    /// # Errors
    /// [`NetfilterError::Missing`] where this director has none.
    pub fn marker(&self, marker: Marker) -> Result<&dyn Netfilter, NetfilterError> {
        let found = self.netfilter.iter().find(|netfilter| netfilter.marker() == marker);
        found.copied().ok_or_else(|| missing(marker))
    }

    /// Reads what all markers hold of ours. The one that counts is `wanted`; where that has
    /// nothing and shall get nothing, the one that has something.
    ///
    /// # Errors
    /// [`NetfilterError`] of `wanted`; and of any other, but that the machine has not got it.
    /// Who wants nothing can do without `wanted` where another one has something.
    pub fn marking(&self, wanted: Marker, to_empty: bool) -> Result<MarkingHalf, NetfilterError> {
        let mut found = Vec::new();
        let mut not_there = None;
        for netfilter in self.netfilter {
            let marker = netfilter.marker();
            match netfilter.observe() {
                Ok(observed) => found.push((marker, observed)),
                Err(error) if marker != wanted && error.is_missing() => {
                    tracing::debug!(%marker, %error, "nothing of ours is there");
                }
                Err(error) if to_empty && error.is_missing() => not_there = Some(error),
                Err(error) => return Err(error),
            }
        }
        let commits = found.iter().find(|(marker, _)| *marker == Marker::Nftables);
        let commits = commits.map(|(_, observed)| observed.generation).unwrap_or_default();
        let place = |wanted: Marker| found.iter().position(|(marker, _)| *marker == wanted);
        let is_there = |at: &usize| !found[*at].1.value.is_absent();
        let marking = || (0..found.len()).find(is_there);
        let first = if to_empty {
            let any = || (!found.is_empty()).then_some(0);
            place(wanted).filter(is_there).or_else(marking).or_else(|| place(wanted)).or_else(any)
        } else {
            place(wanted)
        };
        let Some(first) = first else {
            return Err(not_there.unwrap_or_else(|| missing(wanted)));
        };
        let (marker, Observed { value: ruleset, generation }) = found.swap_remove(first);
        let others = found.into_iter().map(|(marker, observed)| (marker, observed.value));
        let mut elsewhere: Vec<_> = others.filter(|(_, other)| !other.is_absent()).collect();
        elsewhere.sort_by_key(|(marker, _)| *marker);
        Ok(MarkingHalf { marker, ruleset, elsewhere, generation, commits })
    }

    /// What the first marker holds that holds anything of ours, with what it counted.
    ///
    /// # Errors
    /// As [`Director::marking`] of the first marker, to nothing.
    pub fn counted_marking(&self) -> Result<CountedRuleset, NetfilterError> {
        let mut first = None;
        for netfilter in self.netfilter {
            match netfilter.observe_counted() {
                Ok(Observed { value, .. }) if !value.ruleset.is_absent() => return Ok(value),
                Ok(Observed { value, .. }) => drop(first.get_or_insert(Ok(value))),
                Err(error) if error.is_missing() => drop(first.get_or_insert(Err(error))),
                Err(error) => return Err(error),
            }
        }
        first.unwrap_or_else(|| Err(missing(Marker::default())))
    }

    /// Removes what interrupted switches prepared and nothing uses.
    pub fn tidy(&self) {
        self.netfilter.iter().for_each(|netfilter| netfilter.tidy());
    }
}

/// Waits until no CPU can still be handling a packet that was marked before the switch: an
/// RCU period, which a global memory barrier takes (membarrier(2); 11 to 19 ms).
fn settle_packets() {
    if let Err(errno) = membarrier(MembarrierCommand::Global) {
        // A kernel without it: a retired server may meet a packet that was marked
        // microseconds before. It is refused, and its client tries again.
        tracing::debug!(%errno, "no global memory barrier");
    }
}

fn missing(marker: Marker) -> NetfilterError {
    NetfilterError::Missing(format!("{marker} is not there"))
}
