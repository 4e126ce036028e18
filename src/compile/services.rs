//! The virtual services: of a mark one for each family that the group has a VIP of; by
//! address one for each VIP and listener.

use crate::model::{Family, Group, Listener, Mark, Persistence, Protocol, RealServer};
use crate::state::{
    Destination, DestinationKey, Netmask, ServiceFlags, ServiceKey, ServiceTable, VirtualService,
};

pub(super) fn add(services: &mut ServiceTable, group: &Group, mark: Mark) {
    for family in Family::BOTH {
        if group.has_vip(family) {
            services.insert(ServiceKey::Mark { mark, family }, service(group, family));
        }
    }
}

/// The classical services of a group. For "any", which is PCC, the port is 0: the kernel
/// then takes every port that has no service of its own (`ip_vs_service_find`,
/// `net/netfilter/ipvs/ip_vs_ctl.c`).
pub(super) fn add_by_address(services: &mut ServiceTable, group: &Group) {
    for vip in &group.vips {
        for Listener { protocol, ports } in group.listeners.iter() {
            let port = ports.first();
            let mut service = service(group, vip.family());
            // ipvsadm(8) refuses it elsewhere, where the kernel ignores it.
            if protocol != Protocol::Udp {
                service.flags = service.flags.without(ServiceFlags::ONE_PACKET);
            }
            // As ipvsadm(8) writes it; where ports are not mapped the kernel ignores it.
            for destination in &mut service.destinations {
                if destination.key.port == 0 {
                    destination.key.port = port;
                }
            }
            service.destinations.sort_unstable_by_key(|destination| destination.key);
            let key = ServiceKey::Address { address: vip.address(), protocol, port };
            services.insert(key, service);
        }
    }
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
    let mut destinations: Vec<_> = group.servers_of(family).map(destination).collect();
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

fn destination(server: &RealServer) -> Destination {
    Destination {
        key: DestinationKey { address: server.address, port: server.port.unwrap_or(0) },
        method: server.forwarding.into(),
        weight: server.weight,
        upper_threshold: server.upper_threshold,
        lower_threshold: server.lower_threshold,
    }
}
