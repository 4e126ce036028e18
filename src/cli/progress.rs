//! How far an apply is, on a terminal, when there is enough to do that one would wonder;
//! and whether somebody asked to stop.

use super::output::note;
use super::signals::Signals;
use crate::transaction::{Progress, Step};

/// From so many changes on it can take a second.
const LONG: usize = 500;

/// Shows the steps of a transaction on one line of standard error, and wipes it.
pub(super) struct Watched<'a> {
    shows: bool,
    shown: bool,
    long: bool,
    signals: &'a Signals,
}

impl<'a> Watched<'a> {
    /// A transaction that `signals` can stop; `shows` is whether there is a terminal.
    pub(super) fn new(shows: bool, signals: &'a Signals) -> Self {
        Self { shows, shown: false, long: false, signals }
    }
}

impl Progress for Watched<'_> {
    fn step(&mut self, step: Step) {
        let text = match step {
            Step::Observe => return,
            Step::Stage(n) => format!("stage: {n} changes of services and real servers"),
            Step::Switch(n) => format!("switch: {n} mark rules in one step"),
            Step::Retire(n) => format!("retire: {n} changes of services and real servers"),
            Step::Verify => "verify: reading the kernel back".to_owned(),
            Step::Restore => "restore: going back to the state before".to_owned(),
        };
        if let Step::Stage(n) | Step::Switch(n) | Step::Retire(n) = step {
            self.long |= n >= LONG;
        }
        if self.shows && (self.long || step == Step::Restore) {
            note(&format!("\r\x1b[K{text} …"));
            self.shown = true;
        }
    }

    fn interruption(&self) -> Option<&'static str> {
        self.signals.interruption()
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if self.shown {
            note("\r\x1b[K");
        }
    }
}
