//! The audit: how each transaction ended, a line each, appended.
//!
//! Each line has the checksum of the one before, so that a line that was changed or
//! taken out is noticed. Two files are kept, of which the older is full.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::super::files::{fail_point, private, read_file};
use super::super::intent::{Author, Ending, Purpose};

/// From this size on a new file is begun: some 4,000 lines.
const FULL: u64 = 1 << 20;

/// No line is longer.
const LONGEST: u64 = 4096;

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Event {
    /// When, in UTC (RFC 3339).
    pub time: String,
    /// Which generation it was about.
    pub generation: u64,
    /// What it was for.
    pub purpose: Purpose,
    /// How it ended.
    pub ending: Ending,
    /// Who ran it.
    #[serde(flatten)]
    pub author: Author,
    /// The checksum of the line before.
    after: String,
}

impl Event {
    /// Whether the generation counted from then on. A trial does so when it is confirmed;
    /// its end is about it too, and so are repairs while it waits.
    pub(super) fn made_it_count(&self) -> bool {
        let leads_on = match self.purpose {
            Purpose::Apply | Purpose::Rollback(_) | Purpose::Clear | Purpose::Confirm => true,
            Purpose::Trial | Purpose::Expire(_) | Purpose::Restore => false,
        };
        leads_on && self.ending.is_success()
    }

    /// What became of the generation, in a word: `tried`, `confirmed`, `returned` (it was
    /// not confirmed), `restored`; else how the transaction ended.
    pub fn outcome(&self) -> &'static str {
        match (self.purpose, self.ending) {
            (_, Ending::Restored) => "failed",
            (_, Ending::Incomplete) => "incomplete",
            (_, Ending::Undone) => "undone",
            (Purpose::Trial, _) => "tried",
            (Purpose::Confirm, _) => "confirmed",
            (Purpose::Expire(_), _) => "returned",
            (Purpose::Restore, _) => "restored",
            (Purpose::Apply | Purpose::Rollback(_) | Purpose::Clear, Ending::Finished) => {
                "finished"
            }
            (Purpose::Apply | Purpose::Rollback(_) | Purpose::Clear, Ending::Applied) => "applied",
        }
    }
}

/// The audit's files.
#[derive(Debug, Clone)]
pub(super) struct Audit {
    path: PathBuf,
}

impl Audit {
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join("audit.jsonl") }
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("1.jsonl")
    }

    /// Adds a line.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn append(
        &self,
        time: String,
        generation: u64,
        purpose: Purpose,
        ending: Ending,
        author: &Author,
    ) -> io::Result<()> {
        let mut file = private().read(true).append(true).create(true).open(&self.path)?;
        let size = file.metadata()?.len();
        let mut tail = Vec::new();
        file.seek(SeekFrom::Start(size.saturating_sub(LONGEST)))?;
        file.read_to_end(&mut tail)?;
        let last = tail.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
        let event = Event {
            time,
            generation,
            purpose,
            ending,
            author: author.clone(),
            after: format!("{:016x}", xxh3_64(last)),
        };
        if size >= FULL {
            fs::rename(&self.path, self.older())?;
            file = private().append(true).create(true).open(&self.path)?;
        }
        let mut line = serde_json::to_vec(&event)?;
        line.push(b'\n');
        // A line that was cut short by a full disk stays alone.
        if !tail.is_empty() && !tail.ends_with(b"\n") {
            line.insert(0, b'\n');
        }
        file.write_all(&line)?;
        fail_point();
        file.sync_data()
    }

    /// How the transactions of each generation ended, oldest first.
    pub(super) fn events(&self) -> BTreeMap<u64, Vec<Event>> {
        let mut events: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
        for path in [self.older(), self.path.clone()] {
            let bytes = read_file(&path).unwrap_or_else(|error| {
                tracing::warn!("the audit is not used: {error}");
                None
            });
            let mut before: Option<u64> = None;
            for line in bytes.unwrap_or_default().split(|&byte| byte == b'\n') {
                let Ok(event) = serde_json::from_slice::<Event>(line) else { continue };
                if before.is_some_and(|before| event.after != format!("{before:016x}")) {
                    tracing::warn!("a line of {} was changed or taken out", path.display());
                }
                before = Some(xxh3_64(line));
                events.entry(event.generation).or_default().push(event);
            }
        }
        events
    }
}
