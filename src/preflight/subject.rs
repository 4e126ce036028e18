//! What has to get through: the flows of clients, and where they go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{Family, GroupName, Mark, PortRange, Prefix, Protocol};
use crate::state::{
    Destination, DirectorState, Frame, Selector, ServiceKey, SettingKey, Settings, VirtualService,
};

/// What mends whatever the configuration says and the machine has not.
pub(super) const APPLY: &str = "fwmarkctl apply";

/// What has to get through, group by group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    pub(super) groups: Vec<Traffic>,
    /// What the next apply would set.
    pub(super) pending: Settings,
    /// What is wrong with what marks, in sentences.
    pub(super) damage: Vec<String>,
    /// Who sends, where it is one packet that is asked about.
    pub(super) client: Option<Client>,
}

/// A client that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// `None` is any.
    pub(super) port: Option<u16>,
}

/// The traffic of one group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Traffic {
    pub(super) name: Option<GroupName>,
    pub(super) flows: Vec<Flow>,
    pub(super) services: Vec<(ServiceKey, VirtualService)>,
    /// Whether the clients' addresses are replaced too.
    pub(super) full_nat: bool,
}

/// What clients send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) destination: Prefix,
    pub(super) protocol: Protocol,
    pub(super) ports: PortRange,
    pub(super) mark: Option<Mark>,
}

impl Subject {
    /// The traffic of a state; `full_nat` are the groups whose clients' addresses are
    /// replaced, which the state does not tell.
    pub fn of(state: &DirectorState, full_nat: &BTreeSet<GroupName>) -> Self {
        let mut groups: BTreeMap<Option<GroupName>, Traffic> = BTreeMap::new();
        for (key, entry) in &state.marking {
            let traffic = groups.entry(entry.group.clone()).or_default();
            let (destination, protocol, ports) = (key.destination, key.protocol, key.ports);
            traffic.flows.push(Flow { destination, protocol, ports, mark: entry.mark });
        }
        for (key, service) in &state.services {
            let traffic = groups.entry(service.group.clone()).or_default();
            if let ServiceKey::Address { address, protocol, port } = *key {
                let ports = PortRange::single(port).unwrap_or(PortRange::ANY);
                let destination = Prefix::host(address);
                traffic.flows.push(Flow { destination, protocol, ports, mark: None });
            }
            traffic.services.push((*key, service.clone()));
        }
        let groups = groups.into_iter().map(|(name, traffic)| {
            let full_nat = name.as_ref().is_some_and(|name| full_nat.contains(name));
            Traffic { name, full_nat, ..traffic }
        });
        Self { groups: groups.collect(), ..Self::default() }
    }

    /// The same with what the next apply would set beside marks and services: where that
    /// mends what a check finds, the remedy is an apply.
    #[must_use]
    pub fn before_an_apply_of(self, pending: Settings) -> Self {
        Self { pending, ..self }
    }

    /// The same where tables, chains and rules that mark were found like this.
    #[must_use]
    pub fn marked_by(self, frame: &Frame) -> Self {
        let damage = match frame {
            // Before the first apply nothing is there to be damaged, and what an earlier
            // version made marks as it did.
            Frame::Absent | Frame::Intact | Frame::Former => Vec::new(),
            Frame::RulesDiffer(found) | Frame::Damaged(found) => found.clone(),
        };
        Self { damage, ..self }
    }

    /// The same for one client: rules that depend on who sends are then known to hold or
    /// not.
    #[must_use]
    pub fn sent_by(self, address: IpAddr, port: Option<u16>) -> Self {
        Self { client: Some(Client { address, port }), ..self }
    }

    /// The command that sets a kernel parameter.
    pub(super) fn set(&self, name: &str, value: u32) -> String {
        let is_it = |(key, wanted): (&SettingKey, &String)| {
            matches!(key, SettingKey::Sysctl(sysctl) if sysctl.as_str() == name)
                && *wanted == value.to_string()
        };
        if self.pending.iter().any(is_it) {
            return APPLY.to_owned();
        }
        format!("sysctl -w {name}={value}")
    }

    /// Whether the next apply makes what is missing for a flow to be local.
    pub(super) fn makes_local(&self, flow: &Flow) -> bool {
        let destination = &flow.destination;
        self.pending.keys().any(|key| match key {
            SettingKey::LocalRoute(prefix) | SettingKey::Rule(Selector::To(prefix)) => {
                prefix.contains(destination)
            }
            SettingKey::Rule(Selector::Mark { family, mark, mask }) => {
                *family == flow.family() && flow.mark.is_some_and(|own| own.get() & mask == *mark)
            }
            SettingKey::Address { address, .. } => Prefix::host(*address).contains(destination),
            SettingKey::Sysctl(_) | SettingKey::Timeout(_) | SettingKey::SyncDaemon(_) => false,
        })
    }

    /// Every mark, with the groups that have it.
    pub(super) fn marks(&self) -> BTreeMap<Mark, BTreeSet<GroupName>> {
        let mut marks: BTreeMap<Mark, BTreeSet<GroupName>> = BTreeMap::new();
        for traffic in &self.groups {
            for mark in traffic.marks() {
                marks.entry(mark).or_default().extend(traffic.name.clone());
            }
        }
        marks
    }

    /// Each VIP with each of its marks.
    pub(super) fn vips(&self) -> BTreeSet<(IpAddr, Option<Mark>)> {
        let flows = self.groups.iter().flat_map(|traffic| &traffic.flows);
        flows.map(|flow| (flow.vip(), flow.mark)).collect()
    }

    /// Each address of a real server.
    pub(super) fn real_servers(&self) -> BTreeSet<IpAddr> {
        let all = self.groups.iter().flat_map(Traffic::destinations);
        all.map(|(_, destination)| destination.key.address).collect()
    }
}

impl Flow {
    /// An address of it: the VIP, or the first of a prefix that can be one.
    pub(super) fn vip(&self) -> IpAddr {
        match self.destination.address() {
            IpAddr::V4(v4) if self.destination.length() < 31 => {
                std::net::Ipv4Addr::from_bits(v4.to_bits() | 1).into()
            }
            IpAddr::V6(v6) if self.destination.length() < 127 => {
                std::net::Ipv6Addr::from_bits(v6.to_bits() | 1).into()
            }
            address => address,
        }
    }

    pub(super) fn family(&self) -> Family {
        self.destination.family()
    }

    /// As people write it: `172.18.100.7:80/tcp`.
    pub(super) fn name(&self) -> String {
        let key = crate::state::MarkKey {
            destination: self.destination,
            protocol: self.protocol,
            ports: self.ports,
        };
        key.to_string()
    }
}

impl Traffic {
    pub(super) fn name(&self) -> &str {
        self.name.as_ref().map_or("(no group)", GroupName::as_str)
    }

    /// The group, where it has a name.
    pub(super) fn group(&self) -> BTreeSet<GroupName> {
        self.name.iter().cloned().collect()
    }

    pub(super) fn marks(&self) -> BTreeSet<Mark> {
        let of_services = self.services.iter().filter_map(|(key, _)| match key {
            ServiceKey::Mark { mark, .. } => Some(*mark),
            ServiceKey::Address { .. } => None,
        });
        self.flows.iter().filter_map(|flow| flow.mark).chain(of_services).collect()
    }

    /// The destinations, with their services.
    pub(super) fn destinations(&self) -> impl Iterator<Item = (&ServiceKey, &Destination)> {
        self.services.iter().flat_map(|(key, service)| {
            service.destinations.iter().map(move |destination| (key, destination))
        })
    }

    /// The service that takes a flow.
    pub(super) fn service_of(&self, flow: &Flow) -> Option<&(ServiceKey, VirtualService)> {
        self.services.iter().find(|(key, _)| match *key {
            ServiceKey::Mark { mark, family } => flow.mark == Some(mark) && family == flow.family(),
            ServiceKey::Address { address, protocol, port } => {
                flow.mark.is_none()
                    && address == flow.destination.address()
                    && protocol == flow.protocol
                    && (port == flow.ports.first() || port == 0)
            }
        })
    }
}
