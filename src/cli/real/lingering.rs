//! What still leads clients to a real server that takes no new ones.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Target;
use crate::backend::ipvs::{ConnectionEntry, KernelIpvs};
use crate::backend::{Activity, Ipvs, IpvsError};
use crate::error::Error;
use crate::model::Prefix;
use crate::state::{DestinationKey, ServiceKey};
use crate::transaction::Cause;

/// Whether a known client whose real server has the weight 0 is dealt anew.
const EXPIRES: &str = "/proc/sys/net/ipv4/vs/expire_quiescent_template";

/// Whether a client whose template leads to a real server of weight 0 is dealt anew.
pub(in crate::cli) fn known_clients_expire() -> bool {
    std::fs::read_to_string(EXPIRES).is_ok_and(|text| text.trim() == "1")
}

/// The list is read for a tenth of the time at most: it may have millions of lines.
const SHARE: u32 = 10;

/// What is left at a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Left")]
pub(super) struct Lingering {
    /// Connections that are established, as IPVS counts them.
    pub(super) active: u32,
    /// Connections that IPVS never counts as active: UDP, and what is about to be
    /// established.
    pub(super) other: u64,
    /// Clients that persistence sends there.
    pub(super) known_clients: u64,
    /// Whether they are dealt anew when they return.
    pub(super) known_clients_expire: bool,
}

impl Lingering {
    /// Whether nobody is left, nor comes back.
    pub(super) fn is_drained(self) -> bool {
        let return_there = self.known_clients > 0 && !self.known_clients_expire;
        self.active == 0 && self.other == 0 && !return_there
    }

    /// What is left, in words.
    pub(super) fn text(self) -> String {
        let count = |number: u64, one: &str, more: &str| match number {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {more}")),
        };
        let parts = [
            count(self.active.into(), "active connection", "active connections"),
            count(self.other, "UDP or half-open one", "UDP or half-open ones"),
            count(self.known_clients, "known client", "known clients"),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    }
}

/// What one look saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) lingering: Lingering,
    /// Whether all of it was seen just now.
    pub(super) is_whole: bool,
    /// The largest weight of it in the kernel.
    pub(super) weight: u32,
}

/// Who looks at a real server again and again.
pub(super) struct Watcher<'t> {
    target: &'t Target,
    places: Vec<(ServiceKey, DestinationKey)>,
    keys: BTreeSet<ServiceKey>,
    last: Lingering,
    next_list: Instant,
}

impl<'t> Watcher<'t> {
    /// Looks at a real server in its places.
    pub(super) fn new(target: &'t Target, places: Vec<(ServiceKey, DestinationKey)>) -> Self {
        let keys = places.iter().map(|(key, _)| *key).collect();
        Self { target, places, keys, last: Lingering::default(), next_list: Instant::now() }
    }

    /// Looks once.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn look(&mut self) -> Result<Look, Error> {
        let ipvs = KernelIpvs::new();
        let activity = ipvs.activity(&self.keys).map_err(Cause::from)?;
        let services = ipvs.observe(&self.keys).map_err(Cause::from)?;
        let weights = self.places.iter().filter_map(|(key, destination)| {
            services.get(key)?.destination(*destination).map(|it| it.weight)
        });
        let weight = weights.max().unwrap_or(0);
        let counted = self.places.iter().filter_map(|place| activity.get(place));
        self.last.active = counted.map(|Activity { active, .. }| active).sum();
        self.last.known_clients_expire = known_clients_expire();
        let is_whole = Instant::now() >= self.next_list;
        if is_whole {
            self.read_list()?;
        }
        Ok(Look { lingering: self.last, is_whole, weight })
    }

    fn read_list(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let (mut other, mut known_clients) = (0, 0);
        let read = KernelIpvs::new().connections(|entry| {
            if !self.is_there(&entry) {
                return;
            }
            if entry.is_template() {
                known_clients += 1;
            } else if may_come(&entry) {
                other += 1;
            }
        });
        match read {
            // Without IPVS there are no connections.
            Ok(()) | Err(IpvsError::Unsupported) => {}
            Err(error) => return Err(Cause::from(error).into()),
        }
        (self.last.other, self.last.known_clients) = (other, known_clients);
        let took: Duration = began.elapsed();
        self.next_list = began + took * SHARE;
        Ok(())
    }

    /// Whether an entry is of the group, and leads to the real server.
    fn is_there(&self, entry: &ConnectionEntry) -> bool {
        let port = self.target.server.port;
        let real = entry.real;
        if real.address != self.target.server.address
            || port.is_some_and(|port| real.port != port && real.port != 0)
        {
            return false;
        }
        if let Some(mark) = entry.mark() {
            let is_ours = |key: &ServiceKey| matches!(key, ServiceKey::Mark { mark: ours, .. } if *ours == mark);
            return self.keys.iter().any(is_ours);
        }
        let group = &self.target.group;
        let vip = Prefix::host(entry.target.address);
        let (port, protocol) = (entry.target.port, entry.transport());
        group.vips.iter().any(|own| own.contains(&vip))
            && group.listeners.iter().any(|listener| {
                // The template of a service for every port has no port.
                let ports = listener.ports.first()..=listener.ports.last();
                Some(listener.protocol) == protocol && (port == 0 || ports.contains(&port))
            })
    }
}

/// Whether a connection that does not count as active has not come to its end.
fn may_come(entry: &ConnectionEntry) -> bool {
    let half_open = ["NONE", "SYN", "INIT", "COOKIE"];
    &*entry.protocol == "UDP" || half_open.iter().any(|state| entry.state.starts_with(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_clients_count_as_long_as_the_kernel_sends_them_there() {
        let left = Lingering { known_clients: 2, ..Lingering::default() };
        assert!(!left.is_drained());
        assert!(Lingering { known_clients_expire: true, ..left }.is_drained());
        assert_eq!(left.text(), "2 known clients");
        let left = Lingering { active: 1, other: 1, ..Lingering::default() };
        assert!(!left.is_drained());
        assert_eq!(left.text(), "1 active connection, 1 UDP or half-open one");
        assert_eq!(Lingering::default().text(), "nothing");
    }
}
