//! Services by address, as parts: those of one name together where one group can be what
//! they are, else each by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::lost::{Lost, Reason};
use super::part::Part;
use super::servers;
use super::traits::Traits;
use crate::model::{
    Family, GroupName, Listener, Listeners, MarkChoice, Mode, PortRange, Prefix, Protocol,
    RealServer,
};
use crate::state::{ServiceKey, ServiceTable, VirtualService};

/// One port of one address; or all of them, which is a service for each protocol.
#[derive(Clone)]
struct Unit {
    name: Option<GroupName>,
    address: IpAddr,
    port: u16,
    listeners: Vec<Listener>,
    services: Vec<ServiceKey>,
    traits: Traits,
    servers: Vec<RealServer>,
}

/// The parts of all services by address.
pub(super) fn parts(
    services: &ServiceTable,
    lost: &mut Vec<Lost>,
) -> Vec<(Part, MarkChoice, Mode)> {
    let mut named: BTreeMap<GroupName, Vec<Unit>> = BTreeMap::new();
    let mut found = Vec::new();
    for unit in units(services, lost) {
        match &unit.name {
            Some(name) => named.entry(name.clone()).or_default().push(unit),
            None => found.extend(part(&[unit])),
        }
    }
    for mut units in named.into_values() {
        level(&mut units);
        match part(&units) {
            Some(whole) => found.push(whole),
            None => found.extend(units.iter().filter_map(|unit| part(std::slice::from_ref(unit)))),
        }
    }
    found
}

fn units(services: &ServiceTable, lost: &mut Vec<Lost>) -> Vec<Unit> {
    let mut found = Vec::new();
    let mut whole: BTreeMap<IpAddr, Vec<Unit>> = BTreeMap::new();
    for (key, service) in services {
        let ServiceKey::Address { address, protocol, port } = *key else { continue };
        let Some(unit) = unit(*key, address, protocol, port, service, lost) else { continue };
        if port == 0 {
            whole.entry(address).or_default().push(unit);
        } else {
            found.push(unit);
        }
    }
    for (_, of_address) in whole {
        match every_port(&of_address) {
            Some(unit) => found.push(unit),
            None => lost.extend(
                of_address
                    .iter()
                    .flat_map(|unit| &unit.services)
                    .map(|key| Lost::of_service(*key, Reason::NotWholeAddress(*key))),
            ),
        }
    }
    found
}

fn unit(
    key: ServiceKey,
    address: IpAddr,
    protocol: Protocol,
    port: u16,
    service: &VirtualService,
    lost: &mut Vec<Lost>,
) -> Option<Unit> {
    let mut said = Vec::new();
    let mut traits = Traits::read(key, service, &mut said);
    if traits.one_packet && protocol != Protocol::Udp {
        traits.one_packet = false;
        said.push(Lost::of_service(key, Reason::OnePacket(key)));
    }
    // To full NAT packets are known by their mark.
    let servers = servers::read(key, service, |_| false, &mut said);
    if servers.is_empty() {
        lost.push(Lost::of_service(key, Reason::NoRealServers(key)));
        return None;
    }
    lost.extend(said);
    let ports = PortRange::single(port).unwrap_or(PortRange::ANY);
    Some(Unit {
        name: service.group.clone(),
        address,
        port,
        listeners: vec![Listener { protocol, ports }],
        services: vec![key],
        traits,
        servers,
    })
}

/// The services on every port of an address as one: PCC.
fn every_port(of_address: &[Unit]) -> Option<Unit> {
    let of = |protocol| of_address.iter().find(|unit| unit.listeners[0].protocol == protocol);
    let (tcp, udp, sctp) = (of(Protocol::Tcp)?, of(Protocol::Udp)?, of(Protocol::Sctp)?);
    let like = |other: &Unit| {
        let traits = Traits { one_packet: udp.traits.one_packet, ..other.traits.clone() };
        traits == udp.traits && other.servers == udp.servers && other.name == udp.name
    };
    udp.traits.kept.as_ref()?;
    let listeners = [tcp, udp, sctp].into_iter().flat_map(|unit| unit.listeners.clone()).collect();
    let services = [tcp, udp, sctp].into_iter().flat_map(|unit| unit.services.clone()).collect();
    (like(tcp) && like(sctp)).then(|| Unit { listeners, services, ..udp.clone() })
}

/// Gives the units of a name what each of them cannot show by itself: one-packet scheduling
/// where there is no UDP, and the netmask of the other family.
fn level(units: &mut [Unit]) {
    let is_udp = |unit: &Unit| unit.listeners.iter().any(|it| it.protocol == Protocol::Udp);
    let one_packet = units.iter().find(|unit| is_udp(unit)).is_some_and(|it| it.traits.one_packet);
    let of = |family: Family| {
        let unit = units.iter().find(|unit| Family::of(unit.address) == family);
        unit.map(|unit| unit.traits.clone())
    };
    let samples: Vec<_> = Family::BOTH.into_iter().filter_map(of).collect();
    for unit in units {
        for sample in &samples {
            unit.traits.complete(sample);
        }
        if !is_udp(unit) {
            unit.traits.one_packet = one_packet;
        }
    }
}

/// One part of these units, if a group can be all of them.
fn part(units: &[Unit]) -> Option<(Part, MarkChoice, Mode)> {
    let first = units.first()?;
    if units.iter().any(|unit| unit.traits != first.traits) {
        return None;
    }
    let vips: BTreeSet<_> = units.iter().map(|unit| unit.address).collect();
    let listeners: BTreeSet<_> = units.iter().flat_map(|unit| &unit.listeners).copied().collect();
    let services: Vec<_> = units.iter().flat_map(|unit| &unit.services).copied().collect();
    let whole = listeners.iter().filter(|listener| listener.ports.is_any()).count();
    if services.len() != vips.len() * listeners.len() || (whole > 0 && whole < listeners.len()) {
        return None;
    }
    let (mode, listeners, marks) = if whole > 0 {
        (Mode::Pcc, Listeners::Any, MarkChoice::Automatic)
    } else {
        let listeners = Listeners::Ports(listeners.into_iter().collect());
        let marks = match &first.traits.kept {
            Some(_) => MarkChoice::PerListener(BTreeMap::new()),
            None => MarkChoice::Automatic,
        };
        (Mode::Ppc, listeners, marks)
    };
    let of = |family: Family| {
        let units = units.iter().filter(move |unit| Family::of(unit.address) == family);
        let lists: Vec<_> = units.map(|unit| (unit.port, unit.servers.as_slice())).collect();
        (!lists.is_empty()).then(|| servers::common(&lists))
    };
    let mut part = Part {
        name: first.name.clone(),
        mark: None,
        vips: vips.into_iter().map(Prefix::host).collect(),
        listeners,
        traits: first.traits.clone(),
        servers: Vec::new(),
        snat: Vec::new(),
        marking: Vec::new(),
        services,
    };
    match (of(Family::Ipv4), of(Family::Ipv6)) {
        (Some(v4), Some(v6)) => {
            part.servers = v4?;
            if part.join_servers(&v6?).is_some() {
                return None;
            }
        }
        (Some(servers), None) | (None, Some(servers)) => part.servers = servers?,
        (None, None) => return None,
    }
    Some((part, marks, mode))
}
