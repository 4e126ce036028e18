//! Marks as the rules that people write for iptables: for each address and protocol those
//! ports that get the same mark, fifteen at most.

use super::{Lookup, MarkEntry, MarkKey, Marking};
use crate::model::{PortRange, Prefix, Protocol};

/// How many ports a rule of `-m multiport` takes; a range takes two
/// (`XT_MULTI_PORTS`, `include/uapi/linux/netfilter/xt_multiport.h`).
pub const MULTIPORT_SLOTS: usize = 15;

/// One rule: what of these meets, gets the mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicRule {
    /// The destination address.
    pub destination: Prefix,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The destination ports, in order; none means any.
    pub ports: Vec<PortRange>,
    /// The mark, and whose it is.
    pub entry: MarkEntry,
}

impl ClassicRule {
    /// The entries that it stands for.
    pub fn keys(&self) -> impl Iterator<Item = MarkKey> + '_ {
        let any = self.ports.is_empty().then_some(PortRange::ANY);
        let ports = self.ports.iter().copied().chain(any);
        let (destination, protocol) = (self.destination, self.protocol);
        ports.map(move |ports| MarkKey { destination, protocol, ports })
    }

    /// How many of the slots of `-m multiport` its ports take.
    fn slots(&self) -> usize {
        self.ports.iter().map(|ports| slots(*ports)).sum()
    }
}

fn slots(ports: PortRange) -> usize {
    if ports.is_single() { 1 } else { 2 }
}

/// The rules of a marking, in the order in which they are to be met: the last one that
/// matches has the last word, as the maps of nftables look up single addresses before
/// what holds them.
pub fn classic_rules(marking: &Marking) -> Vec<ClassicRule> {
    let mut rules: Vec<ClassicRule> = Vec::new();
    let mut keys: Vec<(&MarkKey, &MarkEntry)> = marking.iter().collect();
    // The order of a marking keeps what one rule can hold together.
    keys.sort_by_key(|(key, _)| rank(key));
    for (key, entry) in keys {
        let ports = if key.ports.is_any() { Vec::new() } else { vec![key.ports] };
        let last = rules.last_mut().filter(|last| {
            (last.destination, last.protocol) == (key.destination, key.protocol)
                && last.entry == *entry
                && !last.ports.is_empty()
                && !ports.is_empty()
                && last.slots() + slots(key.ports) <= MULTIPORT_SLOTS
                && last.keys().next().is_some_and(|first| rank(&first) == rank(key))
        });
        match last {
            Some(last) => last.ports.extend(ports),
            None => rules.push(ClassicRule {
                destination: key.destination,
                protocol: key.protocol,
                ports,
                entry: entry.clone(),
            }),
        }
    }
    rules
}

/// What is met later has the last word.
fn rank(key: &MarkKey) -> (u8, u8) {
    match key.lookup() {
        Lookup::Range => (0, key.destination.length()),
        Lookup::Host => (1, 0),
        Lookup::Exact => (2, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mark;

    fn marking(entries: &[(&str, &str, u32)]) -> Marking {
        let entry = |(destination, ports, mark): &(&str, &str, u32)| {
            let key = MarkKey {
                destination: destination.parse().expect("an address"),
                protocol: Protocol::Tcp,
                ports: ports.parse().expect("ports"),
            };
            (key, MarkEntry { mark: Mark::new(*mark), group: None })
        };
        entries.iter().map(entry).collect()
    }

    fn shown(marking: &Marking) -> Vec<String> {
        let show = |rule: ClassicRule| {
            let ports: Vec<_> = rule.ports.iter().map(ToString::to_string).collect();
            format!("{} {} {}", rule.destination, ports.join(","), rule.entry)
        };
        classic_rules(marking).into_iter().map(show).collect()
    }

    #[test]
    fn ports_of_one_mark_share_a_rule_up_to_fifteen() {
        let ports: Vec<String> = (1..=16).map(|port| (port * 10).to_string()).collect();
        let entries: Vec<_> = ports.iter().map(|port| ("192.0.2.1", port.as_str(), 7)).collect();
        let rules = classic_rules(&marking(&entries));
        assert_eq!(rules.iter().map(|rule| rule.ports.len()).collect::<Vec<_>>(), [15, 1]);
        let keys: Marking = rules
            .iter()
            .flat_map(|rule| rule.keys().map(|key| (key, rule.entry.clone())))
            .collect();
        assert_eq!(keys, marking(&entries));
    }

    #[test]
    fn a_range_takes_two_places() {
        let ports: Vec<String> = (1..=8).map(|n| format!("{}-{}", n * 100, n * 100 + 9)).collect();
        let entries: Vec<_> = ports.iter().map(|port| ("192.0.2.1", port.as_str(), 7)).collect();
        let rules = classic_rules(&marking(&entries));
        assert_eq!(rules.iter().map(|rule| rule.ports.len()).collect::<Vec<_>>(), [7, 1]);
    }

    #[test]
    fn an_address_comes_behind_the_prefix_that_holds_it() {
        let marking = marking(&[
            ("192.0.2.1", "80", 1),
            ("192.0.2.1", "443", 1),
            ("192.0.2.0/24", "80", 2),
            ("192.0.0.0/16", "1-65535", 3),
            ("192.0.2.2", "80", 4),
        ]);
        let rules = shown(&marking);
        let place = |start: &str| rules.iter().position(|rule| rule.starts_with(start));
        assert!(place("192.0.0.0/16") < place("192.0.2.0/24"), "{rules:?}");
        assert!(place("192.0.2.0/24") < place("192.0.2.1 80,443"), "{rules:?}");
        assert_eq!(rules.len(), 4);
    }
}
