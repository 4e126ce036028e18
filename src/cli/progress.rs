//! How far an apply is, on a terminal, when there is enough to do that one would wonder.

use crate::transaction::{Progress, Step};

use super::output::note;

/// From so many changes on it can take a second.
const LONG: usize = 500;

/// Shows the steps of a transaction on one line of standard error, and wipes it.
#[derive(Debug, Default)]
pub(super) struct OneLine {
    shown: bool,
    long: bool,
}

impl Progress for OneLine {
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
        if self.long || step == Step::Restore {
            note(&format!("\r\x1b[K{text} …"));
            self.shown = true;
        }
    }
}

impl Drop for OneLine {
    fn drop(&mut self) {
        if self.shown {
            note("\r\x1b[K");
        }
    }
}
