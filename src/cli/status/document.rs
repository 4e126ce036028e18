//! `status` as a JSON document.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::director::Settings;
use super::{Entry, Moves};
use crate::backend::{Activity, ActivityTable};
use crate::cli::compile::{RealServer, Service, Source};
use crate::cli::output::Format;
use crate::cli::{Interrupted, Pending};
use crate::config::Origin;
use crate::model::{GroupName, PortRange, Prefix, Protocol};
use crate::plan::ChangeLine;
use crate::state::MarkKey;

/// What the kernel holds, beside what the configuration says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub(in crate::cli) struct Document {
    pub(super) format: Format,
    /// Whether all is as the configuration says; null where there is none.
    pub(super) in_sync: Option<bool>,
    /// The generation that the kernel holds.
    pub(super) generation: Option<u64>,
    /// Who marks now, which may be another one than the configuration names; null where
    /// nothing of ours marks.
    #[schemars(extend("enum" = ["nftables", "iptables-nft", "iptables-legacy", null]))]
    pub(super) marker: Option<&'static str>,
    pub(super) groups: Vec<Group>,
    /// What belongs to no group; left out where groups were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) director: Option<Settings>,
    /// The trial that waits, where one does.
    pub(super) pending: Option<Pending>,
    /// The transaction that has not ended, where there is one.
    pub(super) interrupted: Option<Interrupted>,
}

/// What is configured of a group, or in the kernel.
#[derive(Serialize, JsonSchema)]
pub(super) struct Group {
    /// Null is what the kernel holds of no group.
    name: Option<GroupName>,
    /// Whether the configuration has it.
    configured: bool,
    /// The file that defines it; null for standard input, and where none does.
    file: Option<String>,
    /// Where in that file.
    line: Option<usize>,
    enabled: bool,
    /// Null where there is no configuration. A group whose marks an apply moves to another
    /// backend is not in sync: that change is the director's.
    in_sync: Option<bool>,
    /// Whether somebody else's service is on one of our marks.
    conflict: bool,
    marks: BTreeSet<u32>,
    mark_rules: Vec<Rule>,
    nat_rules: Vec<Source>,
    services: Vec<Service<BusyServer>>,
    /// What an apply would change.
    changes: Vec<ChangeLine>,
}

/// What is marked.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Listener")]
struct Rule {
    destination: Prefix,
    protocol: Protocol,
    ports: PortRange,
}

/// A real server with its connections.
#[derive(Serialize, JsonSchema)]
struct BusyServer {
    #[serde(flatten)]
    server: RealServer,
    #[serde(flatten)]
    activity: Activity,
}

/// The groups.
pub(super) fn groups(
    entries: &BTreeMap<Option<GroupName>, Entry<'_>>,
    activity: &ActivityTable,
    in_sync: Option<bool>,
    moves: Moves,
) -> Vec<Group> {
    let group = |(name, entry): (&Option<GroupName>, &Entry<'_>)| Group {
        name: name.clone(),
        configured: entry.config.is_some(),
        file: entry.origin.and_then(Origin::path_text),
        line: entry.origin.map(|origin| origin.line),
        enabled: entry.config.is_none_or(|group| group.enabled),
        in_sync: in_sync
            .map(|_| entry.changes.is_empty() && !entry.is_in_the_way() && !entry.moves(moves)),
        conflict: entry.is_in_the_way(),
        marks: entry.marks.clone(),
        mark_rules: entry.rules.iter().map(|(key, _)| Rule::of(key)).collect(),
        nat_rules: entry.sources.iter().copied().map(Source::of).collect(),
        services: services(entry, activity),
        changes: entry.changes.clone(),
    };
    entries.iter().map(group).collect()
}

fn services(entry: &Entry<'_>, activity: &ActivityTable) -> Vec<Service<BusyServer>> {
    let service = |(key, service): &(_, &_)| {
        Service::of(*key, service, |destination| BusyServer {
            server: RealServer::of(destination),
            activity: activity.get(&(*key, destination.key)).copied().unwrap_or_default(),
        })
    };
    entry.services.iter().map(service).collect()
}

impl Rule {
    fn of(key: &MarkKey) -> Self {
        Self { destination: key.destination, protocol: key.protocol, ports: key.ports }
    }
}
