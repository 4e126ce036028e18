//! The transaction: from what the kernel holds to what it shall hold, or back.
//!
//! There is one executor. It stages, switches, retires, and reads back; an error leads
//! to the same executor with the state from before as its aim. So the way back is no
//! log of inverse operations but another plan, and can be tried again as often as it
//! takes.

mod confirm;
mod durable;
mod error;
mod files;
mod history;
mod intent;
mod journal;
mod lock;
mod progress;
mod recover;
mod shadow;
mod zero;

use std::collections::BTreeSet;

pub use confirm::{Trial, TrialFile, uptime};
pub use durable::{Arm, Disarm, Draft, DurableJournal};
pub use error::{Cause, Incomplete, TransactionError};
pub use files::{create_file, network_namespace, replace_file, rewrite_file};
pub(crate) use files::{read_file, remove_file, seal, unseal};
pub use history::{Event, Header, History, KEPT, SavedGeneration, Unreadable};
pub use intent::{Author, Ending, Intent, Purpose};
pub use journal::{Found, Journal, NoJournal, RunJournal, Useless};
pub use lock::{FileLock, Lock, LockError};
pub use progress::{Progress, Silent, Step};
pub use recover::Recovered;
pub use zero::{ZeroFile, since_zero};

use crate::backend::{Director, IpvsError, NetfilterError};
use crate::plan::{
    ChangeLine, Conflict, FrameChange, Limit, MarkSwitch, Moving, Plan, ServiceChange,
    SettingChange, Shadow,
};
use crate::state::{
    DirectorState, Fingerprint, Frame, Generation, Observation, Original, Ownership, Record,
    TransactionId,
};

/// How often a plan is made anew because somebody else changed the ruleset meanwhile.
const REPLANS: usize = 8;

/// How often the way back is tried.
const RESTORES: usize = 3;

/// Who commits: written into the ledger and into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The transaction.
    pub transaction: TransactionId,
    /// The boot in which it runs.
    pub boot: String,
    /// Who runs it.
    pub author: Author,
}

/// What a transaction is to do.
#[derive(Debug, Clone, Copy)]
pub struct Aim<'a> {
    /// What the kernel shall hold.
    pub state: &'a DirectorState,
    /// What for.
    pub purpose: Purpose,
    /// Whether services of somebody else on our marks become ours.
    pub adopt: bool,
    /// The generation that `state` is, where it is one already.
    pub generation: Option<u64>,
    /// How much may go; `None` is all.
    pub limit: Option<Limit<'a>>,
}

impl<'a> Aim<'a> {
    /// To lead the kernel to a new generation.
    pub fn new(state: &'a DirectorState, purpose: Purpose) -> Self {
        Self { state, purpose, adopt: false, generation: None, limit: None }
    }
}

/// One transaction on a director.
pub struct Transaction<'a> {
    director: &'a Director<'a>,
    identity: Identity,
    journal: &'a dyn Journal,
    progress: &'a mut dyn Progress,
    /// What is ours although the ledger does not say so: what the journal remembers, and
    /// what this transaction has made.
    owned: Ownership,
    /// Whether the ruleset may be another one than was found.
    switched: bool,
    /// Whether the shadow maps may hold something, though the ruleset is else as it was.
    shadowed: bool,
    /// Whether this is the way back, which nobody stops.
    returning: bool,
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
    /// The new generation; `None` when nothing is left that could hold it.
    pub generation: Option<u64>,
}

/// Reads both halves and the settings: what the ledger names, what `desired` has, and what
/// `owned` names, which is ours although the ledger may not say so.
///
/// # Errors
/// [`Cause`] of either half.
pub fn observe(
    director: &Director<'_>,
    desired: &DirectorState,
    owned: &Ownership,
) -> Result<Observation, Cause> {
    let marking = director.marking(desired.marker, desired.is_empty())?;
    let elsewhere = marking.elsewhere.iter().map(|(_, ruleset)| ruleset);
    let ledgers = elsewhere.chain([&marking.ruleset]).map(|ruleset| &ruleset.ledger);
    let mut keys: BTreeSet<_> =
        ledgers.flat_map(|ledger| ledger.services.keys().copied()).collect();
    keys.extend(desired.services.keys());
    keys.extend(&owned.services);
    let services = director.ipvs.observe(&keys)?;
    let keys = desired.settings.keys().chain(owned.originals.keys()).collect();
    let settings = director.machine.observe(&keys)?;
    Ok(Observation::join(marking, services, settings, owned))
}

impl<'a> Transaction<'a> {
    /// A transaction that has not begun.
    pub fn new(
        director: &'a Director<'a>,
        identity: Identity,
        journal: &'a dyn Journal,
        progress: &'a mut dyn Progress,
    ) -> Self {
        let owned = journal.owned();
        Self {
            director,
            identity,
            journal,
            progress,
            owned,
            switched: false,
            shadowed: false,
            returning: false,
        }
    }

    /// Leads the kernel to the aim, or leaves it as it was.
    ///
    /// # Errors
    /// [`TransactionError`], which says what the kernel holds now.
    pub fn run(mut self, aim: Aim<'_>) -> Result<Outcome, TransactionError> {
        self.progress.step(Step::Observe);
        let desired = aim.state;
        let observed =
            observe(self.director, desired, &self.owned).map_err(TransactionError::Unread)?;
        let conflicts = Conflict::find(&observed, desired);
        if !conflicts.is_empty() && !aim.adopt {
            return Err(TransactionError::Conflict(conflicts));
        }
        let plan = Plan::between(&observed, desired);
        if let Some(limit) = aim.limit {
            limit.check(&observed, &plan).map_err(TransactionError::Unconfirmed)?;
        }
        let record_before = observed.record().cloned();
        let last = record_before.as_ref().map(|record| record.generation);
        if plan.is_empty() && self.journal.is_saved() {
            // What a killed transaction meant to make, and nobody made, is not ours.
            let owned = self.owned_in(desired);
            if self.owned != owned {
                self.remember_at_last(&owned);
            }
            return Ok(Outcome::InSync { generation: last });
        }
        let next = || last.unwrap_or(0).saturating_add(1).max(self.journal.next_generation());
        let generation = aim.generation.unwrap_or_else(next);
        let before = observed.state();
        let intent = Intent {
            purpose: aim.purpose,
            author: self.identity.author.clone(),
            began_at: observed.commits,
            record_before,
            after: desired.clone(),
            record: self.record(generation, desired),
            aborting: false,
            summary: plan.summary(),
            before,
        };
        // What is adopted is ours when the ledger says so, not before.
        let services = &intent.services() - &intent.adopted();
        self.own_settings(desired, &plan);
        let intended = Ownership { services, originals: self.owned.originals.clone() };
        self.journal.begin(&intent, &intended).map_err(TransactionError::Journal)?;
        match self.finish(intent, observed, &plan) {
            Ok(()) => {
                let generation = (!desired.is_empty()).then_some(generation);
                Ok(Outcome::Applied(Box::new(Applied { plan, generation })))
            }
            Err(error) => Err(self.explain(error, &conflicts, desired)),
        }
    }

    /// A refusal may have been somebody who made a service on one of our marks since the
    /// kernel was read: a conflict like one that was seen before.
    fn explain(
        &self,
        error: TransactionError,
        known: &[Conflict],
        desired: &DirectorState,
    ) -> TransactionError {
        let TransactionError::Restored { cause: Cause::Ipvs(IpvsError::Refused { .. }) } = &error
        else {
            return error;
        };
        let Ok(observed) = observe(self.director, desired, &self.owned) else { return error };
        let is_known = |key| known.iter().any(|conflict| conflict.key == key);
        let mut conflicts = Conflict::find(&observed, desired);
        conflicts.retain(|conflict| !is_known(conflict.key));
        if conflicts.is_empty() { error } else { TransactionError::Conflict(conflicts) }
    }

    /// Carries out an intent that is written down, and makes it durable; or goes back.
    fn finish(
        &mut self,
        intent: Intent,
        observed: Observation,
        plan: &Plan,
    ) -> Result<(), TransactionError> {
        let carried_out = self
            .carry_out(&intent.after, observed, plan, &intent.record)
            .and_then(|()| self.journal.commit(&intent).map_err(Cause::Durability));
        match carried_out {
            Ok(()) => {
                self.end(&intent, Ending::Applied, &self.owned_in(&intent.after));
                Ok(())
            }
            Err(cause) => Err(self.abort(intent, cause)),
        }
    }

    /// Goes back after a failure.
    fn abort(&mut self, intent: Intent, cause: Cause) -> TransactionError {
        match self.give_up(intent, cause, Ending::Restored) {
            Ok(cause) => TransactionError::Restored { cause },
            Err(incomplete) => TransactionError::Incomplete(incomplete),
        }
    }

    /// Gives an intent up for `cause`, which comes back when the state from before stands
    /// again: `ending` is what the history calls that.
    fn give_up(
        &mut self,
        mut intent: Intent,
        cause: Cause,
        ending: Ending,
    ) -> Result<Cause, Box<Incomplete>> {
        intent.aborting = true;
        if let Err(error) = self.journal.abort(&intent) {
            tracing::warn!("the journal does not say that the transaction is undone: {error}");
        }
        match self.go_back(&intent) {
            Ok(()) => {
                self.director.tidy();
                self.end(&intent, ending, &self.owned_in(&intent.before));
                Ok(cause)
            }
            Err((failure, remaining)) => {
                self.end(&intent, Ending::Incomplete, &self.owned);
                Err(Box::new(Incomplete { cause, failure, remaining }))
            }
        }
    }

    /// The kernel is as it shall be, whatever the disk says: a journal that could not be
    /// ended names a transaction for which nothing is left to do.
    fn end(&self, intent: &Intent, ending: Ending, owned: &Ownership) {
        if let Err(error) = self.journal.end(intent, ending, owned) {
            tracing::warn!("the journal does not say that the transaction ended: {error}");
        }
    }

    /// Until the next transaction the journal then names too many services, which do not
    /// exist; the next one that finds nothing to do mends that too.
    fn remember_at_last(&self, owned: &Ownership) {
        if let Err(error) = self.journal.remember(owned) {
            tracing::warn!("the journal keeps what it said before the transaction: {error}");
        }
    }

    /// What is ours when the kernel holds `state`: its recorded services, and its settings.
    fn owned_in(&self, state: &DirectorState) -> Ownership {
        let mut originals = self.owned.originals.clone();
        originals.retain(|key, _| state.settings.contains_key(key));
        let ours = state.services.iter().filter(|(_, service)| service.recorded);
        Ownership { services: ours.map(|(key, _)| *key).collect(), originals }
    }

    /// What a plan changes is ours from now on, and what it was is known; what serves is
    /// part of the state all the same.
    fn own_settings(&mut self, desired: &DirectorState, plan: &Plan) {
        // A daemon is stopped before it is started: the first change says what it was.
        for change in plan.equip.iter().chain(&plan.strip) {
            let original = self.owned.originals.entry(change.key.clone());
            let original = original.or_insert(Original::Served);
            if *original == Original::Served {
                *original = Original::Was(change.before.clone());
            }
        }
        for key in desired.settings.keys() {
            self.owned.originals.entry(key.clone()).or_insert(Original::Served);
        }
    }

    fn record(&self, generation: u64, state: &DirectorState) -> Record {
        let Identity { transaction, boot, .. } = self.identity.clone();
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
            self.check_interruption()?;
            self.change_settings(&plan.equip)?;
            self.change_services(Step::Stage, &plan.stage)?;
            self.check_interruption()?;
            if self.switch(&mut plan, &observed, record)? {
                self.retire(&plan)?;
                self.change_settings(&plan.strip)?;
                return self.verify(target);
            }
            observed = observe(self.director, target, &self.owned)?;
            plan = Plan::between(&observed, target);
            // Somebody may have changed meanwhile what served at first.
            self.own_settings(target, &plan);
        }
        Err(Cause::Contended)
    }

    /// Up to the switch somebody can ask to stop; then the rest is the shorter way.
    fn check_interruption(&self) -> Result<(), Cause> {
        match self.progress.interruption() {
            Some(signal) if !self.switched && !self.returning => Err(Cause::Interrupted(signal)),
            _ => Ok(()),
        }
    }

    fn change_settings(&self, changes: &[SettingChange]) -> Result<(), Cause> {
        if changes.is_empty() { Ok(()) } else { Ok(self.director.machine.apply(changes)?) }
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
                ServiceChange::AddService(key, _) => drop(self.owned.services.insert(*key)),
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

    /// Moves the marks to the marker of the plan, which changes none of them.
    fn move_marks(&mut self, plan: &Plan, at: Generation) -> Result<(), Cause> {
        if let Some(copy) = &plan.moving.copy {
            match self.director.marker(plan.marker)?.switch(copy, at) {
                // The plan is made anew in any case.
                Err(NetfilterError::StaleGeneration) => return Ok(()),
                Err(error) if !error.is_uncertain() => return Err(error.into()),
                _ => self.switched = true,
            }
            let found = self.director.marker(plan.marker)?.observe()?;
            if found.value.entries.len() != copy.entries.len() {
                return Ok(());
            }
        }
        self.switched = true;
        for marker in &plan.moving.leave {
            let netfilter = self.director.marker(*marker)?;
            // A packet may be on its way to the old rules that passed before the new ones
            // were there.
            netfilter.settle();
            let at = netfilter.observe()?.generation;
            match netfilter.switch(&Moving::removal(), at) {
                Err(NetfilterError::StaleGeneration) => {}
                Err(error) if !error.is_uncertain() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The one visible instant, in its shadow where it needs one; `false` when the ruleset
    /// is not the one of the plan.
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
        if !plan.moving.is_empty() {
            self.progress.step(Step::Switch(plan.switch.entries.len()));
            self.move_marks(plan, observed.generation)?;
            return Ok(false);
        }
        if plan.switch.is_empty() && (ruleset.frame == Frame::Absent || said) {
            return Ok(true);
        }
        self.progress.step(Step::Switch(plan.switch.entries.len()));
        plan.switch.record = Some(record.clone());
        let Some(at) = self.cast_shadow(&plan.shadow, observed.generation)? else {
            return Ok(false);
        };
        let netfilter = self.director.marker(plan.marker)?;
        let answer = netfilter.switch(&plan.switch, at);
        self.switched |= answer.as_ref().err().is_none_or(NetfilterError::is_uncertain);
        match answer {
            Ok(()) => {}
            Err(NetfilterError::StaleGeneration) => return Ok(false),
            Err(error) if error.is_uncertain() => {
                // The answer was lost; the ledger was not.
                let found = netfilter.observe()?.value;
                let committed = match plan.switch.frame {
                    FrameChange::Remove => found.frame == Frame::Absent,
                    _ => found.ledger.record.as_ref() == Some(record),
                };
                if !committed {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
        self.lift_shadow(&plan.shadow.entries, at.next())?;
        Ok(true)
    }

    fn retire(&mut self, plan: &Plan) -> Result<(), Cause> {
        if plan.retire.is_empty() {
            return Ok(());
        }
        if !plan.switch.is_empty() {
            self.director.marker(plan.marker)?.settle();
        }
        self.change_services(Step::Retire, &plan.retire)
    }

    fn verify(&mut self, target: &DirectorState) -> Result<(), Cause> {
        self.progress.step(Step::Verify);
        let observed = observe(self.director, target, &self.owned)?;
        let differences = Plan::between(&observed, target);
        if differences.is_empty() { Ok(()) } else { Err(Cause::Differs(differences.lines())) }
    }

    /// What leads back to `before`. But for its shadow maps, the ruleset is left alone
    /// where it was never switched: it may have drifted before, which is not ours to mend
    /// on the way back.
    fn way_back(&self, before: &DirectorState) -> Result<(Observation, Plan), Cause> {
        let observed = observe(self.director, before, &self.owned)?;
        let mut plan = Plan::between(&observed, before);
        if !self.switched {
            plan.moving = Moving::default();
            plan.shadow = Shadow::default();
            plan.switch = if self.shadowed {
                Shadow::lift(&observed.ruleset.shadow)
            } else {
                MarkSwitch::default()
            };
            plan.damage.clear();
        }
        Ok((observed, plan))
    }

    /// Leads back to what there was before an intent; on failure, why, and what still
    /// differs.
    fn go_back(&mut self, intent: &Intent) -> Result<(), (Cause, Vec<ChangeLine>)> {
        let before = &intent.before;
        self.returning = true;
        // A table without a record is one that somebody made, or has drifted.
        let record = intent.record_before.clone().unwrap_or_else(|| self.record(0, before));
        let mut failure = None;
        for _ in 0..RESTORES {
            self.progress.step(Step::Restore);
            let result = self.way_back(before).and_then(|(observed, plan)| {
                let said = observed.record() == intent.record_before.as_ref();
                if plan.is_empty() && (said || !self.switched) {
                    return Ok(());
                }
                if self.switched {
                    return self.carry_out(before, observed, &plan, &record);
                }
                self.change_settings(&plan.equip)?;
                self.change_services(Step::Stage, &plan.stage)?;
                if !plan.switch.is_empty() {
                    self.lift_shadow(&observed.ruleset.shadow, observed.generation)?;
                }
                self.retire(&plan)?;
                self.change_settings(&plan.strip)?;
                let (_, left) = self.way_back(before)?;
                if left.is_empty() { Ok(()) } else { Err(Cause::Differs(left.lines())) }
            });
            match result {
                Ok(()) => return Ok(()),
                Err(error) => failure = Some(error),
            }
        }
        let remaining = self.way_back(before).map(|(_, plan)| plan.lines());
        Err((failure.unwrap_or(Cause::Contended), remaining.unwrap_or_default()))
    }
}
