//! `real add`, `set`, `remove`: the entries of a group's file.

use super::super::Context;
use super::super::args::{RealAdd, RealRemove, RealSet};
use super::super::edit::{Action, Change, Made, Object, run as edit};
use super::super::group::open;
use crate::config::{Edit, ServerName};
use crate::error::{Error, Exit};
use crate::model::RealServer;

pub(super) fn add(context: &mut Context, options: &RealAdd) -> Result<Exit, Error> {
    edit(context, "real add", &options.how, |context| {
        let (mut edit, group) = open(context, &options.group)?;
        edit.add_real_servers(&group, &options.servers)?;
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
            message: format!("a real server has no key '{key}'"),
            hint: Some(hint),
        })?;
    }
    edit(context, "real set", &options.how, |context| {
        let (mut edit, group) = open(context, &options.which.group)?;
        let server = edit.real_server(&group, options.which.server)?.clone();
        let name = ServerName::of(&server).to_string();
        // What says which one it is comes last.
        for is_port in [false, true] {
            for key in options.unset.iter().filter(|key| (*key == "port") == is_port) {
                edit.unset_of_server(&server, key)?;
            }
            for setting in options.settings.iter().filter(|it| (it.key == "port") == is_port) {
                edit.set_of_server(&server, setting)?;
            }
        }
        Ok(Made {
            edit,
            changes: vec![Change::new(Action::Change, Object::RealServer, &name)],
            nothing: format!("Real server {name} is so already"),
            may_go: false,
        })
    })
}

pub(super) fn remove(context: &mut Context, options: &RealRemove) -> Result<Exit, Error> {
    edit(context, "real remove", &options.how, |context| {
        let (mut edit, group) = open(context, &options.group)?;
        let mut gone: Vec<RealServer> = Vec::new();
        for name in &options.servers {
            let server = edit.real_server(&group, *name)?.clone();
            if gone.contains(&server) {
                continue;
            }
            if gone.len() + 1 == group.real_servers.len() {
                return Err(edit.last(&server, true).into());
            }
            edit.remove_real_server(&server)?;
            gone.push(server);
        }
        let name = |server: &RealServer| ServerName::of(server).to_string();
        let changes = gone
            .iter()
            .map(|it| Change::new(Action::Remove, Object::RealServer, &name(it)))
            .collect();
        let nothing = "They are gone already".to_owned();
        Ok(Made { edit, changes, nothing, may_go: false })
    })
}
