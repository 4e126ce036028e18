//! What an administrator should know of a plan: where the kernel cannot do it unnoticed.

use std::collections::BTreeSet;

use super::{EntryChange, FrameChange, Plan, ServiceChange};
use crate::state::{Lookup, MarkKey};

impl Plan {
    /// What an administrator should know before the plan is carried out.
    pub fn notes(&self) -> Vec<String> {
        self.exchanged_schedulers().chain(self.exchanged_intervals()).collect()
    }

    /// `ip_vs_unbind_scheduler`, then an RCU period, then `ip_vs_bind_scheduler`
    /// (`net/netfilter/ipvs/ip_vs_sched.c`); 36 ms were measured.
    fn exchanged_schedulers(&self) -> impl Iterator<Item = String> {
        let exchanged = self.stage.iter().filter_map(|change| match change {
            ServiceChange::EditService { key, before, after }
                if before.scheduler != after.scheduler =>
            {
                Some(key)
            }
            _ => None,
        });
        exchanged.map(|key| {
            format!("{key}: new connections are refused for some 40 ms while the scheduler changes")
        })
    }

    /// What is new in an interval map is found only when the map is exchanged, shortly
    /// after all else of the batch is in force (`nft_set_commit_update` in
    /// `net/netfilter/nf_tables_api.c`, `nft_pipapo_commit` in `nft_set_pipapo.c`). Packets
    /// that got a mark before and get it from there are not marked in between.
    fn exchanged_intervals(&self) -> impl Iterator<Item = String> {
        let entries = &self.switch.entries;
        let marked_before = |change: &EntryChange| {
            change.before.is_some()
                || self.switch.frame == FrameChange::Rebuild
                || entries
                    .iter()
                    .any(|other| other.before.is_some() && meet(&other.key, &change.key))
        };
        let late = entries
            .iter()
            .filter(|change| change.after.is_some() && change.key.lookup() == Lookup::Range)
            .filter(|change| marked_before(change));
        let groups: BTreeSet<_> = late
            .map(|change| change.after.as_ref().and_then(|entry| entry.group.clone()))
            .collect();
        groups.into_iter().map(|group| {
            let whose = group.map_or_else(|| "no group".to_owned(), |name| format!("group {name}"));
            format!(
                "{whose}: new connections to prefixes and port ranges may be refused for a moment"
            )
        })
    }
}

/// Whether there are packets that both mean.
fn meet(one: &MarkKey, other: &MarkKey) -> bool {
    one.protocol == other.protocol
        && one.ports.overlaps(other.ports)
        && one.destination.overlaps(&other.destination)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mark, PortRange, Protocol};
    use crate::plan::MarkSwitch;
    use crate::state::MarkEntry;

    /// An entry change of the port 80, or of the range from there.
    fn change(address: &str, last: u16, before: Option<u32>, after: Option<u32>) -> EntryChange {
        let entry =
            |mark| MarkEntry { mark: Mark::new(mark), group: Some("web".parse().expect("a name")) };
        EntryChange {
            key: MarkKey {
                destination: address.parse().expect(address),
                protocol: Protocol::Tcp,
                ports: PortRange::new(80, last).expect("ports"),
            },
            before: before.map(entry),
            after: after.map(entry),
        }
    }

    fn notes(frame: FrameChange, entries: Vec<EntryChange>) -> usize {
        let switch = MarkSwitch { frame, entries, ..MarkSwitch::default() };
        Plan { switch, ..Plan::default() }.notes().len()
    }

    #[test]
    fn what_an_interval_map_takes_over_is_noted_once_for_its_group() {
        let keep = FrameChange::Keep;
        let exchanged = change("192.0.2.0/24", 80, Some(1), Some(2));
        assert_eq!(notes(keep, vec![exchanged.clone()]), 1);
        assert_eq!(notes(keep, vec![exchanged, change("192.0.2.1", 90, Some(1), Some(2))]), 1);
        let grows =
            vec![change("192.0.2.1", 99, None, Some(1)), change("192.0.2.1", 90, Some(1), None)];
        assert_eq!(notes(keep, grows), 1);
        let from_a_hash_map =
            vec![change("192.0.2.0/24", 80, None, Some(1)), change("192.0.2.1", 80, Some(1), None)];
        assert_eq!(notes(keep, from_a_hash_map), 1);
        let new = vec![change("192.0.2.0/24", 80, None, Some(1))];
        assert_eq!(notes(FrameChange::Rebuild, new), 1);
    }

    #[test]
    fn what_nobody_was_marked_by_or_hash_maps_hold_is_not_noted() {
        let keep = FrameChange::Keep;
        assert_eq!(notes(keep, vec![change("192.0.2.1", 80, Some(1), Some(2))]), 0);
        assert_eq!(notes(FrameChange::Rebuild, vec![change("192.0.2.1", 80, None, Some(2))]), 0);
        let apart =
            vec![change("192.0.2.1", 99, None, Some(1)), change("192.0.2.2", 99, Some(1), None)];
        assert_eq!(notes(keep, apart), 0);
        assert_eq!(notes(FrameChange::Create, vec![change("192.0.2.1", 99, None, Some(1))]), 0);
        assert_eq!(notes(keep, vec![change("192.0.2.1", 99, Some(1), None)]), 0);
    }
}
