//! What the watch says: sentences on standard error or JSON lines on standard output,
//! and a line to the service manager.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::output::{Format, Output, note};
use super::super::service_manager::ServiceManager;
use super::super::{Environment, failure, plan};
use crate::error::Error;
use crate::plan::{ChangeLine, Plan, Summary};

/// How many changes are told one by one to people, and to programs.
const TOLD: usize = 10;
const TOLD_AS_JSON: usize = 100;

/// From when on somebody who has the lock is worth a line.
const LONG: Duration = Duration::from_secs(10);

/// One event, on a line of its own.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Watched")]
pub(in crate::cli) struct Line<'a> {
    format: Format,
    event: Event,
    /// When, in UTC (RFC 3339), in milliseconds.
    time: String,
    /// The generation that is in force.
    generation: Option<u64>,
    #[serde(flatten)]
    more: More<'a>,
}

/// What happened.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "WatchEvent")]
enum Event {
    /// The watch began, after what its start changed.
    Started,
    /// What somebody changed is as it was.
    Repaired,
    /// The configuration was applied anew.
    Reloaded,
    /// What was tried failed; the watch goes on, unless it had not started.
    Failed,
    /// A signal ended the watch.
    Stopped,
}

/// What else is to be said of an event.
#[derive(Serialize, JsonSchema, Default)]
struct More<'a> {
    /// What was changed, at most 100 of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<ChangeLine>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<failure::Body<'a>>,
    /// What ended the watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'a str>,
}

/// Whom the watch talks to, and what it said.
pub(super) struct Report {
    manager: ServiceManager,
    next_sign: Option<Instant>,
    is_ready: bool,
    /// The generation that was seen last.
    generation: Option<u64>,
    repairs: u64,
    last_repair: Option<Timestamp>,
    /// The kinds of errors that were told since all was well.
    told: BTreeSet<&'static str>,
    /// How things are, and what the manager was told of it.
    how: String,
    told_manager: String,
}

impl Report {
    /// To those who listen.
    pub(super) fn new(environment: &Environment) -> Self {
        let Environment { notify_socket, watchdog_usec, .. } = environment.clone();
        Self {
            manager: ServiceManager::new(notify_socket, watchdog_usec),
            next_sign: None,
            is_ready: false,
            generation: None,
            repairs: 0,
            last_repair: None,
            told: BTreeSet::new(),
            how: String::new(),
            told_manager: String::new(),
        }
    }

    /// Whether the start is over.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// The watch begins, after what its start changed.
    pub(super) fn started(&mut self, output: &mut Output, plan: &Plan) {
        if !plan.is_empty() && !output.is_silent() {
            note(&self.changes("applied", plan));
        }
        say(
            output,
            &match self.generation {
                Some(generation) => format!("watching generation {generation}\n"),
                None => "nothing was ever applied: waiting for `fwmarkctl apply`\n".to_owned(),
            },
        );
        self.line(output, Event::Started, changes(plan));
        self.ready();
    }

    /// What somebody changed is as it was.
    pub(super) fn repaired(&mut self, output: &mut Output, plan: &Plan) {
        self.repairs += 1;
        self.last_repair = Some(Timestamp::now());
        if !output.is_silent() {
            note(&self.changes("repaired", plan));
        }
        self.line(output, Event::Repaired, changes(plan));
    }

    /// The configuration was applied anew.
    pub(super) fn reloaded(&mut self, output: &mut Output, plan: &Plan) {
        if !output.is_silent() {
            note(&self.changes("reloaded", plan));
        }
        self.line(output, Event::Reloaded, changes(plan));
        self.ready();
    }

    /// The configuration, or its apply, was no good.
    pub(super) fn not_reloaded(&mut self, output: &mut Output, error: &Error) {
        self.tell(output, error);
        say(
            output,
            &match self.generation {
                Some(generation) => {
                    format!("not reloaded: generation {generation} stays in force\n")
                }
                None => "not reloaded\n".to_owned(),
            },
        );
        self.ready();
    }

    /// A repair, or a look, failed; the next comes after `wait`. Each kind of error is
    /// told once until all is well again.
    pub(super) fn failed(&mut self, output: &mut Output, error: &Error, wait: Duration) {
        if self.told.insert(error.kind()) {
            self.tell(output, error);
            say(output, &format!("the watch goes on; next try {}\n", in_seconds(wait)));
        } else {
            tracing::info!("failed again: {}; next try {}", error.sentence(), in_seconds(wait));
        }
        self.how = format!("not repaired: {}", error.sentence());
    }

    /// Before there is anything to watch.
    pub(super) fn not_started(&mut self, output: &mut Output, error: &Error) {
        self.line(output, Event::Failed, failed(error));
    }

    /// Somebody has had the lock for some time.
    pub(super) fn waits(&mut self, output: &Output, holder: &str, time: Duration) {
        if (!self.is_ready || time >= LONG) && self.told.insert("locked") {
            say(output, &format!("waiting for another fwmarkctl: {holder}\n"));
            self.how = format!("waiting for {holder}");
        }
    }

    /// Something differs, and is left for `wait` because it was repaired often.
    pub(super) fn backs_off(&mut self, output: &Output, wait: Duration) {
        let wait = in_seconds(wait);
        say(
            output,
            &format!("changed again by somebody else: the watch backs off, next repair {wait}\n"),
        );
        self.how = format!("differs, next repair {wait}");
    }

    /// The kernel is as it shall be.
    pub(super) fn well(&mut self, generation: Option<u64>, is_trial: bool) {
        self.told.clear();
        self.generation = generation;
        let how = if is_trial { "on trial, in sync" } else { "in sync" };
        how.clone_into(&mut self.how);
    }

    /// The configuration is read again.
    pub(super) fn reloading(&self) {
        self.manager.reloading();
    }

    /// A signal ended the watch; nothing is under way.
    pub(super) fn stopped(&mut self, output: &mut Output, signal: &str) {
        self.manager.stopping();
        let stays = match self.generation {
            Some(generation) => format!("generation {generation} stays in force"),
            None => "nothing was applied".to_owned(),
        };
        say(output, &format!("{signal}: the watch ends, {stays}\n"));
        self.line(output, Event::Stopped, More { signal: Some(signal), ..More::default() });
    }

    /// Tells the service manager how things are, and the watchdog that we live.
    pub(super) fn tell_manager(&mut self, now: Instant) {
        let status = self.status();
        if self.is_ready && status != self.told_manager {
            self.manager.status(&status);
            self.told_manager = status;
        }
        let Some(period) = self.manager.watchdog_interval() else { return };
        if self.next_sign.is_none_or(|next| next <= now) {
            self.manager.alive();
            self.next_sign = Some(now + period);
        }
    }

    /// When the watchdog wants to hear of us.
    pub(super) fn next_sign(&self) -> Option<Instant> {
        self.next_sign
    }

    fn ready(&mut self) {
        self.is_ready = true;
        self.told_manager = self.status();
        self.manager.ready(&self.told_manager);
    }

    /// Such as "generation 7 in sync, 3 repairs, last 14:02:11Z".
    fn status(&self) -> String {
        let mut status = match self.generation {
            Some(generation) => format!("generation {generation} {}", self.how),
            None => format!("nothing was applied yet, {}", self.how),
        };
        if let Some(last) = self.last_repair {
            let repairs = if self.repairs == 1 { "repair" } else { "repairs" };
            status += &format!(", {} {repairs}, last {}", self.repairs, last.strftime("%H:%M:%SZ"));
        }
        status
    }

    /// An error in full.
    fn tell(&mut self, output: &mut Output, error: &Error) {
        if output.is_json() {
            self.line(output, Event::Failed, failed(error));
        } else {
            note(&failure::text(error, output.colors_errors()));
        }
    }

    /// What was done, in sentences.
    fn changes(&self, what: &str, plan: &Plan) -> String {
        let lines = plan.lines();
        let number = self.generation.map_or_else(String::new, |n| format!(" generation {n}"));
        let mut text = format!("{what}{number}: {}\n", Summary::of(&lines));
        for line in lines.iter().take(TOLD) {
            text += &format!("  {}\n", plan::sentence(line));
        }
        if let Some(more @ 1..) = lines.len().checked_sub(TOLD) {
            text += &format!("  … and {more} more\n");
        }
        for found in plan.notes() {
            text += &format!("  note: {found}\n");
        }
        failure::defuse(&text)
    }

    /// One event as one line of JSON, with the fields of `more`.
    fn line(&self, output: &mut Output, event: Event, more: More<'_>) {
        let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let line = Line { format: Format, event, time, generation: self.generation, more };
        Output::after_the_fact(output.json_line(&line));
    }
}

/// What was done, for programs.
fn changes(plan: &Plan) -> More<'static> {
    let mut lines = plan.lines();
    let summary = Some(Summary::of(&lines));
    lines.truncate(TOLD_AS_JSON);
    More { changes: Some(lines), summary, notes: plan.notes(), ..More::default() }
}

/// What was not done, for programs.
fn failed(error: &Error) -> More<'_> {
    More { error: Some(failure::body(error)), ..More::default() }
}

fn say(output: &Output, text: &str) {
    if !output.is_silent() {
        note(&failure::defuse(text));
    }
}

fn in_seconds(wait: Duration) -> String {
    if wait.is_zero() {
        "at once".to_owned()
    } else {
        format!("in {} s", wait.as_secs_f64().ceil())
    }
}
