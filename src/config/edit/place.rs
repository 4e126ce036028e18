//! The file that a new group goes to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::diagnostic::Report;
use super::super::source::{self, read_file};
use super::super::{ConfigErrors, Setting};
use super::{Edit, mistake, piece};
use crate::config::edit::setting::Wanted;
use crate::config::write::{ORDER, Table};
use crate::model::GroupName;

/// The files that a configuration is read from, for who adds one or adds to one.
#[derive(Debug, Clone)]
pub enum Files {
    /// One file, and a folder with a file for each further group.
    Default {
        /// The file.
        main: PathBuf,
        /// The folder.
        groups: PathBuf,
    },
    /// These files; standard input is none.
    Named(Vec<PathBuf>),
}

impl Files {
    /// `etc/fwmarkctl/fwmarkctl.toml` and `etc/fwmarkctl/groups.d/*.toml` below `root`.
    pub fn default_location(root: &Path) -> Self {
        let folder = root.join("etc/fwmarkctl");
        Self::Default { main: folder.join("fwmarkctl.toml"), groups: folder.join("groups.d") }
    }

    /// The folders that they are in, or would be.
    pub fn folders(&self) -> Vec<PathBuf> {
        match self {
            Self::Default { main, groups } => {
                main.parent().map(Path::to_path_buf).into_iter().chain([groups.clone()]).collect()
            }
            Self::Named(files) => files.iter().map(|file| folder_of(file)).collect(),
        }
    }

    /// The file for all that is in none of its own: the main one, or the only one.
    pub fn main(&self) -> Option<&Path> {
        match self {
            Self::Default { main, .. } => Some(main),
            Self::Named(files) if files.len() == 1 => Some(&files[0]),
            Self::Named(_) => None,
        }
    }

    /// Those that are there.
    pub(super) fn existing(&self, report: &mut Report) -> Vec<PathBuf> {
        let mut files = match self {
            Self::Default { main, groups } => {
                let mut files = vec![main.clone()];
                files.extend(source::list(groups, report));
                files
            }
            Self::Named(files) => files.clone(),
        };
        files.retain(|file| file.exists());
        files
    }

    /// The file for a new group, by the name that the reader has for it.
    fn choose(&self, name: &GroupName, chosen: Option<&Path>) -> Result<PathBuf, ConfigErrors> {
        match (self, chosen) {
            (Self::Default { groups, .. }, None) => Ok(groups.join(format!("{name}.toml"))),
            (Self::Default { main, groups }, Some(chosen)) => {
                if is_same(main, chosen) {
                    return Ok(main.clone());
                }
                let file = chosen.file_name().map(|file| groups.join(file));
                let is_read = |file: &PathBuf| {
                    let hidden =
                        file.file_name().is_some_and(|it| it.as_encoded_bytes()[0] == b'.');
                    is_same(file, chosen)
                        && !hidden
                        && file.extension().is_some_and(|it| it == "toml")
                };
                file.filter(is_read).ok_or_else(|| mistake::not_read(name, Some(chosen), self))
            }
            (Self::Named(files), Some(chosen)) => {
                let known = files.iter().find(|file| is_same(file, chosen));
                known.cloned().ok_or_else(|| mistake::not_read(name, Some(chosen), self))
            }
            (Self::Named(files), None) => match files.as_slice() {
                [only] => Ok(only.clone()),
                [] => Err(mistake::no_file(name.as_str())),
                _ => Err(mistake::not_read(name, None, self)),
            },
        }
    }
}

/// The folder of a file; of a link, that of the file that it leads to, which is replaced.
fn folder_of(file: &Path) -> PathBuf {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What a file says, and whether it is there.
fn text_of(path: &Path, uid: u32) -> Result<(String, bool), ConfigErrors> {
    let exists = path.symlink_metadata().is_ok();
    if !exists {
        return Ok((String::new(), false));
    }
    let mut report = Report::default();
    let file = read_file(path, uid, &mut report);
    let text = file.map(|file| report.file(file).text().to_owned());
    report.finish()?;
    Ok((text.unwrap_or_default(), true))
}

/// Whether two names are those of one file, which need not be there yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        path.canonicalize().ok().or_else(|| {
            // Where the folder is not there either, the names are all there is.
            let folder = folder.canonicalize().or_else(|_| std::path::absolute(folder)).ok()?;
            Some(folder.join(path.file_name()?))
        })
    };
    place(one).is_some_and(|place_of_one| place(other) == Some(place_of_one))
}

impl Edit {
    /// The file `path` with another text, whatever it says now.
    ///
    /// # Errors
    /// It is there, and cannot be read.
    pub fn whole(path: &Path, text: String, uid: u32) -> Result<Self, ConfigErrors> {
        let (before, exists) = text_of(path, uid)?;
        Ok(Self { path: Arc::from(path), group: String::new(), before, text, exists })
    }

    /// The files besides the main one, each without anything in it.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn of_others(files: &Files, uid: u32) -> Result<Vec<Self>, ConfigErrors> {
        let mut report = Report::default();
        let others: Vec<_> = files.existing(&mut report);
        report.finish()?;
        let others = others.into_iter().filter(|file| files.main() != Some(file));
        others.map(|file| Self::whole(&file, String::new(), uid)).collect()
    }

    /// A file with a new group at its end, whose keys are these, in our order. The file is
    /// `chosen`, else the one of that name in the folder of groups, else the only one.
    ///
    /// # Errors
    /// There is such a group, no file to put it into, or one that cannot be read.
    pub fn new_group(
        files: &Files,
        name: &GroupName,
        chosen: Option<&Path>,
        settings: &[Setting],
        uid: u32,
    ) -> Result<Self, ConfigErrors> {
        let mut report = Report::default();
        for file in files.existing(&mut report) {
            let Some(number) = read_file(&file, uid, &mut report) else { continue };
            let text = report.file(number).text();
            if let Some(place) = mistake::group_key(text, name.as_str()) {
                return Err(mistake::group_exists(&file, text, name, place));
            }
        }
        let path = files.choose(name, chosen)?;
        let (before, exists) = text_of(&path, uid)?;
        let mut table = Table::new(&["group", name.as_str()]);
        for key in ORDER {
            for setting in settings.iter().filter(|setting| setting.key == *key) {
                match &setting.value {
                    Wanted::One(value) => table.set(key, value),
                    Wanted::Parts(parts) => table.set(key, &parts.whole),
                    Wanted::List(items) => table.set_list(key, items.clone()),
                }
            }
        }
        let text = piece::append(&before, &table.text());
        let group = name.as_str().to_owned();
        Ok(Self { path: Arc::from(path), group, before, text, exists })
    }
}
