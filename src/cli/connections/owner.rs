//! Whose a connection is: the group that listens to its target, by the entries and the
//! ledger of our table.

use std::collections::HashMap;
use std::rc::Rc;

use crate::backend::MarkRuleset;
use crate::backend::ipvs::{ConnectionEntry, Endpoint};
use crate::model::{GroupName, PortRange, Prefix, Protocol};
use crate::state::{Lookup, MarkKey, ServiceKey, entry_of_host};

/// Who listens where.
pub(super) struct Owners<'a> {
    ruleset: &'a MarkRuleset,
    /// Prefixes and port ranges, which have to be tried one after another.
    ranges: Vec<(&'a MarkKey, &'a Option<GroupName>)>,
    /// What was found for a target: a million connections have few.
    targets: HashMap<(Endpoint, Protocol), Owner>,
    /// What was found for a service.
    services: HashMap<ServiceKey, Owner>,
}

/// A group's name, or none.
pub(super) type Owner = Option<Rc<GroupName>>;

impl<'a> Owners<'a> {
    pub(super) fn new(ruleset: &'a MarkRuleset) -> Self {
        let entries = ruleset.entries.iter().map(|(key, entry)| (key, &entry.group));
        let ranges = entries.filter(|(key, _)| key.lookup() == Lookup::Range).collect();
        Self { ruleset, ranges, targets: HashMap::new(), services: HashMap::new() }
    }

    /// The group of a connection; of a template, by its mark where it has one.
    pub(super) fn of(&mut self, connection: &ConnectionEntry) -> Owner {
        if let Some(mark) = connection.mark() {
            let key = ServiceKey::Mark { mark, family: connection.family() };
            return self.of_service(key);
        }
        let (target, protocol) = (connection.target, connection.transport()?);
        if let Some(known) = self.targets.get(&(target, protocol)) {
            return known.clone();
        }
        // As in the kernel, marks come first (`ip_vs_service_find`).
        let found = self.listener(target, protocol).or_else(|| {
            let Endpoint { address, port } = target;
            let by_port = |port| ServiceKey::Address { address, protocol, port };
            [by_port(port), by_port(0)].into_iter().find_map(|key| self.of_service(key))
        });
        self.targets.insert((target, protocol), found.clone());
        found
    }

    fn of_service(&mut self, key: ServiceKey) -> Owner {
        let ledger = &self.ruleset.ledger.services;
        let find = || ledger.get(&key)?.group.clone().map(Rc::new);
        self.services.entry(key).or_insert_with(find).clone()
    }

    /// The group of the entry that marks packets to a target, in the order of the maps. A
    /// template to every port has none, and is of a VIP's entry for every port.
    fn listener(&self, Endpoint { address, port }: Endpoint, protocol: Protocol) -> Owner {
        let entry = entry_of_host(&self.ruleset.entries, address, protocol, port);
        let group = entry.map(|(_, entry)| &entry.group).or_else(|| {
            let target = MarkKey {
                destination: Prefix::host(address),
                protocol,
                ports: PortRange::single(port).unwrap_or(PortRange::ANY),
            };
            self.ranges.iter().find(|(key, _)| key.meets(&target)).map(|(_, group)| *group)
        });
        group?.clone().map(Rc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, Mark};
    use crate::state::{LedgerEntry, MarkEntry};

    fn ruleset() -> MarkRuleset {
        let mut ruleset = MarkRuleset::default();
        for (destination, ports, group) in [
            ("192.0.2.1", "80", "web"),
            ("192.0.2.1", "any", "rest"),
            ("192.0.2.0/28", "8000-8100", "games"),
            ("2001:db8::/64", "any", "six"),
        ] {
            let key = MarkKey {
                destination: destination.parse().expect(destination),
                protocol: Protocol::Tcp,
                ports: ports.parse().expect(ports),
            };
            let entry = MarkEntry { mark: Mark::new(1), group: group.parse().ok() };
            ruleset.entries.insert(key, entry);
        }
        for (key, comment) in [
            ("fwmark 10 ipv4", "web"),
            ("fwmark 10 ipv6", "six"),
            ("tcp 192.0.2.9:80", "classic"),
            ("udp 192.0.2.9:0", "all"),
        ] {
            let key = key.parse().expect(key);
            let comment = format!("{comment} 0123456789abcdef");
            ruleset.ledger.services.insert(key, LedgerEntry::from_comment(&comment));
        }
        ruleset
    }

    fn connection(protocol: &str, client_port: u16, target: &str) -> ConnectionEntry {
        let target: std::net::SocketAddr = target.parse().expect(target);
        let client = match Family::of(target.ip()) {
            Family::Ipv4 => "198.51.100.1",
            Family::Ipv6 => "2001:db8:9::1",
        };
        let client = Endpoint { address: client.parse().expect("one"), port: client_port };
        ConnectionEntry {
            protocol: protocol.into(),
            client,
            target: Endpoint { address: target.ip(), port: target.port() },
            real: client,
            state: "NONE".into(),
            expires: 1,
            engine: None,
        }
    }

    #[test]
    fn a_connection_is_of_the_entry_that_marks_its_packets() {
        let ruleset = ruleset();
        let mut owners = Owners::new(&ruleset);
        for (protocol, port, target, group) in [
            ("TCP", 9, "192.0.2.1:80", Some("web")),
            ("TCP", 9, "192.0.2.1:81", Some("rest")),
            ("TCP", 9, "192.0.2.2:8050", Some("games")),
            ("TCP", 9, "192.0.2.2:80", None),
            ("UDP", 9, "192.0.2.1:80", None),
            ("ICMP", 9, "192.0.2.1:80", None),
            ("TCP", 9, "[2001:db8::5]:5", Some("six")),
            ("TCP", 9, "192.0.2.9:80", Some("classic")),
            ("TCP", 9, "192.0.2.9:81", None),
            ("UDP", 9, "192.0.2.9:53", Some("all")),
            // Templates: of a mark of each family, of nobody's mark, of addresses.
            ("IP", 0, "0.0.0.10:0", Some("web")),
            ("IP", 0, "[0:a::]:0", Some("six")),
            ("IP", 0, "0.0.0.11:0", None),
            ("TCP", 0, "192.0.2.9:80", Some("classic")),
            ("UDP", 0, "192.0.2.9:0", Some("all")),
        ] {
            // Twice, for the second time it is known.
            for _ in 0..2 {
                let owner = owners.of(&connection(protocol, port, target));
                let owner = owner.as_ref().map(|group| group.as_str());
                assert_eq!(owner, group, "{protocol} {port} {target}");
            }
        }
    }
}
