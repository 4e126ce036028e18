//! The counters as JSON.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::View;
use super::reading::{Counters, Marked};
use crate::backend::{
    Activity, Count, DestinationStatistics, ServiceStatistics, Statistics, Traffic,
};
use crate::cli::output::Format;
use crate::model::{Family, GroupName, Mark, PortRange, Prefix, Protocol};
use crate::state::{DestinationKey, MarkKey, ServiceKey};
use crate::units::Rate;

/// The time in UTC (RFC 3339), in whole seconds.
pub(in crate::cli) fn time() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// What was counted, once; with `--watch` one on each line.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Stats")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    /// When, in UTC (RFC 3339).
    time: String,
    /// The seconds over which rates were measured; null without rates.
    interval: Option<f64>,
    groups: Vec<Group<'a>>,
}

/// What was counted of a group; without a name, of what is of none.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CountedGroup")]
struct Group<'a> {
    name: Option<&'a GroupName>,
    services: Vec<Service>,
}

/// Both sides' counters of a virtual service.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CountedService")]
struct Service {
    key: String,
    family: Family,
    mark: Option<Mark>,
    /// What its mark was given to; null of a service by address.
    marked: Option<MarkedOnes>,
    /// What IPVS did with it; null where there is no such service.
    scheduled: Option<Scheduled>,
    /// Packets that were marked and are not in IPVS's count yet.
    unscheduled: Option<u64>,
    /// Packets that were marked and never will be; null where that is not known.
    lost: Option<u64>,
}

/// What was marked, of all ports and of each.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Marked")]
struct MarkedOnes {
    #[serde(flatten)]
    count: Count,
    rate: Option<CountRate>,
    entries: Vec<MarkedEntry>,
}

/// What one entry marked.
#[derive(Serialize, JsonSchema)]
struct MarkedEntry {
    destination: Prefix,
    protocol: Protocol,
    ports: PortRange,
    #[serde(flatten)]
    count: Count,
    rate: Option<CountRate>,
}

/// How many came each second.
#[derive(Serialize, JsonSchema)]
struct CountRate {
    packets: Option<Rate>,
    bytes: Option<Rate>,
}

/// What IPVS scheduled of a service.
#[derive(Serialize, JsonSchema)]
struct Scheduled {
    #[serde(flatten)]
    counted: Counted,
    real_servers: Vec<Server>,
}

/// What IPVS scheduled to a real server.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CountedServer")]
struct Server {
    address: IpAddr,
    port: u16,
    weight: u32,
    #[serde(flatten)]
    activity: Activity,
    #[serde(flatten)]
    counted: Counted,
}

/// In total, and each second.
#[derive(Serialize, JsonSchema)]
struct Counted {
    #[serde(flatten)]
    total: Traffic,
    /// The kernel's own of each second, over the last ones.
    estimate: Traffic,
    /// What was measured of each second.
    rate: Option<TrafficRate>,
}

/// How much came each second.
#[derive(Serialize, JsonSchema)]
struct TrafficRate {
    connections: Option<Rate>,
    packets_in: Option<Rate>,
    packets_out: Option<Rate>,
    bytes_in: Option<Rate>,
    bytes_out: Option<Rate>,
}

/// What is shown at once, as a document.
pub(super) fn of<'a>(view: &View<'a>) -> Document<'a> {
    let group = |(name, services): (&'a Option<GroupName>, &'a BTreeMap<_, _>)| {
        let service = |(key, counters): (&ServiceKey, &Counters)| {
            Service::of(view, name.as_ref(), *key, counters)
        };
        Group { name: name.as_ref(), services: services.iter().map(service).collect() }
    };
    let interval = view.before.map(|before| view.now.at.duration_since(before.at).as_secs_f64());
    let groups = view.now.groups.iter().map(group).collect();
    Document { format: Format, time: time(), interval, groups }
}

impl View<'_> {
    /// What a service counted before, and how long ago that was.
    pub(super) fn before(
        &self,
        group: Option<&GroupName>,
        key: ServiceKey,
    ) -> Option<(&Counters, Duration)> {
        let before = self.before?;
        Some((before.of(group, key)?, self.now.at.duration_since(before.at)))
    }

    /// How many packets of a service's mark were lost, where that is known.
    pub(super) fn lost(&self, group: Option<&GroupName>, key: ServiceKey) -> Option<u64> {
        let (old, later) = self.settled?;
        later.of(group, key)?.lost_since(old.of(group, key))
    }
}

impl Service {
    fn of(
        view: &View<'_>,
        group: Option<&GroupName>,
        key: ServiceKey,
        counters: &Counters,
    ) -> Self {
        let (before, time) = view.before(group, key).unzip();
        let time = time.unwrap_or_default();
        let marked = counters.marked.as_ref().map(|marked| {
            MarkedOnes::of(before.and_then(|before| before.marked.as_ref()), marked, time)
        });
        let scheduled = counters.scheduled.as_ref().map(|now| {
            Scheduled::of(before.and_then(|before| before.scheduled.as_ref()), now, time)
        });
        Self {
            key: key.to_string(),
            family: key.family(),
            mark: if let ServiceKey::Mark { mark, .. } = key { Some(mark) } else { None },
            marked,
            scheduled,
            unscheduled: counters.unscheduled(),
            lost: view.lost(group, key),
        }
    }
}

impl MarkedOnes {
    fn of(before: Option<&Marked>, now: &Marked, time: Duration) -> Self {
        let entry = |(key, count): (&MarkKey, &Count)| {
            let before = before.and_then(|before| before.entries.get(key));
            MarkedEntry {
                destination: key.destination,
                protocol: key.protocol,
                ports: key.ports,
                count: *count,
                rate: CountRate::between(before, count, time),
            }
        };
        Self {
            count: now.total,
            rate: CountRate::between(before.map(|before| &before.total), &now.total, time),
            entries: now.entries.iter().map(entry).collect(),
        }
    }
}

impl CountRate {
    fn between(before: Option<&Count>, now: &Count, time: Duration) -> Option<Self> {
        let before = before?;
        Some(Self {
            packets: Rate::between(before.packets, now.packets, time),
            bytes: Rate::between(before.bytes, now.bytes, time),
        })
    }
}

impl Scheduled {
    fn of(before: Option<&ServiceStatistics>, now: &ServiceStatistics, time: Duration) -> Self {
        let server = |(key, server): (&DestinationKey, &DestinationStatistics)| {
            let before = before.and_then(|before| before.destinations.get(key));
            let before = before.map(|before| &before.statistics);
            Server {
                address: key.address,
                port: key.port,
                weight: server.weight,
                activity: server.activity,
                counted: Counted::of(before, &server.statistics, time),
            }
        };
        Self {
            counted: Counted::of(before.map(|before| &before.service), &now.service, time),
            real_servers: now.destinations.iter().map(server).collect(),
        }
    }
}

impl Counted {
    fn of(before: Option<&Statistics>, now: &Statistics, time: Duration) -> Self {
        let rate = before.map(|before| {
            let rate =
                |of: fn(&Traffic) -> u64| Rate::between(of(&before.total), of(&now.total), time);
            TrafficRate {
                connections: rate(|traffic| traffic.connections),
                packets_in: rate(|traffic| traffic.packets_in),
                packets_out: rate(|traffic| traffic.packets_out),
                bytes_in: rate(|traffic| traffic.bytes_in),
                bytes_out: rate(|traffic| traffic.bytes_out),
            }
        });
        Self { total: now.total, estimate: now.estimate, rate }
    }
}
