//! What an operation tells while it runs, and what it asks.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::transaction::{Progress, Purpose, Recovered, Step, Unreadable, Useless};

/// What happens during an operation, beside its outcome.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process has the lock; told once for an operation that waits for it.
    Waiting {
        /// What that process said of itself: its number and its command.
        holder: &'a str,
    },
    /// A step of a transaction begins.
    Step(Step),
    /// The transaction has ended, well or not: no further step of it comes.
    StepsOver,
    /// A transaction that had been interrupted was finished or undone.
    Recovered {
        /// Which of the two.
        how: Recovered,
        /// What the transaction was for.
        purpose: Purpose,
        /// The generation that it was to make.
        generation: u64,
    },
    /// The journal of an interrupted transaction is of no use, and was put aside.
    JournalSetAside {
        /// Why it is of no use.
        why: &'a Useless,
        /// Where it is now.
        kept_as: &'a Path,
    },
    /// A trial ended before it was confirmed, and the state before it is back.
    TrialExpired {
        /// The generation that was tried.
        generation: u64,
    },
    /// The last confirmed generation cannot be read, and an older one takes its place.
    OlderRestored {
        /// Why it cannot be read.
        why: &'a Unreadable,
        /// The generation that is restored instead.
        generation: u64,
    },
}

/// An observer is told of events, and asked whether to go on.
pub trait Observer {
    /// Something happened.
    fn tell(&self, event: &Event<'_>);

    /// The lock is taken, and the kernel is about to be written to. From here on
    /// [`Observer::interruption`] has to tell of signals instead of dying by them.
    ///
    /// # Errors
    /// When that cannot be set up; then the operation is not begun.
    fn begin(&self) -> io::Result<()> {
        Ok(())
    }

    /// The signal that asks the operation to stop. It is asked for before anything is done
    /// and before the switch, where there is a way back that changes no mark.
    fn interruption(&self) -> Option<&'static str> {
        None
    }

    /// Waits for a turn while another process has a lock; whether to go on waiting.
    fn wait(&self, turn: Duration) -> bool {
        std::thread::sleep(turn);
        true
    }
}

/// An observer that is not interested, and never stops.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn tell(&self, _: &Event<'_>) {}
}

/// The steps of one transaction, told to an observer.
pub(super) struct Steps<'a>(pub(super) &'a dyn Observer);

impl Progress for Steps<'_> {
    fn step(&mut self, step: Step) {
        self.0.tell(&Event::Step(step));
    }

    fn interruption(&self) -> Option<&'static str> {
        self.0.interruption()
    }
}

impl Drop for Steps<'_> {
    fn drop(&mut self) {
        self.0.tell(&Event::StepsOver);
    }
}
