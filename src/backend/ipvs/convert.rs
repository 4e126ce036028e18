//! Between the state's services and IPVS's attributes, both ways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NlaBuffer, NlasIterator};

use super::attribute::{Attribute, destination, family_number, family_of_number, service, top};
use super::message::{Command, IpvsMessage};
use super::statistics::{self, Counted};
use crate::backend::{Activity, Statistics};
use crate::model::{Family, KernelName, Mark, Protocol, Tunnel, TunnelChecksum};
use crate::netlink::NetlinkError;
use crate::plan::ServiceChange;
use crate::state::{
    Destination, DestinationKey, Method, Netmask, ServiceFlags, ServiceKey, VirtualService,
};

/// The request that makes `change`.
pub(super) fn request(change: &ServiceChange) -> IpvsMessage {
    let message = |command, attributes| IpvsMessage { command, attributes };
    match change {
        ServiceChange::AddService(key, service) => {
            message(Command::NewService, vec![whole_service(*key, service)])
        }
        ServiceChange::EditService { key, after, .. } => {
            message(Command::SetService, vec![whole_service(*key, after)])
        }
        ServiceChange::RemoveService(key, _) => {
            message(Command::DeleteService, vec![service_identity(*key)])
        }
        ServiceChange::AddDestination(key, added) => {
            message(Command::NewDestination, vec![service_identity(*key), whole_destination(added)])
        }
        ServiceChange::EditDestination { service, after, .. } => message(
            Command::SetDestination,
            vec![service_identity(*service), whole_destination(after)],
        ),
        ServiceChange::RemoveDestination(key, removed) => message(
            Command::DeleteDestination,
            vec![
                service_identity(*key),
                Attribute::nested(top::DESTINATION, destination_identity(removed.key)),
            ],
        ),
    }
}

/// The request that asks for one service, for its destinations (a dump), or to set what
/// both counted to zero.
pub(super) fn query(command: Command, key: ServiceKey) -> IpvsMessage {
    IpvsMessage { command, attributes: vec![service_identity(key)] }
}

fn identity(key: ServiceKey) -> Vec<Attribute> {
    let family = Attribute::short(service::FAMILY, family_number(key.family()));
    match key {
        ServiceKey::Mark { mark, .. } => vec![family, Attribute::word(service::MARK, mark.get())],
        ServiceKey::Address { address, protocol, port } => vec![
            family,
            Attribute::short(service::PROTOCOL, u16::from(protocol.number())),
            Attribute::address(service::ADDRESS, address),
            Attribute::port(service::PORT, port),
        ],
    }
}

fn service_identity(key: ServiceKey) -> Attribute {
    Attribute::nested(top::SERVICE, identity(key))
}

fn whole_service(key: ServiceKey, wanted: &VirtualService) -> Attribute {
    let mut attributes = identity(key);
    attributes.extend([
        Attribute::name(service::SCHEDULER, wanted.scheduler),
        Attribute::flags(service::FLAGS, wanted.flags.bits()),
        Attribute::word(service::TIMEOUT, wanted.timeout),
        match key.family() {
            Family::Ipv4 => Attribute::network_word(service::NETMASK, wanted.netmask.0),
            Family::Ipv6 => Attribute::word(service::NETMASK, wanted.netmask.0),
        },
    ]);
    attributes.extend(wanted.engine.map(|engine| Attribute::name(service::ENGINE, engine)));
    Attribute::nested(top::SERVICE, attributes)
}

fn destination_identity(key: DestinationKey) -> Vec<Attribute> {
    vec![
        Attribute::short(destination::FAMILY, family_number(Family::of(key.address))),
        Attribute::address(destination::ADDRESS, key.address),
        Attribute::port(destination::PORT, key.port),
    ]
}

fn whole_destination(wanted: &Destination) -> Attribute {
    let mut attributes = destination_identity(wanted.key);
    attributes.extend([
        Attribute::word(destination::METHOD, method_number(wanted.method)),
        Attribute::word(destination::WEIGHT, wanted.weight),
        Attribute::word(destination::UPPER, wanted.upper_threshold),
        Attribute::word(destination::LOWER, wanted.lower_threshold),
    ]);
    if let Method::Tunnel(tunnel) = wanted.method {
        let (kind, port, checksum) = match tunnel {
            Tunnel::Ipip => (0, 0, TunnelChecksum::None),
            Tunnel::Gue { port, checksum } => (1, port, checksum),
            Tunnel::Gre { checksum } => (2, 0, checksum),
        };
        attributes.extend([
            Attribute::byte(destination::TUNNEL_TYPE, kind),
            Attribute::port(destination::TUNNEL_PORT, port),
            Attribute::short(destination::TUNNEL_FLAGS, checksum_flags(checksum)),
        ]);
    }
    Attribute::nested(top::DESTINATION, attributes)
}

/// `IP_VS_CONN_F_*`, `linux/ip_vs.h`.
fn method_number(method: Method) -> u32 {
    match method {
        Method::Nat => 0,
        Method::LocalNode => 1,
        Method::Tunnel(_) => 2,
        Method::DirectRouting => 3,
        Method::Other(number) => u32::from(number),
    }
}

/// `IP_VS_TUNNEL_ENCAP_FLAG_*`, `linux/ip_vs.h`.
fn checksum_flags(checksum: TunnelChecksum) -> u16 {
    match checksum {
        TunnelChecksum::None => 0,
        TunnelChecksum::Checksum => 1,
        TunnelChecksum::Remote => 2,
    }
}

/// A destination as the kernel showed it, with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DestinationReading {
    pub(super) destination: Destination,
    pub(super) activity: Activity,
    pub(super) statistics: Statistics,
}

/// Reads the answer to [`Command::GetService`].
pub(super) fn read_service(payload: &[u8]) -> Result<(ServiceKey, VirtualService), NetlinkError> {
    let attributes = nested(payload, top::SERVICE)?;
    let (mut family, mut protocol, mut address, mut port, mut mark) = (None, None, None, 0, None);
    let (mut scheduler, mut flags, mut timeout, mut netmask, mut engine) =
        (None, 0, 0, [0; 4], None);
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        match attribute.kind() {
            service::FAMILY => family = family_of_number(short(&attribute)?),
            service::PROTOCOL => protocol = u8::try_from(short(&attribute)?).ok(),
            service::ADDRESS => address = Some(bytes::<16>(&attribute)?),
            service::PORT => port = u16::from_be_bytes(bytes(&attribute)?),
            service::MARK => mark = Mark::new(word(&attribute)?),
            service::SCHEDULER => scheduler = name(&attribute),
            service::FLAGS => flags = word(&attribute)?,
            service::TIMEOUT => timeout = word(&attribute)?,
            service::NETMASK => netmask = bytes(&attribute)?,
            service::ENGINE => engine = name(&attribute),
            _ => {}
        }
    }
    let family = family.ok_or_else(|| missing("a service's family"))?;
    let key = match mark {
        Some(mark) => ServiceKey::Mark { mark, family },
        None => ServiceKey::Address {
            address: ip(family, address.ok_or_else(|| missing("a service's address"))?),
            protocol: protocol
                .and_then(Protocol::from_number)
                .ok_or_else(|| missing("a service's protocol"))?,
            port,
        },
    };
    let netmask = match family {
        Family::Ipv4 => u32::from_be_bytes(netmask),
        Family::Ipv6 => u32::from_ne_bytes(netmask),
    };
    let service = VirtualService {
        group: None,
        recorded: false,
        // The kernel shows "none" for a service whose scheduler is being exchanged.
        scheduler: scheduler.ok_or_else(|| missing("a service's scheduler"))?,
        flags: ServiceFlags::from_kernel(flags),
        timeout,
        netmask: Netmask(netmask),
        engine,
        destinations: Vec::new(),
    };
    Ok((key, service))
}

/// Reads one answer to [`Command::GetDestination`].
pub(super) fn read_destination(
    payload: &[u8],
    service: Family,
) -> Result<DestinationReading, NetlinkError> {
    let attributes = nested(payload, top::DESTINATION)?;
    // Kernels before 3.18 do not tell: then it is the service's.
    let mut family = service;
    let (mut address, mut port, mut method, mut weight) = (None, 0, 0, 0);
    let (mut upper, mut lower, mut activity) = (0, 0, Activity::default());
    let (mut kind, mut tunnel_port, mut tunnel_flags) = (0, 0, 0);
    let mut counted = Counted::default();
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        match attribute.kind() {
            destination::ADDRESS => address = Some(bytes::<16>(&attribute)?),
            destination::PORT => port = u16::from_be_bytes(bytes(&attribute)?),
            destination::METHOD => method = word(&attribute)? & 7,
            destination::WEIGHT => weight = word(&attribute)?,
            destination::UPPER => upper = word(&attribute)?,
            destination::LOWER => lower = word(&attribute)?,
            destination::ACTIVE => activity.active = word(&attribute)?,
            destination::INACTIVE => activity.inactive = word(&attribute)?,
            destination::TEMPLATES => activity.persistent = word(&attribute)?,
            destination::FAMILY => {
                family = family_of_number(short(&attribute)?).unwrap_or(service);
            }
            destination::TUNNEL_TYPE => kind = bytes::<1>(&attribute)?[0],
            destination::TUNNEL_PORT => tunnel_port = u16::from_be_bytes(bytes(&attribute)?),
            destination::TUNNEL_FLAGS => tunnel_flags = short(&attribute)?,
            destination::STATISTICS => counted.narrow = statistics::read(attribute.value())?,
            destination::STATISTICS_64 => counted.wide = statistics::read(attribute.value())?,
            _ => {}
        }
    }
    let address = ip(family, address.ok_or_else(|| missing("a destination's address"))?);
    let destination = Destination {
        key: DestinationKey { address, port },
        method: read_method(method, kind, tunnel_port, tunnel_flags),
        weight,
        upper_threshold: upper,
        lower_threshold: lower,
    };
    Ok(DestinationReading { destination, activity, statistics: counted.best() })
}

/// Reads the key and the statistics of an answer to [`Command::GetService`].
pub(super) fn read_service_statistics(
    payload: &[u8],
) -> Result<(ServiceKey, Statistics), NetlinkError> {
    let (key, _) = read_service(payload)?;
    let mut counted = Counted::default();
    for attribute in NlasIterator::new(nested(payload, top::SERVICE)?) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        match attribute.kind() {
            service::STATISTICS => counted.narrow = statistics::read(attribute.value())?,
            service::STATISTICS_64 => counted.wide = statistics::read(attribute.value())?,
            _ => {}
        }
    }
    Ok((key, counted.best()))
}

fn read_method(number: u32, tunnel: u8, port: u16, flags: u16) -> Method {
    let checksum = match flags {
        0 => TunnelChecksum::None,
        1 => TunnelChecksum::Checksum,
        _ => TunnelChecksum::Remote,
    };
    match (number, tunnel) {
        (0, _) => Method::Nat,
        (1, _) => Method::LocalNode,
        (2, 0) => Method::Tunnel(Tunnel::Ipip),
        (2, 1) => Method::Tunnel(Tunnel::Gue { port, checksum }),
        (2, 2) => Method::Tunnel(Tunnel::Gre { checksum }),
        (3, _) => Method::DirectRouting,
        (other, _) => Method::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    }
}

/// The attributes within the attribute `kind` of an answer, behind its generic header.
pub(super) fn nested(payload: &[u8], kind: u16) -> Result<&[u8], NetlinkError> {
    let attributes = payload.get(4..).ok_or_else(|| missing("the generic header"))?;
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        if attribute.kind() == kind {
            // The value of the buffer borrows from the iterator's item; cut it out of
            // what outlives it.
            let value = attribute.value();
            let start = value.as_ptr() as usize - attributes.as_ptr() as usize;
            return Ok(&attributes[start..start + value.len()]);
        }
    }
    Err(missing("the attribute that was asked for"))
}

fn ip(family: Family, bytes: [u8; 16]) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).into(),
        Family::Ipv6 => Ipv6Addr::from(bytes).into(),
    }
}

fn bytes<const N: usize>(attribute: &NlaBuffer<&[u8]>) -> Result<[u8; N], NetlinkError> {
    attribute.value().first_chunk().copied().ok_or_else(|| missing("the end of an attribute"))
}

fn short(attribute: &NlaBuffer<&[u8]>) -> Result<u16, NetlinkError> {
    bytes(attribute).map(u16::from_ne_bytes)
}

fn word(attribute: &NlaBuffer<&[u8]>) -> Result<u32, NetlinkError> {
    bytes(attribute).map(u32::from_ne_bytes)
}

fn name(attribute: &NlaBuffer<&[u8]>) -> Option<KernelName> {
    let text = attribute.value().split(|&byte| byte == 0).next()?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(super) fn malformed(error: &netlink_packet_core::DecodeError) -> NetlinkError {
    NetlinkError::Malformed(error.to_string())
}

pub(super) fn missing(what: &str) -> NetlinkError {
    NetlinkError::Malformed(format!("{what} is missing"))
}

#[cfg(test)]
mod tests {
    use super::super::message::put;
    use super::*;
    use crate::model::Forwarding;

    const HEADER: usize = 16;

    fn key() -> ServiceKey {
        ServiceKey::Mark { mark: Mark::new(10).expect("not 0"), family: Family::Ipv4 }
    }

    fn service() -> VirtualService {
        VirtualService {
            group: None,
            recorded: false,
            scheduler: "rr".parse().expect("a name"),
            flags: ServiceFlags::PERSISTENT,
            timeout: 300,
            netmask: Netmask::host(Family::Ipv4),
            engine: None,
            destinations: Vec::new(),
        }
    }

    /// What `ipvsadm -A -f 10 -s rr -p 300` sends, byte for byte but for the order of
    /// the attributes.
    #[test]
    fn a_new_service_has_the_bytes_of_the_kernels_header() {
        let mut bytes = Vec::new();
        let change = ServiceChange::AddService(key(), service());
        put(&mut bytes, 27, 4, 1, request(&change));
        #[rustfmt::skip]
        let golden: [u8; 76] = [
            76, 0, 0, 0, 27, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr: length, IPVS, ACK, 1
            1, 1, 0, 0,                                     // NEW_SERVICE, version 1
            56, 0, 1, 0x80,                                 // SERVICE, nested
            6, 0, 1, 0, 2, 0, 0, 0,                         // AF_INET
            8, 0, 5, 0, 10, 0, 0, 0,                        // mark 10
            7, 0, 6, 0, b'r', b'r', 0, 0,                   // rr
            12, 0, 7, 0, 1, 0, 0, 0, 255, 255, 255, 255,    // persistent; every flag is meant
            8, 0, 8, 0, 44, 1, 0, 0,                        // 300 s
            8, 0, 9, 0, 255, 255, 255, 255,                 // a client is one address
        ];
        assert_eq!(bytes, golden);
    }

    #[test]
    fn services_and_destinations_read_back_as_they_were_sent() {
        let v6 =
            ServiceKey::Mark { mark: Mark::new(u32::MAX).expect("not 0"), family: Family::Ipv6 };
        let plain = ServiceKey::Address {
            address: "2001:db8::7".parse().expect("an address"),
            protocol: Protocol::Udp,
            port: 53,
        };
        let wide = VirtualService {
            scheduler: "mh".parse().expect("a name"),
            flags: ServiceFlags::from_kernel(0x1d),
            netmask: Netmask(64),
            engine: "sip".parse().ok(),
            ..service()
        };
        for (key, service) in [(key(), service()), (v6, wide.clone()), (plain, wide)] {
            let mut bytes = Vec::new();
            put(&mut bytes, 27, 0, 1, request(&ServiceChange::AddService(key, service.clone())));
            assert_eq!(read_service(&bytes[HEADER..]).expect("readable"), (key, service));
        }
        let gue = Tunnel::Gue { port: 6080, checksum: TunnelChecksum::Remote };
        for forwarding in [
            Forwarding::DirectRouting,
            Forwarding::Nat,
            Forwarding::Tunnel(Tunnel::Ipip),
            Forwarding::Tunnel(gue),
            Forwarding::Tunnel(Tunnel::Gre { checksum: TunnelChecksum::Checksum }),
        ] {
            let destination = Destination {
                key: DestinationKey {
                    address: "2001:db8::11".parse().expect("an address"),
                    port: 8080,
                },
                method: forwarding.into(),
                weight: 65_535,
                upper_threshold: 100,
                lower_threshold: 50,
            };
            let mut bytes = Vec::new();
            put(&mut bytes, 27, 0, 1, request(&ServiceChange::AddDestination(key(), destination)));
            let read = read_destination(&bytes[HEADER..], Family::Ipv4).expect("readable");
            assert_eq!(read.destination, destination);
        }
    }

    #[test]
    fn cut_answers_are_errors_not_panics() {
        let mut bytes = Vec::new();
        put(&mut bytes, 27, 0, 1, request(&ServiceChange::AddService(key(), service())));
        for end in HEADER..bytes.len() {
            let answer = read_service(&bytes[HEADER..end]);
            assert!(answer.is_err(), "{end}: {answer:?}");
        }
    }
}
