//! A state as a JSON document, in the kernel's words.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::output::Format;
use crate::compile::Compiled;
use crate::model::{Family, GroupName, KernelName, Mark, PortRange, Prefix, Protocol};
use crate::state::{
    self, Destination, MarkEntry, MarkKey, ServiceFlags, ServiceKey, SourceEntry, SourceKey,
    VirtualService,
};

/// All that a director is given.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct State {
    format: Format,
    /// The marks of the groups, those that are disabled included.
    marks: Vec<HeldMark>,
    mark_rules: Vec<MarkRule>,
    services: Vec<Service<RealServer>>,
    nat_rules: Vec<Source>,
    settings: Vec<Setting>,
    /// Whether what the director itself sends is marked too.
    local_traffic: bool,
    /// Whether fragments are put together before they are marked.
    defragment: bool,
}

/// The mark of a group.
#[derive(Serialize, JsonSchema)]
struct HeldMark {
    group: GroupName,
    /// Of which ports, where each has its own.
    listener: Option<String>,
    mark: Mark,
}

/// Which packets get which mark.
#[derive(Serialize, JsonSchema)]
struct MarkRule {
    destination: Prefix,
    protocol: Protocol,
    ports: PortRange,
    /// Null where the packets go unmarked to a service by address.
    mark: Option<Mark>,
    group: Option<GroupName>,
}

/// A setting of the director that groups or `[director]` need.
#[derive(Serialize, JsonSchema)]
struct Setting {
    /// What kind of setting.
    object: &'static str,
    key: String,
    value: String,
}

/// Whose address a real server sees.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NatRule")]
pub(in crate::cli) struct Source {
    mark: Mark,
    real_server: IpAddr,
    /// Null where it is that of the device.
    snat: Option<IpAddr>,
    group: Option<GroupName>,
}

/// A virtual service.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServiceOf{R}")]
pub(in crate::cli) struct Service<R> {
    /// Such as `fwmark 10 ipv4`, `tcp 192.0.2.1:80`.
    key: String,
    family: Family,
    /// Of a service by mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<Mark>,
    /// Of a service by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    /// 0 is every port.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    group: Option<GroupName>,
    scheduler: KernelName,
    /// The bits of `ip_vs.h`.
    flags: u32,
    one_packet: bool,
    /// Seconds; null without persistence.
    timeout: Option<u32>,
    /// What of an address makes a client; null without persistence.
    netmask: Option<String>,
    engine: Option<KernelName>,
    real_servers: Vec<R>,
}

/// A real server of a virtual service.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct RealServer {
    address: IpAddr,
    /// 0 is the port of the packet.
    port: u16,
    /// How packets reach it, in words.
    forward: String,
    weight: u32,
    /// 0 is no bound.
    upper_threshold: u32,
    lower_threshold: u32,
}

/// A state as a document.
pub(in crate::cli) fn document(compiled: &Compiled) -> State {
    let Compiled { state, marks } = compiled;
    let marks = marks.0.iter().map(|(holder, mark)| HeldMark {
        group: holder.group.clone(),
        listener: holder.listener.map(|listener| listener.to_string()),
        mark: *mark,
    });
    let services =
        state.services.iter().map(|(key, service)| Service::of(*key, service, RealServer::of));
    let settings = state.settings.iter().map(|(key, value)| Setting {
        object: key.kind(),
        key: key.name(),
        value: value.clone(),
    });
    State {
        format: Format,
        marks: marks.collect(),
        mark_rules: state.marking.iter().map(MarkRule::of).collect(),
        services: services.collect(),
        nat_rules: state.sources.iter().map(Source::of).collect(),
        settings: settings.collect(),
        local_traffic: state.local_traffic,
        defragment: state.defragment,
    }
}

impl MarkRule {
    fn of((key, entry): (&MarkKey, &MarkEntry)) -> Self {
        Self {
            destination: key.destination,
            protocol: key.protocol,
            ports: key.ports,
            mark: entry.mark,
            group: entry.group.clone(),
        }
    }
}

impl Source {
    /// Without an address of its own it is masqueraded.
    pub(in crate::cli) fn of((key, entry): (&SourceKey, &SourceEntry)) -> Self {
        let snat = match entry.source {
            state::Source::Masquerade => None,
            state::Source::Address(address) => Some(address),
        };
        Self { mark: key.mark, real_server: key.server, snat, group: entry.group.clone() }
    }
}

impl<R> Service<R> {
    /// A service, and what `server` makes of its real servers.
    pub(in crate::cli) fn of(
        key: ServiceKey,
        service: &VirtualService,
        server: impl Fn(&Destination) -> R,
    ) -> Self {
        let (mark, address, protocol, port) = match key {
            ServiceKey::Mark { mark, .. } => (Some(mark), None, None, None),
            ServiceKey::Address { address, protocol, port } => {
                (None, Some(address), Some(protocol), Some(port))
            }
        };
        let persistent = service.flags.contains(ServiceFlags::PERSISTENT);
        Self {
            key: key.to_string(),
            family: key.family(),
            mark,
            address,
            protocol,
            port,
            group: service.group.clone(),
            scheduler: service.scheduler,
            flags: service.flags.bits(),
            one_packet: service.flags.contains(ServiceFlags::ONE_PACKET),
            timeout: persistent.then_some(service.timeout),
            netmask: persistent.then(|| service.netmask.display(key.family())),
            engine: service.engine,
            real_servers: service.destinations.iter().map(server).collect(),
        }
    }
}

impl RealServer {
    /// A destination.
    pub(in crate::cli) fn of(destination: &Destination) -> Self {
        Self {
            address: destination.key.address,
            port: destination.key.port,
            forward: destination.method.to_string(),
            weight: destination.weight,
            upper_threshold: destination.upper_threshold,
            lower_threshold: destination.lower_threshold,
        }
    }
}
