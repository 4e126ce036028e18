//! A group: VIPs and ports that belong together, with their real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use super::{
    Family, Forwarding, Listener, Listeners, Mark, Mode, Persistence, Prefix, RealServer,
    Scheduler, Sysctl,
};

/// A group's name: `[a-z0-9][a-z0-9_.-]{0,62}`, so that it can stand in a comment, a
/// file name or a command line as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Arc<str>);

/// A text that cannot name a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' cannot name a group")]
pub struct InvalidGroupName(pub String);

impl GroupName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = InvalidGroupName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let later = |byte: u8| first(byte) || matches!(byte, b'_' | b'.' | b'-');
        let bytes = text.as_bytes();
        match bytes {
            [head, tail @ ..]
                if first(*head) && tail.len() <= 62 && tail.iter().all(|&byte| later(byte)) =>
            {
                Ok(Self(text.into()))
            }
            _ => Err(InvalidGroupName(text.to_owned())),
        }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl serde::Serialize for GroupName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

super::schema_of_text!(GroupName, "The name of a group.", "^[a-z0-9][a-z0-9_.-]{0,62}$");

/// Which marks a group has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkChoice {
    /// Ours to choose, for ever the same for this group.
    Automatic,
    /// The one that the user wrote, for the whole group.
    Fixed(Mark),
    /// One for each listener (PPC); those not named are ours to choose.
    PerListener(BTreeMap<Listener, Mark>),
}

/// What the virtual services of a group listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Via {
    /// Firewall marks.
    #[default]
    Mark,
    /// Classical `vip:port` services without mark rules.
    Address,
}

/// A group as the user meant it, presets and defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: GroupName,
    /// `false` keeps the definition and the mark, and takes the group out of the kernel.
    pub enabled: bool,
    /// What clients connect to, at least one, without repetition.
    pub vips: Vec<Prefix>,
    /// The ports of every VIP.
    pub listeners: Listeners,
    /// The marks.
    pub marks: MarkChoice,
    /// What the virtual services listen to.
    pub via: Via,
    /// Who gets a new client.
    pub scheduler: Scheduler,
    /// Schedule each UDP packet by itself.
    pub one_packet: bool,
    /// How clients stay.
    pub persistence: Option<Persistence>,
    /// What stands for a client's address towards real servers with full NAT, at most one of
    /// each family; without one, an address of the device by which the packet leaves.
    pub snat: Vec<IpAddr>,
    /// The real servers, at least one, each (address, port) once.
    pub real_servers: Vec<RealServer>,
}

impl Group {
    /// Whether each listener has a mark and a service of its own: PPC.
    pub fn is_per_listener(&self) -> bool {
        self.persistence.as_ref().is_some_and(|persistence| persistence.mode == Mode::Ppc)
    }

    /// Whether clients connect to an address of `family`.
    pub fn has_vip(&self, family: Family) -> bool {
        self.vips.iter().any(|vip| vip.family() == family)
    }

    /// The real servers of one family's services: its own, and through a tunnel those of
    /// the other family where these have no VIPs of their own to serve, or where there is no
    /// other server.
    pub fn servers_of(&self, family: Family) -> impl Iterator<Item = &RealServer> {
        let alone = Family::BOTH.into_iter().all(|other| other == family || !self.has_vip(other));
        let has_own = self.real_servers.iter().any(|server| server.family() == family);
        self.real_servers
            .iter()
            .filter(move |server| server.family() == family || alone || !has_own)
            .filter(move |server| server.serves(family))
    }

    /// The kernel parameters that have to be 1 for the group to work.
    pub fn needed_sysctls(&self) -> BTreeSet<Sysctl> {
        let mut needed = BTreeSet::new();
        for server in &self.real_servers {
            if matches!(server.forwarding, Forwarding::Nat | Forwarding::FullNat) {
                // The answers pass the director on their way to the client.
                needed.insert(match server.family() {
                    Family::Ipv4 => Sysctl::ip_forward(),
                    Family::Ipv6 => Sysctl::ipv6_forwarding(),
                });
            }
            if server.forwarding == Forwarding::FullNat {
                // Else netfilter does not see what IPVS translated.
                needed.insert(Sysctl::of_ipvs("conntrack"));
            }
            if self.persistence.is_some() && server.weight == 0 {
                // Else known clients return to a server that drains
                // (`ip_vs_check_template`, `net/netfilter/ipvs/ip_vs_conn.c`).
                needed.insert(Sysctl::of_ipvs("expire_quiescent_template"));
            }
        }
        needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_comments_files_and_command_lines() {
        for good in ["web", "0", "a-b_c.d", &"x".repeat(63)] {
            assert!(good.parse::<GroupName>().is_ok(), "{good}");
        }
        for bad in ["", "Web", "-web", ".web", "we b", "wéb", "a/b", &"x".repeat(64)] {
            assert!(bad.parse::<GroupName>().is_err(), "{bad}");
        }
    }
}
