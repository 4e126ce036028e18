//! Typed access to a parsed TOML document that knows where each value stands.
//!
//! serde stops at the first error; this walks `toml`'s spanned tree, so that a run
//! shows every mistake at once, each at its own place.

use toml::de::{DeTable, DeValue};

use super::codes::Code;
use super::diagnostic::{Diagnostic, Report, Spot};
use super::schema::{self, Keys};
use super::text::{either, nearest};

/// What stands for a value whose mistake is reported already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reported;

/// A value, unless its mistake is reported already.
pub(super) type Checked<T> = Result<T, Reported>;

/// A value and its place.
#[derive(Clone, Copy)]
pub(super) struct Value<'d> {
    pub(super) spot: Spot,
    pub(super) data: &'d DeValue<'d>,
}

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Field<'d> {
    pub(super) key: Spot,
    pub(super) value: Value<'d>,
}

/// A table whose keys are known to exist.
#[derive(Clone, Copy)]
pub(super) struct Fields<'d> {
    file: u32,
    pub(super) spot: Spot,
    table: &'d DeTable<'d>,
}

fn spot(file: u32, span: &std::ops::Range<usize>) -> Spot {
    let number = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
    Spot { file, start: number(span.start), end: number(span.end) }
}

impl<'d> Fields<'d> {
    pub(super) fn new(file: u32, spot: Spot, table: &'d DeTable<'d>) -> Self {
        Self { file, spot, table }
    }

    /// The field of a key.
    pub(super) fn get(&self, key: &str) -> Option<Field<'d>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Field {
            key: spot(self.file, &key.span()),
            value: Value { spot: spot(self.file, &value.span()), data: value.get_ref() },
        })
    }

    /// Every field with its key, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'d str, Field<'d>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let value_spot = spot(self.file, &value.span());
                let value = Value { spot: value_spot, data: value.get_ref() };
                (&**key.get_ref(), Field { key: spot(self.file, &key.span()), value })
            })
            .collect();
        entries.sort_by_key(|(_, field)| field.key);
        entries
    }
}

/// Where mistakes go, and which group they are about.
pub(super) struct Scope<'r> {
    pub(super) report: &'r mut Report,
    pub(super) group: Option<String>,
}

impl Scope<'_> {
    /// Reports a mistake; the sentence gets the group's name in front.
    pub(super) fn error(
        &mut self,
        code: Code,
        spot: Spot,
        message: impl AsRef<str>,
    ) -> &mut Diagnostic {
        let message = message.as_ref();
        match &self.group {
            None => self.report.error(code, spot, message),
            Some(group) => {
                let group = super::text::clean(group);
                let diagnostic =
                    self.report.error(code, spot, &format!("group {group}: {message}"));
                diagnostic.group = Some(group);
                diagnostic
            }
        }
    }

    /// Reports that a value is of another type than its key takes.
    pub(super) fn wrong_type(&mut self, value: Value<'_>, key: &str, expected: &str) -> Reported {
        self.wrong_type_with_help(value, key, expected, None)
    }

    /// The same with a remedy; without one it is an example.
    pub(super) fn wrong_type_with_help(
        &mut self,
        value: Value<'_>,
        key: &str,
        expected: &str,
        help: Option<String>,
    ) -> Reported {
        let example = || match schema::example(key) {
            Some(example) => format!("for example: {example}"),
            None => format!("write {expected}"),
        };
        let help = help.unwrap_or_else(example);
        self.mismatch(value, key, expected).help(help);
        Reported
    }

    fn mismatch(&mut self, value: Value<'_>, key: &str, expected: &str) -> &mut Diagnostic {
        let found = describe(value.data);
        let message = format!("{key} takes {expected}, but here is {found}");
        self.error(Code::WrongType, value.spot, message).label(format!("expected {expected}"))
    }

    /// A table, its unknown keys reported.
    pub(super) fn table<'d>(
        &mut self,
        value: Value<'d>,
        key: &str,
        keys: &Keys,
    ) -> Checked<Fields<'d>> {
        let DeValue::Table(table) = value.data else {
            return Err(self.wrong_type(value, key, "a table"));
        };
        let fields = Fields::new(value.spot.file, value.spot, table);
        self.known_keys(&fields, keys);
        Ok(fields)
    }

    /// Reports the keys of a table that do not exist.
    pub(super) fn known_keys(&mut self, fields: &Fields<'_>, keys: &Keys) {
        for (key, field) in fields.entries() {
            if keys.names.contains(&key) {
                continue;
            }
            let plain = key.replace('-', "_");
            let other = keys.others.iter().find(|(other, _)| *other == plain);
            let help = match (other, nearest(key, keys.names.iter().copied())) {
                (Some((_, hint)), _) => (*hint).to_owned(),
                (None, Some(near)) => format!("did you mean '{near}'?"),
                (None, None) => format!("the keys of {} are {}", keys.of, keys.names.join(", ")),
            };
            self.error(Code::UnknownKey, field.key, format!("unknown key '{key}' in {}", keys.of))
                .label("no such key")
                .help(help);
        }
    }

    /// The field of a key that the table at `place` cannot do without.
    pub(super) fn required<'d>(
        &mut self,
        fields: &Fields<'d>,
        key: &str,
        place: Spot,
        message: &str,
        help: &str,
    ) -> Checked<Field<'d>> {
        fields.get(key).ok_or_else(|| {
            self.error(Code::MissingKey, place, message).label(format!("no {key}")).help(help);
            Reported
        })
    }

    /// A string.
    pub(super) fn text<'d>(
        &mut self,
        value: Value<'d>,
        key: &str,
        expected: &str,
    ) -> Checked<&'d str> {
        match value.data {
            DeValue::String(text) => Ok(text),
            _ => Err(self.wrong_type(value, key, expected)),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, value: Value<'_>, key: &str) -> Checked<bool> {
        match value.data {
            DeValue::Boolean(boolean) => Ok(*boolean),
            _ => {
                let written = self.source(value.spot).trim_matches(['"', '\'']).to_lowercase();
                let meant = match written.as_str() {
                    "yes" | "on" | "true" | "1" => Some(true),
                    "no" | "off" | "false" | "0" => Some(false),
                    _ => None,
                };
                let help = meant.map(|meant| format!("write {key} = {meant}"));
                Err(self.wrong_type_with_help(value, key, "true or false", help))
            }
        }
    }

    /// An integer.
    pub(super) fn integer(&mut self, value: Value<'_>, key: &str, expected: &str) -> Checked<i128> {
        integer(value.data).ok_or_else(|| {
            let quoted = match value.data {
                DeValue::String(text) => text.parse::<u64>().ok(),
                _ => None,
            };
            let help = quoted.map(|number| format!("a number has no quotes: {key} = {number}"));
            self.wrong_type_with_help(value, key, expected, help)
        })
    }

    /// The values of an array.
    pub(super) fn list<'d>(
        &mut self,
        value: Value<'d>,
        key: &str,
        expected: &str,
    ) -> Checked<Vec<Value<'d>>> {
        let DeValue::Array(array) = value.data else {
            let written = self.source(value.spot).to_owned();
            let single = matches!(value.data, DeValue::String(_) | DeValue::Integer(_));
            let help = (single && written.len() < 80)
                .then(|| format!("a list has brackets: {key} = [{written}]"));
            return Err(self.wrong_type_with_help(value, key, expected, help));
        };
        let file = value.spot.file;
        Ok(array
            .iter()
            .map(|item| Value { spot: spot(file, &item.span()), data: item.get_ref() })
            .collect())
    }

    /// One of the words that a key takes.
    pub(super) fn word<T: Copy>(
        &mut self,
        value: Value<'_>,
        key: &str,
        words: &[(&str, T)],
    ) -> Checked<T> {
        let names: Vec<&str> = words.iter().map(|&(name, _)| name).collect();
        let expected = either(&names);
        let written = self.text(value, key, &expected)?;
        if let Some(&(_, meaning)) = words.iter().find(|&&(name, _)| name == written) {
            return Ok(meaning);
        }
        let help = match nearest(written, names.iter().copied()) {
            Some(near) => format!("did you mean '{near}'? {key} takes {expected}"),
            None => format!("{key} takes {expected}"),
        };
        self.error(Code::UnknownWord, value.spot, format!("{key} cannot be '{written}'"))
            .label(format!("not {expected}"))
            .help(help);
        Err(Reported)
    }

    /// A value as it is written.
    pub(super) fn written(&self, value: Value<'_>) -> String {
        self.source(value.spot).to_owned()
    }

    /// The text of a file at a place.
    pub(super) fn source(&self, spot: Spot) -> &str {
        let text = self.report.file(spot.file).text();
        text.get(spot.start as usize..spot.end as usize).unwrap_or("")
    }
}

/// The number of an integer; one beyond 128 bits counts as the largest.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i128> {
    let DeValue::Integer(integer) = value else { return None };
    let beyond = if integer.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
    Some(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(beyond))
}

/// What a value is, with its article.
fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
