//! The values that keys take, in each form in which they may be written.

use serde_json::{Value, json};

use super::page::told;
use super::{described, table};
use crate::config::presets::Presets;
use crate::config::schema::{PERSISTENCE, SCHEDULER, TUNNEL};
use crate::model::{KNOWN_SCHEDULERS, MAX_TIMEOUT, MAX_WEIGHT};

/// A port, a range or `any`, with or without its protocol.
const PORTS: &str = "^(any|[0-9]{1,5}(-[0-9]{1,5})?)(/(tcp|udp|sctp))?$";

const FLAGS: [&str; 9] = [
    "fallback",
    "port",
    "sh-fallback",
    "sh-port",
    "mh-fallback",
    "mh-port",
    "flag-1",
    "flag-2",
    "flag-3",
];

pub(super) fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

pub(super) fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

pub(super) fn number(least: i64, most: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

pub(super) fn port() -> Value {
    number(1, u16::MAX.into())
}

pub(super) fn weight() -> Value {
    number(0, MAX_WEIGHT.into())
}

pub(super) fn address() -> Value {
    text("^[0-9a-fA-F:.]+$")
}

/// The name of a device, as the kernel takes it.
pub(super) fn interface() -> Value {
    text("^[^/\\s]{1,15}$")
}

/// A time: seconds, or a number with its unit.
pub(super) fn time() -> Value {
    json!({ "anyOf": [number(1, MAX_TIMEOUT.into()), text("^[0-9]+[smhd]?$")] })
}

/// A share: percent, with or without its sign.
pub(super) fn share() -> Value {
    json!({ "anyOf": [number(0, 100), text("^ *(0*[0-9]{1,2}|0*100) *%? *$")] })
}

pub(super) fn mark() -> Value {
    json!({ "anyOf": [number(1, u32::MAX.into()), text("^(0[xX][0-9a-fA-F]+|[0-9]+)$")] })
}

pub(super) fn marks_by_port() -> Value {
    json!({
        "type": "object",
        "propertyNames": { "pattern": PORTS },
        "additionalProperties": mark(),
    })
}

pub(super) fn ports() -> Value {
    json!({ "type": "array", "items": { "anyOf": [text(PORTS), port()] } })
}

/// Those that ship, for editors to offer, and those of an administrator.
pub(super) fn services() -> Value {
    let presets = Presets::shipped();
    let shipped: Vec<_> = presets.names().collect();
    json!({
        "type": "array",
        "items": { "anyOf": [{ "enum": shipped }, text("^[a-z0-9][a-z0-9_.-]*$")] },
    })
}

pub(super) fn snat() -> Value {
    json!({
        "anyOf": [address(), { "type": "array", "items": address(), "minItems": 1, "maxItems": 2 }],
    })
}

pub(super) fn persistence() -> Value {
    let modes = words(&["none", "ppc", "pcc", "pfwmc"]);
    let in_table = table(&PERSISTENCE, &["mode"], |key| {
        let mut value = match key {
            "mode" => modes.clone(),
            "timeout" => time(),
            "netmask" => number(1, 32),
            "netmask6" => number(1, 128),
            _ => words(&["sip"]),
        };
        value["description"] = match key {
            "mode" => told("## `[group.NAME]`", "persistence"),
            key => told("### `persistence`", key),
        }
        .into();
        value
    });
    json!({ "anyOf": [modes, in_table] })
}

pub(super) fn scheduler() -> Value {
    // The running kernel may have others.
    let name = json!({
        "anyOf": [words(&KNOWN_SCHEDULERS), text("^[a-z0-9_]{1,15}$")],
    });
    let in_table = described(&SCHEDULER, "### `scheduler`", &["name"], |key| match key {
        "name" => name.clone(),
        _ => json!({ "type": "array", "items": words(&FLAGS) }),
    });
    json!({ "anyOf": [name, in_table] })
}

pub(super) fn forward() -> Value {
    let tunnel = table(&TUNNEL, &["type"], |key| match key {
        "type" => json!({ "description": "the tunnel", "enum": ["ipip", "gue", "gre"] }),
        "port" => {
            let mut port = port();
            port["description"] = "the UDP port of gue (default: 6080)".into();
            port
        }
        _ => json!({
            "description": "the checksum of gue and gre; remcsum is of gue (default: none)",
            "enum": ["none", "csum", "remcsum"],
        }),
    });
    json!({ "anyOf": [words(&["dr", "nat", "tun", "fullnat"]), tunnel] })
}

/// Parameters by their names, whose dots may be tables.
pub(super) fn sysctl() -> Value {
    json!({
        "description": told("## `[director]`", "sysctl"),
        "type": "object",
        "additionalProperties": {
            "anyOf": [
                { "type": "integer" },
                text("^ *-?[0-9]+( +-?[0-9]+)* *$"),
                { "$ref": "#/$defs/sysctl" },
            ],
        },
    })
}
