//! The groups that the kernel holds, by the names that our table has, and which of them
//! somebody asked for. No configuration is needed.

use std::collections::BTreeSet;

use crate::backend::MarkRuleset;
use crate::error::Error;
use crate::model::GroupName;

/// The groups that were asked for; all, and what is of no group, when none was named.
pub(super) struct Selection(BTreeSet<String>);

impl Selection {
    /// The groups of these names, each of which the kernel has to hold.
    ///
    /// # Errors
    /// [`Error::Usage`] names the one that it does not, and those that it does.
    pub(super) fn new(names: &[String], ruleset: &MarkRuleset) -> Result<Self, Error> {
        let entries = ruleset.entries.values().map(|entry| &entry.group);
        let services = ruleset.ledger.services.values().map(|entry| &entry.group);
        let known: BTreeSet<_> = entries.chain(services).flatten().map(GroupName::as_str).collect();
        for name in names {
            if !known.contains(name.as_str()) {
                let list = known.into_iter().collect::<Vec<_>>().join(", ");
                return Err(Error::Usage {
                    message: format!("there is no group '{name}' in the kernel"),
                    hint: Some(match list.as_str() {
                        "" => "there is none at all; `fwmarkctl apply` brings them".to_owned(),
                        _ => format!("there are: {list}"),
                    }),
                });
            }
        }
        Ok(Self(names.iter().cloned().collect()))
    }

    /// Whether a group was asked for.
    pub(super) fn has(&self, group: Option<&GroupName>) -> bool {
        self.0.is_empty() || group.is_some_and(|group| self.0.contains(group.as_str()))
    }

    /// Whether all were.
    pub(super) fn is_everything(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{LedgerEntry, MarkEntry, MarkKey, Marking};

    fn ruleset() -> MarkRuleset {
        let key = MarkKey {
            destination: "192.0.2.1".parse().expect("an address"),
            protocol: crate::model::Protocol::Tcp,
            ports: crate::model::PortRange::ANY,
        };
        let entry = MarkEntry { mark: None, group: "web".parse().ok() };
        let mut ruleset =
            MarkRuleset { entries: Marking::from([(key, entry)]), ..Default::default() };
        let service = "fwmark 25 ipv4".parse().expect("a service");
        ruleset.ledger.services.insert(service, LedgerEntry::from_comment("mail 0123456789abcdef"));
        ruleset
    }

    #[test]
    fn a_group_that_is_not_there_is_an_error_that_names_those_that_are() {
        let ask = |names: &[&str], ruleset: &MarkRuleset| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            Selection::new(&names, ruleset)
        };
        let Err(Error::Usage { message, hint }) = ask(&["web", "we"], &ruleset()) else {
            panic!("'we' is no group");
        };
        assert_eq!(message, "there is no group 'we' in the kernel");
        assert_eq!(hint.as_deref(), Some("there are: mail, web"));
        let Err(Error::Usage { hint, .. }) = ask(&["web"], &MarkRuleset::default()) else {
            panic!("there is no group");
        };
        assert_eq!(hint.as_deref(), Some("there is none at all; `fwmarkctl apply` brings them"));

        let (web, mail) = ("web".parse().ok(), "mail".parse().ok());
        let one = ask(&["web"], &ruleset()).expect("there");
        assert!(one.has(web.as_ref()) && !one.has(mail.as_ref()) && !one.has(None));
        let all = ask(&[], &ruleset()).expect("nothing is asked for");
        assert!(all.has(web.as_ref()) && all.has(mail.as_ref()) && all.has(None));
    }
}
