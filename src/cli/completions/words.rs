//! What could stand in the place of the last word of a command line.
//!
//! The words are followed through the definitions that also read them, so that a command
//! or an option that comes later is completed without a line here. What depends on the
//! machine goes by the name of a value: what is called GROUP is a group.

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command, CommandFactory};

use super::names::{self, Names};
use crate::cli::args::Arguments;
use crate::cli::schema;
use crate::{config, preflight};

/// What could stand there, and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) value: String,
    pub(super) about: String,
}

/// Asks the shell for its files.
const FILES: &str = ":";

fn candidate(value: impl Into<String>, about: impl Into<String>) -> Candidate {
    Candidate { value: value.into(), about: about.into() }
}

fn told(about: Option<&StyledStr>) -> String {
    about.map(ToString::to_string).unwrap_or_default()
}

/// Where the last word stands.
struct Place<'a> {
    command: &'a Command,
    /// The words behind the command's name that are no options.
    positional: Vec<&'a str>,
    /// The option whose value comes.
    option: Option<&'a Arg>,
    /// Whether options are over, by `--`.
    is_over: bool,
}

impl<'a> Place<'a> {
    fn of(root: &'a Command, before: &'a [String]) -> Self {
        let mut place =
            Self { command: root, positional: Vec::new(), option: None, is_over: false };
        for word in before {
            place.step(word);
        }
        place
    }

    fn step(&mut self, word: &'a str) {
        if self.option.take().is_some() {
            return;
        }
        if !self.is_over && word == "--" {
            self.is_over = true;
        } else if !self.is_over && word.len() > 1 && word.starts_with('-') {
            self.option = self.find(word).filter(|arg| takes_value(arg));
        } else if let Some(command) =
            self.command.find_subcommand(word).filter(|_| self.positional.is_empty())
        {
            self.command = command;
        } else {
            self.positional.push(word);
        }
    }

    /// The option of a word whose value is the next one.
    fn find(&self, word: &str) -> Option<&'a Arg> {
        let mut all = self.command.get_arguments();
        match word.strip_prefix("--") {
            Some(long) => all.find(|arg| arg.get_long() == Some(long)),
            None => all.find(|arg| {
                arg.get_short().is_some_and(|short| word.len() == 2 && word.ends_with(short))
            }),
        }
    }
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// What could stand in the place of the last of these words.
pub(super) fn complete(words: &[String]) -> Vec<Candidate> {
    let mut root = Arguments::command();
    root.build();
    let Some((word, before)) = words.split_last() else { return Vec::new() };
    let place = Place::of(&root, before);
    let names = Names::of(before);
    if let Some((name, _)) = word.split_once('=').filter(|_| word.starts_with("--")) {
        // The value of an option, in the same word.
        let Some(arg) = place.find(name).filter(|arg| takes_value(arg)) else { return Vec::new() };
        let with_name = |it: Candidate| candidate(format!("{name}={}", it.value), it.about);
        return fitting(values(arg, &place, &names).into_iter().map(with_name), word);
    }
    if let Some(arg) = place.option {
        return fitting(values(arg, &place, &names), word);
    }
    if word.starts_with('-') && !place.is_over {
        return fitting(options(place.command), word);
    }
    let mut found = Vec::new();
    if place.positional.is_empty() {
        let commands = place.command.get_subcommands().filter(|command| !command.is_hide_set());
        found.extend(commands.map(|it| candidate(it.get_name(), told(it.get_about()))));
    }
    let positionals: Vec<_> = place.command.get_positionals().collect();
    let more = positionals.last().filter(|last| matches!(last.get_action(), ArgAction::Append));
    if let Some(arg) = positionals.get(place.positional.len()).or(more) {
        found.extend(values(arg, &place, &names));
    }
    fitting(found, word)
}

/// Those that begin as the word does; files are for the shell to choose.
fn fitting(all: impl IntoIterator<Item = Candidate>, word: &str) -> Vec<Candidate> {
    all.into_iter().filter(|it| it.value == FILES || it.value.starts_with(word)).collect()
}

fn options(of: &Command) -> Vec<Candidate> {
    let shown = of.get_arguments().filter(|arg| !arg.is_hide_set());
    let named = shown.filter_map(|arg| Some((arg.get_long()?, arg)));
    named.map(|(long, arg)| candidate(format!("--{long}"), told(arg.get_help()))).collect()
}

/// What an argument takes.
fn values(arg: &Arg, place: &Place<'_>, names: &Names) -> Vec<Candidate> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let shown = possible.iter().filter(|value| !value.is_hide_set());
        return shown.map(|it| candidate(it.get_name(), told(it.get_help()))).collect();
    }
    let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |it| it.as_str());
    let plain = |all: Vec<String>| all.into_iter().map(|it| candidate(it, "")).collect();
    match (place.command.get_name(), name) {
        (_, "GROUP") | ("up" | "status", "NAME") => plain(names.groups()),
        (_, "ADDRESS[:PORT]") => plain(names.servers(place.positional.first().copied())),
        (_, "GENERATION" | "FROM" | "TO") => plain(names.generations()),
        ("show", "NAME") | (_, "PRESET") => names::presets(),
        (_, "CODE|CLIENT[:PORT]") => codes(),
        ("schema", _) => plain(schemas(&place.positional)),
        (_, "FILE" | "DIR") => vec![candidate(FILES, "")],
        (_, "FORMAT FILE") => {
            let kinds = crate::import::Kind::ALL.iter();
            kinds.map(|kind| candidate(kind.as_str(), "")).chain([candidate(FILES, "")]).collect()
        }
        _ => Vec::new(),
    }
}

/// The next words of the names of schemas.
fn schemas(before: &[&str]) -> Vec<String> {
    let mut next: Vec<_> = schema::names()
        .filter_map(|name| {
            let words: Vec<_> = name.split(' ').collect();
            words.strip_prefix(before)?.first().map(|word| (*word).to_owned())
        })
        .collect();
    next.dedup();
    next
}

/// The codes of errors and findings, with their headings.
fn codes() -> Vec<Candidate> {
    let heading = |text: &str| {
        let line = text.lines().next().unwrap_or_default();
        line.trim_start_matches(['#', ' ']).to_owned()
    };
    let of_config = config::Code::ALL.iter().map(|code| (code.as_str(), code.explanation()));
    let of_doctor = preflight::Code::ALL.iter().map(|code| (code.as_str(), code.explanation()));
    of_config.chain(of_doctor).map(|(code, text)| candidate(code, heading(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete_line(line: &str) -> Vec<String> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        complete(&words).into_iter().map(|candidate| candidate.value).collect()
    }

    #[test]
    fn commands_options_and_words_come_from_the_definitions() {
        assert_eq!(complete_line("pl"), ["plan"]);
        assert_eq!(complete_line("real "), ["add", "set", "remove", "drain", "restore"]);
        assert!(!complete_line("").contains(&"await-confirmation".to_owned()));
        assert_eq!(complete_line("plan --det"), ["--detailed-exitcode"]);
        assert_eq!(complete_line("plan --sta"), ["--state-dir"]);
        assert_eq!(complete_line("compile --format ipt"), ["iptables"]);
        assert_eq!(complete_line("compile --format=ipt"), ["--format=iptables"]);
        assert_eq!(complete_line("-o "), ["text", "json"]);
        assert_eq!(complete_line("-o json pl"), ["plan"]);
        assert_eq!(complete_line("-c "), [":"]);
        assert_eq!(complete_line("plan -- --det"), [""; 0]);
    }

    #[test]
    fn names_come_from_the_files_that_the_line_names() {
        let line = |rest: &str| complete_line(&format!("-c examples/dual-stack.toml {rest}"));
        let groups = line("status ");
        assert!(!groups.is_empty());
        let servers = line(&format!("real drain {} ", groups[0]));
        assert!(servers.len() > 1 && servers.iter().any(|it| it.contains("::")), "{servers:?}");
        assert_eq!(complete_line("-c nowhere.toml status "), [""; 0]);
        assert_eq!(complete_line("preset show http3"), ["http3"]);
        assert_eq!(complete_line("explain E0213"), ["E0213"]);
        assert_eq!(complete_line("schema preset "), ["list", "show"]);
    }
}
