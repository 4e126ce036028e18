//! `watch`: stays, and repairs what others change as it happens.
//!
//! nf_tables tells of each commit, IPVS of nothing: so the one is heard, and the other
//! looked at now and then. A look takes no lock. Where something differs the lock is
//! taken and the kernel compared again: what somebody is in the middle of is no drift.
//! Nobody is waited for with eyes and ears closed; the watch asks for the lock until it
//! has it, and hears signals meanwhile.

mod back_off;
mod debounce;
mod look;
mod report;

pub(super) use self::report::Line;

use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use self::back_off::BackOff;
use self::debounce::Debounce;
use self::report::Report;
use super::Context;
use super::args::WatchOptions;
use super::signals::{Signals, timespec};
use crate::backend::nftables::Events;
use crate::compile::Compiled;
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::operation::Expectation;
use crate::transaction::Cause;

/// What waits for the lock.
enum Task {
    /// To apply a configuration that was read and found right.
    Apply(Box<(Config, Compiled)>),
    /// To return to what was applied last, as a boot does.
    Boot,
    /// To compare again, and repair.
    Repair,
}

struct Watch<'a> {
    context: &'a mut Context,
    report: &'a mut Report,
    signals: Rc<Signals>,
    /// None when they could not be heard any more, until the next look.
    events: Option<Events>,
    interval: Duration,
    expectation: Expectation,
    heard: Debounce,
    back_off: BackOff,
    task: Option<Task>,
    /// Somebody wants the configuration to be read again.
    reload: bool,
    /// Since when the lock is known to be somebody else's.
    waiting: Option<Instant>,
    /// Before this there is neither a look nor a task.
    not_before: Instant,
    next_look: Instant,
}

pub(super) fn run(context: &mut Context, options: &WatchOptions) -> Result<Exit, Error> {
    let mut report = Report::new(&context.environment);
    match watch(context, &mut report, options) {
        Ok(signal) => {
            report.stopped(&mut context.output, signal);
            Ok(Exit::Done)
        }
        // A document of many lines would not be one of the others.
        Err(error) if context.output.is_json() => {
            report.not_started(&mut context.output, &error);
            Ok(error.exit())
        }
        Err(error) => Err(error),
    }
}

/// Watches until a signal ends it. Only a start can fail.
fn watch(
    context: &mut Context,
    report: &mut Report,
    options: &WatchOptions,
) -> Result<&'static str, Error> {
    // Before anybody is waited for: a configuration with mistakes is refused at once.
    let task = if options.no_apply {
        Task::Boot
    } else {
        Task::Apply(Box::new(context.load_and_compile()?))
    };
    let signals = context.signals()?;
    signals.let_finish();
    // Before the kernel is read for the first time, so that nothing is missed.
    let events = Events::subscribe().map_err(Cause::from)?;
    let now = Instant::now();
    let mut watch = Watch {
        context,
        report,
        signals,
        events: Some(events),
        interval: options.interval,
        expectation: Expectation::default(),
        heard: Debounce::default(),
        back_off: BackOff::default(),
        task: Some(task),
        reload: false,
        waiting: None,
        not_before: now,
        next_look: now,
    };
    watch.stay()
}

impl Watch<'_> {
    fn stay(&mut self) -> Result<&'static str, Error> {
        loop {
            while let Some(signal) = self.signals.take() {
                if signal != "SIGHUP" {
                    return Ok(signal);
                }
                self.reload = true;
            }
            self.listen();
            if self.reload && self.report.is_ready() {
                self.reload();
            }
            if self.due() <= Instant::now() {
                match self.task.take() {
                    Some(task) => self.work(task)?,
                    None => self.look(),
                }
            }
            self.report.tell_manager(Instant::now());
            self.wait();
        }
    }

    /// When there is something to do.
    fn due(&self) -> Instant {
        let look = self.heard.due().map_or(self.next_look, |due| due.min(self.next_look));
        if self.task.is_some() { self.not_before } else { look.max(self.not_before) }
    }

    /// Sleeps until something is due, somebody commits or a signal comes.
    fn wait(&self) {
        if self.signals.which().is_some() {
            return;
        }
        let due = self.report.next_sign().map_or(self.due(), |sign| sign.min(self.due()));
        let time = due.saturating_duration_since(Instant::now());
        let time = timespec(time);
        let mut waiting = vec![PollFd::new(&*self.signals, PollFlags::IN)];
        waiting.extend(self.events.iter().map(|events| PollFd::new(events, PollFlags::IN)));
        // Whatever woke us, or did not, is found out by whoever is called next.
        let woken = poll(&mut waiting, Some(&time));
        tracing::trace!(?woken, "watch");
    }

    /// Takes in what nf_tables tells.
    fn listen(&mut self) {
        let Some(events) = &mut self.events else { return };
        let ours = events.drain().unwrap_or_else(|error| {
            tracing::info!(%error, "nf_tables is not heard any more");
            self.events = None;
            true
        });
        if ours {
            self.heard.heard(Instant::now());
        }
    }

    /// Reads the configuration; a bad one changes nothing.
    fn reload(&mut self) {
        self.reload = false;
        self.report.reloading();
        match self.context.load_and_compile() {
            Ok(loaded) => {
                self.task = Some(Task::Apply(Box::new(loaded)));
                self.not_before = Instant::now();
            }
            Err(error) => self.report.not_reloaded(&mut self.context.output, &error),
        }
    }

    /// Nothing is looked at or done before.
    fn hold_until(&mut self, due: Instant) {
        (self.not_before, self.next_look) = (due, due);
    }
}
