//! The further files that an `include` names.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::glob::Pattern;
use crate::import::{Document, ImportError};

/// The most files that one `include` may name.
const MAX_FILES: usize = 1_000;

/// Where included files come from.
pub trait Files {
    /// The files that a pattern means, in the order of their names. One that is relative
    /// begins in `folder`.
    ///
    /// # Errors
    /// A folder that cannot be read, or more files than anybody has.
    fn matching(&self, folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>>;

    /// Reads a file.
    ///
    /// # Errors
    /// What cannot be read or is no text.
    fn read(&self, path: &Path) -> Result<Document, ImportError>;
}

/// Files on this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OnDisk;

impl Files for OnDisk {
    fn matching(&self, folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for pattern in Pattern::alternatives(pattern) {
            let mut paths = vec![folder.to_owned()];
            for part in pattern.parts() {
                paths = step(paths, part)?;
            }
            paths.sort();
            found.extend(paths);
            if found.len() > MAX_FILES {
                return Err(too_many());
            }
        }
        Ok(found)
    }

    fn read(&self, path: &Path) -> Result<Document, ImportError> {
        let name = path.to_string_lossy();
        let unreadable =
            |source| ImportError::Unreadable { file: name.clone().into_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        // A pipe would be waited for, and a device has no end.
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("it is no regular file")));
        }
        Document::read(&name, file)
    }
}

/// What is one part of a pattern further below `paths`.
fn step(paths: Vec<PathBuf>, part: &str) -> io::Result<Vec<PathBuf>> {
    if !Pattern::is_wild(part) {
        // `join` of "/" begins anew, as an absolute path does.
        let next = paths.into_iter().map(|path| path.join(part));
        return Ok(next.filter(|path| path.symlink_metadata().is_ok()).collect());
    }
    let mut next = Vec::new();
    for path in paths {
        let folder = if path.as_os_str().is_empty() { Path::new(".") } else { path.as_path() };
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name();
            if name.to_str().is_some_and(|name| Pattern::matches(part, name)) {
                next.push(path.join(&name));
            }
            if next.len() > MAX_FILES {
                return Err(too_many());
            }
        }
    }
    Ok(next)
}

fn too_many() -> io::Error {
    io::Error::other(format!("it names more than {MAX_FILES} files"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_files_in_their_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for name in ["conf.d/b.conf", "conf.d/a.conf", "conf.d/.c.conf", "conf.d/d.txt", "e/a.conf"]
        {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect(name);
            std::fs::write(path, "").expect(name);
        }
        let found = |pattern: &str| {
            let found = OnDisk.matching(root, pattern).expect(pattern);
            let inner = |path: &PathBuf| {
                path.strip_prefix(root).expect("below").to_string_lossy().into_owned()
            };
            found.iter().map(inner).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found("conf.d/*.conf"), "conf.d/a.conf conf.d/b.conf");
        assert_eq!(found("*/a.conf"), "conf.d/a.conf e/a.conf");
        assert_eq!(found("{e,conf.d}/a.conf"), "e/a.conf conf.d/a.conf");
        assert_eq!(found("none.conf"), "");
        let absolute = root.join("e/a.*");
        assert_eq!(found(absolute.to_str().expect("text")), "e/a.conf");
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = OnDisk.read(folder.path()).expect_err("a folder");
        assert!(matches!(error, ImportError::Unreadable { .. }), "{error}");
        let error = OnDisk.read(&folder.path().join("missing")).expect_err("nothing");
        assert!(matches!(error, ImportError::Unreadable { .. }), "{error}");
    }
}
