//! Every service that the kernel takes, within what a configuration can say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fwmarkctl::model::{
    Family, KNOWN_SCHEDULERS, MAX_THRESHOLD, MAX_WEIGHT, Mark, Protocol, SchedulerFlag, Tunnel,
    TunnelChecksum,
};
use fwmarkctl::state::{
    Destination, DestinationKey, Method, Netmask, ServiceFlags, ServiceKey, ServiceTable,
    VirtualService,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Linux 6.1 as Debian builds it has all schedulers but this one.
const NOT_THERE: &str = "twos";

/// Two tables with the same keys.
pub(super) fn two_tables() -> impl Strategy<Value = (ServiceTable, ServiceTable)> {
    let pair = |key: ServiceKey| (Just(key), service(key), service(key));
    let pairs = vec(key().prop_flat_map(pair), 1..6);
    pairs.prop_map(|pairs| {
        let before = pairs.iter().map(|(key, before, _)| (*key, before.clone())).collect();
        let after = pairs.iter().map(|(key, _, after)| (*key, after.clone())).collect();
        (before, after)
    })
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn address(family: Family, host: u8) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::new(192, 0, 2, host).into(),
        Family::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
    }
}

fn key() -> impl Strategy<Value = ServiceKey> {
    let mark = prop_oneof![1_u32..4, any::<u32>(), Just(i32::MAX.cast_unsigned()), Just(u32::MAX)];
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    let port = prop_oneof![Just(0_u16), Just(1), Just(u16::MAX), any::<u16>()];
    prop_oneof![
        (mark, family()).prop_map(|(mark, family)| ServiceKey::Mark {
            mark: Mark::new(mark.max(1)).unwrap(),
            family,
        }),
        (family(), 1_u8..4, protocol, port).prop_map(|(family, host, protocol, port)| {
            ServiceKey::Address { address: address(family, host), protocol, port }
        }),
    ]
}

/// Persistence: timeout, netmask and engine. A service for every port has to be persistent.
fn persistence(key: ServiceKey) -> impl Strategy<Value = Option<(u32, u8, bool)>> {
    let timeout = prop_oneof![Just(1_u32), Just(300), Just(2_678_400), 1_u32..2_678_400];
    let some = (timeout, 1..=key.family().bits(), any::<bool>());
    let must = matches!(key, ServiceKey::Address { port: 0, .. });
    (some, any::<bool>()).prop_map(move |(some, is_there)| (must || is_there).then_some(some))
}

fn service(key: ServiceKey) -> impl Strategy<Value = VirtualService> {
    let schedulers = KNOWN_SCHEDULERS.into_iter().filter(|name| *name != NOT_THERE);
    let scheduler = prop::sample::select(schedulers.collect::<Vec<_>>());
    let flags = prop::sample::subsequence(SchedulerFlag::ALL.to_vec(), 0..=3);
    let servers = btree_map(server_key(key), destination(), 0..6);
    (scheduler, flags, any::<bool>(), persistence(key), servers).prop_map(
        move |(scheduler, flags, one_packet, persistence, servers)| {
            let mut bits = ServiceFlags::default();
            for flag in flags {
                bits = bits.with(flag.into());
            }
            if one_packet {
                bits = bits.with(ServiceFlags::ONE_PACKET);
            }
            if persistence.is_some() {
                bits = bits.with(ServiceFlags::PERSISTENT);
            }
            let (timeout, length, sip) = persistence.unwrap_or((0, key.family().bits(), false));
            VirtualService {
                group: None,
                recorded: false,
                scheduler: scheduler.parse().unwrap(),
                flags: bits,
                timeout,
                netmask: Netmask::from_length(key.family(), length),
                engine: sip.then(|| "sip".parse().unwrap()),
                destinations: finish(key.family(), servers),
            }
        },
    )
}

/// A real server's family, host and port; of the other family it is reached by a tunnel.
fn server_key(key: ServiceKey) -> impl Strategy<Value = DestinationKey> {
    let own = key.family();
    let other = if own == Family::Ipv4 { Family::Ipv6 } else { Family::Ipv4 };
    let family = prop_oneof![3 => Just(own), 1 => Just(other)];
    let port = prop_oneof![Just(0_u16), Just(80), Just(u16::MAX), any::<u16>()];
    (family, 100_u8..110, port)
        .prop_map(|(family, host, port)| DestinationKey { address: address(family, host), port })
}

/// Method, weight and thresholds.
fn destination() -> impl Strategy<Value = (Method, u32, u32, u32)> {
    let checksum = || prop_oneof![Just(TunnelChecksum::None), Just(TunnelChecksum::Checksum)];
    let gue = prop_oneof![checksum(), Just(TunnelChecksum::Remote)];
    let tunnel = prop_oneof![
        Just(Tunnel::Ipip),
        (1_u16.., gue).prop_map(|(port, checksum)| Tunnel::Gue { port, checksum }),
        checksum().prop_map(|checksum| Tunnel::Gre { checksum }),
    ];
    let method = prop_oneof![
        Just(Method::DirectRouting),
        Just(Method::Nat),
        tunnel.prop_map(Method::Tunnel),
    ];
    let weight = prop_oneof![Just(0), Just(1), Just(MAX_WEIGHT), 0..=MAX_WEIGHT];
    let threshold = || prop_oneof![Just(0), 1_u32..10, 0..=MAX_THRESHOLD, Just(MAX_THRESHOLD)];
    (method, weight, threshold(), threshold())
        .prop_map(|(method, weight, one, other)| (method, weight, one.max(other), one.min(other)))
}

fn finish(
    family: Family,
    servers: BTreeMap<DestinationKey, (Method, u32, u32, u32)>,
) -> Vec<Destination> {
    let server = |(key, (method, weight, upper, lower)): (DestinationKey, _)| {
        let crosses = Family::of(key.address) != family;
        let method = match method {
            Method::Tunnel(_) => method,
            _ if crosses => Method::Tunnel(Tunnel::Ipip),
            _ => method,
        };
        Destination { key, method, weight, upper_threshold: upper, lower_threshold: lower }
    };
    servers.into_iter().map(server).collect()
}
