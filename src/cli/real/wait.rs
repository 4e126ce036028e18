//! Waiting until a real server is drained, its time is over, or somebody ends it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::lingering::{Lingering, Watcher};
use crate::cli::output::note;
use crate::cli::signals::{Signals, timespec};
use crate::error::Error;

/// How often to look.
const INTERVAL: Duration = Duration::from_millis(500);

/// How often to tell, where no terminal shows the last line only.
const TELL: Duration = Duration::from_secs(10);

/// What ended the waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody is left.
    Drained,
    /// The time is over.
    Timeout,
    /// A signal came.
    Interrupted(&'static str),
    /// It takes new clients again, with this weight.
    Restored(u32),
    /// Nobody wanted to wait.
    Detached,
}

impl End {
    /// The word for it in JSON.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Timeout => "timeout",
            Self::Interrupted(_) => "interrupted",
            Self::Restored(_) => "restored",
            Self::Detached => "detached",
        }
    }
}

/// How the waiting went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited {
    pub(super) end: End,
    pub(super) left: Lingering,
    pub(super) time: Duration,
}

/// Waits for the end; without a `timeout` it looks once.
pub(super) fn until_drained(
    watcher: &mut Watcher<'_>,
    signals: &Signals,
    timeout: Option<Duration>,
    mut tell: Teller,
) -> Result<Waited, Error> {
    let began = Instant::now();
    loop {
        let look = watcher.look()?;
        let (time, left) = (began.elapsed(), look.lingering);
        let end = if let Some(signal) = signals.take() {
            Some(End::Interrupted(signal))
        } else if look.weight > 0 {
            Some(End::Restored(look.weight))
        } else if look.is_whole && left.is_drained() {
            Some(End::Drained)
        } else {
            match timeout {
                None => Some(End::Detached),
                Some(timeout) => (time >= timeout).then_some(End::Timeout),
            }
        };
        if let Some(end) = end {
            return Ok(Waited { end, left, time });
        }
        tell.waiting(left, time);
        let rest = timeout.map_or(INTERVAL, |timeout| timeout.saturating_sub(time).min(INTERVAL));
        sleep(signals, rest);
    }
}

/// Sleeps until a signal comes.
fn sleep(signals: &Signals, time: Duration) {
    let time = timespec(time);
    let came = poll(&mut [PollFd::new(signals, PollFlags::IN)], Some(&time));
    tracing::trace!(?came, "drain");
}

/// Tells how far it is: on one line of a terminal, else on a line now and then.
pub(super) struct Teller {
    name: String,
    timeout: Duration,
    on_terminal: bool,
    silent: bool,
    last: Option<(Lingering, Duration)>,
}

impl Teller {
    /// Tells of the real server `name`.
    pub(super) fn new(name: String, timeout: Duration, silent: bool) -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        Self { name, timeout, on_terminal, silent, last: None }
    }

    fn waiting(&mut self, left: Lingering, time: Duration) {
        let text = || {
            let (seconds, of) = (time.as_secs(), self.timeout.as_secs());
            format!("{}: {} left; {seconds} s of {of} s", self.name, left.text())
        };
        let is_due = self.last.is_none_or(|(_, told)| time >= told + TELL);
        let is_news = self.last.is_none_or(|(last, _)| last != left);
        if self.silent {
            return;
        }
        if self.on_terminal {
            note(&format!("\r\x1b[K{} … ", text()));
            self.last = Some((left, time));
        } else if is_due && is_news {
            note(&format!("{}\n", text()));
            self.last = Some((left, time));
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        if self.on_terminal && self.last.is_some() {
            note("\r\x1b[K");
        }
    }
}
