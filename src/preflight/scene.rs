//! What this machine is set to, as far as it can stop traffic: plain values, so that every
//! check can be tried on a machine that does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::filter::Ruleset;
use super::finding::Unchecked;
use super::subject::Subject;
use crate::model::{Family, Prefix};
pub(super) use crate::netlink::route::{Link, OnLink};
use crate::state::{ROUTE_TABLE, RULE_PRIORITY, ServiceKey};

/// The machine, and what has to get through it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scene {
    pub(super) subject: Subject,
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<OnLink>,
    pub(super) rules: Vec<RoutingRule>,
    pub(super) routes: BTreeMap<Question, Route>,
    /// Where the default route leads, by family.
    pub(super) defaults: BTreeMap<Family, u32>,
    /// Addresses on a link that nobody answered for.
    pub(super) failed_neighbours: BTreeSet<IpAddr>,
    /// Kernel parameters by their dotted names, with slashes for dots in device names.
    pub(super) sysctls: BTreeMap<String, u32>,
    /// `None` where it could not be read.
    pub(super) ruleset: Option<Ruleset>,
    pub(super) ipvs: Ipvs,
    pub(super) modules: Modules,
    pub(super) units: Units,
    pub(super) unchecked: Vec<Unchecked>,
}

impl OnLink {
    /// The network that it is in, where that is more than itself.
    pub(super) fn network(&self) -> Option<Prefix> {
        let bits = Family::of(self.ip).bits();
        (self.length < bits && self.length > 0).then_some(())?;
        let shift = u32::from(bits - self.length);
        let network: IpAddr = match self.ip {
            IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits() >> shift << shift).into(),
            IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() >> shift << shift).into(),
        };
        Prefix::new(network, self.length).ok()
    }
}

/// An `ip rule`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoutingRule {
    pub(super) family: Family,
    pub(super) priority: u32,
    pub(super) mark: u32,
    pub(super) mask: u32,
    /// What it does, in words of ip-rule(8): `lookup 100`, `blackhole`.
    pub(super) action: String,
}

impl RoutingRule {
    /// Whether it is one that an apply makes for VIPs that are no addresses.
    pub(super) fn is_ours(&self) -> bool {
        self.priority == RULE_PRIORITY && self.action == format!("lookup {ROUTE_TABLE}")
    }
}

/// What the routing tables are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Question {
    pub(super) destination: IpAddr,
    /// The packet's mark; 0 is none.
    pub(super) mark: u32,
}

/// Where a packet goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// To this machine.
    Local,
    /// Out.
    Out {
        /// The device's number.
        index: u32,
        gateway: Option<IpAddr>,
        /// The address that this machine would send from.
        source: Option<IpAddr>,
    },
    /// Nowhere: no route, or one that forbids.
    None,
}

/// IPVS, as far as it is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ipvs {
    /// Whether it is loaded.
    pub(super) is_loaded: bool,
    /// Every service that there is.
    pub(super) services: BTreeSet<ServiceKey>,
    /// Which of them are ours, by the ledger.
    pub(super) ours: BTreeSet<ServiceKey>,
    /// What the sync daemons are: `master`, `backup`.
    pub(super) daemons: Vec<&'static str>,
}

/// What the kernel could load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Modules {
    pub(super) release: String,
    /// Names of modules that are loaded or built in.
    pub(super) present: BTreeSet<String>,
    /// Names that can be loaded; `None` where there is no list.
    pub(super) loadable: Option<BTreeSet<String>>,
}

impl Modules {
    /// Whether there is a module; `None` where that cannot be known.
    pub(super) fn has(&self, name: &str) -> Option<bool> {
        if self.present.contains(name) {
            return Some(true);
        }
        self.loadable.as_ref().map(|loadable| loadable.contains(name))
    }
}

/// What starts and stops on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Units {
    /// Units that are enabled, and which commands of theirs flush.
    pub(super) flush_ruleset: Vec<Flush>,
    pub(super) flush_ipvs: Vec<Flush>,
    /// Whether the watch is enabled, which brings back what they take.
    pub(super) watch_enabled: bool,
    /// Whether the unit is enabled that restores when a firewall is started or reloaded.
    pub(super) restore_enabled: bool,
    /// Saved rulesets that a boot would load, and the kernel refuse.
    pub(super) refused: Vec<Refused>,
}

/// A saved ruleset of which nothing would be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// The unit that loads it.
    pub(super) unit: String,
    /// The file; one that it includes is named by itself.
    pub(super) file: String,
    /// The line that is refused.
    pub(super) line: usize,
    pub(super) why: Refusal,
}

/// Why a saved ruleset would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Our table as earlier versions made it: a protocol is part of an interval map's key.
    FormerKeys {
        /// Whether the table stands in lines of its own, as nft lists it.
        can_be_cut: bool,
        /// Whether the file holds nothing else.
        is_ours_alone: bool,
    },
    /// A rule looks into a set of ours, and nothing makes that before.
    NoSet {
        /// The set's name.
        set: String,
        /// The file from which sets are made at boot.
        sets: String,
    },
}

/// A unit that takes away what is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Flush {
    pub(super) unit: String,
    /// The file that says so.
    pub(super) file: String,
    /// What mends it, beside the watch.
    pub(super) remedy: Option<String>,
}

impl Scene {
    pub(super) fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    pub(super) fn link_name(&self, index: u32) -> &str {
        self.link(index).map_or("?", |link| link.name.as_str())
    }

    /// An address of this machine on a device.
    pub(super) fn address(&self, ip: IpAddr) -> Option<&OnLink> {
        self.addresses.iter().find(|address| address.ip == ip)
    }

    pub(super) fn route(&self, destination: IpAddr, mark: u32) -> Option<&Route> {
        self.routes.get(&Question { destination, mark })
    }

    pub(super) fn sysctl(&self, name: &str) -> Option<u32> {
        self.sysctls.get(name).copied()
    }

    /// A parameter of a device: the greater of its own and that of all devices
    /// (`IN_DEV_MAXCONF`, `linux/inetdevice.h`).
    pub(super) fn of_device(&self, device: &str, key: &str) -> Option<u32> {
        let own = self.sysctl(&format!("net.ipv4.conf.{}.{key}", device.replace('.', "/")))?;
        Some(own.max(self.sysctl(&format!("net.ipv4.conf.all.{key}")).unwrap_or(0)))
    }

    /// The device by which clients' packets for a VIP come: the one that has it or its
    /// network, else that of the default route, else the only one.
    pub(super) fn entrance(&self, vip: IpAddr) -> Option<&Link> {
        let useful = |index: u32| self.link(index).filter(|link| !link.is_loopback && link.is_up);
        let on_device = self.address(vip).and_then(|address| useful(address.index));
        let in_network = || {
            let holds = |address: &&OnLink| {
                address.network().is_some_and(|net| net.contains(&Prefix::host(vip)))
            };
            self.addresses.iter().find(holds).and_then(|address| useful(address.index))
        };
        let by_default = || useful(*self.defaults.get(&Family::of(vip))?);
        let only = || {
            let mut all =
                self.links.iter().filter(|link| link.is_up && link.speaks_arp && !link.is_loopback);
            all.next().filter(|_| all.next().is_none())
        };
        on_device.or_else(in_network).or_else(by_default).or_else(only)
    }
}
