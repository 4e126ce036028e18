//! Signals that ask to stop. From here on they end nothing by themselves: whoever is in
//! the middle of something looks whether one came, where stopping leaves nothing half
//! done.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level::pipe};

/// The signals that came, and something to wait for them with.
#[derive(Debug)]
pub(super) struct Signals {
    came: [(&'static str, Arc<AtomicBool>); 3],
    /// Can be read when one came.
    wakes: UnixStream,
    /// Whether a transaction stops for one, before its switch.
    stop: Cell<bool>,
}

impl Signals {
    /// Takes the signals over, for the rest of this process's life.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn catch() -> io::Result<Self> {
        let (wakes, end) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let caught = [("SIGINT", SIGINT), ("SIGTERM", SIGTERM), ("SIGHUP", SIGHUP)];
        let mut came = Vec::with_capacity(caught.len());
        for (name, number) in caught {
            let set = Arc::new(AtomicBool::new(false));
            // First the flag: whoever is woken finds it set.
            flag::register(number, Arc::clone(&set))?;
            pipe::register(number, end.try_clone()?)?;
            came.push((name, set));
        }
        let came = came.try_into().map_err(|_| io::Error::other("three signals"))?;
        Ok(Self { came, wakes, stop: Cell::new(true) })
    }

    /// Waits until `due`, or until one came.
    pub(super) fn wait_until(&self, due: Instant) -> Option<&'static str> {
        loop {
            let time = due.saturating_duration_since(Instant::now());
            if self.which().is_some() || time.is_zero() {
                return self.which();
            }
            let time = timespec(time);
            let woken = poll(&mut [PollFd::new(self, PollFlags::IN)], Some(&time));
            tracing::trace!(?woken, "waited");
        }
    }

    /// The first that came, by its name.
    pub(super) fn which(&self) -> Option<&'static str> {
        self.came.iter().find(|(_, set)| set.load(Ordering::SeqCst)).map(|(name, _)| *name)
    }

    /// Takes the first that came: it did not come any more. Those that end come before
    /// the one that reloads.
    pub(super) fn take(&self) -> Option<&'static str> {
        // First what wakes: a signal that comes now is seen below, or wakes again.
        let drained = io::Read::read(&mut &self.wakes, &mut [0; 64]);
        tracing::trace!(?drained, "signals");
        self.came.iter().find(|(_, set)| set.swap(false, Ordering::SeqCst)).map(|(name, _)| *name)
    }

    /// From now on no transaction stops for one: who stays takes them when it ended.
    pub(super) fn let_finish(&self) {
        self.stop.set(false);
    }

    /// The one for which a transaction stops.
    pub(super) fn interruption(&self) -> Option<&'static str> {
        self.which().filter(|_| self.stop.get())
    }
}

/// A time as poll(2) takes it.
pub(super) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakes.as_fd()
    }
}
