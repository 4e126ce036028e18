//! `group`: the groups of the configuration, shown, and edited in their files.

mod add;
mod document;
mod list;
mod put;
mod set;
mod show;

pub(super) use document::Shown as One;
pub(super) use list::Document as All;

use super::args::{GroupCommand, GroupEdit};
use super::edit::{Action, Change, Made, Object, run as edit};
use super::{Context, effective_uid};
use crate::config::{Edit, Setting};
use crate::error::{Error, Exit};
use crate::model::Group;

pub(super) fn run(context: &mut Context, command: &GroupCommand) -> Result<Exit, Error> {
    match command {
        GroupCommand::List => list::run(context),
        GroupCommand::Show { group } => show::run(context, group),
        GroupCommand::Add(options) => add::run(context, options),
        GroupCommand::Set(options) => set::run(context, options),
        GroupCommand::Put(options) => put::run(context, options),
        GroupCommand::Remove(which) => remove(context, which),
        GroupCommand::Enable(which) => switch(context, which, true),
        GroupCommand::Disable(which) => switch(context, which, false),
    }
}

/// The file of a group, opened, and the group as it is.
pub(super) fn open(context: &mut Context, group: &str) -> Result<(Edit, Group), Error> {
    let config = context.read(None)?;
    Ok(Edit::of_group(&config, group, effective_uid())?)
}

/// The file of a group, opened. What is wrong in the configuration is told only where the
/// group is not found: the edit may mend it, and what it makes is read and judged.
pub(super) fn open_to_edit(context: &mut Context, group: &str) -> Result<Edit, Error> {
    match open(context, group) {
        Ok((edit, _)) => Ok(edit),
        Err(error) => Edit::of_group_in(&context.files(), group, effective_uid()).ok_or(error),
    }
}

fn remove(context: &mut Context, which: &GroupEdit) -> Result<Exit, Error> {
    edit(context, "group remove", &which.how, |context| {
        let mut edit = open_to_edit(context, &which.group)?;
        edit.remove_group()?;
        // A file of groups.d is the group's own; another one is named on a command line.
        let is_default = context.global.config.is_empty();
        let in_folder = edit.path().parent().is_some_and(|folder| folder.ends_with("groups.d"));
        Ok(Made {
            may_go: is_default && in_folder && !edit.path().is_symlink(),
            changes: vec![Change::new(Action::Remove, Object::Group, &which.group)],
            nothing: format!("Group {} is gone already", which.group),
            others: None,
            edit,
        })
    })
}

fn switch(context: &mut Context, which: &GroupEdit, on: bool) -> Result<Exit, Error> {
    let (name, word) = if on { ("group enable", "enabled") } else { ("group disable", "disabled") };
    edit(context, name, &which.how, |context| {
        let mut edit = open_to_edit(context, &which.group)?;
        // Groups are enabled unless they say something else.
        if !on {
            edit.set(&Setting::switch("enabled", false))?;
        } else if !edit.says("enabled", "true") {
            edit.unset("enabled")?;
        }
        Ok(Made {
            edit,
            changes: vec![Change::new(Action::Change, Object::Key, &"enabled")],
            nothing: format!("Group {} is {word} already", which.group),
            may_go: false,
            others: None,
        })
    })
}
