//! Diagnostics as programs read them: the JSON twin of what people see.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use super::codes::Code;
use super::diagnostic::{ConfigErrors, Diagnostic, Label};

/// The document that stands for an error, whatever the command.
#[derive(Serialize)]
struct Document<'e> {
    format: u32,
    error: ConfigError<'e>,
}

/// The first error, for those who show one, and all of them.
#[derive(Serialize, JsonSchema)]
pub struct ConfigError<'e> {
    #[schemars(extend("const" = "config"))]
    kind: &'static str,
    /// The first error in a sentence.
    message: &'e str,
    /// What mends it.
    hint: Option<&'e str>,
    /// Where it is.
    spans: Vec<Span<'e>>,
    /// All that were found.
    errors: &'e [Diagnostic],
    /// How many more there are, where they are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

/// One mistake in the configuration, or something in it that deserves a warning.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Diagnostic")]
struct Entry<'e> {
    code: Code,
    /// It in a sentence.
    message: &'e str,
    /// What mends it.
    hint: Option<&'e str>,
    /// The group that it is about.
    group: Option<&'e str>,
    /// Where it is; the first is where it shows.
    spans: Vec<Span<'e>>,
}

/// A place in a file; lines and columns count from 1.
#[derive(Serialize, JsonSchema)]
struct Span<'e> {
    file: &'e str,
    line: usize,
    column: usize,
}

fn spans(labels: &[Label]) -> Vec<Span<'_>> {
    labels
        .iter()
        .map(|label| Span { file: label.file(), line: label.line(), column: label.column() })
        .collect()
}

impl Serialize for Diagnostic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = Entry {
            code: self.code,
            message: &self.message,
            hint: self.help.as_deref(),
            group: self.group.as_deref(),
            spans: spans(&self.labels),
        };
        entry.serialize(serializer)
    }
}

impl JsonSchema for Diagnostic {
    fn schema_name() -> Cow<'static, str> {
        Entry::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Entry::json_schema(generator)
    }
}

impl Serialize for ConfigErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document { format: 1, error: ConfigError::of(self) }.serialize(serializer)
    }
}

impl<'e> ConfigError<'e> {
    /// The twin of some errors.
    pub fn of(errors: &'e ConfigErrors) -> Self {
        let first = errors.diagnostics.first();
        Self {
            kind: "config",
            message: first.map_or("", |first| &first.message),
            hint: first.and_then(|first| first.help.as_deref()),
            spans: first.map_or(Vec::new(), |first| spans(&first.labels)),
            errors: &errors.diagnostics,
            omitted: (errors.omitted > 0).then_some(errors.omitted),
        }
    }
}
