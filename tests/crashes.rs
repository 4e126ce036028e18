//! Crashes on the memory director: the process dies before any change of the kernel and
//! before or after any write to disk, and again while another one recovers; or a change
//! is refused, or a write to disk fails. The end is the state before or the state after,
//! as the recovery says, and what is somebody else's is untouched.
//!
//! `FWMARKCTL_CRASH_PAIRS` is how many pairs of states are tried (10,000).

mod states;

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fwmarkctl::backend::Ipvs;
use fwmarkctl::backend::memory::{Died, Fault, MemoryDirector};
use fwmarkctl::plan::Plan;
use fwmarkctl::state::{DirectorState, Ownership, TransactionId};
use fwmarkctl::transaction::{
    Aim, Author, Ending, Identity, Intent, Journal, Outcome, Purpose, Recovered, Silent,
    Transaction, TransactionError, observe,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What the disk does at its k-th write, of which each has a moment before and one after.
#[derive(Clone, Copy)]
enum DiskFault {
    DieBefore(usize),
    DieAfter(usize),
    Refuse(usize),
}

/// What is on disk. It outlives every process.
#[derive(Default)]
struct Disk {
    owned: RefCell<Ownership>,
    intent: RefCell<Option<Intent>>,
    /// The state that a reboot brings back.
    head: RefCell<DirectorState>,
    fault: Cell<Option<DiskFault>>,
    writes: Cell<usize>,
}

impl Disk {
    fn write(&self, work: impl FnOnce(&Self)) -> io::Result<()> {
        let at = self.writes.get();
        self.writes.set(at + 1);
        match self.fault.get() {
            Some(DiskFault::DieBefore(k)) if at == k => self.die(),
            Some(DiskFault::Refuse(k)) if at == k => return Err(io::Error::other("no space")),
            _ => {}
        }
        work(self);
        match self.fault.get() {
            Some(DiskFault::DieAfter(k)) if at == k => self.die(),
            _ => Ok(()),
        }
    }

    fn die(&self) -> ! {
        self.fault.set(None);
        resume_unwind(Box::new(Died))
    }

    fn set_fault(&self, fault: Option<DiskFault>) {
        self.fault.set(fault);
        self.writes.set(0);
    }
}

impl Journal for Disk {
    fn owned(&self) -> Ownership {
        self.owned.borrow().clone()
    }

    fn remember(&self, owned: &Ownership) -> io::Result<()> {
        self.write(|disk| disk.owned.borrow_mut().clone_from(owned))
    }

    fn next_generation(&self) -> u64 {
        1
    }

    fn is_saved(&self) -> bool {
        true
    }

    fn begin(&self, intent: &Intent, owned: &Ownership) -> io::Result<()> {
        self.remember(owned)?;
        self.write(|disk| drop(disk.intent.replace(Some(intent.clone()))))
    }

    fn abort(&self, intent: &Intent) -> io::Result<()> {
        self.write(|disk| drop(disk.intent.replace(Some(intent.clone()))))
    }

    fn commit(&self, intent: &Intent) -> io::Result<()> {
        self.write(|disk| disk.head.borrow_mut().clone_from(&intent.after))
    }

    fn end(&self, _: &Intent, ending: Ending, owned: &Ownership) -> io::Result<()> {
        self.remember(owned)?;
        match ending {
            Ending::Incomplete => Ok(()),
            _ => self.write(|disk| drop(disk.intent.take())),
        }
    }
}

/// A machine whose processes die and whose kernel and disk live on.
struct Machine {
    kernel: MemoryDirector,
    disk: Disk,
    transactions: Cell<u64>,
}

impl Machine {
    /// A machine that holds `state` and somebody else's services.
    fn in_state(state: &DirectorState) -> Self {
        let machine = Self {
            kernel: MemoryDirector::new(),
            disk: Disk::default(),
            transactions: Cell::new(1),
        };
        machine.kernel.meddle_with_services(|services| services.extend(states::foreign_services()));
        machine.kernel.meddle_with_settings(|settings| *settings = states::foreign_settings());
        assert!(machine.apply(state, Purpose::Apply).is_ok());
        machine.kernel.set_fault(None);
        machine.disk.set_fault(None);
        machine
    }

    fn with_transaction<T>(&self, work: impl FnOnce(Transaction<'_>) -> T) -> T {
        self.transactions.set(self.transactions.get() + 1);
        let identity = Identity {
            transaction: TransactionId(self.transactions.get()),
            boot: "b".into(),
            author: Author::default(),
        };
        self.kernel
            .with(|director| work(Transaction::new(director, identity, &self.disk, &mut Silent)))
    }

    fn apply(&self, to: &DirectorState, purpose: Purpose) -> Result<Outcome, TransactionError> {
        self.with_transaction(|transaction| transaction.run(Aim::new(to, purpose)))
    }

    /// Runs a process until its end, or its death.
    fn survives<T>(&self, process: impl FnOnce(&Self) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| process(self))) {
            Ok(value) => Some(value),
            Err(death) if death.is::<Died>() => None,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// What every command that writes does first.
    fn recover(&self) -> Option<Recovered> {
        let intent = self.disk.intent.borrow().clone()?;
        let recovered = self.with_transaction(|transaction| transaction.recover(intent));
        Some(recovered.expect("nothing bars the way"))
    }

    /// Whether the kernel holds `state` of ours, and of others what they made.
    fn holds(&self, state: &DirectorState) -> bool {
        let seen = self.kernel.with(|director| observe(director, state, &Ownership::default()));
        let seen = seen.expect("memory can be read");
        let mut settings = states::foreign_settings();
        settings.extend(state.settings.clone());
        let foreign = states::foreign_services();
        let keys = foreign.keys().copied().collect();
        Plan::between(&seen, state).is_empty()
            && self.kernel.settings() == settings
            && self.kernel.services().len() == state.services.len() + foreign.len()
            && Ipvs::observe(&self.kernel, &keys).expect("memory can be read") == foreign
    }
}

/// What can go wrong in one process.
#[derive(Clone, Copy)]
enum Crash {
    Kernel(usize),
    Disk(DiskFault),
}

impl Crash {
    fn arm(self, machine: &Machine) {
        machine.kernel.set_fault(None);
        machine.disk.set_fault(None);
        match self {
            Self::Kernel(at) => machine.kernel.set_fault(Some(Fault::Die(at))),
            Self::Disk(fault) => machine.disk.set_fault(Some(fault)),
        }
    }
}

/// How many changes of the kernel and writes to disk a process makes that nobody stops.
fn moments(machine: &Machine, process: impl FnOnce(&Machine)) -> (usize, usize) {
    machine.kernel.set_fault(None);
    machine.disk.set_fault(None);
    process(machine);
    (machine.kernel.changes(), machine.disk.writes.get())
}

fn every_crash((changes, writes): (usize, usize)) -> impl Iterator<Item = Crash> {
    let disk = |at| [DiskFault::DieBefore(at), DiskFault::DieAfter(at)].map(Crash::Disk);
    (0..changes).map(Crash::Kernel).chain((0..writes).flat_map(disk))
}

/// The process dies at every moment in turn; the recovery dies at one moment and is begun
/// again.
fn crash_everywhere(a: &DirectorState, b: &DirectorState, purpose: Purpose, again: usize) {
    let all = moments(&Machine::in_state(a), |machine| drop(machine.apply(b, purpose)));
    for (number, crash) in every_crash(all).enumerate() {
        let machine = Machine::in_state(a);
        crash.arm(&machine);
        let end = machine.survives(|machine| machine.apply(b, purpose).is_ok());
        assert_eq!(end, None, "moment {number} of {all:?} is never reached");
        // Another death, at a moment of the recovery that differs from time to time.
        let second = (number + again) % 16;
        let crash = match second % 3 {
            0 => Crash::Kernel(second / 3),
            1 => Crash::Disk(DiskFault::DieBefore(second / 3)),
            _ => Crash::Disk(DiskFault::DieAfter(second / 3)),
        };
        crash.arm(&machine);
        let recovered = machine.survives(Machine::recover).unwrap_or_else(|| {
            machine.kernel.set_fault(None);
            machine.recover()
        });
        machine.kernel.set_fault(None);
        machine.disk.set_fault(None);
        let (before, after) = (machine.holds(a), machine.holds(b));
        assert!(before || after, "moment {number} of {all:?}, then {second}: {a:#?}\n{b:#?}");
        match recovered {
            Some(Recovered::Finished) => assert!(after, "moment {number}"),
            Some(Recovered::Undone) => assert!(before, "moment {number}"),
            // Before anything was tried, or behind the end; or the first recovery ended.
            None => {}
        }
        // What a reboot would bring back is what there is: of a trial, the state before.
        let head = machine.disk.head.borrow().clone();
        assert!(machine.holds(&head), "moment {number} of {all:?}: the head is another state");
        assert_eq!(machine.recover(), None, "a recovery leaves nothing to recover");
        assert!(machine.apply(b, Purpose::Apply).is_ok(), "the next apply");
        assert!(machine.holds(b), "moment {number}: the next apply");
    }
}

/// A change is refused, or a write to disk fails, at every moment in turn.
fn refuse_everywhere(a: &DirectorState, b: &DirectorState) {
    let (changes, writes) =
        moments(&Machine::in_state(a), |machine| drop(machine.apply(b, Purpose::Apply)));
    for k in 0..changes + writes {
        let machine = Machine::in_state(a);
        if k < changes {
            machine.kernel.set_fault(Some(Fault::RefuseChange(k)));
        } else {
            machine.disk.set_fault(Some(DiskFault::Refuse(k - changes)));
        }
        let (kept, why) = match machine.apply(b, Purpose::Apply) {
            // Only the end is told to the disk after the commit: it is done all the same.
            Ok(_) => (machine.holds(b) && k >= changes, "done".to_owned()),
            Err(error @ TransactionError::Journal(_)) => {
                (machine.holds(a) && k >= changes, error.to_string())
            }
            Err(error @ TransactionError::Restored { .. }) => (machine.holds(a), error.to_string()),
            Err(error) => (false, error.to_string()),
        };
        assert!(
            kept,
            "refusal {k} of {changes} + {writes}: {why}: {a:#?}\n{b:#?}\n{:#?}",
            machine.kernel.settings()
        );
        machine.disk.set_fault(None);
        machine.kernel.set_fault(None);
        machine.recover();
        assert!(machine.holds(a) || machine.holds(b), "refusal {k}: {why}, then a recovery");
    }
}

fn pairs() -> usize {
    std::env::var("FWMARKCTL_CRASH_PAIRS").map_or(10_000, |n| n.parse().expect("a number"))
}

/// The same pairs in every run, each part with its own.
fn try_pairs(part: u8, count: usize, work: impl Fn(usize, &DirectorState, &DirectorState)) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[part; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let pair = (states::state_of_any_marker(), states::state_of_any_marker());
    for number in 0..count {
        let (a, b) = pair.new_tree(&mut runner).expect("a pair").current();
        work(number, &a, &b);
    }
}

#[test]
fn a_process_that_dies_anywhere_leaves_the_state_before_or_after() {
    std::thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || {
                try_pairs(part, pairs() / 2, |number, a, b| {
                    crash_everywhere(a, b, Purpose::Apply, number);
                });
            });
        }
    });
}

#[test]
fn a_trial_that_dies_anywhere_is_given_up() {
    try_pairs(2, pairs() / 10, |number, a, b| {
        // A trial holds back what only the state before has; here that does not matter.
        let all = moments(&Machine::in_state(a), |machine| drop(machine.apply(b, Purpose::Trial)));
        for crash in every_crash(all) {
            let machine = Machine::in_state(a);
            crash.arm(&machine);
            machine.survives(|machine| drop(machine.apply(b, Purpose::Trial)));
            machine.kernel.set_fault(None);
            machine.disk.set_fault(None);
            if machine.recover().is_some() {
                assert!(machine.holds(a), "pair {number}");
            }
        }
    });
}

#[test]
fn a_refusal_anywhere_leaves_the_state_before() {
    std::thread::scope(|scope| {
        for part in 3..5 {
            scope.spawn(move || try_pairs(part, pairs() / 2, |_, a, b| refuse_everywhere(a, b)));
        }
    });
}

#[test]
fn nothing_is_a_state_too() {
    let nothing = DirectorState::default();
    try_pairs(5, pairs() / 20, |number, a, _| {
        crash_everywhere(a, &nothing, Purpose::Clear, number);
        crash_everywhere(&nothing, a, Purpose::Apply, number);
        refuse_everywhere(a, &nothing);
        refuse_everywhere(&nothing, a);
    });
}
