//! `real`: the real servers of a group.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use toml::de::DeValue;

use crate::model::{Forwarding, MAX_THRESHOLD, MAX_WEIGHT, Prefix, RealServer};

use super::codes::Code;
use super::diagnostic::Spot;
use super::listeners::ReadListeners;
use super::reader::{Checked, Field, Fields, Reported, Scope, Value};
use super::special::{Special, special};
use super::{forwarding, schema};

/// The most real servers of a group.
pub const MAX_REAL_SERVERS: usize = 1_024;

/// A real server, where its address is written, and where its port.
pub(super) struct ReadServer {
    pub(super) server: RealServer,
    pub(super) address: Spot,
    pub(super) port: Option<Spot>,
}

/// Reads `real`; `header` is the place of the group, `default` its `forward`.
pub(super) fn read(
    scope: &mut Scope<'_>,
    header: Spot,
    field: Option<Field<'_>>,
    default: Checked<Forwarding>,
) -> Checked<Vec<ReadServer>> {
    let list = match field {
        Some(field) => list(scope, field.value)?,
        None => Vec::new(),
    };
    if list.is_empty() {
        let spot = field.map_or(header, |field| field.key);
        scope
            .error(Code::NoRealServers, spot, "no real servers")
            .label("nobody serves its clients")
            .help("add real = [\"ADDRESS\", …]; a group that is disabled has some, too");
        return Err(Reported);
    }
    if let Some(extra) = list.get(MAX_REAL_SERVERS) {
        let message = format!("{} real servers, and {MAX_REAL_SERVERS} is the limit", list.len());
        scope.error(Code::TooLarge, extra.spot, message).help("make several groups of it");
        return Err(Reported);
    }
    let mut sound = true;
    let mut servers: Vec<ReadServer> = Vec::with_capacity(list.len());
    let mut seen: HashMap<(IpAddr, Option<u16>), Spot> = HashMap::with_capacity(list.len());
    for item in list {
        let Ok(read) = server(scope, item, default) else {
            sound = false;
            continue;
        };
        let key = (read.server.address, read.server.port);
        if let Some(&first) = seen.get(&key) {
            sound = false;
            duplicate(scope, &read, first);
            continue;
        }
        seen.insert(key, read.address);
        servers.push(read);
    }
    if sound { Ok(servers) } else { Err(Reported) }
}

fn list<'d>(scope: &mut Scope<'_>, value: Value<'d>) -> Checked<Vec<Value<'d>>> {
    let expected = "a list of real servers";
    if matches!(value.data, DeValue::Table(_)) {
        let help = "each real server has double brackets: [[group.NAME.real]]".to_owned();
        return Err(scope.wrong_type_with_help(value, "real", expected, Some(help)));
    }
    scope.list(value, "real", expected)
}

fn duplicate(scope: &mut Scope<'_>, read: &ReadServer, first: Spot) {
    let RealServer { address, port, .. } = read.server;
    let port = port.map_or(String::new(), |port| format!(" with port {port}"));
    let other = scope.report.label(first, "first listed here");
    scope
        .error(
            Code::DuplicateRealServer,
            read.address,
            format!("real server {address}{port} is listed twice"),
        )
        .label("again here")
        .also(other)
        .help("leave one out; for a larger share give it a larger weight");
}

/// Whether no real server is listed with the port that it would have anyway: to services by
/// address the two are one.
pub(super) fn apart(
    scope: &mut Scope<'_>,
    listeners: &ReadListeners,
    servers: &[ReadServer],
) -> bool {
    let ports: BTreeSet<u16> =
        listeners.written.iter().map(|(listener, _)| listener.ports.first()).collect();
    let plain: HashMap<IpAddr, Spot> = servers
        .iter()
        .filter(|read| read.server.port.is_none())
        .map(|read| (read.server.address, read.address))
        .collect();
    let mut sound = true;
    for read in servers.iter().filter(|read| read.server.port.is_some_and(|it| ports.contains(&it)))
    {
        if let Some(&first) = plain.get(&read.server.address) {
            sound = false;
            duplicate(scope, read, first);
        }
    }
    sound
}

fn server(
    scope: &mut Scope<'_>,
    item: Value<'_>,
    default: Checked<Forwarding>,
) -> Checked<ReadServer> {
    match item.data {
        DeValue::String(_) => {
            let address = address(scope, item)?;
            own_under_nat(scope, address, item.spot, default)?;
            let server = RealServer {
                address,
                port: None,
                weight: 1,
                forwarding: default?,
                upper_threshold: 0,
                lower_threshold: 0,
            };
            Ok(ReadServer { server, address: item.spot, port: None })
        }
        DeValue::Table(_) => {
            let fields = scope.table(item, "real", &schema::REAL_SERVER)?;
            table(scope, &fields, default)
        }
        _ => Err(scope.wrong_type(item, "real", "addresses or tables { address, weight, … }")),
    }
}

fn table(
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
    default: Checked<Forwarding>,
) -> Checked<ReadServer> {
    let message = "a real server has no address";
    let found = scope
        .required(fields, "address", fields.spot, message, "add address = \"…\"")
        .and_then(|field| Ok((address(scope, field.value)?, field.value.spot)));
    let port_field = fields.get("port");
    let port = port_field.map(|field| {
        let number = scope.integer(field.value, "port", "a port from 1 to 65535")?;
        port_number(scope, field.value, number)
    });
    let weight = fields.get("weight").map(|field| weight(scope, field.value));
    let forwarding = match fields.get("forward") {
        Some(field) => forwarding::read(scope, field.value),
        None => default,
    };
    let thresholds = thresholds(scope, fields);
    if let (Some(field), Ok(forwarding)) = (port_field, forwarding)
        && !forwarding.maps_ports()
    {
        not_mapped(scope, field, forwarding);
        return Err(Reported);
    }
    let (address, spot) = found?;
    own_under_nat(scope, address, spot, forwarding)?;
    let (upper_threshold, lower_threshold) = thresholds?;
    let server = RealServer {
        address,
        port: port.transpose()?,
        weight: weight.transpose()?.unwrap_or(1),
        forwarding: forwarding?,
        upper_threshold,
        lower_threshold,
    };
    Ok(ReadServer { server, address: spot, port: port_field.map(|field| field.key) })
}

/// The kernel takes a loopback address, and drops every packet that it would rewrite to it
/// (`ip_vs_nat_xmit`, `net/netfilter/ipvs/ip_vs_xmit.c`; seen on Linux 6.1).
fn own_under_nat(
    scope: &mut Scope<'_>,
    address: IpAddr,
    spot: Spot,
    forwarding: Checked<Forwarding>,
) -> Checked<()> {
    let Ok(forwarding @ (Forwarding::Nat | Forwarding::FullNat)) = forwarding else {
        return Ok(());
    };
    if !address.is_loopback() {
        return Ok(());
    }
    let message =
        format!("{address} is the director itself, to which IPVS cannot rewrite with {forwarding}");
    scope
        .error(Code::InvalidAddress, spot, message)
        .label("every packet would be dropped")
        .help("use an address that the director has on a network, or forward = \"dr\" for what listens on the VIP itself");
    Err(Reported)
}

fn not_mapped(scope: &mut Scope<'_>, field: Field<'_>, forwarding: Forwarding) {
    scope
        .error(
            Code::PortNotMapped,
            field.key,
            format!("forward = \"{forwarding}\" cannot map ports: every packet keeps its own"),
        )
        .label(format!("IPVS ignores this port under {forwarding}"))
        .help("leave port out and let the real server listen on the port of the VIP, or use forward = \"nat\"");
}

fn address(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<IpAddr> {
    let text = scope.text(value, "address", "an address such as \"172.18.100.11\"")?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let help = address_help(text);
        let message = format!("'{text}' is not an IPv4 or IPv6 address");
        scope.error(Code::InvalidAddress, value.spot, message).label("not an address").help(help);
        return Err(Reported);
    };
    match special(Prefix::host(address)) {
        // The director itself serves: a page that says sorry, for example.
        None | Some(Special { is_own: true, .. }) => Ok(address),
        Some(special) => {
            let message = format!("{address} is {}, and no real server has it", special.what);
            scope
                .error(Code::InvalidAddress, value.spot, message)
                .help("write the address that the director reaches one machine by");
            Err(Reported)
        }
    }
}

/// What was probably meant by a text that is no address.
fn address_help(text: &str) -> String {
    if let Ok(with_port) = text.parse::<std::net::SocketAddr>() {
        let (address, port) = (with_port.ip(), with_port.port());
        return format!("a port stands by itself: {{ address = \"{address}\", port = {port} }}");
    }
    if let Some((address, rest)) = text.split_once(',')
        && address.parse::<IpAddr>().is_ok()
    {
        let rest = rest.replace('=', " = ").replace(',', ", ");
        return format!("in a file it is {{ address = \"{address}\", {rest} }}");
    }
    if let Some((address, _)) = text.split_once('/')
        && address.parse::<IpAddr>().is_ok()
    {
        return format!("a real server is one machine: \"{address}\"");
    }
    if text.contains('%') {
        return "IPVS takes no link-local address: write a global one, or one of fc00::/7"
            .to_owned();
    }
    if text.bytes().any(|byte| byte.is_ascii_alphabetic()) && !text.contains(':') {
        return "names are not resolved, for a director must not wait for DNS: write the address"
            .to_owned();
    }
    "write an address such as \"172.18.100.11\" or \"2001:db8::11\"".to_owned()
}

/// A port of a real server or tunnel.
pub(super) fn port_number(scope: &mut Scope<'_>, value: Value<'_>, number: i128) -> Checked<u16> {
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => {
            let what = if number == 0 {
                "port 0 does not exist".to_owned()
            } else {
                format!("port {} is not from 1 to 65535", scope.written(value))
            };
            scope.error(Code::InvalidPort, value.spot, what).help("ports are 1 to 65535");
            Err(Reported)
        }
    }
}

fn weight(scope: &mut Scope<'_>, value: Value<'_>) -> Checked<u32> {
    let number = scope.integer(value, "weight", "an integer from 0 to 65535")?;
    match u32::try_from(number) {
        Ok(weight) if weight <= MAX_WEIGHT => Ok(weight),
        _ => {
            let message = format!("weight {} is not from 0 to {MAX_WEIGHT}", scope.written(value));
            scope
                .error(Code::InvalidWeight, value.spot, message)
                .label("out of bounds")
                .help("1 is the default, 0 takes no new clients; only the ratio of weights counts");
            Err(Reported)
        }
    }
}

/// The upper and the lower threshold. The kernel refuses a lower one above the upper
/// one (`ip_vs_add_dest`, ERANGE), no upper one being 0.
fn thresholds(scope: &mut Scope<'_>, fields: &Fields<'_>) -> Checked<(u32, u32)> {
    let upper = threshold(scope, fields, "upper-threshold");
    let lower = threshold(scope, fields, "lower-threshold");
    let (upper, lower) = (upper?, lower?);
    let (Some(field), true) = (fields.get("lower-threshold"), lower > upper) else {
        return Ok((upper, lower));
    };
    let error = if upper == 0 {
        scope
            .error(
                Code::InvalidThreshold,
                field.value.spot,
                format!("lower-threshold {lower} without an upper-threshold"),
            )
            .help("add upper-threshold: the connections above which the real server rests until it is below the lower one")
    } else {
        scope
            .error(
                Code::InvalidThreshold,
                field.value.spot,
                format!("lower-threshold {lower} is above upper-threshold {upper}"),
            )
            .help("a real server rests above the upper one until it is below the lower one: swap them")
    };
    error.label("must not be above the upper one");
    Err(Reported)
}

fn threshold(scope: &mut Scope<'_>, fields: &Fields<'_>, key: &str) -> Checked<u32> {
    let Some(field) = fields.get(key) else { return Ok(0) };
    let number = scope.integer(field.value, key, "a number of connections")?;
    let bound = u32::try_from(number).ok().filter(|bound| *bound <= MAX_THRESHOLD);
    bound.ok_or_else(|| {
        let message =
            format!("{key} {} is not from 0 to {MAX_THRESHOLD}", scope.written(field.value));
        scope
            .error(Code::InvalidThreshold, field.value.spot, message)
            .help("write a number of connections; 0 is no bound");
        Reported
    })
}
