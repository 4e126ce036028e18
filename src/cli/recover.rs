//! `recover`: an interrupted transaction is finished or undone, and nothing else.

use super::Context;
use super::output::{Format, Output};
use crate::error::{Error, Exit};
use crate::operation::TrialEnd;
use crate::transaction::Recovered;

/// What became of what was interrupted.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    format: Format,
    recovered: What,
    /// The trial that was over, where one was.
    trial: Option<EndedTrial>,
}

/// What was done.
#[derive(Clone, Copy, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum What {
    /// There was nothing to do.
    Nothing,
    /// The transaction was finished.
    Finished,
    /// The transaction was undone.
    Undone,
    /// There was none, and a trial that was over has ended.
    TrialEnded,
    /// It was forgotten; the kernel is as it is.
    Abandoned,
}

/// A trial that has ended.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct EndedTrial {
    generation: u64,
    end: HowEnded,
}

/// How it did.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum HowEnded {
    Confirmed,
    Expired,
}

pub(super) fn run(context: &mut Context, abandon: bool, no_wait: bool) -> Result<Exit, Error> {
    if abandon {
        context.bare_session("recover", no_wait)?.abandon()?;
        context.output.json(&document(What::Abandoned, None))?;
        context
            .output
            .text("Abandoned: the kernel is as it is. `fwmarkctl plan` shows how it differs.\n")?;
        return Ok(Exit::Done);
    }
    let session = context.session("recover", no_wait)?;
    let (recovered, ended) = (session.recovered(), session.ended());
    drop(session);
    let (what, sentence) = match recovered {
        Some(Recovered::Finished) => (What::Finished, "The interrupted transaction was finished."),
        Some(Recovered::Undone) => {
            (What::Undone, "The interrupted transaction was undone: the state from before is back.")
        }
        None if ended.is_some() => (What::TrialEnded, "A trial that was over has ended."),
        None => (What::Nothing, "Nothing to recover."),
    };
    let output = &mut context.output;
    Output::after_the_fact(
        output.json(&document(what, ended)).and_then(|()| output.text(&format!("{sentence}\n"))),
    );
    Ok(Exit::Done)
}

fn document(recovered: What, ended: Option<TrialEnd>) -> Document {
    let trial = ended.map(|ended| match ended {
        TrialEnd::Confirmed(generation) => EndedTrial { generation, end: HowEnded::Confirmed },
        TrialEnd::Expired(generation) => EndedTrial { generation, end: HowEnded::Expired },
    });
    Document { format: Format, recovered, trial }
}
