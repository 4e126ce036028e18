//! `real`: the real servers of a group, in the file that defines it and in the kernel.
//!
//! The file is the truth: an edit is checked by the normal reader, put in place, and
//! applied as any other configuration. When that fails the file is put back, so that file
//! and kernel never part ways because of us.

mod drain;
mod edit;
pub(super) mod lingering;
mod restore;
mod wait;

pub(super) use self::drain::Document as Drained;
pub(super) use self::restore::Document as Restored;

use std::path::Path;
use std::time::Duration;

use super::Context;
use super::args::{DrainOptions, RealCommand, WhichServer};
use super::consent::Consent;
use crate::compile::Compiled;
use crate::config::{Config, Edit};
use crate::error::{Error, Exit};
use crate::model::{Group, RealServer};
use crate::operation::Session;
use crate::state::{DestinationKey, DirectorState, ServiceKey};
use crate::transaction::{FileLock, Outcome};

pub(super) fn run(context: &mut Context, command: &RealCommand) -> Result<Exit, Error> {
    match command {
        RealCommand::Add(options) => edit::add(context, options),
        RealCommand::Set(options) => edit::set(context, options),
        RealCommand::Remove(options) => edit::remove(context, options),
        RealCommand::Drain(options) => drain::run(context, options),
        RealCommand::Restore { which, no_wait } => restore::run(context, which, *no_wait),
    }
}

/// Drains a real server and waits for nobody: neither for its clients nor for another
/// fwmarkctl. The answer is a sentence.
pub(super) fn drain_at_once(context: &mut Context, which: WhichServer) -> Result<String, Error> {
    let options = DrainOptions {
        which,
        timeout: Duration::ZERO,
        remove: false,
        force: false,
        detach: true,
        no_wait: true,
    };
    drain::detached(context, &options)
}

/// Gives a real server its weight back, unless another fwmarkctl is at work. The answer is
/// a sentence.
pub(super) fn restore_at_once(context: &mut Context, which: &WhichServer) -> Result<String, Error> {
    let given = restore::give(context, which, true)?;
    Ok(given.sentence() + &others(&given.outcome))
}

/// What else an apply did that was asked for one real server: the files may have come to
/// say more since the last one.
fn others(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied(applied) if applied.plan.lines().len() > 1 => {
            format!(" In all {} changes of the files were applied.", applied.plan.lines().len())
        }
        Outcome::Applied(_) | Outcome::InSync { .. } => String::new(),
    }
}

/// A real server, and the file that it is in.
struct Target {
    edit: Edit,
    group: Group,
    server: RealServer,
}

impl Target {
    /// The one that a command line names.
    fn find(context: &mut Context, which: &WhichServer) -> Result<Self, Error> {
        let (edit, group) = super::group::open(context, &which.group)?;
        let name = edit.real_server(which.server)?;
        let mut known = group.real_servers.iter();
        let server = known.find(|server| crate::config::ServerName::of(server) == name).cloned();
        // The file was read twice: somebody may have saved it between.
        let server = server.ok_or_else(|| super::edit::saved_meanwhile(edit.path()))?;
        Ok(Self { edit, group, server })
    }

    /// How it is called in sentences.
    fn name(&self) -> String {
        let server = crate::config::ServerName::of(&self.server);
        format!("{server} of group {}", self.group.name)
    }

    /// The services of a state that send it packets, and where.
    fn destinations(&self, state: &DirectorState) -> Vec<(ServiceKey, DestinationKey)> {
        let ours = state
            .services
            .iter()
            .filter(|(_, service)| service.group.as_ref() == Some(&self.group.name));
        ours.flat_map(|(key, service)| {
            let here = service.destinations.iter().map(|destination| destination.key);
            here.filter(|destination| self.is_at(key, destination)).map(|it| (*key, it))
        })
        .collect()
    }

    /// Whether a destination of a service of the group is this real server.
    fn is_at(&self, key: &ServiceKey, destination: &DestinationKey) -> bool {
        destination.address == self.server.address
            && destination.port == self.server.port.unwrap_or(key.port())
    }
}

/// What an edit makes of the whole configuration, by the reader of every other one.
fn tried(context: &mut Context, edit: &Edit) -> Result<(Config, Compiled), Error> {
    super::edit::tried(context, edit, true)
}

/// Puts an edit in place and applies the configuration. When that fails the file is as it
/// was.
fn carry_out(
    context: &Context,
    (lock, session): (&FileLock, &Session<'_>),
    edit: &Edit,
    after: &(Config, Compiled),
) -> Result<Outcome, Error> {
    // Who names one real server agrees to that one. What else the files have come to say
    // since the last apply is no part of it.
    super::edit::carry_out(context, session, lock, (edit, after), &Consent::to_one())
}

/// The generation that holds then.
fn generation(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::InSync { generation } => *generation,
        Outcome::Applied(applied) => applied.generation,
    }
}

/// The file of an edit, for JSON.
fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
