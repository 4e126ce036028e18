//! Files that survive: written beside their place, synced, renamed, the folder synced.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use xxhash_rust::xxh3::xxh3_64;

/// The most that is read of a file of ours: a generation of 65,536 groups has some
/// 100 MiB. What is larger was not written by us.
const LARGEST: u64 = 1 << 30;

/// Here a process can be made to die: something was written just now. Not in what is
/// released (Cargo.toml, `fail-points`).
pub(super) fn fail_point() {
    #[cfg(feature = "fail-points")]
    crate::fail_points::call();
}

/// Options that never follow a link in the last part of a path, and make files that are
/// ours alone to read.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// Makes a folder of ours, and those above it.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Replaces a file of ours at once. Its folder is made when it is missing; both are ours
/// alone to read. On an error what was begun is removed, and the file from before is
/// still there.
///
/// # Errors
/// What the file system says, with the file's name.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes).map_err(|error| named(path, &error))
}

/// Replaces a file of somebody's at once: it keeps its owner and its mode, and a link that
/// leads to it stays one. On an error the file from before is still there.
///
/// # Errors
/// What the file system says, with the file's name; a file that is not there is none.
pub fn rewrite_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let rewrite = || {
        let path = fs::canonicalize(path)?;
        let about = fs::metadata(&path)?;
        put_in_place(&path, Beside::Hidden, bytes, |file| {
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (about.uid(), about.gid()) {
                fchown(file, Some(about.uid()), Some(about.gid()))?;
            }
            file.set_permissions(about.permissions())
        })
    };
    rewrite().map_err(|error| named(path, &error))
}

/// Makes a file of somebody's at once, which is ours alone to read until they decide. Its
/// folder is made when it is missing.
///
/// # Errors
/// As [`replace_file`].
pub fn create_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let create = || {
        make_folder(path.parent().unwrap_or(Path::new("/")))?;
        put_in_place(path, Beside::Hidden, bytes, |_| Ok(()))
    };
    create().map_err(|error| named(path, &error))
}

/// Removes a file, and makes sure that it stays removed; a file that is not there is
/// removed already.
///
/// # Errors
/// What the file system says, with the file's name.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => {
            fail_point();
            sync_folder(path).map_err(|error| named(path, &error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(path, &error)),
    }
}

/// Reads a file of ours, without following a link; `None` where there is none.
///
/// # Errors
/// What the file system says, with the file's name.
pub(crate) fn read_file(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match private().read(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(named(path, &error)),
    };
    read_all(file).map(Some).map_err(|error| named(path, &error))
}

fn read_all(mut file: File) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large to be ours"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

pub(super) fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    make_folder(path.parent().unwrap_or(Path::new("/")))?;
    put_in_place(path, Beside::Ours, bytes, |_| Ok(()))
}

/// What a file is called while it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// In our folders: one name, so that what a crash left is overwritten.
    Ours,
    /// In somebody's: a name that nobody else has, and nobody reads as a configuration.
    Hidden,
}

impl Beside {
    fn of(self, path: &Path) -> PathBuf {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        match self {
            Self::Ours => name.push(".new"),
            Self::Hidden => {
                let mut hidden = OsString::from(".");
                hidden.push(name);
                hidden.push(format!(".{}.new", std::process::id()));
                name = hidden;
            }
        }
        path.with_file_name(name)
    }

    fn open(self, path: &Path) -> io::Result<File> {
        let mut options = private();
        match self {
            Self::Ours => options.write(true).create(true).truncate(true),
            Self::Hidden => options.write(true).create_new(true),
        };
        options.open(path)
    }
}

/// Writes a file beside its place, makes it ready, and moves it there.
fn put_in_place(
    path: &Path,
    beside: Beside,
    bytes: &[u8],
    ready: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let place = beside.of(path);
    let mut file = beside.open(&place)?;
    let write = || {
        file.write_all(bytes)?;
        ready(&file)?;
        file.sync_all()?;
        fail_point();
        fs::rename(&place, path)
    };
    let written = write();
    if written.is_err()
        && let Err(error) = fs::remove_file(&place)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("{} is left over: {error}", place.display());
    }
    written?;
    fail_point();
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// The number of this thread's network namespace: an inode, which the kernel gives to
/// another namespace when this one is gone.
///
/// # Errors
/// Where `/proc` is not there.
pub fn network_namespace() -> io::Result<u64> {
    let path = Path::new("/proc/thread-self/ns/net");
    fs::metadata(path).map(|metadata| metadata.ino()).map_err(|error| named(path, &error))
}

/// Why a sealed text is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsealed {
    /// Its end is not there.
    #[error("it is cut short")]
    Short,
    /// Its checksum does not fit.
    #[error("its checksum does not fit")]
    Checksum,
}

const SEAL: &str = "{\"checksum\":\"";

/// Puts a checksum behind lines of JSON: `{"checksum":"…"}`, XXH3 over all before it. It
/// finds torn and damaged files, not forged ones: who can write here is root.
pub(crate) fn seal(mut lines: Vec<u8>) -> Vec<u8> {
    let checksum = xxh3_64(&lines);
    lines.extend_from_slice(format!("{SEAL}{checksum:016x}\"}}\n").as_bytes());
    lines
}

/// The lines before the checksum, when it fits.
pub(crate) fn unseal(bytes: &[u8]) -> Result<&[u8], Unsealed> {
    let length = SEAL.len() + 16 + "\"}\n".len();
    let at = bytes.len().checked_sub(length).ok_or(Unsealed::Short)?;
    let (lines, seal) = bytes.split_at(at);
    if !seal.starts_with(SEAL.as_bytes()) {
        return Err(Unsealed::Short);
    }
    let expected = format!("{SEAL}{:016x}\"}}\n", xxh3_64(lines));
    if seal == expected.as_bytes() { Ok(lines) } else { Err(Unsealed::Checksum) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_sealed_text_that_lost_or_changed_anything_is_not_trusted() {
        let sealed = seal(b"{\"n\":1}\n".to_vec());
        assert_eq!(unseal(&sealed), Ok(&b"{\"n\":1}\n"[..]));
        for length in 0..sealed.len() {
            assert!(unseal(&sealed[..length]).is_err(), "{length}");
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(unseal(&changed).is_err(), "{at}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_one_before_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/file");
        replace_file(&path, b"one").expect("writable");
        // What is in the way of the new file cannot be opened for writing.
        fs::create_dir(folder.path().join("deep/file.new")).expect("writable");
        let error = replace_file(&path, b"two").expect_err("in the way");
        assert!(error.to_string().contains("deep/file"), "{error}");
        assert_eq!(read_file(&path).expect("readable"), Some(b"one".to_vec()));
        assert_eq!(read_file(&folder.path().join("none")).expect("readable"), None);
    }

    #[test]
    fn a_file_of_somebody_keeps_its_owner_mode_and_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").expect("writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
        std::os::unix::fs::symlink("file", &link).expect("writable");
        // Only root can give it to somebody else.
        let owner = if rustix::process::geteuid().is_root() { 1234 } else { 0 };
        if owner != 0 {
            std::os::unix::fs::chown(&file, Some(owner), Some(owner)).expect("we are root");
        }
        rewrite_file(&link, b"new").expect("writable");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        let about = fs::metadata(&file).expect("there");
        assert_eq!(
            (about.mode() & 0o7777, fs::read(&file).expect("readable")),
            (0o640, b"new".into())
        );
        assert!(owner == 0 || (about.uid(), about.gid()) == (owner, owner));
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 2, "nothing is left over");
        let error = rewrite_file(&folder.path().join("none"), b"new").expect_err("not there");
        assert!(error.to_string().contains("none"), "{error}");
    }

    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "somebody's").expect("writable");
        std::os::unix::fs::symlink(&file, &link).expect("writable");
        assert!(read_file(&link).is_err());
        replace_file(&link, b"ours").expect("the link itself is replaced");
        assert_eq!(fs::read(&file).expect("readable"), b"somebody's");
    }
}
