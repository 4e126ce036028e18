//! What is scheduled: virtual services and their destinations, attribute by attribute
//! as the kernel keeps them (`linux/ip_vs.h`, `net/netfilter/ipvs/ip_vs_ctl.c`).

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::model::{
    Family, Forwarding, GroupName, KernelName, Mark, Protocol, SchedulerFlag, Tunnel,
    TunnelChecksum,
};

/// What a virtual service listens to; its identity in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// Packets with this mark, of one family.
    Mark {
        /// The mark, compared whole.
        mark: Mark,
        /// The family; services of both families may share a mark.
        family: Family,
    },
    /// Packets to an address and port; port 0 is every port.
    Address {
        /// The VIP.
        address: IpAddr,
        /// The transport protocol.
        protocol: Protocol,
        /// The port.
        port: u16,
    },
}

impl ServiceKey {
    /// The port that clients connect to; 0 where it is not one: that of a mark, and that of
    /// every port of an address.
    pub fn port(&self) -> u16 {
        match self {
            Self::Mark { .. } => 0,
            Self::Address { port, .. } => *port,
        }
    }

    /// The family of the packets.
    pub fn family(&self) -> Family {
        match self {
            Self::Mark { family, .. } => *family,
            Self::Address { address, .. } => Family::of(*address),
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark { mark, family } => write!(f, "fwmark {mark} {family}"),
            Self::Address { address: IpAddr::V6(address), protocol, port } => {
                write!(f, "{protocol} [{address}]:{port}")
            }
            Self::Address { address, protocol, port } => {
                write!(f, "{protocol} {address}:{port}")
            }
        }
    }
}

impl FromStr for ServiceKey {
    type Err = InvalidServiceKey;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidServiceKey(text.to_owned());
        let (kind, rest) = text.split_once(' ').ok_or_else(invalid)?;
        if kind == "fwmark" {
            let (mark, family) = rest.split_once(' ').ok_or_else(invalid)?;
            let family = Family::BOTH.into_iter().find(|known| known.to_string() == family);
            return Ok(Self::Mark {
                mark: mark.parse().map_err(|_| invalid())?,
                family: family.ok_or_else(invalid)?,
            });
        }
        let protocol = Protocol::ALL.into_iter().find(|known| known.as_str() == kind);
        let place: SocketAddr = rest.parse().map_err(|_| invalid())?;
        Ok(Self::Address {
            address: place.ip(),
            protocol: protocol.ok_or_else(invalid)?,
            port: place.port(),
        })
    }
}

/// A text that names no virtual service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no virtual service")]
pub struct InvalidServiceKey(pub String);

/// A service's flags (`IP_VS_SVC_F_*`, `linux/ip_vs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ServiceFlags(u32);

impl ServiceFlags {
    /// `IP_VS_SVC_F_PERSISTENT`.
    pub const PERSISTENT: Self = Self(0x1);
    /// `IP_VS_SVC_F_ONEPACKET`.
    pub const ONE_PACKET: Self = Self(0x4);
    /// What an administrator can set. The kernel adds `IP_VS_SVC_F_HASHED` (2) by
    /// itself, and keeps bits that it does not know.
    const SETTABLE: u32 = 0x3d;

    /// The flags of the kernel's number, without those that are its own business.
    pub fn from_kernel(bits: u32) -> Self {
        Self(bits & Self::SETTABLE)
    }

    /// The kernel's number.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// These flags and `others`.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These flags but for `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether every one of `others` is set.
    pub fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl From<SchedulerFlag> for ServiceFlags {
    fn from(flag: SchedulerFlag) -> Self {
        Self(match flag {
            SchedulerFlag::Flag1 => 0x08,
            SchedulerFlag::Flag2 => 0x10,
            SchedulerFlag::Flag3 => 0x20,
        })
    }
}

/// What makes a client of a persistent service, as the kernel keeps it: an IPv4 mask
/// (which may have holes when somebody else set it), or an IPv6 prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Netmask(pub u32);

impl Netmask {
    /// The netmask of a prefix length of `family`.
    pub fn from_length(family: Family, length: u8) -> Self {
        match family {
            Family::Ipv4 => {
                let host_bits = 32_u32.saturating_sub(u32::from(length));
                Self(u32::MAX.checked_shl(host_bits).unwrap_or(0))
            }
            Family::Ipv6 => Self(u32::from(length)),
        }
    }

    /// The netmask of a whole address of `family`: what a service has that names none.
    pub fn host(family: Family) -> Self {
        Self::from_length(family, family.bits())
    }

    /// As ipvsadm(8) takes it: `255.255.255.0`, or a prefix length for IPv6.
    pub fn display(self, family: Family) -> String {
        match family {
            Family::Ipv4 => std::net::Ipv4Addr::from_bits(self.0).to_string(),
            Family::Ipv6 => self.0.to_string(),
        }
    }
}

/// What identifies a destination within its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    /// The real server's address.
    pub address: IpAddr,
    /// The port that packets are sent to; 0 keeps each packet's own.
    pub port: u16,
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (address, 0) => write!(f, "{address}"),
            (IpAddr::V6(address), port) => write!(f, "[{address}]:{port}"),
            (address, port) => write!(f, "{address}:{port}"),
        }
    }
}

/// How a destination's packets reach it, as the kernel keeps it
/// (`IP_VS_CONN_F_FWD_MASK`, `linux/ip_vs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `IP_VS_CONN_F_DROUTE`.
    DirectRouting,
    /// `IP_VS_CONN_F_MASQ`.
    Nat,
    /// `IP_VS_CONN_F_TUNNEL`.
    Tunnel(Tunnel),
    /// `IP_VS_CONN_F_LOCALNODE`: the kernel puts this in place of any other method when
    /// the address is one of the director's own (`__ip_vs_update_dest`).
    LocalNode,
    /// A number that mainline does not define as a method to set.
    Other(u8),
}

impl From<Forwarding> for Method {
    fn from(forwarding: Forwarding) -> Self {
        match forwarding {
            Forwarding::DirectRouting => Self::DirectRouting,
            // To IPVS the two are one; what replaces the client's address is netfilter.
            Forwarding::Nat | Forwarding::FullNat => Self::Nat,
            Forwarding::Tunnel(tunnel) => Self::Tunnel(tunnel),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |checksum: &TunnelChecksum| match checksum {
            TunnelChecksum::None => "",
            TunnelChecksum::Checksum => " csum",
            TunnelChecksum::Remote => " remcsum",
        };
        match self {
            Self::DirectRouting => f.write_str("dr"),
            Self::Nat => f.write_str("nat"),
            Self::Tunnel(Tunnel::Ipip) => f.write_str("tun"),
            Self::Tunnel(Tunnel::Gue { port, checksum }) => {
                write!(f, "tun gue port {port}{}", sum(checksum))
            }
            Self::Tunnel(Tunnel::Gre { checksum }) => write!(f, "tun gre{}", sum(checksum)),
            Self::LocalNode => f.write_str("local"),
            Self::Other(number) => write!(f, "method {number}"),
        }
    }
}

/// A real server as one service's destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Its identity.
    pub key: DestinationKey,
    /// How packets reach it.
    pub method: Method,
    /// Its weight.
    pub weight: u32,
    /// No new connections above this many; 0 is no bound.
    pub upper_threshold: u32,
    /// New connections again below this many.
    pub lower_threshold: u32,
}

impl Destination {
    /// Whether the kernel holds this destination when it shows `observed`: all is the
    /// same, but for the method of an address that is the director's own.
    pub fn is_held_as(&self, observed: &Self) -> bool {
        let method =
            if observed.method == Method::LocalNode { observed.method } else { self.method };
        Self { method, ..*self } == *observed
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weight {}", self.method, self.weight)?;
        if self.upper_threshold != 0 || self.lower_threshold != 0 {
            write!(f, " thresholds {}..{}", self.lower_threshold, self.upper_threshold)?;
        }
        Ok(())
    }
}

/// A virtual service with its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualService {
    /// Whose it is; `None` where nothing says so.
    pub group: Option<GroupName>,
    /// Whether the ledger names it: it is ours. A service that somebody else made on
    /// one of our marks is not recorded.
    pub recorded: bool,
    /// The scheduler.
    pub scheduler: KernelName,
    /// Its flags.
    pub flags: ServiceFlags,
    /// The persistence timeout in seconds; 0 without persistence.
    pub timeout: u32,
    /// What makes a client.
    pub netmask: Netmask,
    /// The persistence engine.
    pub engine: Option<KernelName>,
    /// The destinations, sorted by their keys, each key once.
    pub destinations: Vec<Destination>,
}

impl VirtualService {
    /// Whether all but the destinations and the group's name is the same.
    pub fn same_attributes(&self, other: &Self) -> bool {
        self.scheduler == other.scheduler
            && self.flags == other.flags
            && self.timeout == other.timeout
            && self.netmask == other.netmask
            && self.engine == other.engine
    }

    /// The destination of `key`.
    pub fn destination(&self, key: DestinationKey) -> Option<&Destination> {
        let at = self.destinations.binary_search_by_key(&key, |destination| destination.key);
        at.ok().map(|at| &self.destinations[at])
    }

    /// The same service with no destination yet.
    #[must_use]
    pub fn without_destinations(&self) -> Self {
        Self {
            group: self.group.clone(),
            recorded: self.recorded,
            scheduler: self.scheduler,
            flags: self.flags,
            timeout: self.timeout,
            netmask: self.netmask,
            engine: self.engine,
            destinations: Vec::new(),
        }
    }
}

impl fmt::Display for VirtualService {
    /// The attributes of the service itself, on one line: `rr persistent 300 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scheduler)?;
        for flag in SchedulerFlag::ALL {
            if self.flags.contains(flag.into()) {
                write!(f, " {}", flag.name_with(self.scheduler.as_str()))?;
            }
        }
        if self.flags.contains(ServiceFlags::ONE_PACKET) {
            write!(f, " one-packet")?;
        }
        if self.flags.contains(ServiceFlags::PERSISTENT) {
            write!(f, " persistent {} s", self.timeout)?;
            let whole = [Netmask::host(Family::Ipv4), Netmask::host(Family::Ipv6)];
            if !whole.contains(&self.netmask) {
                let family = if self.netmask.0 <= 128 { Family::Ipv6 } else { Family::Ipv4 };
                write!(f, " netmask {}", self.netmask.display(family))?;
            }
        }
        if let Some(engine) = self.engine {
            write!(f, " engine {engine}")?;
        }
        Ok(())
    }
}

/// All services, in the order of their keys.
pub type ServiceTable = BTreeMap<ServiceKey, VirtualService>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashed_flag_is_the_kernels_own_business() {
        assert_eq!(ServiceFlags::from_kernel(3), ServiceFlags::PERSISTENT);
        assert_eq!(ServiceFlags::from_kernel(0x8000_0002), ServiceFlags::default());
    }

    #[test]
    fn netmasks_are_masks_in_ipv4_and_lengths_in_ipv6() {
        assert_eq!(Netmask::from_length(Family::Ipv4, 24).display(Family::Ipv4), "255.255.255.0");
        assert_eq!(Netmask::host(Family::Ipv4).0, u32::MAX);
        assert_eq!(Netmask::from_length(Family::Ipv6, 64).0, 64);
    }
}
