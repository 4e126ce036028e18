//! A file as it was read, and places in it.

use std::fmt;
use std::io::Read;
use std::sync::Arc;

use super::ImportError;

/// The most bytes that a file may have, as of a configuration: two hundred thousand rules.
pub const MAX_FILE: u64 = 16 << 20;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    file: Arc<str>,
    spot: Spot,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Spot {
    Line(usize),
    Named(String),
}

impl Place {
    /// The file as the user named it, fit to be shown.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1, where the format has lines.
    pub fn line(&self) -> Option<usize> {
        match self.spot {
            Spot::Line(line) => Some(line),
            Spot::Named(_) => None,
        }
    }
}

impl fmt::Display for Place {
    /// `rules.v4:12`, or `ruleset.json: table ip mangle, chain pre, handle 4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spot {
            Spot::Line(line) => write!(f, "{}:{line}", self.file),
            Spot::Named(what) => write!(f, "{}: {what}", self.file),
        }
    }
}

/// The text of one file.
#[derive(Debug, Clone)]
pub struct Document {
    name: Arc<str>,
    text: String,
}

impl Document {
    /// Text that is at hand.
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        Self { name: Arc::from(clean(name)), text: text.into() }
    }

    /// Reads to the end, or to more than anybody needs.
    ///
    /// # Errors
    /// What cannot be read, is too large, or is no text.
    pub fn read(name: &str, reader: impl Read) -> Result<Self, ImportError> {
        let name = clean(name);
        let mut bytes = Vec::new();
        reader
            .take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| ImportError::Unreadable { file: name.clone(), source })?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(ImportError::TooLarge { file: name });
        }
        let nul = bytes.iter().position(|&byte| byte == 0);
        let broken = std::str::from_utf8(&bytes).err().map(|error| error.valid_up_to());
        if let Some(at) = nul.into_iter().chain(broken).min() {
            let line = bytes[..at].split(|&byte| byte == b'\n').count();
            let place = Place { file: Arc::from(name), spot: Spot::Line(line) };
            return Err(ImportError::NotText { place });
        }
        // Nothing is lost: it was just seen to be UTF-8.
        Ok(Self { name: Arc::from(name), text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// Its name, fit to be shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines with their places.
    pub fn lines(&self) -> impl Iterator<Item = (Place, &str)> {
        (1..).zip(self.text.lines()).map(|(number, line)| (self.line(number), line))
    }

    /// A line, counted from 1.
    pub fn line(&self, number: usize) -> Place {
        Place { file: Arc::clone(&self.name), spot: Spot::Line(number) }
    }

    /// A place in a format whose lines say nothing: `table ip mangle, chain pre, handle 4`.
    pub fn named(&self, what: impl Into<String>) -> Place {
        Place { file: Arc::clone(&self.name), spot: Spot::Named(clean(&what.into())) }
    }
}

/// Without what a terminal would obey or a comment would end at.
fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        for bytes in [&b"one\ntwo\xff"[..], b"one\n\0two"] {
            let error = Document::read("dump", bytes).expect_err("no text");
            assert_eq!(error.to_string(), "dump:2: this is no text in UTF-8");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let error = Document::read("zero", std::io::repeat(b'\n')).expect_err("too large");
        assert_eq!(error.to_string(), "zero is larger than 16 MiB");
    }

    #[test]
    fn a_place_is_a_line_or_a_name() {
        let document = Document::new("a\nb", "one\ntwo");
        let (place, line) = document.lines().nth(1).expect("two lines");
        assert_eq!((place.to_string().as_str(), place.line(), line), ("a\\nb:2", Some(2), "two"));
        let place = document.named("table ip x");
        assert_eq!((place.to_string().as_str(), place.line()), ("a\\nb: table ip x", None));
    }
}
