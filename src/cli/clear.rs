//! `clear`: all that is ours goes, and nothing else.

use std::io::{BufRead, IsTerminal};

use super::output::{Output, note};
use super::{Context, plan};
use crate::error::{Error, Exit};
use crate::plan::Plan;
use crate::state::DirectorState;
use crate::transaction::{Applied, Outcome};

pub(super) fn run(
    context: &mut Context,
    yes: bool,
    dry_run: bool,
    no_wait: bool,
) -> Result<Exit, Error> {
    if dry_run {
        return plan::foreseen(context, &DirectorState::default());
    }
    if !yes && !confirmed()? {
        return Err(Error::Usage {
            message: "nothing was removed: `clear` was not confirmed".to_owned(),
            hint: Some("fwmarkctl clear --yes".to_owned()),
        });
    }
    let session = context.session("clear", no_wait)?;
    let outcome = session.clear()?;
    drop(session);
    match outcome {
        Outcome::InSync { .. } => {
            context.output.json(&plan::document(&Plan::default(), None))?;
            context.output.text("Nothing to remove: this director holds nothing of ours.\n")?;
        }
        Outcome::Applied(applied) => {
            Output::after_the_fact(show_cleared(&mut context.output, &applied));
        }
    }
    Ok(Exit::Done)
}

fn show_cleared(output: &mut Output, applied: &Applied) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&plan::document(&applied.plan, None));
    }
    let listing = plan::listing(&applied.plan, output);
    output.text(&format!("{listing}Cleared: nothing of ours is left.\n"))
}

/// Asks on a terminal; elsewhere nobody can answer.
fn confirmed() -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    note("Remove every mark rule and virtual service of fwmarkctl from this director? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(|source| Error::File {
        action: "read the answer from",
        path: "standard input".into(),
        source,
    })?;
    Ok(super::consent::means_yes(answer.as_bytes()))
}
