//! Rules that mark, one after another, become entries that are asked for by key.
//!
//! A packet that meets several rules has the mark of the last one, unless one of them lets
//! it go or leaves marked packets alone. A group asks for keys, and no two groups for the
//! same packet: where two rules share only a part of their packets, one of them is told.

use std::collections::{BTreeMap, BTreeSet};

use super::found::Overwrite;
use super::matches::within;
use super::{Claim, NotTurned, Place};
use crate::model::{Family, Mark, PortRange, Prefix, Protocol};
use crate::state::MarkKey;

/// Comparisons of two rules before the rest is told unseen: far more than any director
/// needs, and an end for who wants none.
const MAX_WORK: usize = 20_000_000;

/// An entry and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) mark: Mark,
    /// The chain in which no later rule changes it.
    last_of: Option<usize>,
    pub(super) place: Place,
}

/// The entries of one way through the director.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// By protocol, so that a look at one is no look at the others.
    by_protocol: BTreeMap<Protocol, BTreeMap<(Prefix, PortRange), Held>>,
    /// Which lengths prefixes have: only these are looked for above one.
    lengths: BTreeSet<(Family, u8)>,
    work: usize,
}

/// What a new rule and one before it have to do with each other.
enum Meeting {
    /// The new one says what the old one said.
    Said,
    /// The old one is a part of the new one, and says the same, or has nothing to say now.
    Replaced,
    /// The same, but the old one had another mark: somebody meant something by it.
    Overridden,
    /// Both are ranges of one address that overlap, and say the same.
    Extends(PortRange),
    /// The old one has all packets of the new one, and keeps them.
    Kept,
    /// They share a part of their packets.
    Shared,
}

impl Entries {
    /// Takes a rule; what it makes of itself and of others that is in no group is told.
    pub(super) fn take(&mut self, chain: usize, claim: &Claim, told: &mut Vec<NotTurned>) {
        let mut key = claim.key;
        loop {
            let Some(found) = self.meeting(&key) else {
                let sentence = "too many rules before it have packets in common";
                return tell(told, &claim.place, sentence.to_owned());
            };
            let mut again = false;
            for old_key in found {
                let Some(old) = self.get(&old_key).cloned() else { continue };
                let old_last = old.last_of == Some(chain);
                let met = if old.mark == claim.mark && claim.yields && contains(&old_key, &key) {
                    // It never meets these packets without their mark.
                    Meeting::Said
                } else if old.mark == claim.mark {
                    agree((&old_key, old_last), (&key, claim.last))
                } else {
                    differ(&old_key, &key, old_last || claim.yields)
                };
                match met {
                    Meeting::Said => return,
                    Meeting::Replaced => self.remove(&old_key),
                    Meeting::Overridden => {
                        self.remove(&old_key);
                        let sentence = format!(
                            "no packet keeps mark {}: {} gives all of them mark {}",
                            old.mark, claim.place, claim.mark
                        );
                        tell(told, &old.place, sentence);
                    }
                    Meeting::Extends(ports) => {
                        self.remove(&old_key);
                        key.ports = ports;
                        again = true;
                    }
                    Meeting::Kept => {
                        let sentence = format!(
                            "no packet gets mark {} here: {} gave all of them mark {}",
                            claim.mark, old.place, old.mark
                        );
                        return tell(told, &claim.place, sentence);
                    }
                    Meeting::Shared => {
                        let sentence = format!(
                            "{key} and {old_key} of {} have packets in common, and no two \
                             groups may: mark {} or mark {}?",
                            old.place, claim.mark, old.mark
                        );
                        return tell(told, &claim.place, sentence);
                    }
                }
            }
            if !again {
                break;
            }
        }
        self.lengths.insert((key.family(), key.destination.length()));
        let held = Held {
            mark: claim.mark,
            last_of: claim.last.then_some(chain),
            place: claim.place.clone(),
        };
        let entries = self.by_protocol.entry(key.protocol).or_default();
        entries.insert((key.destination, key.ports), held);
    }

    /// Takes out what a rule behind it may have given another mark: whose packets these are,
    /// nobody knows.
    pub(super) fn overwrite(&mut self, chain: usize, rule: &Overwrite, told: &mut Vec<NotTurned>) {
        let mut places = BTreeSet::new();
        for (&protocol, entries) in &mut self.by_protocol {
            self.work += entries.len();
            if self.work > MAX_WORK {
                let sentence = "too many rules before it mark, and it may change their marks";
                return tell(told, &rule.place, sentence.to_owned());
            }
            entries.retain(|(destination, ports), held| {
                let key = MarkKey { destination: *destination, protocol, ports: *ports };
                let keeps = held.last_of == Some(chain)
                    || rule.mark == Some(held.mark.get())
                    || !rule.matches.may_meet(&key);
                if !keeps {
                    places.insert((held.place.clone(), held.mark));
                }
                keeps
            });
        }
        for (place, mark) in places {
            let sentence =
                format!("{} may give packets another mark than {mark} afterwards", rule.place);
            tell(told, &place, sentence);
        }
    }

    /// The keys that have packets in common with one; `None` where looking for them costs
    /// too much.
    fn meeting(&mut self, key: &MarkKey) -> Option<Vec<MarkKey>> {
        let Some(entries) = self.by_protocol.get(&key.protocol) else { return Some(Vec::new()) };
        let first = PortRange::ANY;
        let mut found = Vec::new();
        let mut look = |from: Prefix, last: std::net::IpAddr| {
            for ((destination, ports), _) in entries.range((from, first)..) {
                self.work += 1;
                if destination.address() > last || self.work > MAX_WORK {
                    break;
                }
                if destination.overlaps(&key.destination) && ports.overlaps(key.ports) {
                    let (destination, ports) = (*destination, *ports);
                    found.push(MarkKey { destination, ports, protocol: key.protocol });
                }
            }
        };
        let (address, length) = (key.destination.address(), key.destination.length());
        for (_, shorter) in self.lengths.range((key.family(), 1)..(key.family(), length)) {
            if let Some(above) = above(address, *shorter) {
                // Only those of this very prefix, which come first.
                look(above, above.address());
            }
        }
        look(key.destination, key.destination.last());
        found.sort_unstable();
        found.dedup();
        (self.work <= MAX_WORK).then_some(found)
    }

    fn get(&self, key: &MarkKey) -> Option<&Held> {
        self.by_protocol.get(&key.protocol)?.get(&(key.destination, key.ports))
    }

    fn remove(&mut self, key: &MarkKey) {
        if let Some(entries) = self.by_protocol.get_mut(&key.protocol) {
            entries.remove(&(key.destination, key.ports));
        }
    }

    /// All of them, in the order of their keys.
    pub(super) fn into_map(self) -> BTreeMap<MarkKey, Held> {
        let of_protocol = |(protocol, entries): (Protocol, BTreeMap<(Prefix, PortRange), Held>)| {
            entries.into_iter().map(move |((destination, ports), held)| {
                (MarkKey { destination, protocol, ports }, held)
            })
        };
        self.by_protocol.into_iter().flat_map(of_protocol).collect()
    }
}

fn contains(outer: &MarkKey, inner: &MarkKey) -> bool {
    outer.destination.contains(&inner.destination) && within(inner.ports, outer.ports)
}

/// Two rules with the same mark, and whether each is the last one for its packets.
fn agree((old, old_last): (&MarkKey, bool), (new, new_last): (&MarkKey, bool)) -> Meeting {
    if old == new {
        return if new_last && !old_last { Meeting::Replaced } else { Meeting::Said };
    }
    // As one entry, both parts have to be alike for the rules that follow.
    if old_last != new_last {
        return Meeting::Shared;
    }
    if contains(old, new) {
        return Meeting::Said;
    }
    if contains(new, old) {
        return Meeting::Replaced;
    }
    // "any" also means packets without ports, which no range does.
    let any = new.ports.is_any() || old.ports.is_any();
    let first = new.ports.first().min(old.ports.first());
    let last = new.ports.last().max(old.ports.last());
    match PortRange::new(first, last) {
        Ok(ports) if old.destination == new.destination && !any => Meeting::Extends(ports),
        _ => Meeting::Shared,
    }
}

/// Two rules with different marks; `keeps` is whether the old one keeps what both have.
fn differ(old: &MarkKey, new: &MarkKey, keeps: bool) -> Meeting {
    if keeps && contains(old, new) {
        Meeting::Kept
    } else if !keeps && contains(new, old) {
        Meeting::Overridden
    } else {
        Meeting::Shared
    }
}

/// The prefix of a length that holds an address.
fn above(address: std::net::IpAddr, length: u8) -> Option<Prefix> {
    match Prefix::new(address, length) {
        Ok(prefix) | Err(crate::model::InvalidPrefix::HostBits { network: prefix, .. }) => {
            Some(prefix)
        }
        Err(_) => None,
    }
}

fn tell(told: &mut Vec<NotTurned>, place: &Place, sentence: String) {
    told.push(NotTurned { place: place.clone(), sentence });
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::super::{Document, Path};
    use super::*;

    fn any_claim() -> impl Strategy<Value = (usize, Claim)> {
        let vip = (0..8_u8, 29..=32_u8).prop_map(|(host, length)| {
            above(IpAddr::from([10, 0, 0, host + 8]), length).expect("a prefix")
        });
        let range = (1..6_u16, 0..3_u16)
            .prop_map(|(first, more)| PortRange::new(first, first + more).expect("a range"));
        let ports = prop_oneof![6 => range, 1 => Just(PortRange::ANY)];
        let flags = (prop::bool::weighted(0.2), prop::bool::weighted(0.2));
        (vip, ports, 1..4_u32, flags, 0..2_usize).prop_map(
            |(destination, ports, mark, (yields, last), chain)| {
                let key = MarkKey { destination, protocol: Protocol::Tcp, ports };
                let place = Document::new("rules", "").line(1);
                let mark = Mark::new(mark).expect("not 0");
                let path = Path::Arriving;
                (chain, Claim { key, mark, path, yields, last, name: None, place })
            },
        )
    }

    /// What the rules make of one packet, one after another.
    fn marked(claims: &[(usize, Claim)], address: IpAddr, port: u16) -> Option<Mark> {
        let mut mark = None;
        let mut gone_from = None;
        for (chain, claim) in claims {
            let at = Prefix::host(address);
            let ports = claim.key.ports;
            let meets = claim.key.destination.contains(&at)
                && (ports.first()..=ports.last()).contains(&port);
            if !meets || gone_from == Some(*chain) || (claim.yields && mark.is_some()) {
                continue;
            }
            mark = Some(claim.mark);
            if claim.last {
                gone_from = Some(*chain);
            }
        }
        mark
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Where nothing is told, the entries are exactly what the rules did; and in any
        /// case no packet is meant by two of them with different marks.
        #[test]
        fn entries_say_what_the_rules_did(mut claims in prop::collection::vec(any_claim(), 0..7)) {
            claims.sort_by_key(|(chain, _)| *chain);
            let (mut entries, mut told) = (Entries::default(), Vec::new());
            for (chain, claim) in &claims {
                entries.take(*chain, claim, &mut told);
            }
            let map = entries.into_map();
            for host in 8..16_u8 {
                for port in 0..10_u16 {
                    let at = Prefix::host(IpAddr::from([10, 0, 0, host]));
                    let key = |key: &MarkKey| {
                        key.destination.contains(&at)
                            && (key.ports.first()..=key.ports.last()).contains(&port)
                    };
                    let found: BTreeSet<Mark> =
                        map.iter().filter(|(it, _)| key(it)).map(|(_, held)| held.mark).collect();
                    prop_assert!(found.len() <= 1, "{:?}", map);
                    let inexact = told.iter().any(|it| it.sentence.contains("in common"));
                    if !inexact {
                        let wanted = marked(&claims, at.address(), port);
                        prop_assert_eq!(found.first().copied(), wanted, "{:?}: {:?}", at, map);
                    }
                }
            }
        }
    }
}
