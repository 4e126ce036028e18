//! The journal: what a transaction is about to do, and which services are ours, beside
//! the kernel's ledger.
//!
//! The ledger dies with our table, and `nft flush ruleset` is a common way to reload a
//! firewall. So the run directory has three files for each network namespace: `services`,
//! which of them we made in this boot, `settings`, what those that we changed were before,
//! and `intent`, what the transaction that is under way leads from and to. An intent that is found with the lock in hand is of a process
//! that died.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{network_namespace, read_file, remove_file, replace_file, seal, unseal};
use super::intent::{Author, Ending, Intent, Purpose};
use crate::plan::Summary;
use crate::state::{
    DirectorState, Generation, Original, Originals, Ownership, Record, ServiceKey, SettingKey,
};

const FORMAT: u32 = 2;

/// The durable side of a transaction, in the order in which it is asked.
pub trait Journal {
    /// What was made or changed by us in this boot, or was about to be.
    fn owned(&self) -> Ownership;

    /// Remembers what is ours where no transaction is needed.
    ///
    /// # Errors
    /// What the file system says.
    fn remember(&self, owned: &Ownership) -> io::Result<()>;

    /// The lowest number that no generation has.
    fn next_generation(&self) -> u64;

    /// Whether what a reboot would bring back is what the transaction wants: when the
    /// kernel holds it too there is nothing to do.
    fn is_saved(&self) -> bool;

    /// Before the first write to the kernel: the generation and the intent are on disk
    /// when this returns, and `owned`, what will be ours until the end.
    ///
    /// # Errors
    /// What the file system says; then nothing is tried.
    fn begin(&self, intent: &Intent, owned: &Ownership) -> io::Result<()>;

    /// The way back begins: from now on recovery goes back, whatever the kernel says.
    ///
    /// # Errors
    /// What the file system says; the way back is tried all the same.
    fn abort(&self, intent: &Intent) -> io::Result<()>;

    /// The kernel holds the new state; from now on a reboot brings it back.
    ///
    /// # Errors
    /// What the file system says; then the transaction goes back.
    fn commit(&self, intent: &Intent) -> io::Result<()>;

    /// The transaction is over; `owned` is ours now.
    ///
    /// # Errors
    /// What the file system says. The next command then finds an intent, and nothing
    /// left to do for it.
    fn end(&self, intent: &Intent, ending: Ending, owned: &Ownership) -> io::Result<()>;
}

/// A journal that remembers nothing: only the ledger counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn owned(&self) -> Ownership {
        Ownership::default()
    }

    fn remember(&self, _: &Ownership) -> io::Result<()> {
        Ok(())
    }

    fn next_generation(&self) -> u64 {
        1
    }

    fn is_saved(&self) -> bool {
        true
    }

    fn begin(&self, _: &Intent, _: &Ownership) -> io::Result<()> {
        Ok(())
    }

    fn abort(&self, _: &Intent) -> io::Result<()> {
        Ok(())
    }

    fn commit(&self, _: &Intent) -> io::Result<()> {
        Ok(())
    }

    fn end(&self, _: &Intent, _: Ending, _: &Ownership) -> io::Result<()> {
        Ok(())
    }
}

/// What was found where an interrupted transaction leaves its intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the last transaction ended.
    Nothing,
    /// The intent of a transaction that was interrupted.
    Interrupted(Box<Intent>),
    /// Something that cannot be the intent of this boot and namespace, with what it is.
    Useless(Useless),
}

/// Why an intent is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Useless {
    /// The machine was booted since; the kernel that it speaks of is gone.
    #[error("it is of an earlier boot, whose kernel state is gone")]
    OtherBoot,
    /// Another network namespace.
    #[error("it is of another network namespace")]
    OtherNamespace,
    /// It is damaged, or somebody else's.
    #[error("it cannot be trusted: {0}")]
    Damaged(String),
}

/// The journal's files of one network namespace, in the run directory.
#[derive(Debug, Clone)]
pub struct RunJournal {
    services: PathBuf,
    settings: PathBuf,
    intent: PathBuf,
    boot: String,
    namespace: u64,
}

#[derive(Serialize, Deserialize)]
struct ServicesFile {
    format: u32,
    boot: String,
    services: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SettingsFile {
    format: u32,
    boot: String,
    originals: BTreeMap<String, Original>,
}

/// A file that says what is so in one boot.
trait OfBoot: DeserializeOwned + Serialize {
    fn format_and_boot(&self) -> (u32, &str);

    /// Reads a line; the error is a sentence.
    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// Writes a line.
    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl OfBoot for ServicesFile {
    fn format_and_boot(&self) -> (u32, &str) {
        (self.format, &self.boot)
    }
}

/// With a checksum: what it says is written into the kernel one day.
impl OfBoot for SettingsFile {
    fn format_and_boot(&self) -> (u32, &str) {
        (self.format, &self.boot)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let line = unseal(bytes).map_err(|why| why.to_string())?;
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(seal(bytes))
    }
}

/// The first line of an intent; the states before and after are two more.
#[derive(Serialize, Deserialize)]
struct IntentHeader {
    format: u32,
    boot: String,
    namespace: u64,
    backend: String,
    purpose: Purpose,
    author: Author,
    began_at: u32,
    record_before: Option<String>,
    record: String,
    aborting: bool,
    summary: Summary,
}

impl RunJournal {
    /// The journal in `run_dir` of the network namespace of this thread. `boot` is the
    /// boot in which it counts.
    ///
    /// # Errors
    /// Where `/proc` is not there.
    pub fn new(run_dir: &Path, boot: &str) -> io::Result<Self> {
        let namespace = network_namespace()?;
        Ok(Self {
            services: run_dir.join(format!("services-{namespace}.json")),
            settings: run_dir.join(format!("settings-{namespace}.json")),
            intent: run_dir.join(format!("intent-{namespace}.jsonl")),
            boot: boot.to_owned(),
            namespace,
        })
    }

    /// What was made or changed by us in this boot.
    pub fn owned(&self) -> Ownership {
        let services = self.read(&self.services, |contents: ServicesFile| {
            let keys = contents.services.iter();
            keys.map(|key| key.parse().map_err(|_| format!("'{key}' is no service"))).collect()
        });
        Ownership { services, originals: self.originals() }
    }

    fn originals(&self) -> Originals {
        self.read(&self.settings, |contents: SettingsFile| {
            let rows = contents.originals.into_iter();
            rows.map(|(key, original)| {
                let key = key.parse().map_err(|_| format!("'{key}' is no setting"))?;
                Ok((key, original))
            })
            .collect()
        })
    }

    /// What one of the files says; nothing, and a warning, where it makes no sense.
    fn read<F: OfBoot, T: Default>(
        &self,
        path: &Path,
        parse: impl Fn(F) -> Result<T, String>,
    ) -> T {
        let read = || {
            let bytes = read_file(path).map_err(|error| error.to_string())?;
            let Some(bytes) = bytes else { return Ok(T::default()) };
            let contents = F::from_bytes(&bytes)?;
            match contents.format_and_boot() {
                (FORMAT, boot) if boot == self.boot => parse(contents),
                // Another boot: all is gone, and who made what there is now is not known.
                (FORMAT, _) => Ok(T::default()),
                (format, _) => Err(format!("its format is {format}, not {FORMAT}")),
            }
        };
        read().unwrap_or_else(|why| {
            tracing::warn!("{} is not used: {why}", path.display());
            T::default()
        })
    }

    /// Remembers what is ours.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remember(&self, owned: &Ownership) -> io::Result<()> {
        self.remember_originals(&owned.originals)?;
        self.remember_services(&owned.services)
    }

    pub(super) fn remember_services(&self, services: &BTreeSet<ServiceKey>) -> io::Result<()> {
        if services.is_empty() {
            return remove_file(&self.services);
        }
        let services = services.iter().map(ToString::to_string).collect();
        let contents = ServicesFile { format: FORMAT, boot: self.boot.clone(), services };
        replace_file(&self.services, &contents.to_bytes()?)
    }

    /// Most often there is nothing new to write.
    pub(super) fn remember_originals(&self, originals: &Originals) -> io::Result<()> {
        if originals.is_empty() {
            return remove_file(&self.settings);
        }
        if self.originals() == *originals {
            return Ok(());
        }
        let row = |(key, original): (&SettingKey, &Original)| (key.to_string(), original.clone());
        let originals = originals.iter().map(row).collect();
        let contents = SettingsFile { format: FORMAT, boot: self.boot.clone(), originals };
        replace_file(&self.settings, &contents.to_bytes()?)
    }

    /// Writes the intent; it is on disk when this returns.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, intent: &Intent) -> io::Result<()> {
        let before = serde_json::to_vec(&intent.before)?;
        self.write_with(intent, &before, &serde_json::to_vec(&intent.after)?)
    }

    /// The same where the states are on paper already: those of ten thousand groups take
    /// a tenth of a second each to write.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write_with(
        &self,
        intent: &Intent,
        before: &[u8],
        after: &[u8],
    ) -> io::Result<()> {
        let header = IntentHeader {
            format: FORMAT,
            boot: self.boot.clone(),
            namespace: self.namespace,
            backend: "nftables".to_owned(),
            purpose: intent.purpose,
            author: intent.author.clone(),
            began_at: intent.began_at.0,
            record_before: intent.record_before.as_ref().map(Record::to_comment),
            record: intent.record.to_comment(),
            aborting: intent.aborting,
            summary: intent.summary,
        };
        let mut lines = serde_json::to_vec(&header)?;
        for state in [before, after] {
            lines.push(b'\n');
            lines.extend_from_slice(state);
        }
        lines.push(b'\n');
        replace_file(&self.intent, &seal(lines))
    }

    /// Removes the intent: the transaction is over.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove(&self) -> io::Result<()> {
        remove_file(&self.intent)
    }

    /// Puts an intent that is of no use out of the way, to be looked at; the answer is
    /// where it is now.
    ///
    /// # Errors
    /// What the file system says.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.intent.with_extension("useless");
        std::fs::rename(&self.intent, &aside)?;
        Ok(aside)
    }

    /// What an interrupted transaction left.
    ///
    /// # Errors
    /// What the file system says.
    pub fn find(&self) -> io::Result<Found> {
        let Some(bytes) = read_file(&self.intent)? else { return Ok(Found::Nothing) };
        Ok(match self.parse(&bytes) {
            Ok(intent) => Found::Interrupted(Box::new(intent)),
            Err(why) => Found::Useless(why),
        })
    }

    fn parse(&self, bytes: &[u8]) -> Result<Intent, Useless> {
        let damaged = |why: &dyn ToString| Useless::Damaged(why.to_string());
        let text = std::str::from_utf8(unseal(bytes).map_err(|why| damaged(&why))?)
            .map_err(|why| damaged(&why))?;
        let lines: Vec<_> = text.lines().collect();
        let [header, before, after] = lines.as_slice() else {
            return Err(damaged(&"it has another number of lines"));
        };
        let header: IntentHeader = serde_json::from_str(header).map_err(|why| damaged(&why))?;
        if header.format != FORMAT {
            return Err(damaged(&format!("its format is {}, not {FORMAT}", header.format)));
        }
        if header.boot != self.boot {
            return Err(Useless::OtherBoot);
        }
        if header.namespace != self.namespace {
            return Err(Useless::OtherNamespace);
        }
        let state = |line: &str| -> Result<DirectorState, Useless> {
            serde_json::from_str(line).map_err(|why| damaged(&why))
        };
        let record = |comment: &str| {
            Record::from_comment(comment).ok_or_else(|| damaged(&"it has no commit record"))
        };
        Ok(Intent {
            purpose: header.purpose,
            author: header.author,
            began_at: Generation(header.began_at),
            before: state(before)?,
            record_before: header.record_before.as_deref().map(record).transpose()?,
            after: state(after)?,
            record: record(&header.record)?,
            aborting: header.aborting,
            summary: header.summary,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::state::{Fingerprint, TransactionId};

    fn services() -> BTreeSet<ServiceKey> {
        ["fwmark 10 ipv4", "fwmark 0x4c560001 ipv6", "tcp 192.0.2.1:80", "udp [2001:db8::1]:53"]
            .map(|key| key.parse().expect(key))
            .into()
    }

    fn owned() -> Ownership {
        let original = |(key, value): (&str, Option<&str>)| {
            (key.parse().expect(key), Original::Was(value.map(str::to_owned)))
        };
        let originals =
            [("sysctl net.ipv4.ip_forward", Some("0")), ("address 192.0.2.1 on eth0", None)];
        Ownership { services: services(), originals: originals.map(original).into() }
    }

    fn intent() -> Intent {
        let after: DirectorState = serde_json::from_str(
            r#"{"marking":[],"services":[{"key":"fwmark 10 ipv4","scheduler":"rr","netmask":4294967295,"real":[]}]}"#,
        )
        .expect("a state");
        let record = Record {
            generation: 7,
            transaction: TransactionId(7),
            boot: "this-boot".to_owned(),
            state: Fingerprint::of_state(&after),
        };
        Intent {
            purpose: Purpose::Rollback(3),
            author: Author { user: "root".to_owned(), host: "lb1".to_owned(), process: 1 },
            began_at: Generation(12),
            before: DirectorState::default(),
            record_before: None,
            after,
            record,
            aborting: false,
            summary: Summary { add: 1, change: 0, remove: 0 },
        }
    }

    #[test]
    fn services_come_back_in_the_same_boot_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path().join("run");
        let journal = RunJournal::new(&run, "this boot").expect("/proc");
        assert!(journal.owned().services.is_empty());
        journal.remember(&owned()).expect("writable");
        assert_eq!(journal.owned(), owned());
        let later = RunJournal::new(&run, "another boot").expect("/proc");
        assert_eq!(later.owned(), Ownership::default());
        journal.remember(&Ownership::default()).expect("writable");
        assert_eq!(fs::read_dir(&run).expect("readable").count(), 0, "nothing is left over");
    }

    #[test]
    fn a_damaged_list_of_services_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = RunJournal::new(folder.path(), "b").expect("/proc");
        for text in [
            "",
            "{}",
            r#"{"format":1,"boot":"b","services":[]}"#,
            r#"{"format":2,"boot":"b","services":["fwmark 10 ipv4","fwmark 0 ipv4"]}"#,
        ] {
            fs::write(&journal.services, text).expect("writable");
            assert!(journal.owned().services.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_damaged_list_of_settings_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = RunJournal::new(folder.path(), "b").expect("/proc");
        journal.remember(&owned()).expect("writable");
        let whole = fs::read(&journal.settings).expect("readable");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&journal.settings, damaged).expect("writable");
            assert!(journal.owned().originals.is_empty(), "{at}");
        }
    }

    #[test]
    fn an_intent_is_found_until_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = RunJournal::new(folder.path(), "this boot").expect("/proc");
        assert_eq!(journal.find().expect("readable"), Found::Nothing);
        journal.write(&intent()).expect("writable");
        assert_eq!(journal.find().expect("readable"), Found::Interrupted(Box::new(intent())));
        journal.remove().expect("removable");
        assert_eq!(journal.find().expect("readable"), Found::Nothing);
    }

    #[test]
    fn an_intent_of_another_boot_or_namespace_is_recognised() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = RunJournal::new(folder.path(), "this boot").expect("/proc");
        journal.write(&intent()).expect("writable");
        let rebooted = RunJournal { boot: "another".to_owned(), ..journal.clone() };
        assert_eq!(rebooted.find().expect("readable"), Found::Useless(Useless::OtherBoot));
        let elsewhere = RunJournal { namespace: 1, ..journal };
        assert_eq!(elsewhere.find().expect("readable"), Found::Useless(Useless::OtherNamespace));
    }

    #[test]
    fn a_torn_or_changed_intent_is_recognised_and_set_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let journal = RunJournal::new(folder.path(), "this boot").expect("/proc");
        journal.write(&intent()).expect("writable");
        let whole = fs::read(&journal.intent).expect("readable");
        for length in 0..whole.len() {
            fs::write(&journal.intent, &whole[..length]).expect("writable");
            let found = journal.find().expect("readable");
            assert!(matches!(found, Found::Useless(Useless::Damaged(_))), "{length}: {found:?}");
        }
        let aside = journal.set_aside().expect("renamed");
        assert!(aside.exists());
        assert_eq!(journal.find().expect("readable"), Found::Nothing);
    }
}
