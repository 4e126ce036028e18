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
mod loss;
mod moving;
mod notes;
mod settings;
mod shadow;

use std::collections::BTreeMap;

pub use change::{
    ChainChange, EntryChange, FrameChange, LedgerChange, MarkSwitch, ServiceChange, SettingChange,
    SourceChange,
};
pub use conflict::Conflict;
pub use describe::{Action, ChangeLine, Object, Phase, Summary};
pub use loss::{Limit, Loss, Portion, Unconfirmed};
pub use moving::Moving;
pub use shadow::Shadow;

use crate::model::{Form, GroupName, Marker};
use crate::state::{
    Destination, DirectorState, Frame, LedgerEntry, MarkRuleset, Marking, Observation, ServiceKey,
    ServiceTable, SourceKey, Sources, VirtualService,
};

/// What leads from one state to another, in the order in which it is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What writes the marks.
    pub marker: Marker,
    /// Settings that are needed, before anything else.
    pub equip: Vec<SettingChange>,
    /// IPVS: services and destinations that are new, and edits in place.
    pub stage: Vec<ServiceChange>,
    /// Netfilter: from another marker to this one.
    pub moving: Moving,
    /// Netfilter: what the shadow maps hold from before the switch until after it.
    pub shadow: Shadow,
    /// Netfilter: one atomic step.
    pub switch: MarkSwitch,
    /// IPVS: destinations that drain or go, and services that go; and destinations that need
    /// the switch before they get packets.
    pub retire: Vec<ServiceChange>,
    /// Settings that are not needed any more, after everything else; and synchronisation,
    /// which begins with what is there then.
    pub strip: Vec<SettingChange>,
    /// What was found in our table that should not be there, in sentences.
    pub damage: Vec<String>,
    /// In which form the marks were, where that changes.
    form_before: Option<Form>,
    /// Whose the services are that the plan names.
    groups: BTreeMap<ServiceKey, GroupName>,
}

impl Plan {
    /// What leads from what was observed to `to`.
    ///
    /// Services that were observed but are not recorded are somebody else's; those that
    /// `to` does not name are left alone ([`Conflict::find`] tells of the others).
    pub fn between(from: &Observation, to: &DirectorState) -> Self {
        let mut plan = Self { marker: from.marker, ..Self::default() };
        plan.plan_services(from, to);
        plan.plan_settings(from, &to.settings);
        plan.moving = Moving::of(from, to.form, to.is_empty());
        let ruleset = &moving::moved(from, to.form, to.is_empty());
        plan.switch.frame = frame_change(&ruleset.frame, to.is_empty());
        plan.switch.form = to.form;
        if plan.switch.frame == FrameChange::Keep && !to.is_empty() && ruleset.form != to.form {
            plan.switch.frame = FrameChange::RewriteRules;
            plan.form_before = Some(ruleset.form);
        }
        let nothing = MarkRuleset::default();
        let found = match plan.switch.frame {
            FrameChange::Create | FrameChange::Rebuild => &nothing,
            _ => ruleset,
        };
        plan.switch.entries = entry_changes(&found.entries, &to.marking);
        plan.switch.sources = source_changes(&found.sources, &to.sources);
        let chains = ChainChange { before: found.chains, after: to.chains() };
        // Who writes rules again has to know which chains have some.
        if plan.switch.frame != FrameChange::Keep || !chains.is_empty() {
            plan.switch.chains = chains;
        }
        // In any other case the maps are made, or go, with all that they hold.
        let stays = matches!(plan.switch.frame, FrameChange::Keep | FrameChange::RewriteRules);
        // iptables shows a table whole or not at all.
        if stays && from.marker == Marker::Nftables {
            plan.shadow = Shadow::of(&plan.switch.entries, &ruleset.shadow);
            if plan.shadow.entries.is_empty() {
                plan.switch.shadow = entry_changes(&ruleset.shadow, &nothing.shadow);
            }
        }
        plan.switch.ledger = ledger_changes(&found.ledger.services, to);
        match &ruleset.frame {
            Frame::RulesDiffer(found) | Frame::Damaged(found) => plan.damage.clone_from(found),
            Frame::Former => plan.damage = vec![FORMER_LAYOUT.to_owned()],
            Frame::Absent | Frame::Intact => {}
        }
        plan.name_groups(&from.services, &to.services);
        plan
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let settings = self.equip.is_empty() && self.strip.is_empty();
        let marks = self.moving.is_empty() && self.switch.is_empty();
        settings && marks && self.stage.is_empty() && self.retire.is_empty()
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

    fn plan_services(&mut self, observed: &Observation, wanted: &DirectorState) {
        let (from, to) = (&observed.services, &wanted.services);
        for (&key, after) in to {
            match from.get(&key) {
                None => {
                    self.stage.push(ServiceChange::AddService(key, after.without_destinations()));
                    let add = |&destination| ServiceChange::AddDestination(key, destination);
                    self.stage.extend(after.destinations.iter().map(add));
                }
                Some(before) => {
                    // Before the switch, nothing would replace the addresses of its clients:
                    // who is dealt to it then never gets an answer.
                    let waits = |destination: &Destination| {
                        let ServiceKey::Mark { mark, .. } = key else { return false };
                        let source = SourceKey { mark, server: destination.key.address };
                        wanted.sources.contains_key(&source)
                            && !observed.holder().1.sources.contains_key(&source)
                    };
                    self.plan_service(key, before, after, waits);
                }
            }
        }
        for (&key, before) in from {
            if before.recorded && !to.contains_key(&key) {
                self.retire.push(ServiceChange::RemoveService(key, before.clone()));
            }
        }
    }

    /// `waits` tells which destinations get no packet by NAT before the switch.
    fn plan_service(
        &mut self,
        key: ServiceKey,
        before: &VirtualService,
        after: &VirtualService,
        waits: impl Fn(&Destination) -> bool,
    ) {
        if !before.same_attributes(after) {
            self.stage.push(ServiceChange::EditService {
                key,
                before: before.without_destinations(),
                after: after.without_destinations(),
            });
        }
        for destination in &after.destinations {
            match before.destination(destination.key) {
                None => {
                    let phase = if waits(destination) { &mut self.retire } else { &mut self.stage };
                    phase.push(ServiceChange::AddDestination(key, *destination));
                }
                Some(held) if destination.is_held_as(held) => {}
                Some(held) => {
                    let waits = held.method != destination.method && waits(destination);
                    self.plan_destination(key, *held, *destination, waits);
                }
            }
        }
        for destination in &before.destinations {
            if after.destination(destination.key).is_none() {
                self.retire.push(ServiceChange::RemoveDestination(key, *destination));
            }
        }
    }

    fn plan_destination(
        &mut self,
        service: ServiceKey,
        before: Destination,
        after: Destination,
        waits: bool,
    ) {
        let change = ServiceChange::EditDestination { service, before, after };
        // A server that drains gives its share away only when the others are there.
        if waits || (after.weight == 0 && before.weight != 0) {
            self.retire.push(change);
        } else {
            self.stage.push(change);
        }
    }
}

/// What is said of a table as earlier versions made it.
const FORMER_LAYOUT: &str = "the table has the layout of an earlier version of fwmarkctl";

/// An empty state has no table: what `clear` leaves, and what was before the first apply.
fn frame_change(found: &Frame, to_empty: bool) -> FrameChange {
    match (found, to_empty) {
        (Frame::Absent, true) | (Frame::Intact, false) => FrameChange::Keep,
        (_, true) => FrameChange::Remove,
        (Frame::Absent, false) => FrameChange::Create,
        (Frame::RulesDiffer(_), false) => FrameChange::RewriteRules,
        (Frame::Damaged(_) | Frame::Former, false) => FrameChange::Rebuild,
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

fn source_changes(from: &Sources, to: &Sources) -> Vec<SourceChange> {
    differences(from, to)
        .into_iter()
        .map(|(&key, before, after)| SourceChange {
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
