//! The JSON Schema of the configuration, by which editors complete it.
//!
//! It knows the shape: tables, keys, types, words and bounds of numbers. What depends on
//! two keys at once, or on another group, `fwmarkctl check` knows. The keys are those of
//! [`schema`](super::schema), what is said of them is read from `docs/config.md`.

mod page;
mod values;

use schemars::Schema;
use serde_json::{Map, Value, json};

use self::page::told;
use self::values::{
    address, boolean, forward, interface, mark, marks_by_port, number, persistence, port, ports,
    scheduler, services, share, snat, sysctl, text, time, weight, words,
};
use super::schema::{DIRECTOR, DOCUMENT, GROUP, Keys, REAL_SERVER, SYNC, TIMEOUTS};
use crate::model::MAX_THRESHOLD;

/// The schema of fwmarkctl.toml and of the files in groups.d.
#[must_use]
pub fn json_schema() -> Schema {
    let document = table(&DOCUMENT, &[], |key| match key {
        "director" => json!({ "$ref": "#/$defs/director" }),
        _ => json!({
            "description": "The groups, by name.",
            "type": "object",
            "patternProperties": {
                "^[a-z0-9][a-z0-9_.-]{0,62}$": { "$ref": "#/$defs/group" },
            },
            "additionalProperties": false,
        }),
    });
    let Value::Object(document) = document else { return Schema::default() };
    let mut schema = Map::from_iter([
        ("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema")),
        ("title".to_owned(), json!("The configuration of fwmarkctl")),
    ]);
    schema.extend(document);
    schema.insert(
        "$defs".to_owned(),
        json!({
            "director": director(),
            "group": group(),
            "real": real_server(),
            "sysctl": sysctl(),
        }),
    );
    Schema::from(schema)
}

/// A table with its keys and no others.
fn table(keys: &Keys, required: &[&str], value: impl Fn(&str) -> Value) -> Value {
    let properties: Map<_, _> =
        keys.names.iter().map(|key| ((*key).to_owned(), value(key))).collect();
    let mut table = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

/// The same, with what the page says of each key below a heading.
fn described(
    keys: &Keys,
    heading: &str,
    required: &[&str],
    value: impl Fn(&str) -> Value,
) -> Value {
    table(keys, required, |key| {
        let mut value = value(key);
        value["description"] = told(heading, key).into();
        value
    })
}

fn director() -> Value {
    described(&DIRECTOR, "## `[director]`", &[], |key| match key {
        "backend" => words(&["nftables", "iptables"]),
        "variant" => words(&["auto", "nft", "legacy"]),
        "max-rules" => number(0, u32::MAX.into()),
        "marks" => text("^(0[xX][0-9a-fA-F]+|[0-9]+) *- *(0[xX][0-9a-fA-F]+|[0-9]+)$"),
        "local-traffic" => boolean(),
        "vips" => words(&["local", "route", "bind"]),
        "interface" => interface(),
        "ask-above" => share(),
        "sysctl" => json!({ "$ref": "#/$defs/sysctl" }),
        "timeouts" => described(&TIMEOUTS, "### `[director.timeouts]`", &[], |_| time()),
        _ => sync(),
    })
}

fn sync() -> Value {
    described(&SYNC, "### `[director.sync]`", &["role", "interface"], |key| match key {
        "role" => words(&["master", "backup", "both"]),
        "interface" => interface(),
        "id" | "ttl" => number(0, 255),
        "group" => address(),
        "port" => port(),
        _ => number(0, u16::MAX.into()),
    })
}

fn group() -> Value {
    described(&GROUP, "## `[group.NAME]`", &["vips", "real"], |key| match key {
        "vips" => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        "ports" => ports(),
        "services" => services(),
        "mark" => mark(),
        "marks" => marks_by_port(),
        "via" => words(&["mark", "address"]),
        "persistence" => persistence(),
        "scheduler" => scheduler(),
        "one-packet" | "enabled" => boolean(),
        "forward" => forward(),
        "snat" => snat(),
        _ => json!({
            "type": "array",
            "items": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/real" }] },
            "minItems": 1,
        }),
    })
}

fn real_server() -> Value {
    described(&REAL_SERVER, "### `real`", &["address"], |key| match key {
        "address" => address(),
        "port" => port(),
        "weight" => weight(),
        "forward" => forward(),
        _ => number(0, MAX_THRESHOLD.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::{PERSISTENCE, SCHEDULER, TUNNEL};
    use super::*;

    fn keys(schema: &Value) -> Vec<&str> {
        let properties = schema["properties"].as_object().expect("a table");
        properties.keys().map(String::as_str).collect()
    }

    fn sorted(keys: &Keys) -> Vec<&'static str> {
        let mut names = keys.names.to_vec();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_table_has_the_keys_that_are_read() {
        let (persistence, scheduler, forward) = (persistence(), scheduler(), forward());
        let in_table = |schema: &Value| {
            let forms = schema["anyOf"].as_array().expect("several forms").clone();
            forms.into_iter().find(|form| form["type"] == "object").expect("a table")
        };
        for (schema, names) in [
            (director(), DIRECTOR),
            (sync(), SYNC),
            (group(), GROUP),
            (real_server(), REAL_SERVER),
            (in_table(&persistence), PERSISTENCE),
            (in_table(&scheduler), SCHEDULER),
            (in_table(&forward), TUNNEL),
        ] {
            assert_eq!(keys(&schema), sorted(&names), "{}", names.of);
        }
    }

    #[test]
    fn every_key_is_described() {
        fn silent(value: &Value, path: &str, found: &mut Vec<String>) {
            let Some(object) = value.as_object() else { return };
            for (key, value) in
                object.get("properties").and_then(Value::as_object).into_iter().flatten()
            {
                let is_said = value["description"].as_str().is_some_and(|text| text.len() > 4);
                if !is_said && value.get("$ref").is_none() {
                    found.push(format!("{path}.{key}"));
                }
            }
            for (key, value) in object {
                silent(value, &format!("{path}.{key}"), found);
            }
        }
        let mut found = Vec::new();
        silent(json_schema().as_value(), "", &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
