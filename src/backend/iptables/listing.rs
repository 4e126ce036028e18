//! What `iptables-save -c` prints of a table, as rules of its chains.

use std::collections::{BTreeMap, BTreeSet};

use crate::backend::Count;
use crate::render::iptables::{RuleText, words};

/// A rule that was found, and what it counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) rule: RuleText,
    pub(super) count: Count,
}

/// The chains of a table with their rules, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Listing {
    pub(super) chains: BTreeMap<String, Vec<Listed>>,
    /// The built-in ones that let pass what no rule decides.
    accepting: BTreeSet<String>,
}

impl Listing {
    /// Reads what was printed of `table`. What is no rule and no chain is left out: the
    /// programs print remarks too.
    pub(super) fn read(text: &str, table: &str) -> Self {
        let mut listing = Self::default();
        let mut inside = false;
        for line in text.lines() {
            match line.as_bytes().first() {
                Some(b'*') => inside = line[1..] == *table,
                Some(b':') if inside => {
                    let mut words = line[1..].split(' ');
                    let name = words.next().unwrap_or_default();
                    listing.chains.entry(name.to_owned()).or_default();
                    if words.next() == Some("ACCEPT") {
                        listing.accepting.insert(name.to_owned());
                    }
                }
                Some(b'[' | b'-') if inside => listing.take(line),
                _ => {}
            }
        }
        listing
    }

    /// A line such as `[7:420] -A FWMARKCTL -p tcp -j MARK --set-xmark 0xa/0xffffffff`.
    fn take(&mut self, line: &str) {
        let (count, rest) = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((count, rest)) => (read_count(count), rest),
            None => (Count::default(), line),
        };
        let mut arguments = words(rest).into_iter();
        if arguments.next().as_deref() != Some("-A") {
            return;
        }
        let Some(chain) = arguments.next() else { return };
        let rule = Listed { rule: arguments.collect(), count };
        self.chains.entry(chain).or_default().push(rule);
    }

    /// The rules of a chain; `None` where there is none.
    pub(super) fn chain(&self, name: &str) -> Option<&[Listed]> {
        self.chains.get(name).map(Vec::as_slice)
    }

    /// Whether a built-in chain does nothing but for these rules.
    pub(super) fn has_only(&self, chain: &str, rules: &[RuleText]) -> bool {
        let listed = self.chain(chain).unwrap_or_default();
        self.accepting.contains(chain) && listed.iter().map(|it| &it.rule).eq(rules.iter())
    }
}

fn read_count(text: &str) -> Count {
    let (packets, bytes) = text.split_once(':').unwrap_or((text, "0"));
    Count { packets: packets.parse().unwrap_or(0), bytes: bytes.parse().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_others_are_not() {
        let text = "# Generated\n*filter\n:INPUT ACCEPT [0:0]\n[1:2] -A INPUT -j ACCEPT\nCOMMIT\n\
                    *mangle\n:PREROUTING ACCEPT [5:6]\n:FWMARKCTL - [0:0]\n\
                    [7:420] -A PREROUTING -j FWMARKCTL\nCOMMIT\n";
        let listing = Listing::read(text, "mangle");
        assert_eq!(listing.chains.len(), 2);
        assert_eq!(listing.chain("FWMARKCTL"), Some(&[][..]));
        let [jump] = listing.chain("PREROUTING").expect("the chain") else { panic!("{listing:?}") };
        assert_eq!(jump.count, Count { packets: 7, bytes: 420 });
        assert_eq!(jump.rule.to_string(), "-j FWMARKCTL");
        assert_eq!(listing.chain("INPUT"), None);
    }
}
