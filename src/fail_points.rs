//! Fail points: a process that dies where a test wants it to, by a signal that nobody can
//! catch. Only in a build with the feature `fail-points`.
//!
//! Every change of the kernel and every write to disk counts one call, in the order in
//! which they are made. A death behind a call is also one before the next: between them
//! nothing is written.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::process::{Signal, getpid, kill_process};

static ARMED: AtomicBool = AtomicBool::new(false);
static DIE_AT: AtomicU64 = AtomicU64::new(0);
static CALLS: AtomicU64 = AtomicU64::new(0);

/// The calls of this process are counted for as long as this lives; at its end it says on
/// standard error how many there were.
#[derive(Debug)]
pub struct Armed(());

impl Armed {
    /// Lets the process die at its `die_at`-th call; when there are fewer, nothing
    /// happens. Without a number no call is counted.
    pub fn at(die_at: Option<u64>) -> Option<Self> {
        let die_at = die_at?;
        DIE_AT.store(die_at, Ordering::SeqCst);
        ARMED.store(true, Ordering::SeqCst);
        Some(Self(()))
    }
}

impl Drop for Armed {
    #[expect(clippy::print_stderr, reason = "a test reads it; this is in no release")]
    fn drop(&mut self) {
        ARMED.store(false, Ordering::SeqCst);
        eprintln!("fail points: {} calls", CALLS.load(Ordering::SeqCst));
    }
}

/// One call; the one that was chosen does not return.
///
/// # Panics
/// A process that cannot kill itself must not go on as if it lived.
pub fn call() {
    if !ARMED.load(Ordering::SeqCst) {
        return;
    }
    let call = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    if call != DIE_AT.load(Ordering::SeqCst) {
        return;
    }
    let killed = kill_process(getpid(), Signal::KILL);
    panic!("call {call} shall be the last: {killed:?}");
}
