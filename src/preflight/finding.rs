//! What the doctor says: a finding for each cause, and what could not be looked at.

use std::collections::BTreeSet;

use serde::Serialize;

use super::codes::Code;
use crate::model::GroupName;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Traffic of a group does not get through.
    Stops,
    /// It may not: it depends on what cannot be seen from here.
    MayStop,
    /// It gets through, and something is worth knowing.
    Note,
}

/// One cause, with every group that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// Its stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The groups; empty where it concerns the whole director.
    pub groups: BTreeSet<GroupName>,
    /// What was found.
    pub what: String,
    /// Why that stops traffic.
    pub why: String,
    /// The commands that mend it, each whole, to be run on this director.
    pub remedy: Vec<String>,
    /// Those that mend it on the real server.
    pub on_real_server: Vec<String>,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Unchecked {
    /// What.
    pub what: String,
    /// Why not.
    pub why: String,
}

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// The worst first.
    pub findings: Vec<Finding>,
    /// What was looked at.
    pub checked: Vec<&'static str>,
    /// What could not be looked at.
    pub unchecked: Vec<Unchecked>,
}

impl Report {
    /// Whether something would stop traffic.
    pub fn stops(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Stops)
    }

    /// Adds what a check found; the same for another group is one finding with both.
    pub(super) fn add(&mut self, new: Finding) {
        let same = |known: &&mut Finding| {
            known.code == new.code
                && known.severity == new.severity
                && known.what == new.what
                && known.why == new.why
        };
        match self.findings.iter_mut().find(same) {
            Some(known) => {
                known.groups.extend(new.groups);
                let both = [
                    (&mut known.remedy, new.remedy),
                    (&mut known.on_real_server, new.on_real_server),
                ];
                for (known, commands) in both {
                    for command in commands {
                        if !known.contains(&command) {
                            known.push(command);
                        }
                    }
                }
            }
            None => self.findings.push(new),
        }
    }

    /// Keeps what concerns these groups, or the whole director.
    pub fn only(&mut self, groups: &BTreeSet<GroupName>) {
        self.findings.retain(|finding| {
            finding.groups.is_empty() || finding.groups.iter().any(|group| groups.contains(group))
        });
    }
}
