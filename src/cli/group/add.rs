//! `group add`: a new group, in a file of its own, or where it was asked for.

use super::super::args::GroupAdd;
use super::super::edit::{Action, Change, Made, Object, run as edit};
use super::super::{Context, effective_uid};
use crate::config::{Edit, Setting};
use crate::error::{Error, Exit};
use crate::model::GroupName;

pub(super) fn run(context: &mut Context, options: &GroupAdd) -> Result<Exit, Error> {
    let name = name(&options.group)?;
    let mut settings = options.keys.settings();
    if !options.servers.is_empty() {
        settings.push(Setting::real(&options.servers));
    }
    if options.disabled {
        settings.push(Setting::switch("enabled", false));
    }
    edit(context, "group add", &options.how, |context| {
        let files = context.files();
        let chosen = options.file.as_deref();
        let edit = Edit::new_group(&files, &name, chosen, &settings, effective_uid())?;
        Ok(Made {
            edit,
            changes: vec![Change::new(Action::Add, Object::Group, &name)],
            nothing: format!("Group {name} is there already"),
            may_go: false,
            others: None,
        })
    })
}

/// The name of a group that may be new.
pub(super) fn name(text: &str) -> Result<GroupName, Error> {
    text.parse().map_err(|error| Error::Usage {
        message: format!("{error}"),
        hint: Some(
            "a name is a-z, 0-9, '_', '.' and '-', begins with a letter or digit, and has at \
             most 63 characters"
                .to_owned(),
        ),
    })
}
