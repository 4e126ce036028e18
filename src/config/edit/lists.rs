//! A list of a group, such as its ports, made what it shall be: items that stay keep their
//! place and their comments.

use std::collections::BTreeSet;

use toml::de::{DeTable, DeValue};

use super::document::splice;
use super::list::List;
use crate::model::{Listener, Prefix};

/// The text with the list `key` of a group holding these items, and no others; none where
/// there is no list of texts and numbers, or none of its items stays.
pub(super) fn set(text: &str, group: &str, key: &str, wanted: &[String]) -> Option<String> {
    let meant: Vec<_> = wanted.iter().map(|item| meaning(key, &plain(item))).collect();
    let (_, names) = read(text, group, key)?;
    if !names.iter().any(|name| meant.contains(name)) {
        return None;
    }
    let mut text = text.to_owned();
    loop {
        let (list, names) = read(&text, group, key)?;
        let Some(index) = names.iter().position(|name| !meant.contains(name)) else { break };
        text = splice(&text, list.piece(&text, index), "");
    }
    let (list, names) = read(&text, group, key)?;
    let mut new: Vec<String> = Vec::new();
    for (item, name) in wanted.iter().zip(&meant) {
        if !names.contains(name) && !new.contains(item) {
            new.push(item.clone());
        }
    }
    Some(if new.is_empty() { text } else { list.append(&text, &new) })
}

/// The list, and what each of its items means.
fn read(text: &str, group: &str, key: &str) -> Option<(List, Vec<String>)> {
    let document = DeTable::parse(text).ok()?.into_inner();
    let DeValue::Table(groups) = document.get("group")?.get_ref() else { return None };
    let DeValue::Table(own) = groups.get(group)?.get_ref() else { return None };
    let value = own.get(key)?;
    let DeValue::Array(items) = value.get_ref() else { return None };
    let names = items
        .iter()
        .map(|item| match item.get_ref() {
            DeValue::String(text) => Some(meaning(key, text)),
            DeValue::Integer(_) => Some(meaning(key, &text[item.span()])),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let spans = items.iter().map(toml::Spanned::span).collect();
    Some((List { at: value.span(), items: spans }, names))
}

/// What a list is after [`set`], if it holds these items and no others.
pub(super) fn value(text: &str, group: &str, key: &str, wanted: &[String]) -> Option<toml::Value> {
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    let wanted = wanted.iter().map(|item| meaning(key, &plain(item))).collect();
    let (list, names) = read(text, group, key)?;
    (set(names) == set(wanted)).then(|| super::meaning::value(&text[list.at]))?
}

/// A text of TOML as what it says.
fn plain(item: &str) -> String {
    let table = format!("x = {item}").parse::<toml::Table>().ok();
    match table.as_ref().and_then(|table| table.get("x")) {
        Some(toml::Value::String(text)) => text.clone(),
        _ => item.to_owned(),
    }
}

/// What an item means, whatever way it is written: `80` is `80/tcp`.
fn meaning(key: &str, item: &str) -> String {
    let same = match key {
        "ports" => item.parse::<Listener>().map(|listener| listener.to_string()).ok(),
        "vips" => item.parse::<Prefix>().map(|vip| vip.to_string()).ok(),
        _ => None,
    };
    same.unwrap_or_else(|| item.to_owned())
}
