//! Real servers.

use std::net::IpAddr;

use super::{Family, Forwarding};

/// The largest weight (ipvsadm(8): 0 to 65535).
pub const MAX_WEIGHT: u32 = 65_535;

/// The largest threshold: the kernel refuses a larger one with EINVAL (seen on Linux 6.1),
/// and so does ipvsadm(8).
pub const MAX_THRESHOLD: u32 = i32::MAX.cast_unsigned();

/// A real server of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealServer {
    /// Where it is.
    pub address: IpAddr,
    /// The port that every packet is rewritten to; `None` keeps each packet's own.
    pub port: Option<u16>,
    /// Its share, 0 to [`MAX_WEIGHT`]; 0 takes no new clients.
    pub weight: u32,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// No new connections above this many; 0 is no bound.
    pub upper_threshold: u32,
    /// New connections again below this many; 0 lets the kernel choose.
    pub lower_threshold: u32,
}

impl RealServer {
    /// The family of its address.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Whether it can serve VIPs of `family`: its own, or either one through a tunnel.
    pub fn serves(&self, family: Family) -> bool {
        self.family() == family || matches!(self.forwarding, Forwarding::Tunnel(_))
    }
}
