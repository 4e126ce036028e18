//! What `--help` prints: one screen for the program, one for each command, 80 columns wide.
//!
//! The program's own is written by hand, for a list of so many commands with a sentence each
//! is none that anybody reads; a test sees to it that it names them all. Those of the commands
//! are clap's, without the options that every command has, and each ends with examples.

use std::ffi::OsString;

use clap::{Command, CommandFactory, FromArgMatches};

use super::Arguments;
use super::examples::EXAMPLES;

/// How wide a help is at most.
const WIDTH: usize = 80;

/// What the program is, what it can do, and what holds for all of that.
const PROGRAM: &str = "\
Firewall marks and IPVS virtual services as one thing

Usage: fwmarkctl [OPTIONS] [COMMAND]            without a command it is `status`

Apply  check        is the config right?     plan       what would be changed?
       apply        do it, all or nothing    confirm    keep what is on trial
       rollback     to an earlier state      history    what was applied, when
       watch        repair what drifts       recover    end what was interrupted
       clear        remove all that is ours  replace    the config, all of it
Edit   group        add, set, remove groups  real       add, drain real servers
       realserver   prepare a real server    preset     ports by service names
Look   status       groups, servers, sync    stats      counters and rates
       connections  who is connected         zero       count from zero
       doctor       what stops traffic       explain    a packet, or a code
       graph        the groups as a picture  top        the groups live
Turn   import       of other tools to TOML   export     what is held, as TOML
       compile      for nft, ipvsadm, …
More   schema       JSON Schemas             man        manual pages
       completions  for a shell

-c, --config FILE  instead of /etc/fwmarkctl  -o, --output text|json
-q, --quiet; -v, --verbose; --color WHEN      --backend nftables|iptables
--state-dir DIR, --run-dir DIR                -h, --help; -V, --version
Example: fwmarkctl -c web.toml plan           of a command: fwmarkctl plan -h
";

/// A command's help; its commands and options, and what else it takes.
const COMMAND: &str = "\
{before-help}{about-with-newline}
{usage-heading} {usage}

{all-args}{after-help}

As every command it also takes -c FILE, -o json, -q and others: fwmarkctl -h";

/// The definitions of commands and options, with what is printed of them.
pub fn definitions() -> Command {
    let root = Arguments::command().override_help(PROGRAM).max_term_width(WIDTH);
    let root = root.mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    root.mut_subcommands(|command| told(command, ""))
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// What it does not understand, or the help that it asks for.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let matches = definitions().try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut definitions()))
}

/// A command below `before`, with examples.
fn told(command: Command, before: &str) -> Command {
    let name = format!("{before}{}", command.get_name());
    let examples = EXAMPLES.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, lines)| lines);
    let command = match (examples, command.get_after_help().map(ToString::to_string)) {
        ([], _) => command,
        (lines, more) => {
            let heading = if lines.len() == 1 { "Example" } else { "Examples" };
            let more = more.map_or_else(String::new, |more| format!("\n\n{more}"));
            command.after_help(format!("{heading}:\n  {}{more}", lines.join("\n  ")))
        }
    };
    command.help_template(COMMAND).mut_subcommands(|command| told(command, &format!("{name} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands with more options than a small screen has lines.
    const LONG: &[&str] = &["group add", "group set"];

    /// Every command that is not hidden, by its whole name.
    fn commands() -> Vec<String> {
        fn walk(of: &Command, before: &str, found: &mut Vec<String>) {
            for command in of.get_subcommands().filter(|command| !command.is_hide_set()) {
                let name = format!("{before}{}", command.get_name());
                walk(command, &format!("{name} "), found);
                found.push(name);
            }
        }
        let mut found = vec![String::new()];
        walk(&definitions(), "", &mut found);
        found
    }

    /// What a command prints of itself.
    fn help(name: &str, option: &str) -> String {
        let words = ["fwmarkctl"].into_iter().chain(name.split_whitespace()).chain([option]);
        read(words.map(OsString::from)).expect_err("it is no command line").to_string()
    }

    #[test]
    fn every_help_fits_a_screen_and_has_an_example() {
        let all = commands();
        assert!(all.len() > 40, "{} commands", all.len());
        let mut wrong = Vec::new();
        for name in &all {
            let (help, long) = (help(name, "-h"), help(name, "--help"));
            assert_eq!(help, long, "{name}: -h and --help");
            let width = help.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            let height = help.lines().count();
            let most = if LONG.contains(&name.as_str()) { 40 } else { 24 };
            if width > WIDTH || height > most || !help.contains("Example") {
                wrong.push(format!("{name}: {width} x {height}\n{help}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn the_program_names_each_of_its_commands_once_and_each_option() {
        let mut root = definitions();
        root.build();
        // Two columns of names, each with a few words behind it.
        let rows: Vec<Vec<char>> = PROGRAM.lines().map(|line| line.chars().collect()).collect();
        let names = rows.iter().skip(4).take_while(|row| !row.is_empty()).flat_map(|row| {
            [7, 45].map(|at| row.get(at..).unwrap_or_default().iter().collect::<String>())
        });
        let mut names: Vec<_> =
            names.filter_map(|cell| Some(cell.split_whitespace().next()?.to_owned())).collect();
        names.sort();
        let shown = root.get_subcommands().filter(|command| !command.is_hide_set());
        let mut commands: Vec<_> = shown.map(|it| it.get_name().to_owned()).collect();
        commands.sort();
        assert_eq!(names, commands);
        for arg in root.get_arguments() {
            let long = arg.get_long().unwrap_or_default();
            assert!(PROGRAM.contains(&format!("--{long}")), "--{long}");
        }
    }

    #[test]
    fn each_example_is_of_a_command_and_understood_by_it() {
        let all = commands();
        for (name, lines) in EXAMPLES {
            assert!(all.iter().any(|of| of == name), "there is no {name}");
            let text = lines.join("\n").replace("\\\n", " ");
            for line in text.lines() {
                let calls = line.split('|').map(str::trim).filter(|it| it.starts_with("fwmarkctl"));
                for call in calls {
                    let call = call.split([';', '>']).next().unwrap_or(call);
                    let call = call.split("  ").next().unwrap_or(call);
                    let words = call.split_whitespace().map(OsString::from);
                    assert!(read(words).is_ok(), "{name}: {call}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_said_with_a_usage() {
        let wrong = read(["fwmarkctl", "aply"].map(OsString::from)).expect_err("no command");
        assert!(wrong.to_string().contains("apply"), "{wrong}");
        let wrong = read(["fwmarkctl", "group", "show"].map(OsString::from)).expect_err("no group");
        assert!(wrong.to_string().contains("Usage: fwmarkctl group show"), "{wrong}");
    }
}
