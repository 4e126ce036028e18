//! `rollback`: an earlier generation returns, as a new transaction.

use super::apply::{say_too_late, show};
use super::{Context, confirm, history, plan};
use crate::error::{Error, Exit};
use crate::operation::RolledBack;

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
            (_, wanted) => context.site()?.returning(wanted)?.state,
        };
        return plan::foreseen(context, &to);
    }
    let session = context.session("rollback", no_wait)?;
    match session.roll_back(wanted)? {
        RolledBack::Trial(generation) => {
            drop(session);
            history::show_return(&mut context.output, generation);
        }
        RolledBack::Generation(outcome) => {
            say_too_late(context);
            drop(session);
            show(&mut context.output, &outcome)?;
        }
    }
    Ok(Exit::Done)
}
