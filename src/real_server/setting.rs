//! What a real server needs: settings of the kernel, in the order in which they are made.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Method;
use super::sysctl::{Conf, Key, Sysctl};
use crate::model::{Family, Prefix};

/// A device that takes packets for VIPs.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// Loopback.
    Lo,
    /// What unpacks IPv4 in IPv4 from anybody: the fallback device of the module `ipip`.
    Tunl0,
    /// What unpacks IPv6 in IPv6 from anybody: the fallback device of `ip6_tunnel`.
    Ip6tnl0,
}

impl Device {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lo => "lo",
            Self::Tunl0 => "tunl0",
            Self::Ip6tnl0 => "ip6tnl0",
        }
    }

    /// The kind of link that it is (`IFLA_INFO_KIND`), where it can be made.
    pub(super) fn kind(self) -> Option<&'static str> {
        match self {
            Self::Lo => None,
            Self::Tunl0 => Some("ipip"),
            Self::Ip6tnl0 => Some("ip6tnl"),
        }
    }

    /// The module that makes it.
    pub(super) fn module(self) -> &'static str {
        match self {
            Self::Lo => "",
            Self::Tunl0 => "ipip",
            Self::Ip6tnl0 => "ip6_tunnel",
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is so on a real server. The order is that in which they are made; they
/// are undone in the other one.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase", tag = "what")]
pub enum Setting {
    /// A tunnel's device is there.
    Device {
        /// Which.
        device: Device,
    },
    /// A kernel parameter does.
    Sysctl(Sysctl),
    /// A device is up.
    Up {
        /// Which.
        device: Device,
    },
    /// An address is on a device, alone (`/32` or `/128`).
    Address {
        /// The address.
        address: IpAddr,
        /// Where.
        device: Device,
    },
    /// A whole prefix is local.
    Route {
        /// The prefix.
        prefix: Prefix,
    },
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { device } => write!(f, "device {device}"),
            Self::Sysctl(sysctl) => write!(f, "{sysctl} = {}", sysctl.key.wanted()),
            Self::Up { device } => write!(f, "{device} up"),
            Self::Address { address, device } => write!(f, "{address} on {device}"),
            Self::Route { prefix } => write!(f, "local route {prefix}"),
        }
    }
}

/// A VIP, and how packets for it come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
pub struct Vip {
    /// The address, or all of a prefix.
    pub prefix: Prefix,
    /// How.
    pub method: Method,
}

/// What these VIPs need.
pub fn wanted(vips: &BTreeSet<Vip>) -> BTreeSet<Setting> {
    vips.iter().flat_map(|vip| of_vip(*vip)).collect()
}

/// ARP is IPv4's; the neighbour discovery of IPv6 speaks only of addresses on the device
/// that was asked (`ndisc_recv_ns`, `net/ipv6/ndisc.c`), so that there the address is all.
fn of_vip(Vip { prefix, method }: Vip) -> Vec<Setting> {
    let family = prefix.family();
    let mut settings = Vec::new();
    let device = match (method, family) {
        (Method::Nat, _) => return settings,
        (Method::Dr, _) => Device::Lo,
        (Method::Tun, Family::Ipv4) => Device::Tunl0,
        (Method::Tun, Family::Ipv6) => Device::Ip6tnl0,
    };
    if device != Device::Lo {
        settings.extend([Setting::Device { device }, Setting::Up { device }]);
    }
    if family == Family::Ipv4 {
        for conf in [Conf::All, Conf::Lo] {
            for key in [Key::ArpIgnore, Key::ArpAnnounce] {
                settings.push(Setting::Sysctl(Sysctl { conf, key }));
            }
        }
    }
    if device == Device::Tunl0 {
        let (conf, key) = (Conf::Tunl0, Key::RpFilter);
        settings.push(Setting::Sysctl(Sysctl { conf, key }));
    }
    if !prefix.is_host() {
        // By a route and not by addresses: 256 of them for a /24 would have to be read,
        // made and shown, and an IPv6 prefix has more than can be.
        settings.push(Setting::Route { prefix });
    }
    // The loose filter lets nothing in by a device without an address
    // (`__fib_validate_source`, `net/ipv4/fib_frontend.c`): a prefix lends its first one.
    if prefix.is_host() || device == Device::Tunl0 {
        settings.push(Setting::Address { address: prefix.address(), device });
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(vips: &[(&str, Method)]) -> Vec<String> {
        let vip = |&(prefix, method): &(&str, Method)| Vip {
            prefix: prefix.parse().expect(prefix),
            method,
        };
        wanted(&vips.iter().map(vip).collect()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_vip_comes_after_the_silence() {
        assert_eq!(
            of(&[("172.18.100.7", Method::Dr)]),
            [
                "net.ipv4.conf.all.arp_ignore = 1",
                "net.ipv4.conf.all.arp_announce = 2",
                "net.ipv4.conf.lo.arp_ignore = 1",
                "net.ipv4.conf.lo.arp_announce = 2",
                "172.18.100.7 on lo",
            ]
        );
    }

    #[test]
    fn a_vip_of_ipv6_needs_its_address_only() {
        assert_eq!(of(&[("2001:db8::7", Method::Dr)]), ["2001:db8::7 on lo"]);
    }

    #[test]
    fn a_tunnel_has_its_device_first() {
        let settings = of(&[("172.18.100.7", Method::Tun), ("2001:db8::7", Method::Tun)]);
        assert_eq!(settings[..2], ["device tunl0", "device ip6tnl0"]);
        assert_eq!(settings[6..9], ["net.ipv4.conf.tunl0.rp_filter = 2", "tunl0 up", "ip6tnl0 up"]);
        assert_eq!(settings[9..], ["172.18.100.7 on tunl0", "2001:db8::7 on ip6tnl0"]);
    }

    #[test]
    fn a_prefix_is_a_route_and_lends_a_tunnel_its_first_address() {
        assert_eq!(
            of(&[("2001:db8:1::/64", Method::Dr), ("2001:db8:2::/64", Method::Tun)]),
            [
                "device ip6tnl0",
                "ip6tnl0 up",
                "local route 2001:db8:1::/64",
                "local route 2001:db8:2::/64"
            ]
        );
        let tunnel = of(&[("198.51.100.0/24", Method::Tun)]);
        assert!(tunnel.ends_with(&[
            "198.51.100.0 on tunl0".to_owned(),
            "local route 198.51.100.0/24".to_owned()
        ]));
    }

    #[test]
    fn address_translation_needs_nothing_here() {
        assert!(of(&[("172.18.100.7", Method::Nat)]).is_empty());
    }

    #[test]
    fn settings_survive_the_record() {
        let settings: Vec<Setting> = [
            Setting::Device { device: Device::Tunl0 },
            Setting::Sysctl(Sysctl { conf: Conf::All, key: Key::ArpIgnore }),
            Setting::Up { device: Device::Ip6tnl0 },
            Setting::Address { address: "2001:db8::7".parse().expect("one"), device: Device::Lo },
            Setting::Route { prefix: "198.51.100.0/24".parse().expect("one") },
        ]
        .into();
        let text = serde_json::to_string(&settings).expect("JSON");
        let read: Vec<Setting> = serde_json::from_str(&text).expect("the same");
        assert_eq!(read, settings, "{text}");
    }
}
