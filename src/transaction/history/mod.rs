//! The history: every state that was applied, to go back to and to boot with.
//!
//! In the state directory, `generations/` has a file for each state, written before the
//! kernel is touched; `head` names the one that counts, written when the kernel was read
//! back; `audit.jsonl` says how each transaction ended. A generation that the head does
//! not name was never confirmed, whatever its number.

mod audit;
mod generation;
mod head;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

pub use audit::Event;
pub use generation::{Header, SavedGeneration, Unreadable};

use self::audit::Audit;
use self::generation::Lines;
use self::head::HeadFile;
use super::files::{make_folder, remove_file};
use super::intent::{Author, Ending, Purpose};
use crate::state::{Fingerprint, MarkBook};

/// How many generations are kept.
pub const KEPT: usize = 50;

/// The history in a state directory.
#[derive(Debug, Clone)]
pub struct History {
    generations: PathBuf,
    head: HeadFile,
    audit: Audit,
}

/// Now, in UTC (RFC 3339), to the second.
pub(super) fn now() -> String {
    let time = jiff::Timestamp::now();
    let second = jiff::Timestamp::from_second(time.as_second()).unwrap_or(time);
    second.to_string()
}

impl History {
    /// The history in `state_dir`; nothing is read or made yet.
    pub fn new(state_dir: &Path) -> Self {
        Self {
            generations: state_dir.join("generations"),
            head: HeadFile::new(state_dir),
            audit: Audit::new(state_dir),
        }
    }

    /// The generation that counts: what the kernel was led to last, and what a reboot
    /// brings back. None before the first.
    ///
    /// # Errors
    /// What the file system says.
    pub fn head(&self) -> io::Result<Option<u64>> {
        self.head.generation()
    }

    /// The numbers of all generations that have a file, in order.
    ///
    /// # Errors
    /// What the file system says.
    pub fn numbers(&self) -> io::Result<Vec<u64>> {
        let entries = match std::fs::read_dir(&self.generations) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            numbers.extend(entry?.file_name().to_str().and_then(generation::number));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What is known of a generation.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn header(&self, number: u64) -> Result<Header, Unreadable> {
        Lines::read(&self.generations, number)?.header()
    }

    /// The marks of a generation.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn marks(&self, number: u64) -> Result<MarkBook, Unreadable> {
        let lines = Lines::read(&self.generations, number)?;
        lines.header()?;
        lines.marks()
    }

    /// A whole generation.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(&self, number: u64) -> Result<SavedGeneration, Unreadable> {
        let lines = Lines::read(&self.generations, number)?;
        let (header, marks, state) = (lines.header()?, lines.marks()?, lines.state()?);
        Ok(SavedGeneration { header, marks, state })
    }

    /// How the transactions of each generation ended, oldest first.
    pub fn events(&self) -> BTreeMap<u64, Vec<Event>> {
        self.audit.events()
    }

    /// The newest generation below `number` that the kernel was led to for good, that
    /// holds another state and that can be read: what `rollback` goes to. Damaged ones
    /// are named in a warning and skipped.
    ///
    /// # Errors
    /// What the file system says.
    pub fn before(&self, number: u64) -> io::Result<Option<SavedGeneration>> {
        let events = self.events();
        let numbers = self.numbers()?;
        let counts = |number: &u64| {
            events.get(number).is_some_and(|events| events.iter().any(Event::made_it_count))
        };
        // Repairs are many, and a line of the audit has gone one day: then the generation
        // that came next says what counted before it.
        let named = OnceCell::new();
        let is_named = |number: &u64| {
            let before = |number: &u64| self.header(*number).ok()?.before;
            let named: &BTreeSet<u64> =
                named.get_or_init(|| numbers.iter().filter_map(before).collect());
            named.contains(number)
        };
        let stayed = |number: &u64| counts(number) || is_named(number);
        let state = self.header(number).ok().map(|header| header.state);
        for older in numbers.iter().copied().rev().filter(|n| *n < number && stayed(n)) {
            match self.read(older) {
                Ok(generation) if Some(&generation.header.state) == state.as_ref() => {}
                Ok(generation) => return Ok(Some(generation)),
                Err(why) => tracing::warn!("{why}; it is skipped"),
            }
        }
        Ok(None)
    }

    /// The state of the generation that counts as it was written, where it is `state`.
    pub(super) fn raw_state(&self, state: Fingerprint) -> Option<Vec<u8>> {
        let head = self.head().ok()??;
        let lines = Lines::read(&self.generations, head).ok()?;
        let is_it = lines.header().is_ok_and(|header| header.state == state.to_string());
        is_it.then(|| lines.raw_state().map(|text| text.as_bytes().to_vec()))?
    }

    /// Saves a generation, whose state is JSON, and makes room for the head; on disk when
    /// this returns.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, header: &Header, marks: &MarkBook, state: &[u8]) -> io::Result<()> {
        make_folder(&self.generations)?;
        self.head.prepare()?;
        generation::write(&self.generations, header, marks, state)
    }

    /// From now on `number` is what counts; on disk when this returns.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set_head(&self, number: u64) -> io::Result<()> {
        self.head.set(number)
    }

    /// Writes down how a transaction ended.
    ///
    /// # Errors
    /// What the file system says.
    pub fn record(
        &self,
        generation: u64,
        purpose: Purpose,
        ending: Ending,
        author: &Author,
    ) -> io::Result<()> {
        self.audit.append(now(), generation, purpose, ending, author)
    }

    /// Removes the oldest generations beyond [`KEPT`], never one that the head names.
    ///
    /// # Errors
    /// What the file system says.
    pub fn prune(&self) -> io::Result<()> {
        let numbers = self.numbers()?;
        let named = self.head.named()?;
        let surplus = numbers.len().saturating_sub(KEPT);
        for number in numbers.iter().take(surplus).filter(|number| !named.contains(number)) {
            remove_file(&self.generations.join(generation::file_name(*number)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
