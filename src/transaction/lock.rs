//! One writer at a time in a network namespace.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// The lock of a network namespace. It dies with its holder, however that ends; its file
/// is never removed, for a lock on a removed file locks nobody out.
#[derive(Debug)]
pub struct Lock {
    /// Open for as long as the lock is held.
    _file: File,
}

/// Why the lock is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("another fwmarkctl is at work in this network namespace: {0}")]
    Held(String),
    /// The lock's file cannot be used.
    #[error("cannot lock {}", .0.display())]
    File(PathBuf, #[source] io::Error),
}

impl Lock {
    /// Takes the lock of this thread's network namespace, whose file is in `run_dir`.
    /// When somebody has it, `wait` is asked, with what the holder said of itself,
    /// whether to wait.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(run_dir: &Path, wait: impl FnOnce(&str) -> bool) -> Result<Self, LockError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| LockError::File(path, error)
        };
        let namespace = Path::new("/proc/thread-self/ns/net");
        let number = fs::metadata(namespace).map_err(file(namespace))?.ino();
        let path = run_dir.join(format!("lock-{number}"));
        let failed = file(&path);
        Self::open(run_dir, &path, wait).map_err(|error| match error {
            Failure::Held(holder) => LockError::Held(holder),
            Failure::File(error) => failed(error),
        })
    }

    fn open(run_dir: &Path, path: &Path, wait: impl FnOnce(&str) -> bool) -> Result<Self, Failure> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(run_dir)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                let holder = holder.trim().to_owned();
                if !wait(&holder) {
                    return Err(Failure::Held(holder));
                }
                rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
                    .map_err(io::Error::from)?;
            }
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "process {}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

enum Failure {
    Held(String),
    File(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first_and_gets_its_turn() {
        let folder = tempfile::tempdir().expect("a folder");
        let never = |_: &str| false;
        let first = Lock::take(folder.path(), never).expect("free");
        match Lock::take(folder.path(), never) {
            Err(LockError::Held(holder)) => {
                assert_eq!(holder, format!("process {}", std::process::id()));
            }
            other => panic!("{other:?}"),
        }
        let (asked, question) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| Lock::take(folder.path(), |_| asked.send(()).is_ok()));
            question.recv().expect("the second asks");
            drop(first);
            assert!(second.join().expect("no panic").is_ok());
        });
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Lock::take(Path::new("/proc/none"), |_| false).expect_err("no folder");
        assert!(error.to_string().contains("/proc/none/lock-"), "{error}");
    }
}
