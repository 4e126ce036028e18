//! What a picture shows, before it is known in which language.

use std::collections::BTreeMap;

use crate::backend::{Activity, ActivityTable};
use crate::model::{Group, RealServer};
use crate::state::{DestinationKey, DirectorState, MarkKey, ServiceKey};

/// The groups, and whether they are shown as busy as they are now.
pub(super) struct Picture {
    pub(super) groups: Vec<Shown>,
}

/// A group: from its VIPs over its marks and services to its real servers.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) doors: Vec<Door>,
    pub(super) marks: Vec<String>,
    pub(super) services: Vec<Service>,
    pub(super) servers: Vec<Server>,
}

/// What clients connect to.
pub(super) struct Door {
    pub(super) vip: String,
    pub(super) ports: Vec<String>,
    pub(super) to: To,
}

/// Where a packet goes from a door: the number of a mark, or of a service by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum To {
    Mark(usize),
    Service(usize),
}

/// A virtual service.
pub(super) struct Service {
    pub(super) name: String,
    /// Scheduler and persistence.
    pub(super) about: String,
    pub(super) mark: Option<usize>,
    /// The numbers of its real servers.
    pub(super) servers: Vec<usize>,
}

/// A real server of the group, with all that it gets from its services.
pub(super) struct Server {
    pub(super) name: String,
    pub(super) forward: &'static str,
    pub(super) weight: u32,
    /// Its part of the group: of the connections where these are known, else of the weights.
    pub(super) percent: u64,
    /// Its connections, where they were asked for.
    pub(super) activity: Option<Activity>,
}

impl Server {
    /// How packets reach it, and how many clients it takes.
    pub(super) fn about(&self) -> String {
        match self.weight {
            0 => format!("{}, weight 0: no new clients", self.forward),
            weight => format!("{}, weight {weight}", self.forward),
        }
    }

    /// Its connections in words.
    pub(super) fn busy(&self) -> Option<String> {
        let Activity { active, inactive, .. } = self.activity?;
        Some(format!("{active} active, {inactive} inactive: {} %", self.percent))
    }
}

impl Picture {
    /// Groups with what each becomes.
    pub(super) fn of<'a>(
        groups: impl Iterator<Item = (&'a Group, &'a DirectorState)>,
        activity: Option<&ActivityTable>,
    ) -> Self {
        Self { groups: groups.map(|(group, state)| Shown::of(group, state, activity)).collect() }
    }
}

impl Shown {
    fn of(group: &Group, state: &DirectorState, activity: Option<&ActivityTable>) -> Self {
        let mut marks: Vec<u32> = Vec::new();
        for mark in state.marking.values().filter_map(|entry| entry.mark) {
            if !marks.contains(&mark.get()) {
                marks.push(mark.get());
            }
        }
        let number = |mark: u32| marks.iter().position(|known| *known == mark);
        let mut services = Vec::new();
        let mut doors: BTreeMap<(String, To), Vec<String>> = BTreeMap::new();
        for (key, service) in &state.services {
            let servers = group.real_servers.iter().enumerate().filter(|(_, server)| {
                service.destinations.iter().any(|it| is_at(server, key, it.key))
            });
            let mark = match key {
                ServiceKey::Mark { mark, .. } => number(mark.get()),
                ServiceKey::Address { address, protocol, port } => {
                    let port = if *port == 0 { "any".to_owned() } else { port.to_string() };
                    let door = (address.to_string(), To::Service(services.len()));
                    doors.entry(door).or_default().push(format!("{port}/{protocol}"));
                    None
                }
            };
            services.push(Service {
                name: key.to_string(),
                about: service.to_string(),
                mark,
                servers: servers.map(|(number, _)| number).collect(),
            });
        }
        for (MarkKey { destination, protocol, ports }, entry) in &state.marking {
            let Some(to) = entry.mark.and_then(|mark| number(mark.get())) else { continue };
            let door = (destination.to_string(), To::Mark(to));
            doors.entry(door).or_default().push(format!("{ports}/{protocol}"));
        }
        // In the order of the marks, so that no arrow crosses another; services by address, which
        // doors name by their numbers, have none.
        services.sort_by_key(|service| service.mark);
        let doors = doors.into_iter().map(|((vip, to), ports)| Door { vip, ports, to });
        Self {
            name: group.name.to_string(),
            enabled: group.enabled,
            doors: doors.collect(),
            marks: marks.iter().map(|mark| shown(*mark)).collect(),
            services,
            servers: servers(group, state, activity),
        }
    }
}

/// Marks as everywhere: decimal below 65536, hexadecimal above.
fn shown(mark: u32) -> String {
    crate::model::Mark::new(mark).map_or_else(String::new, |mark| format!("mark {mark}"))
}

/// Whether a destination of a service is this real server.
fn is_at(server: &RealServer, service: &ServiceKey, destination: DestinationKey) -> bool {
    destination.address == server.address
        && destination.port == server.port.unwrap_or(service.port())
}

fn servers(group: &Group, state: &DirectorState, activity: Option<&ActivityTable>) -> Vec<Server> {
    let of = |server: &RealServer| {
        let activity = activity?;
        let places = state.services.iter().flat_map(|(key, service)| {
            service.destinations.iter().map(move |destination| (*key, destination.key))
        });
        let here = places.filter(|(key, place)| is_at(server, key, *place));
        let mut sum = Activity::default();
        for found in here.filter_map(|place| activity.get(&place)) {
            sum.active = sum.active.saturating_add(found.active);
            sum.inactive = sum.inactive.saturating_add(found.inactive);
        }
        Some(sum)
    };
    let counted: Vec<_> = group.real_servers.iter().map(|server| (server, of(server))).collect();
    let size = |(server, activity): &(&RealServer, Option<Activity>)| match activity {
        Some(Activity { active, inactive, .. }) => u64::from(*active) + u64::from(*inactive),
        None => u64::from(server.weight),
    };
    let total: u64 = counted.iter().map(size).sum();
    let shown = |pair: &(&RealServer, Option<Activity>)| {
        let server = pair.0;
        let name = match server.port {
            Some(port) => std::net::SocketAddr::new(server.address, port).to_string(),
            None => server.address.to_string(),
        };
        Server {
            name,
            forward: server.forwarding.as_str(),
            weight: server.weight,
            percent: (size(pair) * 100 + total / 2).checked_div(total).unwrap_or(0),
            activity: pair.1,
        }
    };
    counted.iter().map(shown).collect()
}
