//! `confirm`: what a trial brought stays.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::output::{Format, Output, note};
use super::{Context, record_error};
use crate::error::{Error, Exit};
use crate::operation::Session;
use crate::transaction::Trial;

/// What became of a trial.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Trial")]
pub(super) struct Document {
    format: Format,
    /// Whether it stays; else the state from before is back.
    confirmed: bool,
    /// The generation that was on trial.
    generation: u64,
}

impl Document {
    /// Of the trial of a generation.
    pub(super) fn of(confirmed: bool, generation: u64) -> Self {
        Self { format: Format, confirmed, generation }
    }
}

pub(super) fn run(context: &mut Context, no_wait: bool) -> Result<Exit, Error> {
    let session = context.session("confirm", no_wait)?;
    let generation = session.confirm()?;
    drop(session);
    Output::after_the_fact(show(&mut context.output, generation));
    Ok(Exit::Done)
}

fn show(output: &mut Output, generation: u64) -> Result<(), Error> {
    output.json(&Document::of(true, generation))?;
    output.text(&format!("Confirmed: generation {generation} stays.\n"))
}

/// What ended a countdown.
enum Answer {
    Confirmed,
    Refused(&'static str),
    Left(&'static str),
    Over,
}

/// Counts down on a terminal. Enter confirms, Ctrl-C returns to the state before. When the
/// terminal goes the deadline stands.
pub(super) fn countdown(
    context: &mut Context,
    session: Session<'_>,
    trial: &Trial,
) -> Result<Exit, Error> {
    // Others may confirm meanwhile, and the watcher ends it at the deadline.
    drop(session);
    let (signals, trial_file) = (context.signals()?, context.site()?.trial_file()?);
    let answer = ask(&signals, trial, || {
        trial_file
            .find()
            .is_ok_and(|found| found.is_some_and(|found| found.generation == trial.generation))
    });
    note("\r\x1b[K");
    match answer {
        Answer::Confirmed => run(context, false),
        Answer::Refused(signal) => {
            let session = context.session("rollback", false)?;
            if let Some(trial) = session.trial() {
                session.return_to_before(trial)?;
            }
            note(&format!("{signal}: the state from before is back\n"));
            Ok(Exit::Failed)
        }
        Answer::Left(why) => {
            note(&format!(
                "{why}: the state from before returns at {} unless you run: fwmarkctl confirm\n",
                trial.deadline_utc
            ));
            Ok(Exit::Done)
        }
        Answer::Over => {
            let session = context.session("confirm", false)?;
            let head = session.history().head().map_err(record_error("read the history"))?;
            if head == Some(trial.generation) {
                note("confirmed from elsewhere\n");
                return Ok(Exit::Done);
            }
            Err(Error::Expired(trial.generation))
        }
    }
}

/// Asks until somebody answers, or until the trial is over.
fn ask(
    signals: &super::signals::Signals,
    trial: &Trial,
    mut is_there: impl FnMut() -> bool,
) -> Answer {
    let stdin = std::io::stdin();
    while is_there() {
        let Some(left) = trial.left() else { return Answer::Over };
        note(&format!(
            "\r\x1b[KThe state from before returns in {} s. Enter keeps the new one, Ctrl-C goes back now. ",
            left.as_secs_f64().ceil()
        ));
        // To the next whole second, so that the number changes when it should.
        let rest = Duration::from_nanos(u64::from(left.subsec_nanos()).max(1_000_000));
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(rest.subsec_nanos()) };
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        let came = poll(&mut waiting, Some(&wait));
        tracing::trace!(?came, "countdown");
        // Taken, so that it does not stop the way back.
        match signals.take() {
            Some("SIGINT") => return Answer::Refused("interrupted"),
            Some(signal) => return Answer::Left(signal),
            None => {}
        }
        if !waiting[0].revents().is_empty() {
            // Not through the buffer of the standard library, which poll(2) does not see.
            let mut typed = [0; 256];
            match rustix::io::read(&stdin, &mut typed) {
                Ok(0) | Err(_) => return Answer::Left("standard input ended"),
                Ok(length) if typed[..length].contains(&b'\n') => return Answer::Confirmed,
                Ok(_) => {}
            }
        }
    }
    Answer::Over
}
