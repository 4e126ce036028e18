//! Both halves as one: rules that mark, and services that schedule what is marked.

use std::collections::{BTreeMap, BTreeSet};

use super::claims::{Entries, Held};
use super::{Claim, Imported, Masking, NotTurned, Path, Place};
use crate::model::{GroupName, Mark, Prefix};
use crate::state::{
    DirectorState, MarkEntry, MarkKey, Method, ServiceKey, ServiceTable, Source, SourceEntry,
    SourceKey,
};

/// A director as its files describe it.
#[derive(Debug, Default)]
pub struct Joined {
    /// What it marks, schedules and whose address it replaces.
    pub state: DirectorState,
    /// Where each mark comes from.
    pub marks: BTreeMap<MarkKey, Place>,
    /// Where each service comes from.
    pub services: BTreeMap<ServiceKey, Place>,
    /// What is not in the state.
    pub not_turned: Vec<NotTurned>,
}

impl Imported {
    /// Joins what was found. The rules are taken in the order in which they were found, so
    /// those of one file come before those of the next.
    pub fn join(self) -> Joined {
        let Self { claims, mut overwrites, services, masking, settings, not_turned, .. } = self;
        let mut joined = Joined { not_turned, ..Joined::default() };
        joined.state.settings = settings;
        let names = names(&claims);
        overwrites.sort_by_key(|(_, before, _)| *before);
        let of_path = |path: Path, told: &mut Vec<NotTurned>| {
            let mut entries = Entries::default();
            let mut later = overwrites.iter().filter(|it| it.2.path == path).peekable();
            for (at, (chain, claim)) in claims.iter().enumerate() {
                while let Some((chain, _, rule)) = later.next_if(|(_, before, _)| *before <= at) {
                    entries.overwrite(*chain, rule, told);
                }
                if claim.path == path {
                    entries.take(*chain, claim, told);
                }
            }
            later.for_each(|(chain, _, rule)| entries.overwrite(*chain, rule, told));
            entries.into_map()
        };
        let arriving = of_path(Path::Arriving, &mut joined.not_turned);
        let local = of_path(Path::Local, &mut joined.not_turned);
        joined.take_local(&arriving, &local);
        for (key, Held { mark, place, .. }) in arriving {
            let group = names.get(&mark).cloned();
            joined.state.marking.insert(key, MarkEntry { mark: Some(mark), group });
            joined.marks.insert(key, place);
        }
        for (key, mut service, place) in services {
            if let Some(before) = joined.services.get(&key) {
                let sentence = format!("the service {key} was told before, at {before}");
                joined.not_turned.push(NotTurned { place, sentence });
                continue;
            }
            service.recorded = true;
            if let ServiceKey::Mark { mark, .. } = key {
                service.group = names.get(&mark).cloned().or(service.group);
            }
            joined.state.services.insert(key, service);
            joined.services.insert(key, place);
        }
        for rule in masking {
            joined.take_masking(rule);
        }
        joined
    }
}

/// The names of marks, where all rules of one agree on it.
fn names(claims: &[(usize, Claim)]) -> BTreeMap<Mark, GroupName> {
    let mut names: BTreeMap<Mark, BTreeSet<&GroupName>> = BTreeMap::new();
    for (_, claim) in claims {
        names.entry(claim.mark).or_default().extend(&claim.name);
    }
    let only = |(mark, names): (Mark, BTreeSet<&GroupName>)| match names.first() {
        Some(name) if names.len() == 1 => Some((mark, (*name).clone())),
        _ => None,
    };
    names.into_iter().filter_map(only).collect()
}

impl Joined {
    /// What the director itself sends is marked for all groups or for none.
    fn take_local(&mut self, arriving: &BTreeMap<MarkKey, Held>, local: &BTreeMap<MarkKey, Held>) {
        let same = |key: &MarkKey, held: &Held| {
            local.get(key).is_some_and(|other| other.mark == held.mark)
        };
        if local.is_empty() {
            return;
        }
        if local.len() == arriving.len() && arriving.iter().all(|(key, held)| same(key, held)) {
            self.state.local_traffic = true;
            return;
        }
        let places: BTreeSet<&Place> = local.values().map(|held| &held.place).collect();
        for place in places {
            let sentence = "what the director itself sends is marked for all groups or for none \
                            (local-traffic), and OUTPUT has other rules than PREROUTING";
            self.not_turned.push(NotTurned { place: place.clone(), sentence: sentence.to_owned() });
        }
    }

    /// A rule that replaces sources is full NAT of those real servers whose packets it meets,
    /// if it meets nobody else's.
    fn take_masking(&mut self, rule: Masking) {
        let services = &self.state.services;
        let keys: Vec<_> = masked(services, &rule).collect();
        let by_address = services.iter().any(|(key, service)| {
            matches!(key, ServiceKey::Address { .. })
                && service
                    .destinations
                    .iter()
                    .any(|it| it.method == Method::Nat && meets(rule.destination, it.key.address))
                && key.family() == rule.family
                && rule.mark.is_none()
        });
        // It hides a network behind the director, as a router's does: no client of a VIP.
        let hides = rule.other.as_deref().is_some_and(|other| other.starts_with("-s "));
        if hides && !rule.only_ipvs && rule.mark.is_none() && rule.destination.is_none() {
            return;
        }
        let exact = rule.only_ipvs
            || rule.mark.is_some()
            || rule.destination.is_some_and(|it| it.is_host());
        let why = if keys.is_empty() && !by_address {
            // It hides networks behind the director, as any router's.
            if !rule.only_ipvs {
                return;
            }
            "no real server is reached by NAT through what it matches".to_owned()
        } else if let Some(other) = &rule.other {
            format!("it asks for {other}, which full NAT cannot ask for")
        } else if by_address {
            "full NAT is by mark, and it also meets services by address".to_owned()
        } else if !exact {
            "it meets packets to real servers that IPVS did not send, so it is more than \
             full NAT; write forward = \"fullnat\" where it is meant"
                .to_owned()
        } else {
            for key in keys {
                let entry = SourceEntry { source: rule.source, group: None };
                // The first rule that matches ends the chain.
                self.state.sources.entry(key).or_insert(entry);
            }
            return;
        };
        self.not_turned.push(NotTurned { place: rule.place, sentence: why });
    }
}

/// The real servers by NAT whose packets a rule meets.
fn masked<'s>(
    services: &'s ServiceTable,
    rule: &'s Masking,
) -> impl Iterator<Item = SourceKey> + 's {
    services.iter().flat_map(move |(key, service)| {
        let mark = match key {
            ServiceKey::Mark { mark, family } if *family == rule.family => Some(*mark),
            _ => None,
        };
        let mark = mark.filter(|mark| rule.mark.is_none_or(|asked| asked == *mark));
        let fits = |server: &std::net::IpAddr| {
            let same_family = match rule.source {
                Source::Address(address) => address.is_ipv4() == server.is_ipv4(),
                Source::Masquerade => true,
            };
            same_family && meets(rule.destination, *server)
        };
        let nat = service.destinations.iter().filter(|it| it.method == Method::Nat);
        let servers = nat.map(|it| it.key.address).filter(fits).collect::<Vec<_>>();
        mark.into_iter().flat_map(move |mark| {
            servers.clone().into_iter().map(move |server| SourceKey { mark, server })
        })
    })
}

fn meets(destination: Option<Prefix>, server: std::net::IpAddr) -> bool {
    destination.is_none_or(|it| it.contains(&Prefix::host(server)))
}
