//! The planner: what leads from what the kernel holds to a state that it shall hold.
//!
//! Apply, verify, rollback and drift repair are all [`Plan::between`]; an empty plan
//! means *in sync* and *verified*. The plan has three phases, which make before they
//! break: *stage* adds to IPVS what nothing is marked for yet, *switch* changes the
//! marks in one atomic step, *retire* takes from IPVS what nothing is marked for now.
//! Where the kernel would lose a mark for a moment, the switch has a *shadow*.

mod change;
mod conflict;
mod describe;
mod notes;
mod settings;
mod shadow;

use std::collections::BTreeMap;

pub use change::{
    EntryChange, FrameChange, LedgerChange, MarkSwitch, ServiceChange, SettingChange,
};
pub use conflict::Conflict;
pub use describe::{Action, ChangeLine, Object, Phase, Summary};
pub use shadow::Shadow;

use crate::model::GroupName;
use crate::state::{
    Destination, DirectorState, Frame, Ledger, LedgerEntry, Marking, Observation, ServiceKey,
    ServiceTable, VirtualService,
};

/// What leads from one state to another, in the order in which it is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Settings that are needed, before anything else.
    pub equip: Vec<SettingChange>,
    /// IPVS: services and destinations that are new, and edits in place.
    pub stage: Vec<ServiceChange>,
    /// Netfilter: what the shadow maps hold from before the switch until after it.
    pub shadow: Shadow,
    /// Netfilter: one atomic step.
    pub switch: MarkSwitch,
    /// IPVS: destinations that drain or go, and services that go.
    pub retire: Vec<ServiceChange>,
    /// Settings that are not needed any more, after everything else; and synchronisation,
    /// which begins with what is there then.
    pub strip: Vec<SettingChange>,
    /// What was found in our table that should not be there, in sentences.
    pub damage: Vec<String>,
    /// Whose the services are that the plan names.
    groups: BTreeMap<ServiceKey, GroupName>,
}

impl Plan {
    /// What leads from what was observed to `to`.
    ///
    /// Services that were observed but are not recorded are somebody else's; those that
    /// `to` does not name are left alone ([`Conflict::find`] tells of the others).
    pub fn between(from: &Observation, to: &DirectorState) -> Self {
        let mut plan = Self::default();
        plan.plan_services(&from.services, &to.services);
        plan.plan_settings(from, &to.settings);
        plan.switch.frame = frame_change(&from.ruleset.frame, to.is_empty());
        let nothing = (Marking::new(), Ledger::default());
        let (entries, ledger) = match plan.switch.frame {
            FrameChange::Create | FrameChange::Rebuild => (&nothing.0, &nothing.1),
            _ => (&from.ruleset.entries, &from.ruleset.ledger),
        };
        plan.switch.entries = entry_changes(entries, &to.marking);
        // In any other case the maps are made, or go, with all that they hold.
        if matches!(plan.switch.frame, FrameChange::Keep | FrameChange::RewriteRules) {
            plan.shadow = Shadow::of(&plan.switch.entries, &from.ruleset.shadow);
            if plan.shadow.entries.is_empty() {
                plan.switch.shadow = entry_changes(&from.ruleset.shadow, &nothing.0);
            }
        }
        plan.switch.ledger = ledger_changes(&ledger.services, to);
        if let Frame::RulesDiffer(found) | Frame::Damaged(found) = &from.ruleset.frame {
            plan.damage.clone_from(found);
        }
        plan.name_groups(&from.services, &to.services);
        plan
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let settings = self.equip.is_empty() && self.strip.is_empty();
        settings && self.stage.is_empty() && self.switch.is_empty() && self.retire.is_empty()
    }

    /// Whose each service is: the one who gets it, else the one who had it.
    fn name_groups(&mut self, from: &ServiceTable, to: &ServiceTable) {
        let services = self.stage.iter().chain(&self.retire).map(ServiceChange::service);
        let keys = services.chain(self.switch.ledger.iter().map(|change| change.key));
        let group =
            |table: &ServiceTable, key: &ServiceKey| table.get(key).and_then(|s| s.group.clone());
        self.groups = keys
            .filter_map(|key| Some((key, group(to, &key).or_else(|| group(from, &key))?)))
            .collect();
    }

    fn plan_services(&mut self, from: &ServiceTable, to: &ServiceTable) {
        for (&key, after) in to {
            match from.get(&key) {
                None => {
                    self.stage.push(ServiceChange::AddService(key, after.without_destinations()));
                    let add = |&destination| ServiceChange::AddDestination(key, destination);
                    self.stage.extend(after.destinations.iter().map(add));
                }
                Some(before) => self.plan_service(key, before, after),
            }
        }
        for (&key, before) in from {
            if before.recorded && !to.contains_key(&key) {
                self.retire.push(ServiceChange::RemoveService(key, before.clone()));
            }
        }
    }

    fn plan_service(&mut self, key: ServiceKey, before: &VirtualService, after: &VirtualService) {
        if !before.same_attributes(after) {
            self.stage.push(ServiceChange::EditService {
                key,
                before: before.without_destinations(),
                after: after.without_destinations(),
            });
        }
        for destination in &after.destinations {
            match before.destination(destination.key) {
                None => self.stage.push(ServiceChange::AddDestination(key, *destination)),
                Some(held) if destination.is_held_as(held) => {}
                Some(held) => self.plan_destination(key, *held, *destination),
            }
        }
        for destination in &before.destinations {
            if after.destination(destination.key).is_none() {
                self.retire.push(ServiceChange::RemoveDestination(key, *destination));
            }
        }
    }

    fn plan_destination(&mut self, service: ServiceKey, before: Destination, after: Destination) {
        let change = ServiceChange::EditDestination { service, before, after };
        // A server that drains gives its share away only when the others are there.
        if after.weight == 0 && before.weight != 0 {
            self.retire.push(change);
        } else {
            self.stage.push(change);
        }
    }
}

/// An empty state has no table: what `clear` leaves, and what was before the first apply.
fn frame_change(found: &Frame, to_empty: bool) -> FrameChange {
    match (found, to_empty) {
        (Frame::Absent, true) | (Frame::Intact, false) => FrameChange::Keep,
        (_, true) => FrameChange::Remove,
        (Frame::Absent, false) => FrameChange::Create,
        (Frame::RulesDiffer(_), false) => FrameChange::RewriteRules,
        (Frame::Damaged(_), false) => FrameChange::Rebuild,
    }
}

fn entry_changes(from: &Marking, to: &Marking) -> Vec<EntryChange> {
    differences(from, to)
        .into_iter()
        .map(|(&key, before, after)| EntryChange {
            key,
            before: before.cloned(),
            after: after.cloned(),
        })
        .collect()
}

fn ledger_changes(
    from: &BTreeMap<ServiceKey, LedgerEntry>,
    to: &DirectorState,
) -> Vec<LedgerChange> {
    let to: BTreeMap<_, _> = to.ledger_entries().collect();
    differences(from, &to)
        .into_iter()
        .map(|(&key, before, after)| LedgerChange {
            key,
            before: before.cloned(),
            after: after.cloned(),
        })
        .collect()
}

type Difference<'a, K, V> = (&'a K, Option<&'a V>, Option<&'a V>);

/// The keys whose values are not the same on both sides: first those of `to`, in order,
/// then those that only `from` has.
fn differences<'a, K: Ord, V: PartialEq>(
    from: &'a BTreeMap<K, V>,
    to: &'a BTreeMap<K, V>,
) -> Vec<Difference<'a, K, V>> {
    let changed = to
        .iter()
        .map(|(key, after)| (key, from.get(key), Some(after)))
        .filter(|(_, before, after)| before != after);
    let gone = from
        .iter()
        .filter(|(key, _)| !to.contains_key(key))
        .map(|(key, before)| (key, Some(before), None));
    changed.chain(gone).collect()
}
