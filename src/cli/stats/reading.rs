//! One reading of both sides' counters, joined by group and virtual service.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::super::groups::Selection;
use super::super::{Context, record_error};
use crate::backend::KernelDirector;
use crate::backend::ipvs::KernelIpvs;
use crate::backend::{Count, CountedRuleset, MarkCounts, ServiceStatistics};
use crate::error::Error;
use crate::model::GroupName;
use crate::state::{MarkKey, ServiceKey};
use crate::transaction::{Cause, since_zero};

/// What both sides counted at one moment.
pub(in crate::cli) struct Reading {
    /// When.
    pub(in crate::cli) at: Instant,
    /// The generation that the kernel holds.
    pub(in crate::cli) generation: Option<u64>,
    /// By group; of no group is what our table has without a name.
    pub(in crate::cli) groups: BTreeMap<Option<GroupName>, BTreeMap<ServiceKey, Counters>>,
}

/// What was counted of one virtual service.
#[derive(Debug, Default)]
pub(in crate::cli) struct Counters {
    /// What its mark was given to; none of a service by address.
    pub(in crate::cli) marked: Option<Marked>,
    /// What IPVS did with it; none when there is no such service.
    pub(in crate::cli) scheduled: Option<ServiceStatistics>,
}

/// What a mark was given to.
#[derive(Debug, Default)]
pub(in crate::cli) struct Marked {
    /// By all entries.
    pub(in crate::cli) total: Count,
    /// By each.
    pub(in crate::cli) entries: BTreeMap<MarkKey, Count>,
}

impl Counters {
    /// How many packets were marked and are not in IPVS's count; not known where one of
    /// the two is missing.
    pub(in crate::cli) fn unscheduled(&self) -> Option<u64> {
        let scheduled = self.scheduled.as_ref()?.service.total.packets_in;
        Some(self.marked.as_ref()?.total.packets.saturating_sub(scheduled))
    }

    /// How many packets had been marked at `before` and are not in IPVS's count now: when
    /// enough time lies between the two, nobody will schedule them. Where there is no
    /// service at either time, how many were marked between the two.
    pub(in crate::cli) fn lost_since(&self, before: Option<&Self>) -> Option<u64> {
        let before = before?;
        let then = before.marked.as_ref()?.total.packets;
        // A mark that counts less than before began anew.
        let more = self.marked.as_ref()?.total.packets.checked_sub(then)?;
        match (&before.scheduled, &self.scheduled) {
            (None, None) => Some(more),
            (_, Some(now)) => Some(then.saturating_sub(now.service.total.packets_in)),
            (Some(_), None) => None,
        }
    }

    /// Whether a real server takes new connections.
    pub(in crate::cli) fn has_server(&self) -> bool {
        let servers = self.scheduled.iter().flat_map(|counted| counted.destinations.values());
        servers.into_iter().any(|server| server.weight > 0)
    }
}

impl Reading {
    /// Reads both sides: first the marks, so that what they counted can be in IPVS's count.
    pub(in crate::cli) fn take(context: &Context, names: &[String]) -> Result<Self, Error> {
        let counted = KernelDirector::new().counted_marking().map_err(Cause::from)?;
        let at = Instant::now();
        let selection = Selection::new(names, &counted.ruleset)?;
        let zero = zero(context)?;
        let staged = context.site()?.run_journal()?.owned().services;
        let ledger = &counted.ruleset.ledger.services;
        let keys: BTreeSet<_> = ledger.keys().chain(&staged).copied().collect();
        let group = |key: &ServiceKey| ledger.get(key).and_then(|entry| entry.group.clone());

        let mut services: BTreeMap<_, _> =
            keys.iter().map(|key| (*key, (group(key), Counters::default()))).collect();
        marks(&counted, &zero, &mut services);
        services.retain(|_, (group, _)| selection.has(group.as_ref()));

        let wanted: BTreeSet<_> = services.keys().copied().collect();
        let mut statistics = KernelIpvs::new().statistics(&wanted).map_err(Cause::from)?;
        let mut groups: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (key, (group, mut counters)) in services {
            counters.scheduled = statistics.remove(&key);
            groups.entry(group).or_default().insert(key, counters);
        }
        let generation = counted.ruleset.ledger.record.as_ref().map(|record| record.generation);
        Ok(Self { at, generation, groups })
    }

    /// The counters of a service.
    pub(in crate::cli) fn of(
        &self,
        group: Option<&GroupName>,
        key: ServiceKey,
    ) -> Option<&Counters> {
        self.groups.get(&group.cloned())?.get(&key)
    }

    /// Whether there are packets that were marked at `before` and are in no count of IPVS
    /// yet.
    pub(in crate::cli) fn doubts(&self, before: &Self) -> bool {
        let services = self.groups.iter().flat_map(|(group, services)| {
            services.iter().map(move |(key, now)| (before.of(group.as_ref(), *key), now))
        });
        services
            .into_iter()
            .any(|(before, now)| now.lost_since(before).is_some_and(|lost| lost > 0))
    }
}

/// What the entries had counted at the last `zero`. Who may look at the kernel and not at
/// our files sees the kernel's counts.
fn zero(context: &Context) -> Result<MarkCounts, Error> {
    context.site()?.zero_file()?.read().or_else(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            tracing::warn!("what was counted before `zero` is not known: {error}");
            Ok(MarkCounts::new())
        }
        _ => Err(record_error("read what `zero` remembers")(error)),
    })
}

type Services = BTreeMap<ServiceKey, (Option<GroupName>, Counters)>;

/// Adds what the entries counted to the services of their marks, whose group is the
/// ledger's, else the entry's.
fn marks(counted: &CountedRuleset, zero: &MarkCounts, services: &mut Services) {
    for (key, entry) in &counted.ruleset.entries {
        let Some(mark) = entry.mark else { continue };
        let count = counted.counts.get(key).copied().unwrap_or_default();
        let count = since_zero(count, zero.get(key));
        let (group, counters) =
            services.entry(ServiceKey::Mark { mark, family: key.family() }).or_default();
        *group = group.take().or_else(|| entry.group.clone());
        let marked = counters.marked.get_or_insert_default();
        marked.total += count;
        marked.entries.insert(*key, count);
    }
}
