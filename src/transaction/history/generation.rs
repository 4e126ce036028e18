//! A generation on disk: what a transaction led to, with who, when and why.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::files::{read_file, replace_file, seal, unseal};
use super::super::intent::{Author, Purpose};
use crate::plan::Summary;
use crate::state::{DirectorState, Fingerprint, MarkBook};

const FORMAT: u32 = 1;

/// What is known of a generation without reading its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Header {
    /// Its number.
    pub number: u64,
    /// When it was saved, in UTC (RFC 3339).
    pub time: String,
    /// What the transaction was for.
    pub purpose: Purpose,
    /// Who ran it.
    #[serde(flatten)]
    pub author: Author,
    /// The boot in which it ran.
    pub boot: String,
    /// The SHA-256 of the configuration, in hexadecimal digits; `None` where there was
    /// none.
    pub config: Option<String>,
    /// The generation that counted before it.
    pub before: Option<u64>,
    /// How much differed from the state before.
    pub summary: Summary,
    /// The fingerprint of its state.
    pub state: String,
}

/// A generation with all that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedGeneration {
    /// What is known of it.
    pub header: Header,
    /// The marks, those of disabled groups included.
    pub marks: MarkBook,
    /// The state.
    pub state: DirectorState,
}

/// Why a generation cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// There is none of that number.
    #[error("there is no generation {0}")]
    Missing(u64),
    /// Its file is damaged: it is never trusted.
    #[error("generation {number} is damaged and not trusted: {}: {why}", path.display())]
    Damaged {
        /// Which.
        number: u64,
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Its file cannot be read.
    #[error("cannot read generation {number}")]
    File {
        /// Which.
        number: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    format: u32,
    #[serde(flatten)]
    header: Header,
}

/// The lines of a generation's file, whose checksum fits.
pub(super) struct Lines {
    number: u64,
    path: PathBuf,
    text: String,
}

pub(super) fn file_name(number: u64) -> String {
    format!("{number:010}.jsonl")
}

/// The number that a file's name says.
pub(super) fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".jsonl")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// Writes a generation; on disk when this returns.
///
/// # Errors
/// What the file system says.
pub(super) fn write(
    folder: &Path,
    header: &Header,
    marks: &MarkBook,
    state: &[u8],
) -> io::Result<()> {
    let header = FirstLine { format: FORMAT, header: header.clone() };
    let mut lines = serde_json::to_vec(&header)?;
    lines.push(b'\n');
    serde_json::to_writer(&mut lines, marks)?;
    lines.push(b'\n');
    lines.extend_from_slice(state);
    lines.push(b'\n');
    replace_file(&folder.join(file_name(header.header.number)), &seal(lines))
}

impl Lines {
    /// Reads a generation's file and compares its checksum.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub(super) fn read(folder: &Path, number: u64) -> Result<Self, Unreadable> {
        let path = folder.join(file_name(number));
        let bytes = read_file(&path)
            .map_err(|source| Unreadable::File { number, source })?
            .ok_or(Unreadable::Missing(number))?;
        let damaged = |why: String| Unreadable::Damaged { number, path: path.clone(), why };
        let text = unseal(&bytes).map_err(|why| damaged(why.to_string()))?;
        let text = String::from_utf8(text.to_vec()).map_err(|why| damaged(why.to_string()))?;
        Ok(Self { number, path, text })
    }

    fn damaged(&self, why: &dyn ToString) -> Unreadable {
        Unreadable::Damaged { number: self.number, path: self.path.clone(), why: why.to_string() }
    }

    fn line<'a, T: Deserialize<'a>>(&'a self, at: usize) -> Result<T, Unreadable> {
        let line = self.text.lines().nth(at).ok_or_else(|| self.damaged(&"a line is missing"))?;
        serde_json::from_str(line).map_err(|why| self.damaged(&why))
    }

    /// What is known of the generation.
    ///
    /// # Errors
    /// [`Unreadable::Damaged`].
    pub(super) fn header(&self) -> Result<Header, Unreadable> {
        let FirstLine { format, header } = self.line(0)?;
        if format != FORMAT {
            return Err(self.damaged(&format!("its format is {format}, not {FORMAT}")));
        }
        if header.number != self.number {
            return Err(self.damaged(&format!("it is generation {}", header.number)));
        }
        Ok(header)
    }

    /// Its marks.
    ///
    /// # Errors
    /// [`Unreadable::Damaged`].
    pub(super) fn marks(&self) -> Result<MarkBook, Unreadable> {
        self.line(1)
    }

    /// Its state as it was written.
    pub(super) fn raw_state(&self) -> Option<&str> {
        self.text.lines().nth(2)
    }

    /// Its state.
    ///
    /// # Errors
    /// [`Unreadable::Damaged`].
    pub(super) fn state(&self) -> Result<DirectorState, Unreadable> {
        let state: DirectorState = self.line(2)?;
        if Fingerprint::of_state(&state).to_string() == self.header()?.state {
            Ok(state)
        } else {
            Err(self.damaged(&"its state is not the one that was saved"))
        }
    }
}
