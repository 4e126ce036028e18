//! One writer at a time in a network namespace.

use std::collections::BTreeSet;
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
    /// then that of `state_dir`. As long as somebody has one of them, `wait` is asked, with
    /// what the holder said of itself, and answers after a while whether to go on.
    /// `holder` is what others will be told.
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
        while !is_taken(&file)? {
            let mut by = String::new();
            file.rewind()?;
            file.read_to_string(&mut by)?;
            let by = by.trim().to_owned();
            if !wait(&by) {
                return Err(Failure::Held(by));
            }
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

/// The lock of who edits files that somebody wrote, from the reading to the end: of their
/// folders, for a file is another one after it was replaced. All who edit a configuration
/// take all of its folders, for it is checked as a whole. It needs no more than the right to
/// write there.
#[derive(Debug)]
pub struct FileLock {
    /// Open for as long as the lock is held.
    _folders: Vec<File>,
}

impl FileLock {
    /// Takes the lock for files in `folders`; those that are not there have none. As long as
    /// somebody has one, `wait` is asked, and answers after a while whether to go on.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(
        folders: impl IntoIterator<Item = PathBuf>,
        mut wait: impl FnMut() -> bool,
    ) -> Result<Self, LockError> {
        // In one order, lest two wait for each other; and each once, however it is called.
        let real = folders.into_iter().filter_map(|folder| folder.canonicalize().ok());
        let mut locked = Vec::new();
        for folder in real.collect::<BTreeSet<_>>() {
            let failed = |error| LockError::File(folder.clone(), error);
            let open = File::open(&folder).map_err(failed)?;
            while !is_taken(&open).map_err(failed)? {
                if !wait() {
                    return Err(LockError::Held(format!("it edits {}", folder.display())));
                }
            }
            locked.push(open);
        }
        Ok(Self { _folders: locked })
    }
}

/// Whether the lock of a file is ours now. Nobody is waited for: a wait in the kernel can be
/// ended by no signal that is caught, and anybody who may read a folder can lock it.
fn is_taken(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
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
        let [one, two, link] = ["one", "two", "link"].map(|name| folder.path().join(name));
        std::fs::create_dir(&one).expect("writable");
        std::fs::create_dir(&two).expect("writable");
        std::os::unix::fs::symlink(&one, &link).expect("writable");
        let both = || [two.clone(), one.clone(), link.clone(), folder.path().join("none")];
        let first = FileLock::take(both(), || false).expect("free, also where one is not there");
        for folders in [vec![link.clone()], vec![two.clone()], both().to_vec()] {
            match FileLock::take(folders, || false) {
                Err(LockError::Held(by)) => assert!(by.contains("it edits"), "{by}"),
                other => panic!("{other:?}"),
            }
        }
        let (asked, question) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| FileLock::take(both(), || asked.send(()).is_ok()));
            question.recv().expect("the second asks");
            drop(first);
            assert!(second.join().expect("no panic").is_ok());
        });
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let error = Lock::take(Path::new("/proc/none"), Path::new("/proc/none"), "x", |_| false)
            .expect_err("no folder");
        assert!(error.to_string().contains("/proc/none/lock-"), "{error}");
    }
}
