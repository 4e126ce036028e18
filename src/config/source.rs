//! Which files make the configuration, and their text.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Options;
use super::codes::Code;
use super::diagnostic::{Report, Spot};
use super::text::clean;

/// The most bytes that a file may have.
pub const MAX_FILE: u64 = 16 << 20;

/// Where a configuration is read from.
pub enum Sources {
    /// One file for the director and groups, and a folder with a file for each further
    /// group, read in the order of their names.
    Default {
        /// The file; it may be missing where the folder has files.
        main: PathBuf,
        /// The folder; it may be missing.
        groups: PathBuf,
    },
    /// These files, in this order.
    Files(Vec<Input>),
}

/// One file as named on a command line.
pub enum Input {
    /// A file.
    File(PathBuf),
    /// What `-` stands for.
    Stdin(Box<dyn Read>),
}

impl Sources {
    /// `etc/fwmarkctl/fwmarkctl.toml` and `etc/fwmarkctl/groups.d/*.toml` below `root`.
    pub fn default_location(root: &Path) -> Self {
        let folder = root.join("etc/fwmarkctl");
        Self::Default { main: folder.join("fwmarkctl.toml"), groups: folder.join("groups.d") }
    }

    /// Whether there is a configuration: folders that hold none, as a package may leave them,
    /// are as good as no folders. What was named or cannot be looked at counts as there.
    pub fn is_there(&self) -> bool {
        let Self::Default { main, groups } = self else { return true };
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        let is_toml = |entry: io::Result<std::fs::DirEntry>| {
            entry.map_or(true, |it| it.path().extension().is_some_and(|it| it == "toml"))
        };
        main.symlink_metadata().map_or_else(|error| !missing(&error), |_| true)
            || std::fs::read_dir(groups)
                .map_or_else(|error| !missing(&error), |mut entries| entries.any(is_toml))
    }

    /// One file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::Files(vec![Input::File(path.into())])
    }

    /// Text that is at hand, shown under the name of standard input.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Files(vec![Input::Stdin(Box::new(io::Cursor::new(text.into())))])
    }
}

/// What is read in place of what a file on disk says: an edit that is tried out.
#[derive(Debug, Clone, Copy)]
pub struct Instead<'i> {
    /// The file, by the name that the sources have for it.
    pub path: &'i Path,
    /// Its text.
    pub text: &'i str,
    /// Whether it is all there is, and what else would be read is not.
    pub alone: bool,
}

/// What a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The director and groups.
    Main,
    /// Groups only: a file of `groups.d`.
    Groups,
}

/// A file's text, and where its lines begin.
pub(super) struct SourceFile {
    name: String,
    path: Option<Arc<Path>>,
    text: String,
    lines: Vec<usize>,
}

impl SourceFile {
    pub(super) fn new(name: &str, text: String) -> Self {
        let newlines = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let lines = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { name: clean(name), path: None, text, lines }
    }

    /// The file as it is opened; none where there is none, as for standard input.
    pub(super) fn path(&self) -> Option<&Arc<Path>> {
        self.path.as_ref()
    }

    /// The name, fit to be shown.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Line and column in characters, both counted from 1.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let start = self.lines[line - 1];
        let before = self.text.get(start..offset.min(self.text.len())).unwrap_or("");
        (line, before.chars().count() + 1)
    }
}

/// Reads all files that can be read; what cannot be is reported.
pub(super) fn read(
    sources: Sources,
    options: &Options<'_>,
    report: &mut Report,
) -> Vec<(u32, Role)> {
    let read_file = |path: &Path, report: &mut Report| match options.instead {
        Some(instead) if instead.path == path => {
            read_text(&path.to_string_lossy(), Some(path), instead.text.as_bytes(), report)
        }
        _ => read_file(path, options.effective_uid, report),
    };
    match sources {
        Sources::Files(inputs) => inputs
            .into_iter()
            .filter_map(|input| match input {
                Input::File(path) => read_file(&path, report),
                Input::Stdin(reader) => read_text("<stdin>", None, reader, report),
            })
            .map(|file| (file, Role::Main))
            .collect(),
        Sources::Default { main, groups } => {
            let is_alone = options.instead.is_some_and(|instead| instead.alone);
            let mut further = if is_alone { Vec::new() } else { list(&groups, report) };
            // One that is to be made stands where it will.
            let new = options.instead.map(|instead| instead.path);
            if let Some(new) = new.filter(|new| new.parent() == Some(&groups))
                && let Err(place) = further.binary_search_by(|path| path.as_path().cmp(new))
            {
                further.insert(place, new.to_owned());
            }
            // Only one that is surely not there is passed over: not a dangling link, say.
            let missing = new != Some(&main)
                && main.symlink_metadata().is_err_and(|it| it.kind() == io::ErrorKind::NotFound);
            let main = (further.is_empty() || !missing).then(|| read_file(&main, report)).flatten();
            let further = further.iter().filter_map(|path| read_file(path, report));
            main.map(|file| (file, Role::Main))
                .into_iter()
                .chain(further.map(|file| (file, Role::Groups)).collect::<Vec<_>>())
                .collect()
        }
    }
}

/// The `*.toml` of a folder in the order of their names; none where there is no folder.
/// Hidden files are what editors leave behind.
pub(super) fn list(folder: &Path, report: &mut Report) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    match paths {
        Ok(mut paths) => {
            paths.retain(|path| {
                let hidden =
                    path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
                path.extension().is_some_and(|extension| extension == "toml") && !hidden
            });
            paths.sort();
            paths
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            unreadable(&folder.to_string_lossy(), &error, report);
            Vec::new()
        }
    }
}

/// Reads a file; `None` where it is reported instead.
pub(super) fn read_file(path: &Path, uid: u32, report: &mut Report) -> Option<u32> {
    let name = path.to_string_lossy();
    let opened = File::open(path).and_then(|file| file.metadata().map(|about| (file, about)));
    let (file, about) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            unreadable(&name, &error, report);
            return None;
        }
    };
    if about.is_dir() {
        let number = report.add_file(SourceFile::new(&name, String::new()));
        report
            .file_error(Code::Directory, number, &format!("{name} is a directory, not a file"))
            .help("only files are read; name each of them: --config FILE --config FILE");
        return None;
    }
    let mode = about.mode();
    let foreign = about.uid() != 0 && about.uid() != uid;
    if uid == 0 && about.is_file() && (mode & 0o022 != 0 || foreign) {
        refuse_writable(&name, mode, foreign.then_some(about.uid()), report);
        return None;
    }
    read_text(&name, Some(path), file, report)
}

fn unreadable(name: &str, error: &io::Error, report: &mut Report) {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let number = report.add_file(SourceFile::new(name, String::new()));
    let message = format!("cannot read {name}: {why}");
    let help = match error.kind() {
        io::ErrorKind::NotFound => Some("create it, or name another one with --config FILE"),
        io::ErrorKind::PermissionDenied => Some("run as a user who may read it"),
        _ => None,
    };
    report.file_error(Code::Unreadable, number, &message).maybe_help(help);
}

fn refuse_writable(name: &str, mode: u32, owner: Option<u32>, report: &mut Report) {
    let number = report.add_file(SourceFile::new(name, String::new()));
    let (who, remedy) = match owner {
        Some(owner) => (
            format!("it belongs to the user {owner}, who is not root"),
            format!("chown root {name} && chmod go-w {name}"),
        ),
        None => (format!("its mode is {:04o}", mode & 0o7777), format!("chmod go-w {name}")),
    };
    let message = format!("{name} is refused, for others than root may write to it: {who}");
    report.file_error(Code::WritableByOthers, number, &message).help(remedy);
}

fn read_text(
    name: &str,
    path: Option<&Path>,
    reader: impl Read,
    report: &mut Report,
) -> Option<u32> {
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(MAX_FILE + 1).read_to_end(&mut bytes) {
        unreadable(name, &error, report);
        return None;
    }
    if bytes.len() as u64 > MAX_FILE {
        let number = report.add_file(SourceFile::new(name, String::new()));
        let message = format!("{name} is larger than 16 MiB");
        report
            .file_error(Code::TooLarge, number, &message)
            .help("split it into several files: groups.d/*.toml, or --config FILE repeated");
        return None;
    }
    let nul = bytes.iter().position(|&byte| byte == 0);
    let (text, broken) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                Some((at, error.as_bytes()[at])),
            )
        }
    };
    let file = SourceFile { path: path.map(Arc::from), ..SourceFile::new(name, text) };
    let number = report.add_file(file);
    // A file of 16-bit characters is neither; the first offence tells which it is.
    let nul = nul.filter(|&at| broken.is_none_or(|(broken, _)| at < broken));
    let spot = |at: usize, length: usize| Spot {
        file: number,
        start: u32::try_from(at).unwrap_or(u32::MAX),
        end: u32::try_from(at + length).unwrap_or(u32::MAX),
    };
    if let Some(at) = nul {
        report
            .error(Code::NulByte, spot(at, 1), &format!("{name} holds a NUL byte"))
            .label("this byte is 0")
            .help("a configuration is text in UTF-8; is this the right file?");
        return None;
    }
    if let Some((at, byte)) = broken {
        report
            .error(Code::NotUtf8, spot(at, 3), &format!("{name} is not UTF-8"))
            .label(format!("the byte {byte:#04x} here begins no character"))
            .help("save the file as UTF-8 without a byte order mark");
        return None;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_without_a_configuration_are_none() {
        let root = tempfile::tempdir().expect("a folder");
        let sources = Sources::default_location(root.path());
        assert!(!sources.is_there());
        let groups = root.path().join("etc/fwmarkctl/groups.d");
        std::fs::create_dir_all(&groups).expect("writable");
        std::fs::write(groups.join("README"), "").expect("writable");
        assert!(!sources.is_there());
        std::fs::write(groups.join("web.toml"), "").expect("writable");
        assert!(sources.is_there());
        std::fs::remove_file(groups.join("web.toml")).expect("there");
        std::os::unix::fs::symlink("nowhere", root.path().join("etc/fwmarkctl/fwmarkctl.toml"))
            .expect("writable");
        assert!(sources.is_there(), "what leads nowhere is told");
        assert!(Sources::text("").is_there());
    }
}
