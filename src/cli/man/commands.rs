//! Options and commands as the command line reads them.

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::roff;
use crate::cli::args::{Arguments, definitions};

/// The options of every command.
pub(super) fn options() -> String {
    let mut root = Arguments::command();
    root.build();
    let shown = root.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional());
    shown.map(argument).collect()
}

/// Every command with its own options, a section each.
pub(super) fn commands() -> String {
    let mut text = String::new();
    let mut root = definitions();
    root.build();
    walk(&mut root, &mut text);
    text
}

fn walk(of: &mut Command, text: &mut String) {
    for command in of.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
        if !command.is_subcommand_required_set() {
            *text += &section(command);
        }
        walk(command, text);
    }
}

fn section(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").lines().next().unwrap_or_default();
    let mut text = roff::subheading(usage.trim_start_matches("fwmarkctl "));
    if let Some(about) = command.get_about() {
        text += &roff::paragraph(&format!("{about}."));
    }
    let own = command.get_arguments().filter(|arg| {
        let is_help = matches!(arg.get_action(), ArgAction::Help | ArgAction::Version);
        !arg.is_hide_set() && !arg.is_global_set() && !is_help
    });
    text += &own.map(argument).collect::<String>();
    if let Some(after) = command.get_after_help() {
        text += &roff::literal(&after.to_string());
    }
    text
}

fn argument(arg: &Arg) -> String {
    let values = match arg.get_value_names() {
        Some(names) if takes_value(arg) => {
            names.iter().map(|name| format!("\\fI{}\\fR", roff::code(name))).collect()
        }
        _ => Vec::new(),
    };
    let values = values.join(" ");
    let short = arg.get_short().map(|short| roff::bold(&format!("-{short}")));
    let long = arg.get_long().map(|long| roff::bold(&format!("--{long}")));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let word = match (names.join(", "), values.as_str()) {
        (names, "") => names,
        (names, values) if names.is_empty() => values.to_owned(),
        (names, values) => format!("{names} {values}"),
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let default: Vec<_> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = if default.is_empty() || !takes_value(arg) {
        String::new()
    } else {
        format!(" (default: {})", default.join(" "))
    };
    roff::entry(&word, &roff::escaped(&format!("{}{default}.", help.replace('\n', " "))))
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}
