//! The one place that writes to standard output and standard error.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::Environment;
use super::args::{Global, OutputFormat};
use crate::error::Error;

/// The number of the JSON documents' format, in each of them.
const FORMAT: u32 = 1;

/// That number where a document has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format;

impl Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(FORMAT)
    }
}

impl JsonSchema for Format {
    fn schema_name() -> Cow<'static, str> {
        "Format".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The number of this format; another one is read otherwise.",
            "const": FORMAT,
        })
    }
}

/// What a text means, where it can be coloured. Colour never carries the meaning alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Something comes, or is well.
    Good,
    /// Something changes, or wants attention.
    Warning,
    /// Something goes, or is wrong.
    Bad,
    /// A heading.
    Heading,
    /// Less important.
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Heading => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }
}

/// Where a command's answer goes, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent option")]
pub(super) struct Output {
    json: bool,
    quiet: bool,
    colored: bool,
    colored_errors: bool,
    utf8: bool,
    closed: bool,
    told: String,
}

impl Output {
    /// The output that the options ask for, in this environment.
    pub(super) fn new(global: &Global, environment: &Environment) -> Self {
        let colored = |terminal: bool| environment.colors(global.color, terminal);
        Self {
            json: global.output == OutputFormat::Json,
            quiet: global.quiet,
            colored: colored(io::stdout().is_terminal()),
            colored_errors: colored(io::stderr().is_terminal()),
            utf8: environment.utf8,
            closed: false,
            told: String::new(),
        }
    }

    /// Whether the answer is to be JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether text for people would be printed nowhere.
    pub(super) fn is_silent(&self) -> bool {
        self.quiet || self.json
    }

    /// Whether errors may be coloured.
    pub(super) fn colors_errors(&self) -> bool {
        self.colored_errors
    }

    /// Remembers what somebody at a terminal has seen there already.
    pub(super) fn has_told(&mut self, text: String) {
        if io::stdout().is_terminal() {
            self.told = text;
        }
    }

    /// `text`, unless it was just seen.
    pub(super) fn once(&self, text: String) -> String {
        if self.told == text { String::new() } else { text }
    }

    /// Whether the answer may be coloured.
    pub(super) fn is_colored(&self) -> bool {
        self.colored
    }

    /// `text` in a tone.
    pub(super) fn paint(&self, tone: Tone, text: impl Display) -> String {
        if self.colored {
            let style = tone.style();
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }

    /// `percent` of a line so long, in characters that the terminal has.
    pub(super) fn bar(&self, percent: u64, length: u64) -> String {
        let (full, empty) = if self.utf8 { ('█', '·') } else { ('#', '.') };
        // What is not nothing can be seen.
        let shown = ((percent * length + 50) / 100).max(u64::from(percent > 0));
        (0..length).map(|place| if place < shown { full } else { empty }).collect()
    }

    /// Prints lines for people; nothing with `--quiet` or `-o json`.
    ///
    /// # Errors
    /// [`Error::Output`]; but a reader who has gone is no error.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.is_silent() { Ok(()) } else { self.raw(text.as_bytes()) }
    }

    /// Prints a command's JSON document, where it is to be JSON.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub(super) fn json(&mut self, document: &impl Serialize) -> Result<(), Error> {
        if !self.json {
            return Ok(());
        }
        // Piece by piece: a million connections are hundreds of megabytes.
        let mut pieces = BufWriter::with_capacity(64 * 1024, Pieces(self));
        let written = serde_json::to_writer_pretty(&mut pieces, document).map_err(io::Error::from);
        written
            .and_then(|()| pieces.write_all(b"\n"))
            .and_then(|()| pieces.flush())
            .map_err(Error::Output)
    }

    /// Prints one of many JSON documents on a line of its own, where it is to be JSON.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub(super) fn json_line(&mut self, document: &impl Serialize) -> Result<(), Error> {
        if !self.json {
            return Ok(());
        }
        let mut bytes =
            serde_json::to_vec(document).map_err(|error| Error::Output(error.into()))?;
        bytes.push(b'\n');
        self.raw(&bytes)
    }

    /// Prints bytes as they are: what was asked for, even with `--quiet`.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.closed {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            other => other.map_err(Error::Output),
        }
    }

    /// Takes the answer of a command that has already changed the kernel: that it could
    /// not be printed does not undo what was done.
    pub(super) fn after_the_fact(printed: Result<(), Error>) {
        if let Err(error) = printed {
            tracing::error!("the answer is lost, the change is not: {}", error.sentence());
        }
    }

    /// Prints an error: JSON on standard output, sentences on standard error.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub(super) fn error(&mut self, error: &Error) -> Result<(), Error> {
        if self.json {
            return self.json(&super::failure::document(error));
        }
        let text = super::failure::text(error, self.colored_errors);
        note(&text);
        Ok(())
    }
}

/// Standard output, for who writes piece by piece.
struct Pieces<'a>(&'a mut Output);

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.raw(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Error::Output(error)) => Err(error),
            Err(other) => Err(io::Error::other(other.sentence())),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes to standard output, where there is no [`Output`] yet.
///
/// # Errors
/// [`Error::Output`]; but a reader who has gone is no error.
pub(super) fn answer(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Error::Output),
    }
}

thread_local! {
    /// What this thread would have written to standard error, while it is kept.
    static KEPT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Does what may tell something, and keeps that, for a screen on which nothing else may be
/// written.
pub(super) fn keeping_notes<T>(work: impl FnOnce() -> T) -> (T, String) {
    KEPT.set(Some(String::new()));
    let done = work();
    (done, KEPT.take().unwrap_or_default())
}

/// Writes to standard error. When even that is gone there is nobody to tell.
pub(super) fn note(text: &str) {
    let is_kept = KEPT.with_borrow_mut(|kept| kept.as_mut().map(|kept| kept.push_str(text)));
    if is_kept.is_some() {
        return;
    }
    let mut stderr = io::stderr().lock();
    if stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).is_err() {
        tracing::trace!("standard error is closed");
    }
}
