//! The journal: which services are ours, beside the kernel's ledger.
//!
//! The ledger dies with our table, and `nft flush ruleset` is a common way to reload a
//! firewall. The journal in the run directory remembers which services a transaction is
//! about to make and which it made, for this boot and this network namespace, so that
//! they are known for ours when the ledger is gone, or was not yet written.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::state::ServiceKey;

const FORMAT: u32 = 1;

/// Someone who remembers whose services are ours.
pub trait Journal {
    /// The services that were made by us, or were about to be.
    fn services(&self) -> BTreeSet<ServiceKey>;

    /// Remembers `services` before the first of them is touched, and again when all is
    /// done.
    ///
    /// # Errors
    /// What the file system says.
    fn remember(&self, services: &BTreeSet<ServiceKey>) -> io::Result<()>;
}

/// A journal that remembers nothing: only the ledger counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn services(&self) -> BTreeSet<ServiceKey> {
        BTreeSet::new()
    }

    fn remember(&self, _: &BTreeSet<ServiceKey>) -> io::Result<()> {
        Ok(())
    }
}

/// The journal of this network namespace, in the run directory.
#[derive(Debug, Clone)]
pub struct RunJournal {
    path: PathBuf,
    boot: String,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    format: u32,
    boot: String,
    services: Vec<String>,
}

impl RunJournal {
    /// The journal in `run_dir` of the network namespace of this thread, which the
    /// kernel knows by an inode. `boot` is the boot in which it counts.
    ///
    /// # Errors
    /// Where `/proc` is not there.
    pub fn new(run_dir: &Path, boot: &str) -> io::Result<Self> {
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        let path = run_dir.join(format!("services-{namespace}.json"));
        Ok(Self { path, boot: boot.to_owned() })
    }

    fn read(&self) -> Option<BTreeSet<ServiceKey>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(BTreeSet::new()),
            Err(_) => return None,
        };
        let contents: Contents = serde_json::from_str(&text).ok()?;
        if contents.format != FORMAT {
            return None;
        }
        // Another boot: the services are gone, and who made new ones is not known.
        if contents.boot != self.boot {
            return Some(BTreeSet::new());
        }
        contents.services.iter().map(|key| key.parse().ok()).collect()
    }
}

impl Journal for RunJournal {
    fn services(&self) -> BTreeSet<ServiceKey> {
        self.read().unwrap_or_else(|| {
            tracing::warn!("the journal cannot be read and is not used: {}", self.path.display());
            BTreeSet::new()
        })
    }

    fn remember(&self, services: &BTreeSet<ServiceKey>) -> io::Result<()> {
        if services.is_empty() {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let services = services.iter().map(ToString::to_string).collect();
        let contents = Contents { format: FORMAT, boot: self.boot.clone(), services };
        replace_file(&self.path, &serde_json::to_vec_pretty(&contents)?)
    }
}

/// Replaces a file of ours at once: written beside it, synced, renamed. Its folder is
/// made when it is missing; both are ours alone to read.
///
/// # Errors
/// What the file system says, with the file's name; the file from before is then still
/// there.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let beside = path.with_extension("json.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&beside)?;
    file.write_all(bytes)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> BTreeSet<ServiceKey> {
        ["fwmark 10 ipv4", "fwmark 0x4c560001 ipv6", "tcp 192.0.2.1:80", "udp [2001:db8::1]:53"]
            .map(|key| key.parse().expect(key))
            .into()
    }

    #[test]
    fn services_come_back_in_the_same_boot_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("run");
        let journal = RunJournal::new(&run, "this boot").expect("/proc");
        assert!(journal.services().is_empty());
        journal.remember(&services()).expect("writable");
        assert_eq!(journal.services(), services());
        let later = RunJournal::new(&run, "another boot").expect("/proc");
        assert!(later.services().is_empty());
        journal.remember(&BTreeSet::new()).expect("writable");
        assert_eq!(fs::read_dir(&run).expect("readable").count(), 0, "nothing is left over");
    }

    #[test]
    fn a_damaged_journal_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = RunJournal::new(folder.path(), "b").expect("/proc");
        for text in [
            "",
            "{}",
            r#"{"format":2,"boot":"b","services":[]}"#,
            r#"{"format":1,"boot":"b","services":["fwmark 10 ipv4","fwmark 0 ipv4"]}"#,
        ] {
            fs::write(&journal.path, text).expect("writable");
            assert!(journal.services().is_empty(), "{text}");
        }
    }
}
