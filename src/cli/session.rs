//! A session: what every command that writes has at hand once it has the lock, and does
//! first: an interrupted transaction is finished or undone, a trial that is over ends.

use std::io::IsTerminal;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::output::note;
use super::progress::Watched;
use super::signals::Signals;
use super::{Context, boot, record_error};
use crate::backend::{Director, KernelDirector};
use crate::error::Error;
use crate::state::TransactionId;
use crate::transaction::{
    Aim, Author, DurableJournal, Ending, Found, History, Identity, Journal, Lock, Outcome, Purpose,
    Recovered, RunJournal, Transaction, Trial, TrialFile, Useless, ZeroFile,
};

/// How often who waits for a lock looks whether it is free.
const TURN: Duration = Duration::from_millis(20);

/// What the end of a trial was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrialEnd {
    /// It was confirmed, and by whom that was died.
    Confirmed(u64),
    /// Its time was over: the state from before is back.
    Expired(u64),
}

/// The lock, and the files that it guards.
pub(super) struct Session {
    _lock: Lock,
    /// Whether somebody else had the lock, or left something to finish: what was read
    /// before may have changed.
    pub(super) is_later: bool,
    /// The saved generations.
    pub(super) history: History,
    /// Intent and services.
    pub(super) run: RunJournal,
    /// The trial's file.
    pub(super) trial_file: TrialFile,
    /// What entries had counted at the last `zero`.
    pub(super) zero_file: ZeroFile,
    /// The trial that waits to be confirmed.
    pub(super) trial: Option<Trial>,
    /// What became of a transaction that was interrupted.
    pub(super) recovered: Option<Recovered>,
    /// What became of a trial that was over.
    pub(super) ended: Option<TrialEnd>,
    identity: Identity,
    signals: Rc<Signals>,
    shows_progress: bool,
}

impl Context {
    /// Takes the lock, and brings to an end what somebody left unfinished.
    pub(super) fn session(&self, command: &str, no_wait: bool) -> Result<Session, Error> {
        let mut session = self.bare_session(command, no_wait)?;
        session.recover()?;
        session.end_trial()?;
        Ok(session)
    }

    /// Takes the lock, and nothing else.
    pub(super) fn bare_session(&self, command: &str, no_wait: bool) -> Result<Session, Error> {
        let (lock, waited) = self.lock(command, no_wait)?;
        let boot = boot()?;
        let signals = self.signals()?;
        let trial_file = self.trial_file()?;
        Ok(Session {
            _lock: lock,
            is_later: waited,
            history: self.history(),
            run: self.run_journal()?,
            trial_file,
            zero_file: self.zero_file()?,
            trial: None,
            recovered: None,
            ended: None,
            identity: self.identity(boot)?,
            signals,
            shows_progress: std::io::stderr().is_terminal() && !self.global.quiet,
        })
    }

    /// The signals, which are taken over once, by the first who asks.
    pub(super) fn signals(&self) -> Result<Rc<Signals>, Error> {
        if let Some(signals) = self.signals.get() {
            return Ok(Rc::clone(signals));
        }
        let signals = Rc::new(Signals::catch().map_err(record_error("catch signals"))?);
        Ok(Rc::clone(self.signals.get_or_init(|| signals)))
    }

    /// The saved generations.
    pub(super) fn history(&self) -> History {
        History::new(&self.global.state_dir)
    }

    /// The journal's files.
    pub(super) fn run_journal(&self) -> Result<RunJournal, Error> {
        RunJournal::new(&self.global.run_dir, &boot()?).map_err(namespace_error)
    }

    /// What entries had counted at the last `zero`.
    pub(super) fn zero_file(&self) -> Result<ZeroFile, Error> {
        ZeroFile::new(&self.global.run_dir, &boot()?).map_err(namespace_error)
    }

    /// The trial's file.
    pub(super) fn trial_file(&self) -> Result<TrialFile, Error> {
        TrialFile::new(&self.global.run_dir, &boot()?).map_err(namespace_error)
    }

    fn identity(&self, boot: String) -> Result<Identity, Error> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let user = match &self.environment.sudo_user {
            Some(user) => user.clone(),
            None => user_name(rustix::process::getuid().as_raw()),
        };
        let author = Author { user, host, process: std::process::id() };
        Ok(Identity { transaction: TransactionId(random()?), boot, author })
    }

    /// Waits a little for who has a lock; whether to go on, for a signal ends it.
    pub(super) fn wait_a_turn(&self) -> bool {
        match self.signals.get() {
            Some(signals) if signals.which().is_none() => {
                signals.wait_until(Instant::now() + TURN);
            }
            // Nobody caught them, and they end the process; or it has to finish first.
            _ => std::thread::sleep(TURN),
        }
        self.signals.get().is_none_or(|signals| signals.interruption().is_none())
    }

    /// Waits until nobody else writes, or says who does; and tells whether it waited.
    fn lock(&self, command: &str, no_wait: bool) -> Result<(Lock, bool), Error> {
        let (quiet, mut waited) = (self.global.quiet, false);
        let (run_dir, state_dir) = (&self.global.run_dir, &self.global.state_dir);
        let lock = Lock::take(run_dir, state_dir, command, |holder| {
            if !no_wait && !quiet && !waited {
                note(&format!("waiting for another fwmarkctl: {holder}\n"));
            }
            waited = true;
            !no_wait && self.wait_a_turn()
        })?;
        Ok((lock, waited))
    }
}

fn namespace_error(source: std::io::Error) -> Error {
    Error::File { action: "read", path: "/proc/thread-self/ns/net".into(), source }
}

/// The first 64 of a random UUID's 122 bits, by the kernel.
fn random() -> Result<u64, Error> {
    let random = super::read_from_proc("/proc/sys/kernel/random/uuid")?;
    let digits: String = random.chars().filter(char::is_ascii_hexdigit).take(16).collect();
    Ok(u64::from_str_radix(&digits, 16).unwrap_or_default())
}

/// A user's name as `/etc/passwd` has it (passwd(5)), else its number.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

impl Session {
    /// A journal for a transaction that adds nothing to the history.
    pub(super) fn journal(&self) -> DurableJournal<'_> {
        DurableJournal::new(&self.history, &self.run)
    }

    /// Who acts.
    pub(super) fn author(&self) -> &Author {
        &self.identity.author
    }

    /// The signal that came, if one did.
    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Lets others work, and keeps what is needed to wait for them.
    pub(super) fn release_lock(self) -> (Rc<Signals>, TrialFile) {
        (self.signals, self.trial_file)
    }

    /// Refuses to go on while a trial waits.
    pub(super) fn refuse_trial(&self) -> Result<(), Error> {
        match &self.trial {
            Some(trial) => Err(Error::Pending {
                generation: trial.generation,
                left: trial.left().unwrap_or(Duration::ZERO),
            }),
            None => Ok(()),
        }
    }

    /// Leads the kernel to an aim.
    pub(super) fn transact(&self, aim: Aim<'_>, journal: &dyn Journal) -> Result<Outcome, Error> {
        let outcome = self.with_transaction(journal, |transaction| transaction.run(aim))?;
        if let Outcome::Applied(applied) = &outcome
            && let Err(error) = self.zero_file.forget(&applied.plan.switch)
        {
            // The next `zero` writes it anew; until then some counts may be too low.
            tracing::warn!("what was counted before `zero` is still taken away: {error}");
        }
        Ok(outcome)
    }

    fn with_transaction<T, E: Into<Error>>(
        &self,
        journal: &dyn Journal,
        work: impl FnOnce(Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, Error> {
        let mut progress = Watched::new(self.shows_progress, &self.signals);
        let identity = self.identity.clone();
        let work = |director: &Director<'_>| {
            work(Transaction::new(director, identity, journal, &mut progress)).map_err(Into::into)
        };
        let kernel = KernelDirector::new();
        #[cfg(feature = "fail-points")]
        return kernel.with_fail_points(work);
        #[cfg(not(feature = "fail-points"))]
        kernel.with(work)
    }

    /// Finishes or undoes what a transaction left that was interrupted.
    fn recover(&mut self) -> Result<(), Error> {
        let intent = match self.run.find().map_err(record_error("read the journal"))? {
            Found::Nothing => return Ok(()),
            Found::Interrupted(intent) => intent,
            Found::Useless(why) => return self.drop_intent(&why),
        };
        // The kernel's count of commits only grows; the number of a namespace is used again.
        let now = KernelDirector::new()
            .with(|kernel| kernel.marking(intent.after.marker, intent.after.is_empty()))
            .map_err(crate::transaction::Cause::from)?
            .commits;
        if now < intent.began_at {
            return self.drop_intent(&Useless::OtherNamespace);
        }
        let (purpose, generation) = (intent.purpose, intent.generation());
        // A trial that was interrupted goes back, and is no trial from here on. Without its
        // file the intent still says so; without the intent a file would say that it waits.
        if purpose == Purpose::Trial {
            self.trial_file.remove().map_err(record_error("end the trial"))?;
        }
        let journal = self.journal();
        let recovered =
            self.with_transaction(&journal, |transaction| transaction.recover(*intent))?;
        let what = match recovered {
            Recovered::Finished => "it was finished",
            Recovered::Undone => "it was undone",
        };
        note(&format!(
            "a transaction was interrupted ({purpose}, generation {generation}): {what}\n"
        ));
        (self.recovered, self.is_later) = (Some(recovered), true);
        Ok(())
    }

    /// An intent that cannot be used is told of and put out of the way. The kernel is then
    /// compared with what is wanted, as always.
    fn drop_intent(&self, why: &Useless) -> Result<(), Error> {
        if *why == Useless::OtherBoot {
            tracing::info!("the journal is dropped: {why}");
            return self.run.remove().map_err(record_error("remove the journal"));
        }
        let aside = self.run.set_aside().map_err(record_error("put the journal aside"))?;
        note(&format!(
            "warning: the journal of an interrupted transaction is not used: {why}\n  \
             it is kept as {}; what is in the kernel is compared with what is wanted\n",
            aside.display()
        ));
        Ok(())
    }

    /// Ends a trial that is over.
    fn end_trial(&mut self) -> Result<(), Error> {
        let found = self.trial_file.find().map_err(record_error("read the trial"))?;
        let Some(trial) = found else { return Ok(()) };
        let head = self.history.head().map_err(record_error("read the history"))?;
        if head == Some(trial.generation) {
            self.confirmed(trial.generation)?;
            self.ended = Some(TrialEnd::Confirmed(trial.generation));
        } else if trial.left().is_some() {
            self.trial = Some(trial);
        } else {
            self.return_to_before(&trial)?;
            note(&format!(
                "generation {} was not confirmed in time: the state from before is back\n",
                trial.generation
            ));
            self.ended = Some(TrialEnd::Expired(trial.generation));
        }
        self.is_later |= self.ended.is_some();
        Ok(())
    }

    /// Returns to the state before a trial. Its time is over from now on: whoever comes
    /// when this one died goes back too.
    pub(super) fn return_to_before(&self, trial: &Trial) -> Result<(), Error> {
        if trial.left().is_some() {
            let over = Trial { deadline: Duration::ZERO, ..trial.clone() };
            self.trial_file.write(&over).map_err(record_error("end the trial"))?;
        }
        let generation = trial.record_before.as_ref().map_or(0, |record| record.generation);
        let aim = Aim {
            state: &trial.before,
            purpose: Purpose::Expire(trial.generation),
            adopt: false,
            generation: Some(generation),
            limit: None,
        };
        let outcome = self.transact(aim, &self.journal())?;
        tracing::debug!(?outcome, "the trial is over");
        self.trial_file.remove().map_err(record_error("end the trial"))
    }

    /// The trial of a generation is confirmed, for the head names it: what it held back
    /// goes, and then its file. Whoever comes when this one died finds the file, and does
    /// the same; what fails is told once, and is left to the next apply.
    pub(super) fn confirmed(&self, generation: u64) -> Result<(), Error> {
        let released = self.release(generation);
        self.trial_file.remove().map_err(record_error("end the trial"))?;
        released
    }

    /// What the trial of a generation held back goes. It counts already.
    fn release(&self, generation: u64) -> Result<(), Error> {
        let saved = self.history.read(generation)?;
        let aim = Aim {
            state: &saved.state,
            purpose: Purpose::Confirm,
            adopt: false,
            generation: Some(generation),
            limit: None,
        };
        if let Outcome::InSync { .. } = self.transact(aim, &self.journal())? {
            // Nothing had to go, so no transaction said that it is confirmed.
            let (purpose, ending) = (Purpose::Confirm, Ending::Applied);
            self.history
                .record(generation, purpose, ending, self.author())
                .map_err(record_error("write the history"))?;
        }
        Ok(())
    }
}
