//! `apply`: the kernel comes to hold what the configuration says.

use std::time::Duration;

use super::args::ApplyOptions;
use super::consent::{Consent, can_answer};
use super::output::{Output, Tone, note};
use super::{Context, Pending, await_confirmation, confirm, plan};
use crate::error::{Error, Exit};
use crate::operation::{Restored, Session, Tried};
use crate::plan::{Limit, Plan};
use crate::transaction::{Applied, Draft, Outcome, Trial};

/// What was carried out.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Applied")]
pub(super) struct Document {
    #[serde(flatten)]
    plan: plan::Document,
    /// The trial that has begun, with `--confirm-within`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
}

pub(super) fn run(context: &mut Context, options: &ApplyOptions) -> Result<Exit, Error> {
    if options.boot {
        return boot(context, options);
    }
    let consent = Consent::new(options.yes, options.ask_above);
    consent.seek(context, |context, consent| configured(context, options, consent))
}

/// Applies the configuration, as far as somebody agrees.
fn configured(
    context: &mut Context,
    options: &ApplyOptions,
    consent: &Consent,
) -> Result<Exit, Error> {
    // Before anybody is waited for: a configuration with mistakes is refused at once.
    let (mut config, mut compiled) = context.load_and_compile()?;
    let session = context.session("apply", options.no_wait)?;
    session.refuse_trial()?;
    // Whoever had the lock may have applied a newer configuration, and chosen marks.
    if session.is_later() {
        (config, compiled) = context.load_and_compile()?;
    }
    let limit = consent.limit(&config.director, &compiled.state);
    let draft =
        Draft { state: &compiled.state, marks: &compiled.marks, config: Some(config.digest) };
    if let Some(within) = options.confirm_within {
        return try_out(context, session, draft, within, (options.adopt, limit));
    }
    let outcome = session.apply(draft, options.adopt, limit)?;
    say_too_late(context);
    drop(session);
    show(&mut context.output, &outcome)?;
    Ok(Exit::Done)
}

/// Applies what goes again unless it is confirmed, and asks on a terminal whether it is.
fn try_out(
    context: &mut Context,
    session: Session<'_>,
    draft: Draft<'_>,
    within: Duration,
    (adopt, limit): (bool, Option<Limit<'_>>),
) -> Result<Exit, Error> {
    let Tried { outcome, trial } = lead_on_trial(context, &session, draft, within, (adopt, limit))?;
    say_too_late(context);
    let Some(trial) = trial else {
        show(&mut context.output, &outcome)?;
        return Ok(Exit::Done);
    };
    let output = &mut context.output;
    if output.is_json() {
        let plan = document(&outcome);
        let pending = Some(pending(&trial, within));
        Output::after_the_fact(output.json(&Document { plan, pending }));
        return Ok(Exit::Done);
    }
    Output::after_the_fact(show(output, &outcome));
    if can_answer(context) {
        return confirm::countdown(context, session, &trial);
    }
    Output::after_the_fact(context.output.text(&unless_confirmed(&trial, within)));
    Ok(Exit::Done)
}

/// As [`Session::apply_on_trial`], with a process of its own that ends the trial.
pub(super) fn lead_on_trial(
    context: &Context,
    session: &Session<'_>,
    draft: Draft<'_>,
    within: Duration,
    (adopt, limit): (bool, Option<Limit<'_>>),
) -> Result<Tried, Error> {
    let guard = || await_confirmation::start(&context.global);
    Ok(session.apply_on_trial(draft, within, (adopt, limit), &guard)?)
}

/// A trial that has begun, in JSON.
pub(super) fn pending(trial: &Trial, within: Duration) -> Pending {
    Pending {
        generation: trial.generation,
        deadline: trial.deadline_utc.clone(),
        seconds_left: within.as_secs(),
    }
}

/// The same in sentences.
pub(super) fn unless_confirmed(trial: &Trial, within: Duration) -> String {
    format!(
        "What leaves stays until it is confirmed, and gets no new connections.\n\
         The state from before returns at {}, in {} s, unless you run: fwmarkctl confirm\n",
        trial.deadline_utc,
        within.as_secs(),
    )
}

/// What a transaction did, in JSON.
pub(super) fn document(outcome: &Outcome) -> plan::Document {
    match outcome {
        Outcome::InSync { generation } => plan::document(&Plan::default(), *generation),
        Outcome::Applied(applied) => plan::document(&applied.plan, applied.generation),
    }
}

/// Restores the last confirmed generation: what a boot does.
fn boot(context: &mut Context, options: &ApplyOptions) -> Result<Exit, Error> {
    let session = context.session("apply --boot", options.no_wait)?;
    session.refuse_trial()?;
    let Some(Restored { outcome, .. }) = session.restore(options.adopt)? else {
        drop(session);
        context.output.json(&plan::document(&Plan::default(), None))?;
        context.output.text("Nothing to restore: no generation was ever confirmed.\n")?;
        return Ok(Exit::Done);
    };
    say_too_late(context);
    drop(session);
    show(&mut context.output, &outcome)?;
    Ok(Exit::Done)
}

/// Tells that a signal could not stop what was already past the switch.
pub(super) fn say_too_late(context: &Context) {
    if let Some(signal) = context.teller.signal() {
        note(&format!("{signal} came after the switch: the transaction was finished\n"));
    }
}

/// Shows what a transaction did.
pub(super) fn show(output: &mut Output, outcome: &Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::InSync { generation } => show_in_sync(output, *generation),
        Outcome::Applied(applied) => {
            Output::after_the_fact(show_applied(output, applied));
            Ok(())
        }
    }
}

fn show_in_sync(output: &mut Output, generation: Option<u64>) -> Result<(), Error> {
    output.json(&plan::document(&Plan::default(), generation))?;
    let number = generation.map_or_else(String::new, |n| format!(" (generation {n})"));
    output.text(&format!("In sync: nothing to do{number}.\n"))
}

fn show_applied(output: &mut Output, applied: &Applied) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&plan::document(&applied.plan, applied.generation));
    }
    let number = applied.generation.map_or_else(String::new, |n| format!("generation {n}, "));
    if applied.plan.is_empty() {
        return output.text(&format!("In sync: {number}nothing to do but to save it.\n"));
    }
    let listing = output.once(plan::listing(&applied.plan, output));
    let done = output.paint(Tone::Good, "Applied");
    output.text(&format!("{listing}{done}: {number}read back and verified.\n"))
}
