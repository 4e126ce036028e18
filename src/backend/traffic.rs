//! What was counted: by the entries that mark, and by IPVS. Counts are no part of the
//! state: two directors that differ only in them are the same.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Activity, MarkRuleset};
use crate::state::{DestinationKey, MarkKey, ServiceKey};

/// Packets and their bytes, from the network header on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Count {
    /// How many packets.
    pub packets: u64,
    /// How many bytes they had.
    pub bytes: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.packets = self.packets.wrapping_add(other.packets);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }
}

/// What each entry marked since it was made.
pub type MarkCounts = BTreeMap<MarkKey, Count>;

/// The marking half with what it counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CountedRuleset {
    /// The marking half.
    pub ruleset: MarkRuleset,
    /// What its entries counted.
    pub counts: MarkCounts,
}

/// What IPVS counts of a service or a destination (`struct ip_vs_kstats`, `net/ip_vs.h`):
/// in total, or for each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Traffic {
    /// Connections that were scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients; only with address translation they pass the director.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
}

/// The kernel's statistics of a service or a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Since it was made, or set to zero. The kernel adds up what its processors counted
    /// every two seconds (`net/netfilter/ipvs/ip_vs_est.c`).
    pub total: Traffic,
    /// For each second, as the kernel estimates it over the last seconds.
    pub estimate: Traffic,
}

/// The statistics of a service and of its destinations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceStatistics {
    /// The service's.
    pub service: Statistics,
    /// Each destination's.
    pub destinations: BTreeMap<DestinationKey, DestinationStatistics>,
}

/// The statistics of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DestinationStatistics {
    /// Its weight: without one it gets no new connections.
    pub weight: u32,
    /// The connections that it has now.
    pub activity: Activity,
    /// What the kernel counted.
    pub statistics: Statistics,
}

/// The statistics of services that exist.
pub type StatisticsTable = BTreeMap<ServiceKey, ServiceStatistics>;
