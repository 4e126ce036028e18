//! Where the real servers of a group stand in a file.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::reader;
use super::ServerName;
use super::document::is_braced;
use super::list::List;

/// The real servers of one group, in the order of the file.
pub(super) struct Entries {
    /// The key `real`, or the first `[[group.NAME.real]]`.
    pub(super) key: Range<usize>,
    /// The list with its brackets, where they are in one.
    pub(super) list: Option<List>,
    pub(super) all: Vec<Entry>,
}

/// One real server.
pub(super) struct Entry {
    pub(super) name: Option<ServerName>,
    pub(super) shape: Shape,
    /// What is written: the string, the inline table, the header of a table.
    pub(super) span: Range<usize>,
    /// The value of `address`; the string itself where there is no table.
    pub(super) address: Range<usize>,
}

/// How a real server is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `"172.18.100.11"`
    Address,
    /// `{ address = "172.18.100.11" }`
    Inline,
    /// `[[group.web.real]]`
    Table,
}

impl Entries {
    /// The real servers of a group; nothing where the text has none, or is no TOML.
    pub(super) fn of(text: &str, group: &str) -> Option<Self> {
        let document = DeTable::parse(text).ok()?.into_inner();
        let groups = table(document.get("group")?)?;
        let (key, real) = table(groups.get(group)?)?.get_key_value("real")?;
        let DeValue::Array(list) = real.get_ref() else { return None };
        let all: Vec<Entry> =
            list.iter().map(|item| Entry::of(text, item)).collect::<Option<_>>()?;
        let in_brackets = all.iter().all(|entry| entry.shape != Shape::Table);
        let items = || all.iter().map(|entry| entry.span.clone()).collect();
        let list = in_brackets.then(|| List { at: real.span(), items: items() });
        Some(Self { key: key.span(), list, all })
    }

    /// The one that is named exactly so, and its place in the list.
    pub(super) fn find(&self, name: ServerName) -> Option<(usize, &Entry)> {
        self.all.iter().enumerate().find(|(_, entry)| entry.name == Some(name))
    }
}

impl Entry {
    fn of(text: &str, item: &Spanned<DeValue<'_>>) -> Option<Self> {
        let span = item.span();
        let fields = match item.get_ref() {
            DeValue::String(address) => {
                let (name, address) = (server_name(address, None), span.clone());
                return Some(Self { name, shape: Shape::Address, span, address });
            }
            DeValue::Table(fields) => fields,
            _ => return None,
        };
        let written = fields.get("address")?;
        let DeValue::String(address) = written.get_ref() else { return None };
        let port = match fields.get("port") {
            Some(port) => Some(u16::try_from(reader::integer(port.get_ref())?).ok()?),
            None => None,
        };
        Some(Self {
            name: server_name(address, port),
            shape: if is_braced(text, &span) { Shape::Inline } else { Shape::Table },
            span,
            address: written.span(),
        })
    }
}

fn server_name(address: &str, port: Option<u16>) -> Option<ServerName> {
    Some(ServerName { address: address.parse::<IpAddr>().ok()?, port })
}

fn table<'t, 'd>(value: &'t Spanned<DeValue<'d>>) -> Option<&'t DeTable<'d>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

/// Where the last value of a table ends, tables in it included.
pub(super) fn end_of(fields: &DeTable<'_>) -> usize {
    let ends = fields.iter().map(|(key, value)| match value.get_ref() {
        DeValue::Table(inner) => end_of(inner).max(value.span().end),
        _ => value.span().end.max(key.span().end),
    });
    ends.max().unwrap_or(0)
}
