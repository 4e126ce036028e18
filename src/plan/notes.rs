//! What an administrator should know of a plan: where the kernel cannot do it unnoticed.

use std::collections::BTreeSet;

use super::{ChainChange, EntryChange, FrameChange, Plan, ServiceChange};
use crate::model::{GroupName, Sysctl};
use crate::state::{Lookup, ServiceKey, SettingKey};

impl Plan {
    /// What an administrator should know before the plan is carried out.
    pub fn notes(&self) -> Vec<String> {
        self.exchanged_schedulers()
            .chain(self.exchanged_marks())
            .chain(self.exchanged_kinds())
            .chain(self.rebuilt_intervals())
            .chain(self.exchanged_chains())
            .chain(self.ended_forwarding())
            .collect()
    }

    /// What switches forwarding on or off does so for every device there is
    /// (`inet_forward_change`, `net/ipv4/devinet.c`; `addrconf_forward_change`,
    /// `net/ipv6/addrconf.c`).
    fn ended_forwarding(&self) -> impl Iterator<Item = String> {
        let forwarding = [Sysctl::ip_forward(), Sysctl::ipv6_forwarding()];
        let ended = self.strip.iter().filter_map(move |change| match &change.key {
            SettingKey::Sysctl(sysctl)
                if forwarding.contains(sysctl) && change.after.as_deref() == Some("0") =>
            {
                Some(sysctl.clone())
            }
            _ => None,
        });
        ended.map(|sysctl| {
            format!("{sysctl} = 0 ends forwarding on every device, also where it was on before")
        })
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

    /// A table that is made anew is marked by at once, but for its interval maps, which are
    /// empty until they are exchanged, shortly after all else of the batch is in force
    /// (`nft_set_commit_update` in `net/netfilter/nf_tables_api.c`, `nft_pipapo_commit` in
    /// `nft_set_pipapo.c`). The new table's shadow maps are no help: they are just as new.
    fn rebuilt_intervals(&self) -> impl Iterator<Item = String> {
        let entries = self.switch.entries.iter();
        let rebuilt = entries.filter(|_| self.switch.frame == FrameChange::Rebuild);
        let late = rebuilt.filter(|change| change.key.lookup() == Lookup::Range);
        let groups: BTreeSet<_> =
            late.filter_map(|change| Some(change.after.as_ref()?.group.clone())).collect();
        groups.into_iter().map(|group| {
            let whose = named(group.as_ref());
            format!(
                "{whose}: new connections to prefixes and port ranges may be refused for a moment"
            )
        })
    }

    /// A chain of the type nat makes the kernel track connections (`nf_ct_netns_get` in
    /// `net/netfilter/nft_chain_nat.c` and `nft_nat.c`), and where there is none it changes
    /// no address, not even of connections that it knows.
    fn exchanged_chains(&self) -> Option<String> {
        let ChainChange { before, after } = self.switch.chains;
        match (self.switch.frame, before.postrouting, after.postrouting) {
            (FrameChange::Rebuild | FrameChange::Remove, ..) => None,
            (_, false, true) => Some(
                "connection tracking begins for every connection of this network namespace, for \
                 it is what replaces the addresses of clients"
                    .to_owned(),
            ),
            (_, true, false) => Some(
                "established connections through fullnat break off, for no chain replaces the \
                 addresses of clients any more"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// IPVS keeps a connection under its service; a packet of it that arrives when the
    /// service is gone is dropped without an answer (`ip_vs_in_hook` in
    /// `net/netfilter/ipvs/ip_vs_core.c`, which finds its destination unavailable).
    fn exchanged_marks(&self) -> impl Iterator<Item = String> {
        let retired: BTreeSet<_> = self.retire.iter().filter_map(removed_service).collect();
        let silenced = self.switch.entries.iter().filter_map(|change| {
            let (before, after) = (change.before.as_ref()?, change.after.as_ref()?);
            let key = ServiceKey::Mark { mark: before.mark?, family: change.key.family() };
            (before.mark != after.mark && retired.contains(&key)).then(|| before.group.clone())
        });
        let groups: BTreeSet<_> = silenced.collect();
        groups.into_iter().map(|group| {
            format!(
                "established connections of {} fall silent: its mark changes, and they go with \
                 the service of the old mark; new connections are not refused",
                named(group.as_ref())
            )
        })
    }

    /// The same where a group goes from marks to addresses or back: its services of the
    /// other kind are others.
    fn exchanged_kinds(&self) -> impl Iterator<Item = String> {
        let retired: BTreeSet<_> = self.retire.iter().filter_map(removed_service).collect();
        let added: BTreeSet<_> = self.stage.iter().filter_map(added_service).collect();
        let exchanged =
            self.switch.entries.iter().filter_map(|EntryChange { key, before, after }| {
                let by_address = ServiceKey::Address {
                    address: key.destination.address(),
                    protocol: key.protocol,
                    port: key.ports.first(),
                };
                let (entry, now) = match (before, after) {
                    (Some(before), None) if added.contains(&by_address) => {
                        let by_mark = ServiceKey::Mark { mark: before.mark?, family: key.family() };
                        retired.contains(&by_mark).then_some((before, "address"))
                    }
                    (None, Some(after)) => retired.contains(&by_address).then_some((after, "mark")),
                    _ => None,
                }?;
                Some((entry.group.clone(), now))
            });
        let groups: BTreeSet<_> = exchanged.collect();
        groups.into_iter().map(|(group, now)| {
            format!(
                "established connections of {} fall silent: it goes by {now}, and they go with \
                 the services that it had; new connections are not refused",
                named(group.as_ref())
            )
        })
    }
}

fn named(group: Option<&GroupName>) -> String {
    group.map_or_else(|| "no group".to_owned(), |name| format!("group {name}"))
}

/// The service that a change removes, if it does.
fn removed_service(change: &ServiceChange) -> Option<ServiceKey> {
    match change {
        ServiceChange::RemoveService(key, _) => Some(*key),
        _ => None,
    }
}

/// The service that a change adds, if it does.
fn added_service(change: &ServiceChange) -> Option<ServiceKey> {
    match change {
        ServiceChange::AddService(key, _) => Some(*key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, Mark, PortRange, Protocol};
    use crate::plan::MarkSwitch;
    use crate::state::{MarkEntry, MarkKey, OptionalChains, ServiceFlags, VirtualService};

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

    /// A service, whatever it listens to.
    fn service() -> VirtualService {
        VirtualService {
            group: None,
            recorded: true,
            scheduler: "rr".parse().expect("a name"),
            flags: ServiceFlags::default(),
            timeout: 0,
            netmask: crate::state::Netmask::host(Family::Ipv4),
            engine: None,
            destinations: Vec::new(),
        }
    }

    /// The removal of the service of a mark.
    fn removal(mark: u32) -> ServiceChange {
        let mark = Mark::new(mark).expect("a mark");
        ServiceChange::RemoveService(ServiceKey::Mark { mark, family: Family::Ipv4 }, service())
    }

    fn notes(frame: FrameChange, entries: Vec<EntryChange>, retire: Vec<u32>) -> Vec<String> {
        let switch = MarkSwitch { frame, entries, ..MarkSwitch::default() };
        let retire = retire.into_iter().map(removal).collect();
        Plan { switch, retire, ..Plan::default() }.notes()
    }

    #[test]
    fn interval_maps_of_a_rebuilt_table_are_noted_once_for_their_group() {
        let new = |address, last| change(address, last, None, Some(1));
        let both = vec![new("192.0.2.0/24", 80), new("192.0.2.1", 90)];
        let found = notes(FrameChange::Rebuild, both.clone(), vec![]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("group web: new connections to prefixes"), "{found:?}");
        let of_a_hash_map = vec![new("192.0.2.1", 80)];
        assert_eq!(notes(FrameChange::Rebuild, of_a_hash_map, vec![]), [""; 0]);
        for frame in [FrameChange::Create, FrameChange::Keep, FrameChange::RewriteRules] {
            assert_eq!(notes(frame, both.clone(), vec![]), [""; 0]);
        }
    }

    #[test]
    fn connections_that_go_with_the_service_of_an_old_mark_are_noted_once_for_their_group() {
        let keep = FrameChange::Keep;
        let changed = |address| change(address, 80, Some(1), Some(2));
        let both = vec![changed("192.0.2.1"), changed("192.0.2.2")];
        let found = notes(keep, both.clone(), vec![1, 7]);
        assert_eq!(found.len(), 1);
        let words = "established connections of group web fall silent: its mark changes";
        assert!(found[0].starts_with(words), "{found:?}");
        // The service stays, as in a trial; or the group only gets another name or goes.
        assert_eq!(notes(keep, both, vec![7]), [""; 0]);
        let same = vec![change("192.0.2.1", 80, Some(1), Some(1))];
        assert_eq!(notes(keep, same, vec![1]), [""; 0]);
        assert_eq!(notes(keep, vec![change("192.0.2.1", 80, Some(1), None)], vec![1]), [""; 0]);
    }

    #[test]
    fn the_begin_and_the_end_of_connection_tracking_are_noted() {
        let none = OptionalChains::default();
        let nat = OptionalChains { postrouting: true, ..none };
        let notes = |frame, before, after| {
            let chains = ChainChange { before, after };
            let switch = MarkSwitch { frame, chains, ..MarkSwitch::default() };
            Plan { switch, ..Plan::default() }.notes()
        };
        let begin = notes(FrameChange::Create, none, nat);
        assert!(begin[0].starts_with("connection tracking begins"), "{begin:?}");
        let end = notes(FrameChange::Keep, nat, none);
        assert!(end[0].starts_with("established connections through fullnat"), "{end:?}");
        assert_eq!(notes(FrameChange::Keep, nat, nat), [""; 0]);
        assert_eq!(notes(FrameChange::Remove, nat, none), [""; 0]);
    }

    #[test]
    fn connections_of_a_group_that_goes_the_other_way_are_noted() {
        let key: ServiceKey = "tcp 192.0.2.1:80".parse().expect("a service");
        let plan = |entries, stage: Vec<ServiceChange>, retire: Vec<ServiceChange>| {
            let switch = MarkSwitch { entries, ..MarkSwitch::default() };
            Plan { stage, switch, retire, ..Plan::default() }.notes()
        };
        let add = || vec![ServiceChange::AddService(key, service())];
        let leaves = || vec![change("192.0.2.1", 80, Some(1), None)];
        let found = plan(leaves(), add(), vec![removal(1)]);
        assert!(found[0].contains("group web fall silent: it goes by address"), "{found:?}");
        // In a trial the service of the mark stays.
        assert_eq!(plan(leaves(), add(), vec![]), [""; 0]);
        let back = vec![change("192.0.2.1", 80, None, Some(1))];
        let found = plan(back, vec![], vec![ServiceChange::RemoveService(key, service())]);
        assert!(found[0].contains("group web fall silent: it goes by mark"), "{found:?}");
    }
}
