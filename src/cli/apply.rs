//! `apply`: the kernel comes to hold what the configuration says.

use super::output::Tone;
use super::{Context, plan};
use crate::error::{Error, Exit};
use crate::history::save_marks;
use crate::plan::Plan;
use crate::transaction::Outcome;

pub(super) fn run(context: &mut Context, adopt: bool) -> Result<Exit, Error> {
    let compiled = context.compile()?;
    let outcome = context.transact(&compiled.state, adopt)?;
    save_marks(&context.global.state_dir, &compiled.marks)?;
    match outcome {
        Outcome::InSync { generation } => {
            context.output.json(&plan::document(&Plan::default(), generation))?;
            let number = generation.map_or_else(String::new, |n| format!(" (generation {n})"));
            context.output.text(&format!("In sync: nothing to do{number}.\n"))?;
        }
        Outcome::Applied(applied) => {
            if context.output.is_json() {
                context.output.json(&plan::document(&applied.plan, applied.generation))?;
            }
            let listing = plan::listing(&applied.plan, &context.output);
            let number =
                applied.generation.map_or_else(String::new, |n| format!("generation {n}, "));
            let done = context.output.paint(Tone::Good, "Applied");
            context.output.text(&format!("{listing}{done}: {number}read back and verified.\n"))?;
        }
    }
    Ok(Exit::Done)
}
