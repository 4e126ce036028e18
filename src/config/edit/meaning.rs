//! What a file means, as plain TOML: before an edit with what was asked for, and after it.

use toml::{Table, Value};

/// What a file means when the table of a group is changed by `change`.
pub(super) fn of_group(
    text: &str,
    group: &str,
    change: impl FnOnce(&mut Table) -> Option<()>,
) -> Option<Table> {
    let mut meaning: Table = text.parse().ok()?;
    change(meaning.get_mut("group")?.get_mut(group)?.as_table_mut()?)?;
    Some(meaning)
}

/// What a file means without a group.
pub(super) fn without(text: &str, group: &str) -> Option<Table> {
    let mut meaning: Table = text.parse().ok()?;
    if let Some(groups) = meaning.get_mut("group").and_then(Value::as_table_mut) {
        groups.remove(group);
        if groups.is_empty() {
            meaning.remove("group");
        }
    }
    Some(meaning)
}

/// A text of TOML as a value.
pub(super) fn value(toml: &str) -> Option<Value> {
    format!("x = {toml}").parse::<Table>().ok()?.remove("x")
}

/// The real servers of a group.
pub(super) fn servers(group: &mut Table) -> Option<&mut Vec<Value>> {
    group.get_mut("real")?.as_array_mut()
}

/// A real server as a table, which an address alone becomes.
pub(super) fn server(group: &mut Table, index: usize) -> Option<&mut Table> {
    let server = servers(group)?.get_mut(index)?;
    if let Value::String(address) = server {
        let address = Value::String(std::mem::take(address));
        *server = Value::Table([("address".to_owned(), address)].into_iter().collect());
    }
    server.as_table_mut()
}

/// What a file means, with a list of real servers that may be empty.
pub(super) fn of_servers(text: &str, group: &str) -> Option<Table> {
    of_group(text, group, |table| {
        // Tables that are gone leave no list behind.
        table.entry("real").or_insert_with(|| Value::Array(Vec::new()));
        Some(())
    })
}
