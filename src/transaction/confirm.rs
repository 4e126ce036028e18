//! A trial: an apply that goes again at a deadline, unless somebody confirms it.
//!
//! The trial's file in the run directory has the deadline and the state to return to. It
//! is written before the kernel is touched, and removed by whoever ends the trial, with
//! the lock in hand: so exactly one of a confirmation and the deadline wins. The head
//! of the history still names the generation before; a reboot therefore means "not
//! confirmed", without anybody's doing.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::files::{network_namespace, read_file, remove_file, replace_file, seal, unseal};
use crate::state::{DirectorState, Record};

const FORMAT: u32 = 1;

/// How long the machine has been up, sleep included: what deadlines are measured by, for
/// nobody can set it (`CLOCK_BOOTTIME`, `clock_gettime(2)`).
pub fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// A trial that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The generation that is tried.
    pub generation: u64,
    /// When it goes again, by [`uptime`].
    pub deadline: Duration,
    /// The same in UTC (RFC 3339), for people.
    pub deadline_utc: String,
    /// The state to return to.
    pub before: DirectorState,
    /// The commit record to return to.
    pub record_before: Option<Record>,
}

impl Trial {
    /// A trial of `generation` that ends `within` from now.
    pub fn new(
        generation: u64,
        within: Duration,
        before: DirectorState,
        record_before: Option<Record>,
    ) -> Self {
        let utc =
            jiff::Timestamp::now() + jiff::SignedDuration::try_from(within).unwrap_or_default();
        let utc = jiff::Timestamp::from_second(utc.as_second()).unwrap_or(utc);
        let (deadline, deadline_utc) = (uptime() + within, utc.to_string());
        Self { generation, deadline, deadline_utc, before, record_before }
    }

    /// How long there is left to confirm it; none when it is over.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.checked_sub(uptime()).filter(|left| !left.is_zero())
    }
}

#[derive(Serialize, Deserialize)]
struct TrialHeader {
    format: u32,
    boot: String,
    generation: u64,
    deadline_milliseconds: u64,
    deadline_utc: String,
    record_before: Option<String>,
}

/// The trial's file of one network namespace.
#[derive(Debug, Clone)]
pub struct TrialFile {
    path: PathBuf,
    boot: String,
}

impl TrialFile {
    /// The file in `run_dir` of the network namespace of this thread. `boot` is the boot
    /// in which it counts.
    ///
    /// # Errors
    /// Where `/proc` is not there.
    pub fn new(run_dir: &Path, boot: &str) -> io::Result<Self> {
        let path = run_dir.join(format!("trial-{}.jsonl", network_namespace()?));
        Ok(Self { path, boot: boot.to_owned() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The trial that is under way, also when its deadline has passed.
    ///
    /// # Errors
    /// What the file system says; a damaged file is an error too.
    pub fn find(&self) -> io::Result<Option<Trial>> {
        let Some(bytes) = read_file(&self.path)? else { return Ok(None) };
        self.parse(&bytes).map_err(|why| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", self.path.display()))
        })
    }

    fn parse(&self, bytes: &[u8]) -> Result<Option<Trial>, String> {
        let text = std::str::from_utf8(unseal(bytes).map_err(|why| why.to_string())?)
            .map_err(|why| why.to_string())?;
        let (header, before) = text.split_once('\n').ok_or("a line is missing")?;
        let header: TrialHeader = serde_json::from_str(header).map_err(|why| why.to_string())?;
        if header.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", header.format));
        }
        // A reboot ended it: the kernel is empty, and the head names what counts.
        if header.boot != self.boot {
            return Ok(None);
        }
        let record = |text: String| Record::from_comment(&text).ok_or("it has no commit record");
        Ok(Some(Trial {
            generation: header.generation,
            deadline: Duration::from_millis(header.deadline_milliseconds),
            deadline_utc: header.deadline_utc,
            before: serde_json::from_str(before).map_err(|why| why.to_string())?,
            record_before: header.record_before.map(record).transpose()?,
        }))
    }

    /// Writes a trial down; on disk when this returns.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, trial: &Trial) -> io::Result<()> {
        let header = TrialHeader {
            format: FORMAT,
            boot: self.boot.clone(),
            generation: trial.generation,
            deadline_milliseconds: u64::try_from(trial.deadline.as_millis()).unwrap_or(u64::MAX),
            deadline_utc: trial.deadline_utc.clone(),
            record_before: trial.record_before.as_ref().map(Record::to_comment),
        };
        let mut lines = serde_json::to_vec(&header)?;
        lines.push(b'\n');
        serde_json::to_writer(&mut lines, &trial.before)?;
        lines.push(b'\n');
        replace_file(&self.path, &seal(lines))
    }

    /// The trial is over.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(&self) -> io::Result<()> {
        remove_file(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_found_in_its_boot_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TrialFile::new(folder.path(), "this boot").expect("/proc");
        assert_eq!(file.find().expect("readable"), None);
        let mut trial = Trial::new(7, Duration::from_secs(60), DirectorState::default(), None);
        trial.deadline =
            Duration::from_millis(u64::try_from(trial.deadline.as_millis()).expect("small"));
        file.write(&trial).expect("writable");
        assert_eq!(file.find().expect("readable"), Some(trial.clone()));
        assert!(trial.left().is_some_and(|left| left <= Duration::from_secs(60)));
        let rebooted = TrialFile::new(folder.path(), "another boot").expect("/proc");
        assert_eq!(rebooted.find().expect("readable"), None);
        file.remove().expect("removable");
        assert_eq!(file.find().expect("readable"), None);
    }

    #[test]
    fn a_trial_whose_time_is_over_has_nothing_left() {
        let trial = Trial::new(7, Duration::ZERO, DirectorState::default(), None);
        assert_eq!(trial.left(), None);
    }

    #[test]
    fn a_damaged_trial_is_an_error_that_names_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = TrialFile::new(folder.path(), "this boot").expect("/proc");
        std::fs::write(file.path(), "{}").expect("writable");
        let error = file.find().expect_err("damaged").to_string();
        assert!(error.contains("trial-"), "{error}");
    }
}
