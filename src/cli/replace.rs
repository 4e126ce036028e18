//! `replace`: the configuration comes to be what a document says, all of it.

use std::collections::BTreeMap;

use super::args::ReplaceOptions;
use super::edit::{Action, Change, Made, Object, run as edit};
use super::{Context, effective_uid};
use crate::config::{Edit, read_document, write_document};
use crate::error::{Error, Exit};

pub(super) fn run(context: &mut Context, options: &ReplaceOptions) -> Result<Exit, Error> {
    let text = context.document(&options.document)?;
    // TOML stays as it was written, mistakes among it: its reader shows them.
    let is_json = text.trim_start().starts_with('{');
    let json = is_json.then(|| read_document(&text)).transpose();
    let json = json.map_err(|message| Error::Usage {
        message: format!("the document is {message}"),
        hint: None,
    })?;
    let text = json.as_ref().map_or(text, write_document);
    edit(context, "replace", &options.how, |context| {
        let files = context.files();
        let Some(main) = files.main() else {
            return Err(Error::Usage {
                message: "one file is replaced, and several are named, or none".to_owned(),
                hint: Some("name one: --config FILE".to_owned()),
            });
        };
        let mut edit = Edit::whole(main, text.clone(), effective_uid())?;
        if json.is_some() && means(edit.before()) == json {
            // What says the same stays as somebody wrote it.
            edit = Edit::whole(main, edit.before().to_owned(), effective_uid())?;
        }
        let others = options.purge.then(|| Edit::of_others(&files, effective_uid())).transpose()?;
        let gone = others.iter().flatten().map(Edit::before);
        let before: Vec<_> = std::iter::once(edit.before()).chain(gone).map(means).collect();
        let changes = changes(&before, means(edit.text()).as_ref());
        let nothing = "The configuration is so already".to_owned();
        Ok(Made { edit, changes, nothing, may_go: false, others })
    })
}

fn means(text: &str) -> Option<toml::Table> {
    text.parse().ok()
}

/// What stands in files, by name: groups, and what is of the director.
fn parts<'t>(
    files: impl IntoIterator<Item = &'t toml::Table>,
) -> BTreeMap<(bool, &'t str), &'t toml::Value> {
    let mut parts = BTreeMap::new();
    for file in files {
        for (key, value) in file {
            match (key.as_str(), value) {
                ("group", toml::Value::Table(groups)) => {
                    parts.extend(groups.iter().map(|(name, group)| ((true, name.as_str()), group)));
                }
                (key, value) => {
                    parts.insert((false, key), value);
                }
            }
        }
    }
    parts
}

fn changes(before: &[Option<toml::Table>], after: Option<&toml::Table>) -> Vec<Change> {
    let (before, after) = (parts(before.iter().flatten()), parts(after));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let change = |&(is_group, name): &(bool, &str)| {
        let action = match (before.get(&(is_group, name)), after.get(&(is_group, name))) {
            (None, _) => Action::Add,
            (_, None) => Action::Remove,
            (before, after) if before == after => return None,
            _ => Action::Change,
        };
        let object = if is_group { Object::Group } else { Object::Key };
        Some(Change::new(action, object, &name))
    };
    names.into_iter().filter_map(change).collect()
}
