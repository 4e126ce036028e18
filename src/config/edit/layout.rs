//! The splices: which bytes an edit replaces, so that the file looks as a person would
//! have left it.

use std::ops::Range;

use toml::Value;

use super::entry::{Entries, Entry, Shape};

/// The text with another weight of one real server.
pub(super) fn set_weight(text: &str, entry: &Entry, weight: u32) -> Option<String> {
    let (at, new) = match (&entry.weight, entry.shape) {
        (Some(written), _) => (written.clone(), weight.to_string()),
        (None, Shape::Address) => {
            let address = &text[entry.span.clone()];
            (entry.span.clone(), format!("{{ address = {address}, weight = {weight} }}"))
        }
        (None, Shape::Inline) => {
            (entry.address.end..entry.address.end, format!(", weight = {weight}"))
        }
        (None, Shape::Table) => line_below(text, entry, weight),
    };
    Some(splice(text, at, &new))
}

/// A line for the weight below that of the address, as far in.
fn line_below(text: &str, entry: &Entry, weight: u32) -> (Range<usize>, String) {
    let line = line_of(text, entry.address.start);
    let indent: String = text[line.clone()].chars().take_while(|it| it.is_whitespace()).collect();
    let end = text[line.clone()].ends_with('\n');
    let new_line = if text[line.clone()].ends_with("\r\n") { "\r\n" } else { "\n" };
    let new = match end {
        true => format!("{indent}weight = {weight}{new_line}"),
        false => format!("{new_line}{indent}weight = {weight}"),
    };
    (line.end..line.end, new)
}

/// The text without one real server.
pub(super) fn remove(text: &str, entries: &Entries, index: usize) -> Option<String> {
    let entry = entries.all.get(index)?;
    let at = match entry.shape {
        Shape::Table => whole_table(text, entry),
        Shape::Address | Shape::Inline => item(text, entries, index)?,
    };
    Some(splice(text, at, ""))
}

/// An item of a list, with its comma: its lines, where it has them for itself.
fn item(text: &str, entries: &Entries, index: usize) -> Option<Range<usize>> {
    let entry = &entries.all[index];
    let lines = line_of(text, entry.span.start).start..line_of(text, entry.span.end - 1).end;
    let before = &text[lines.start..entry.span.start];
    let behind = &text[entry.span.end..lines.end];
    let rest = behind.trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    if before.trim().is_empty() && (rest.is_empty() || rest.starts_with('#')) {
        return Some(lines);
    }
    let previous = index.checked_sub(1).map(|index| entries.all[index].span.end);
    if let Some(previous) = previous.filter(|&end| end >= lines.start) {
        return Some(previous..entry.span.end);
    }
    // The first on its line, with something behind it.
    let next = entries.all.get(index + 1).map(|entry| entry.span.start);
    let behind = &text[entry.span.end..];
    let blank = behind.len() - behind.trim_start().len();
    let comma = behind[blank..].starts_with(',').then_some(entry.span.end + blank + 1);
    let end = match (next, comma) {
        (Some(next), _) if next < lines.end => next,
        (_, Some(comma)) => comma,
        _ => entry.span.end,
    };
    Some(entry.span.start..end)
}

/// A table with the comment right above it, and the blank lines that part it from what is
/// before.
fn whole_table(text: &str, entry: &Entry) -> Range<usize> {
    let mut start = line_of(text, entry.span.start).start;
    let end = line_of(text, entry.end.saturating_sub(1)).end;
    let mut above = |is_part: fn(&str) -> bool| {
        while start > 0 {
            let line = line_of(text, start - 1);
            if !is_part(text[line.clone()].trim()) {
                break;
            }
            start = line.start;
        }
    };
    above(|line| line.starts_with('#'));
    above(str::is_empty);
    start..end
}

fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1);
    start..end
}

fn splice(text: &str, at: Range<usize>, new: &str) -> String {
    [&text[..at.start], new, &text[at.end..]].concat()
}

/// What a file means when the real servers of a group are changed by `change`.
pub(super) fn meaning(
    text: &str,
    group: &str,
    change: impl FnOnce(&mut Vec<Value>) -> Option<()>,
) -> Option<toml::Table> {
    let mut meaning: toml::Table = text.parse().ok()?;
    let servers = meaning.get_mut("group")?.get_mut(group)?.get_mut("real");
    match servers {
        Some(servers) => change(servers.as_array_mut()?)?,
        None => change(&mut Vec::new())?,
    }
    Some(meaning)
}

/// Gives a real server, as TOML means it, a weight.
pub(super) fn weigh(server: &mut Value, weight: u32) -> Option<()> {
    if let Value::String(address) = server {
        let address = Value::String(std::mem::take(address));
        *server = Value::Table([("address".to_owned(), address)].into_iter().collect());
    }
    server.as_table_mut()?.insert("weight".to_owned(), Value::Integer(weight.into()));
    Some(())
}
