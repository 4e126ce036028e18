//! `real restore`: a real server takes clients again, as many as before it was drained.

use super::super::args::WhichServer;
use super::super::output::{Format, Output};
use super::super::{Context, apply, record_error};
use super::{Target, carry_out, generation, shown, tried};
use crate::error::{Error, Exit};
use crate::model::GroupName;
use crate::operation::Session;
use crate::state::DirectorState;
use crate::transaction::Outcome;

/// A real server that has a weight again.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Restored")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    group: &'a GroupName,
    /// As it was named.
    real_server: String,
    /// The file that was edited.
    file: String,
    weight_before: u32,
    weight: u32,
    /// The generation that the weight is of; null where none knows it, or it had one.
    weight_of_generation: Option<u64>,
    generation: Option<u64>,
}

/// A real server that takes clients again, as far as weights say so.
pub(super) struct Given {
    target: Target,
    /// The weight before.
    before: u32,
    weight: u32,
    /// The weight that a saved generation knows, and which one.
    had: Option<(u32, u64)>,
    pub(super) outcome: Outcome,
}

/// Gives it the weight that it had, in the file and in the kernel; the lock is free
/// afterwards.
pub(super) fn give(
    context: &mut Context,
    which: &WhichServer,
    no_wait: bool,
) -> Result<Given, Error> {
    Target::find(context, which)?;
    let lock = super::super::edit::lock(context, no_wait)?;
    let session = context.session("real restore", no_wait)?;
    session.refuse_trial()?;
    let target = Target::find(context, which)?;
    let mut edit = target.edit.clone();
    let before = target.server.weight;
    let had = if before > 0 { None } else { had(&session, &target)? };
    let weight = if before > 0 { before } else { had.map_or(1, |(weight, _)| weight) };
    if before == 0 {
        edit.set_weight(&target.server, weight)?;
    }
    let after = tried(context, &edit)?;
    let outcome = carry_out(context, (&lock, &session), &edit, &after)?;
    apply::say_too_late(context);
    Ok(Given { target, before, weight, had, outcome })
}

impl Given {
    /// What was done, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let name = self.target.name();
        match self.had {
            _ if self.before > 0 => {
                format!("{name} has the weight {} and was not drained.", self.before)
            }
            Some((weight, generation)) => {
                format!("{name} has the weight {weight} again, as in generation {generation}.")
            }
            None => format!("{name} has the weight 1: no saved generation knows another."),
        }
    }
}

pub(super) fn run(
    context: &mut Context,
    which: &WhichServer,
    no_wait: bool,
) -> Result<Exit, Error> {
    let given = give(context, which, no_wait)?;
    let Given { target, outcome, .. } = &given;
    let output = &mut context.output;
    if !output.is_json() {
        Output::after_the_fact(apply::show(output, outcome));
    }
    let generation = generation(outcome);
    let shown = output.json(&Document {
        format: Format,
        group: &target.group.name,
        real_server: which.server.to_string(),
        file: shown(target.edit.path()),
        weight_before: given.before,
        weight: given.weight,
        weight_of_generation: given.had.map(|(_, generation)| generation),
        generation,
    });
    let text = format!("{}\n", given.sentence());
    Output::after_the_fact(shown.and_then(|()| output.text(&text)));
    Ok(Exit::Done)
}

/// The weight that it had last, and in which generation.
fn had(session: &Session<'_>, target: &Target) -> Result<Option<(u32, u64)>, Error> {
    let history = session.history();
    let numbers = history.numbers().map_err(record_error("read the history"))?;
    for number in numbers.into_iter().rev() {
        match history.read(number) {
            Ok(saved) => {
                if let Some(weight) = weight(target, &saved.state) {
                    return Ok(Some((weight, number)));
                }
            }
            Err(why) => tracing::warn!("{why}; it is skipped"),
        }
    }
    Ok(None)
}

/// The weight in a state, unless it is 0.
fn weight(target: &Target, state: &DirectorState) -> Option<u32> {
    let places = target.destinations(state);
    let weights = places.iter().filter_map(|(key, destination)| {
        state.services.get(key)?.destination(*destination).map(|it| it.weight)
    });
    weights.max().filter(|weight| *weight > 0)
}
