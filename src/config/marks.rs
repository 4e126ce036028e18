//! `mark` and `marks`: the firewall marks that a user chooses.

use std::collections::BTreeMap;

use toml::de::DeValue;

use crate::model::{InvalidMark, Listener, Mark, MarkChoice, Mode};

use super::codes::Code;
use super::diagnostic::Spot;
use super::listeners::Written;
use super::reader::{Checked, Field, Fields, Reported, Scope, Value, integer};

/// The marks of a group, and where each was written.
pub(super) struct ReadMarks {
    pub(super) choice: MarkChoice,
    pub(super) written: Vec<(Mark, Spot)>,
}

/// Reads `mark` and `marks` of a group with these listeners.
pub(super) fn read(
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
    mode: Checked<Option<Mode>>,
    listeners: Checked<&[Written]>,
) -> Checked<ReadMarks> {
    // What is wrong with a mark itself is reported even where the mode is not known.
    let per_listener = mode.map(|mode| mode == Some(Mode::Ppc));
    match (fields.get("mark"), fields.get("marks")) {
        (None, None) => {
            let none = || MarkChoice::PerListener(BTreeMap::new());
            let choice = if per_listener? { none() } else { MarkChoice::Automatic };
            Ok(ReadMarks { choice, written: Vec::new() })
        }
        (Some(field), Some(other)) => {
            let other = scope.report.label(other.key, "and 'marks' here");
            scope
                .error(Code::MarkMisplaced, field.key, "a group has either 'mark' or 'marks'")
                .label("'mark' is set here")
                .also(other)
                .help("'marks' is for ppc, 'mark' for everything else");
            Err(Reported)
        }
        (Some(field), None) => single(scope, field, per_listener, listeners),
        (None, Some(field)) => several(scope, field, per_listener, listeners),
    }
}

fn single(
    scope: &mut Scope<'_>,
    field: Field<'_>,
    per_listener: Checked<bool>,
    listeners: Checked<&[Written]>,
) -> Checked<ReadMarks> {
    let mark = mark(scope, field.value, "mark")?;
    let written = vec![(mark, field.value.spot)];
    if !per_listener? {
        return Ok(ReadMarks { choice: MarkChoice::Fixed(mark), written });
    }
    match listeners? {
        [(listener, _)] => {
            let choice = MarkChoice::PerListener(BTreeMap::from([(*listener, mark)]));
            Ok(ReadMarks { choice, written })
        }
        listeners => {
            one_for_several(scope, field, mark, listeners);
            Err(Reported)
        }
    }
}

fn one_for_several(scope: &mut Scope<'_>, field: Field<'_>, mark: Mark, listeners: &[Written]) {
    let marks: Vec<_> = (mark.get()..)
        .zip(listeners.iter().take(4))
        .map(|(mark, (listener, _))| format!("\"{listener}\" = {mark}"))
        .collect();
    let and_more = if listeners.len() > 4 { ", …" } else { "" };
    let message = format!(
        "ppc gives each of the {} ports a mark of its own, so one 'mark' is not enough",
        listeners.len()
    );
    scope
        .error(Code::MarkMisplaced, field.key, message)
        .label("one mark")
        .help(format!("write marks = {{ {}{and_more} }}, or leave it out", marks.join(", ")));
}

fn several(
    scope: &mut Scope<'_>,
    field: Field<'_>,
    per_listener: Checked<bool>,
    listeners: Checked<&[Written]>,
) -> Checked<ReadMarks> {
    if per_listener == Ok(false) {
        scope
            .error(Code::MarkMisplaced, field.key, "only ppc has a mark for each port")
            .label("this group has one mark for all its ports")
            .help("write mark = NUMBER, or use persistence = \"ppc\"");
        return Err(Reported);
    }
    let DeValue::Table(table) = field.value.data else {
        let expected = "a table such as { \"80/tcp\" = 80 }";
        return Err(scope.wrong_type(field.value, "marks", expected));
    };
    let mut sound = true;
    let mut marks: BTreeMap<Listener, (Mark, Spot)> = BTreeMap::new();
    let entries = Fields::new(field.value.spot.file, field.value.spot, table).entries();
    for (name, entry) in entries {
        let listener = listener(scope, name, entry.key, listeners);
        let mark = mark(scope, entry.value, "marks");
        let (Ok(listener), Ok(mark)) = (listener, mark) else {
            sound = false;
            continue;
        };
        if let Some((_, first)) = marks.insert(listener, (mark, entry.value.spot)) {
            sound = false;
            let other = scope.report.label(first, "first mark of it");
            scope
                .error(Code::DuplicateKey, entry.key, format!("{listener} has two marks"))
                .label("again here")
                .also(other)
                .help("leave one of them out");
        }
    }
    if !sound {
        return Err(Reported);
    }
    let written = marks.values().copied().collect();
    let choice = marks.into_iter().map(|(listener, (mark, _))| (listener, mark)).collect();
    Ok(ReadMarks { choice: MarkChoice::PerListener(choice), written })
}

fn listener(
    scope: &mut Scope<'_>,
    name: &str,
    spot: Spot,
    listeners: Checked<&[Written]>,
) -> Checked<Listener> {
    let listeners = listeners?;
    let parsed = name.parse::<Listener>().ok();
    let found = parsed.filter(|parsed| listeners.iter().any(|(listener, _)| listener == parsed));
    found.ok_or_else(|| {
        let names: Vec<_> = listeners.iter().take(8).map(|(one, _)| one.to_string()).collect();
        let more = if listeners.len() > 8 { ", …" } else { "" };
        scope
            .error(
                Code::MarkOfForeignPort,
                spot,
                format!("a mark for '{name}', on which the group does not listen"),
            )
            .label("not one of its ports")
            .help(format!("the group listens on {}{more}", names.join(", ")));
        Reported
    })
}

fn mark(scope: &mut Scope<'_>, value: Value<'_>, key: &str) -> Checked<Mark> {
    let parsed = match (value.data, integer(value.data)) {
        (DeValue::String(text), _) => text.parse(),
        (_, Some(0)) => Err(InvalidMark::Zero),
        (_, Some(number)) => match u32::try_from(number).ok().and_then(Mark::new) {
            Some(mark) => Ok(mark),
            None if number < 0 => Err(InvalidMark::NotANumber(scope.written(value))),
            None => Err(InvalidMark::TooLarge(scope.written(value))),
        },
        _ => return Err(scope.wrong_type(value, key, "a number such as 10 or \"0xa\"")),
    };
    parsed.map_err(|error| {
        scope
            .error(Code::InvalidMark, value.spot, error.to_string())
            .help("marks are 1 to 4294967295 (0xffffffff); without one the group gets an automatic, stable mark");
        Reported
    })
}
