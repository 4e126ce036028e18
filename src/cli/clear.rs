//! `clear`: all that is ours goes, and nothing else.

use std::io::{BufRead, IsTerminal};

use super::output::note;
use super::{Context, plan};
use crate::error::{Error, Exit};
use crate::plan::Plan;
use crate::state::DirectorState;
use crate::transaction::Outcome;

pub(super) fn run(context: &mut Context, yes: bool) -> Result<Exit, Error> {
    if !yes && !confirmed()? {
        return Err(Error::Usage {
            message: "nothing was removed: `clear` was not confirmed".to_owned(),
            hint: Some("fwmarkctl clear --yes".to_owned()),
        });
    }
    let lock = context.lock(false)?;
    let journal = context.journal()?;
    let outcome = context.transact(&DirectorState::default(), false, &journal)?;
    drop(lock);
    match outcome {
        Outcome::InSync { .. } => {
            context.output.json(&plan::document(&Plan::default(), None))?;
            context.output.text("Nothing to remove: this director holds nothing of ours.\n")?;
        }
        Outcome::Applied(applied) => {
            if context.output.is_json() {
                context.output.json(&plan::document(&applied.plan, None))?;
            }
            let listing = plan::listing(&applied.plan, &context.output);
            context.output.text(&format!("{listing}Cleared: nothing of ours is left.\n"))?;
        }
    }
    Ok(Exit::Done)
}

/// Asks on a terminal; elsewhere nobody can answer.
fn confirmed() -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    note("Remove every mark rule and virtual service of fwmarkctl from this director? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(Error::Output)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
