//! Random director states: few keys, so that two states share some and differ in others.

#![allow(dead_code, reason = "each test program uses the strategies that it needs")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fwmarkctl::model::{
    Family, Form, Forwarding, GroupName, Mark, Marker, PortRange, Prefix, Protocol, Tunnel,
};
use fwmarkctl::state::{
    Destination, DestinationKey, DirectorState, MarkEntry, MarkKey, Marking, Netmask, ServiceFlags,
    ServiceKey, ServiceTable, Settings, Source, SourceEntry, SourceKey, Sources, VirtualService,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn mark() -> impl Strategy<Value = Mark> {
    prop_oneof![1_u32..6, Just(u32::MAX)].prop_map(|mark| Mark::new(mark).expect("not 0"))
}

fn group() -> impl Strategy<Value = GroupName> {
    prop_oneof!["web", "mail", "a-b_c"].prop_map(|name| name.parse().expect("a name"))
}

fn address(family: Family, host: u8) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::new(192, 0, 2, host).into(),
        Family::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into()).into(),
    }
}

/// What is marked. Ranges and prefixes are of few places, at each of which they overlap:
/// between two states they grow, shrink, shift, and take over what a hash map held.
pub(crate) fn mark_key() -> impl Strategy<Value = MarkKey> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    (family(), protocol, 0_u8..4, 0_u8..8).prop_map(|(family, protocol, kind, n)| {
        let host = |n| Prefix::host(address(family, n));
        let port = |port| PortRange::single(port).expect("a port");
        let (destination, ports) = match kind {
            0 => (host(1 + n), port(80)),
            1 => (host(20 + n), PortRange::ANY),
            2 => {
                let ranges = [(8000, 8100), (8000, 8200), (8050, 8150), (8080, 8080)];
                let (first, last) = ranges[usize::from(n / 2)];
                (host(40 + n % 2), PortRange::new(first, last).expect("a range"))
            }
            _ => {
                let network = address(family, 128 + n % 2 * 8);
                let wide = |bits| Prefix::new(network, family.bits() - bits).expect("a prefix");
                match n / 2 {
                    0 => (wide(2), port(443)),
                    1 => (wide(3), port(443)),
                    2 => (wide(2), PortRange::ANY),
                    _ => (host(128 + n % 2 * 8), PortRange::ANY),
                }
            }
        };
        MarkKey { destination, protocol, ports }
    })
}

/// The mark entries of a state: no two of them overlap, as in a config.
pub(crate) fn marking(most: usize) -> impl Strategy<Value = Marking> {
    let entry = (mark(), group())
        .prop_map(|(mark, group)| MarkEntry { mark: Some(mark), group: Some(group) });
    btree_map(mark_key(), entry, 0..most).prop_map(|entries| {
        let mut apart = Marking::new();
        for (key, entry) in entries {
            if !apart.keys().any(|held: &MarkKey| held.meets(&key)) {
                apart.insert(key, entry);
            }
        }
        apart
    })
}

fn destination(family: Family) -> impl Strategy<Value = Destination> {
    let forwarding = prop_oneof![
        Just(Forwarding::DirectRouting),
        Just(Forwarding::Nat),
        Just(Forwarding::Tunnel(Tunnel::Ipip)),
    ];
    let weight = prop_oneof![Just(0_u32), 1_u32..4, Just(65_535)];
    (1_u8..5, forwarding, weight, 0_u32..3).prop_map(
        move |(host, forwarding, weight, threshold)| Destination {
            key: DestinationKey { address: address(family, 100 + host), port: 0 },
            method: forwarding.into(),
            weight,
            upper_threshold: threshold * 2,
            lower_threshold: threshold,
        },
    )
}

fn service(family: Family) -> impl Strategy<Value = VirtualService> {
    let scheduler = prop_oneof!["rr", "wrr", "wlc", "mh"];
    let timeout = prop_oneof![Just(0_u32), Just(60), Just(300)];
    let destinations = vec(destination(family), 0..5);
    (group(), scheduler, timeout, destinations).prop_map(
        move |(group, scheduler, timeout, destinations)| {
            let flags =
                if timeout > 0 { ServiceFlags::PERSISTENT } else { ServiceFlags::default() };
            let sorted: BTreeMap<_, _> = destinations
                .into_iter()
                .map(|destination| (destination.key, destination))
                .collect();
            VirtualService {
                group: Some(group),
                recorded: true,
                scheduler: scheduler.parse().expect("a name"),
                flags,
                timeout,
                netmask: Netmask::host(family),
                engine: None,
                destinations: sorted.into_values().collect(),
            }
        },
    )
}

/// What a service listens to: a mark, or an address with one port or every one.
fn service_key(family: Family) -> impl Strategy<Value = ServiceKey> {
    let by_mark = mark().prop_map(move |mark| ServiceKey::Mark { mark, family });
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    let by_address = (10_u8..13, protocol, prop_oneof![Just(0_u16), Just(80)]).prop_map(
        move |(host, protocol, port)| ServiceKey::Address {
            address: address(family, host),
            protocol,
            port,
        },
    );
    prop_oneof![by_mark, by_address]
}

/// A service with its key.
pub(crate) fn keyed_service() -> impl Strategy<Value = (ServiceKey, VirtualService)> {
    family().prop_flat_map(|family| (service_key(family), service(family)))
}

/// Whose address real servers see.
pub(crate) fn sources(most: usize) -> impl Strategy<Value = Sources> {
    let source = (mark(), family(), 101_u8..104, prop_oneof![Just(None), (1_u8..3).prop_map(Some)]);
    let entry = (source, group()).prop_map(|((mark, family, server, host), group)| {
        let source =
            host.map_or(Source::Masquerade, |host| Source::Address(address(family, 200 + host)));
        let key = SourceKey { mark, server: address(family, server) };
        (key, SourceEntry { source, group: Some(group) })
    });
    vec(entry, 0..most).prop_map(|entries| entries.into_iter().collect())
}

/// A whole state, marked by nftables.
pub(crate) fn state() -> impl Strategy<Value = DirectorState> {
    let services =
        vec(keyed_service(), 0..5).prop_map(|pairs| pairs.into_iter().collect::<ServiceTable>());
    // In every other state, so that the chains come and go too.
    let sources = prop_oneof![Just(Sources::new()), sources(5)];
    (marking(8), services, sources, any::<bool>(), settings()).prop_map(
        |(marking, services, sources, local_traffic, settings)| DirectorState {
            local_traffic: local_traffic && !marking.is_empty(),
            defragment: !local_traffic && !services.is_empty(),
            marking,
            services,
            sources,
            settings,
            ..DirectorState::default()
        },
    )
}

/// A whole state, marked by any marker.
pub(crate) fn state_of_any_marker() -> impl Strategy<Value = DirectorState> {
    let marker = (0..Marker::ALL.len()).prop_map(|place| Marker::ALL[place]);
    (state(), marker, any::<bool>()).prop_map(|(state, marker, sets)| {
        let in_sets = sets && marker != Marker::Nftables;
        let form = if in_sets { Form::Sets } else { Form::Rules };
        DirectorState { marker, form, ..state }
    })
}

/// What a director needs: some of a few settings, two of which [`foreign_settings`] has
/// otherwise and one just so.
pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let rows = [
        ("sysctl net.ipv4.ip_forward", "1"),
        ("sysctl net.ipv4.vs.conntrack", "1"),
        ("timeout tcp", "60"),
        ("local-route 192.0.2.1", "present"),
        ("rule ipv4 fwmark 0x4c560000/0xffff0000", "present"),
        ("address 2001:db8::1 on eth0", "present"),
        ("sync-daemon master", "interface eth0 id 1"),
        ("sync-daemon master", "interface eth0 id 2"),
        ("sync-daemon backup", "interface eth0 id 2"),
    ];
    proptest::sample::subsequence(rows.to_vec(), 0..4).prop_map(|rows| read_settings(&rows))
}

fn read_settings(rows: &[(&str, &str)]) -> Settings {
    rows.iter().map(|(key, value)| (key.parse().expect(key), (*value).to_owned())).collect()
}

/// Settings as somebody else has made them.
pub(crate) fn foreign_settings() -> Settings {
    read_settings(&[
        ("sysctl net.ipv4.ip_forward", "0"),
        ("sysctl net.ipv4.vs.conntrack", "1"),
        ("timeout tcp", "900"),
        ("sync-daemon backup", "interface eth0 id 1"),
        ("address 192.0.2.1 on eth0", "present"),
    ])
}

/// Services of somebody else, on a mark and an address that no state of ours has.
pub(crate) fn foreign_services() -> ServiceTable {
    let service = |family| VirtualService {
        group: None,
        recorded: false,
        scheduler: "wlc".parse().expect("a name"),
        flags: ServiceFlags::default(),
        timeout: 0,
        netmask: Netmask::host(family),
        engine: None,
        destinations: Vec::new(),
    };
    let mark = ServiceKey::Mark { mark: Mark::new(99).expect("not 0"), family: Family::Ipv4 };
    let plain = ServiceKey::Address {
        address: address(Family::Ipv6, 1),
        protocol: Protocol::Tcp,
        port: 80,
    };
    [(mark, service(Family::Ipv4)), (plain, service(Family::Ipv6))].into()
}
