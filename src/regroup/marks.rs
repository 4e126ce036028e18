//! Marks with their services, as one part each.

use std::collections::{BTreeMap, BTreeSet};

use super::lost::{Lost, Reason};
use super::part::Part;
use super::servers;
use super::traits::Traits;
use crate::model::{
    Family, Forwarding, GroupName, Listener, Listeners, Mark, MarkChoice, Mode, PortRange, Prefix,
    Protocol, RealServer,
};
use crate::state::{
    Destination, DirectorState, MarkKey, ServiceKey, Source, SourceEntry, SourceKey, Sources,
};

/// The parts of all marks, in the order of the marks.
pub(super) fn parts(state: &DirectorState, lost: &mut Vec<Lost>) -> Vec<Part> {
    let mut of_marks: BTreeMap<Mark, Vec<MarkKey>> = BTreeMap::new();
    let mut unmarked = Vec::new();
    for (key, entry) in &state.marking {
        match entry.mark {
            Some(mark) => of_marks.entry(mark).or_default().push(*key),
            None => unmarked.push(*key),
        }
    }
    if !unmarked.is_empty() {
        lost.push(Lost::of_marking(unmarked, Reason::MarkZero));
    }
    let parts: Vec<_> =
        of_marks.into_iter().filter_map(|(mark, keys)| part(state, mark, keys, lost)).collect();
    let used: BTreeSet<_> = parts.iter().flat_map(|part| &part.services).copied().collect();
    let said: BTreeSet<_> = lost.iter().flat_map(|lost| &lost.services).copied().collect();
    for key in state.services.keys().filter(|key| matches!(key, ServiceKey::Mark { .. })) {
        if !used.contains(key) && !said.contains(key) {
            lost.push(Lost::of_service(*key, Reason::NothingMarked(*key)));
        }
    }
    sources_without_server(&state.sources, &parts, lost);
    parts
}

fn part(
    state: &DirectorState,
    mark: Mark,
    mut keys: Vec<MarkKey>,
    lost: &mut Vec<Lost>,
) -> Option<Part> {
    let mut found: Option<Part> = None;
    for family in Family::BOTH {
        let of_family: Vec<_> = keys.iter().filter(|key| key.family() == family).copied().collect();
        if of_family.is_empty() {
            continue;
        }
        let refused = match of_one_family(state, mark, family, &of_family) {
            Ok((part, said)) => match &mut found {
                None => {
                    lost.extend(said);
                    found = Some(part);
                    None
                }
                Some(first) => match join(first, &part) {
                    None => {
                        lost.extend(said);
                        first.services.extend(part.services);
                        None
                    }
                    Some(what) => {
                        let (left_out, kept) = (part.services[0], first.services[0]);
                        Some(Reason::FamiliesDiffer { left_out, kept, what })
                    }
                },
            },
            Err(reason) => Some(reason),
        };
        if let Some(reason) = refused {
            keys.retain(|key| key.family() != family);
            let service = ServiceKey::Mark { mark, family };
            let there = state.services.contains_key(&service);
            let services = there.then_some(service).into_iter().collect();
            lost.push(Lost { marking: of_family, services, reason });
        }
    }
    let mut part = found?;
    listen(&mut part, mark, &keys, lost);
    // Whose source is replaced depends on the real servers that are left, so this is last.
    part.snat = snat(&state.sources, mark, &part, lost);
    Some(part)
}

/// What a mark is to one family, without VIPs and ports yet, and what of it no group can say.
fn of_one_family(
    state: &DirectorState,
    mark: Mark,
    family: Family,
    keys: &[MarkKey],
) -> Result<(Part, Vec<Lost>), Reason> {
    let key = ServiceKey::Mark { mark, family };
    let service = state.services.get(&key).ok_or(Reason::NoService { mark, family })?;
    let mut said = Vec::new();
    let traits = Traits::read(key, service, &mut said);
    let is_full = |server: &Destination| {
        state.sources.contains_key(&SourceKey { mark, server: server.key.address })
    };
    let servers = servers::read(key, service, is_full, &mut said);
    if servers.is_empty() {
        return Err(Reason::NoRealServers(key));
    }
    let part = Part {
        name: service.group.clone().or_else(|| name(state, keys)),
        mark: Some(mark),
        vips: Vec::new(),
        listeners: Listeners::Any,
        traits,
        servers,
        snat: Vec::new(),
        marking: Vec::new(),
        services: vec![key],
    };
    Ok((part, said))
}

fn name(state: &DirectorState, keys: &[MarkKey]) -> Option<GroupName> {
    keys.iter().find_map(|key| state.marking.get(key)?.group.clone())
}

/// Takes the service of IPv6 into the part of IPv4, or says what is in the way.
fn join(part: &mut Part, other: &Part) -> Option<&'static str> {
    let what = part.traits.difference(&other.traits).or_else(|| part.join_servers(&other.servers));
    if what.is_none() {
        part.traits.complete(&other.traits);
    }
    what
}

/// What the part listens on: the ports that each of its VIPs has. Where they differ, those
/// with which most entries are in the group.
fn listen(part: &mut Part, mark: Mark, keys: &[MarkKey], lost: &mut Vec<Lost>) {
    let mut of_vips: BTreeMap<Prefix, BTreeSet<Listener>> = BTreeMap::new();
    for MarkKey { destination, protocol, ports } in keys {
        let listener = Listener { protocol: *protocol, ports: *ports };
        of_vips.entry(*destination).or_default().insert(listener);
    }
    let mut counts: BTreeMap<&BTreeSet<Listener>, usize> = BTreeMap::new();
    for listeners in of_vips.values() {
        *counts.entry(listeners).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(listeners, count)| **count * listeners.len());
    let Some(chosen) = most.map(|(listeners, _)| (*listeners).clone()) else { return };
    let is_uneven = |key: &&MarkKey| of_vips.get(&key.destination) != Some(&chosen);
    let uneven: Vec<_> = keys.iter().filter(is_uneven).copied().collect();
    let has_family = |family| {
        let vips = of_vips.iter().filter(|(_, listeners)| **listeners == chosen);
        vips.map(|(vip, _)| vip).any(|vip| vip.family() == family)
    };
    let services: Vec<_> =
        part.services.iter().filter(|key| !has_family(key.family())).copied().collect();
    part.services.retain(|key| !services.contains(key));
    if !uneven.is_empty() {
        lost.push(Lost { marking: uneven, services, reason: Reason::Uneven(mark) });
    }
    of_vips.retain(|_, listeners| *listeners == chosen);
    part.marking =
        keys.iter().filter(|key| of_vips.contains_key(&key.destination)).copied().collect();
    part.vips = of_vips.into_keys().collect();
    let present = |server: &RealServer| part.vips.iter().any(|vip| server.serves(vip.family()));
    part.servers.retain(present);
    part.listeners = listeners(chosen);
}

fn listeners(chosen: BTreeSet<Listener>) -> Listeners {
    let whole = |protocol| Listener { protocol, ports: PortRange::ANY };
    if Protocol::ALL.into_iter().all(|protocol| chosen.contains(&whole(protocol))) {
        return Listeners::Any;
    }
    // All ports of some protocols have no word of their own.
    let every = |mut listener: Listener| {
        if let (true, Ok(ports)) = (listener.ports.is_any(), PortRange::new(1, u16::MAX)) {
            listener.ports = ports;
        }
        listener
    };
    Listeners::Ports(chosen.into_iter().map(every).collect())
}

/// What the real servers of a part see as their source, at most one of each family.
fn snat(sources: &Sources, mark: Mark, part: &Part, lost: &mut Vec<Lost>) -> Vec<std::net::IpAddr> {
    let mut chosen: BTreeMap<Family, Source> = BTreeMap::new();
    let full = part.servers.iter().filter(|it| it.forwarding == Forwarding::FullNat);
    for server in full {
        let key = SourceKey { mark, server: server.address };
        let Some(SourceEntry { source, .. }) = sources.get(&key) else { continue };
        if *chosen.entry(server.family()).or_insert(*source) != *source {
            let services = part.services.clone();
            lost.push(Lost { marking: Vec::new(), services, reason: Reason::SourcesDiffer(key) });
        }
    }
    let address = |source: Source| match source {
        Source::Masquerade => None,
        Source::Address(address) => Some(address),
    };
    chosen.into_values().filter_map(address).collect()
}

fn sources_without_server(sources: &Sources, parts: &[Part], lost: &mut Vec<Lost>) {
    let full: BTreeSet<_> = parts
        .iter()
        .filter_map(|part| Some((part.mark?, part)))
        .flat_map(|(mark, part)| {
            let full = part.servers.iter().filter(|it| it.forwarding == Forwarding::FullNat);
            full.map(move |server| SourceKey { mark, server: server.address })
        })
        .collect();
    for key in sources.keys().filter(|key| !full.contains(key)) {
        lost.push(Lost::of_setting(Reason::Source(*key)));
    }
}

/// Parts that belong together as one group: those of PPC, which have a mark for each port.
/// Every other part is alone.
pub(super) fn joined(parts: Vec<Part>) -> Vec<(Part, MarkChoice, Mode)> {
    let mut found = Vec::with_capacity(parts.len());
    let mut named: BTreeMap<GroupName, Vec<Part>> = BTreeMap::new();
    for part in parts {
        match &part.name {
            Some(name) => named.entry(name.clone()).or_default().push(part),
            None => found.push(alone(part)),
        }
    }
    let is_one = |part: &Part| {
        let one_port = matches!(&part.listeners, Listeners::Ports(some) if some.len() == 1);
        one_port && part.traits.kept.is_some()
    };
    for mut rest in named.into_values() {
        while let Some(first) = rest.pop() {
            let joins = |part: &mut Part| is_one(&first) && is_one(part) && part.is_like(&first);
            let like: Vec<_> = rest.extract_if(.., joins).collect();
            found.push(if like.is_empty() { alone(first) } else { per_port(first, like) });
        }
    }
    found
}

fn alone(part: Part) -> (Part, MarkChoice, Mode) {
    let mode = if part.listeners == Listeners::Any { Mode::Pcc } else { Mode::Pfwmc };
    let marks = part.mark.map_or(MarkChoice::Automatic, MarkChoice::Fixed);
    (part, marks, mode)
}

fn per_port(mut first: Part, like: Vec<Part>) -> (Part, MarkChoice, Mode) {
    let mut marks = BTreeMap::new();
    marks.extend(first.listeners.iter().zip(first.mark));
    for part in like {
        marks.extend(part.listeners.iter().zip(part.mark));
        first.marking.extend(part.marking);
        first.services.extend(part.services);
    }
    first.listeners = Listeners::Ports(marks.keys().copied().collect());
    (first, MarkChoice::PerListener(marks), Mode::Ppc)
}
