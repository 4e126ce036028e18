//! `real add`, `set`, `remove`: the entries of a group's file.

use super::super::Context;
use super::super::args::{RealAdd, RealRemove, RealSet};
use super::super::edit::{Action, Change, Made, Object, run as edit};
use super::super::group::open_to_edit;
use crate::config::{Edit, ServerName};
use crate::error::{Error, Exit};

pub(super) fn add(context: &mut Context, options: &RealAdd) -> Result<Exit, Error> {
    edit(context, "real add", &options.how, |context| {
        let mut edit = open_to_edit(context, &options.group)?;
        edit.add_real_servers(&options.servers)?;
        let name = |server: &crate::config::NewServer| {
            server.name().map_or(server.address().to_owned(), |name| name.to_string())
        };
        let changes = options
            .servers
            .iter()
            .map(|it| Change::new(Action::Add, Object::RealServer, &name(it)));
        Ok(Made {
            edit,
            changes: changes.collect(),
            nothing: "They are there already".to_owned(),
            may_go: false,
            others: None,
        })
    })
}

pub(super) fn set(context: &mut Context, options: &RealSet) -> Result<Exit, Error> {
    if options.settings.is_empty() && options.unset.is_empty() {
        return Err(Error::Usage {
            message: "nothing to set".to_owned(),
            hint: Some("name what shall change, such as weight=2".to_owned()),
        });
    }
    for key in &options.unset {
        Edit::check_server_key(key).map_err(|hint| Error::Usage {
            message: format!("a real server has no key '{key}' to take out"),
            hint: Some(hint),
        })?;
    }
    let keys: Vec<_> = options.settings.iter().map(|setting| setting.key).collect();
    for (at, key) in keys.iter().enumerate() {
        let what = if keys[..at].contains(key) {
            "set twice"
        } else if options.unset.iter().any(|unset| unset == key) {
            "set and taken out at once"
        } else {
            continue;
        };
        return Err(Error::Usage { message: format!("'{key}' cannot be {what}"), hint: None });
    }
    edit(context, "real set", &options.how, |context| {
        let mut edit = open_to_edit(context, &options.which.group)?;
        let server = edit.real_server(options.which.server)?;
        // What says which one it is comes last.
        for is_port in [false, true] {
            for key in options.unset.iter().filter(|key| (*key == "port") == is_port) {
                edit.unset_of_server(server, key)?;
            }
            for setting in options.settings.iter().filter(|it| (it.key == "port") == is_port) {
                edit.set_of_server(server, setting)?;
            }
        }
        Ok(Made {
            edit,
            changes: vec![Change::new(Action::Change, Object::RealServer, &server)],
            nothing: format!("Real server {server} is so already"),
            may_go: false,
            others: None,
        })
    })
}

pub(super) fn remove(context: &mut Context, options: &RealRemove) -> Result<Exit, Error> {
    edit(context, "real remove", &options.how, |context| {
        let mut edit = open_to_edit(context, &options.group)?;
        let known = edit.real_servers();
        let mut gone: Vec<ServerName> = Vec::new();
        for name in &options.servers {
            let server = edit.real_server(*name)?;
            if !gone.contains(&server) {
                gone.push(server);
            }
        }
        if gone.len() == known.len() {
            return Err(edit.last(gone[0], true).into());
        }
        for server in &gone {
            edit.remove_real_server(*server)?;
        }
        let changes =
            gone.iter().map(|it| Change::new(Action::Remove, Object::RealServer, it)).collect();
        let nothing = "They are gone already".to_owned();
        Ok(Made { edit, changes, nothing, may_go: false, others: None })
    })
}
