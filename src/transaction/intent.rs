//! The intent: what a transaction is about to do, written down before it does it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::schema_of_text;
use crate::plan::Summary;
use crate::state::{DirectorState, Generation, Record, ServiceKey};

/// Who runs a transaction, for the history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Author {
    /// The user.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// The process.
    pub process: u32,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A configuration is applied.
    Apply,
    /// A configuration is applied, and goes again unless it is confirmed.
    Trial,
    /// A trial was confirmed: what it held back goes.
    Confirm,
    /// The trial of this generation was not confirmed: the state before it returns.
    Expire(u64),
    /// This earlier generation is applied again.
    Rollback(u64),
    /// All that is ours goes.
    Clear,
    /// The last generation returns after a reboot, or after somebody changed it.
    Restore,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apply => f.write_str("apply"),
            Self::Trial => f.write_str("trial"),
            Self::Confirm => f.write_str("confirm"),
            Self::Expire(generation) => write!(f, "end of trial {generation}"),
            Self::Rollback(to) => write!(f, "rollback to {to}"),
            Self::Clear => f.write_str("clear"),
            Self::Restore => f.write_str("restore"),
        }
    }
}

impl FromStr for Purpose {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("'{text}' is no purpose of a transaction");
        let number = |digits: &str| digits.parse().map_err(|_| unknown());
        Ok(match text {
            "apply" => Self::Apply,
            "trial" => Self::Trial,
            "confirm" => Self::Confirm,
            "clear" => Self::Clear,
            "restore" => Self::Restore,
            _ => match (text.strip_prefix("end of trial "), text.strip_prefix("rollback to ")) {
                (Some(digits), _) => Self::Expire(number(digits)?),
                (_, Some(digits)) => Self::Rollback(number(digits)?),
                (None, None) => return Err(unknown()),
            },
        })
    }
}

impl Serialize for Purpose {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

schema_of_text!(
    Purpose,
    "What a transaction was for.",
    "^(apply|trial|confirm|clear|restore|end of trial [0-9]+|rollback to [0-9]+)$"
);

impl<'de> Deserialize<'de> for Purpose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a transaction leads from and to. Together with what the kernel holds, it is all
/// that is needed to finish the transaction or to undo it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// What it is for.
    pub purpose: Purpose,
    /// Who runs it.
    pub author: Author,
    /// The kernel's count of nf_tables commits when it began: it only grows, so a lower
    /// one is another network namespace that has the same number.
    pub began_at: Generation,
    /// What there was.
    pub before: DirectorState,
    /// The commit record that there was.
    pub record_before: Option<Record>,
    /// What there shall be.
    pub after: DirectorState,
    /// The commit record that the switch writes.
    pub record: Record,
    /// It failed, and is on its way back.
    pub aborting: bool,
    /// How much differs.
    pub summary: Summary,
}

impl Intent {
    /// The generation that it is about.
    pub fn generation(&self) -> u64 {
        match self.purpose {
            // Its record is the one of the state that returns.
            Purpose::Expire(generation) => generation,
            _ => self.record.generation,
        }
    }

    /// The services that are ours before it or after it.
    pub fn services(&self) -> BTreeSet<ServiceKey> {
        let (before, after) = (self.before.services.iter(), self.after.services.iter());
        let ours = before.chain(after).filter(|(_, service)| service.recorded);
        ours.map(|(key, _)| *key).collect()
    }

    /// The services of somebody else that it takes over.
    pub fn adopted(&self) -> BTreeSet<ServiceKey> {
        let foreign = self.before.services.iter().filter(|(_, service)| !service.recorded);
        foreign.map(|(key, _)| *key).filter(|key| self.after.services.contains_key(key)).collect()
    }
}

/// How a transaction ended, for the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// As it was meant; the kernel was read back.
    Applied,
    /// It failed; the state from before was put back.
    Restored,
    /// It failed, and so did the way back.
    Incomplete,
    /// It was interrupted; a later command finished it.
    Finished,
    /// It was interrupted; a later command undid it.
    Undone,
}

impl Ending {
    /// Whether the kernel held the new state at the end.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Applied | Self::Finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_reads_back_from_its_words() {
        for purpose in [
            Purpose::Apply,
            Purpose::Trial,
            Purpose::Confirm,
            Purpose::Expire(7),
            Purpose::Rollback(3),
            Purpose::Clear,
            Purpose::Restore,
        ] {
            assert_eq!(purpose.to_string().parse(), Ok(purpose));
        }
        assert!("rollback to x".parse::<Purpose>().is_err());
        assert!("".parse::<Purpose>().is_err());
    }
}
