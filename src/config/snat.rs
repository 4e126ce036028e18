//! `snat`, and what else makes NAT a full one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use toml::de::DeValue;

use crate::model::{Family, Forwarding};

use super::codes::Code;
use super::diagnostic::Spot;
use super::reader::{Checked, Field, Fields, Reported, Scope, Value};
use super::real_servers::ReadServer;
use super::text::family_name;

/// Reads `snat` of a group with these real servers.
pub(super) fn read(
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
    servers: Checked<&[ReadServer]>,
) -> Checked<Vec<IpAddr>> {
    let Some(field) = fields.get("snat") else { return Ok(Vec::new()) };
    let list = match field.value.data {
        DeValue::Array(_) => scope.list(field.value, "snat", "an address, or a list of them")?,
        _ => vec![field.value],
    };
    let mut sound = true;
    let mut sources: BTreeMap<Family, (IpAddr, Spot)> = BTreeMap::new();
    for item in list {
        let Ok(address) = address(scope, item) else {
            sound = false;
            continue;
        };
        let family = Family::of(address);
        if let Some(&(_, first)) = sources.get(&family) {
            sound = false;
            second(scope, item, family, first);
        } else {
            sources.insert(family, (address, item.spot));
        }
    }
    let sound = used(scope, field, servers?, &sources) && sound;
    if sound {
        Ok(sources.into_values().map(|(address, _)| address).collect())
    } else {
        Err(Reported)
    }
}

fn address(scope: &mut Scope<'_>, item: Value<'_>) -> Checked<IpAddr> {
    let text = scope.text(item, "snat", "an address such as \"10.20.0.5\"")?;
    match text.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() && !address.is_multicast() => return Ok(address),
        Ok(address) => {
            let message = format!("{address} cannot be the source of a packet");
            scope.error(Code::InvalidSnat, item.spot, message)
        }
        Err(_) => {
            let message = format!("'{text}' is not an IPv4 or IPv6 address");
            scope.error(Code::InvalidSnat, item.spot, message).label("not an address")
        }
    }
    .help("write an address of the director that the real servers reach, or leave snat out for one of the device by which packets leave");
    Err(Reported)
}

fn second(scope: &mut Scope<'_>, item: Value<'_>, family: Family, first: Spot) {
    let other = scope.report.label(first, "the first is here");
    let message = format!("snat has two addresses of {}", family_name(family));
    scope
        .error(Code::InvalidSnat, item.spot, message)
        .label("a second one")
        .also(other)
        .help("keep one of each family");
}

/// Whether each address stands for the clients of a real server.
fn used(
    scope: &mut Scope<'_>,
    field: Field<'_>,
    servers: &[ReadServer],
    sources: &BTreeMap<Family, (IpAddr, Spot)>,
) -> bool {
    let full = |read: &&ReadServer| read.server.forwarding == Forwarding::FullNat;
    if first(servers).is_none() {
        scope
            .error(
                Code::InvalidSnat,
                field.key,
                "snat is for real servers that are reached by fullnat",
            )
            .label("no real server is")
            .help("add forward = \"fullnat\", or leave snat out");
        return false;
    }
    let mut sound = true;
    for (&family, &(address, spot)) in sources {
        if servers.iter().filter(full).any(|read| read.server.family() == family) {
            continue;
        }
        sound = false;
        let family = family_name(family);
        scope
            .error(Code::InvalidSnat, spot, format!("snat {address} is of use to no real server"))
            .label(format!("no real server of {family} is reached by fullnat"))
            .help("leave it out, or write an address of the family of the real servers");
    }
    sound
}

/// Whether no address is reached both with and without the client's address: behind IPVS,
/// the mark and the destination are all that tells packets apart.
pub(super) fn apart(scope: &mut Scope<'_>, servers: &[ReadServer]) -> bool {
    let mut sound = true;
    let mut seen: BTreeMap<IpAddr, (bool, Spot)> = BTreeMap::new();
    for read in servers {
        let full = read.server.forwarding == Forwarding::FullNat;
        let address = read.server.address;
        let &mut (first, spot) = seen.entry(address).or_insert((full, read.address));
        if first == full {
            continue;
        }
        sound = false;
        let other = scope.report.label(spot, "first listed here");
        let message = format!("real server {address} is reached both by fullnat and otherwise");
        scope
            .error(Code::MixedFullNat, read.address, message)
            .label("the same address")
            .also(other)
            .help("use one method for the address, or make two groups");
    }
    sound
}

/// Where the first real server stands that is reached by full NAT.
pub(super) fn first(servers: &[ReadServer]) -> Option<Spot> {
    let full = |read: &&ReadServer| read.server.forwarding == Forwarding::FullNat;
    servers.iter().find(full).map(|read| read.address)
}
