//! What an edit did, or would do: the difference in the file, and what the apply did.

use super::super::failure::defuse;
use super::super::output::{Format, Output, Tone};
use super::super::{Context, apply, plan};
use super::Made;
use super::diff::unified;
use crate::error::Error;
use crate::plan::Plan;
use crate::transaction::Outcome;

/// An edit of a file.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Edit")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    command: &'a str,
    group: &'a str,
    /// The file that was edited, or would be.
    file: String,
    /// Whether the file was not there.
    created: bool,
    /// What changed; empty where the file says so already.
    changes: &'a [Change],
    /// What changed in the file, as a unified diff; empty where nothing did.
    diff: String,
    /// Whether the file was written; never with --dry-run.
    written: bool,
    /// The plan that was carried out, with --apply.
    apply: Option<plan::Document>,
}

/// One thing that an edit changes.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct Change {
    action: Action,
    object: Object,
    name: String,
}

/// What becomes of it.
#[derive(Clone, Copy, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "EditAction")]
pub(in crate::cli) enum Action {
    Add,
    Change,
    Remove,
}

/// What is edited.
#[derive(Clone, Copy, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "EditObject")]
pub(in crate::cli) enum Object {
    Group,
    Key,
    RealServer,
}

impl Change {
    /// What becomes of what is called so.
    pub(in crate::cli) fn new(action: Action, object: Object, name: &impl ToString) -> Self {
        Self { action, object, name: name.to_string() }
    }
}

/// Shows an edit that is not carried out.
pub(super) fn planned(context: &mut Context, command: &str, made: &Made) -> Result<(), Error> {
    let goes = made.may_go && made.edit.is_emptied();
    let diff = diff(made, goes);
    if context.output.is_json() {
        return context.output.json(&document(command, made, diff, false, None));
    }
    if diff.is_empty() {
        return context.output.text(&format!("{}: nothing to do.\n", made.nothing));
    }
    // It is what was asked for, so it comes even with --quiet.
    let text = colored(&context.output, &diff);
    context.output.raw(text.as_bytes())
}

/// Shows an edit that was carried out.
pub(super) fn done(
    context: &mut Context,
    command: &str,
    made: &Made,
    goes: bool,
    outcome: Option<&Outcome>,
) {
    let diff = diff(made, goes);
    let output = &mut context.output;
    if output.is_json() {
        let applied = outcome.map(|outcome| match outcome {
            Outcome::InSync { generation } => plan::document(&Plan::default(), *generation),
            Outcome::Applied(applied) => plan::document(&applied.plan, applied.generation),
        });
        let written = made.edit.text() != made.edit.before();
        let document = document(command, made, diff, written, applied);
        return Output::after_the_fact(output.json(&document));
    }
    let file = defuse(&made.edit.path().display().to_string());
    let mut text = colored(output, &diff);
    if diff.is_empty() {
        text += &format!("{}: nothing to write.\n", made.nothing);
    } else {
        let done = if goes { "Removed" } else { "Wrote" };
        text += &format!("{} {file}.\n", output.paint(Tone::Good, done));
    }
    if outcome.is_none() && !diff.is_empty() {
        text += "`fwmarkctl apply` brings it into the kernel.\n";
    }
    Output::after_the_fact(output.text(&text));
    if let Some(outcome) = outcome {
        Output::after_the_fact(apply::show(output, outcome));
    }
}

fn diff(made: &Made, goes: bool) -> String {
    let file = made.edit.path().display().to_string();
    let before = if made.edit.exists() { file.as_str() } else { "/dev/null" };
    let after = if goes { "/dev/null" } else { file.as_str() };
    let text = if goes { "" } else { made.edit.text() };
    unified((before, after), made.edit.before(), text)
}

fn document<'a>(
    command: &'a str,
    made: &'a Made,
    diff: String,
    written: bool,
    apply: Option<plan::Document>,
) -> Document<'a> {
    let is_change = !diff.is_empty();
    Document {
        format: Format,
        command,
        group: made.edit.group(),
        file: made.edit.path().to_string_lossy().into_owned(),
        created: is_change && !made.edit.exists(),
        changes: if is_change { &made.changes } else { &[] },
        diff,
        written,
        apply,
    }
}

/// The diff as it is shown: line by line, without what a terminal would obey.
fn colored(output: &Output, diff: &str) -> String {
    let mut text = String::new();
    for (number, line) in diff.lines().enumerate() {
        let tone = match line.as_bytes() {
            _ if number < 2 => Some(Tone::Heading),
            [b'+', ..] => Some(Tone::Good),
            [b'-', ..] => Some(Tone::Bad),
            [b'@', ..] => Some(Tone::Faint),
            _ => None,
        };
        let line = defuse(line);
        text += &tone.map_or_else(|| line.clone(), |tone| output.paint(tone, &line));
        text.push('\n');
    }
    text
}
