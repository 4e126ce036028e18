//! The head: which generation a reboot brings back.
//!
//! One file of two slots that are written in turn, each with a sequence number and a
//! checksum. A write needs no space, for the file has its size from the beginning; and
//! a torn one damages the older slot only, so that the newer still counts.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::super::files::{fail_point, named, private, replace_file};

/// A sector of the oldest disks: written whole or not at all.
const SLOT: usize = 512;

/// The head's file.
#[derive(Debug, Clone)]
pub(super) struct HeadFile {
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    sequence: u64,
    generation: u64,
}

impl HeadFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join("head") }
    }

    /// The generation that counts; none before the first.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn generation(&self) -> io::Result<Option<u64>> {
        Ok(newest(self.slots()?).map(|slot| slot.generation))
    }

    /// Every generation that a slot names: what must not be removed.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn named(&self) -> io::Result<Vec<u64>> {
        Ok(self.slots()?.into_iter().flatten().map(|slot| slot.generation).collect())
    }

    /// Makes room for the slots, so that a later write needs none.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn prepare(&self) -> io::Result<()> {
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() == 2 * SLOT as u64 => Ok(()),
            Ok(_) => replace_file(&self.path, &[b'\n'; 2 * SLOT]),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                replace_file(&self.path, &[b'\n'; 2 * SLOT])
            }
            Err(error) => Err(error),
        }
    }

    /// From now on `generation` counts; on disk when this returns.
    ///
    /// # Errors
    /// What the file system says. A failed sync is not tried again: nobody knows then
    /// what is on disk.
    pub(super) fn set(&self, generation: u64) -> io::Result<()> {
        let slots = self.slots()?;
        let sequence = newest(slots).map_or(1, |slot| slot.sequence + 1);
        // The other one than the newest.
        let at = match (slots, newest(slots)) {
            ([Some(first), _], Some(newest)) if first == newest => 1,
            _ => 0,
        };
        let bytes = Slot { sequence, generation }.to_bytes();
        let write = || -> io::Result<()> {
            let file = private().write(true).open(&self.path)?;
            file.write_all_at(&bytes, at * SLOT as u64)?;
            fail_point();
            file.sync_data()
        };
        write().map_err(|error| named(&self.path, &error))
    }

    fn slots(&self) -> io::Result<[Option<Slot>; 2]> {
        self.read_slots().map_err(|error| named(&self.path, &error))
    }

    fn read_slots(&self) -> io::Result<[Option<Slot>; 2]> {
        let file: File = match private().read(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok([None; 2]),
            Err(error) => return Err(error),
        };
        let slot = |at: u64| -> io::Result<Option<Slot>> {
            let mut bytes = [0; SLOT];
            match file.read_exact_at(&mut bytes, at * SLOT as u64) {
                Ok(()) => Ok(Slot::from_bytes(&bytes)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
            }
        };
        Ok([slot(0)?, slot(1)?])
    }
}

fn newest(slots: [Option<Slot>; 2]) -> Option<Slot> {
    slots.into_iter().flatten().max_by_key(|slot| slot.sequence)
}

impl Slot {
    fn to_bytes(self) -> [u8; SLOT] {
        let text = format!("fwmarkctl head {} generation {} ", self.sequence, self.generation);
        let line = format!("{text}{:016x}\n", xxh3_64(text.as_bytes()));
        let mut bytes = [b'\n'; SLOT];
        bytes[..line.len()].copy_from_slice(line.as_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; SLOT]) -> Option<Self> {
        let line = std::str::from_utf8(bytes).ok()?.lines().next()?;
        let (text, checksum) = line.split_at_checked(line.len().checked_sub(16)?)?;
        if u64::from_str_radix(checksum, 16).ok()? != xxh3_64(text.as_bytes()) {
            return None;
        }
        let words: Vec<_> = text.split_whitespace().collect();
        let ["fwmarkctl", "head", sequence, "generation", generation] = words.as_slice() else {
            return None;
        };
        Some(Self { sequence: sequence.parse().ok()?, generation: generation.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_generation_that_was_set_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = HeadFile::new(folder.path());
        assert_eq!(head.generation().expect("readable"), None);
        head.prepare().expect("writable");
        assert_eq!(head.generation().expect("readable"), None);
        for generation in [1, 2, 3, 9, 4] {
            head.set(generation).expect("writable");
            head.prepare().expect("there already");
            assert_eq!(head.generation().expect("readable"), Some(generation));
        }
        assert_eq!(head.named().expect("readable"), [4, 9]);
    }

    #[test]
    fn a_torn_write_leaves_the_generation_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let head = HeadFile::new(folder.path());
        head.prepare().expect("writable");
        head.set(1).expect("writable");
        head.set(2).expect("writable");
        let before = fs::read(&head.path).expect("readable");
        head.set(3).expect("writable");
        let after = fs::read(&head.path).expect("readable");
        for torn in 0..before.len() {
            // The disk wrote the bytes up to `torn`, or from it on.
            for (first, second) in [(&after, &before), (&before, &after)] {
                let bytes = [&first[..torn], &second[torn..]].concat();
                fs::write(&head.path, &bytes).expect("writable");
                let found = head.generation().expect("readable");
                let whole = bytes == after;
                assert_eq!(found, Some(if whole { 3 } else { 2 }), "{torn}");
            }
        }
    }
}
