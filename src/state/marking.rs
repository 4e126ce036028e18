//! What is marked: destination, protocol and ports of a packet, and the mark it gets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use crate::model::{Family, GroupName, Mark, PortRange, Prefix, Protocol};

/// The packets that get a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkKey {
    /// Their destination address.
    pub destination: Prefix,
    /// Their transport protocol.
    pub protocol: Protocol,
    /// Their destination port; for a whole address [`PortRange::ANY`] also means packets
    /// without one.
    pub ports: PortRange,
}

impl MarkKey {
    /// The family of the destination.
    pub fn family(&self) -> Family {
        self.destination.family()
    }

    /// Whether there are packets that both mean.
    pub fn meets(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && self.ports.overlaps(other.ports)
            && self.destination.overlaps(&other.destination)
    }
}

/// Which kind of map holds a [`MarkKey`], by what a packet is looked up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// One address and one port.
    Exact,
    /// One address, whatever the port.
    Host,
    /// A prefix, a range of ports, or both.
    Range,
}

impl MarkKey {
    /// Which kind of map holds it.
    pub fn lookup(&self) -> Lookup {
        match (self.destination.is_host(), self.ports) {
            (true, ports) if ports.is_single() => Lookup::Exact,
            (true, ports) if ports.is_any() => Lookup::Host,
            _ => Lookup::Range,
        }
    }
}

impl fmt::Display for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { destination, protocol, ports } = self;
        if destination.family() == Family::Ipv6 {
            write!(f, "[{destination}]:{ports}/{protocol}")
        } else {
            write!(f, "{destination}:{ports}/{protocol}")
        }
    }
}

/// The mark of a [`MarkKey`] and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkEntry {
    /// The mark. The kernel can be made to hold 0, which is why this may be `None`.
    pub mark: Option<Mark>,
    /// The group; `None` where the kernel's entry does not say.
    pub group: Option<GroupName>,
}

impl fmt::Display for MarkEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mark {
            Some(mark) => write!(f, "mark {mark}"),
            None => f.write_str("mark 0"),
        }
    }
}

/// All entries, in the order of their keys.
pub type Marking = BTreeMap<MarkKey, MarkEntry>;

/// The entry of a whole address that a packet meets first: the one with its port, else the
/// one for every port. Port 0 is no port.
pub fn entry_of_host(
    marking: &Marking,
    address: IpAddr,
    protocol: Protocol,
    port: u16,
) -> Option<(&MarkKey, &MarkEntry)> {
    let destination = Prefix::host(address);
    let of = |ports| marking.get_key_value(&MarkKey { destination, protocol, ports });
    PortRange::single(port).ok().and_then(of).or_else(|| of(PortRange::ANY))
}
