//! The transaction: from what the kernel holds to what it shall hold, or back.
//!
//! There is one executor. It stages, switches, retires, and reads back; an error leads
//! to the same executor with the state from before as its aim. So the way back is no
//! log of inverse operations but another plan, and can be tried again as often as it
//! takes.

mod error;
mod journal;
mod lock;
mod progress;

use std::collections::BTreeSet;

pub use error::{Cause, Incomplete, TransactionError};
pub use journal::{Journal, NoJournal, RunJournal, replace_file};
pub use lock::{Lock, LockError};
pub use progress::{Progress, Silent, Step};

use crate::backend::{Director, IpvsError, NetfilterError};
use crate::plan::{Conflict, FrameChange, MarkSwitch, Plan, ServiceChange};
use crate::state::{
    DirectorState, Fingerprint, Frame, Observation, Record, ServiceKey, TransactionId,
};

/// How often a plan is made anew because somebody else changed the ruleset meanwhile.
const REPLANS: usize = 8;

/// How often the way back is tried.
const RESTORES: usize = 3;

/// Who commits: written into the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The transaction.
    pub transaction: TransactionId,
    /// The boot in which it runs.
    pub boot: String,
}

/// One transaction on a director.
pub struct Transaction<'a> {
    director: &'a Director<'a>,
    identity: Identity,
    journal: &'a dyn Journal,
    progress: &'a mut dyn Progress,
    /// Services that are ours although the ledger does not name them: what the journal
    /// remembers, and what this transaction has made.
    staged: BTreeSet<ServiceKey>,
    /// Whether the ruleset may be another one than was found.
    switched: bool,
}

/// What a transaction did.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    /// The kernel held the desired state already; nothing was written.
    InSync {
        /// The generation that the kernel's ledger names.
        generation: Option<u64>,
    },
    /// The kernel holds the desired state now; it was read back.
    Applied(Box<Applied>),
}

/// A transaction that was carried out and verified.
#[derive(Debug)]
#[must_use]
pub struct Applied {
    /// What was done.
    pub plan: Plan,
    /// What was there before, to go back to.
    pub before: DirectorState,
    /// The new generation; `None` when nothing is left that could hold it.
    pub generation: Option<u64>,
}

/// Reads both halves: the services that the ledger names, those of `desired`, and those
/// of `staged`, which are ours although the ledger may not name them.
///
/// # Errors
/// [`Cause`] of either half.
pub fn observe(
    director: &Director<'_>,
    desired: &DirectorState,
    staged: &BTreeSet<ServiceKey>,
) -> Result<Observation, Cause> {
    let ruleset = director.netfilter.observe()?;
    let mut keys: BTreeSet<_> = ruleset.value.ledger.services.keys().copied().collect();
    keys.extend(desired.services.keys());
    keys.extend(staged);
    let services = director.ipvs.observe(&keys)?;
    Ok(Observation::join(ruleset.value, ruleset.generation, services, staged))
}

/// The services of a state that are ours.
fn recorded(state: &DirectorState) -> BTreeSet<ServiceKey> {
    let ours = state.services.iter().filter(|(_, service)| service.recorded);
    ours.map(|(key, _)| *key).collect()
}

impl<'a> Transaction<'a> {
    /// A transaction that has not begun.
    pub fn new(
        director: &'a Director<'a>,
        identity: Identity,
        journal: &'a dyn Journal,
        progress: &'a mut dyn Progress,
    ) -> Self {
        let staged = journal.services();
        Self { director, identity, journal, progress, staged, switched: false }
    }

    /// Leads the kernel to `desired`, or leaves it as it was. With `adopt`, services of
    /// somebody else on our marks become ours.
    ///
    /// # Errors
    /// [`TransactionError`], which says what the kernel holds now.
    pub fn run(
        mut self,
        desired: &DirectorState,
        adopt: bool,
    ) -> Result<Outcome, TransactionError> {
        self.progress.step(Step::Observe);
        let observed =
            observe(self.director, desired, &self.staged).map_err(TransactionError::Unread)?;
        let conflicts = Conflict::find(&observed, desired);
        if !conflicts.is_empty() && !adopt {
            return Err(TransactionError::Conflict(conflicts));
        }
        let plan = Plan::between(&observed, desired);
        let record = observed.ruleset.ledger.record.clone();
        let last = record.as_ref().map(|record| record.generation);
        if plan.is_empty() {
            // What a killed transaction meant to make, and nobody made, is not ours.
            if self.staged != recorded(desired) {
                self.remember_at_last(&recorded(desired));
            }
            return Ok(Outcome::InSync { generation: last });
        }
        let generation = last.unwrap_or(0).saturating_add(1);
        let before = observed.state();
        // Before the first write: what is ours now, and what will be. What is adopted is
        // ours when the ledger says so, not before.
        let adopted: BTreeSet<_> = conflicts.iter().map(|conflict| conflict.key).collect();
        let intended = &(&recorded(&before) | &recorded(desired)) - &adopted;
        self.journal.remember(&intended).map_err(TransactionError::Journal)?;
        let record_before = record.unwrap_or_else(|| self.record(0, &before));
        match self.carry_out(desired, observed, &plan, &self.record(generation, desired)) {
            Ok(()) => {
                self.remember_at_last(&recorded(desired));
                let generation = (!desired.is_empty()).then_some(generation);
                Ok(Outcome::Applied(Box::new(Applied { plan, before, generation })))
            }
            Err(cause) => Err(self.restore(&before, &record_before, cause)),
        }
    }

    /// Until the next transaction the journal then names too many services, which do not
    /// exist; the next one that finds nothing to do mends that too.
    fn remember_at_last(&self, services: &BTreeSet<ServiceKey>) {
        if let Err(error) = self.journal.remember(services) {
            tracing::warn!("the journal keeps what it said before the transaction: {error}");
        }
    }

    fn record(&self, generation: u64, state: &DirectorState) -> Record {
        let Identity { transaction, boot } = self.identity.clone();
        Record { generation, transaction, boot, state: Fingerprint::of_state(state) }
    }

    /// Stage, switch, retire, verify. When the ruleset changes under way, the plan is
    /// made anew from what is there then.
    fn carry_out(
        &mut self,
        target: &DirectorState,
        mut observed: Observation,
        plan: &Plan,
        record: &Record,
    ) -> Result<(), Cause> {
        let mut plan = plan.clone();
        for _ in 0..REPLANS {
            self.change_services(Step::Stage, &plan.stage)?;
            if self.switch(&mut plan, &observed, record)? {
                self.retire(&plan)?;
                return self.verify(target);
            }
            observed = observe(self.director, target, &self.staged)?;
            plan = Plan::between(&observed, target);
        }
        Err(Cause::Contended)
    }

    fn change_services(
        &mut self,
        step: fn(usize) -> Step,
        changes: &[ServiceChange],
    ) -> Result<(), Cause> {
        if changes.is_empty() {
            return Ok(());
        }
        self.progress.step(step(changes.len()));
        let answer = self.director.ipvs.apply(changes);
        let undone: BTreeSet<usize> = match &answer {
            Err(IpvsError::Refused { undone, .. }) => undone.iter().copied().collect(),
            _ => BTreeSet::new(),
        };
        // Whatever else went wrong, what was sent may have been made: it is ours. But a
        // service that somebody else made meanwhile is not, and IPVS stops at nothing: it
        // has our real servers now.
        let mut lost = BTreeSet::new();
        let mut astray = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            let undone = undone.contains(&at);
            match change {
                ServiceChange::AddService(key, _) if undone => drop(lost.insert(*key)),
                ServiceChange::AddService(key, _) => drop(self.staged.insert(*key)),
                ServiceChange::AddDestination(key, destination)
                    if !undone && lost.contains(key) =>
                {
                    astray.push(ServiceChange::RemoveDestination(*key, *destination));
                }
                _ => {}
            }
        }
        if !astray.is_empty() {
            self.director.ipvs.apply(&astray)?;
        }
        Ok(answer?)
    }

    /// The one visible instant; `false` when the ruleset is not the one of the plan.
    fn switch(
        &mut self,
        plan: &mut Plan,
        observed: &Observation,
        record: &Record,
    ) -> Result<bool, Cause> {
        // Without a table, before and after, there is no ledger to write to; and on the
        // way back the ledger may still say what it said before.
        let ruleset = &observed.ruleset;
        let said = ruleset.ledger.record.as_ref() == Some(record);
        if plan.switch.is_empty() && (ruleset.frame == Frame::Absent || said) {
            return Ok(true);
        }
        self.progress.step(Step::Switch(plan.switch.entries.len()));
        plan.switch.record = Some(record.clone());
        let answer = self.director.netfilter.switch(&plan.switch, observed.generation);
        self.switched |= matches!(answer, Ok(()) | Err(NetfilterError::Unknown(_)));
        match answer {
            Ok(()) => Ok(true),
            Err(NetfilterError::StaleGeneration) => Ok(false),
            Err(error @ NetfilterError::Unknown(_)) => {
                // The answer was lost; the ledger was not.
                let found = self.director.netfilter.observe()?.value;
                let committed = match plan.switch.frame {
                    FrameChange::Remove => found.frame == Frame::Absent,
                    _ => found.ledger.record.as_ref() == Some(record),
                };
                if committed { Ok(true) } else { Err(error.into()) }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn retire(&mut self, plan: &Plan) -> Result<(), Cause> {
        if plan.retire.is_empty() {
            return Ok(());
        }
        if !plan.switch.is_empty() {
            self.director.netfilter.settle();
        }
        self.change_services(Step::Retire, &plan.retire)
    }

    fn verify(&mut self, target: &DirectorState) -> Result<(), Cause> {
        self.progress.step(Step::Verify);
        let observed = observe(self.director, target, &self.staged)?;
        let differences = Plan::between(&observed, target);
        if differences.is_empty() { Ok(()) } else { Err(Cause::Differs(differences.lines())) }
    }

    /// What leads back to `before`. The ruleset is left alone where it was never
    /// switched: it may have drifted before, which is not ours to mend on the way back.
    fn way_back(&self, before: &DirectorState) -> Result<(Observation, Plan), Cause> {
        let observed = observe(self.director, before, &self.staged)?;
        let mut plan = Plan::between(&observed, before);
        if !self.switched {
            plan.switch = MarkSwitch::default();
            plan.damage.clear();
        }
        Ok((observed, plan))
    }

    /// Leads back to `before`, and says how that went.
    fn restore(
        &mut self,
        before: &DirectorState,
        record: &Record,
        cause: Cause,
    ) -> TransactionError {
        let mut failure = None;
        for _ in 0..RESTORES {
            self.progress.step(Step::Restore);
            let result = self.way_back(before).and_then(|(observed, plan)| {
                if plan.is_empty() {
                    return Ok(());
                }
                if self.switched {
                    return self.carry_out(before, observed, &plan, record);
                }
                self.change_services(Step::Stage, &plan.stage)?;
                self.change_services(Step::Retire, &plan.retire)?;
                let (_, left) = self.way_back(before)?;
                if left.is_empty() { Ok(()) } else { Err(Cause::Differs(left.lines())) }
            });
            match result {
                Ok(()) => {
                    self.remember_at_last(&recorded(before));
                    return TransactionError::Restored { cause };
                }
                Err(error) => failure = Some(error),
            }
        }
        let remaining = self.way_back(before).map(|(_, plan)| plan.lines());
        TransactionError::Incomplete(Box::new(Incomplete {
            cause,
            failure: failure.unwrap_or(Cause::Contended),
            remaining: remaining.unwrap_or_default(),
        }))
    }
}
