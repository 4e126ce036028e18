//! The programs of iptables: where they are, and how they are run.
//!
//! By absolute paths, with an empty environment, no shell between, and arguments that are
//! all ours: what a user wrote comes to them on standard input, quoted.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use iptables::IPTables;

use super::super::NetfilterError;
use super::presence::may_hold;
use crate::model::{Family, Variant};
use crate::render::iptables::MARKS;

/// Where distributions have them.
const FOLDERS: [&str; 5] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin"];

/// How many seconds a program of the legacy variant waits for `/run/xtables.lock`.
const LOCK_PATIENCE: &str = "5";

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Save,
    Restore,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Save => "save",
            Self::Restore => "restore",
        }
    }
}

/// The programs of a variant for a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Programs {
    pub(super) variant: Variant,
    pub(super) family: Family,
}

/// `iptables` or `ip6tables`.
fn stem(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "iptables",
        Family::Ipv6 => "ip6tables",
    }
}

impl Programs {
    /// What a table looks like, with its counters.
    ///
    /// # Errors
    /// [`NetfilterError`] when the program is not there, or fails.
    pub(super) fn save(self, table: &str) -> Result<String, NetfilterError> {
        let ended = self.run(Tool::Save, &["-c", "-t", table], "")?;
        if !ended.status.success() {
            return Err(self.failure(Tool::Save, &ended, "").into());
        }
        String::from_utf8(ended.stdout).map_err(|_| NetfilterError::Tool {
            program: self.name(Tool::Save),
            reason: "it printed what is no text".to_owned(),
        })
    }

    /// Loads a text, and leaves alone what it does not name. With `only_try` nothing is
    /// changed, but what the program does not understand is refused all the same.
    ///
    /// # Errors
    /// [`NetfilterError`]; the table that was refused is as it was.
    pub(super) fn restore(self, text: &str, only_try: bool) -> Result<(), NetfilterError> {
        let mut arguments = vec!["--noflush", "--counters"];
        if only_try {
            arguments.push("--test");
        }
        // The other variant knows the option, and has no lock to wait for.
        if self.variant == Variant::Legacy {
            arguments.extend(["--wait", LOCK_PATIENCE]);
        }
        let ended = self.run(Tool::Restore, &arguments, text)?;
        if ended.status.success() {
            return Ok(());
        }
        Err(self.failure(Tool::Restore, &ended, text).into())
    }

    /// Whether there is a chain of our marks. The legacy variant is asked by its program.
    pub(super) fn hold_marks(self) -> bool {
        let may_hold = may_hold(self.variant, self.family, "mangle").unwrap_or(false);
        may_hold && (self.variant == Variant::Nft || self.lists_marks())
    }

    /// What the `iptables` crate is for: it looks, with a program and arguments that are
    /// known beforehand.
    fn lists_marks(self) -> bool {
        let programs = match self.family {
            Family::Ipv4 => ["/usr/sbin/iptables-legacy", "/sbin/iptables-legacy"],
            Family::Ipv6 => ["/usr/sbin/ip6tables-legacy", "/sbin/ip6tables-legacy"],
        };
        let Some(cmd) = programs.into_iter().find(|program| Path::new(program).exists()) else {
            return false;
        };
        // Numeric: else the names of hosts are asked for.
        let look = IPTables { cmd, has_check: true, has_wait: true, is_numeric: true };
        look.chain_exists("mangle", MARKS).unwrap_or(false)
    }

    /// Whether the variant is there.
    pub(super) fn exist(self) -> bool {
        self.find(Tool::Restore).is_some() && self.find(Tool::Save).is_some()
    }

    fn name(self, tool: Tool) -> String {
        let variant = match self.variant {
            Variant::Nft => "nft",
            Variant::Legacy => "legacy",
        };
        format!("{}-{variant}-{}", stem(self.family), tool.name())
    }

    /// The program by its own name; else by the short one, where that is this variant.
    fn find(self, tool: Tool) -> Option<PathBuf> {
        in_folders(&self.name(tool)).or_else(|| {
            let short = in_folders(&format!("{}-{}", stem(self.family), tool.name()))?;
            (variant_of(&short)? == self.variant).then_some(short)
        })
    }

    fn run(self, tool: Tool, arguments: &[&str], input: &str) -> Result<Output, NetfilterError> {
        let name = self.name(tool);
        let Some(path) = self.find(tool) else {
            return Err(NetfilterError::Missing(format!(
                "{name} is not there: install the package iptables, or use backend = \"nftables\""
            )));
        };
        tracing::debug!(program = name, bytes = input.len(), "run");
        let unusable = |error: std::io::Error| NetfilterError::Tool {
            program: name.clone(),
            reason: error.to_string(),
        };
        let mut child = Command::new(path)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(unusable)?;
        // It reads all of its input before it prints anything, so nothing can fill up; and
        // what it did not want to read, it tells about itself.
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
        let ended = child.wait_with_output().map_err(unusable)?;
        match written {
            Some(Err(error)) if ended.status.success() => Err(unusable(error)),
            _ => Ok(ended),
        }
    }

    /// What a program said when it failed.
    fn failure(self, tool: Tool, ended: &Output, text: &str) -> Failure {
        Failure {
            program: self.name(tool),
            code: ended.status.code(),
            said: String::from_utf8_lossy(&ended.stderr).into_owned(),
            text: text.to_owned(),
        }
    }
}

/// A program that failed.
struct Failure {
    program: String,
    code: Option<i32>,
    said: String,
    text: String,
}

impl From<Failure> for NetfilterError {
    fn from(Failure { program, code, said, text }: Failure) -> Self {
        // `Permission denied (you must be root)`, of both variants.
        if said.contains("Permission denied") || said.contains("Operation not permitted") {
            return Self::PrivilegeOf(program);
        }
        if code == Some(4) && said.contains("lock") {
            return Self::Tool {
                program,
                reason: "another program has held /run/xtables.lock for 5 seconds".to_owned(),
            };
        }
        let number = said.split(|letter: char| !letter.is_ascii_digit()).rev();
        let mut number = number.filter_map(|it| it.parse().ok());
        let line = said.contains("line").then(|| number.next());
        // Both variants count from 1; the one on nf_tables names the line behind at times.
        let line =
            line.flatten().and_then(|number: usize| text.lines().nth(number.checked_sub(1)?));
        // Its first line may be but its name: `iptables-nft-restore v1.8.9 (nf_tables):`.
        let says = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.ends_with(':');
        let mut lines = said.lines().map(str::trim).filter(says);
        // What it did not like goes before what it stumbled over.
        let first = lines.clone().find(|line| !line.starts_with("Warning:"));
        let reason = first.or_else(|| lines.next()).unwrap_or("it said nothing").to_owned();
        match line.filter(|line| line.contains("-A ")) {
            Some(line) => Self::Refused { object: format!("'{line}'"), reason },
            None => Self::Tool { program, reason },
        }
    }
}

fn in_folders(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}

/// Which variant a program is: `iptables v1.8.9 (nf_tables)` is what it says of itself.
/// Before 1.8 there was but one.
fn variant_of(program: &Path) -> Option<Variant> {
    let mut command = Command::new(program);
    let ended = command.arg("--version").env_clear().stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    ended.status.success().then_some(())?;
    Some(if said.contains("nf_tables") { Variant::Nft } else { Variant::Legacy })
}

/// The variant that the name `iptables` means on this machine.
pub(super) fn default_variant() -> Option<Variant> {
    variant_of(&in_folders(stem(Family::Ipv4))?)
}
