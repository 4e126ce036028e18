//! The thread that reads the kernel, and drains and restores: one thing after another.

use std::io::{IsTerminal, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{Builder, JoinHandle};

use tracing::subscriber::{NoSubscriber, with_default};

use super::super::args::WhichServer;
use super::super::output::{Output, keeping_notes};
use super::super::{Context, Environment, record_error};
use super::sampling;
use crate::cli::args::Global;
use crate::config::ServerName;
use crate::error::Error;
use crate::top::{Ask, Sample, Verb};

/// What the thread is asked for.
pub(super) enum Request {
    /// A sample.
    Sample,
    /// A change that somebody said yes to.
    Change(Ask),
}

/// What came of it; errors as one line.
pub(super) enum Answer {
    /// A sample.
    Sampled(Result<Sample, String>),
    /// A change.
    Changed(Result<String, String>),
}

/// The thread, by what it is asked through and answers through.
pub(super) struct Worker {
    requests: Sender<Request>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts it; each answer also writes a byte to `wakes`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn start(
        context: &Context,
        groups: Vec<String>,
        wakes: UnixStream,
    ) -> Result<Self, Error> {
        let (requests, asked) = channel();
        let (answer, answers) = channel();
        // What it would print in between would stand in the picture.
        let global = Global { quiet: true, ..context.global.clone() };
        let environment = context.environment.clone();
        let serve = move || serve(global, environment, &groups, &asked, &answer, wakes);
        let work = move || {
            // The first sample told what there is to tell; now it would be in the picture.
            if std::io::stderr().is_terminal() {
                with_default(NoSubscriber::default(), serve);
            } else {
                serve();
            }
        };
        let thread = Builder::new().name("top".to_owned()).spawn(work);
        let thread = thread.map_err(record_error("start a thread"))?;
        Ok(Self { requests, answers, thread })
    }

    /// Asks it.
    ///
    /// # Errors
    /// It has died.
    pub(super) fn ask(&self, request: Request) -> Result<(), Error> {
        self.requests.send(request).map_err(|_| died())
    }

    /// The next answer, where there is one.
    ///
    /// # Errors
    /// It has died.
    pub(super) fn answer(&self) -> Result<Option<Answer>, Error> {
        match self.answers.try_recv() {
            Ok(answer) => Ok(Some(answer)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(died()),
        }
    }

    /// Waits for the end of a change that was begun: it is never cut off.
    ///
    /// # Errors
    /// It has died.
    pub(super) fn finish(self) -> Result<Result<String, String>, Error> {
        drop(self.requests);
        let changed = self.answers.iter().find_map(|answer| match answer {
            Answer::Changed(how) => Some(how),
            Answer::Sampled(_) => None,
        });
        if self.thread.join().is_err() { Err(died()) } else { changed.ok_or_else(died) }
    }
}

fn died() -> Error {
    record_error("read the kernel")(std::io::Error::other("the thread that does it has died"))
}

fn serve(
    global: Global,
    environment: Environment,
    groups: &[String],
    asked: &Receiver<Request>,
    answer: &Sender<Answer>,
    mut wakes: UnixStream,
) {
    let output = Output::new(&global, &Environment { no_color: true, ..environment.clone() });
    let mut context = Context::new(global, output, environment);
    for request in asked {
        let said = match request {
            Request::Sample => Answer::Sampled(
                sampling::take(&context, groups).map_err(|error| sampling::told(&error)),
            ),
            Request::Change(ask) => {
                let (changed, notes) = keeping_notes(|| change(&mut context, &ask));
                let more = |said: String| {
                    let lines = notes.lines().map(str::to_owned);
                    [said].into_iter().chain(lines).collect::<Vec<_>>().join("; ")
                };
                Answer::Changed(changed.map(more).map_err(|error| more(sampling::told(&error))))
            }
        };
        if answer.send(said).is_err() || wakes.write_all(&[0]).is_err() {
            return;
        }
    }
}

fn change(context: &mut Context, ask: &Ask) -> Result<String, Error> {
    if context.global.config.iter().any(|file| file.as_os_str() == "-") {
        return Err(Error::Usage {
            message: "the configuration is standard input, which cannot be edited".to_owned(),
            hint: None,
        });
    }
    let server = ServerName { address: ask.server.address, port: ask.server.port };
    let which = WhichServer { group: ask.group.to_string(), server };
    match ask.verb {
        Verb::Drain => super::super::real::drain_at_once(context, which),
        Verb::Restore => super::super::real::restore_at_once(context, &which),
    }
}
