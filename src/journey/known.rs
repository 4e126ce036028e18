//! What IPVS remembers: connections, and the templates that tie a persistent client to a
//! real server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Facts, Packet};
use crate::backend::ipvs::{ConnectionEntry, Endpoint};
use crate::model::Family;
use crate::state::{DestinationKey, ServiceFlags, ServiceKey, VirtualService};

/// The connection that a packet belongs to.
pub(super) fn connection<'a>(
    packet: &Packet,
    entries: &'a [ConnectionEntry],
) -> Option<&'a ConnectionEntry> {
    let client = Endpoint { address: packet.client, port: packet.client_port? };
    let target = Endpoint { address: packet.vip, port: packet.port };
    entries.iter().find(|entry| {
        !entry.is_template()
            && entry.client == client
            && entry.target == target
            && entry.transport() == Some(packet.protocol)
    })
}

pub(super) fn sentence(connection: &ConnectionEntry) -> String {
    let ConnectionEntry { real, state, expires, .. } = connection;
    format!(
        "it belongs to a connection that IPVS knows: to {real}, {state}, forgotten in {expires} s \
         without a packet; neither mark nor weight matters to it"
    )
}

pub(super) fn no_connection(packet: &Packet) -> String {
    match packet.client_port {
        Some(_) => "IPVS knows no such connection: it is a new one".to_owned(),
        None => "without a port it is taken for a new connection".to_owned(),
    }
}

/// What a template says.
pub(super) enum Known {
    /// The client goes where it was.
    Holds { server: DestinationKey, sentence: String },
    /// There is none that counts, and why that is worth a word.
    No { sentence: Option<String> },
}

/// The template of a client of a service (`ip_vs_sched_persist`).
pub(super) fn template(
    packet: &Packet,
    key: ServiceKey,
    service: &VirtualService,
    facts: Facts<'_>,
) -> Known {
    if !service.flags.contains(ServiceFlags::PERSISTENT) {
        return Known::No { sentence: None };
    }
    if let Some(engine) = &service.engine {
        let sentence = format!("the engine {engine} looks into the packet for who it is");
        return Known::No { sentence: Some(sentence) };
    }
    let client = masked(packet.client, service);
    let found = facts.entries.iter().find(|entry| {
        entry.is_template() && entry.client.address == client && is_of(entry, packet, key)
    });
    let Some(found) = found else {
        let sentence = "no template ties this client to a real server yet".to_owned();
        return Known::No { sentence: Some(sentence) };
    };
    let real = found.real;
    let own = |port| DestinationKey { address: real.address, port };
    let destination = service.destination(own(0)).or_else(|| service.destination(own(real.port)));
    let no = |why: String| Known::No { sentence: Some(why) };
    match destination {
        None => no(format!("its template leads to {}, which left the service", real.address)),
        Some(it) if it.weight == 0 && facts.quiescent_expire => no(format!(
            "its template leads to {}, whose weight is 0, and \
             net.ipv4.vs.expire_quiescent_template=1",
            it.key
        )),
        Some(it) => {
            let drains = if it.weight == 0 { " although its weight is 0," } else { "" };
            let sentence = format!(
                "a template ties this client to {},{drains} for {} s more",
                it.key, found.expires
            );
            Known::Holds { server: it.key, sentence }
        }
    }
}

/// Whether a template is one of this service and packet.
fn is_of(entry: &ConnectionEntry, packet: &Packet, key: ServiceKey) -> bool {
    match key {
        ServiceKey::Mark { mark, .. } => entry.mark() == Some(mark),
        ServiceKey::Address { address, protocol, port } => {
            entry.mark().is_none()
                && entry.target.address == address
                && entry.transport() == Some(protocol)
                && (entry.target.port == packet.port || port == 0)
        }
    }
}

/// What the netmask leaves of a client's address.
fn masked(client: IpAddr, service: &VirtualService) -> IpAddr {
    match client {
        IpAddr::V4(client) => (client & Ipv4Addr::from_bits(service.netmask.0)).into(),
        IpAddr::V6(client) => {
            let host_bits = u32::from(Family::Ipv6.bits()).saturating_sub(service.netmask.0);
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv6Addr::from_bits(client.to_bits() & mask).into()
        }
    }
}
