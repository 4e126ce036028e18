//! From what is to what is wanted: what is to be made, and what of ours is to go.

use std::collections::BTreeSet;

use super::record::{Deed, Deeds, deeds};
use super::setting::Setting;
use super::situation::Situation;

/// What a run does: first it makes, then it undoes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What is made, with what is there now, first to last.
    pub make: Vec<Deed>,
    /// What is undone, first to last.
    pub undo: Vec<Deed>,
}

impl Plan {
    /// What leads to `wanted`. What is so already is left alone, and does not become ours.
    /// What is ours by the record and was reset by somebody is made again; then the value
    /// that this somebody chose is the one to come back.
    pub(super) fn between(now: &Situation, ours: &Deeds, wanted: &BTreeSet<Setting>) -> Self {
        let make = wanted.iter().filter(|setting| !now.holds(setting)).map(|setting| Deed {
            setting: *setting,
            previous: match setting {
                Setting::Sysctl(sysctl) => now.sysctls.get(sysctl).copied(),
                _ => None,
            },
        });
        let undo = deeds(ours).rev().filter(|deed| !wanted.contains(&deed.setting));
        Self { make: make.collect(), undo: undo.collect() }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.make.is_empty() && self.undo.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::route::{Link, OnLink};
    use crate::real_server::{Conf, Key, Method, Sysctl, Vip, wanted};

    fn vips(addresses: &[&str]) -> BTreeSet<Setting> {
        let vip = |text: &&str| Vip { prefix: text.parse().expect(text), method: Method::Dr };
        wanted(&addresses.iter().map(vip).collect())
    }

    /// A machine with these values of `arp_ignore` and `arp_announce`, and addresses on lo.
    fn machine(arp: [u32; 2], addresses: &[&str]) -> Situation {
        let lo = Link {
            index: 1,
            name: "lo".to_owned(),
            is_up: true,
            is_loopback: true,
            speaks_arp: false,
            mtu: 65_536,
        };
        let on = |text: &&str| OnLink {
            index: 1,
            ip: text.parse().expect(text),
            length: 32,
            is_deprecated: false,
        };
        let sysctls = [Conf::All, Conf::Lo].into_iter().flat_map(|conf| {
            let keys = [Key::ArpIgnore, Key::ArpAnnounce].into_iter().zip(arp);
            keys.map(move |(key, value)| (Sysctl { conf, key }, value))
        });
        Situation {
            links: vec![lo],
            addresses: addresses.iter().map(on).collect(),
            sysctls: sysctls.collect(),
            ..Situation::default()
        }
    }

    #[test]
    fn what_is_so_is_left_alone() {
        let now = machine([8, 2], &["172.18.100.7"]);
        assert!(Plan::between(&now, &Deeds::new(), &vips(&["172.18.100.7"])).is_empty());
    }

    #[test]
    fn what_is_missing_is_made_in_order_with_what_was_there() {
        let plan = Plan::between(&machine([0, 1], &[]), &Deeds::new(), &vips(&["172.18.100.7"]));
        let previous: Vec<_> = plan.make.iter().map(|deed| deed.previous).collect();
        assert_eq!(previous, [Some(0), Some(1), Some(0), Some(1), None]);
        assert!(plan.undo.is_empty());
    }

    #[test]
    fn what_is_ours_and_not_wanted_goes_from_the_end() {
        let ours: Deeds =
            vips(&["172.18.100.7", "172.18.100.8"]).into_iter().map(|s| (s, Some(0))).collect();
        let now = machine([1, 2], &["172.18.100.7", "172.18.100.8"]);
        let undo = |wanted| {
            let plan = Plan::between(&now, &ours, &wanted);
            assert!(plan.make.is_empty());
            plan.undo.iter().map(|deed| deed.setting.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(undo(vips(&["172.18.100.8"])), ["172.18.100.7 on lo"]);
        let all = undo(BTreeSet::new());
        assert_eq!(all[..2], ["172.18.100.8 on lo", "172.18.100.7 on lo"]);
        assert_eq!(all[5], "net.ipv4.conf.all.arp_ignore = 1");
    }
}
