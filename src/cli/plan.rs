//! `plan`: what an apply would change, without changing it.

use std::rc::Rc;

use super::args::PlanOptions;
use super::consent::Consent;
use super::output::{Format, Output, Tone};
use super::{Context, Interrupted, Pending, unfinished_text};
use crate::compile::Compiled;
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::operation::Expectation;
use crate::plan::{Action, ChangeLine, Conflict, Limit, Object, Phase, Plan, Summary};
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
        None => (None, Expectation::default().applied(&context.site()?)?),
    };
    let unasked = Consent::default();
    // What was applied was agreed to.
    let limit = config.and_then(|config| unasked.limit(&config.director, &desired));
    let foreseen = Foreseen::new(context, &desired, options.adopt, limit.as_ref())?;
    if context.output.is_json() {
        let (pending, plan) = (Pending::of(&unfinished), foreseen.document());
        let interrupted = Interrupted::of(&unfinished);
        context.output.json(&Planned { plan, pending, interrupted })?;
    } else {
        let text = unfinished_text(&unfinished, &context.output) + &foreseen.text(&context.output);
        context.output.text(&text)?;
    }
    let differs = options.detailed_exitcode && !foreseen.plan.is_empty();
    Ok(if differs { Exit::Differs } else { Exit::Done })
}

/// Shows what leads from the kernel to a state that somebody else than the configuration
/// says.
pub(super) fn foreseen(context: &mut Context, to: &DirectorState) -> Result<Exit, Error> {
    let foreseen = Foreseen::new(context, to, true, None)?;
    if context.output.is_json() {
        context.output.json(&foreseen.document())?;
    } else {
        let text = foreseen.text(&context.output);
        context.output.text(&text)?;
    }
    Ok(Exit::Done)
}

/// What an apply of a configuration would do, for who edits it.
///
/// # Errors
/// The conflicts that the apply would have, and what cannot be read.
pub(super) fn of_edit(
    context: &Context,
    (config, compiled): (&Config, &Compiled),
    consent: &Consent,
) -> Result<Foreseen, Error> {
    let desired = context.unfinished()?.now(compiled.state.clone());
    let limit = consent.limit(&config.director, &desired);
    Foreseen::new(context, &desired, false, limit.as_ref())
}

/// What would lead from the kernel to a state, looked at and not done.
pub(super) struct Foreseen {
    plan: Plan,
    /// The generation that the kernel holds.
    generation: Option<u64>,
    /// That it would be asked about, and why.
    asked: Option<String>,
}

impl Foreseen {
    /// Looks at the kernel. What is others' is a conflict, unless it would be adopted; a
    /// limit is told of, never enforced.
    fn new(
        context: &Context,
        to: &DirectorState,
        adopt: bool,
        limit: Option<&Limit<'_>>,
    ) -> Result<Self, Error> {
        let observed = context.observe(to)?;
        let conflicts = if adopt { Vec::new() } else { Conflict::find(&observed, to) };
        if !conflicts.is_empty() {
            return Err(TransactionError::Conflict(conflicts).into());
        }
        let plan = Plan::between(&observed, to);
        let asked = limit.and_then(|limit| limit.check(&observed, &plan).err());
        let asked = asked.map(|found| format!("apply asks first, or needs --yes: {found}"));
        let generation = observed.record().map(|record| record.generation);
        Ok(Self { plan, generation, asked })
    }

    /// The same as a JSON document.
    pub(super) fn document(&self) -> Document {
        let mut document = document(&self.plan, self.generation);
        document.notes.extend(self.asked.clone());
        document
    }

    /// The same for who reads it.
    pub(super) fn text(&self, output: &Output) -> String {
        let mut text = if self.plan.is_empty() {
            "In sync: nothing to do.\n".to_owned()
        } else {
            listing(&self.plan, output)
        };
        text.extend(self.asked.iter().map(|asked| format!("note: {asked}\n")));
        text
    }
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
