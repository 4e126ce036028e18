//! What keepalived makes of a virtual server that leaves something open, or contradicts
//! itself: it goes on, with a line in the log that nobody reads (`validate_check_config`,
//! `check_data.c` of 2.2.7). Here it is said.

use super::group::ServerGroup;
use super::server::{DEFAULT_TIMEOUT, Target, VirtualServer};
use crate::import::notes::Notes;
use crate::model::{Family, Protocol};
use crate::state::{Method, ServiceFlags};

impl VirtualServer {
    /// Completes it. `group` is the one that it listens to, where it does.
    pub(super) fn complete(&mut self, group: Option<&ServerGroup>, notes: &mut Notes) {
        let place = self.place.clone();
        let by_address = match &self.target {
            Target::Address { .. } => true,
            Target::Mark(_) => false,
            Target::Group(_) => group.is_some_and(|group| !group.ranges.is_empty()),
        };
        let any_port = match &self.target {
            Target::Address { port, .. } => *port == 0,
            Target::Mark(_) => false,
            Target::Group(_) => group.is_some_and(|it| it.ranges.iter().any(|one| one.port == 0)),
        };
        if by_address {
            if self.protocol.is_none() {
                notes.one(&place, "no protocol: keepalived makes it UDP, and so is the group");
                self.protocol = Some(Protocol::Udp);
            }
            if self.flags.contains(ServiceFlags::ONE_PACKET) && self.protocol != Some(Protocol::Udp)
            {
                notes.one(&place, "ops is for UDP: keepalived ignores it");
                self.flags = self.flags.without(ServiceFlags::ONE_PACKET);
            }
        } else if self.protocol.take().is_some() {
            let what = "a mark has no protocol: it is ignored beside fwmark";
            notes.some("protocol", &place, what);
        }
        if any_port && self.timeout.is_none() {
            let what = format!(
                "no port is every port, for which keepalived makes clients persistent: \
                 {DEFAULT_TIMEOUT} s, and so has the group"
            );
            notes.one(&place, what);
            self.timeout = Some(DEFAULT_TIMEOUT);
        }
        if self.scheduler.is_none() {
            notes.some(
                "scheduler",
                &place,
                "no scheduler: keepalived runs wlc, and so does the group",
            );
            self.scheduler = "wlc".parse().ok();
        }
        if self.method.is_none() && self.reals.iter().any(|real| real.method.is_none()) {
            let what = "no lvs_method: keepalived forwards by NAT, and so does the group";
            notes.some("method", &place, what);
        }
        let method = self.method.unwrap_or(Method::Nat);
        for real in &mut self.reals {
            real.method.get_or_insert(method);
            real.weight.get_or_insert(self.weight);
        }
    }

    /// Whether the families of a group and of its real servers let keepalived go on with it;
    /// if so, which its services are. Of both families there is none that counts.
    pub(super) fn family_with(&self, group: &ServerGroup) -> Result<Option<Family>, &'static str> {
        let (v4, v6) = (group.has(Family::Ipv4), group.has(Family::Ipv6));
        let of_group = match (v4, v6) {
            (true, false) => Some(Family::Ipv4),
            (false, true) => Some(Family::Ipv6),
            _ => None,
        };
        match (self.family, of_group) {
            (Some(_), None) if v4 && v6 => Err("its group has both families, which only real \
                servers behind tunnels can serve"),
            (Some(own), Some(other)) if own != other => {
                Err("its real servers have not the family of its group")
            }
            (own, of_group) => Ok(own.or(of_group)),
        }
    }
}
