//! What operations tell, in sentences on standard error: that another process has the lock,
//! how far a long transaction is, what was left unfinished. And whether a signal came.

use std::cell::{Cell, OnceCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::output::note;
use super::signals::Signals;
use crate::operation::{Event, Observer};
use crate::transaction::{Recovered, Step};

/// From so many changes on an apply can take a second.
const LONG: usize = 500;

/// Tells of operations on standard error.
pub(super) struct Teller {
    /// The signals, once a command took them over.
    signals: Rc<OnceCell<Rc<Signals>>>,
    quiet: bool,
    /// Whether steps are shown: on a terminal.
    shows_steps: bool,
    /// Whether a step is on the terminal's line.
    shown: Cell<bool>,
    /// Whether the transaction is one that takes a while.
    long: Cell<bool>,
}

impl Teller {
    /// Without events when `quiet`; with the steps of long transactions on a terminal.
    pub(super) fn new(signals: Rc<OnceCell<Rc<Signals>>>, quiet: bool, is_terminal: bool) -> Self {
        let shows_steps = is_terminal && !quiet;
        Self { signals, quiet, shows_steps, shown: Cell::new(false), long: Cell::new(false) }
    }

    /// The signals, which are taken over once, by the first that asks.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn signals(&self) -> io::Result<Rc<Signals>> {
        if let Some(signals) = self.signals.get() {
            return Ok(Rc::clone(signals));
        }
        let signals = Rc::new(Signals::catch()?);
        Ok(Rc::clone(self.signals.get_or_init(|| signals)))
    }

    /// The signal that came, if one did.
    pub(super) fn signal(&self) -> Option<&'static str> {
        self.signals.get().and_then(|signals| signals.which())
    }

    /// Shows a step on one line.
    fn step(&self, step: Step) {
        let text = match step {
            Step::Observe => return,
            Step::Stage(n) => format!("stage: {n} changes of services and real servers"),
            Step::Switch(n) => format!("switch: {n} mark rules in one step"),
            Step::Retire(n) => format!("retire: {n} changes of services and real servers"),
            Step::Verify => "verify: reading the kernel back".to_owned(),
            Step::Restore => "restore: going back to the state before".to_owned(),
        };
        if let Step::Stage(n) | Step::Switch(n) | Step::Retire(n) = step {
            self.long.set(self.long.get() || n >= LONG);
        }
        if self.shows_steps && (self.long.get() || step == Step::Restore) {
            note(&format!("\r\x1b[K{text} …"));
            self.shown.set(true);
        }
    }
}

impl Observer for Teller {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Waiting { holder } if !self.quiet => {
                note(&format!("waiting for another fwmarkctl: {holder}\n"));
            }
            Event::Step(step) => self.step(*step),
            Event::StepsOver => {
                self.long.set(false);
                if self.shown.take() {
                    note("\r\x1b[K");
                }
            }
            Event::Recovered { how, purpose, generation } => {
                let what = match how {
                    Recovered::Finished => "it was finished",
                    Recovered::Undone => "it was undone",
                };
                note(&format!(
                    "a transaction was interrupted ({purpose}, generation {generation}): {what}\n"
                ));
            }
            Event::JournalSetAside { why, kept_as } => note(&format!(
                "warning: the journal of an interrupted transaction is not used: {why}\n  \
                 it is kept as {}; what is in the kernel is compared with what is wanted\n",
                kept_as.display()
            )),
            Event::TrialExpired { generation } => note(&format!(
                "generation {generation} was not confirmed in time: the state from before is back\n"
            )),
            Event::OlderRestored { why, generation } => {
                note(&format!("warning: {why}; generation {generation} is restored\n"));
            }
            Event::Waiting { .. } => {}
        }
    }

    fn begin(&self) -> io::Result<()> {
        self.signals().map(drop)
    }

    fn interruption(&self) -> Option<&'static str> {
        self.signals.get().and_then(|signals| signals.interruption())
    }

    fn wait(&self, turn: Duration) -> bool {
        match self.signals.get() {
            Some(signals) if signals.which().is_none() => {
                signals.wait_until(Instant::now() + turn);
            }
            // No command caught them, and they end the process; or it has to finish first.
            _ => std::thread::sleep(turn),
        }
        self.interruption().is_none()
    }
}
