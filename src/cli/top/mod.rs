//! `top`: the groups live on a terminal. What it shows and what keys do is in `crate::top`;
//! here are the terminal, the kernel's counters, and what drains and restores.
//!
//! One thread has the terminal, another reads the kernel and changes it: a key is answered
//! at once, whatever the kernel takes. Both sleep until a key, a signal, an answer or the
//! next sample.

mod live;
mod sampling;
mod terminal;
mod worker;

use std::io::IsTerminal;
use std::time::Instant;

use super::Context;
use super::args::TopOptions;
use super::signals::Signals;
use crate::error::{Error, Exit};
use crate::top::{Heading, Look, Screen, plain};

/// How wide a terminal is that does not say it.
const WIDTH: usize = 80;

pub(super) fn run(context: &mut Context, options: &TopOptions) -> Result<Exit, Error> {
    refuse(context)?;
    // Before anything is read: a signal ends it, and leaves the terminal as it was.
    let signals = context.signals()?;
    // What is wrong from the beginning is an error as everywhere.
    let first = sampling::take(context, &options.groups)?;
    let heading = Heading {
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        interval: options.interval,
    };
    let screen = Screen::new(heading, first);
    match context.environment.term.as_deref() {
        // Who does not say how large it is cannot be drawn on either.
        Some(term) if !matches!(term, "" | "dumb") && size() != (0, 0) => {
            let look = Look {
                // The console has no more letters than fit in its font.
                unicode: context.environment.utf8 && term != "linux",
                colour: context.output.is_colored(),
            };
            live::run(context, options, screen, look, &signals)
        }
        _ => tables(context, options, screen, &signals),
    }
}

/// The columns and lines of the terminal; 0 where it does not say.
fn size() -> (u16, u16) {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or((0, 0), |size| (size.ws_col, size.ws_row))
}

/// Refuses what has no live view.
fn refuse(context: &Context) -> Result<(), Error> {
    let (message, hint) = if context.output.is_json() {
        ("top is for people and has no JSON", "fwmarkctl -o json stats --rate --watch 2")
    } else if !std::io::stdout().is_terminal() {
        (
            "top needs a terminal, and standard output is none",
            "`fwmarkctl status` prints once, `fwmarkctl -o json stats` for programs",
        )
    } else {
        return Ok(());
    };
    Err(Error::Usage { message: message.to_owned(), hint: Some(hint.to_owned()) })
}

/// A table each time, one below the other, until a signal comes.
fn tables(
    context: &mut Context,
    options: &TopOptions,
    mut screen: Screen,
    signals: &Signals,
) -> Result<Exit, Error> {
    loop {
        let width = match size() {
            (0, _) => WIDTH,
            (width, _) => width.into(),
        };
        context.output.raw(plain(&screen, Instant::now(), width).as_bytes())?;
        if signals.wait_until(Instant::now() + options.interval).is_some() {
            return Ok(Exit::Done);
        }
        match sampling::take(context, &options.groups) {
            Ok(sample) => screen.add(sample),
            Err(error) => screen.fail(&sampling::told(&error)),
        }
    }
}
