//! Named services: `services = ["http3"]` is 443/tcp and 443/udp.

mod shipped;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use crate::model::{GroupName, Listener};

use super::codes::Code;
use super::diagnostic::{ConfigErrors, Report, Spot};
use super::reader::{Checked, Fields, Reported, Scope};
use super::text::nearest;
use super::{listeners, schema, source, syntax};
use shipped::SHIPPED;

/// A service that a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    /// What it is.
    pub description: String,
    /// Where its ports are assigned: an RFC, or the registry of IANA.
    pub source: String,
    /// Its ports.
    pub ports: Vec<Listener>,
    /// The file that defines it; none for those that ship with the program.
    pub file: Option<String>,
    /// The TOML that defines it, comments included.
    pub text: String,
}

/// All presets, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presets {
    sound: BTreeMap<String, Preset>,
    broken: BTreeSet<String>,
}

impl Presets {
    /// The presets that ship with the program.
    pub fn shipped() -> Self {
        let mut presets = Self::default();
        let mut report = Report::default();
        for &(name, text) in SHIPPED {
            let file = report.add_file(source::SourceFile::new(name, text.to_owned()));
            if let Ok(preset) = read(&mut report, file) {
                presets.sound.insert(name.to_owned(), preset);
            }
        }
        presets
    }

    /// The presets that ship, and those of a folder; see [`Options`](super::Options).
    ///
    /// # Errors
    /// Every mistake of the folder's files.
    pub fn load(folder: Option<&Path>, effective_uid: u32) -> Result<Self, ConfigErrors> {
        let mut report = Report::default();
        let mut presets = Self::shipped();
        if let Some(folder) = folder {
            presets.read_folder(folder, effective_uid, &mut report);
        }
        report.finish().map(|_| presets)
    }

    /// Whether a preset of this name ships with the program.
    pub fn is_shipped(name: &str) -> bool {
        SHIPPED.iter().any(|&(shipped, _)| shipped == name)
    }

    /// The preset of a name.
    pub fn get(&self, name: &str) -> Option<&Preset> {
        self.sound.get(name)
    }

    /// The name that was probably meant by one that there is not.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.names())
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sound.keys().map(String::as_str)
    }

    /// The presets with their names, sorted by them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Preset)> {
        self.sound.iter().map(|(name, preset)| (name.as_str(), preset))
    }

    /// Whether a preset of this name was found and is reported already.
    pub(super) fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// Takes in the `*.toml` of a folder; one that has a shipped name replaces it.
    pub(super) fn read_folder(&mut self, folder: &Path, uid: u32, report: &mut Report) {
        for path in source::list(folder, report) {
            let Some(file) = source::read_file(&path, uid, report) else { continue };
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            if name.parse::<GroupName>().is_err() {
                let message = format!("'{name}' cannot name a preset");
                report
                    .file_error(Code::InvalidName, file, &message)
                    .help("rename the file: names are [a-z0-9][a-z0-9_.-]{0,62}");
                continue;
            }
            match read(report, file) {
                Ok(mut preset) => {
                    preset.file = Some(report.file(file).name().to_owned());
                    self.sound.insert(name.into_owned(), preset);
                }
                Err(Reported) => {
                    self.broken.insert(name.into_owned());
                }
            }
        }
    }
}

fn read(report: &mut Report, file: u32) -> Checked<Preset> {
    let source = Arc::clone(report.file(file));
    let table = syntax::parse(report, file, source.text())?;
    preset(&mut Scope { report, group: None }, file, &table, source.text())
}

fn preset(
    scope: &mut Scope<'_>,
    file: u32,
    table: &DeTable<'_>,
    source_text: &str,
) -> Checked<Preset> {
    let fields = Fields::new(file, Spot { file, start: 0, end: 0 }, table);
    scope.known_keys(&fields, &schema::PRESET);
    let text = |scope: &mut Scope<'_>, key: &str| match fields.get(key) {
        Some(field) => scope.text(field.value, key, "a string").map(str::to_owned),
        None => Ok(String::new()),
    };
    let description = text(scope, "description");
    let source = text(scope, "source");
    let mut any = None;
    let ports = match fields.get("ports") {
        Some(field) => listeners::ports(scope, field.value, &mut any)?,
        None => Vec::new(),
    };
    if ports.is_empty() || any.is_some() {
        scope
            .report
            .file_error(Code::NoPorts, file, "a preset names the ports of a service")
            .help("add ports = [\"80/tcp\"]");
        return Err(Reported);
    }
    Ok(Preset {
        description: description?,
        source: source?,
        ports: ports.into_iter().map(|(listener, _)| listener).collect(),
        file: None,
        text: source_text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_preset_is_sound_and_says_where_it_comes_from() {
        let presets = Presets::shipped();
        for &(name, _) in SHIPPED {
            let preset = presets.get(name).expect(name);
            assert!(!preset.description.is_empty() && !preset.source.is_empty(), "{name}");
        }
        assert_eq!(presets.names().count(), SHIPPED.len());
    }

    #[test]
    fn every_file_of_the_folder_ships() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/presets");
        let mut report = Report::default();
        let files = source::list(&folder, &mut report);
        let mut names: Vec<_> =
            files.iter().map(|path| path.file_stem().expect("a name").to_string_lossy()).collect();
        names.sort();
        assert_eq!(names, SHIPPED.iter().map(|&(name, _)| name).collect::<Vec<_>>());
    }
}
