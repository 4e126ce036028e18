//! `real drain`: a real server takes no new clients, and those that it has may end.
//!
//! The lock is held while something is changed, not while clients are waited for. What is
//! done at any point stays done, and the same command goes on from there: there is no
//! state of a drain but the weight 0 in the file.

use std::rc::Rc;

use super::super::args::DrainOptions;
use super::super::output::{Format, Output, note};
use super::super::signals::Signals;
use super::super::{Context, apply};
use super::lingering::{Lingering, Watcher};
use super::wait::{End, Teller, Waited, until_drained};
use super::{Target, carry_out, generation, others, shown, tried};
use crate::compile::Compiled;
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::model::GroupName;
use crate::transaction::Outcome;

/// What was done, for those who ask in JSON.
struct Done {
    generation: Option<u64>,
    waited: Waited,
    removed: bool,
}

/// How a real server was drained.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Drained")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    group: &'a GroupName,
    /// As it was named.
    real_server: String,
    /// The file that was edited.
    file: String,
    /// What ended the waiting.
    #[schemars(extend("enum" = ["drained", "timeout", "interrupted", "restored", "detached"]))]
    end: &'static str,
    /// Whether it was removed from its group.
    removed: bool,
    weight_before: u32,
    left: Lingering,
    /// How long it was waited.
    seconds: u64,
    generation: Option<u64>,
}

/// A real server that takes no new clients any more.
struct Begun {
    target: Target,
    after: (Config, Compiled),
    outcome: Outcome,
    signals: Rc<Signals>,
}

/// Sets the weight to 0, in the file and in the kernel; the lock is free afterwards.
fn begin(context: &mut Context, options: &DrainOptions) -> Result<Begun, Error> {
    // Before anybody is waited for: what makes no sense is refused at once.
    Target::find(context, &options.which)?;
    let lock = super::super::edit::lock(context, options.no_wait)?;
    let session = context.session("real drain", options.no_wait)?;
    session.refuse_trial()?;
    let target = Target::find(context, &options.which)?;
    let mut edit = target.edit.clone();
    if options.remove {
        check_removal(context, &target)?;
    }
    if target.server.weight > 0 {
        edit.set_weight(&target.server, 0)?;
    }
    let after = tried(context, &edit)?;
    if target.server.weight > 0 && !options.force && is_last(&target, &after.1) {
        return Err(edit.last(&target.server, false).into());
    }
    let outcome = carry_out(context, (&lock, &session), &edit, &after)?;
    apply::say_too_late(context);
    let signals = context.signals()?;
    Ok(Begun { target, after, outcome, signals })
}

/// Begins a drain and waits for nobody; the answer says who is left there.
pub(super) fn detached(context: &mut Context, options: &DrainOptions) -> Result<String, Error> {
    let Begun { target, after, outcome, .. } = begin(context, options)?;
    let look = Watcher::new(&target, target.destinations(&after.1.state)).look()?;
    let (name, left) = (target.name(), look.lingering.text());
    Ok(format!("{name} takes no new clients; left there: {left}.{}", others(&outcome)))
}

pub(super) fn run(context: &mut Context, options: &DrainOptions) -> Result<Exit, Error> {
    let Begun { target, after, outcome, signals } = begin(context, options)?;
    let output = &mut context.output;
    if !output.is_json() {
        Output::after_the_fact(apply::show(output, &outcome));
    }

    let mut watcher = Watcher::new(&target, target.destinations(&after.1.state));
    let teller = Teller::new(target.name(), options.timeout, output.is_silent());
    let timeout = (!options.detach).then_some(options.timeout);
    let waited = until_drained(&mut watcher, &signals, timeout, teller)?;
    let mut done = Done { generation: generation(&outcome), waited, removed: false };
    let is_over = waited.end == End::Drained || waited.end == End::Timeout && options.force;
    if options.remove && is_over {
        match remove(context, options)? {
            Removed::Done(outcome) => {
                if !context.output.is_json() {
                    Output::after_the_fact(apply::show(&mut context.output, &outcome));
                }
                done.generation = generation(&outcome);
                done.removed = true;
            }
            Removed::Restored(weight) => done.waited.end = End::Restored(weight),
        }
    }
    Output::after_the_fact(show(context, options, &target, &done));
    let is_done = done.removed || matches!(done.waited.end, End::Drained | End::Detached);
    Ok(if is_done { Exit::Done } else { Exit::Failed })
}

/// Refuses to wait for a removal that would be refused in the end.
fn check_removal(context: &mut Context, target: &Target) -> Result<(), Error> {
    if target.group.real_servers.len() == 1 {
        return Err(target.edit.last(&target.server, true).into());
    }
    let mut edit = target.edit.clone();
    edit.remove_real_server(&target.server)?;
    tried(context, &edit).map(drop)
}

/// Whether a service is left where nobody takes new clients.
fn is_last(target: &Target, after: &Compiled) -> bool {
    target.destinations(&after.state).iter().any(|(key, _)| {
        let service = after.state.services.get(key);
        service.is_some_and(|service| service.destinations.iter().all(|it| it.weight == 0))
    })
}

enum Removed {
    Done(Outcome),
    /// Somebody gave it a weight while it was waited for.
    Restored(u32),
}

/// Removes a drained real server, by the file as it is by now.
fn remove(context: &mut Context, options: &DrainOptions) -> Result<Removed, Error> {
    let lock = super::super::edit::lock(context, options.no_wait)?;
    let session = context.session("real drain", options.no_wait)?;
    session.refuse_trial()?;
    let target = Target::find(context, &options.which)?;
    if target.server.weight > 0 {
        return Ok(Removed::Restored(target.server.weight));
    }
    let mut edit = target.edit.clone();
    edit.remove_real_server(&target.server)?;
    let after = tried(context, &edit)?;
    let outcome = carry_out(context, (&lock, &session), &edit, &after)?;
    apply::say_too_late(context);
    Ok(Removed::Done(outcome))
}

fn show(
    context: &mut Context,
    options: &DrainOptions,
    target: &Target,
    done: &Done,
) -> Result<(), Error> {
    let Waited { end, left, time } = done.waited;
    context.output.json(&Document {
        format: Format,
        group: &target.group.name,
        real_server: options.which.server.to_string(),
        file: shown(target.edit.path()),
        end: end.word(),
        removed: done.removed,
        weight_before: target.server.weight,
        left,
        seconds: time.as_secs(),
        generation: done.generation,
    })?;
    if context.output.is_json() {
        return Ok(());
    }
    let (name, seconds, rest) = (target.name(), time.as_secs(), left.text());
    let restore =
        format!("fwmarkctl real restore {} {}", options.which.group, options.which.server);
    let text = match end {
        End::Drained if done.removed => {
            format!("Drained and removed: {name}, after {seconds} s.\n")
        }
        End::Drained => format!(
            "Drained: nobody is left at {name}, after {seconds} s.\n{restore} gives it clients again.\n"
        ),
        End::Timeout if done.removed => {
            format!("Removed: {name}, with {rest} left after {seconds} s, as --force says.\n")
        }
        End::Detached => format!(
            "{name} takes no new clients; left there: {rest}.\n\
             The same command without --detach waits for them; {restore} ends it.\n"
        ),
        End::Timeout => {
            note(&format!(
                "error: {name} is not drained after {seconds} s: {rest} left\n\
                 help: its weight stays 0 and nothing is dropped; run the same command again to \
                 wait on{}\n",
                advice(options, left.known_clients > 0 && !left.known_clients_expire)
            ));
            return Ok(());
        }
        End::Interrupted(signal) => {
            note(&format!(
                "{signal}: {name} takes no new clients; left there: {rest}\n\
                 help: run the same command again to wait on; {restore} ends it\n"
            ));
            return Ok(());
        }
        End::Restored(weight) => {
            note(&format!(
                "error: {name} was given the weight {weight} by somebody else, and takes new \
                 clients again\n"
            ));
            return Ok(());
        }
    };
    context.output.text(&text)
}

/// What else could be done when the time is over.
fn advice(options: &DrainOptions, clients_return: bool) -> String {
    let mut advice = String::new();
    if options.remove {
        advice += ", or add --force to remove it all the same";
    }
    if clients_return {
        advice += "\nhelp: persistence sends known clients there until \
                   net.ipv4.vs.expire_quiescent_template is 1";
    }
    advice
}
