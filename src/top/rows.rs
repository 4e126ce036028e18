//! The lines of the table: groups, what is marked for them, and their real servers, with
//! what came each second between two samples.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::sample::{Counted, Sample};
use crate::backend::{Activity, Count, Traffic};
use crate::model::GroupName;
use crate::state::{DestinationKey, MarkKey, ServiceKey};
use crate::units::Rate;

/// A real server of a group: its address, and its port where it has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// The address.
    pub address: IpAddr,
    /// The port; none where it is that of the virtual service.
    pub port: Option<u16>,
}

impl Server {
    /// The real server that a destination of a service is.
    fn of(key: ServiceKey, destination: DestinationKey) -> Self {
        let own = key.port();
        let DestinationKey { address, port } = destination;
        Self { address, port: (port != own).then_some(port) }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => write!(f, "{}", self.address),
            Some(port) => write!(f, "{}", SocketAddr::new(self.address, port)),
        }
    }
}

/// What a line is about; it stays the same from sample to sample.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A group; `None` is what belongs to no group.
    Group(Option<GroupName>),
    /// An entry that marks packets for the group.
    Entry(Option<GroupName>, MarkKey),
    /// A real server of the group.
    Server(Option<GroupName>, Server),
}

impl Place {
    /// The group of it.
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Group(group) | Self::Entry(group, _) | Self::Server(group, _) => group.as_ref(),
        }
    }
}

/// How many new connections a real server gets, beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// None.
    Drained,
    /// So many; the most where it has several.
    Of(u32),
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub place: Place,
    /// What it is called.
    pub name: String,
    /// The services of a group.
    pub title: String,
    /// Of a real server.
    pub weight: Option<Weight>,
    /// The connections that it has now; an entry has none.
    pub activity: Option<Activity>,
    /// What came each second; none before the second sample.
    pub rates: Rates,
    /// What is wrong with it.
    pub remark: Option<&'static str>,
}

/// What came each second. What counts less than before began anew, and counts as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// New connections.
    pub connections: Option<Rate>,
    /// Packets from clients.
    pub packets: Option<Rate>,
    /// Bytes from clients.
    pub bytes: Option<Rate>,
}

/// A group with the lines below it.
#[derive(Debug, Clone)]
pub struct Block {
    /// The group's own line.
    pub group: Row,
    /// What is marked for it.
    pub entries: Vec<Row>,
    /// Its real servers.
    pub servers: Vec<Row>,
}

/// All lines of a sample, in the order of names; rates are since `before`.
pub fn rows(now: &Sample, before: Option<&Sample>) -> Vec<Block> {
    let groups = now.groups.iter();
    groups
        .map(|(name, services)| {
            let then = before.map(|before| Then {
                services: before.groups.get(name),
                time: now.at.saturating_duration_since(before.at),
            });
            block(name.as_ref(), services, then)
        })
        .collect()
}

/// What was before.
#[derive(Clone, Copy)]
struct Then<'a> {
    services: Option<&'a BTreeMap<ServiceKey, Counted>>,
    time: Duration,
}

impl<'a> Then<'a> {
    fn of(self, key: ServiceKey) -> Option<&'a Counted> {
        self.services?.get(&key)
    }
}

fn block(
    name: Option<&GroupName>,
    services: &BTreeMap<ServiceKey, Counted>,
    then: Option<Then<'_>>,
) -> Block {
    let mut entries = Vec::new();
    let mut servers: BTreeMap<Server, Sum> = BTreeMap::new();
    let mut all = Sum::default();
    for (key, counted) in services {
        let before = then.and_then(|then| then.of(*key));
        for (entry, count) in &counted.marked {
            let was = before.and_then(|before| before.marked.get(entry));
            entries.push(Row {
                place: Place::Entry(name.cloned(), *entry),
                name: entry.to_string(),
                title: String::new(),
                weight: None,
                activity: None,
                rates: then.map(|then| marked(was, *count, then.time)).unwrap_or_default(),
                remark: None,
            });
        }
        let Some(scheduled) = &counted.scheduled else { continue };
        let was = before.and_then(|before| before.scheduled.as_ref());
        let rates = then.map(|then| {
            since(was.map(|was| &was.service.total), &scheduled.service.total, then.time)
        });
        all.add(rates, Activity::default(), 0);
        for (destination, statistics) in &scheduled.destinations {
            let was = was.and_then(|was| was.destinations.get(destination));
            let was = was.map(|was| &was.statistics.total);
            let rates = then.map(|then| since(was, &statistics.statistics.total, then.time));
            let server = servers.entry(Server::of(*key, *destination)).or_default();
            server.add(rates, statistics.activity, statistics.weight);
            all.count(statistics.activity, statistics.weight);
        }
    }
    let missing = services.values().any(|counted| counted.scheduled.is_none());
    let shown = name.map_or("(no group)", GroupName::as_str);
    let group = Row {
        place: Place::Group(name.cloned()),
        name: shown.to_owned(),
        title: titles(services),
        weight: None,
        activity: Some(all.activity),
        rates: all.rates(),
        remark: match (missing, all.weight) {
            (true, _) => Some("! no service"),
            (_, 0) => Some("! nobody serves"),
            _ => None,
        },
    };
    let server = |(server, sum): (Server, Sum)| Row {
        place: Place::Server(name.cloned(), server),
        name: server.to_string(),
        title: String::new(),
        weight: Some(if sum.weight == 0 { Weight::Drained } else { Weight::Of(sum.weight) }),
        activity: Some(sum.activity),
        rates: sum.rates(),
        remark: None,
    };
    Block { group, entries, servers: servers.into_iter().map(server).collect() }
}

/// The services of a group: its one mark, else how many there are.
fn titles(services: &BTreeMap<ServiceKey, Counted>) -> String {
    let marks: Option<BTreeSet<_>> = services
        .keys()
        .map(|key| match key {
            ServiceKey::Mark { mark, .. } => Some(mark),
            ServiceKey::Address { .. } => None,
        })
        .collect();
    match (marks.and_then(|marks| Some((*marks.first()?, marks.len()))), services.len()) {
        (Some((mark, 1)), _) => format!("fwmark {mark}"),
        (Some((_, count)), _) => format!("{count} marks"),
        (None, 1) => "1 service".to_owned(),
        (None, count) => format!("{count} services"),
    }
}

/// What several services count together.
#[derive(Default)]
struct Sum {
    weight: u32,
    activity: Activity,
    rates: Option<[Rate; 3]>,
}

impl Sum {
    fn count(&mut self, activity: Activity, weight: u32) {
        self.weight = self.weight.max(weight);
        self.activity.active = self.activity.active.saturating_add(activity.active);
        self.activity.inactive = self.activity.inactive.saturating_add(activity.inactive);
    }

    fn add(&mut self, rates: Option<[Rate; 3]>, activity: Activity, weight: u32) {
        self.count(activity, weight);
        let Some(rates) = rates else { return };
        let sum = self.rates.unwrap_or_default();
        self.rates = Some(std::array::from_fn(|at| [sum[at], rates[at]].into_iter().sum()));
    }

    fn rates(&self) -> Rates {
        let [connections, packets, bytes] = self.rates.map_or([None; 3], |rates| rates.map(Some));
        Rates { connections, packets, bytes }
    }
}

/// What IPVS counted since `before`; what was not there counted nothing.
fn since(before: Option<&Traffic>, now: &Traffic, time: Duration) -> [Rate; 3] {
    let nothing = Traffic::default();
    let before = before.unwrap_or(&nothing);
    let rate =
        |of: fn(&Traffic) -> u64| Rate::between(of(before), of(now), time).unwrap_or_default();
    [rate(|it| it.connections), rate(|it| it.packets_in), rate(|it| it.bytes_in)]
}

fn marked(before: Option<&Count>, now: Count, time: Duration) -> Rates {
    let before = before.copied().unwrap_or_default();
    let rate = |before, now| Some(Rate::between(before, now, time).unwrap_or_default());
    Rates {
        connections: None,
        packets: rate(before.packets, now.packets),
        bytes: rate(before.bytes, now.bytes),
    }
}
