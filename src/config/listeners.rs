//! `ports` and `services`: what a group listens on.

use toml::de::DeValue;

use crate::model::{InvalidPorts, Listener, Listeners, Mode};

use super::codes::Code;
use super::diagnostic::Spot;
use super::presets::Presets;
use super::reader::{Checked, Fields, Reported, Scope, Value, integer};

/// What a list of ports takes, for messages.
const EXPECTED: &str = "ports such as \"80/tcp\" or \"8000-8100/udp\"";

/// A listener, and where it was written.
pub(super) type Written = (Listener, Spot);

/// The listeners of a group, and where each was written.
pub(super) struct ReadListeners {
    pub(super) listeners: Listeners,
    pub(super) written: Vec<Written>,
}

/// Reads `ports` and `services`; `header` is the place of the group.
pub(super) fn read(
    scope: &mut Scope<'_>,
    header: Spot,
    fields: &Fields<'_>,
    mode: Checked<Option<Mode>>,
    presets: &Presets,
) -> Checked<ReadListeners> {
    let mut any = None;
    let ports = fields.get("ports").map(|field| ports(scope, field.value, &mut any));
    let services = fields.get("services").map(|field| services(scope, field.value, presets));
    let none = ports.is_none() && services.is_none();
    let mut written = Vec::new();
    let mut sound = true;
    for part in [ports, services].into_iter().flatten() {
        match part {
            Ok(part) => written.extend(part),
            Err(Reported) => sound = false,
        }
    }
    let (true, mode) = (sound, mode?) else { return Err(Reported) };
    match mode {
        Some(Mode::Pcc) => all(scope, any.unwrap_or(header), fields, &written),
        _ if any.is_some() => every_port(scope, any.unwrap_or(header), mode, &written),
        _ if written.is_empty() => {
            let at = fields.get("ports").or(fields.get("services")).filter(|_| !none);
            let spot = at.map_or(header, |field| field.key);
            scope
                .error(Code::NoPorts, spot, "no ports")
                .label("nothing to listen on")
                .help("add ports = [\"80/tcp\"] or services = [\"http\"]; for every port of the VIPs use persistence = \"pcc\"");
            Err(Reported)
        }
        _ => sorted(scope, written),
    }
}

/// PCC takes the whole VIP.
fn all(
    scope: &mut Scope<'_>,
    at: Spot,
    fields: &Fields<'_>,
    written: &[Written],
) -> Checked<ReadListeners> {
    if written.is_empty() {
        return Ok(any(at));
    }
    let key = if fields.get("ports").is_some() { "ports" } else { "services" };
    let spot = fields.get(key).map_or(at, |field| field.key);
    let persistence = fields.get("persistence").map_or(spot, |field| field.value.spot);
    let other = scope.report.label(persistence, "pcc is asked for here");
    scope
        .error(
            Code::PccWithPorts,
            spot,
            format!("pcc covers every port of a VIP, so it takes no {key}"),
        )
        .label("these would be ignored")
        .also(other)
        .help(format!("leave {key} out, or use persistence = \"pfwmc\" to bind just these ports"));
    Err(Reported)
}

fn every_port(
    scope: &mut Scope<'_>,
    at: Spot,
    mode: Option<Mode>,
    written: &[Written],
) -> Checked<ReadListeners> {
    if mode == Some(Mode::Ppc) {
        scope
            .error(
                Code::AnyMisplaced,
                at,
                "ppc gives each port a mark, and \"any\" is 196,608 ports",
            )
            .label("not with ppc")
            .help("use persistence = \"pcc\": a client stays for all it does, or name the ports");
        return Err(Reported);
    }
    if let Some(&(other, spot)) = written.first() {
        let other = scope.report.label(spot, format!("{other} is part of it"));
        scope
            .error(Code::AnyMisplaced, at, "\"any\" is every port, so it stands alone")
            .also(other)
            .help("leave either \"any\" or the other ports out");
        return Err(Reported);
    }
    Ok(any(at))
}

fn any(at: Spot) -> ReadListeners {
    let listeners = Listeners::Any;
    let written = listeners.iter().map(|listener| (listener, at)).collect();
    ReadListeners { listeners, written }
}

/// Sorts the listeners, merges identical ones and refuses those that overlap.
fn sorted(scope: &mut Scope<'_>, mut written: Vec<Written>) -> Checked<ReadListeners> {
    written.sort_unstable();
    written.dedup_by_key(|(listener, _)| *listener);
    let mut sound = true;
    for pair in written.windows(2) {
        let [(first, first_spot), (second, second_spot)] = pair else { continue };
        if first.protocol == second.protocol && first.ports.overlaps(second.ports) {
            sound = false;
            let (earlier, later) = if first_spot < second_spot {
                ((first, *first_spot), (second, *second_spot))
            } else {
                ((second, *second_spot), (first, *first_spot))
            };
            let other = scope.report.label(earlier.1, format!("{} is listed here", earlier.0));
            scope
                .error(
                    Code::OverlappingPorts,
                    later.1,
                    format!("{} and {} overlap", earlier.0, later.0),
                )
                .label("some of these ports are listed already")
                .also(other)
                .help("list each port once");
        }
    }
    if !sound {
        return Err(Reported);
    }
    let listeners = Listeners::Ports(written.iter().map(|&(listener, _)| listener).collect());
    Ok(ReadListeners { listeners, written })
}

/// Reads a list of ports; `any` is where "any" stands, if it does.
pub(super) fn ports(
    scope: &mut Scope<'_>,
    value: Value<'_>,
    any: &mut Option<Spot>,
) -> Checked<Vec<Written>> {
    let list = scope.list(value, "ports", "a list of ports such as [\"80/tcp\"]")?;
    let mut sound = true;
    let mut written = Vec::with_capacity(list.len());
    for item in list {
        if matches!(item.data, DeValue::String(text) if text == "any") {
            any.get_or_insert(item.spot);
            continue;
        }
        match port(scope, item) {
            Ok(listener) => written.push((listener, item.spot)),
            Err(Reported) => sound = false,
        }
    }
    if sound { Ok(written) } else { Err(Reported) }
}

fn port(scope: &mut Scope<'_>, item: Value<'_>) -> Checked<Listener> {
    let text = match (item.data, integer(item.data)) {
        (DeValue::String(text), _) => text.as_ref().to_owned(),
        (_, Some(number)) => number.to_string(),
        _ => return Err(scope.wrong_type(item, "ports", EXPECTED)),
    };
    text.parse().map_err(|error: InvalidPorts| {
        let help = port_help(&text, &error);
        let message = match error {
            InvalidPorts::NotAPort(_) => format!("'{text}' is not a port"),
            error => error.to_string(),
        };
        scope.error(Code::InvalidPort, item.spot, message).help(help);
        Reported
    })
}

/// What was probably meant by a text that is no port.
fn port_help(text: &str, error: &InvalidPorts) -> String {
    let meant = |text: String| text.parse::<Listener>().ok().map(|listener| listener.to_string());
    let lower = meant(text.trim().to_lowercase());
    let turned = text.split_once('/').and_then(|(left, right)| meant(format!("{right}/{left}")));
    let colon = meant(text.replace(':', "-"));
    if let InvalidPorts::Reversed { first, last } = error {
        return format!(
            "write \"{}\"",
            text.replace(&format!("{first}-{last}"), &format!("{last}-{first}"))
        );
    }
    if let InvalidPorts::Zero = error {
        return "ports are 1 to 65535; for every port write ports = [\"any\"]".to_owned();
    }
    if let InvalidPorts::TooLarge(_) = error {
        return "ports are 1 to 65535".to_owned();
    }
    if let Some(meant) = lower.or(turned).or(colon) {
        return format!("write \"{meant}\"");
    }
    if text.contains(',') {
        return "each port is an entry of its own: ports = [\"80/tcp\", \"443/tcp\"]".to_owned();
    }
    let name = text.split('/').next().unwrap_or(text);
    if Presets::is_shipped(name) {
        return format!("names of services go into services = [\"{name}\"]");
    }
    format!("write {EXPECTED}; without a protocol it is tcp")
}

/// Reads a list of services.
fn services(scope: &mut Scope<'_>, value: Value<'_>, presets: &Presets) -> Checked<Vec<Written>> {
    let list = scope.list(value, "services", "a list of services such as [\"http\"]")?;
    let mut sound = true;
    let mut written = Vec::new();
    for item in list {
        let Ok(name) = scope.text(item, "services", "names of services such as \"http\"") else {
            sound = false;
            continue;
        };
        if let Some(preset) = presets.get(name) {
            written.extend(preset.ports.iter().map(|&listener| (listener, item.spot)));
            continue;
        }
        sound = false;
        if presets.is_broken(name) {
            continue;
        }
        let help = match presets.nearest(name) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "`fwmarkctl preset list` shows the services".to_owned(),
        };
        scope
            .error(Code::UnknownPreset, item.spot, format!("unknown service '{name}'"))
            .label("no preset has this name")
            .help(help);
    }
    if sound { Ok(written) } else { Err(Reported) }
}
