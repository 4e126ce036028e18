//! `group put`: a group comes to be what a document says, all of it.

use super::super::args::GroupPut;
use super::super::edit::{Action, Change, Made, Object, run as edit};
use super::super::{Context, effective_uid};
use crate::config::{Became, Edit, Part, Setting, Touched, read_document};
use crate::error::{Error, Exit};
use crate::model::GroupName;

pub(super) fn run(context: &mut Context, options: &GroupPut) -> Result<Exit, Error> {
    let name: GroupName = super::add::name(&options.group)?;
    let document = read_document(&context.document(&options.document)?).map_err(|message| {
        Error::Usage { message: format!("the document is {message}"), hint: None }
    })?;
    let settings = Setting::of_table(&document).map_err(|(key, hint)| Error::Usage {
        message: format!("a group has no key '{key}'"),
        hint: Some(hint),
    })?;
    edit(context, "group put", &options.how, |context| {
        let files = context.files();
        let nothing = format!("Group {name} is so already");
        if let Some(mut edit) = Edit::of_group_in(&files, name.as_str(), effective_uid()) {
            let changes = edit.put(&settings)?.iter().map(change).collect();
            return Ok(Made { edit, changes, nothing, may_go: false, others: None });
        }
        let chosen = options.file.as_deref();
        let edit = Edit::new_group(&files, &name, chosen, &settings, effective_uid())?;
        let changes = vec![Change::new(Action::Add, Object::Group, &name)];
        Ok(Made { edit, changes, nothing, may_go: false, others: None })
    })
}

fn change(touched: &Touched) -> Change {
    let action = match touched.became {
        Became::Added => Action::Add,
        Became::Changed => Action::Change,
        Became::Removed => Action::Remove,
    };
    match &touched.part {
        Part::Key(key) => Change::new(action, Object::Key, key),
        Part::RealServer(name) => Change::new(action, Object::RealServer, name),
    }
}
