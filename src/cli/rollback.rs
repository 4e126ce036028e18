//! `rollback`: an earlier generation returns, as a new transaction.

use super::apply::{say_too_late, show};
use super::{Context, confirm, history, plan, record_error};
use crate::error::{Error, Exit};
use crate::state::MarkBook;
use crate::transaction::{Aim, Draft, History, Purpose, SavedGeneration};

/// The plan that was carried out; while a trial waited, what became of that.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RolledBack")]
#[expect(dead_code, reason = "each is printed by itself; this is for the schema")]
pub(super) enum Answer {
    Plan(plan::Document),
    Trial(confirm::Document),
}

pub(super) fn run(
    context: &mut Context,
    wanted: Option<u64>,
    dry_run: bool,
    no_wait: bool,
) -> Result<Exit, Error> {
    if dry_run {
        let trial = context.unfinished()?.trial;
        let to = match (trial, wanted) {
            (Some(trial), None) => trial.before,
            (_, wanted) => returning(&context.history(), wanted)?.state,
        };
        return plan::foreseen(context, &to);
    }
    let session = context.session("rollback", no_wait)?;
    if let (Some(trial), None) = (&session.trial, wanted) {
        let generation = trial.generation;
        session.return_to_before(trial)?;
        drop(session);
        history::show_return(&mut context.output, generation);
        return Ok(Exit::Done);
    }
    session.refuse_trial()?;
    let SavedGeneration { header, marks, state } = returning(&session.history, wanted)?;
    let marks = joined(context.marks(), marks);
    let draft = Draft { state: &state, marks: &marks, config: header.config };
    let journal = session.journal().with_draft(draft);
    let aim = Aim::new(&state, Purpose::Rollback(header.number));
    let outcome = session.transact(aim, &journal)?;
    say_too_late(&session);
    drop(session);
    show(&mut context.output, &outcome)?;
    Ok(Exit::Done)
}

/// The generation that returns: the one that was named, or the one before.
fn returning(history: &History, wanted: Option<u64>) -> Result<SavedGeneration, Error> {
    let head = history.head().map_err(record_error("read the history"))?;
    match (wanted, head) {
        (Some(number), _) => Ok(history.read(number)?),
        (None, Some(head)) => {
            history.before(head).map_err(record_error("read the history"))?.ok_or_else(nothing)
        }
        (None, None) => Err(nothing()),
    }
}

fn nothing() -> Error {
    Error::Usage {
        message: "there is no earlier generation with another state".to_owned(),
        hint: Some("fwmarkctl history".to_owned()),
    }
}

/// The marks of now, with those of the generation that returns: what came since keeps its
/// marks for when it comes back.
fn joined(now: MarkBook, returning: MarkBook) -> MarkBook {
    let mut marks = now.0;
    marks.extend(returning.0);
    MarkBook(marks)
}
