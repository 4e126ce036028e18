//! A session: what each operation that writes has at hand once it has the lock.

use std::rc::Rc;
use std::time::Duration;

use super::observer::Steps;
use super::{Event, Observer, OperationError, Site, Wait};
use crate::transaction::{
    Aim, DurableJournal, History, Journal, Lock, Outcome, Recovered, RunJournal, Transaction,
    Trial, TrialFile, ZeroFile,
};

use super::error::record;

/// How often a process that waits for a lock looks whether it is free.
const TURN: Duration = Duration::from_millis(20);

/// How a trial ended that was over when a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrialEnd {
    /// The trial of this generation was confirmed by a process that then died.
    Confirmed(u64),
    /// The time of this generation's trial was over: the state before it is back.
    Expired(u64),
}

/// The lock of a [`Site`], and the files that it guards. Dropping it lets others work.
pub struct Session<'a> {
    pub(super) site: Site<'a>,
    pub(super) observer: Rc<dyn Observer>,
    _lock: Lock,
    is_later: bool,
    pub(super) history: History,
    pub(super) run: RunJournal,
    pub(super) trial_file: TrialFile,
    pub(super) zero_file: ZeroFile,
    trial: Option<Trial>,
    recovered: Option<Recovered>,
    ended: Option<TrialEnd>,
}

impl<'a> Site<'a> {
    /// Takes the lock, and ends what an earlier process left unfinished: an interrupted
    /// transaction is finished or undone, a trial that is over ends. `command` is what other
    /// processes are told that wait for the lock.
    ///
    /// # Errors
    /// [`OperationError::Lock`] when another process has the lock, and what a recovery or the
    /// end of a trial fails with.
    pub fn session(
        &self,
        command: &str,
        wait: Wait,
        observer: Rc<dyn Observer>,
    ) -> Result<Session<'a>, OperationError> {
        let mut session = self.bare_session(command, wait, observer)?;
        session.end_interrupted()?;
        session.end_trial()?;
        Ok(session)
    }

    /// Takes the lock, and nothing else: what is unfinished stays so.
    ///
    /// # Errors
    /// [`OperationError::Lock`] when another process has the lock.
    pub fn bare_session(
        &self,
        command: &str,
        wait: Wait,
        observer: Rc<dyn Observer>,
    ) -> Result<Session<'a>, OperationError> {
        let mut waited = false;
        let lock = Lock::take(&self.run_dir, &self.state_dir, command, |holder| {
            if wait == Wait::Yes && !waited {
                observer.tell(&Event::Waiting { holder });
            }
            waited = true;
            wait == Wait::Yes && observer.wait(TURN)
        })?;
        observer.begin().map_err(record("catch signals"))?;
        Ok(Session {
            _lock: lock,
            is_later: waited,
            history: self.history(),
            run: self.run_journal()?,
            trial_file: self.trial_file()?,
            zero_file: self.zero_file()?,
            trial: None,
            recovered: None,
            ended: None,
            site: self.clone(),
            observer,
        })
    }
}

impl Session<'_> {
    /// Whether another process had the lock, or left something to end: what was read before
    /// may have changed.
    pub fn is_later(&self) -> bool {
        self.is_later
    }

    /// The trial that waits to be confirmed.
    pub fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    /// What became of a transaction that had been interrupted.
    pub fn recovered(&self) -> Option<Recovered> {
        self.recovered
    }

    /// What became of a trial that was over.
    pub fn ended(&self) -> Option<TrialEnd> {
        self.ended
    }

    /// The saved generations.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The intent of a transaction, and the services that are ours.
    pub fn run(&self) -> &RunJournal {
        &self.run
    }

    /// What entries had counted at the last `zero`.
    pub fn zero_file(&self) -> &ZeroFile {
        &self.zero_file
    }

    /// Refuses to go on while a trial waits.
    ///
    /// # Errors
    /// [`OperationError::Pending`] while one does.
    pub fn refuse_trial(&self) -> Result<(), OperationError> {
        match &self.trial {
            Some(trial) => Err(OperationError::Pending {
                generation: trial.generation,
                left: trial.left().unwrap_or(Duration::ZERO),
            }),
            None => Ok(()),
        }
    }

    /// A journal for a transaction that adds nothing to the history.
    pub(super) fn journal(&self) -> DurableJournal<'_> {
        DurableJournal::new(&self.history, &self.run)
    }

    /// Leads the kernel to an aim.
    pub(super) fn transact(
        &self,
        aim: Aim<'_>,
        journal: &dyn Journal,
    ) -> Result<Outcome, OperationError> {
        let identity = self.site.identity()?;
        let outcome = {
            let mut steps = Steps(&*self.observer);
            Transaction::new(&self.site.director, identity, journal, &mut steps).run(aim)?
        };
        if let Outcome::Applied(applied) = &outcome
            && let Err(error) = self.zero_file.forget(&applied.plan.switch)
        {
            // The next `zero` writes it anew; until then some counts may be too low.
            tracing::warn!("what was counted before `zero` is still taken away: {error}");
        }
        Ok(outcome)
    }

    /// What was read before the session began may have changed.
    pub(super) fn note_recovery(&mut self, recovered: Recovered) {
        (self.recovered, self.is_later) = (Some(recovered), true);
    }

    /// A trial was found: one that waits, or one that was over and has ended.
    pub(super) fn note_trial(&mut self, found: Result<Trial, TrialEnd>) {
        match found {
            Ok(trial) => self.trial = Some(trial),
            Err(ended) => (self.ended, self.is_later) = (Some(ended), true),
        }
    }
}
