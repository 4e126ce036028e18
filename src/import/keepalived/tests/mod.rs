//! What becomes of whole configurations.

mod groups;
mod servers;
mod texts;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Files, Options, read};
use crate::import::{Document, ImportError, Imported};

/// Files in memory; a pattern is a whole name, or all that begins like it before a star.
#[derive(Default)]
struct InMemory(BTreeMap<PathBuf, String>);

impl InMemory {
    fn of(files: &[(&str, &str)]) -> Self {
        let owned = |(path, text): &(&str, &str)| (PathBuf::from(path), (*text).to_owned());
        Self(files.iter().map(owned).collect())
    }
}

impl Files for InMemory {
    fn matching(&self, folder: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let path = folder.join(pattern.trim_end_matches('*')).to_string_lossy().into_owned();
        let is_meant = |known: &&PathBuf| {
            let known = known.to_string_lossy();
            if pattern.ends_with('*') { known.starts_with(&path) } else { known == path }
        };
        Ok(self.0.keys().filter(is_meant).cloned().collect())
    }

    fn read(&self, path: &Path) -> Result<Document, ImportError> {
        let text = self.0.get(path).map_or("", String::as_str);
        Ok(Document::new(&path.to_string_lossy(), text))
    }
}

fn with(text: &str, id: Option<&str>, files: &InMemory) -> Imported {
    let mut found = Imported::default();
    let options = Options { config_id: id, files };
    read(&Document::new("k.conf", text), Path::new("etc/k.conf"), &options, &mut found)
        .expect("keepalived's");
    found
}

fn imported(text: &str) -> Imported {
    with(text, None, &InMemory::default())
}

/// Services with real servers, and rules that mark; one a line.
fn made(found: &Imported) -> String {
    let mut text = String::new();
    for (key, service, _) in &found.services {
        let name = service.group.as_ref().map_or(String::new(), |name| format!(" [{name}]"));
        text += &format!("{key}: {service}{name}\n");
        for destination in &service.destinations {
            text += &format!("  {} {destination}\n", destination.key);
        }
    }
    for (_, claim) in &found.claims {
        text += &format!("{}: mark {}\n", claim.key, claim.mark);
    }
    text
}

/// What was told, with the lines.
fn told(found: &Imported) -> Vec<String> {
    found.not_turned.iter().map(|it| format!("{}: {}", it.place, it.sentence)).collect()
}

#[track_caller]
fn becomes(text: &str, wanted: &str) {
    let found = imported(text);
    let wanted: Vec<_> = wanted.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let made = made(&found);
    let made: Vec<_> = made.lines().map(str::trim).collect();
    assert_eq!(made, wanted, "{:#?}", told(&found));
}

#[track_caller]
fn tells(text: &str, wanted: &str) {
    let told = told(&imported(text));
    assert!(told.iter().any(|line| line.contains(wanted)), "{told:#?}");
}
