//! A value of several parts, such as persistence with its timeout, where the file has it as
//! a table: each part that becomes another is written where it stands, and the rest of the
//! table stays, with its comments.

use toml::Value;

use super::setting::Parts;
use super::{keys, meaning};
use crate::model::Persistence;

/// The text with the parts of `key` as they are wanted, and what the key means then; none
/// where the file does not have it as a table, or a word is all of it.
pub(super) fn set(text: &str, group: &str, key: &str, parts: &Parts) -> Option<(String, Value)> {
    if parts.rows.len() == 1 && !parts.keeps_others {
        return None;
    }
    let document: toml::Table = text.parse().ok()?;
    let mut means = document.get("group")?.get(group)?.get(key)?.as_table()?.clone();
    let path = [super::path(group), vec![super::Step::Key(key.to_owned())]].concat();
    let mut text = text.to_owned();
    let is_wanted = |name: &str| parts.rows.iter().any(|(wanted, _)| *wanted == name);
    let known: Vec<_> = means.keys().cloned().collect();
    for name in known.iter().filter(|name| !parts.keeps_others && !is_wanted(name)) {
        text = keys::keys(&text, &path)?.unset(&text, name)?;
        means.remove(name);
    }
    for (name, wanted) in &parts.rows {
        let value = meaning::value(wanted)?;
        if means.get(*name).is_some_and(|known| is_same(known, &value)) {
            continue;
        }
        text = keys::keys(&text, &path)?.set(&text, parts.order, name, wanted)?;
        means.insert((*name).to_owned(), value);
    }
    Some((text, Value::Table(means)))
}

/// Whether two values are written differently at most: `0xa` and 10, `10m` and `600s`.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Integer(number) => Some(*number),
        Value::String(text) => match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
        _ => None,
    };
    let time = |value: &Value| match value {
        Value::Integer(seconds) => u64::try_from(*seconds).ok(),
        _ => Persistence::parse_time(value.as_str()?).ok(),
    };
    one == other
        || number(one).is_some_and(|it| number(other) == Some(it))
        || time(one).is_some_and(|it| time(other) == Some(it))
}
