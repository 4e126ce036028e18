//! The names that a command line can mean, as far as files tell them: groups and their real
//! servers, generations, presets.
//!
//! The files are read as TOML and no further. A configuration with a mistake still has
//! names, and whoever types one next may want to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::words::Candidate;
use crate::cli::{PRESETS, effective_uid};
use crate::config::{MAX_FILE, Presets};
use crate::transaction::History;

/// Where names come from.
pub(super) struct Names {
    files: Vec<PathBuf>,
    state_dir: PathBuf,
}

impl Names {
    /// By the files and folders that a command line names, else the usual ones.
    pub(super) fn of(words: &[String]) -> Self {
        let value = |at: usize, names: &[&str]| {
            let word = words[at].as_str();
            let joined = names.iter().find_map(|name| word.strip_prefix(&format!("{name}=")));
            let next = || words.get(at + 1).filter(|_| names.contains(&word)).map(String::as_str);
            joined.or_else(next).map(PathBuf::from)
        };
        let all = |names: &[&str]| -> Vec<_> {
            (0..words.len()).filter_map(|at| value(at, names)).collect()
        };
        let mut files = all(&["-c", "--config"]);
        if files.is_empty() {
            files = usual();
        }
        let state_dir = all(&["--state-dir"]).pop();
        Self { files, state_dir: state_dir.unwrap_or_else(|| "/var/lib/fwmarkctl".into()) }
    }

    /// The groups, by name.
    pub(super) fn groups(&self) -> Vec<String> {
        self.read().into_keys().collect()
    }

    /// The real servers of a group; without one, of all.
    pub(super) fn servers(&self, group: Option<&str>) -> Vec<String> {
        let groups = self.read().into_iter();
        let wanted = groups.filter(|(name, _)| group.is_none_or(|group| group == name));
        let servers: BTreeSet<_> = wanted.flat_map(|(_, servers)| servers).collect();
        servers.into_iter().collect()
    }

    /// The numbers of the saved generations, the newest first.
    pub(super) fn generations(&self) -> Vec<String> {
        let numbers = History::new(&self.state_dir).numbers().unwrap_or_default();
        numbers.into_iter().rev().map(|number| number.to_string()).collect()
    }

    fn read(&self) -> BTreeMap<String, Vec<String>> {
        self.files.iter().filter_map(|file| groups(file)).flatten().collect()
    }
}

/// The presets with what they are.
pub(super) fn presets() -> Vec<Candidate> {
    let presets = Presets::load(Some(Path::new(PRESETS)), effective_uid());
    let presets = presets.unwrap_or_else(|_| Presets::shipped());
    let shown = |(name, preset): (&str, &crate::config::Preset)| Candidate {
        value: name.to_owned(),
        about: preset.description.clone(),
    };
    presets.iter().map(shown).collect()
}

/// The files of the default location.
fn usual() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/fwmarkctl/fwmarkctl.toml")];
    let entries = fs::read_dir("/etc/fwmarkctl/groups.d").into_iter().flatten().flatten();
    let is_toml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "toml");
    files.extend(entries.map(|entry| entry.path()).filter(is_toml));
    files
}

/// The groups of a file with their real servers.
fn groups(file: &Path) -> Option<BTreeMap<String, Vec<String>>> {
    // What is no file could be read for ever.
    let mut text = String::new();
    if !fs::metadata(file).ok()?.is_file() {
        return None;
    }
    File::open(file).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    let table: toml::Table = toml::from_str(&text).ok()?;
    let groups = table.get("group")?.as_table()?;
    Some(groups.iter().map(|(name, group)| (name.clone(), servers(group))).collect())
}

fn servers(group: &toml::Value) -> Vec<String> {
    let list = group.get("real").and_then(toml::Value::as_array).into_iter().flatten();
    list.filter_map(|server| {
        let Some(address) = server.get("address") else {
            return server.as_str().map(str::to_owned);
        };
        let address = address.as_str()?;
        Some(match server.get("port").and_then(toml::Value::as_integer) {
            Some(port) if address.contains(':') => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => address.to_owned(),
        })
    })
    .collect()
}
