//! The real servers of a group: splices that add one, change one, take one out.

use super::super::schema;
use super::document::{Step, line_break, line_of, splice, statements};
use super::entry::{Entries, Shape};
use super::piece;
use super::{NewServer, ServerName};
use crate::config::write::{Table, inline};

/// The text with more real servers behind the last one of a group, written as that one is:
/// in the list, or as tables.
pub(super) fn add(text: &str, group: &str, new: &[NewServer]) -> Option<String> {
    let entries = Entries::of(text, group)?;
    if let Some(list) = &entries.list {
        let new: Vec<_> = new.iter().map(item).collect();
        return Some(list.append(text, &new));
    }
    let index = entries.all.len().checked_sub(1)?;
    let header = entries.all[index].span.clone();
    let statements = statements(text)?;
    let last = piece::pieces(text, &statements, &path(group, index));
    let end = last.iter().map(|piece| piece.end).max()?;
    let new_line = line_break(text);
    // As the last one: with or without a blank line before it.
    let line = line_of(text, header.start);
    let above = if line.start == 0 { "" } else { &text[line_of(text, line.start - 1)] };
    let gap = if above.trim().is_empty() { new_line } else { "" };
    let mut grown = String::new();
    if !text[..end].ends_with('\n') {
        grown += new_line;
    }
    for server in new {
        let mut table = Table::new(&[]);
        for (key, value) in &server.rows {
            table.set(key, value);
        }
        let rows = table.rows().replace('\n', new_line);
        grown += &format!("{gap}{}{new_line}{rows}", &text[header.clone()]);
    }
    Some(splice(text, end..end, &grown))
}

/// An address alone where there is nothing else to say.
pub(super) fn item(server: &NewServer) -> String {
    match server.rows.as_slice() {
        [(_, address)] => address.clone(),
        rows => inline(rows),
    }
}

/// What [`add`] writes of a real server.
pub(super) fn meaning(text: &str, group: &str, server: &NewServer) -> Option<toml::Value> {
    let in_list = Entries::of(text, group)?.list.is_some();
    super::meaning::value(&if in_list { item(server) } else { inline(&server.rows) })
}

/// The text with a key of a real server set to a value.
pub(super) fn set(
    text: &str,
    group: &str,
    name: ServerName,
    (key, value): (&str, &str),
) -> Option<String> {
    let entries = Entries::of(text, group)?;
    let (index, entry) = entries.find(name)?;
    if entry.shape == Shape::Address {
        let address = &text[entry.span.clone()];
        let table = format!("{{ address = {address}, {key} = {value} }}");
        return Some(splice(text, entry.span.clone(), &table));
    }
    let keys = super::keys::keys(text, &path(group, index))?;
    keys.set(text, schema::REAL_SERVER.names, key, value)
}

/// The text without a key of a real server.
pub(super) fn unset(text: &str, group: &str, name: ServerName, key: &str) -> Option<String> {
    let entries = Entries::of(text, group)?;
    let (index, _) = entries.find(name)?;
    super::keys::keys(text, &path(group, index))?.unset(text, key)
}

/// The text without a real server.
pub(super) fn remove(text: &str, group: &str, name: ServerName) -> Option<String> {
    let entries = Entries::of(text, group)?;
    let (index, _) = entries.find(name)?;
    match &entries.list {
        Some(list) => Some(splice(text, list.piece(text, index), "")),
        None => piece::remove(text, &statements(text)?, &path(group, index)),
    }
}

fn path(group: &str, index: usize) -> Vec<Step> {
    let mut path: Vec<_> = super::path(group);
    path.extend([Step::Key("real".to_owned()), Step::Item(index)]);
    path
}
