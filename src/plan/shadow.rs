//! What goes on marking while an interval map exchanges entries.
//!
//! In one batch, an interval map hides what is removed when the new generation begins, and
//! shows what is added only when the map itself is exchanged, a moment later
//! (`nf_tables_commit` and, called at its end, `nft_set_commit_update` in
//! `net/netfilter/nf_tables_api.c`; `nft_pipapo_commit` in `nft_set_pipapo.c`). Packets of
//! an old entry that get their mark from a new one find neither in between. So the old
//! entry is put into a shadow map before the switch, which is looked up behind all others,
//! and taken out after it: in between, these packets get the mark that they had, whose
//! service is there until retire.

use std::collections::BTreeSet;

use super::{EntryChange, MarkSwitch, entry_changes};
use crate::state::{Lookup, MarkKey, Marking};

/// What the shadow maps hold while the marks switch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shadow {
    /// Old entries, of any kind of map: an interval map has room for all of them.
    pub entries: Marking,
    /// What leads there from what the shadow maps hold now. It changes no mark: the maps
    /// before them have these entries too.
    pub changes: Vec<EntryChange>,
}

impl Shadow {
    /// The shadow that a switch of these entries needs, where the shadow maps hold `found`.
    pub(super) fn of(changes: &[EntryChange], found: &Marking) -> Self {
        let added = changes.iter().filter(|change| is_late(change)).map(|change| change.key);
        let lost = changes.iter().filter(|change| is_lost(change)).map(|change| change.key);
        let needed = meeting(lost, added);
        let mut entries = Marking::new();
        for EntryChange { key, before, .. } in changes {
            if let Some(before) = before
                && needed.contains(key)
            {
                entries.insert(*key, before.clone());
            }
        }
        leave_apart(&mut entries);
        let changes = if entries.is_empty() { Vec::new() } else { entry_changes(found, &entries) };
        Self { entries, changes }
    }

    /// The batch that comes before the switch; `None` where all is there.
    pub fn cast(&self) -> Option<MarkSwitch> {
        let shadow = self.changes.clone();
        (!shadow.is_empty()).then(|| MarkSwitch { shadow, ..MarkSwitch::default() })
    }

    /// The batch that empties shadow maps that hold `entries`.
    pub fn lift(entries: &Marking) -> MarkSwitch {
        let shadow = entry_changes(entries, &Marking::new());
        MarkSwitch { shadow, ..MarkSwitch::default() }
    }
}

/// Whether it is found a moment after all else of its batch is in force.
fn is_late(change: &EntryChange) -> bool {
    change.after.is_some() && change.key.lookup() == Lookup::Range
}

/// Whether its packets had a mark that it gives them no more at once. A hash map shows what
/// is new with the generation that hides what was there.
fn is_lost(change: &EntryChange) -> bool {
    change.before.is_some() && (change.after.is_none() || change.key.lookup() == Lookup::Range)
}

/// The keys of `some` that meet one of `others`. Prefixes nest or are apart: sorted by
/// address and then by length, those around the current one are a stack.
fn meeting(
    some: impl Iterator<Item = MarkKey>,
    others: impl Iterator<Item = MarkKey>,
) -> BTreeSet<MarkKey> {
    let mut keys: Vec<_> =
        some.map(|key| (key, true)).chain(others.map(|key| (key, false))).collect();
    keys.sort_unstable();
    let mut found = BTreeSet::new();
    let mut around: Vec<(MarkKey, bool)> = Vec::new();
    for (key, is_one) in keys {
        leave(&mut around, &key, |(open, _)| open);
        for (open, is_other) in &around {
            if is_one != *is_other && open.meets(&key) {
                found.insert(if is_one { key } else { *open });
            }
        }
        around.push((key, is_one));
    }
    found
}

/// Takes out entries until no two meet, which one map would not take. Those of one
/// configuration never do; somebody else may have added one.
fn leave_apart(entries: &mut Marking) {
    let mut around: Vec<MarkKey> = Vec::new();
    entries.retain(|key, _| {
        leave(&mut around, key, |open| open);
        let is_apart = !around.iter().any(|open| open.meets(key));
        if is_apart {
            around.push(*key);
        }
        is_apart
    });
}

/// Leaves the prefixes of the stack that do not hold that of `key`.
fn leave<T>(around: &mut Vec<T>, key: &MarkKey, open: impl Fn(&T) -> &MarkKey) {
    while around.last().is_some_and(|last| !open(last).destination.contains(&key.destination)) {
        around.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mark, PortRange, Protocol};
    use crate::state::MarkEntry;

    fn key(destination: &str, first: u16, last: u16) -> MarkKey {
        let ports = match (first, last) {
            (0, u16::MAX) => PortRange::ANY,
            _ => PortRange::new(first, last).expect("ports"),
        };
        let destination = destination.parse().expect(destination);
        MarkKey { destination, protocol: Protocol::Tcp, ports }
    }

    fn entry(mark: u32) -> MarkEntry {
        MarkEntry { mark: Mark::new(mark), group: "web".parse().ok() }
    }

    fn marking(keys: &[MarkKey], mark: u32) -> Marking {
        keys.iter().map(|key| (*key, entry(mark))).collect()
    }

    /// The keys that stay in the shadow while what `from` marks gets another mark from `to`.
    fn shadow(from: &[MarkKey], to: &[MarkKey]) -> Vec<MarkKey> {
        let changes = entry_changes(&marking(from, 1), &marking(to, 2));
        let shadow = Shadow::of(&changes, &Marking::new());
        assert!(shadow.entries.values().all(|held| *held == entry(1)), "the old marks");
        let added = shadow.changes.iter().map(|change| (change.key, change.after.clone()));
        let entries = shadow.entries.clone().into_iter();
        assert!(added.eq(entries.map(|(key, entry)| (key, Some(entry)))));
        shadow.entries.into_keys().collect()
    }

    #[test]
    fn an_entry_of_an_interval_map_that_changes_or_grows_or_shrinks_stays_in_the_shadow() {
        let range = key("192.0.2.1", 80, 90);
        for other in [
            range,
            key("192.0.2.1", 80, 95),
            key("192.0.2.1", 85, 86),
            key("192.0.2.0/24", 90, 90),
            key("192.0.2.0/24", 0, u16::MAX),
        ] {
            assert_eq!(shadow(&[range], &[other]), [range], "{other}");
        }
        let six = key("2001:db8::/64", 80, 80);
        assert_eq!(shadow(&[six], &[key("2001:db8::/48", 80, 80)]), [six]);
    }

    #[test]
    fn an_entry_of_a_hash_map_stays_when_an_interval_takes_it_over() {
        let (exact, host) = (key("192.0.2.1", 80, 80), key("192.0.2.2", 0, u16::MAX));
        let to = [key("192.0.2.1", 80, 90), key("192.0.2.2/31", 0, u16::MAX)];
        assert_eq!(shadow(&[exact, host], &to), [exact, host]);
        // What a hash map shows anew is found at once.
        assert_eq!(shadow(&[exact, host], &[exact, host]), []);
        assert_eq!(shadow(&[key("192.0.2.1", 80, 90)], &[exact]), []);
    }

    #[test]
    fn what_comes_and_goes_apart_needs_no_shadow() {
        let range = key("192.0.2.1", 80, 90);
        let udp = MarkKey { protocol: Protocol::Udp, ..range };
        for others in
            [&[] as &[MarkKey], &[key("192.0.2.1", 91, 99)], &[key("192.0.2.2", 80, 90)], &[udp]]
        {
            assert_eq!(shadow(&[range], others), [], "{others:?}");
        }
        let nested = [key("192.0.2.0/24", 70, 79), key("192.0.2.0/25", 91, 99)];
        assert_eq!(shadow(&[range], &nested), []);
    }

    #[test]
    fn what_somebody_added_over_an_entry_is_left_out() {
        let (net, host) = (key("192.0.2.0/24", 80, 80), key("192.0.2.1", 80, 80));
        let found = shadow(&[net, host], &[key("192.0.2.0/23", 80, 80)]);
        assert_eq!(found, [net]);
    }

    #[test]
    fn a_shadow_that_is_there_is_not_cast_again_and_other_leftovers_go() {
        let (range, other) = (key("192.0.2.1", 80, 90), key("192.0.2.9", 80, 90));
        let changes = entry_changes(&marking(&[range], 1), &marking(&[range], 2));
        let there = marking(&[range], 1);
        assert_eq!(Shadow::of(&changes, &there).cast(), None);
        let shadow = Shadow::of(&changes, &marking(&[range, other], 1));
        assert_eq!(shadow.entries, there);
        let [removal] = shadow.changes.as_slice() else { panic!("{shadow:?}") };
        assert_eq!((removal.key, &removal.after), (other, &None));
        // Without a need for a shadow, its leftovers are the switch's to remove.
        assert_eq!(Shadow::of(&[], &there), Shadow::default());
        let lift = Shadow::lift(&there);
        assert_eq!(lift.shadow.len(), 1);
        assert!(lift.record.is_none() && lift.entries.is_empty());
    }
}
