//! `completions`: a script for each shell, which asks the program itself what could stand
//! where the cursor is (decision 0031).

mod names;
mod words;

use super::Context;
use super::args::Shell;
use super::output::Format;
use crate::error::{Error, Exit};

/// The completions of a shell.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Completions")]
pub(super) struct Document {
    format: Format,
    #[schemars(extend("enum" = ["bash", "zsh", "fish"]))]
    shell: &'static str,
    /// The script that the shell reads.
    text: &'static str,
}

pub(super) fn run(context: &mut Context, shell: Shell) -> Result<Exit, Error> {
    let (shell, text) = match shell {
        Shell::Bash => ("bash", include_str!("../../../completions/fwmarkctl.bash")),
        Shell::Zsh => ("zsh", include_str!("../../../completions/_fwmarkctl")),
        Shell::Fish => ("fish", include_str!("../../../completions/fwmarkctl.fish")),
    };
    if context.output.is_json() {
        context.output.json(&Document { format: Format, shell, text })?;
    } else {
        context.output.raw(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// Answers a script: what could stand in the place of the last word, each on a line with a
/// tab before what it is. A line with a colon alone asks the shell for its files.
///
/// Somebody is typing: nothing is an error here, and what cannot be read is not there.
pub(super) fn answer(context: &mut Context, words: &[String]) -> Result<Exit, Error> {
    let mut text = String::new();
    for words::Candidate { value, about } in words::complete(words) {
        // A tab or a line break would be taken for ours.
        let clean = |text: String| text.replace(['\t', '\n'], " ");
        text += &format!("{}\t{}\n", clean(value), clean(about));
    }
    context.output.raw(text.as_bytes())?;
    Ok(Exit::Done)
}
