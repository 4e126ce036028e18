//! The counters as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::View;
use super::reading::{Counters, Marked};
use super::units::Rate;
use crate::backend::{Count, Statistics, Traffic};
use crate::cli::output::FORMAT;
use crate::model::GroupName;
use crate::state::ServiceKey;

/// The time in UTC (RFC 3339), in whole seconds.
pub(super) fn time() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// What is shown at once, as a document.
pub(super) fn of(view: &View<'_>) -> Value {
    let groups: Vec<_> = view
        .now
        .groups
        .iter()
        .map(|(name, services)| {
            let services: Vec<_> = services
                .iter()
                .map(|(key, counters)| service(view, name.as_ref(), *key, counters))
                .collect();
            json!({ "name": name, "services": services })
        })
        .collect();
    let interval = view.before.map(|before| view.now.at.duration_since(before.at).as_secs_f64());
    json!({ "format": FORMAT, "time": time(), "interval": interval, "groups": groups })
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

fn service(
    view: &View<'_>,
    group: Option<&GroupName>,
    key: ServiceKey,
    counters: &Counters,
) -> Value {
    let (before, time) = view.before(group, key).unzip();
    let time = time.unwrap_or_default();
    let marked = counters.marked.as_ref();
    let marked = marked.map(|marked| marks(before.and_then(|b| b.marked.as_ref()), marked, time));
    let scheduled = counters.scheduled.as_ref().map(|now| {
        let before = before.and_then(|before| before.scheduled.as_ref());
        let servers: Vec<_> = now
            .destinations
            .iter()
            .map(|(key, server)| {
                let before = before.and_then(|before| before.destinations.get(key));
                let before = before.map(|before| &before.statistics);
                let mut document = statistics(before, &server.statistics, time);
                document["address"] = json!(key.address);
                document["port"] = key.port.into();
                document["weight"] = server.weight.into();
                document["active"] = server.activity.active.into();
                document["inactive"] = server.activity.inactive.into();
                document
            })
            .collect();
        let mut document = statistics(before.map(|before| &before.service), &now.service, time);
        document["real_servers"] = servers.into();
        document
    });
    json!({
        "key": key.to_string(),
        "family": key.family(),
        "mark": if let ServiceKey::Mark { mark, .. } = key { Some(mark.get()) } else { None },
        "marked": marked,
        "scheduled": scheduled,
        "unscheduled": counters.unscheduled(),
        "lost": view.lost(group, key),
    })
}

fn marks(before: Option<&Marked>, now: &Marked, time: Duration) -> Value {
    let entries: Vec<_> = now
        .entries
        .iter()
        .map(|(key, count)| {
            let before = before.and_then(|before| before.entries.get(key));
            json!({
                "destination": key.destination,
                "protocol": key.protocol,
                "ports": key.ports,
                "packets": count.packets,
                "bytes": count.bytes,
                "rate": count_rate(before, count, time),
            })
        })
        .collect();
    json!({
        "packets": now.total.packets,
        "bytes": now.total.bytes,
        "rate": count_rate(before.map(|before| &before.total), &now.total, time),
        "entries": entries,
    })
}

fn count_rate(before: Option<&Count>, now: &Count, time: Duration) -> Value {
    let Some(before) = before else { return Value::Null };
    json!({
        "packets": Rate::between(before.packets, now.packets, time),
        "bytes": Rate::between(before.bytes, now.bytes, time),
    })
}

fn statistics(before: Option<&Statistics>, now: &Statistics, time: Duration) -> Value {
    let mut document = json!(now.total);
    document["estimate"] = json!(now.estimate);
    document["rate"] = before.map_or(Value::Null, |before| {
        let rate = |of: fn(&Traffic) -> u64| Rate::between(of(&before.total), of(&now.total), time);
        json!({
            "connections": rate(|traffic| traffic.connections),
            "packets_in": rate(|traffic| traffic.packets_in),
            "packets_out": rate(|traffic| traffic.packets_out),
            "bytes_in": rate(|traffic| traffic.bytes_in),
            "bytes_out": rate(|traffic| traffic.bytes_out),
        })
    });
    document
}
