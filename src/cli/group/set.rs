//! `group set`: keys of a group get other values, or go.

use super::super::Context;
use super::super::args::GroupSet;
use super::super::edit::{Action, Change, Made, Object, run as edit};
use crate::config::Edit;
use crate::error::{Error, Exit};

pub(super) fn run(context: &mut Context, options: &GroupSet) -> Result<Exit, Error> {
    let settings = options.keys.settings();
    let both = settings.iter().find(|setting| options.unset.iter().any(|key| key == setting.key));
    if let Some(both) = both {
        return Err(Error::Usage {
            message: format!("'{}' cannot be set and taken out at once", both.key),
            hint: None,
        });
    }
    if settings.is_empty() && options.unset.is_empty() {
        return Err(Error::Usage {
            message: "nothing to set".to_owned(),
            hint: Some(
                "name what shall change, such as --port 80,443; --help shows all".to_owned(),
            ),
        });
    }
    for key in &options.unset {
        Edit::check_key(key).map_err(|hint| Error::Usage {
            message: format!("a group has no key '{key}'"),
            hint: Some(hint),
        })?;
    }
    edit(context, "group set", &options.how, |context| {
        let mut edit = super::open_to_edit(context, &options.group)?;
        let mut changes = Vec::new();
        for key in &options.unset {
            if edit.unset(key)? {
                changes.push(Change::new(Action::Remove, Object::Key, key));
            }
        }
        for setting in &settings {
            let (before, had) = (edit.text().to_owned(), edit.has(setting.key));
            edit.set(setting)?;
            if edit.text() != before {
                let action = if had { Action::Change } else { Action::Add };
                changes.push(Change::new(action, Object::Key, &setting.key));
            }
            // One option sets either of the two, which do not go together.
            let other = match setting.key {
                "mark" => "marks",
                "marks" => "mark",
                _ => continue,
            };
            if edit.unset(other)? {
                changes.push(Change::new(Action::Remove, Object::Key, &other));
            }
        }
        let nothing = format!("Group {} is so already", options.group);
        Ok(Made { edit, changes, nothing, may_go: false, others: None })
    })
}
