//! The state of a director in the kernel's shape: what is marked, and what is scheduled.
//!
//! Desired, observed, saved and rolled-back state are all a [`DirectorState`]. Whatever
//! the kernel would show is in it; whatever it would not (ports by preset name, the
//! order in the config) is not. Two equal states are the same director.

mod ledger;
mod marking;
mod observation;
mod service;

pub use ledger::{Fingerprint, Ledger, LedgerEntry, Record, TransactionId};
pub use marking::{Lookup, MarkEntry, MarkKey, Marking};
pub use observation::{Frame, Generation, MarkRuleset, Observation};
pub use service::{
    Destination, DestinationKey, InvalidServiceKey, Method, Netmask, ServiceFlags, ServiceKey,
    ServiceTable, VirtualService,
};

/// Everything of a director that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectorState {
    /// Which packets get which mark.
    pub marking: Marking,
    /// The virtual services with their real servers.
    pub services: ServiceTable,
}

impl DirectorState {
    /// Whether it marks and schedules nothing.
    pub fn is_empty(&self) -> bool {
        self.marking.is_empty() && self.services.is_empty()
    }

    /// What the kernel's ledger says of this state: an entry for each virtual service
    /// that is ours.
    pub fn ledger_entries(&self) -> impl Iterator<Item = (ServiceKey, LedgerEntry)> + '_ {
        self.services.iter().filter(|(_, service)| service.recorded).map(|(key, service)| {
            let entry = LedgerEntry {
                group: service.group.clone(),
                fingerprint: Some(Fingerprint::of_service(*key, service)),
            };
            (*key, entry)
        })
    }
}
