//! Whether the kernel's table is the one that we make: what differs, in sentences.

use std::collections::BTreeMap;
use std::ffi::CStr;

use super::chain::{Base, BaseRule, Branch};
use super::decode::{ChainFound, ElementsDo, RuleFound, SetFound};
use super::element::Element;
use super::frame::{self, LEDGER, Set, Step, text};
use crate::backend::{Frame, MarkCounts, MarkRuleset};
use crate::model::Form;
use crate::state::{Ledger, LedgerEntry, Marking, OptionalChains, Record, ServiceKey, Sources};

/// How many entries of one set are named when none of them can be read.
const NAMED: usize = 5;

/// Everything of our table as it was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) table_flags: u32,
    pub(super) chains: Vec<ChainFound>,
    pub(super) sets: Vec<SetFound>,
    pub(super) rules: Vec<RuleFound>,
    /// The names of stateful objects and flowtables: ours has none.
    pub(super) objects: Vec<String>,
    pub(super) entries: Entries,
}

/// What sets hold.
#[derive(Debug, Default)]
pub(super) struct Entries {
    marking: Marking,
    shadow: Marking,
    sources: Sources,
    services: BTreeMap<ServiceKey, LedgerEntry>,
    /// What the entries counted, where somebody wants to know.
    counts: Option<MarkCounts>,
    /// What cannot be read or does not belong where it is.
    odd: Vec<String>,
    /// How many elements were read.
    pub(super) count: usize,
    /// Whether one came twice.
    pub(super) repeated: bool,
}

impl Entries {
    /// Nothing yet, with room for what entries counted.
    pub(super) fn counting() -> Self {
        Self { counts: Some(MarkCounts::new()), ..Self::default() }
    }

    /// Whether both hold the same, whatever it counted meanwhile.
    pub(super) fn agree_with(&self, other: &Self) -> bool {
        self.count == other.count
            && self.marking == other.marking
            && self.shadow == other.shadow
            && self.services == other.services
            && self.odd == other.odd
    }

    /// What the entries counted.
    pub(super) fn take_counts(&mut self) -> MarkCounts {
        self.counts.take().unwrap_or_default()
    }

    /// Takes an element of `set`; what is no entry becomes words.
    pub(super) fn take(&mut self, set: Set, element: Result<Element<'_>, String>) {
        self.count += 1;
        let taken = element.and_then(|element| {
            if element.count.is_some() && !set.counts() {
                return Err(format!("{}, which counts packets", element.describe(set)));
            }
            if set.is_ledger() {
                let (key, entry) = element.to_service(set)?;
                self.repeated |= self.services.insert(key, entry).is_some();
                return Ok(());
            }
            if set.is_source() {
                let (key, entry) = element.to_source(set)?;
                self.repeated |= self.sources.insert(key, entry).is_some();
                return Ok(());
            }
            let (key, entry) = element.to_mark(set)?;
            if set.is_shadow() {
                self.repeated |= self.shadow.insert(key, entry).is_some();
                return Ok(());
            }
            self.repeated |= self.marking.insert(key, entry).is_some();
            if let Some(counts) = &mut self.counts {
                counts.insert(key, element.count.unwrap_or_default());
            }
            let misplaced = || format!("{key}, which belongs into {}", text(Set::of(&key).name()));
            if set.is_home_of(&key) { Ok(()) } else { Err(misplaced()) }
        });
        if let Err(what) = taken {
            self.odd.push(format!("{} holds {what}", text(set.name())));
        }
    }

    /// Adds what another set holds. Sets are looked up in their order: the first that
    /// knows a packet marks it.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, entry) in other.marking {
            self.marking.entry(key).or_insert(entry);
        }
        for (key, count) in other.counts.into_iter().flatten() {
            self.counts.get_or_insert_default().entry(key).or_insert(count);
        }
        self.shadow.extend(other.shadow);
        for (key, entry) in other.sources {
            if let Some(first) = self.sources.get(&key) {
                let set = Set::of_source(key, entry.source);
                self.odd.push(format!(
                    "{} holds {key}, which has {}",
                    text(set.name()),
                    first.source
                ));
            } else {
                self.sources.insert(key, entry);
            }
        }
        self.services.extend(other.services);
        self.odd.extend(other.odd);
    }
}

impl Found {
    /// The state of the frame, the entries and the ledger.
    pub(super) fn judge(mut self) -> MarkRuleset {
        let is_former = is_former(&self.sets);
        let mut damages = if is_former { self.flag_damages() } else { self.damages() };
        let chains = OptionalChains {
            defragment: self.has(Base::Defragment),
            output: self.has(Base::Output),
            postrouting: self.has(Base::Postrouting),
        };
        let mut differences = base_rules(Base::Prerouting, &self.rules);
        for branch in Branch::all() {
            differences.extend(rules_of(branch.name(), &branch.rules(), "", &self.rules));
        }
        for (chain, _) in Base::optional(chains).into_iter().filter(|(_, is_there)| *is_there) {
            differences.extend(base_rules(chain, &self.rules));
        }
        let (record, about_record) = record(&self.rules);
        // Without its chain, that one is missing is said already.
        if self.chains.iter().any(|chain| chain.name == text(LEDGER)) {
            differences.extend(about_record);
        }
        let frame = if is_former {
            // What differs from our layout needs no list, only what differs from that one.
            damages.extend(self.chains.iter().flat_map(|found| match Base::named(&found.name) {
                Some(base) => chain_differences(base, found),
                None if found.name == text(LEDGER) => Vec::new(),
                None => vec![format!("the chain {} is not ours", found.name)],
            }));
            // Those that do not mark have not changed.
            for (chain, is_there) in Base::optional(chains) {
                if is_there && chain != Base::Output {
                    damages.extend(base_rules(chain, &self.rules));
                }
            }
            damages.extend(former_differences(&self.rules));
            if damages.is_empty() { Frame::Former } else { Frame::Damaged(damages) }
        } else if !damages.is_empty() {
            damages.extend(differences);
            Frame::Damaged(damages)
        } else if !differences.is_empty() {
            Frame::RulesDiffer(differences)
        } else {
            Frame::Intact
        };
        let Entries { marking, shadow, sources, services, .. } = self.entries;
        let ledger = Ledger { record, services };
        let form = Form::default();
        MarkRuleset { frame, form, chains, entries: marking, shadow, sources, ledger }
    }

    fn has(&self, chain: Base) -> bool {
        self.chains.iter().any(|found| found.name == text(chain.name()))
    }

    /// What the flags of the table say that cannot be changed in place.
    fn flag_damages(&self) -> Vec<String> {
        let mut damages = Vec::new();
        let flag = |bit: u32| self.table_flags & bit != 0;
        // NFT_TABLE_F_DORMANT and NFT_TABLE_F_OWNER.
        if flag(1) {
            damages.push("the table is dormant: its chains are not called".to_owned());
        }
        if flag(2) {
            damages.push("the table belongs to another process".to_owned());
        }
        damages
    }

    /// What cannot be changed in place.
    fn damages(&mut self) -> Vec<String> {
        let mut damages = self.flag_damages();
        let branches = Branch::all().map(Branch::name);
        for name in [LEDGER, Base::Prerouting.name()].into_iter().chain(branches).map(text) {
            if !self.chains.iter().any(|chain| chain.name == name) {
                damages.push(format!("the chain {name} is missing"));
            }
        }
        for found in &self.chains {
            match Base::named(&found.name) {
                Some(base) => damages.extend(chain_differences(base, found)),
                None if found.name != text(LEDGER) && Branch::named(&found.name).is_none() => {
                    damages.push(format!("the chain {} is not ours", found.name));
                }
                None if found.hook.is_some() => {
                    damages.push(format!("the chain {} has a hook", found.name));
                }
                None => {}
            }
        }
        for set in Set::all() {
            match self.sets.iter().find(|found| found.name == text(set.name())) {
                None => damages.push(format!("{} is missing", text(set.name()))),
                Some(found) => damages.extend(set_differences(set, found)),
            }
        }
        // An anonymous set comes and goes with the rule that uses it.
        let foreign = self.sets.iter().filter(|set| !set.is_anonymous());
        for set in foreign.filter(|set| Set::named(&set.name).is_none_or(Set::is_former)) {
            damages.push(format!("the set {} is not ours", set.name));
        }
        damages.extend(self.objects.iter().map(|name| format!("the object {name} is not ours")));
        let more = self.entries.odd.len().saturating_sub(NAMED);
        damages.extend(self.entries.odd.drain(..).take(NAMED));
        if more > 0 {
            damages.push(format!("{more} more entries cannot be read"));
        }
        damages
    }
}

/// Whether the sets are those of a table that an earlier version made: its interval maps are
/// there, and none of ours.
pub(super) fn is_former(sets: &[SetFound]) -> bool {
    let found = |set: Set| sets.iter().find(|found| found.name == text(set.name()));
    let ours = Set::MAPS.into_iter().filter(|set| set.is_interval());
    Set::FORMER.into_iter().all(|set| found(set).is_some_and(|found| has_type(set, found)))
        && ours.map(found).all(|found| found.is_none())
}

fn chain_differences(base: Base, chain: &ChainFound) -> Vec<String> {
    let name = &chain.name;
    let mut differences = Vec::new();
    match chain.hook {
        None => differences.push(format!("the chain {name} has no hook")),
        Some((hook, _)) if hook != base.hook() as u32 => {
            differences.push(format!("the chain {name} is not called {}", base.when()));
        }
        Some((_, priority)) if priority != base.priority() => differences.push(format!(
            "the chain {name} has the priority {priority} instead of {}",
            base.priority()
        )),
        Some(_) => {}
    }
    if chain.hook.is_some() && chain.policy != Some(frame::POLICY) {
        differences.push(format!("the policy of the chain {name} is not accept"));
    }
    if chain.hook.is_some() && chain.kind.as_deref() != Some(base.kind_name()) {
        differences.push(format!("the chain {name} is not of the type {}", base.kind_name()));
    }
    differences
}

/// Whether the keys that were found are those of `set`.
fn has_type(set: Set, found: &SetFound) -> bool {
    let parts: Vec<u32> = set.part_lengths().into_iter().map(u32::from).collect();
    let parts_differ = set.is_interval() && found.parts != parts;
    found.key == (set.key_type(), set.key_length()) && !parts_differ
}

fn set_differences(set: Set, found: &SetFound) -> Vec<String> {
    let name = &found.name;
    let data = set.data().unwrap_or_default();
    let mut differences = Vec::new();
    if found.flags != set.flags() {
        differences.push(format!(
            "{name} has the flags {:#x} instead of {:#x}",
            found.flags,
            set.flags()
        ));
    }
    if !has_type(set, found) {
        differences.push(format!("the keys of {name} have another type"));
    }
    if found.data != data {
        differences.push(format!("the values of {name} have another type"));
    }
    if let Some(capacity) = found.capacity {
        differences.push(format!("{name} holds at most {capacity} entries"));
    }
    match (set.counts(), found.elements_do) {
        (true, ElementsDo::Count) | (false, ElementsDo::Nothing) => {}
        (true, ElementsDo::Nothing) => {
            differences.push(format!("the entries of {name} do not count packets"));
        }
        (false, ElementsDo::Count) => {
            differences.push(format!("the entries of {name} count packets"));
        }
        (_, ElementsDo::More) => {
            differences.push(format!("the entries of {name} limit or track packets"));
        }
    }
    differences
}

/// How the rules of a chain that a hook calls differ from ours.
fn base_rules(base: Base, rules: &[RuleFound]) -> Vec<String> {
    let name = text(base.name());
    let within =
        if base == Base::Prerouting { String::new() } else { format!(" in the chain {name}") };
    rules_of(base.name(), &base.rules(), &within, rules)
}

/// How the rules of a chain differ from `ours`; `within` is added to what is missing where
/// another chain has a rule of that name.
fn rules_of(
    chain: &'static CStr,
    ours: &[BaseRule],
    within: &str,
    rules: &[RuleFound],
) -> Vec<String> {
    let chain = text(chain);
    let found: Vec<_> = rules.iter().filter(|rule| rule.chain == chain).collect();
    if found.is_empty() {
        return vec![format!("the chain {chain} has no rules")];
    }
    let mut differences = Vec::new();
    for (place, rule) in (1..).zip(&found) {
        if !ours.iter().any(|ours| ours.steps == rule.steps) {
            let looked_up = rule.steps.iter().find_map(|step| match step {
                Step::Lookup { map: name, .. } | Step::Find { set: name, .. } => Some(name),
                _ => None,
            });
            let what = looked_up.map_or(String::new(), |map| format!(", which looks up {map},"));
            differences.push(format!(
                "rule {place} of the chain {chain} (handle {}){what} is not ours",
                rule.handle
            ));
        }
    }
    for BaseRule { what, steps } in ours {
        match found.iter().filter(|rule| rule.steps == *steps).count() {
            1 => {}
            0 => differences.push(format!("{what}{within} is missing")),
            many => differences.push(format!("{what}{within} stands {many} times")),
        }
    }
    let in_order = found.iter().map(|rule| &rule.steps).eq(ours.iter().map(|ours| &ours.steps));
    if differences.is_empty() && !in_order {
        differences.push(format!("the rules of the chain {chain} are in another order"));
    }
    differences
}

/// How the rules that mark differ from those of a table that an earlier version made: one
/// for each map, and in front of them for what this machine sends the one that leaves alone
/// what has a mark.
fn former_differences(rules: &[RuleFound]) -> Option<String> {
    let maps = Set::MAPS.into_iter().filter(|map| !map.is_interval()).chain(Set::FORMER);
    let marking: Vec<_> = maps.map(frame::marking).collect();
    let of = |chain: Base| {
        let chain = text(chain.name());
        let found = rules.iter().filter(move |rule| rule.chain == chain);
        found.map(|rule| rule.steps.clone()).collect::<Vec<_>>()
    };
    let output = of(Base::Output);
    let as_it_was = of(Base::Prerouting) == marking
        && (output.is_empty() || output == [vec![frame::is_marked()], marking].concat());
    let sentence = "the rules of a table that an earlier version made are not as it made them";
    (!as_it_was).then(|| sentence.to_owned())
}

/// The commit record in the chain `ledger`, and what is wrong with it.
fn record(rules: &[RuleFound]) -> (Option<Record>, Option<String>) {
    let chain = text(LEDGER);
    let found: Vec<_> = rules.iter().filter(|rule| rule.chain == chain).collect();
    let rule = match found.as_slice() {
        [rule] => rule,
        [] => return (None, Some(format!("the chain {chain} has no commit record"))),
        many => {
            let many = format!("the chain {chain} has {} rules instead of one", many.len());
            return (None, Some(many));
        }
    };
    match rule.comment.as_deref().and_then(Record::from_comment) {
        None => (None, Some(format!("the rule of the chain {chain} is no commit record"))),
        record if rule.steps == [Step::Counter] => (record, None),
        record => (record, Some(format!("the rule of the chain {chain} does more than count"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Count;
    use crate::model::{Family, PortRange, Protocol};
    use crate::state::{MarkEntry, MarkKey};

    fn key() -> MarkKey {
        MarkKey {
            destination: "192.0.2.1".parse().expect("a prefix"),
            protocol: Protocol::Tcp,
            ports: PortRange::ANY,
        }
    }

    #[test]
    fn an_element_that_comes_twice_is_noticed() {
        let (key, entry) = (key(), MarkEntry { mark: None, group: None });
        let element = Element::of_mark(&key, Some(&entry));
        let mut entries = Entries::default();
        entries.take(Set::Host(Family::Ipv4), Ok(element.clone()));
        assert!(!entries.repeated);
        entries.take(Set::Host(Family::Ipv4), Ok(element));
        assert!(entries.repeated && entries.count == 2);
    }

    /// nft(8) refuses to make one; the kernel takes it.
    #[test]
    fn an_element_that_counts_where_none_should_is_odd() {
        let (key, entry) = (key(), MarkEntry { mark: None, group: None });
        let shadow = Set::Shadow(Family::Ipv4, Protocol::Tcp);
        let element = Element {
            count: Some(Count { packets: 1, bytes: 60 }),
            ..Element::in_map(shadow, &key, Some(&entry))
        };
        let mut entries = Entries::default();
        entries.take(shadow, Ok(element));
        assert_eq!(
            entries.odd,
            ["shadow4_tcp holds 192.0.2.1:any/tcp → mark 0, which counts packets"]
        );
    }

    #[test]
    fn two_readings_agree_whatever_was_counted_between_them() {
        let (key, entry) = (key(), MarkEntry { mark: None, group: None });
        let host = Set::Host(Family::Ipv4);
        let [one, two, empty] = [1, 2, 0].map(|packets| {
            let mut entries = Entries::counting();
            let count = Some(Count { packets, bytes: 60 });
            if packets > 0 {
                entries.take(host, Ok(Element { count, ..Element::of_mark(&key, Some(&entry)) }));
            }
            entries
        });
        assert!(one.agree_with(&two) && !one.agree_with(&empty));
        let mut all = Entries::counting();
        all.merge(two);
        assert_eq!(all.take_counts()[&key].packets, 2);
    }
}
