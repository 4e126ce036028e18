//! What was done on this machine, on disk: `realserver.json` in the state directory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::RealServerError;
use super::setting::Setting;
use crate::transaction::{network_namespace, read_file, remove_file, replace_file, seal, unseal};

/// Something that was done, and what was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// What was made so.
    pub setting: Setting,
    /// The value of a kernel parameter before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<u32>,
}

/// Why a record that was found says nothing of this kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Useless {
    /// The machine was booted since.
    OtherBoot,
    /// It is of another network namespace, or of one that had this one's place.
    OtherNamespace,
}

impl std::fmt::Display for Useless {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::OtherBoot => "of an earlier boot",
            Self::OtherNamespace => "of another network namespace",
        })
    }
}

/// All that was done, in the order in which it is made.
pub(super) type Deeds = BTreeMap<Setting, Option<u32>>;

/// The deeds of a map, first to last.
pub(super) fn deeds(of: &Deeds) -> impl DoubleEndedIterator<Item = Deed> {
    of.iter().map(|(setting, previous)| Deed { setting: *setting, previous: *previous })
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    boot: String,
    namespace: u64,
    done: Vec<Deed>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    /// What was done in this boot and namespace.
    pub(super) deeds: Deeds,
    /// Whether there is a file that says nothing of this kernel, and why.
    pub(super) useless: Option<Useless>,
}

/// The file, for one boot and network namespace.
#[derive(Debug, Clone)]
pub(super) struct RecordFile {
    path: PathBuf,
    boot: String,
    namespace: u64,
}

impl RecordFile {
    pub(super) fn new(state_dir: &Path, boot: &str) -> io::Result<Self> {
        let path = state_dir.join("realserver.json");
        Ok(Self { path, boot: boot.to_owned(), namespace: network_namespace()? })
    }

    /// Reads it. After another boot nothing of what it says is in the kernel: addresses,
    /// links and parameters go with it, and what is there now somebody else has put there.
    pub(super) fn read(&self) -> Result<Found, RealServerError> {
        let bytes = match read_file(&self.path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Found::default()),
            Err(source) => return Err(RealServerError::Record { action: "read", source }),
        };
        let written = parse(&bytes)
            .map_err(|why| RealServerError::Damaged { path: self.path.clone(), why })?;
        let useless = if written.boot != self.boot {
            Some(Useless::OtherBoot)
        } else if written.namespace != self.namespace {
            Some(Useless::OtherNamespace)
        } else {
            None
        };
        let done = if useless.is_none() { written.done } else { Vec::new() };
        let deeds = done.into_iter().map(|deed| (deed.setting, deed.previous)).collect();
        Ok(Found { deeds, useless })
    }

    /// Replaces it, at once; without deeds there is none.
    pub(super) fn write(&self, done: &Deeds) -> Result<(), RealServerError> {
        let failed = |action| move |source| RealServerError::Record { action, source };
        if done.is_empty() {
            return remove_file(&self.path).map_err(failed("remove"));
        }
        let (boot, namespace) = (self.boot.clone(), self.namespace);
        let written = Written { format: 1, boot, namespace, done: deeds(done).collect() };
        let mut bytes = serde_json::to_vec(&written)
            .map_err(|error| RealServerError::Record { action: "write", source: error.into() })?;
        bytes.push(b'\n');
        replace_file(&self.path, &seal(bytes)).map_err(failed("write"))
    }
}

fn parse(bytes: &[u8]) -> Result<Written, String> {
    let lines = unseal(bytes).map_err(|why| why.to_string())?;
    let written: Written = serde_json::from_slice(lines).map_err(|error| error.to_string())?;
    match written.format {
        1 => Ok(written),
        other => Err(format!("it is of format {other}, which a later fwmarkctl wrote")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real_server::setting::Device;

    fn some() -> Deeds {
        let address = "172.18.100.7".parse().expect("one");
        [(Setting::Address { address, device: Device::Lo }, None)].into()
    }

    #[test]
    fn what_was_done_is_known_in_the_same_boot_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |boot| RecordFile::new(folder.path(), boot).expect("a namespace");
        assert_eq!(file("one").read().expect("nothing"), Found::default());
        file("one").write(&some()).expect("writable");
        assert_eq!(file("one").read().expect("ours").deeds, some());
        let other = file("two").read().expect("another's");
        assert_eq!((other.deeds.len(), other.useless), (0, Some(Useless::OtherBoot)));
        let elsewhere = RecordFile { namespace: 1, ..file("one") };
        let found = elsewhere.read().expect("another's");
        assert_eq!((found.deeds.len(), found.useless), (0, Some(Useless::OtherNamespace)));
        file("one").write(&Deeds::new()).expect("removable");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn a_damaged_record_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = RecordFile::new(folder.path(), "one").expect("a namespace");
        file.write(&some()).expect("writable");
        let whole = std::fs::read(&file.path).expect("readable");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&file.path, damaged).expect("writable");
            assert!(matches!(file.read(), Err(RealServerError::Damaged { .. })), "{at}");
        }
    }
}
