//! Diagnostics as programs read them: the JSON twin of what people see.

use serde::{Serialize, Serializer};

use super::codes::Code;
use super::diagnostic::{ConfigErrors, Diagnostic, Label};

/// The document that stands for an error, whatever the command.
#[derive(Serialize)]
struct Document<'e> {
    format: u32,
    error: Error<'e>,
}

/// The first error, for those who show one, and all of them.
#[derive(Serialize)]
struct Error<'e> {
    kind: &'static str,
    message: &'e str,
    hint: Option<&'e str>,
    spans: Vec<Span<'e>>,
    errors: &'e [Diagnostic],
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

#[derive(Serialize)]
struct Entry<'e> {
    code: Code,
    message: &'e str,
    hint: Option<&'e str>,
    group: Option<&'e str>,
    spans: Vec<Span<'e>>,
}

#[derive(Serialize)]
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

impl Serialize for ConfigErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = self.diagnostics.first();
        let error = Error {
            kind: "config",
            message: first.map_or("", |first| &first.message),
            hint: first.and_then(|first| first.help.as_deref()),
            spans: first.map_or(Vec::new(), |first| spans(&first.labels)),
            errors: &self.diagnostics,
            omitted: (self.omitted > 0).then_some(self.omitted),
        };
        Document { format: 1, error }.serialize(serializer)
    }
}
