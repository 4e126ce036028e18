//! Errors as people and programs see them: what, where, and what mends it.

use schemars::JsonSchema;
use serde::Serialize;

use super::output::Format;
use crate::backend::{IpvsError, MachineError, NetfilterError};
use crate::config::{Code, ConfigError, Look};
use crate::error::Error;
use crate::model::GroupName;
use crate::plan::{ChangeLine, Loss};
use crate::transaction::{Cause, LockError, TransactionError, Unreadable};

/// What stands for an error, whatever the command.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Failure")]
pub(super) struct Document<'e> {
    format: Format,
    error: Body<'e>,
}

/// What is told of an error.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "AnyError")]
pub(super) enum Body<'e> {
    Config(ConfigError<'e>),
    Other(Other<'e>),
}

/// An error of any other kind than `config`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(super) struct Other<'e> {
    /// What kind: `usage`, `kernel`, `conflict`, `locked`, …
    kind: &'static str,
    /// It in a sentence.
    message: String,
    /// What mends it.
    hint: Option<String>,
    /// Where in a file it is, where it is in one.
    spans: Vec<Span>,
    /// Its code, where it has one; `fwmarkctl explain` tells more.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    /// What would go out of service, where that was not agreed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    loss: Option<Loss>,
    /// What still differs from what it should be.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    remaining: &'e [ChangeLine],
    /// The services of somebody else that are in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    conflicts: Option<Vec<InTheWay>>,
}

/// A place in a file of another tool; lines and columns count from 1.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Place")]
struct Span {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
}

/// A service of somebody else on one of our marks.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Conflict")]
struct InTheWay {
    key: String,
    /// The group that wants the mark.
    group: Option<GroupName>,
    found: String,
    wanted: String,
}

/// What mends an error, where that is known.
pub(super) fn hint(error: &Error) -> Option<String> {
    match error {
        Error::Usage { hint, .. } => hint.clone(),
        Error::Compile(_) => Some("widen `marks` in [director]".to_owned()),
        Error::Kernel(cause)
        | Error::Transaction(
            TransactionError::Unread(cause) | TransactionError::Restored { cause },
        ) => cause_hint(cause),
        Error::Transaction(TransactionError::Conflict(_)) => Some(
            "give the group another mark, remove the service with `ipvsadm -D`, \
             or take it over with `fwmarkctl apply --adopt`; `fwmarkctl plan --adopt` shows what \
             that would change"
                .to_owned(),
        ),
        Error::Transaction(TransactionError::Unconfirmed(_)) => Some(
            "`fwmarkctl plan` shows what would go; if that is meant, say --yes, as in \
             `fwmarkctl apply --yes`, or raise `ask-above` in [director]"
                .to_owned(),
        ),
        Error::Transaction(TransactionError::Incomplete(_)) => Some(
            "mend what failed, then run `fwmarkctl recover`; or leave the kernel as it is \
             with `fwmarkctl recover --abandon`"
                .to_owned(),
        ),
        Error::Pending { .. } => Some(
            "`fwmarkctl confirm` keeps it, `fwmarkctl rollback` returns to the state before"
                .to_owned(),
        ),
        Error::History(Unreadable::Damaged { .. }) => {
            Some("`fwmarkctl history` shows the others".to_owned())
        }
        Error::History(Unreadable::Missing(_)) => Some("fwmarkctl history".to_owned()),
        Error::Lock(LockError::File(_, error))
            if error.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Some("run it as root: changing the kernel needs CAP_NET_ADMIN".to_owned())
        }
        Error::Transaction(TransactionError::Journal(_)) | Error::Lock(LockError::File(..)) => {
            Some("make room there, or name other folders with --state-dir and --run-dir".to_owned())
        }
        Error::Lock(LockError::Held(_)) => Some("run it again without --no-wait".to_owned()),
        Error::RealServer(error) => error.remedy(),
        Error::Config(_)
        | Error::Import(_)
        | Error::Record { .. }
        | Error::File { .. }
        | Error::History(Unreadable::File { .. })
        | Error::Expired(_)
        | Error::Output(_) => None,
    }
}

fn cause_hint(cause: &Cause) -> Option<String> {
    let privilege = "run it as root, or with CAP_NET_ADMIN";
    match cause {
        Cause::Netfilter(NetfilterError::Privilege) | Cause::Ipvs(IpvsError::Privilege) => {
            Some(privilege.to_owned())
        }
        Cause::Netfilter(NetfilterError::PrivilegeOf(_)) => {
            Some("run it as root, or with CAP_NET_ADMIN and CAP_NET_RAW".to_owned())
        }
        Cause::Netfilter(NetfilterError::Unsupported(_)) => Some("modprobe nf_tables".to_owned()),
        Cause::Ipvs(IpvsError::Unsupported) => Some("modprobe ip_vs".to_owned()),
        Cause::Machine(MachineError::Ipvs(error)) => match **error {
            IpvsError::Privilege => Some(privilege.to_owned()),
            IpvsError::Unsupported => Some("modprobe ip_vs".to_owned()),
            _ => None,
        },
        Cause::Machine(MachineError::Refused { remedy, .. })
        | Cause::Ipvs(IpvsError::Refused { remedy, .. }) => remedy.clone(),
        Cause::Durability(_) => {
            Some("see to the disk of --state-dir, then run it again".to_owned())
        }
        Cause::Contended => {
            Some("stop whatever reloads the firewall, then run it again".to_owned())
        }
        _ => None,
    }
}

/// What an interrupted transaction left, line by line.
fn remaining(error: &Error) -> &[ChangeLine] {
    match error {
        Error::Transaction(TransactionError::Incomplete(incomplete)) => &incomplete.remaining,
        Error::Transaction(TransactionError::Restored { cause: Cause::Differs(lines) }) => lines,
        _ => &[],
    }
}

/// What would go out of service.
fn loss(error: &Error) -> Option<Loss> {
    match error {
        Error::Transaction(TransactionError::Unconfirmed(found)) => Some(found.loss),
        _ => None,
    }
}

/// The code of an error that has one and is no mistake in a configuration.
fn code(error: &Error) -> Option<Code> {
    loss(error).map(|_| Code::Unconfirmed)
}

fn conflicts(error: &Error) -> Vec<String> {
    match error {
        Error::Transaction(TransactionError::Conflict(conflicts)) => {
            conflicts.iter().map(ToString::to_string).collect()
        }
        _ => Vec::new(),
    }
}

/// Where in the files of other tools.
fn spans(error: &Error) -> Vec<Span> {
    let Error::Import(error) = error else { return Vec::new() };
    let (file, line) = error.place();
    vec![Span { file: file.to_owned(), line, column: line.map(|_| 1) }]
}

/// What clap says of a command line, as an error of ours: a sentence, the indented lines
/// that end it, and as the remedy its tip, the values that it takes, or how it is used.
pub(super) fn of_usage(text: &str) -> Error {
    let mut lines = text.lines();
    let mut message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let (mut tip, mut values, mut used) = (None, None, None);
    let mut ended = false;
    for line in lines.map(str::trim) {
        ended |= line.is_empty();
        if let Some(found) = line.strip_prefix("tip: ") {
            tip.get_or_insert(found.to_owned());
        } else if line.starts_with("[possible values: ") {
            let found = line.trim_start_matches('[').trim_end_matches(']');
            values.get_or_insert(found.to_owned());
        } else if let Some(found) = line.strip_prefix("Usage: ") {
            used.get_or_insert(format!("usage: {found}"));
        } else if !ended {
            message += &format!(" {line}");
        }
    }
    Error::Usage { message, hint: tip.or(values).or(used) }
}

/// The error as one JSON document.
pub(super) fn document(error: &Error) -> Document<'_> {
    Document { format: Format, error: body(error) }
}

/// What is told of an error.
pub(super) fn body(error: &Error) -> Body<'_> {
    if let Error::Config(errors) = error {
        return Body::Config(ConfigError::of(errors));
    }
    Body::Other(Other {
        kind: error.kind(),
        message: error.sentence(),
        hint: hint(error),
        spans: spans(error),
        code: code(error),
        loss: loss(error),
        remaining: remaining(error),
        conflicts: in_the_way(error),
    })
}

fn in_the_way(error: &Error) -> Option<Vec<InTheWay>> {
    let Error::Transaction(TransactionError::Conflict(conflicts)) = error else { return None };
    let told = conflicts.iter().map(|conflict| InTheWay {
        key: conflict.key.to_string(),
        group: conflict.wanted.group.clone(),
        found: conflict.found.to_string(),
        wanted: conflict.wanted.to_string(),
    });
    Some(told.collect())
}

/// Escapes what a terminal would obey: an argument may hold anything.
pub(super) fn defuse(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && !matches!(letter, '\n' | '\t') {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// The error as sentences.
pub(super) fn text(error: &Error, colored: bool) -> String {
    if let Error::Config(errors) = error {
        return errors.render(Look { colour: colored, ..Look::PLAIN });
    }
    let code = code(error).map_or_else(String::new, |code| format!("[{code}]"));
    let mut text = format!("error{code}: {}\n", defuse(&error.sentence()));
    for conflict in conflicts(error) {
        text += &format!("  {}\n", conflict.replace('\n', "\n  "));
    }
    for line in remaining(error) {
        text += &format!("  still differs: {}\n", super::plan::sentence(line));
    }
    if let Some(hint) = hint(error) {
        text += &format!("help: {hint}\n");
    }
    text
}
