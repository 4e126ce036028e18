//! `import`: what other tools hold becomes groups, as TOML on standard output.

use std::fs::File;

use super::output::{Format, note};
use super::{Context, write_groups};
use crate::config::comment;
use crate::error::{Error, Exit};
use crate::import::{Document, ImportError, Imported, Kind, Note, Turned, read};
use crate::model::GroupName;

/// What was made of the files.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Imported")]
pub(super) struct Answer<'a> {
    format: Format,
    /// The configuration.
    toml: &'a str,
    /// How many groups are in it.
    groups: usize,
    /// What is in no group, or not as it was.
    not_turned: Vec<NotTurned<'a>>,
}

/// Something that no group says.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct NotTurned<'a> {
    file: Option<&'a str>,
    /// Counted from 1.
    line: Option<usize>,
    /// File and line, or what else tells where it is.
    place: Option<String>,
    message: &'a str,
    /// What to do about it.
    hint: Option<&'a str>,
}

pub(super) fn run(context: &mut Context, words: &[String]) -> Result<Exit, Error> {
    let files = files(words)?;
    let mut found = Imported::of_machine(machine());
    for (kind, name) in &files {
        read(*kind, &open(name)?, &mut found)?;
    }
    let Turned { groups, places, director, mut notes } = found.turn();
    let written = write_groups(groups, &director);
    let place = |name: &str| places.get(&name.parse::<GroupName>().ok()?).cloned();
    notes.extend(written.refused.into_iter().map(|wrong| Note {
        place: wrong.group.as_deref().and_then(place),
        sentence: wrong.message,
        remedy: wrong.help,
    }));
    let groups = written.groups.len();
    if context.output.is_json() {
        context.output.json(&Answer {
            format: Format,
            toml: &written.text,
            groups,
            not_turned: notes.iter().map(document_of).collect(),
        })?;
    } else {
        let from: Vec<_> = files.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        let mut text = comment(&format!("By `fwmarkctl import {}`.", from.join(" ")));
        for it in &notes {
            text += &comment(&format!("not turned: {}", sentence(it)));
        }
        context.output.raw(format!("{text}\n{}", written.text).as_bytes())?;
        if !context.global.quiet {
            tell(&notes, groups);
        }
    }
    // Who goes on with an apply has to look first.
    Ok(if notes.is_empty() { Exit::Done } else { Exit::Differs })
}

/// What keepalived.conf calls this machine: the host name up to its first dot.
fn machine() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.split('.').next()?.to_owned();
    (!name.is_empty()).then_some(name)
}

/// The files, each with the kind that was named before it.
fn files(words: &[String]) -> Result<Vec<(Kind, String)>, Error> {
    let usage = |message: String| Error::Usage {
        message,
        hint: Some("fwmarkctl import ipvsadm ipvs.rules iptables rules.v4 rules.v6".to_owned()),
    };
    let mut kind = None;
    let mut unused = None;
    let mut files: Vec<(Kind, String)> = Vec::new();
    for word in words {
        if let Ok(next) = word.parse::<Kind>() {
            if let Some(unused) = unused.replace(next) {
                return Err(usage(format!("no file follows the word {unused}")));
            }
            kind = Some(next);
            continue;
        }
        let Some(kind) = kind else {
            let known: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
            let known = known.join(", ");
            return Err(usage(format!(
                "'{word}' names no format; before the files stands one of {known}"
            )));
        };
        if word == "-" && files.iter().any(|(_, name)| name == "-") {
            return Err(usage("standard input can be read once".to_owned()));
        }
        unused = None;
        files.push((kind, word.clone()));
    }
    match unused {
        Some(unused) => Err(usage(format!("no file follows the word {unused}"))),
        None => Ok(files),
    }
}

fn open(name: &str) -> Result<Document, ImportError> {
    if name == "-" {
        return Document::read("<stdin>", std::io::stdin().lock());
    }
    let unreadable = |source| ImportError::Unreadable { file: name.to_owned(), source };
    Document::read(name, File::open(name).map_err(unreadable)?)
}

fn sentence(it: &Note) -> String {
    match &it.place {
        Some(place) => format!("{place}: {}", it.sentence),
        None => it.sentence.clone(),
    }
}

fn tell(notes: &[Note], groups: usize) {
    let mut text = String::new();
    for it in notes {
        text += &format!("not turned: {}\n", sentence(it));
        if let Some(remedy) = &it.remedy {
            text += &format!("  help: {remedy}\n");
        }
    }
    let count =
        |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let rest = if notes.is_empty() {
        String::new()
    } else {
        format!(", {} not turned", count(notes.len(), "thing"))
    };
    note(&super::failure::defuse(&format!("{text}{}{rest}\n", count(groups, "group"))));
}

fn document_of(it: &Note) -> NotTurned<'_> {
    NotTurned {
        file: it.place.as_ref().map(crate::import::Place::file),
        line: it.place.as_ref().and_then(crate::import::Place::line),
        place: it.place.as_ref().map(ToString::to_string),
        message: &it.sentence,
        hint: it.remedy.as_deref(),
    }
}
