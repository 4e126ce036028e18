//! `recover`: an interrupted transaction is finished or undone, and nothing else.

use serde_json::json;

use super::output::{FORMAT, Output};
use super::session::TrialEnd;
use super::{Context, record_error};
use crate::error::{Error, Exit};
use crate::transaction::Recovered;

pub(super) fn run(context: &mut Context, abandon: bool, no_wait: bool) -> Result<Exit, Error> {
    if abandon {
        let session = context.bare_session("recover", no_wait)?;
        session.run.remove().map_err(record_error("remove the journal"))?;
        session.trial_file.remove().map_err(record_error("end the trial"))?;
        context.output.json(&document("abandoned", None))?;
        context
            .output
            .text("Abandoned: the kernel is as it is. `fwmarkctl plan` shows how it differs.\n")?;
        return Ok(Exit::Done);
    }
    let session = context.session("recover", no_wait)?;
    let (recovered, ended) = (session.recovered, session.ended);
    drop(session);
    let (word, sentence) = match recovered {
        Some(Recovered::Finished) => ("finished", "The interrupted transaction was finished."),
        Some(Recovered::Undone) => {
            ("undone", "The interrupted transaction was undone: the state from before is back.")
        }
        None if ended.is_some() => ("trial-ended", "A trial that was over has ended."),
        None => ("nothing", "Nothing to recover."),
    };
    let output = &mut context.output;
    Output::after_the_fact(
        output.json(&document(word, ended)).and_then(|()| output.text(&format!("{sentence}\n"))),
    );
    Ok(Exit::Done)
}

fn document(recovered: &str, ended: Option<TrialEnd>) -> serde_json::Value {
    let trial = ended.map(|ended| match ended {
        TrialEnd::Confirmed(generation) => json!({ "generation": generation, "end": "confirmed" }),
        TrialEnd::Expired(generation) => json!({ "generation": generation, "end": "expired" }),
    });
    json!({ "format": FORMAT, "recovered": recovered, "trial": trial })
}
