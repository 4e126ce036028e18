//! What `--help` prints: one screen for the program, one for each command, 80 columns wide.
//!
//! The program's own is written by hand, for a list of so many commands with a sentence each
//! is none that anybody reads; a test sees to it that it names them all. So are those of the
//! two commands that have more options than a screen has lines. Those of the others are
//! clap's, without the options that every command has. Each ends with examples.

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

";

/// What the last line of a command's help says.
const ALSO: &str = "As every command it also takes -c FILE, -o json, -q and others: fwmarkctl -h";

/// The options of a group's keys, without a line for each.
const KEYS: &str = "\n
  --vip <VIP,…>         addresses or prefixes for clients (repeatable)
  --port <PORT,…>       80 (is tcp), 443/udp, 8000-8100, any (repeatable)
  --service <NAME,…>    presets, such as http,https (repeatable)
  --mark <MARK>         10 or 0xa; with ppc 80/tcp=10,443/tcp=11
  --via <VIA>           what its services listen to: mark or address
  --scheduler <NAME>    and its flags: wlc, mh,fallback,port
  --one-packet[=<BOOL>] schedule each UDP packet by itself
  --persistence <MODE>  none|ppc|pcc|pfwmc:300,netmask=24,netmask6=64,engine=sip
  --forward <METHOD>    dr, nat, fullnat (--snat <ADDRESS> is its source),
                        tun, tun:gue:PORT:csum or :remcsum, tun:gre:csum
";

/// The options of how an edit is carried out.
const HOW: &str = "\
  --dry-run: show what would change     --no-wait: for another, but exit with 5
  --apply: do it, or put the file back  --yes: do not ask before much goes
  --confirm-within <TIME>: with --apply, return unless `confirm` comes";

/// The helps of commands with too many options for a line each: what they are, and the
/// options that they alone have.
const DENSE: &[(&str, &str, &str)] = &[
    (
        "group add",
        "\
Add one, by default in a file of its own in groups.d

Usage: fwmarkctl group add [OPTIONS] <NAME>",
        "--real <SERVER>       10.0.0.1,weight=2, keys of `real add` (repeatable)
  --disabled            keep it out of the kernel until it is enabled
  --file <FILE>         write to this one, which is read, instead
",
    ),
    (
        "group set",
        "\
Set keys of one; what is not named stays

Usage: fwmarkctl group set [OPTIONS] <GROUP>",
        "--unset <KEY>         take a key out: it is the default again (repeatable)
",
    ),
];

/// What such a command prints of itself, but for the examples.
fn dense(name: &str) -> Option<String> {
    let (_, what, own) = DENSE.iter().find(|(of, ..)| *of == name)?;
    Some(format!("{what}{KEYS}  {own}  {HOW}"))
}

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
    let heading = if examples.len() == 1 { "Example" } else { "Examples" };
    let examples = examples.join("\n  ");
    // The manual page has the examples from here, also where this help is another.
    let command = match command.get_after_help().map(ToString::to_string) {
        _ if examples.is_empty() => command,
        None => command.after_help(format!("{heading}:\n  {examples}")),
        Some(more) => command.after_help(format!("{heading}:\n  {examples}\n\n{more}")),
    };
    if let Some(dense) = dense(&name) {
        return command.override_help(format!("{dense}\n{heading}:\n  {examples}\n{ALSO}\n"));
    }
    let command = command.help_template(format!("{COMMAND}{ALSO}"));
    command.mut_subcommands(|command| told(command, &format!("{name} ")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            if width > WIDTH || height > 24 || !help.contains("Example") {
                wrong.push(format!("{name}: {width} x {height}\n{help}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_dense_help_names_each_option_of_its_command_once() {
        for (name, ..) in DENSE {
            let help = dense(name).expect("it is one of them");
            let mut root = definitions();
            root.build();
            let words = name.split_whitespace();
            let command = words.fold(&root, |command, word| {
                command.find_subcommand(word).unwrap_or_else(|| panic!("no command {name}"))
            });
            let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
            let mut options: Vec<_> = shown.filter_map(|arg| arg.get_long()).collect();
            options.retain(|long| *long != "help");
            options.sort_unstable();
            let body = help.split("\n\n").last().unwrap_or_default().replace("with --apply", "");
            let is_of_name = |it: char| it.is_ascii_lowercase() || it == '-';
            let mut named: Vec<_> = body
                .split("--")
                .skip(1)
                .filter_map(|rest| rest.split(|it| !is_of_name(it)).next())
                .collect();
            named.sort_unstable();
            assert_eq!(named, options, "{name}");
            assert!(help.starts_with(&command.get_about().unwrap_or_default().to_string()));
        }
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
