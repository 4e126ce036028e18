//! `realserver`: the other end. It runs on a real server, not on the director.

mod document;
mod show;

pub(super) use self::document::{Done, Readiness};

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use super::args::{RealServerCommand, RealServerMethod, RealServerOptions};
use super::output::{Output, note};
use super::{Context, boot};
use crate::error::{Error, Exit};
use crate::real_server::{
    Choice, ChoiceError, Chosen, Gateway, Method, RealServer, Setting, Situation, Status, Vip,
    choose, wanted,
};

/// What this machine is prepared for.
struct Selection {
    /// The groups that say so; without it `--vip` does.
    choice: Option<Choice>,
    vips: BTreeSet<Vip>,
    settings: BTreeSet<Setting>,
    director: Option<IpAddr>,
}

pub(super) fn run(context: &mut Context, command: &RealServerCommand) -> Result<Exit, Error> {
    match command {
        RealServerCommand::Up { which, dry_run, no_wait } => up(context, which, *dry_run, *no_wait),
        RealServerCommand::Down { dry_run, no_wait } => down(context, *dry_run, *no_wait),
        RealServerCommand::Status { which, check } => status(context, which, *check),
    }
}

fn up(
    context: &mut Context,
    which: &RealServerOptions,
    dry_run: bool,
    no_wait: bool,
) -> Result<Exit, Error> {
    let selection = select(context, which)?;
    let server = server(context)?;
    if dry_run {
        let plan = server.plan(&selection.settings)?;
        show::plan(&mut context.output, Some(&selection), &plan)?;
        return Ok(Exit::Done);
    }
    let gateway = gateway(&selection)?;
    let session = context.bare_session("realserver up", no_wait)?;
    let outcome = server.up(&selection.settings)?;
    drop(session);
    let shown = show::outcome(&mut context.output, Some(&selection), &outcome, gateway.as_ref());
    Output::after_the_fact(shown);
    Ok(Exit::Done)
}

fn down(context: &mut Context, dry_run: bool, no_wait: bool) -> Result<Exit, Error> {
    let server = server(context)?;
    if dry_run {
        let plan = server.plan(&BTreeSet::new())?;
        show::plan(&mut context.output, None, &plan)?;
        return Ok(Exit::Done);
    }
    let session = context.bare_session("realserver down", no_wait)?;
    let outcome = server.down()?;
    drop(session);
    Output::after_the_fact(show::outcome(&mut context.output, None, &outcome, None));
    Ok(Exit::Done)
}

/// Without VIPs and without a configuration there is still what was done to look at.
fn status(context: &mut Context, which: &RealServerOptions, check: bool) -> Result<Exit, Error> {
    let server = server(context)?;
    // A record that is damaged, or not ours to read, is no reason to show nothing.
    let (ours, record) = match server.ours() {
        Ok((ours, None)) => (ours, None),
        Ok((ours, Some(why))) => (ours, Some(format!("the record is {why}"))),
        Err(error) => (Vec::new(), Some(Error::from(error).sentence())),
    };
    let is_told = !which.vips.is_empty()
        || !which.groups.is_empty()
        || which.method.is_some()
        || !context.global.config.is_empty()
        || Path::new("/etc/fwmarkctl").exists();
    let selection = is_told.then(|| select(context, which)).transpose()?;
    let settings = match &selection {
        Some(selection) => selection.settings.clone(),
        None => ours.iter().map(|deed| deed.setting).collect(),
    };
    let status = Status::of(&Situation::read()?, &ours, &settings, which.director);
    show::status(&mut context.output, selection.as_ref(), &status, record.as_deref())?;
    Ok(if check && status.missing() > 0 { Exit::Differs } else { Exit::Done })
}

fn server(context: &Context) -> Result<RealServer, Error> {
    RealServer::new(&context.global.state_dir, &boot()?).map_err(|source| Error::File {
        action: "read",
        path: "/proc/thread-self/ns/net".into(),
        source,
    })
}

/// Which VIPs: those of the command line, else those of the groups.
fn select(context: &mut Context, which: &RealServerOptions) -> Result<Selection, Error> {
    let method = which.method.map(|method| match method {
        RealServerMethod::Dr => Method::Dr,
        RealServerMethod::Tun => Method::Tun,
        RealServerMethod::Nat => Method::Nat,
    });
    let given = |&prefix| Vip { prefix, method: method.unwrap_or(Method::Dr) };
    let (choice, vips) = if !which.vips.is_empty() {
        (None, which.vips.iter().map(given).collect())
    } else if method == Some(Method::Nat) && which.groups.is_empty() {
        // Nothing depends on the VIPs then.
        (None, BTreeSet::new())
    } else {
        let config = context.load()?;
        let own = Situation::read()?.own_addresses();
        let choice =
            choose(&config.groups, &own, &which.groups, method).map_err(|error| usage(&error))?;
        let vips = choice.vips.clone();
        (Some(choice), vips)
    };
    let selection = Selection { choice, settings: wanted(&vips), vips, director: which.director };
    if !context.output.is_silent() {
        selection.warn(method);
    }
    Ok(selection)
}

impl Selection {
    /// Says what was assumed, and what is not looked at.
    fn warn(&self, method: Option<Method>) {
        if self.choice.as_ref().is_some_and(|choice| choice.by == Chosen::All) {
            note(
                "warning: no real server of any group has an address of this machine: all groups \
                 are taken\n",
            );
        }
        for line in self.choice.iter().flat_map(|choice| &choice.notes) {
            note(&format!("warning: {line}\n"));
        }
        let translated =
            method == Some(Method::Nat) || self.vips.iter().any(|vip| vip.method == Method::Nat);
        if translated && self.director.is_none() {
            note(
                "warning: with nat answers have to go through the director; --director ADDRESS \
                 checks that\n",
            );
        }
    }
}

fn usage(error: &ChoiceError) -> Error {
    Error::Usage { message: error.to_string(), hint: Some(error.remedy().to_owned()) }
}

/// Checks that answers go through the director, where one was named.
fn gateway(selection: &Selection) -> Result<Option<Gateway>, Error> {
    let Some(director) = selection.director else { return Ok(None) };
    Ok(Some(Gateway::of(&Situation::read()?, director).check()?))
}
