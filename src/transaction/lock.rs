//! One writer at a time in a network namespace.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::files::{make_folder, network_namespace, private};

/// The lock of a network namespace and of a state directory. It dies with its holder,
/// however that ends; its files are never removed, for a lock on a removed file locks
/// nobody out.
#[derive(Debug)]
pub struct Lock {
    /// Open for as long as the lock is held.
    _files: [File; 2],
}

/// Why the lock is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("another fwmarkctl is at work here: {0}")]
    Held(String),
    /// The lock's file cannot be used.
    #[error("cannot lock {}", .0.display())]
    File(PathBuf, #[source] io::Error),
}

impl Lock {
    /// Takes the lock of this thread's network namespace, whose file is in `run_dir`, and
    /// then that of `state_dir`. When somebody has one of them, `wait` is asked, with what
    /// the holder said of itself, whether to wait. `holder` is what others will be told.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(
        run_dir: &Path,
        state_dir: &Path,
        holder: &str,
        mut wait: impl FnMut(&str) -> bool,
    ) -> Result<Self, LockError> {
        let namespace = network_namespace()
            .map_err(|error| LockError::File(PathBuf::from("/proc/thread-self/ns/net"), error))?;
        let mut take = |path: PathBuf| {
            Self::open(&path, holder, &mut wait).map_err(|error| match error {
                Failure::Held(holder) => LockError::Held(holder),
                Failure::File(error) => LockError::File(path, error),
            })
        };
        let of_namespace = take(run_dir.join(format!("lock-{namespace}")))?;
        Ok(Self { _files: [of_namespace, take(state_dir.join("lock"))?] })
    }

    fn open(
        path: &Path,
        holder: &str,
        wait: &mut impl FnMut(&str) -> bool,
    ) -> Result<File, Failure> {
        make_folder(path.parent().unwrap_or(Path::new("/")))?;
        let mut file = private().read(true).write(true).create(true).truncate(false).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut by = String::new();
                file.read_to_string(&mut by)?;
                let by = by.trim().to_owned();
                if !wait(&by) {
                    return Err(Failure::Held(by));
                }
                rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))
                    .map_err(io::Error::from)?;
            }
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        // On a full disk the lock is held all the same, by one who is not known by name.
        let name = format!("process {} ({holder})\n", std::process::id());
        let told = file
            .rewind()
            .and_then(|()| file.write_all(name.as_bytes()))
            .and_then(|()| file.set_len(name.len() as u64));
        if let Err(error) = told {
            tracing::debug!("{} does not say who holds it: {error}", path.display());
        }
        Ok(file)
    }
}

/// The lock of who replaces a file that somebody wrote: of its folder, for the file itself
/// is another one afterwards. It needs no more than the right to write there.
#[derive(Debug)]
pub struct FileLock {
    /// Open for as long as the lock is held.
    _folder: File,
}

impl FileLock {
    /// Takes the lock for a file. When somebody has it, `wait` is asked whether to wait. The
    /// folder is made when it is missing.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(path: &Path, wait: impl FnOnce() -> bool) -> Result<Self, LockError> {
        let path = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        let path = path.map_err(|error| LockError::File(PathBuf::from("."), error))?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        let failed = |error| LockError::File(folder.to_owned(), error);
        make_folder(folder).map_err(failed)?;
        let open = File::open(folder).map_err(failed)?;
        match flock(&open, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                if !wait() {
                    return Err(LockError::Held(format!("it edits {}", folder.display())));
                }
                rustix::io::retry_on_intr(|| flock(&open, FlockOperation::LockExclusive))
                    .map_err(|errno| failed(errno.into()))?;
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        Ok(Self { _folder: open })
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
        let (run, state) = (folder.path().join("run"), folder.path().join("state"));
        let never = |_: &str| false;
        let first = Lock::take(&run, &state, "apply", never).expect("free");
        let me = format!("process {} (apply)", std::process::id());
        match Lock::take(&run, &state, "clear", never) {
            Err(LockError::Held(holder)) => assert_eq!(holder, me),
            other => panic!("{other:?}"),
        }
        // Another namespace has another lock in the run directory, and the same state.
        match Lock::take(&folder.path().join("another"), &state, "clear", never) {
            Err(LockError::Held(holder)) => assert_eq!(holder, me),
            other => panic!("{other:?}"),
        }
        let (asked, question) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second =
                scope.spawn(|| Lock::take(&run, &state, "clear", |_| asked.send(()).is_ok()));
            question.recv().expect("the second asks");
            drop(first);
            assert!(second.join().expect("no panic").is_ok());
        });
    }

    #[test]
    fn two_who_edit_files_of_one_folder_take_turns() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("d/web.toml"), folder.path().join("link"));
        let first = FileLock::take(&file, || false).expect("free, and the folder is made");
        std::fs::write(&file, "").expect("writable");
        std::os::unix::fs::symlink(&file, &link).expect("writable");
        match FileLock::take(&link, || false) {
            Err(LockError::Held(by)) => assert!(by.contains("/d"), "{by}"),
            other => panic!("{other:?}"),
        }
        let (asked, question) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| FileLock::take(&file, || asked.send(()).is_ok()));
            question.recv().expect("the second asks");
            drop(first);
            assert!(second.join().expect("no panic").is_ok());
        });
        let error = FileLock::take(Path::new("/proc/none/web.toml"), || false).expect_err("none");
        assert!(error.to_string().contains("/proc/none"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Lock::take(Path::new("/proc/none"), Path::new("/proc/none"), "x", |_| false)
            .expect_err("no folder");
        assert!(error.to_string().contains("/proc/none/lock-"), "{error}");
    }
}
