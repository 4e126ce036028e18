//! The virtual services of a mark: one for each family that the group has a VIP of.

use crate::model::{Family, Group, Mark, Persistence, RealServer};
use crate::state::{
    Destination, DestinationKey, Netmask, ServiceFlags, ServiceKey, ServiceTable, VirtualService,
};

pub(super) fn add(services: &mut ServiceTable, group: &Group, mark: Mark) {
    for family in Family::BOTH {
        if has_vip(group, family) {
            services.insert(ServiceKey::Mark { mark, family }, service(group, family));
        }
    }
}

fn has_vip(group: &Group, family: Family) -> bool {
    group.vips.iter().any(|vip| vip.family() == family)
}

fn service(group: &Group, family: Family) -> VirtualService {
    let persistence = group.persistence.as_ref();
    let mut flags = ServiceFlags::default();
    for &flag in group.scheduler.flags() {
        flags = flags.with(flag.into());
    }
    if persistence.is_some() {
        flags = flags.with(ServiceFlags::PERSISTENT);
    }
    if group.one_packet {
        flags = flags.with(ServiceFlags::ONE_PACKET);
    }
    let netmask = persistence.map_or(Netmask::host(family), |persistence| {
        let length = match family {
            Family::Ipv4 => persistence.netmask(),
            Family::Ipv6 => persistence.netmask6(),
        };
        Netmask::from_length(family, length)
    });
    let mut destinations: Vec<_> = servers(group, family).map(destination).collect();
    destinations.sort_unstable_by_key(|destination| destination.key);
    destinations.shrink_to_fit();
    VirtualService {
        group: Some(group.name.clone()),
        recorded: true,
        scheduler: group.scheduler.name(),
        flags,
        timeout: persistence.map_or(0, Persistence::timeout),
        netmask,
        engine: persistence.and_then(|persistence| persistence.engine),
        destinations,
    }
}

/// The real servers of one family's service: its own, and through a tunnel those of the
/// other family where these have no VIPs of their own to serve, or where there is no
/// other server.
fn servers(group: &Group, family: Family) -> impl Iterator<Item = &RealServer> {
    let alone = Family::BOTH.into_iter().all(|other| other == family || !has_vip(group, other));
    let has_own = group.real_servers.iter().any(|server| server.family() == family);
    group
        .real_servers
        .iter()
        .filter(move |server| server.family() == family || alone || !has_own)
        .filter(move |server| server.serves(family))
}

fn destination(server: &RealServer) -> Destination {
    Destination {
        key: DestinationKey { address: server.address, port: server.port.unwrap_or(0) },
        method: server.forwarding.into(),
        weight: server.weight,
        upper_threshold: server.upper_threshold,
        lower_threshold: server.lower_threshold,
    }
}
