//! Entries as members of sets, and back.
//!
//! A set has an element for each port of a range. Which range it was, the comment says
//! beside the group's name: `web 8000-8100`.

use std::collections::BTreeMap;

use crate::backend::ipset::{Extensions, Member, SetDefinition, SetFound, SetKind};
use crate::backend::{Count, MarkCounts};
use crate::model::{Family, Mark, PortRange};
use crate::render::iptables::{Bank, SetRole, in_sets};
use crate::state::{MarkEntry, MarkKey, Marking};

/// How many members a set takes at least.
const LEAST_CAPACITY: usize = 1024;

/// The sets that hold the entries of a family, with what these have counted.
pub(super) fn of_entries(
    entries: &Marking,
    counts: &MarkCounts,
    family: Family,
    bank: Bank,
) -> Vec<(SetDefinition, Vec<Member>)> {
    let mut members: BTreeMap<SetRole, Vec<Member>> =
        SetRole::marking().map(|role| (role, Vec::new())).collect();
    let of_family = entries.iter().filter(|(key, _)| key.family() == family && in_sets(key));
    for (key, entry) in of_family {
        let of_role = members.entry(SetRole::of(key)).or_default();
        of_role.extend(of_entry(key, entry, counts.get(key).copied().unwrap_or_default()));
    }
    members
        .into_iter()
        .map(|(role, members)| {
            let capacity = members.len().max(LEAST_CAPACITY);
            let definition = SetDefinition {
                name: role.name(family, bank),
                kind: match role {
                    SetRole::Net => SetKind::NetPort,
                    SetRole::All(_) => SetKind::Net,
                    SetRole::Port => SetKind::IpPort,
                },
                family,
                capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
                extensions: Extensions::ALL,
            };
            (definition, members)
        })
        .collect()
}

fn of_entry(key: &MarkKey, entry: &MarkEntry, count: Count) -> impl Iterator<Item = Member> {
    let ports = match key.ports {
        ports if ports.is_any() => vec![None],
        ports => (ports.first()..=ports.last()).map(|port| Some((key.protocol, port))).collect(),
    };
    let group = entry.group.as_ref().map_or("-", |group| group.as_str());
    let is_range = !key.ports.is_any() && !key.ports.is_single();
    let comment = if is_range { format!("{group} {}", key.ports) } else { group.to_owned() };
    let (prefix, mark) = (key.destination, entry.mark.map_or(0, Mark::get));
    ports.into_iter().enumerate().map(move |(place, port)| Member {
        prefix,
        port,
        mark_key: None,
        skbmark: Some(mark),
        // What a range counted stays the range's, whichever of its members has it.
        count: Some(if place == 0 { count } else { Count::default() }),
        comment: Some(comment.clone()),
    })
}

/// What was read of sets.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) marking: Marking,
    pub(super) counts: MarkCounts,
    /// What is not as we make it, in sentences.
    pub(super) odd: Vec<String>,
}

impl Entries {
    /// Adds what a set of this role holds.
    pub(super) fn take(&mut self, role: SetRole, set: &SetFound) {
        if set.definition.is_none() {
            self.odd.push(format!("the set {} is of another kind", set.name));
        }
        if set.foreign > 0 {
            self.odd.push(format!("the set {} has members of other kinds", set.name));
        }
        let mut ports: BTreeMap<MarkKey, u32> = BTreeMap::new();
        for member in &set.members {
            let Some((key, entry)) = entry(role, member) else {
                self.odd.push(format!("the member {member} of the set {}", set.name));
                continue;
            };
            *ports.entry(key).or_default() += 1;
            *self.counts.entry(key).or_default() += member.count.unwrap_or_default();
            if let Some(held) = self.marking.insert(key, entry.clone())
                && held != entry
            {
                self.odd.push(format!("{key} has two marks in the set {}", set.name));
            }
        }
        for (key, found) in ports {
            let wanted = if key.ports.is_any() {
                1
            } else {
                u32::from(key.ports.last()) - u32::from(key.ports.first()) + 1
            };
            if found != wanted {
                self.odd.push(format!("{key} has {found} of {wanted} ports in {}", set.name));
            }
        }
    }
}

fn entry(role: SetRole, member: &Member) -> Option<(MarkKey, MarkEntry)> {
    let mut words = member.comment.as_deref().unwrap_or("-").split(' ');
    let group = words.next().filter(|word| *word != "-").map(str::parse).transpose().ok()?;
    let range: Option<PortRange> = words.next().map(str::parse).transpose().ok()?;
    let (protocol, ports) = match (role, member.port, range) {
        (SetRole::All(protocol), None, None) => (protocol, PortRange::ANY),
        (SetRole::Net | SetRole::Port, Some((protocol, port)), None) => {
            (protocol, PortRange::single(port).ok()?)
        }
        (SetRole::Net | SetRole::Port, Some((protocol, port)), Some(range)) => {
            let inside = range.first() <= port && port <= range.last();
            (inside && !range.is_any()).then_some((protocol, range))?
        }
        _ => return None,
    };
    let key = MarkKey { destination: member.prefix, protocol, ports };
    Some((key, MarkEntry { mark: member.skbmark.and_then(Mark::new), group }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    fn marking() -> Marking {
        let entry = |destination: &str, ports: &str, mark| {
            let key = MarkKey {
                destination: destination.parse().expect("an address"),
                protocol: Protocol::Tcp,
                ports: ports.parse().expect("ports"),
            };
            (key, MarkEntry { mark: Mark::new(mark), group: "web".parse().ok() })
        };
        [
            entry("192.0.2.1", "80", 1),
            entry("192.0.2.1", "8000-8100", 2),
            entry("192.0.2.2", "any", 3),
            entry("192.0.2.128/25", "any", 4),
            entry("192.0.2.64/26", "80-81", 5),
        ]
        .into()
    }

    fn found(definition: SetDefinition, members: Vec<Member>) -> SetFound {
        let mut set = SetFound::default();
        set.name.clone_from(&definition.name);
        set.definition = Some(definition);
        set.members = members;
        set
    }

    #[test]
    fn entries_read_back_from_their_sets() {
        let counts: MarkCounts = marking()
            .into_keys()
            .zip(1..)
            .map(|(key, packets)| (key, Count { packets, bytes: packets * 60 }))
            .collect();
        let mut read = Entries::default();
        for (definition, members) in of_entries(&marking(), &counts, Family::Ipv4, Bank::B) {
            let (role, bank) = SetRole::named(&definition.name, Family::Ipv4).expect("a role");
            assert_eq!(bank, Bank::B);
            read.take(role, &found(definition, members));
        }
        assert_eq!((read.marking, read.counts), (marking(), counts));
        assert_eq!(read.odd, [""; 0]);
    }

    #[test]
    fn a_port_that_somebody_took_out_of_a_range_is_noticed() {
        let mut read = Entries::default();
        for (definition, mut members) in
            of_entries(&marking(), &MarkCounts::new(), Family::Ipv4, Bank::A)
        {
            let (role, _) = SetRole::named(&definition.name, Family::Ipv4).expect("a role");
            members.retain(|member| member.port.is_none_or(|(_, port)| port != 8050));
            read.take(role, &found(definition, members));
        }
        let [odd] = read.odd.as_slice() else { panic!("{:?}", read.odd) };
        assert_eq!(odd, "192.0.2.1:8000-8100/tcp has 100 of 101 ports in fwmarkctl-a-port4");
    }
}
