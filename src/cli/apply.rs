//! `apply`: the kernel comes to hold what the configuration says.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::output::{Output, Tone};
use super::{Context, plan};
use crate::compile::MarkBook;
use crate::error::{Error, Exit};
use crate::history::save_marks;
use crate::plan::Plan;
use crate::state::ServiceKey;
use crate::transaction::{Applied, Journal, Outcome, RunJournal};

/// The journal of an apply, which also keeps the marks: both before the first write, so
/// that a full disk is noticed while nothing has been done.
struct ApplyJournal<'a> {
    run: RunJournal,
    state_dir: &'a Path,
    marks: &'a MarkBook,
}

impl Journal for ApplyJournal<'_> {
    fn services(&self) -> BTreeSet<ServiceKey> {
        self.run.services()
    }

    fn remember(&self, services: &BTreeSet<ServiceKey>) -> io::Result<()> {
        save_marks(self.state_dir, self.marks)?;
        self.run.remember(services)
    }
}

pub(super) fn run(context: &mut Context, adopt: bool, no_wait: bool) -> Result<Exit, Error> {
    let mut compiled = context.compile()?;
    let (lock, waited) = context.lock(no_wait)?;
    // Whoever had the lock may have applied a newer configuration, and chosen marks.
    if waited && !context.reads_stdin() {
        compiled = context.compile()?;
    }
    let state_dir = &context.global.state_dir;
    let journal = ApplyJournal { run: context.journal()?, state_dir, marks: &compiled.marks };
    let outcome = context.transact(&compiled.state, adopt, &journal)?;
    if let Outcome::InSync { .. } = outcome {
        // A disabled group has a mark, and nothing in the kernel.
        save_marks(state_dir, &compiled.marks).map_err(|source| Error::File {
            action: "save the marks in",
            path: state_dir.clone(),
            source,
        })?;
    }
    drop(lock);
    match outcome {
        Outcome::InSync { generation } => show_in_sync(&mut context.output, generation)?,
        Outcome::Applied(applied) => {
            Output::after_the_fact(show_applied(&mut context.output, &applied));
        }
    }
    Ok(Exit::Done)
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
    let listing = plan::listing(&applied.plan, output);
    let number = applied.generation.map_or_else(String::new, |n| format!("generation {n}, "));
    let done = output.paint(Tone::Good, "Applied");
    output.text(&format!("{listing}{done}: {number}read back and verified.\n"))
}
