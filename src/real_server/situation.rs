//! What this machine is set to: links, addresses, routes and kernel parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::kernel::Kernel;
use super::setting::{Device, Setting};
use super::sysctl::{Conf, Key, Sysctl, of_device};
use super::{Fault, RealServerError};
use crate::model::Prefix;
use crate::netlink::route::{Link, OnLink};

/// A route that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// It makes a prefix local.
    Local(Prefix),
    /// Where packets go that no other route takes.
    Default(DefaultRoute),
}

/// A default route of the main table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultRoute {
    /// Whether it is one of IPv4.
    pub is_ipv4: bool,
    /// The next hop, where it has one and not several.
    pub gateway: Option<IpAddr>,
    /// The number of the device.
    pub index: Option<u32>,
    /// The route with the smallest is taken.
    pub metric: u32,
}

/// The state of this network namespace, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Situation {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<OnLink>,
    pub(super) local: BTreeSet<Prefix>,
    pub(super) defaults: Vec<DefaultRoute>,
    pub(super) sysctls: BTreeMap<Sysctl, u32>,
    /// `arp_ignore` and `arp_announce` of each device that speaks ARP, without `all`.
    pub(super) neighbours: Vec<(String, [u32; 2])>,
}

impl Situation {
    /// Reads it, in the network namespace of this thread. It needs no privilege.
    ///
    /// # Errors
    /// [`RealServerError::Unread`].
    pub fn read() -> Result<Self, RealServerError> {
        Kernel::open().and_then(|mut kernel| Self::of(&mut kernel)).map_err(RealServerError::Unread)
    }

    pub(super) fn of(kernel: &mut Kernel) -> Result<Self, Fault> {
        let (links, addresses) = (kernel.links()?, kernel.addresses()?);
        let (mut local, mut defaults) = (BTreeSet::new(), Vec::new());
        for route in kernel.routes()? {
            match route {
                Route::Local(prefix) => drop(local.insert(prefix)),
                Route::Default(route) => defaults.push(route),
            }
        }
        let mut sysctls = BTreeMap::new();
        for sysctl in Sysctl::every() {
            if let Some(value) = sysctl.read().map_err(Fault::File)? {
                sysctls.insert(sysctl, value);
            }
        }
        let mut neighbours = Vec::new();
        for link in links.iter().filter(|link| link.speaks_arp) {
            let value = |key| of_device(&link.name, key).map_err(Fault::File);
            // A device may go while it is looked at.
            if let (Some(ignore), Some(announce)) =
                (value(Key::ArpIgnore)?, value(Key::ArpAnnounce)?)
            {
                neighbours.push((link.name.clone(), [ignore, announce]));
            }
        }
        Ok(Self { links, addresses, local, defaults, sysctls, neighbours })
    }

    /// The link of this name.
    pub(super) fn link(&self, device: Device) -> Option<&Link> {
        self.links.iter().find(|link| link.name == device.name())
    }

    /// The addresses on a device, which others may need: all but those that the kernel
    /// itself puts there.
    pub(super) fn others_on(&self, device: Device) -> impl Iterator<Item = IpAddr> {
        let index = self.link(device).map(|link| link.index);
        let on_device = self.addresses.iter().filter(move |on| Some(on.index) == index);
        on_device.map(|on| on.ip).filter(|address| match address {
            IpAddr::V4(v4) => !v4.is_loopback(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
        })
    }

    /// The addresses by which a director may know this machine: none of loopback, which
    /// every machine has.
    pub fn own_addresses(&self) -> BTreeSet<IpAddr> {
        let all = self.addresses.iter().map(|on| on.ip);
        all.filter(|address| !address.is_loopback()).collect()
    }

    /// Whether a setting is so, whoever made it so.
    pub fn holds(&self, setting: &Setting) -> bool {
        match setting {
            Setting::Device { device } => self.link(*device).is_some(),
            Setting::Up { device } => self.link(*device).is_some_and(|link| link.is_up),
            Setting::Sysctl(sysctl) => {
                self.effective(*sysctl).is_some_and(|v| sysctl.key.accepts(v))
            }
            Setting::Address { address, device } => self.link(*device).is_some_and(|link| {
                let bits = Prefix::host(*address).length();
                self.addresses
                    .iter()
                    .any(|on| on.index == link.index && on.ip == *address && on.length == bits)
            }),
            Setting::Route { prefix } => self.local.contains(prefix),
        }
    }

    /// What counts of a parameter: of the filter on the tunnel the greater value, which is
    /// what the kernel takes; of the others what is set, so that `all` alone holds.
    pub(super) fn effective(&self, sysctl: Sysctl) -> Option<u32> {
        let own = self.sysctls.get(&sysctl).copied()?;
        if sysctl.key != Key::RpFilter {
            return Some(own);
        }
        Some(own.max(self.of_all(sysctl.key).unwrap_or(0)))
    }

    /// The default route that is taken.
    pub(super) fn default_route(&self, is_ipv4: bool) -> Option<&DefaultRoute> {
        let of_family = self.defaults.iter().filter(|route| route.is_ipv4 == is_ipv4);
        of_family.min_by_key(|route| route.metric)
    }

    /// The same in words.
    pub(super) fn default_route_text(&self, is_ipv4: bool) -> String {
        let Some(route) = self.default_route(is_ipv4) else { return "none".to_owned() };
        let via = route.gateway.map(|gateway| format!("via {gateway}"));
        let device =
            route.index.and_then(|index| self.name(index)).map(|name| format!("dev {name}"));
        let words: Vec<_> = via.into_iter().chain(device).collect();
        if words.is_empty() { "by several hops".to_owned() } else { words.join(" ") }
    }

    /// The value of a parameter of `all`.
    pub(super) fn of_all(&self, key: Key) -> Option<u32> {
        self.sysctls.get(&Sysctl { conf: Conf::All, key }).copied()
    }

    /// The name of a link's number.
    pub(super) fn name(&self, index: u32) -> Option<&str> {
        self.links.iter().find(|link| link.index == index).map(|link| link.name.as_str())
    }
}
