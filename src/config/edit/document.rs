//! What stands where in a file: each statement of TOML, a header or a key with its value,
//! with its path and its place.
//!
//! The parser says where names and values are, and all else follows from that. A table in
//! braces is one statement, the value of its key.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A step from a table into another one, or into a list of tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A key.
    Key(String),
    /// The number of a table in a list of tables.
    Item(usize),
}

/// A header, or a key with its value.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// Where it leads.
    pub(super) path: Vec<Step>,
    /// The last name of it: of `web.vips` it is `vips`; of a header all of it.
    pub(super) key: Range<usize>,
    /// The value; none of a header.
    pub(super) value: Option<Range<usize>>,
    /// The header that it stands below, as a place in the list; itself, of a header.
    pub(super) section: Option<usize>,
}

impl Statement {
    /// Its last byte, and one.
    pub(super) fn end(&self) -> usize {
        self.value.as_ref().map_or(self.key.end, |value| value.end)
    }

    /// Whether it belongs to what a path leads to.
    pub(super) fn is_below(&self, path: &[Step]) -> bool {
        self.path.starts_with(path)
    }

    fn is_header(&self) -> bool {
        self.value.is_none()
    }
}

/// The statements of a file, in their order; none where it is no TOML.
pub(super) fn statements(text: &str) -> Option<Vec<Statement>> {
    let document = DeTable::parse(text).ok()?.into_inner();
    let mut found = Vec::new();
    walk(text, &document, &mut Vec::new(), &mut found);
    found.sort_by_key(|statement| statement.key.start);
    let mut section = None;
    for (index, statement) in found.iter_mut().enumerate() {
        if statement.is_header() {
            section = Some(index);
        }
        statement.section = section;
    }
    Some(found)
}

fn walk(text: &str, table: &DeTable<'_>, path: &mut Vec<Step>, found: &mut Vec<Statement>) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        let span = value.span();
        match value.get_ref() {
            DeValue::Table(inner) if !is_braced(text, &span) => {
                header(text, span, path, found);
                walk(text, inner, path, found);
            }
            DeValue::Array(items) if is_of_headers(text, items) => {
                for (number, item) in items.iter().enumerate() {
                    path.push(Step::Item(number));
                    header(text, item.span(), path, found);
                    if let DeValue::Table(inner) = item.get_ref() {
                        walk(text, inner, path, found);
                    }
                    path.pop();
                }
            }
            _ => found.push(Statement {
                path: path.clone(),
                key: key.span(),
                value: Some(span),
                section: None,
            }),
        }
        path.pop();
    }
}

/// Takes in the header of a table, unless the table only follows from those of others.
fn header(text: &str, span: Range<usize>, path: &[Step], found: &mut Vec<Statement>) {
    let Some(names) = text.get(span.clone()).and_then(names) else { return };
    let keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Item(_) => None,
    });
    if keys.eq(names.iter().map(String::as_str)) {
        found.push(Statement { path: path.to_vec(), key: span, value: None, section: None });
    }
}

/// The names in `[a."b".c]` or `[[a."b".c]]`.
fn names(header: &str) -> Option<Vec<String>> {
    let inner = header.strip_prefix('[')?.strip_suffix(']')?;
    let inner = inner.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(inner);
    let text = format!("{inner} = 0");
    let document = DeTable::parse(&text).ok()?.into_inner();
    let (mut names, mut table) = (Vec::new(), &document);
    loop {
        let (key, value) = table.iter().next()?;
        names.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return Some(names),
        }
    }
}

/// Whether a table has braces.
pub(super) fn is_braced(text: &str, span: &Range<usize>) -> bool {
    text.get(span.clone()).is_some_and(|written| written.starts_with('{'))
}

/// Whether a list is one of tables that each have a header, `[[…]]`.
pub(super) fn is_of_headers(text: &str, items: &toml::de::DeArray<'_>) -> bool {
    items.iter().next().is_some_and(|first| {
        matches!(first.get_ref(), DeValue::Table(_)) && !is_braced(text, &first.span())
    })
}

/// The line that a place is in, its line break included.
pub(super) fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1);
    start..end
}

/// How lines end here.
pub(super) fn line_break(text: &str) -> &'static str {
    let first = text.find('\n');
    if first.is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" }
}

/// The text with other bytes at a place.
pub(super) fn splice(text: &str, at: Range<usize>, new: &str) -> String {
    [&text[..at.start], new, &text[at.end..]].concat()
}
