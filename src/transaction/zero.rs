//! What `zero` remembers: what each entry had counted by then.
//!
//! The kernel cannot set the counter of an element to zero without making the element
//! anew (Linux 6.5 and later can, by `NFT_MSG_GETSETELEM_RESET`), and an entry that is
//! made anew is a moment without a mark. So a file in the run directory has the counts of
//! that moment, and whoever shows counts takes them away. An entry that a transaction
//! removes or changes begins at 0 by itself: it is forgotten here.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{network_namespace, read_file, remove_file, replace_file, seal, unseal};
use crate::backend::{Count, MarkCounts};
use crate::model::{PortRange, Prefix, Protocol};
use crate::plan::{FrameChange, MarkSwitch};
use crate::state::MarkKey;

const FORMAT: u32 = 1;

/// The file of one network namespace.
#[derive(Debug, Clone)]
pub struct ZeroFile {
    path: PathBuf,
    boot: String,
}

#[derive(Serialize, Deserialize)]
struct Contents {
    format: u32,
    boot: String,
    counts: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    to: Prefix,
    protocol: String,
    ports: String,
    packets: u64,
    bytes: u64,
}

impl ZeroFile {
    /// The file in `run_dir` of the network namespace of this thread. `boot` is the boot
    /// in which it counts.
    ///
    /// # Errors
    /// Where `/proc` is not there.
    pub fn new(run_dir: &Path, boot: &str) -> io::Result<Self> {
        let path = run_dir.join(format!("zero-{}.json", network_namespace()?));
        Ok(Self { path, boot: boot.to_owned() })
    }

    /// What the entries had counted at the last `zero`. A file that cannot be used means
    /// that there was none: counts are then those of the kernel.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(&self) -> io::Result<MarkCounts> {
        let Some(bytes) = read_file(&self.path)? else { return Ok(MarkCounts::new()) };
        Ok(self.parse(&bytes).unwrap_or_else(|why| {
            tracing::warn!("{} is not used: {why}", self.path.display());
            MarkCounts::new()
        }))
    }

    fn parse(&self, bytes: &[u8]) -> Result<MarkCounts, String> {
        let lines = unseal(bytes).map_err(|why| why.to_string())?;
        let contents: Contents = serde_json::from_slice(lines).map_err(|why| why.to_string())?;
        if contents.format != FORMAT {
            return Err(format!("its format is {}, not {FORMAT}", contents.format));
        }
        // What was counted in another boot is gone.
        if contents.boot != self.boot {
            return Ok(MarkCounts::new());
        }
        contents.counts.into_iter().map(Row::read).collect()
    }

    /// Replaces what is remembered.
    ///
    /// # Errors
    /// What the file system says; then the file from before is still there.
    pub fn write(&self, counts: &MarkCounts) -> io::Result<()> {
        if counts.is_empty() {
            return remove_file(&self.path);
        }
        let counts = counts.iter().map(|(key, count)| Row::new(key, *count)).collect();
        let contents = Contents { format: FORMAT, boot: self.boot.clone(), counts };
        let mut lines = serde_json::to_vec(&contents)?;
        lines.push(b'\n');
        replace_file(&self.path, &seal(lines))
    }

    /// Forgets the entries that a switch removed, changed or made anew.
    ///
    /// # Errors
    /// What the file system says.
    pub fn forget(&self, switch: &MarkSwitch) -> io::Result<()> {
        if switch.is_empty() {
            return Ok(());
        }
        let remembered = self.read()?;
        if remembered.is_empty() {
            return Ok(());
        }
        let mut kept = remembered.clone();
        match switch.frame {
            FrameChange::Keep | FrameChange::RewriteRules => {
                for change in &switch.entries {
                    kept.remove(&change.key);
                }
            }
            FrameChange::Create | FrameChange::Rebuild | FrameChange::Remove => kept.clear(),
        }
        if kept.len() == remembered.len() { Ok(()) } else { self.write(&kept) }
    }
}

impl Row {
    fn new(key: &MarkKey, count: Count) -> Self {
        Self {
            to: key.destination,
            protocol: key.protocol.to_string(),
            ports: key.ports.to_string(),
            packets: count.packets,
            bytes: count.bytes,
        }
    }

    fn read(self) -> Result<(MarkKey, Count), String> {
        let protocol: Protocol = self.protocol.parse().map_err(|why| format!("{why}"))?;
        let ports: PortRange = self.ports.parse().map_err(|why| format!("{why}"))?;
        let key = MarkKey { destination: self.to, protocol, ports };
        Ok((key, Count { packets: self.packets, bytes: self.bytes }))
    }
}

/// What was counted since `zero`. A count below the one that is remembered is of an entry
/// that was made anew, by somebody else: it is whole.
pub fn since_zero(count: Count, zero: Option<&Count>) -> Count {
    let since = zero.and_then(|zero| {
        Some(Count {
            packets: count.packets.checked_sub(zero.packets)?,
            bytes: count.bytes.checked_sub(zero.bytes)?,
        })
    });
    since.unwrap_or(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::EntryChange;
    use crate::state::MarkEntry;

    fn key(destination: &str, ports: PortRange) -> MarkKey {
        let destination = destination.parse().expect(destination);
        MarkKey { destination, protocol: Protocol::Tcp, ports }
    }

    fn counts() -> MarkCounts {
        let range = PortRange::new(8000, 8100).expect("ports");
        let count = |packets| Count { packets, bytes: packets * 60 };
        [
            (key("192.0.2.1", PortRange::single(80).expect("a port")), count(1)),
            (key("192.0.2.1", PortRange::ANY), count(2)),
            (key("2001:db8::/64", range), count(u64::MAX / 60)),
        ]
        .into()
    }

    fn file(folder: &Path) -> ZeroFile {
        ZeroFile::new(folder, "this boot").expect("/proc")
    }

    #[test]
    fn counts_come_back_in_the_same_boot_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        assert_eq!(file.read().expect("readable"), MarkCounts::new());
        file.write(&counts()).expect("writable");
        assert_eq!(file.read().expect("readable"), counts());
        let later = ZeroFile::new(folder.path(), "another boot").expect("/proc");
        assert_eq!(later.read().expect("readable"), MarkCounts::new());
        file.write(&MarkCounts::new()).expect("writable");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_damaged_file_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        file.write(&counts()).expect("writable");
        let whole = std::fs::read_to_string(&file.path).expect("readable");
        let [format, port] = [("\"format\":1", "\"format\":2"), ("8000-8100", "8100-8000")]
            .map(|(from, to)| whole.lines().next().expect("a line").replace(from, to) + "\n")
            .map(|line| seal(line.into_bytes()));
        for bytes in [whole.as_bytes()[..whole.len() - 1].to_vec(), format, port] {
            std::fs::write(&file.path, bytes).expect("writable");
            assert_eq!(file.read().expect("readable"), MarkCounts::new());
        }
    }

    #[test]
    fn what_a_switch_makes_anew_is_forgotten_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(folder.path());
        let gone = key("192.0.2.1", PortRange::ANY);
        let entry = MarkEntry { mark: None, group: None };
        let change = EntryChange { key: gone, before: Some(entry), after: None };
        let switch =
            |frame| MarkSwitch { frame, entries: vec![change.clone()], ..MarkSwitch::default() };
        file.write(&counts()).expect("writable");
        file.forget(&MarkSwitch::default()).expect("writable");
        assert_eq!(file.read().expect("readable"), counts());
        file.forget(&switch(FrameChange::RewriteRules)).expect("writable");
        let mut kept = counts();
        kept.remove(&gone);
        assert_eq!(file.read().expect("readable"), kept);
        for frame in [FrameChange::Create, FrameChange::Rebuild, FrameChange::Remove] {
            file.write(&counts()).expect("writable");
            file.forget(&switch(frame)).expect("writable");
            assert_eq!(file.read().expect("readable"), MarkCounts::new());
        }
    }

    #[test]
    fn a_count_below_the_one_remembered_is_whole() {
        let count = |packets, bytes| Count { packets, bytes };
        assert_eq!(since_zero(count(5, 300), Some(&count(3, 180))), count(2, 120));
        assert_eq!(since_zero(count(3, 180), Some(&count(3, 180))), count(0, 0));
        assert_eq!(since_zero(count(2, 120), Some(&count(3, 180))), count(2, 120));
        assert_eq!(since_zero(count(2, 120), None), count(2, 120));
    }
}
