//! A director in memory, with the kernel's semantics as far as a transaction can tell:
//! nf_tables commits all or nothing and counts generations; IPVS runs a batch change by
//! change and stops at nothing. It can fail or fall silent at the k-th call, which is
//! how the transaction's way back is tested. It never stands in for the kernel ring.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Activity, ActivityTable, CountedRuleset, Director, Frame, Generation, Ipvs, IpvsError, Machine,
    MachineError, MarkCounts, MarkRuleset, Netfilter, NetfilterError, Observed,
};
use crate::model::Marker;
use crate::netlink::NetlinkError;
use crate::plan::{
    ChainChange, EntryChange, FrameChange, MarkSwitch, ServiceChange, SettingChange, SourceChange,
};
use crate::state::{Destination, MarkKey, Marking, ServiceKey, ServiceTable, SettingKey, Settings};

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The k-th change (counted over both halves, from 0) is refused.
    RefuseChange(usize),
    /// Every change from the k-th on is refused: not even the way back works.
    RefuseFrom(usize),
    /// The switch is committed, and its answer is lost.
    LoseAnswer,
    /// Somebody makes the service of the next `AddService` just before it.
    Intrude,
    /// The process dies just before the k-th change: nothing after it is run, and the
    /// director keeps what it holds.
    Die(usize),
    /// Somebody commits to the ruleset just before each of some switches.
    Meddle {
        /// How many switches come before these.
        after: u32,
        /// How many these are.
        times: u32,
    },
}

/// What a death by [`Fault::Die`] unwinds with.
#[derive(Debug, Clone, Copy)]
pub struct Died;

/// Both halves of a director in memory.
#[derive(Debug, Default)]
pub struct MemoryDirector {
    kernel: RefCell<Kernel>,
}

#[derive(Debug, Default)]
struct Kernel {
    rulesets: BTreeMap<Marker, MarkRuleset>,
    generation: u32,
    services: ServiceTable,
    settings: Settings,
    fault: Option<Fault>,
    changes: usize,
    writes: usize,
}

impl Kernel {
    /// Counts a change; whether it is refused.
    fn refuses(&mut self) -> bool {
        let at = self.changes;
        self.changes += 1;
        match self.fault {
            Some(Fault::RefuseChange(k)) => at == k,
            Some(Fault::RefuseFrom(k)) => at >= k,
            Some(Fault::Die(k)) if at == k => {
                self.fault = None;
                std::panic::resume_unwind(Box::new(Died))
            }
            _ => false,
        }
    }
}

impl MemoryDirector {
    /// A director that marks and schedules nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what goes wrong from now on; changes are counted anew.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let mut kernel = self.kernel.borrow_mut();
        kernel.fault = fault;
        kernel.changes = 0;
    }

    /// How many changes were asked for since the fault was set.
    pub fn changes(&self) -> usize {
        self.kernel.borrow().changes
    }

    /// How many calls wrote anything, ever.
    pub fn writes(&self) -> usize {
        self.kernel.borrow().writes
    }

    /// Edits the services as somebody else would.
    pub fn meddle_with_services(&self, edit: impl FnOnce(&mut ServiceTable)) {
        edit(&mut self.kernel.borrow_mut().services);
    }

    /// Edits the ruleset as somebody else would.
    pub fn meddle_with_ruleset(&self, edit: impl FnOnce(&mut MarkRuleset)) {
        let mut kernel = self.kernel.borrow_mut();
        let there = kernel.rulesets.iter().find(|(_, ruleset)| !ruleset.is_absent());
        let marker = there.map(|(marker, _)| *marker).unwrap_or_default();
        edit(kernel.rulesets.entry(marker).or_default());
        kernel.generation += 1;
    }

    /// Edits the settings as somebody else would.
    pub fn meddle_with_settings(&self, edit: impl FnOnce(&mut Settings)) {
        edit(&mut self.kernel.borrow_mut().settings);
    }

    /// All settings, whosever they are.
    pub fn settings(&self) -> Settings {
        self.kernel.borrow().settings.clone()
    }

    /// All services, whosever they are.
    pub fn services(&self) -> ServiceTable {
        self.kernel.borrow().services.clone()
    }
}

impl MemoryDirector {
    /// Works with all of it.
    pub fn with<T>(&self, work: impl FnOnce(&Director<'_>) -> T) -> T {
        let [first, second, third] = Marker::ALL.map(|marker| self.on(marker));
        work(&Director { netfilter: &[&first, &second, &third], ipvs: self, machine: self })
    }

    /// One of its markers.
    pub fn on(&self, marker: Marker) -> MemoryMarker<'_> {
        MemoryMarker { director: self, marker }
    }
}

/// One of the markers of a director in memory.
#[derive(Debug, Clone, Copy)]
pub struct MemoryMarker<'a> {
    director: &'a MemoryDirector,
    marker: Marker,
}

impl Netfilter for MemoryDirector {
    fn marker(&self) -> Marker {
        Marker::Nftables
    }

    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        self.on(Marker::Nftables).observe()
    }

    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        self.on(Marker::Nftables).observe_counted()
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        self.on(Marker::Nftables).switch(change, at)
    }

    fn settle(&self) {}
}

impl Netfilter for MemoryMarker<'_> {
    fn marker(&self) -> Marker {
        self.marker
    }

    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        let kernel = self.director.kernel.borrow();
        let generation = Generation(kernel.generation);
        let value = kernel.rulesets.get(&self.marker).cloned().unwrap_or_default();
        Ok(Observed { value, generation })
    }

    /// Nothing passes here that could be counted.
    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        let Observed { value: ruleset, generation } = self.observe()?;
        let counts = MarkCounts::new();
        Ok(Observed { value: CountedRuleset { ruleset, counts }, generation })
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        let mut kernel = self.director.kernel.borrow_mut();
        kernel.writes += 1;
        match kernel.fault {
            Some(Fault::Meddle { after: 0, times }) if times > 0 => {
                kernel.fault = Some(Fault::Meddle { after: 0, times: times - 1 });
                kernel.generation += 1;
            }
            Some(Fault::Meddle { after, times }) if after > 0 => {
                kernel.fault = Some(Fault::Meddle { after: after - 1, times });
            }
            _ => {}
        }
        if Generation(kernel.generation) != at {
            return Err(NetfilterError::StaleGeneration);
        }
        if kernel.refuses() {
            return Err(refused(&"the switch", "the memory director was told to"));
        }
        let ruleset = kernel.rulesets.entry(self.marker).or_default();
        *ruleset = switched(ruleset, change)?;
        kernel.generation += 1;
        if kernel.fault == Some(Fault::LoseAnswer) {
            return Err(NetfilterError::Unknown(NetlinkError::Overrun));
        }
        Ok(())
    }

    fn settle(&self) {}
}

/// The ruleset after a switch; as in nf_tables, what is added must not exist and what is
/// removed must.
fn switched(from: &MarkRuleset, change: &MarkSwitch) -> Result<MarkRuleset, NetfilterError> {
    match change.frame {
        FrameChange::Create if from.frame != Frame::Absent => {
            return Err(refused(&"the table", "it exists"));
        }
        FrameChange::Keep if from.frame == Frame::Absent => {
            return Err(refused(&"the table", "it does not exist"));
        }
        FrameChange::Remove => return Ok(change.applied_to(from)),
        _ => {}
    }
    let nothing = MarkRuleset::default();
    let anew = matches!(change.frame, FrameChange::Create | FrameChange::Rebuild);
    let held = if anew { &nothing } else { from };
    check_exchange(&held.entries, &change.entries, |one, other| one.lookup() == other.lookup())?;
    check_exchange(&held.shadow, &change.shadow, |_, _| true)?;
    for SourceChange { key, before, .. } in &change.sources {
        if held.sources.contains_key(key) != before.is_some() {
            return Err(refused(key, "it exists, or does not exist"));
        }
    }
    let (chains, ChainChange { before, after }) = (held.chains, change.chains);
    for (chain, before, after) in [
        (chains.defragment, before.defragment, after.defragment),
        (chains.output, before.output, after.output),
        (chains.postrouting, before.postrouting, after.postrouting),
    ] {
        if before != after && chain == after {
            return Err(refused(&"a chain", "it exists, or does not exist"));
        }
    }
    Ok(change.applied_to(from))
}

/// All removals, then all additions. A map refuses what meets an entry that it holds.
fn check_exchange(
    held: &Marking,
    changes: &[EntryChange],
    share_a_map: fn(&MarkKey, &MarkKey) -> bool,
) -> Result<(), NetfilterError> {
    let mut held: BTreeSet<&MarkKey> = held.keys().collect();
    for EntryChange { key, before, .. } in changes {
        if before.is_some() && !held.remove(key) {
            return Err(refused(key, "it does not exist"));
        }
    }
    for EntryChange { key, .. } in changes.iter().filter(|change| change.after.is_some()) {
        if held.iter().any(|held| share_a_map(held, key) && held.meets(key)) {
            return Err(refused(key, "it exists, or overlaps what exists"));
        }
        held.insert(key);
    }
    Ok(())
}

fn refused(object: &impl ToString, reason: &str) -> NetfilterError {
    NetfilterError::Refused { object: object.to_string(), reason: reason.to_owned() }
}

impl Ipvs for MemoryDirector {
    fn observe(&self, keys: &BTreeSet<ServiceKey>) -> Result<ServiceTable, IpvsError> {
        let kernel = self.kernel.borrow();
        let mut services = kernel.services.clone();
        services.retain(|key, service| {
            service.recorded = false;
            service.group = None;
            keys.contains(key)
        });
        Ok(services)
    }

    fn activity(&self, keys: &BTreeSet<ServiceKey>) -> Result<ActivityTable, IpvsError> {
        let services = Ipvs::observe(self, keys)?;
        let idle = |(key, service): (ServiceKey, crate::state::VirtualService)| {
            let idle =
                move |destination: Destination| ((key, destination.key), Activity::default());
            service.destinations.into_iter().map(idle)
        };
        Ok(services.into_iter().flat_map(idle).collect())
    }

    fn apply(&self, changes: &[ServiceChange]) -> Result<(), IpvsError> {
        let mut kernel = self.kernel.borrow_mut();
        kernel.writes += usize::from(!changes.is_empty());
        if kernel.fault == Some(Fault::Intrude)
            && let Some((key, service)) = changes.iter().find_map(|change| match change {
                ServiceChange::AddService(key, service) => Some((*key, service.clone())),
                _ => None,
            })
        {
            kernel.fault = None;
            kernel.services.insert(key, service);
        }
        let mut undone = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            if kernel.refuses() || change_service(&mut kernel.services, change).is_none() {
                undone.push(at);
            }
        }
        let Some(&first) = undone.first() else { return Ok(()) };
        Err(IpvsError::Refused {
            change: changes[first].to_string(),
            reason: "the memory director was told to, or it makes no sense".to_owned(),
            remedy: None,
            undone,
        })
    }
}

/// Makes one change; `None` where IPVS would refuse it.
fn change_service(services: &mut ServiceTable, change: &ServiceChange) -> Option<()> {
    use std::collections::btree_map::Entry;
    match change {
        ServiceChange::AddService(key, service) => match services.entry(*key) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                place.insert(service.without_destinations());
                Some(())
            }
        },
        ServiceChange::EditService { key, after, .. } => {
            let service = services.get_mut(key)?;
            let destinations = std::mem::take(&mut service.destinations);
            *service = after.without_destinations();
            service.destinations = destinations;
            Some(())
        }
        ServiceChange::RemoveService(key, _) => {
            services.remove(key);
            Some(())
        }
        ServiceChange::AddDestination(key, destination) => {
            let destinations = &mut services.get_mut(key)?.destinations;
            match destinations.binary_search_by_key(&destination.key, |held| held.key) {
                Ok(_) => None,
                Err(place) => {
                    destinations.insert(place, *destination);
                    Some(())
                }
            }
        }
        ServiceChange::EditDestination { service, after, .. } => {
            let destinations = &mut services.get_mut(service)?.destinations;
            let held = destinations.iter_mut().find(|held| held.key == after.key)?;
            *held = *after;
            Some(())
        }
        ServiceChange::RemoveDestination(key, destination) => {
            if let Some(service) = services.get_mut(key) {
                service.destinations.retain(|held| held.key != destination.key);
            }
            Some(())
        }
    }
}

impl Machine for MemoryDirector {
    fn observe(&self, keys: &BTreeSet<&SettingKey>) -> Result<Settings, MachineError> {
        let mut settings = self.kernel.borrow().settings.clone();
        settings.retain(|key, _| keys.contains(key));
        Ok(settings)
    }

    fn apply(&self, changes: &[SettingChange]) -> Result<(), MachineError> {
        let mut kernel = self.kernel.borrow_mut();
        kernel.writes += usize::from(!changes.is_empty());
        for change in changes {
            // A daemon that runs is not changed (`start_sync_thread`, `ip_vs_sync.c`).
            let is_daemon = matches!(change.key, SettingKey::SyncDaemon(_));
            let runs = is_daemon && kernel.settings.contains_key(&change.key);
            if kernel.refuses() || (runs && change.after.is_some()) {
                return Err(MachineError::Refused {
                    change: change.to_string(),
                    reason: "the memory director was told to, or it makes no sense".to_owned(),
                    remedy: None,
                });
            }
            match &change.after {
                Some(value) => drop(kernel.settings.insert(change.key.clone(), value.clone())),
                None => drop(kernel.settings.remove(&change.key)),
            }
        }
        Ok(())
    }
}
