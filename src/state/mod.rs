//! The state of a director in the kernel's shape: what is marked, what is scheduled, and
//! whose address real servers see.
//!
//! Desired, observed, saved and rolled-back state are all a [`DirectorState`]. Whatever
//! the kernel would show is in it; whatever it would not (ports by preset name, the
//! order in the config) is not. Two equal states are the same director.

mod classic;
mod ledger;
mod mark_book;
mod marking;
mod observation;
mod saved;
mod service;
mod setting;
mod source;

pub use classic::{ClassicRule, MULTIPORT_SLOTS, classic_rules};
pub use ledger::{Fingerprint, Ledger, LedgerEntry, Record, TransactionId};
pub use mark_book::{MarkBook, MarkHolder};
pub use marking::{Lookup, MarkEntry, MarkKey, Marking, entry_of_host};
pub use observation::{Frame, Generation, MarkRuleset, MarkingHalf, Observation, OptionalChains};
pub use service::{
    Destination, DestinationKey, InvalidServiceKey, Method, Netmask, ServiceFlags, ServiceKey,
    ServiceTable, VirtualService,
};
pub use setting::{
    InvalidSettingKey, Original, Originals, Ownership, PRESENT, ROUTE_TABLE, RULE_PRIORITY,
    Selector, SettingKey, Settings, covering,
};
pub use source::{Source, SourceEntry, SourceKey, Sources};

use crate::model::{Form, Marker};

/// Everything of a director that is ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectorState {
    /// Which packets get which mark.
    pub marking: Marking,
    /// The virtual services with their real servers.
    pub services: ServiceTable,
    /// What else the director needs.
    pub settings: Settings,
    /// Whose client addresses are replaced on the way to real servers.
    pub sources: Sources,
    /// Whether what the director itself sends is marked too.
    pub local_traffic: bool,
    /// Whether fragments are put together before they are marked.
    pub defragment: bool,
    /// What writes the marks. It says nothing of a state that is empty.
    pub marker: Marker,
    /// In which form it does.
    pub form: Form,
}

impl DirectorState {
    /// Whether it marks, schedules and needs nothing.
    pub fn is_empty(&self) -> bool {
        self.marking.is_empty()
            && self.services.is_empty()
            && self.sources.is_empty()
            && self.settings.is_empty()
    }

    /// The chains that it needs beyond the one that marks what arrives.
    pub fn chains(&self) -> OptionalChains {
        OptionalChains {
            defragment: self.defragment && !self.is_empty(),
            output: self.local_traffic && !self.is_empty(),
            postrouting: !self.sources.is_empty(),
        }
    }

    /// Whether a service of `mark` sends packets to `server`.
    fn forwards(&self, key: SourceKey) -> bool {
        let service = ServiceKey::Mark { mark: key.mark, family: key.family() };
        let service = self.services.get(&service);
        service.is_some_and(|it| it.destinations.iter().any(|at| at.key.address == key.server))
    }

    /// This state, while what only `before` has stays behind it: its services, for which
    /// nothing is marked, its real servers, with weight 0, and what these see as source, and
    /// its settings. So a return to `before` loses no connection.
    ///
    /// Where a scheduler deals clients to servers by a hash, whatever their weight, a
    /// server that stays with weight 0 would turn its share of new clients away
    /// (`ip_vs_sh_schedule`, `ip_vs_dh_schedule`): there it goes.
    #[must_use]
    pub fn holding_back(&self, before: &Self) -> Self {
        let mut held = self.clone();
        let sources = before.sources.iter().filter(|(key, _)| !self.forwards(**key));
        held.sources.extend(sources.map(|(key, entry)| (*key, entry.clone())));
        let ours = before.services.iter().filter(|(_, service)| service.recorded);
        for (key, leaving) in ours {
            let Some(service) = held.services.get_mut(key) else {
                held.services.insert(*key, leaving.clone());
                continue;
            };
            if matches!(service.scheduler.as_str(), "sh" | "dh") {
                continue;
            }
            let stays = |leaving: &&Destination| service.destination(leaving.key).is_none();
            let leaving: Vec<_> = leaving.destinations.iter().filter(stays).copied().collect();
            service.destinations.extend(leaving.iter().map(|d| Destination { weight: 0, ..*d }));
            service.destinations.sort_by_key(|destination| destination.key);
        }
        held.defragment |= before.defragment;
        for (key, value) in &before.settings {
            held.settings.entry(key.clone()).or_insert_with(|| value.clone());
        }
        held
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
