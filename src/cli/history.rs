//! `history`: the generations, what was in them, and how two differ.

use super::args::HistoryCommand;
use super::output::{Format, Output, Tone};
use super::{Context, compile, confirm, plan, record_error};
use crate::error::{Error, Exit};
use crate::plan::Plan;
use crate::state::Observation;
use crate::transaction::{Event, Header, Unreadable};

/// All generations.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct All<'a> {
    format: Format,
    /// The one that counts: a boot restores it.
    head: Option<u64>,
    /// The newest first.
    generations: Vec<Listed<'a>>,
}

/// One of them, with what it holds.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct One<'a> {
    format: Format,
    #[serde(flatten)]
    generation: Generation<'a>,
    holds: compile::State,
}

/// One that can be read, or that cannot.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Listed<'a> {
    Sound(Generation<'a>),
    Damaged {
        number: u64,
        /// Why it cannot be read.
        damaged: String,
    },
}

/// What is known of a generation.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Generation<'a> {
    #[serde(flatten)]
    header: &'a Header,
    /// Whether it counts: a boot restores it.
    current: bool,
    /// How transactions about it ended, in their order.
    events: &'a [Event],
    /// What became of it last.
    outcome: Option<&'static str>,
    /// Always null: this one can be read.
    damaged: (),
}

pub(super) fn run(context: &mut Context, what: Option<&HistoryCommand>) -> Result<Exit, Error> {
    match what {
        None => list(context),
        Some(HistoryCommand::Show { generation }) => show(context, *generation),
        Some(HistoryCommand::Diff { from, to }) => diff(context, *from, *to),
    }
}

/// One line of the list: a generation that can be read, or why it cannot.
type Entry = (u64, Result<Header, Unreadable>, Vec<Event>);

fn list(context: &mut Context) -> Result<Exit, Error> {
    let history = context.history();
    let failed = record_error("read the history");
    let head = history.head().map_err(&failed)?;
    let mut events = history.events();
    let entries: Vec<Entry> = history
        .numbers()
        .map_err(&failed)?
        .into_iter()
        .rev()
        .map(|number| (number, history.header(number), events.remove(&number).unwrap_or_default()))
        .collect();
    if context.output.is_json() {
        let generations = entries.iter().map(|entry| listed(entry, head)).collect();
        context.output.json(&All { format: Format, head, generations })?;
    } else {
        let text = text(&entries, head, &context.output);
        context.output.text(&text)?;
    }
    Ok(Exit::Done)
}

fn listed((number, header, events): &Entry, head: Option<u64>) -> Listed<'_> {
    match header {
        Ok(header) => Listed::Sound(Generation::of(header, events, head)),
        Err(why) => Listed::Damaged { number: *number, damaged: why.to_string() },
    }
}

impl<'a> Generation<'a> {
    fn of(header: &'a Header, events: &'a [Event], head: Option<u64>) -> Self {
        let current = head == Some(header.number);
        let outcome = events.last().map(Event::outcome);
        Self { header, current, events, outcome, damaged: () }
    }
}

fn text(entries: &[Entry], head: Option<u64>, output: &Output) -> String {
    if entries.is_empty() {
        return "No generation yet: `fwmarkctl apply` makes the first.\n".to_owned();
    }
    let mut text = String::new();
    for (number, header, events) in entries {
        let mark = if head == Some(*number) { "*" } else { " " };
        let line = match header {
            Ok(header) => {
                let crate::plan::Summary { add, change, remove } = header.summary;
                format!(
                    "{mark}{number:>5}  {}  {:<8}  {:<15}  {:<16}  {}",
                    header.time,
                    header.author.user,
                    header.purpose.to_string(),
                    format!("+{add} ~{change} -{remove}"),
                    output.paint(Tone::Faint, outcome(events)),
                )
            }
            Err(why) => format!("{mark}{number:>5}  {}", output.paint(Tone::Bad, why)),
        };
        text += &format!("{}\n", line.trim_end());
    }
    let legend = match head {
        Some(_) => "* is what counts: a boot restores it.\n",
        None => "None of them was confirmed: a boot restores nothing.\n",
    };
    text + legend
}

/// What became of a generation, in the order in which it happened. Repairs are many.
fn outcome(events: &[Event]) -> String {
    let mut words: Vec<_> = events.iter().map(Event::outcome).collect();
    words.dedup();
    if words.is_empty() { "never ended".to_owned() } else { words.join(", ") }
}

fn show(context: &mut Context, number: u64) -> Result<Exit, Error> {
    let history = context.history();
    let saved = history.read(number)?;
    let head = history.head().map_err(record_error("read the history"))?;
    let events = history.events().remove(&number).unwrap_or_default();
    let plan = Plan::between(&Observation::default(), &saved.state);
    if context.output.is_json() {
        let compiled = crate::compile::Compiled { state: saved.state, marks: saved.marks };
        let generation = Generation::of(&saved.header, &events, head);
        let holds = compile::document(&compiled);
        context.output.json(&One { format: Format, generation, holds })?;
        return Ok(Exit::Done);
    }
    let Header { time, purpose, author, config, before, .. } = &saved.header;
    let optional = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let mut text = format!(
        "generation  {number}{}\ntime        {time}\npurpose     {purpose}\n\
         by          {}@{} (process {})\noutcome     {}\nbefore      {}\nconfig      {}\n",
        if head == Some(number) { "  (counts)" } else { "" },
        author.user,
        author.host,
        author.process,
        outcome(&events),
        optional(before.map(|before| format!("generation {before}"))),
        optional(config.as_ref().map(|digest| format!("sha256 {digest}"))),
    );
    for line in plan.lines() {
        text += &format!("  {}\n", plan::contents(&line));
    }
    context.output.text(&text)?;
    Ok(Exit::Done)
}

fn diff(context: &mut Context, from: u64, to: u64) -> Result<Exit, Error> {
    let history = context.history();
    let (from, to) = (history.read(from)?, history.read(to)?);
    let plan = Plan::between(&Observation::of(&from.state), &to.state);
    if context.output.is_json() {
        let document = plan::document(&plan, Some(to.header.number));
        context.output.json(&document)?;
    } else if plan.is_empty() {
        context.output.text("Both hold the same.\n")?;
    } else {
        let listing = plan::listing(&plan, &context.output);
        context.output.text(&listing)?;
    }
    Ok(Exit::Done)
}

/// Tells that a trial was given up.
pub(super) fn show_return(output: &mut Output, generation: u64) {
    Output::after_the_fact(output.json(&confirm::Document::of(false, generation)).and_then(|()| {
        output
            .text(&format!("Generation {generation} is given up: the state from before is back.\n"))
    }));
}
