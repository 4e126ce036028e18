//! What is wrong with an edit that was asked for, where, and what to do about it.

use std::path::Path;

use super::super::codes::Code;
use super::super::diagnostic::{Report, Spot};
use super::super::source::{SourceFile, read_file};
use super::super::text::nearest;
use super::super::{Config, ConfigErrors};
use super::entry::Entries;
use super::{Edit, Files, ServerName};
use crate::model::GroupName;

/// More names than these are not listed.
const LISTED: usize = 8;

fn errors(report: Report) -> ConfigErrors {
    match report.finish() {
        Err(errors) => errors,
        Ok(_) => ConfigErrors { diagnostics: Vec::new(), omitted: 0 },
    }
}

fn list<T: ToString>(names: impl ExactSizeIterator<Item = T>) -> String {
    let more = if names.len() > LISTED { ", …" } else { "" };
    names.take(LISTED).map(|name| name.to_string()).collect::<Vec<_>>().join(", ") + more
}

/// There is no group of that name. The place is that of the nearest one.
pub(super) fn unknown_group(config: &Config, name: &str, uid: u32) -> ConfigErrors {
    let mut report = Report::default();
    let message = format!("there is no group '{name}'");
    let names = || config.groups.iter().map(|group| group.name.as_str());
    let Some(near) = nearest(name, names()) else {
        let help = format!("the groups are {}", list(names()));
        report.placeless(Code::UnknownGroup, &message).help(help);
        return errors(report);
    };
    let origin = near.parse().ok().and_then(|near| config.origin(&near));
    let path = origin.and_then(|origin| origin.path.as_deref());
    // A file that cannot be read by now has no place to show.
    let mut unread = Report::default();
    let is_there = path.is_some_and(|path| read_file(path, uid, &mut unread).is_some());
    let text = if is_there { unread.file(0).text().to_owned() } else { String::new() };
    let shown = path.map_or_else(String::new, |path| path.to_string_lossy().into_owned());
    let file = report.add_file(SourceFile::new(&shown, text.clone()));
    let help = format!("did you mean '{near}'?");
    match group_key(&text, near) {
        Some((start, end)) => report
            .error(Code::UnknownGroup, spot(file, start, end), &message)
            .label("this one is there"),
        None => report.placeless(Code::UnknownGroup, &message),
    }
    .help(help);
    errors(report)
}

/// Where a text names a group.
pub(super) fn group_key(text: &str, group: &str) -> Option<(usize, usize)> {
    let document = toml::de::DeTable::parse(text).ok()?.into_inner();
    let toml::de::DeValue::Table(groups) = document.get("group")?.get_ref() else { return None };
    let (key, _) = groups.get_key_value(group)?;
    Some((key.span().start, key.span().end))
}

/// The configuration came from standard input.
pub(super) fn no_file(group: &str) -> ConfigErrors {
    let mut report = Report::default();
    let file = report.add_file(SourceFile::new("<stdin>", String::new()));
    let message = format!("group {group} is defined on standard input, which cannot be edited");
    report.file_error(Code::NoFile, file, &message).help("name its file: --config FILE");
    errors(report)
}

fn spot(file: u32, start: usize, end: usize) -> Spot {
    let number = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
    Spot { file, start: number(start), end: number(end) }
}

/// A mistake about a real server: at its own place, else where the list begins.
fn at_server(
    edit: &Edit,
    code: Code,
    server: Option<ServerName>,
    (message, label, help): (String, &str, String),
) -> ConfigErrors {
    let mut report = Report::default();
    let name = edit.path.to_string_lossy();
    let file = report.add_file(SourceFile::new(&name, edit.before.clone()));
    let message = format!("group {}: {message}", edit.group);
    let place = Entries::of(&edit.before, &edit.group).map(|entries| {
        let own = server.and_then(|server| entries.find(server));
        own.map_or(entries.key.clone(), |(_, entry)| entry.address.clone())
    });
    match place {
        Some(place) => {
            report.error(code, spot(file, place.start, place.end), &message).label(label)
        }
        None => report.file_error(code, file, &message),
    }
    .help(help)
    .group = Some(edit.group.clone());
    errors(report)
}

/// There is no such real server.
pub(super) fn unknown_server(edit: &Edit, known: &[ServerName], name: ServerName) -> ConfigErrors {
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    let help = match nearest(&name.to_string(), known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}? its real servers are {}", list(known.iter())),
        None => format!("its real servers are {}", list(known.iter())),
    };
    let what = (format!("there is no real server {name}"), "not among these", help);
    at_server(edit, Code::UnknownRealServer, None, what)
}

/// Several real servers have the address, and none was chosen by its port.
pub(super) fn ambiguous(edit: &Edit, meant: &[ServerName], name: ServerName) -> ConfigErrors {
    let message = format!("{name} is there with several ports");
    let help = format!("name one with its port: {}", list(meant.iter()));
    at_server(edit, Code::UnknownRealServer, None, (message, "which of these?", help))
}

/// Nobody would be left.
pub(super) fn last(edit: &Edit, name: ServerName, only: bool) -> ConfigErrors {
    let (message, label, help) = if only {
        let message = match edit.real_servers().len() {
            1 => format!("{name} is the only real server, and a group needs one"),
            _ => "these are all its real servers, and a group needs one".to_owned(),
        };
        (
            message,
            "cannot be removed",
            "add another one first; to take the group out write enabled = false",
        )
    } else {
        (
            format!("without {name} no real server takes new clients"),
            "the last one with a weight",
            "give another one a weight first; --force refuses new clients until you do",
        )
    };
    at_server(edit, Code::LastRealServer, Some(name), (message, label, help.to_owned()))
}

/// The group has such a real server already.
pub(super) fn server_exists(edit: &Edit, name: ServerName) -> ConfigErrors {
    let message = format!("{name} is a real server already");
    let help = format!("to change it: fwmarkctl real set {} {name} weight=2", edit.group);
    at_server(edit, Code::RealServerExists, Some(name), (message, "this one", help))
}

/// A splice would change more than what was asked for.
pub(super) fn not_editable(edit: &Edit, what: &str) -> ConfigErrors {
    let mut report = Report::default();
    let name = edit.path.to_string_lossy();
    let file = report.add_file(SourceFile::new(&name, edit.before.clone()));
    let message = format!("group {}: {what} cannot be edited without changing more", edit.group);
    match group_key(&edit.before, &edit.group) {
        Some((start, end)) => {
            report.error(Code::NotEditable, spot(file, start, end), &message).label("in this group")
        }
        None => report.file_error(Code::NotEditable, file, &message),
    }
    .help("edit the file by hand, and run: fwmarkctl apply")
    .group = Some(edit.group.clone());
    errors(report)
}

/// A group that is to be added is there.
pub(super) fn group_exists(
    path: &Path,
    text: &str,
    name: &GroupName,
    (start, end): (usize, usize),
) -> ConfigErrors {
    let mut report = Report::default();
    let file = report.add_file(SourceFile::new(&path.to_string_lossy(), text.to_owned()));
    let message = format!("there is a group '{name}' already");
    report
        .error(Code::GroupExists, spot(file, start, end), &message)
        .label("this one")
        .help(format!("to change it: fwmarkctl group set {name} …; or choose another name"));
    errors(report)
}

/// A new group would go to a file that is not read, or to one of several.
pub(super) fn not_read(name: &GroupName, chosen: Option<&Path>, files: &Files) -> ConfigErrors {
    let mut report = Report::default();
    let message = match chosen {
        Some(chosen) => format!("{} is no file of the configuration", chosen.display()),
        None => format!("which file shall have the group {name}?"),
    };
    let help = match files {
        Files::Default { main, groups } => {
            format!("name {} or a file {}/*.toml", main.display(), groups.display())
        }
        Files::Named(files) => {
            let files = list(files.iter().map(|file| file.display()));
            format!("name one of those that are read, with --file FILE: {files}")
        }
    };
    report.placeless(Code::NotRead, &message).help(help);
    errors(report)
}
