//! `vips`: what clients connect to.

use crate::model::{InvalidPrefix, Prefix};

use super::codes::Code;
use super::diagnostic::Spot;
use super::reader::{Checked, Fields, Reported, Scope, Value};
use super::special::{self, Special};
use super::text::family_name;

/// Reads `vips`; `header` is the place of the group.
pub(super) fn read(
    scope: &mut Scope<'_>,
    header: Spot,
    fields: &Fields<'_>,
) -> Checked<Vec<(Prefix, Spot)>> {
    let field = fields.get("vips");
    let list = match field {
        Some(field) => scope.list(field.value, "vips", "a list of addresses")?,
        None => Vec::new(),
    };
    if list.is_empty() {
        let spot = field.map_or(header, |field| field.key);
        scope
            .error(Code::NoVips, spot, "no VIPs")
            .label("no address to connect to")
            .help("add vips = [\"ADDRESS\"]: what clients connect to");
        return Err(Reported);
    }
    let mut sound = true;
    let mut vips = Vec::with_capacity(list.len());
    for item in list {
        match vip(scope, item) {
            Ok(vip) => vips.push((vip, item.spot)),
            Err(Reported) => sound = false,
        }
    }
    if apart(scope, &vips) && sound { Ok(vips) } else { Err(Reported) }
}

fn vip(scope: &mut Scope<'_>, item: Value<'_>) -> Checked<Prefix> {
    let text = scope.text(item, "vips", "addresses such as \"172.18.100.7\"")?;
    let (message, help) = match text.parse::<Prefix>() {
        Ok(vip) => match special::special(vip) {
            None => return Ok(vip),
            Some(special) => nobody_connects(vip, special),
        },
        Err(InvalidPrefix::Length { length, family }) => (
            format!("'/{length}' is not a prefix length of an {} address", family_name(family)),
            format!("prefix lengths are 1 to {}; one address has none", family.bits()),
        ),
        Err(error) => (error.to_string(), vip_help(text, &error)),
    };
    scope.error(Code::InvalidVip, item.spot, message).help(help);
    Err(Reported)
}

/// The message and the remedy for addresses that no client can connect to.
fn nobody_connects(vip: Prefix, special: &Special) -> (String, String) {
    let network = special::network(special);
    let message = if vip.is_host() {
        format!("{vip} is {}, to which no client connects", special.what)
    } else {
        format!("{vip} has addresses to which no client connects: {network}")
    };
    let help = if special.is_own {
        "a VIP is what clients elsewhere connect to: the address of this service in their network"
    } else {
        "a VIP is an address that clients have a route to, such as \"172.18.100.7\""
    };
    (message, help.to_owned())
}

/// What was probably meant by a text that is no VIP.
fn vip_help(text: &str, error: &InvalidPrefix) -> String {
    match error {
        InvalidPrefix::HostBits { address, network, .. } => {
            format!("write \"{network}\" for all of it, or \"{address}\" for one address")
        }
        InvalidPrefix::Unspecified(_) => {
            "name the addresses or prefixes that clients connect to".to_owned()
        }
        InvalidPrefix::Address(_) | InvalidPrefix::Length { .. } => match text.parse::<std::net::SocketAddr>() {
            Ok(with_port) => format!(
                "ports stand by themselves: vips = [\"{}\"], ports = [\"{}/tcp\"]",
                with_port.ip(),
                with_port.port()
            ),
            Err(_) if text.contains('%') => {
                "a link-local address means nothing without an interface, which a packet does not \
                 carry: use a global address, or one of fc00::/7"
                    .to_owned()
            }
            Err(_) => "write an address such as \"172.18.100.7\" or \"2001:db8::7\", or a prefix such as \"192.0.2.0/28\"".to_owned(),
        },
    }
}

/// Whether no VIP is listed twice or inside another; reports those that are.
fn apart(scope: &mut Scope<'_>, vips: &[(Prefix, Spot)]) -> bool {
    let mut sorted = vips.to_vec();
    sorted.sort_unstable_by_key(|(vip, spot)| (vip.address(), vip.length(), *spot));
    let mut sound = true;
    let mut outer: Option<(Prefix, Spot)> = None;
    for (vip, spot) in sorted {
        match outer {
            Some((around, first)) if around.contains(&vip) => {
                sound = false;
                overlapping(scope, (around, first), (vip, spot));
            }
            _ => outer = Some((vip, spot)),
        }
    }
    sound
}

fn overlapping(scope: &mut Scope<'_>, outer: (Prefix, Spot), inner: (Prefix, Spot)) {
    let message = if outer.0 == inner.0 {
        format!("VIP {} is listed twice", inner.0)
    } else {
        format!("VIP {} is part of {}", inner.0, outer.0)
    };
    let (earlier, later) = if outer.1 < inner.1 { (outer, inner) } else { (inner, outer) };
    let other = scope.report.label(earlier.1, format!("{} is listed here", earlier.0));
    scope
        .error(Code::OverlappingVips, later.1, message)
        .label("the same addresses again")
        .also(other)
        .help("leave one of them out");
}
