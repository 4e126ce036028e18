//! Destinations as the real servers of a group.

use std::collections::BTreeMap;

use super::lost::{Lost, Reason};
use crate::model::{Forwarding, MAX_THRESHOLD, MAX_WEIGHT, RealServer};
use crate::state::{Destination, DestinationKey, Method, ServiceKey, VirtualService};

/// The real servers of a service, each with the port that its destination has: of a
/// service by address every one has a port. `is_full` says by whom the client's address is
/// replaced.
pub(super) fn read(
    key: ServiceKey,
    service: &VirtualService,
    is_full: impl Fn(&Destination) -> bool,
    lost: &mut Vec<Lost>,
) -> Vec<RealServer> {
    let own_port = key.port();
    let usual = usual(service);
    let mut servers: BTreeMap<DestinationKey, RealServer> = BTreeMap::new();
    for destination in &service.destinations {
        let mut say = |reason| lost.push(Lost::of_service(key, reason));
        let server = destination.key;
        let moved = server.port != own_port;
        let forwarding = match destination.method {
            Method::DirectRouting => Forwarding::DirectRouting,
            Method::Tunnel(tunnel) => Forwarding::Tunnel(tunnel),
            Method::Nat | Method::LocalNode if is_full(destination) => Forwarding::FullNat,
            Method::Nat => Forwarding::Nat,
            // The kernel no longer knows: whatever it was, packets are delivered here.
            Method::LocalNode if moved => Forwarding::Nat,
            Method::LocalNode if server.address.is_loopback() => Forwarding::DirectRouting,
            Method::LocalNode => usual,
            Method::Other(number) => {
                say(Reason::Method { service: key, server, number });
                continue;
            }
        };
        let mut at = server;
        if moved && !forwarding.maps_ports() {
            say(Reason::PortIgnored { service: key, server });
            at.port = own_port;
        }
        if servers.contains_key(&at) {
            say(Reason::SameServer { service: key, server });
            continue;
        }
        let weight = destination.weight.min(MAX_WEIGHT);
        if weight != destination.weight {
            say(Reason::Weight { service: key, server, weight: destination.weight });
        }
        let (mut upper, mut lower) = (destination.upper_threshold, destination.lower_threshold);
        if upper > MAX_THRESHOLD || lower > upper {
            say(Reason::Thresholds { service: key, server });
            (upper, lower) = (0, 0);
        }
        let read = RealServer {
            address: at.address,
            port: Some(at.port).filter(|port| *port != 0),
            weight,
            forwarding,
            upper_threshold: upper,
            lower_threshold: lower,
        };
        servers.insert(at, read);
    }
    servers.into_values().collect()
}

/// How most real servers of a service are reached.
fn usual(service: &VirtualService) -> Forwarding {
    let mut counts: BTreeMap<Forwarding, usize> = BTreeMap::new();
    for destination in &service.destinations {
        let forwarding = match destination.method {
            Method::DirectRouting => Forwarding::DirectRouting,
            Method::Nat => Forwarding::Nat,
            Method::Tunnel(tunnel) => Forwarding::Tunnel(tunnel),
            Method::LocalNode | Method::Other(_) => continue,
        };
        *counts.entry(forwarding).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or(Forwarding::default(), |(forwarding, _)| forwarding)
}

/// One list of real servers for services on these ports, each with its own list. A real
/// server that has the service's port everywhere keeps each packet's own.
pub(super) fn common(lists: &[(u16, &[RealServer])]) -> Option<Vec<RealServer>> {
    let [(port, first), others @ ..] = lists else { return None };
    let one_port = others.iter().all(|(other, _)| other == port);
    let is_own = |server: &RealServer, port: u16| server.port.unwrap_or(0) == port;
    let is_fixed = |server: &&RealServer| {
        let everywhere = others.iter().all(|(_, list)| list.contains(server));
        everywhere && !(one_port && is_own(server, *port))
    };
    let fixed: Vec<_> = first.iter().filter(is_fixed).collect();
    let mut found: Option<Vec<RealServer>> = None;
    for (port, list) in lists {
        let own = list.iter().filter(|server| !fixed.contains(server));
        let own: Option<Vec<_>> = own
            .map(|server| {
                is_own(server, *port).then(|| RealServer { port: None, ..server.clone() })
            })
            .collect();
        let own = own?;
        if found.get_or_insert_with(|| own.clone()) != &own {
            return None;
        }
    }
    let mut all = found?;
    all.extend(fixed.into_iter().cloned());
    all.sort_by_key(|server| (server.address, server.port));
    Some(all)
}
