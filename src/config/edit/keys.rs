//! The keys of one table: setting one, and taking one out.
//!
//! A table is the lines below a header, keys with dots, or braces; what is new is written
//! as its neighbours are, and behind those that come before it in our order of keys.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::document::{Statement, Step, line_break, line_of, splice, statements};
use super::entry::end_of;
use super::piece;

/// A table whose keys are edited.
pub(super) enum Keys {
    /// Lines: the statements of the whole file, and the path to the table.
    Lines(Vec<Statement>, Vec<Step>),
    /// Braces, and the keys between them.
    Braces(Range<usize>, Vec<Key>),
}

/// A key between braces, with its value.
pub(super) struct Key {
    name: String,
    at: Range<usize>,
    value: Range<usize>,
}

/// The table that a path leads to.
pub(super) fn keys(text: &str, path: &[Step]) -> Option<Keys> {
    let statements = statements(text)?;
    let document = DeTable::parse(text).ok()?.into_inner();
    let (mut table, mut braces) = (&document, None);
    let mut steps = path.iter();
    while let Some(step) = steps.next() {
        let Step::Key(name) = step else { return None };
        let value = table.get(name.as_str())?;
        let (inner, span) = match value.get_ref() {
            DeValue::Table(inner) => (inner, value.span()),
            DeValue::Array(items) => {
                let Some(Step::Item(number)) = steps.next() else { return None };
                let item = items.get(*number)?;
                let DeValue::Table(inner) = item.get_ref() else { return None };
                (inner, item.span())
            }
            _ => return None,
        };
        if super::document::is_braced(text, &span) {
            braces = Some(span);
        }
        table = inner;
    }
    let Some(braces) = braces else { return Some(Keys::Lines(statements, path.to_vec())) };
    let mut keys: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let end = match value.get_ref() {
                DeValue::Table(inner) if !super::document::is_braced(text, &value.span()) => {
                    end_of(inner)
                }
                _ => value.span().end,
            };
            let name = key.get_ref().to_string();
            Key { name, at: key.span().start..end, value: value.span().start..end }
        })
        .collect();
    keys.sort_by_key(|key| key.at.start);
    Some(Keys::Braces(braces, keys))
}

impl Keys {
    /// The text with a key set to a value, which is TOML.
    pub(super) fn set(&self, text: &str, order: &[&str], key: &str, value: &str) -> Option<String> {
        match self {
            Self::Lines(statements, path) => lines_set(text, (statements, path), order, key, value),
            Self::Braces(braces, keys) => Some(braces_set(text, (braces, keys), order, key, value)),
        }
    }

    /// The text without a key.
    pub(super) fn unset(&self, text: &str, key: &str) -> Option<String> {
        match self {
            Self::Lines(statements, path) => {
                let mut below = path.clone();
                below.push(Step::Key(key.to_owned()));
                piece::remove(text, statements, &below)
            }
            Self::Braces(_, keys) => braces_unset(text, keys, key),
        }
    }
}

/// The rank of a key in our order; unknown ones come last.
fn rank(order: &[&str], key: &str) -> usize {
    order.iter().position(|known| *known == key).unwrap_or(order.len())
}

fn lines_set(
    text: &str,
    (statements, path): (&[Statement], &[Step]),
    order: &[&str],
    key: &str,
    value: &str,
) -> Option<String> {
    let mut below = path.to_vec();
    below.push(Step::Key(key.to_owned()));
    let own: Vec<_> = statements.iter().filter(|it| it.is_below(&below)).collect();
    if let [Statement { path, value: Some(written), .. }] = own.as_slice()
        && *path == below
    {
        return Some(splice(text, written.clone(), value));
    }
    if !own.is_empty() {
        // A table of its own becomes a value: it goes first, and what is left is read anew.
        let without = piece::remove(text, statements, &below)?;
        return keys(&without, path)?.set(&without, order, key, value);
    }
    let header = statements.iter().position(|it| it.value.is_none() && it.path == path);
    let beside: Vec<_> = statements
        .iter()
        .filter(|it| it.value.is_some() && it.is_below(path) && it.path.len() > path.len())
        .filter(|it| header.is_none() || it.section == header)
        .collect();
    let rank_of = |statement: &Statement| match &statement.path[path.len()] {
        Step::Key(name) => rank(order, name),
        Step::Item(_) => order.len(),
    };
    let lower = beside.iter().filter(|it| rank_of(it) <= rank(order, key));
    let before = lower.max_by_key(|it| rank_of(it));
    // The keys of this table itself, not of those in it: they show how it is written.
    let models: Vec<_> = beside.iter().filter(|it| it.path.len() == path.len() + 1).collect();
    let model = before.filter(|it| it.path.len() == path.len() + 1).or(models.first().copied());
    let lead = model.map_or("", |it| {
        text[line_of(text, it.key.start).start..it.key.start].trim_start_matches('\u{feff}')
    });
    let line = format!("{lead}{key}{}{value}", equals(text, &models, key));
    let new_line = line_break(text);
    let at = match (before, header) {
        (Some(before), _) => line_of(text, before.end().saturating_sub(1)).end,
        (None, Some(header)) => line_of(text, statements[header].key.start).end,
        (None, None) => line_of(text, beside.first()?.key.start).start,
    };
    let new = if at > 0 && !text[..at].ends_with('\n') {
        format!("{new_line}{line}")
    } else {
        format!("{line}{new_line}")
    };
    Some(splice(text, at..at, &new))
}

/// The equals sign, with the blanks that it has in the lines around.
fn equals(text: &str, models: &[&&Statement], key: &str) -> String {
    let widths: Vec<_> = models
        .iter()
        .filter_map(|it| {
            let between = &text[it.key.end..it.value.as_ref()?.start];
            let sign = between.find('=')?;
            Some((it.key.len() + sign, &between[sign..]))
        })
        .collect();
    let Some(&(width, sign)) = widths.first() else { return " = ".to_owned() };
    let is_even = widths.iter().all(|&(other, _)| other == width);
    // Of a single line it cannot be told, unless there is more than one blank.
    let is_aligned = is_even && (widths.len() > 1 || width > models[0].key.len() + 1);
    let least = usize::from(!widths.iter().all(|(_, sign)| sign.trim_end().len() == sign.len()));
    let pad = if is_aligned { width.saturating_sub(key.len()).max(least) } else { least };
    format!("{}{}", " ".repeat(pad), if sign.len() > 1 { "= " } else { "=" })
}

fn braces_set(
    text: &str,
    (braces, keys): (&Range<usize>, &[Key]),
    order: &[&str],
    key: &str,
    value: &str,
) -> String {
    if let Some(known) = keys.iter().find(|known| known.name == key) {
        let is_dotted = text[known.at.start..known.value.start].contains('=');
        return if is_dotted {
            splice(text, known.value.clone(), value)
        } else {
            splice(text, known.at.clone(), &format!("{key} = {value}"))
        };
    }
    let lower = keys.iter().filter(|known| rank(order, &known.name) <= rank(order, key));
    let before = lower.max_by_key(|known| rank(order, &known.name));
    match (before, keys.first()) {
        (Some(before), _) => {
            splice(text, before.at.end..before.at.end, &format!(", {key} = {value}"))
        }
        (None, Some(first)) => {
            splice(text, first.at.start..first.at.start, &format!("{key} = {value}, "))
        }
        (None, None) => splice(text, braces.clone(), &format!("{{ {key} = {value} }}")),
    }
}

fn braces_unset(text: &str, keys: &[Key], key: &str) -> Option<String> {
    let index = keys.iter().position(|known| known.name == key)?;
    let at = match (index.checked_sub(1), keys.get(index + 1)) {
        (Some(before), _) => keys[before].at.end..keys[index].at.end,
        (None, Some(next)) => keys[index].at.start..next.at.start,
        (None, None) => keys[index].at.clone(),
    };
    Some(splice(text, at, ""))
}
