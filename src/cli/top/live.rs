//! The live view: sleeps until a key, a signal, an answer, another size or the next
//! sample, and draws.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::SIGWINCH;
use signal_hook::low_level::{pipe, unregister};

use super::super::args::TopOptions;
use super::super::output::note;
use super::super::signals::{Signals, timespec};
use super::super::{Context, record_error};
use super::terminal::Terminal;
use super::worker::{Answer, Request, Worker};
use crate::error::{Error, Exit};
use crate::top::{Action, Key, Look, Screen, draw};

/// Runs the view to its end.
pub(super) fn run(
    context: &Context,
    options: &TopOptions,
    screen: Screen,
    look: Look,
    signals: &Signals,
) -> Result<Exit, Error> {
    let failed = record_error("wait for keys");
    let (wakes, end) = UnixStream::pair().map_err(&failed)?;
    wakes.set_nonblocking(true).map_err(&failed)?;
    let resized = pipe::register(SIGWINCH, end.try_clone().map_err(&failed)?).map_err(&failed)?;
    let worker = Worker::start(context, options.groups.clone(), end)?;
    let terminal = Terminal::take()?;
    let due = Some(Instant::now() + options.interval);
    let interval = options.interval;
    let mut view = View { screen, look, worker, wakes, terminal, due, interval };
    let ended = view.watch(signals);
    let View { screen, worker, terminal, .. } = view;
    drop(terminal);
    unregister(resized);
    let Some(what) = screen.busy() else { return ended.map(|()| Exit::Done) };
    note(&format!("{what}: waiting for its end\n"));
    let changed = worker.finish()?;
    ended?;
    Ok(match changed {
        Ok(done) => {
            note(&format!("{done}\n"));
            Exit::Done
        }
        Err(why) => {
            note(&format!("error: {why}\n"));
            Exit::Failed
        }
    })
}

struct View {
    screen: Screen,
    look: Look,
    worker: Worker,
    wakes: UnixStream,
    terminal: Terminal,
    /// When the next sample is due; none while one is being taken, or none is wanted.
    due: Option<Instant>,
    interval: Duration,
}

/// What there is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// Nothing but the time that passed.
    Time,
    /// A key was pressed.
    Key,
    /// What was begun to be typed goes on no more.
    Typed,
    /// The terminal, or whoever started this, wants the end.
    End,
}

impl View {
    fn watch(&mut self, signals: &Signals) -> Result<(), Error> {
        loop {
            let (screen, look) = (&mut self.screen, self.look);
            let drawing =
                |frame: &mut ratatui::Frame<'_>| draw(frame, screen, Instant::now(), look);
            self.terminal.inner().draw(drawing).map_err(Error::Output)?;
            match self.sleep(signals)? {
                Woken::End => return Ok(()),
                Woken::Key => {
                    let Some(keys) = self.terminal.pressed() else { return Ok(()) };
                    if !self.press(keys)? {
                        return Ok(());
                    }
                }
                Woken::Typed => {
                    let key = self.terminal.typed();
                    if !self.press(key)? {
                        return Ok(());
                    }
                }
                Woken::Time => {}
            }
            while let Some(answer) = self.worker.answer()? {
                self.hear(answer)?;
            }
            if self.due.is_some_and(|due| due <= Instant::now()) && !self.screen.is_paused() {
                self.due = None;
                self.worker.ask(Request::Sample)?;
            }
        }
    }

    /// Does what keys ask for; false when that is to end.
    fn press(&mut self, keys: impl IntoIterator<Item = Key>) -> Result<bool, Error> {
        for key in keys {
            match self.screen.press(key) {
                Some(Action::Quit) => return Ok(false),
                Some(Action::Change(ask)) => self.worker.ask(Request::Change(ask))?,
                Some(Action::Sample) => self.due = Some(Instant::now()),
                None => {}
            }
        }
        Ok(true)
    }

    fn hear(&mut self, answer: Answer) -> Result<(), Error> {
        match answer {
            Answer::Sampled(sample) => {
                match sample {
                    Ok(sample) if !self.screen.is_paused() => self.screen.add(sample),
                    Ok(_) => {}
                    Err(why) => self.screen.fail(&why),
                }
                self.due = Some(Instant::now() + self.interval);
            }
            Answer::Changed(how) => {
                self.screen.done(&how);
                // A transaction may have told something on standard error: wipe it off.
                self.terminal.wipe()?;
            }
        }
        Ok(())
    }

    /// Sleeps until there is something to do.
    fn sleep(&self, signals: &Signals) -> Result<Woken, Error> {
        let due = self.due.filter(|_| !self.screen.is_paused());
        let rest = due.map(|due| due.saturating_duration_since(Instant::now()));
        // A countdown moves each second.
        let second = self.screen.counts_down().then_some(Duration::from_secs(1));
        let typing = self.terminal.waits_until();
        let typing = typing.map(|until| until.saturating_duration_since(Instant::now()));
        let rest = rest.into_iter().chain(second).chain(typing).min().map(timespec);
        let mut polled = [
            PollFd::new(self.terminal.keys(), PollFlags::IN),
            PollFd::new(signals, PollFlags::IN),
            PollFd::new(&self.wakes, PollFlags::IN),
        ];
        match poll(&mut polled, rest.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(record_error("wait for keys")(errno.into())),
        }
        let [key, ..] = polled.map(|it| it.revents());
        // Answers and sizes are looked for anyway; only the bytes have to go.
        let woken = (&self.wakes).read(&mut [0; 64]);
        tracing::trace!(?woken, "top");
        Ok(if signals.which().is_some() || key.intersects(PollFlags::HUP | PollFlags::ERR) {
            Woken::End
        } else if key.contains(PollFlags::IN) {
            Woken::Key
        } else if self.terminal.waits_until().is_some_and(|until| until <= Instant::now()) {
            Woken::Typed
        } else {
            Woken::Time
        })
    }
}
