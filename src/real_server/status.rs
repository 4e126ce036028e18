//! How ready a real server is.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::RealServerError;
use super::error::gateway_remedy;
use super::record::Deed;
use super::setting::{Device, Setting};
use super::situation::Situation;
use super::sysctl::Key;

/// A device on which clients and directors ask by ARP, and what is in force there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Neighbours {
    /// The device.
    pub device: String,
    /// The greater of its own `arp_ignore` and that of `all`.
    pub arp_ignore: u32,
    /// The same of `arp_announce`.
    pub arp_announce: u32,
    /// Whether it keeps silent about VIPs on other devices.
    pub silent: bool,
}

/// Where answers go that a director has to translate.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct Gateway {
    /// Where they should go.
    pub director: IpAddr,
    /// Where they go.
    pub found: String,
    /// Whether that is the same.
    pub right: bool,
}

impl Gateway {
    /// How a default route stands to a director.
    pub fn of(now: &Situation, director: IpAddr) -> Self {
        let route = now.default_route(director.is_ipv4());
        let right = route.is_some_and(|route| route.gateway == Some(director));
        Self { director, found: now.default_route_text(director.is_ipv4()), right }
    }

    /// What mends it, where that is needed.
    pub fn remedy(&self) -> Option<String> {
        (!self.right).then(|| gateway_remedy(self.director))
    }

    /// The same as an error.
    ///
    /// # Errors
    /// [`RealServerError::Gateway`] where answers do not go through the director.
    pub fn check(self) -> Result<Self, RealServerError> {
        let Self { director, found, right } = self;
        if right {
            Ok(Self { director, found, right })
        } else {
            Err(RealServerError::Gateway { found, director })
        }
    }
}

/// A setting that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is wanted.
    pub setting: Setting,
    /// Whether it is so.
    pub present: bool,
    /// Whether that is ours.
    pub ours: bool,
    /// The value of a kernel parameter that is in force.
    pub value: Option<u32>,
}

/// How ready this machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What is wanted, in order.
    pub settings: Vec<Row>,
    /// The devices that speak ARP, where VIPs of IPv4 are wanted.
    pub neighbours: Vec<Neighbours>,
    /// VIPs that are also on a device which speaks ARP: there they are answered for. On a
    /// real server that is also a director this is as it should be.
    pub elsewhere: Vec<(IpAddr, String)>,
    /// The default route, where a director was named.
    pub gateway: Option<Gateway>,
    /// What is ours and not wanted.
    pub surplus: Vec<Setting>,
}

impl Status {
    /// How `now` stands to what is wanted.
    pub fn of(
        now: &Situation,
        ours: &[Deed],
        wanted: &BTreeSet<Setting>,
        director: Option<IpAddr>,
    ) -> Self {
        let is_ours = |setting: &Setting| ours.iter().any(|deed| deed.setting == *setting);
        let row = |setting: &Setting| Row {
            setting: *setting,
            present: now.holds(setting),
            ours: is_ours(setting),
            value: match setting {
                Setting::Sysctl(sysctl) => now.effective(*sysctl),
                _ => None,
            },
        };
        let speaks = wanted.iter().any(|setting| matches!(setting, Setting::Sysctl(_)));
        let neighbours = if speaks { neighbours(now) } else { Vec::new() };
        let surplus = ours.iter().map(|deed| deed.setting).filter(|s| !wanted.contains(s));
        Self {
            settings: wanted.iter().map(row).collect(),
            neighbours,
            elsewhere: elsewhere(now, wanted),
            gateway: director.map(|director| Gateway::of(now, director)),
            surplus: surplus.collect(),
        }
    }

    /// How many things are not as they should be.
    pub fn missing(&self) -> usize {
        self.settings.iter().filter(|row| !row.present).count()
            + self.neighbours.iter().filter(|device| !device.silent).count()
            + self.gateway.iter().filter(|gateway| !gateway.right).count()
    }
}

fn neighbours(now: &Situation) -> Vec<Neighbours> {
    let all = |key| now.of_all(key).unwrap_or(0);
    let [ignore, announce] = [all(Key::ArpIgnore), all(Key::ArpAnnounce)];
    let devices = now.neighbours.iter().map(|(device, own)| {
        let (arp_ignore, arp_announce) = (own[0].max(ignore), own[1].max(announce));
        let silent = Key::ArpIgnore.accepts(arp_ignore) && Key::ArpAnnounce.accepts(arp_announce);
        Neighbours { device: device.clone(), arp_ignore, arp_announce, silent }
    });
    devices.collect()
}

fn elsewhere(now: &Situation, wanted: &BTreeSet<Setting>) -> Vec<(IpAddr, String)> {
    let is_vip = |on: IpAddr| {
        wanted.iter().any(|s| matches!(s, Setting::Address { address, .. } if *address == on))
    };
    let ours = [Device::Lo, Device::Tunl0, Device::Ip6tnl0].map(Device::name);
    let others = now.addresses.iter().filter(|on| is_vip(on.ip)).filter_map(|on| {
        let name = now.name(on.index)?;
        (!ours.contains(&name)).then(|| (on.ip, name.to_owned()))
    });
    others.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real_server::situation::DefaultRoute;
    use crate::real_server::{Conf, Sysctl};

    fn route(gateway: &str, metric: u32) -> DefaultRoute {
        let gateway: IpAddr = gateway.parse().expect("an address");
        DefaultRoute { is_ipv4: gateway.is_ipv4(), gateway: Some(gateway), index: None, metric }
    }

    #[test]
    fn the_route_that_is_taken_counts() {
        let defaults = vec![route("10.0.0.254", 100), route("10.0.0.1", 0), route("fe80::1", 0)];
        let now = Situation { defaults, ..Situation::default() };
        let director = |text: &str| Gateway::of(&now, text.parse().expect("an address"));
        assert!(director("10.0.0.1").right);
        let wrong = director("10.0.0.254");
        assert!(!wrong.right && wrong.found.contains("10.0.0.1"), "{wrong:?}");
        let remedy = director("2001:db8::1").remedy().expect("it is wrong");
        assert_eq!(remedy, "ip -6 route replace default via 2001:db8::1");
        let none = Gateway::of(&Situation::default(), "10.0.0.1".parse().expect("one"));
        assert!(!none.right && none.found == "none", "{none:?}");
    }

    #[test]
    fn a_device_that_speaks_of_other_addresses_is_not_silent() {
        let all = |key, value| (Sysctl { conf: Conf::All, key }, value);
        let now = Situation {
            neighbours: vec![("eth0".to_owned(), [0, 0]), ("eth1".to_owned(), [3, 0])],
            sysctls: [all(Key::ArpIgnore, 1), all(Key::ArpAnnounce, 2)].into(),
            ..Situation::default()
        };
        let silent: Vec<_> = neighbours(&now).iter().map(|device| device.silent).collect();
        assert_eq!(silent, [true, false]);
    }
}
