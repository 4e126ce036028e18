//! `plan`: what an apply would change, without changing it.

use std::rc::Rc;

use super::args::PlanOptions;
use super::consent::Consent;
use super::output::{Format, Output, Tone};
use super::wanted::Expectation;
use super::{Context, Interrupted, Pending};
use crate::compile::Compiled;
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::plan::{Action, ChangeLine, Conflict, Object, Phase, Plan, Summary};
use crate::state::DirectorState;
use crate::transaction::TransactionError;

/// A plan, or one that was carried out.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Plan")]
pub(super) struct Document {
    format: Format,
    /// Whether nothing differs.
    in_sync: bool,
    changes: Vec<ChangeLine>,
    summary: Summary,
    /// The generation that the kernel holds, or that was made; null where there is none.
    generation: Option<u64>,
    /// What somebody should know of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// A plan, and what has not ended.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Planned {
    #[serde(flatten)]
    plan: Document,
    /// The trial that waits, where one does.
    pending: Option<Pending>,
    /// The transaction that has not ended, where there is one.
    interrupted: Option<Interrupted>,
}

pub(super) fn run(context: &mut Context, options: &PlanOptions) -> Result<Exit, Error> {
    let loaded = (!options.applied).then(|| context.load_and_compile()).transpose()?;
    let unfinished = context.unfinished()?;
    let (config, desired) = match loaded {
        Some((config, compiled)) => (Some(config), Rc::new(unfinished.now(compiled.state))),
        None => (None, Expectation::default().applied(context)?),
    };
    let observed = context.observe(&desired)?;
    let conflicts = Conflict::find(&observed, &desired);
    if !options.adopt && !conflicts.is_empty() {
        return Err(TransactionError::Conflict(conflicts).into());
    }
    let plan = Plan::between(&observed, &desired);
    let unasked = Consent::default();
    // What was applied was agreed to.
    let limit = config.and_then(|config| unasked.limit(&config.director, &desired));
    let asked = limit.and_then(|limit| limit.check(&observed, &plan).err());
    let asked = asked.map(|found| format!("apply asks first, or needs --yes: {found}"));
    let generation = observed.record().map(|record| record.generation);
    if context.output.is_json() {
        let (pending, mut plan) = (unfinished.pending(), document(&plan, generation));
        plan.notes.extend(asked);
        let interrupted = unfinished.interrupted;
        context.output.json(&Planned { plan, pending, interrupted })?;
    } else {
        let listing = if plan.is_empty() {
            "In sync: nothing to do.\n".to_owned()
        } else {
            listing(&plan, &context.output)
        };
        let asked = asked.map_or_else(String::new, |asked| format!("note: {asked}\n"));
        let text = unfinished.text(&context.output) + &listing + &asked;
        context.output.text(&text)?;
    }
    Ok(if options.detailed_exitcode && !plan.is_empty() { Exit::Differs } else { Exit::Done })
}

/// Shows what leads from the kernel to a state that somebody else than the configuration
/// says.
pub(super) fn foreseen(context: &mut Context, to: &DirectorState) -> Result<Exit, Error> {
    let observed = context.observe(to)?;
    let plan = Plan::between(&observed, to);
    let generation = observed.record().map(|record| record.generation);
    if context.output.is_json() {
        context.output.json(&document(&plan, generation))?;
    } else if plan.is_empty() {
        context.output.text("In sync: nothing to do.\n")?;
    } else {
        let text = listing(&plan, &context.output);
        context.output.text(&text)?;
    }
    Ok(Exit::Done)
}

/// What an apply of a configuration would do, for who edits it; a conflict is told as the
/// apply would.
pub(super) fn of_edit(
    context: &Context,
    (config, compiled): (&Config, &Compiled),
    consent: &Consent,
) -> Result<(Document, String), Error> {
    let desired = context.unfinished()?.now(compiled.state.clone());
    let observed = context.observe(&desired)?;
    let conflicts = Conflict::find(&observed, &desired);
    if !conflicts.is_empty() {
        return Err(TransactionError::Conflict(conflicts).into());
    }
    let plan = Plan::between(&observed, &desired);
    let limit = consent.limit(&config.director, &desired);
    let asked = limit.and_then(|limit| limit.check(&observed, &plan).err());
    let generation = observed.record().map(|record| record.generation);
    let mut document = document(&plan, generation);
    let asked = asked.map(|it| format!("apply asks first, or needs --yes: {it}"));
    let mut text = if plan.is_empty() {
        "In sync: nothing to do.\n".to_owned()
    } else {
        listing(&plan, &context.output)
    };
    text.extend(asked.iter().map(|asked| format!("note: {asked}\n")));
    document.notes.extend(asked);
    Ok((document, text))
}

/// A plan as a JSON document.
pub(super) fn document(plan: &Plan, generation: Option<u64>) -> Document {
    let changes = plan.lines();
    Document {
        format: Format,
        in_sync: plan.is_empty(),
        summary: Summary::of(&changes),
        changes,
        generation,
        notes: plan.notes(),
    }
}

/// A plan as a diff, grouped by phase.
pub(super) fn listing(plan: &Plan, output: &Output) -> String {
    if output.is_silent() {
        return String::new();
    }
    let lines = plan.lines();
    let width = lines.iter().map(|line| line.key.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut phase = None;
    for line in &lines {
        if phase != Some(line.phase) {
            phase = Some(line.phase);
            let (name, what) = match line.phase {
                Phase::Stage => ("stage", "before any packet is marked for it"),
                Phase::Switch => ("switch", "the marks, in one atomic step"),
                Phase::Retire => ("retire", "after no packet is marked for it"),
            };
            let name = output.paint(Tone::Heading, name);
            text += &format!("{name}  {}\n", output.paint(Tone::Faint, what));
        }
        text += &row(line, width, output);
    }
    for note in plan.notes() {
        text += &format!("note: {note}\n");
    }
    text + &format!("{}.\n", Summary::of(&lines))
}

fn row(line: &ChangeLine, width: usize, output: &Output) -> String {
    let (sign, tone) = match line.action {
        Action::Add => ('+', Tone::Good),
        Action::Change => ('~', Tone::Warning),
        Action::Remove => ('-', Tone::Bad),
    };
    let object = object(line.object);
    let what = output.paint(tone, format!("{sign} {object:<11}  {:<width$}", line.key));
    let group = line.group.as_ref().map_or_else(String::new, |group| format!("  [{group}]"));
    format!("  {what}  {}{}\n", values(line), output.paint(Tone::Faint, group))
}

/// What a state holds, as one line: a plan from nothing adds it.
pub(super) fn contents(line: &ChangeLine) -> String {
    let group = line.group.as_ref().map_or_else(String::new, |group| format!("  [{group}]"));
    format!("{:<11}  {}  {}{group}", object(line.object), line.key, values(line))
}

/// The word for what changes.
pub(super) fn object(object: Object) -> &'static str {
    match object {
        Object::MarkRule => "mark rule",
        Object::Service => "service",
        Object::RealServer => "real server",
        Object::Sysctl => "sysctl",
        Object::Timeout => "timeout",
        Object::Route => "route",
        Object::Address => "address",
        Object::SyncDaemon => "sync daemon",
        Object::NatRule => "nat rule",
    }
}

fn values(line: &ChangeLine) -> String {
    match (&line.before, &line.after) {
        (Some(before), Some(after)) => format!("{before} → {after}"),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => String::new(),
    }
}

/// A line of a plan as a sentence by itself.
pub(super) fn sentence(line: &ChangeLine) -> String {
    let action = match line.action {
        Action::Add => "add",
        Action::Change => "change",
        Action::Remove => "remove",
    };
    format!("{action} {} {}: {}", object(line.object), line.key, values(line))
}
