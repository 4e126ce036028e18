//! What becomes a group: a mark with its services, or services by address.

use std::net::IpAddr;

use super::traits::Traits;
use crate::model::{
    Family, Group, GroupName, Listeners, Mark, MarkChoice, Prefix, RealServer, Via,
};
use crate::state::{MarkKey, ServiceKey};

/// A group that has no name and no mode of persistence yet.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Whose it is.
    pub(super) name: Option<GroupName>,
    /// Its mark; none by address.
    pub(super) mark: Option<Mark>,
    /// Its VIPs, sorted.
    pub(super) vips: Vec<Prefix>,
    /// On each of them.
    pub(super) listeners: Listeners,
    /// How its services are.
    pub(super) traits: Traits,
    /// Where they send their clients.
    pub(super) servers: Vec<RealServer>,
    /// What real servers see as their source.
    pub(super) snat: Vec<IpAddr>,
    /// Which packets it is about.
    pub(super) marking: Vec<MarkKey>,
    /// Which services it is about.
    pub(super) services: Vec<ServiceKey>,
}

impl Part {
    /// Whether the two differ in nothing but ports and marks.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.vips == other.vips
            && self.traits == other.traits
            && self.servers == other.servers
            && self.snat == other.snat
    }

    /// Takes the real servers of IPv6's services to those of IPv4's, or says what is in the
    /// way.
    pub(super) fn join_servers(&mut self, servers: &[RealServer]) -> Option<&'static str> {
        let of = |list: &[RealServer], family: Family| -> Vec<RealServer> {
            list.iter().filter(|server| server.family() == family).cloned().collect()
        };
        let (v4, v6) = (of(&self.servers, Family::Ipv4), of(servers, Family::Ipv6));
        // A family without servers of its own is served by those of the other, by tunnels.
        let across = |own: &[RealServer], family| -> Vec<RealServer> {
            own.iter().filter(|server| server.serves(family)).cloned().collect()
        };
        let fits = match (v4.is_empty(), v6.is_empty()) {
            (false, false) => v4 == self.servers && v6 == servers,
            (false, true) => v4 == self.servers && across(&v4, Family::Ipv6) == servers,
            (true, false) => v6 == servers && across(&v6, Family::Ipv4) == self.servers,
            (true, true) => false,
        };
        if !fits {
            return Some("a real server");
        }
        self.servers = v4.into_iter().chain(v6).collect();
        None
    }

    /// As a group, whose marks and persistence are the caller's to say.
    pub(super) fn into_group(self, name: GroupName, marks: MarkChoice) -> Group {
        Group {
            name,
            enabled: true,
            vips: self.vips,
            listeners: self.listeners,
            marks,
            via: if self.mark.is_some() { Via::Mark } else { Via::Address },
            scheduler: self.traits.scheduler,
            one_packet: self.traits.one_packet,
            persistence: None,
            snat: self.snat,
            real_servers: self.servers,
        }
    }
}
