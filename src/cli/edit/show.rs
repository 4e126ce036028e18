//! What an edit did, or would do: the difference in the file, and what the apply did.

use std::time::Duration;

use super::super::consent::can_answer;
use super::super::failure::defuse;
use super::super::output::{Format, Output, Tone};
use super::super::{Context, Pending, apply, plan};
use super::diff::unified;
use super::{Carried, Made};
use crate::error::Error;

/// An edit of a file.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Edit")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    command: &'a str,
    /// The group; null where it is the whole configuration.
    group: Option<&'a str>,
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
    /// Files that go with it, or would: with --purge.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed: Vec<String>,
    /// The plan that was carried out, with --apply; with --dry-run too, that which would be.
    apply: Option<plan::Document>,
    /// The trial that has begun, with --confirm-within.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
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
pub(super) fn planned(
    context: &mut Context,
    command: &str,
    made: &Made,
    plan: Option<plan::Foreseen>,
) -> Result<(), Error> {
    let goes = made.may_go && made.edit.is_emptied();
    let diff = diff(made, goes);
    if context.output.is_json() {
        let plan = plan.map(|plan| plan.document());
        return context.output.json(&document(command, made, diff, (plan, None), false));
    }
    let listing = plan.map_or_else(String::new, |plan| plan.text(&context.output));
    if diff.is_empty() {
        return context.output.text(&format!("{}: nothing to do.\n{listing}", made.nothing));
    }
    // It is what was asked for, so it comes even with --quiet.
    let text = colored(&context.output, &diff) + &listing;
    context.output.raw(text.as_bytes())
}

/// Shows an edit that was carried out.
pub(super) fn done(
    context: &mut Context,
    command: &str,
    made: &Made,
    goes: bool,
    carried: Option<(&Carried, Option<Duration>)>,
) {
    let outcome = carried.map(|(carried, _)| &carried.outcome);
    let trial = carried.and_then(|(carried, within)| carried.trial.as_ref().zip(within));
    let (diff, is_asked) = (diff(made, goes), can_answer(context));
    let output = &mut context.output;
    if output.is_json() {
        let applied = outcome.map(apply::document);
        let pending = trial.map(|(trial, within)| apply::pending(trial, within));
        let document = document(command, made, diff, (applied, pending), made.changes_files());
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
    if let (Some((trial, within)), false) = (trial, is_asked) {
        Output::after_the_fact(output.text(&apply::unless_confirmed(trial, within)));
    }
}

fn diff(made: &Made, goes: bool) -> String {
    let file = made.edit.path().display().to_string();
    let before = if made.edit.exists() { file.as_str() } else { "/dev/null" };
    let after = if goes { "/dev/null" } else { file.as_str() };
    let text = if goes { "" } else { made.edit.text() };
    let others = made.others().iter().map(|other| {
        unified((&other.path().display().to_string(), "/dev/null"), other.before(), "")
    });
    unified((before, after), made.edit.before(), text) + &others.collect::<String>()
}

fn document<'a>(
    command: &'a str,
    made: &'a Made,
    diff: String,
    (apply, pending): (Option<plan::Document>, Option<Pending>),
    written: bool,
) -> Document<'a> {
    let is_change = made.changes_files();
    let group = made.edit.group();
    let removed = made.others().iter().map(|it| it.path().to_string_lossy().into_owned());
    Document {
        format: Format,
        command,
        group: (!group.is_empty()).then_some(group),
        file: made.edit.path().to_string_lossy().into_owned(),
        created: is_change && !made.edit.exists(),
        changes: if is_change { &made.changes } else { &[] },
        diff,
        written,
        removed: removed.collect(),
        apply,
        pending,
    }
}

/// The diff as it is shown: line by line, without what a terminal would obey.
fn colored(output: &Output, diff: &str) -> String {
    let mut text = String::new();
    // Two lines name the files; others may begin so too.
    let mut names = 2_u8;
    let mut lines = diff.lines().peekable();
    while let Some(line) = lines.next() {
        let is_next =
            line.starts_with("--- ") && lines.peek().is_some_and(|next| *next == "+++ /dev/null");
        if is_next {
            names = 2;
        }
        let tone = match line.as_bytes() {
            _ if names > 0 => Some(Tone::Heading),
            [b'+', ..] => Some(Tone::Good),
            [b'-', ..] => Some(Tone::Bad),
            [b'@', ..] => Some(Tone::Faint),
            _ => None,
        };
        names = names.saturating_sub(1);
        let line = defuse(line);
        text += &tone.map_or_else(|| line.clone(), |tone| output.paint(tone, &line));
        text.push('\n');
    }
    text
}
