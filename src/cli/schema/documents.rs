//! The documents that commands print with `-o json`, and the JSON Schema of each.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};

use super::super::{
    apply, check, compile, completions, confirm, connections, doctor, edit, explain, export,
    failure, graph, group, history, import, man, plan, preset, real, realserver, recover, rollback,
    schema, stats, status, watch, zero,
};

/// A command, and what makes the schema of what it prints.
type Entry = (&'static str, fn() -> Schema);

/// Each command with what it prints. A test fails for one that is not here.
const DOCUMENTS: &[Entry] = &[
    ("apply", of::<apply::Document>),
    ("check", of::<check::Document>),
    ("clear", of::<plan::Document>),
    ("compile", of::<compile::Answer>),
    ("completions", of::<completions::Document>),
    ("confirm", of::<confirm::Document>),
    ("connections", of::<connections::Document>),
    ("doctor", of::<doctor::Document>),
    ("error", of::<failure::Document>),
    ("explain", of::<explain::Document>),
    ("export", of::<export::Document>),
    ("graph", of::<graph::Document>),
    ("group add", of::<edit::Document>),
    ("group disable", of::<edit::Document>),
    ("group enable", of::<edit::Document>),
    ("group list", of::<group::All>),
    ("group put", of::<edit::Document>),
    ("group remove", of::<edit::Document>),
    ("group set", of::<edit::Document>),
    ("group show", of::<group::One>),
    ("history", of::<history::All>),
    ("history diff", of::<plan::Document>),
    ("history show", of::<history::One>),
    ("import", of::<import::Answer>),
    ("man", of::<man::Document>),
    ("plan", of::<plan::Planned>),
    ("preset list", of::<preset::All>),
    ("preset show", of::<preset::One>),
    ("real add", of::<edit::Document>),
    ("real drain", of::<real::Drained>),
    ("real remove", of::<edit::Document>),
    ("real restore", of::<real::Restored>),
    ("real set", of::<edit::Document>),
    ("realserver down", of::<realserver::Done>),
    ("realserver status", of::<realserver::Readiness>),
    ("realserver up", of::<realserver::Done>),
    ("recover", of::<recover::Document>),
    ("replace", of::<edit::Document>),
    ("rollback", of::<rollback::Answer>),
    ("schema", of::<schema::List>),
    ("stats", of::<stats::Document>),
    ("status", of::<status::Document>),
    ("watch", of::<watch::Line>),
    ("zero", of::<zero::Document>),
];

/// The names of all, in their order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DOCUMENTS.iter().map(|(name, _)| *name)
}

/// The schema of what a command prints.
pub(super) fn schema(name: &str) -> Option<Schema> {
    let (name, make) = DOCUMENTS.iter().find(|(known, _)| *known == name)?;
    let mut schema = make();
    let title = match *name {
        "error" => "What any command of fwmarkctl prints with -o json when it fails".to_owned(),
        name => format!("What `fwmarkctl {name}` prints with -o json"),
    };
    schema.insert("title".to_owned(), title.into());
    Some(schema)
}

fn of<T: JsonSchema>() -> Schema {
    let settings =
        SchemaSettings::draft2020_12().for_serialize().with_transform(RecursiveTransform(finish));
    settings.into_generator().into_root_schema_for::<T>()
}

/// A document has the properties that its schema names, and no other: who reads it can rely
/// on the names, and a test finds one that was forgotten. What is told has no line breaks of
/// our sources.
fn finish(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(serde_json::Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), false.into());
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory};

    use super::*;
    use crate::cli::args::Arguments;

    /// The commands that do something, by their whole names.
    fn commands(of: &Command, before: &str, found: &mut Vec<String>) {
        for command in of.get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = format!("{before}{}", command.get_name());
            if !command.is_subcommand_required_set() {
                found.push(name.clone());
            }
            commands(command, &format!("{name} "), found);
        }
    }

    #[test]
    fn every_command_has_a_document_and_no_other_has_one() {
        let mut found = vec!["error".to_owned()];
        commands(&Arguments::command(), "", &mut found);
        // It is for people alone, and refuses.
        found.retain(|name| name != "top");
        found.sort();
        assert_eq!(names().collect::<Vec<_>>(), found);
    }

    #[test]
    fn every_object_is_closed() {
        fn open(value: &serde_json::Value, path: &str, found: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(object) => {
                    let closed = object.contains_key("additionalProperties");
                    if object.contains_key("properties") && !closed {
                        found.push(path.to_owned());
                    }
                    for (key, value) in object {
                        open(value, &format!("{path}/{key}"), found);
                    }
                }
                serde_json::Value::Array(values) => {
                    for value in values {
                        open(value, path, found);
                    }
                }
                _ => {}
            }
        }
        for name in names() {
            let mut found = Vec::new();
            let schema = schema(name).expect("one of them");
            open(schema.as_value(), name, &mut found);
            assert!(found.is_empty(), "{found:?}");
        }
    }
}
