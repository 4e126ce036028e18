//! Looking, without the lock; and what is done with it.

use std::time::{Duration, Instant};

use super::super::consent::Consent;
use super::super::session::Session;
use super::super::wanted::Expected;
use super::super::{apply, record_error};
use super::{Task, Watch};
use crate::backend::nftables::Events;
use crate::backend::{Director, KernelDirector};
use crate::compile::Compiled;
use crate::config::Config;
use crate::error::Error;
use crate::plan::{Conflict, Plan};
use crate::state::{DirectorState, MarkingHalf, Observation};
use crate::transaction::{Aim, Cause, Draft, LockError, Outcome, Purpose};

/// How often the lock is asked for while somebody else has it.
const ASK: Duration = Duration::from_millis(100);

/// What was found, or done with the lock in hand.
struct Found {
    generation: Option<u64>,
    is_trial: bool,
    /// What was changed; none where only a look was taken, and something differs.
    plan: Option<Plan>,
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
            Ok(Found { generation, is_trial, plan: Some(_) }) => {
                self.report.well(generation, is_trial);
            }
            Ok(Found { plan: None, .. }) => {
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

    fn see(&mut self, has_heard: bool) -> Result<Found, Error> {
        if self.events.is_none() {
            self.events = Some(Events::subscribe().map_err(Cause::from)?);
        }
        let wanted = match self.expectation.now(self.context)? {
            Expected::Generation(wanted) => wanted,
            Expected::Nothing => return Ok(Found::nothing()),
            Expected::TrialOver => return Ok(Found { plan: None, ..Found::nothing() }),
        };
        // IPVS takes the most of a look; of marks that are gone nobody needs it to know.
        if has_heard && marks_differ(&wanted.state)? {
            return Ok(Found { plan: None, ..Found::nothing() });
        }
        let observed = self.context.observe(&wanted.state)?;
        let plan = Plan::between(&observed, &wanted.state);
        let is_well = plan.is_empty() && Conflict::find(&observed, &wanted.state).is_empty();
        let (generation, is_trial) = (Some(wanted.generation), wanted.is_trial);
        Ok(Found { generation, is_trial, plan: is_well.then_some(plan) })
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
        let Found { generation, is_trial, plan } = match done {
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
        let (output, plan) = (&mut self.context.output, plan.unwrap_or_default());
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

    fn apply(&mut self, session: &Session, loaded: (Config, Compiled)) -> Result<Found, Error> {
        // Who starts beside a trial looks after what is there; a reload is refused.
        if session.trial.is_some() && !self.report.is_ready() {
            return self.repair(session);
        }
        session.refuse_trial()?;
        // Whoever had the lock may have applied a newer configuration, and chosen marks.
        let (config, compiled) = if session.is_later || self.waiting.is_some() {
            self.context.load_and_compile()?
        } else {
            loaded
        };
        let (state, marks) = (&compiled.state, &compiled.marks);
        // Nobody could be asked.
        let unasked = Consent::default();
        let limit = unasked.limit(&config.director, state);
        let draft = Draft { state, marks, config: Some(config.digest) };
        let outcome = apply::lead(session, draft, false, limit)?;
        let generation = session.history.head().map_err(record_error("read the history"))?;
        Ok(Found { generation, ..Found::done(outcome) })
    }

    /// Returns to what was applied last. When that one is damaged an older one stands in,
    /// which the watch then cannot look after.
    fn boot(&mut self, session: &Session) -> Result<Found, Error> {
        if session.trial.is_some() {
            return self.repair(session);
        }
        let Some(saved) = apply::last(session)? else { return Ok(Found::nothing()) };
        let generation = Some(saved.header.number);
        let aim = Aim { generation, ..Aim::new(&saved.state, Purpose::Restore) };
        let outcome = session.transact(aim, &session.journal())?;
        Ok(Found { generation, ..Found::done(outcome) })
    }

    /// Leads the kernel to what it shall hold; it adds nothing to the history but a line.
    fn repair(&mut self, session: &Session) -> Result<Found, Error> {
        let Expected::Generation(wanted) = self.expectation.now(self.context)? else {
            return Ok(Found::nothing());
        };
        let generation = Some(wanted.generation);
        let aim = Aim { generation, ..Aim::new(&wanted.state, Purpose::Restore) };
        let outcome = session.transact(aim, &session.journal())?;
        Ok(Found { generation, is_trial: wanted.is_trial, ..Found::done(outcome) })
    }

    fn fail(&mut self, error: &Error) {
        let now = Instant::now();
        self.back_off.tried(now);
        let due = self.back_off.due(now);
        self.hold_until(due);
        self.report.failed(&mut self.context.output, error, due - now);
    }
}

/// Whether the ruleset alone is another one than that of `state`.
fn marks_differ(state: &DirectorState) -> Result<bool, Error> {
    let marking = |kernel: &Director<'_>| kernel.marking(state.marker, state.is_empty());
    let found = KernelDirector::new().with(marking).map_err(Cause::from)?;
    let MarkingHalf { marker, ruleset, elsewhere, generation, commits } = found;
    let of_state = Observation::of(state);
    let assumed = Observation { marker, ruleset, elsewhere, generation, commits, ..of_state };
    let plan = Plan::between(&assumed, state);
    Ok(!plan.switch.is_empty() || !plan.moving.is_empty())
}

impl Found {
    /// Nobody wants anything.
    fn nothing() -> Self {
        Self { generation: None, is_trial: false, plan: Some(Plan::default()) }
    }

    fn done(outcome: Outcome) -> Self {
        let plan = match outcome {
            Outcome::InSync { .. } => Plan::default(),
            Outcome::Applied(applied) => applied.plan,
        };
        Self { plan: Some(plan), ..Self::nothing() }
    }
}
