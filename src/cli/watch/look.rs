//! Looking, without the lock; and what is done with it.

use std::time::{Duration, Instant};

use super::super::consent::Consent;
use super::super::record_error;
use super::{Task, Watch};
use crate::backend::nftables::Events;
use crate::compile::Compiled;
use crate::config::Config;
use crate::error::Error;
use crate::operation::{Look, Repaired, Restored, Session};
use crate::plan::Plan;
use crate::transaction::{Cause, Draft, LockError, Outcome};

/// How often the lock is asked for while somebody else has it.
const ASK: Duration = Duration::from_millis(100);

/// What was done with the lock in hand.
#[derive(Default)]
struct Done {
    generation: Option<u64>,
    is_trial: bool,
    /// What was changed.
    plan: Plan,
}

impl Watch<'_> {
    /// Compares the kernel with what it shall hold, without the lock.
    pub(super) fn look(&mut self) {
        let has_heard = self.heard.due().is_some();
        self.heard.clear();
        let seen = self.see(has_heard);
        let now = Instant::now();
        self.next_look = now + self.interval;
        match seen {
            Ok(Look::InSync { generation, is_trial }) => self.report.well(generation, is_trial),
            Ok(Look::Differs) => {
                let due = self.back_off.due(now);
                if due > now {
                    self.hold_until(due);
                    self.report.backs_off(&self.context.output, due - now);
                } else {
                    (self.task, self.not_before) = (Some(Task::Repair), now);
                }
            }
            Err(error) => self.fail(&error),
        }
    }

    fn see(&mut self, has_heard: bool) -> Result<Look, Error> {
        if self.events.is_none() {
            self.events = Some(Events::subscribe().map_err(Cause::from)?);
        }
        Ok(self.context.site()?.look(&mut self.expectation, has_heard)?)
    }

    /// Does what needs the lock, or asks for it again later.
    pub(super) fn work(&mut self, task: Task) -> Result<(), Error> {
        let session = match self.context.session("watch", true) {
            Err(Error::Lock(LockError::Held(holder))) => {
                let now = Instant::now();
                let since = *self.waiting.get_or_insert(now);
                self.report.waits(&self.context.output, &holder, now - since);
                (self.task, self.not_before) = (Some(task), now + ASK);
                return Ok(());
            }
            other => other,
        };
        let is_apply = matches!(task, Task::Apply(_));
        let done = session.and_then(|session| match task {
            Task::Apply(loaded) => self.apply(&session, *loaded),
            Task::Boot => self.boot(&session),
            Task::Repair => self.repair(&session),
        });
        self.waiting = None;
        let now = Instant::now();
        self.next_look = now + self.interval;
        let Done { generation, is_trial, plan } = match done {
            Ok(done) => done,
            Err(error) if !self.report.is_ready() => return Err(error),
            Err(error) => {
                if is_apply {
                    self.next_look = now;
                    self.report.not_reloaded(&mut self.context.output, &error);
                } else {
                    self.fail(&error);
                }
                return Ok(());
            }
        };
        self.report.well(generation, is_trial);
        let output = &mut self.context.output;
        if !self.report.is_ready() {
            self.report.started(output, &plan);
        } else if is_apply {
            self.report.reloaded(output, &plan);
        } else if !plan.is_empty() {
            self.back_off.tried(now);
            self.report.repaired(output, &plan);
        }
        Ok(())
    }

    fn apply(&mut self, session: &Session<'_>, loaded: (Config, Compiled)) -> Result<Done, Error> {
        // A watch that starts beside a trial looks after what is there; a reload is refused.
        if session.trial().is_some() && !self.report.is_ready() {
            return self.repair(session);
        }
        session.refuse_trial()?;
        // The process that had the lock may have applied a newer configuration, and chosen marks.
        let (config, compiled) = if session.is_later() || self.waiting.is_some() {
            self.context.load_and_compile()?
        } else {
            loaded
        };
        let (state, marks) = (&compiled.state, &compiled.marks);
        // Nobody could be asked.
        let unasked = Consent::default();
        let limit = unasked.limit(&config.director, state);
        let draft = Draft { state, marks, config: Some(config.digest) };
        let plan = changes(session.apply(draft, false, limit)?);
        let generation = session.history().head().map_err(record_error("read the history"))?;
        Ok(Done { generation, plan, is_trial: false })
    }

    /// Returns to what was applied last. When that one is damaged an older one stands in,
    /// which the watch then cannot look after.
    fn boot(&mut self, session: &Session<'_>) -> Result<Done, Error> {
        if session.trial().is_some() {
            return self.repair(session);
        }
        Ok(session.restore(false)?.map_or_else(
            Done::default,
            |Restored { generation, outcome }| Done {
                generation: Some(generation),
                plan: changes(outcome),
                is_trial: false,
            },
        ))
    }

    /// Leads the kernel to what it shall hold; it adds nothing to the history but a line.
    fn repair(&mut self, session: &Session<'_>) -> Result<Done, Error> {
        let repaired = session.repair(&mut self.expectation)?;
        Ok(repaired.map_or_else(Done::default, |Repaired { generation, is_trial, outcome }| Done {
            generation: Some(generation),
            plan: changes(outcome),
            is_trial,
        }))
    }

    fn fail(&mut self, error: &Error) {
        let now = Instant::now();
        self.back_off.tried(now);
        let due = self.back_off.due(now);
        self.hold_until(due);
        self.report.failed(&mut self.context.output, error, due - now);
    }
}

/// What a transaction changed.
fn changes(outcome: Outcome) -> Plan {
    match outcome {
        Outcome::InSync { .. } => Plan::default(),
        Outcome::Applied(applied) => applied.plan,
    }
}
