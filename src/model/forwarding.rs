//! How a packet reaches its real server.

use std::fmt;

/// A forwarding method, as ipvsadm(8) names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Forwarding {
    /// Direct routing (gatewaying): the frame gets the real server's MAC address; the
    /// answer goes straight to the client.
    #[default]
    DirectRouting,
    /// Network address translation (masquerading): the destination is rewritten; the
    /// answer comes back through the director.
    Nat,
    /// Tunnelling: the packet travels inside another one.
    Tunnel(Tunnel),
    /// NAT that replaces the client's address too.
    FullNat,
}

/// The outer packet of a tunnel (`IP_VS_CONN_F_TUNNEL_TYPE_*`, `linux/ip_vs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tunnel {
    /// IP in IP (RFC 2003), or IPv6's twins.
    #[default]
    Ipip,
    /// Generic UDP encapsulation to a port.
    Gue {
        /// The UDP port of the real server.
        port: u16,
        /// What protects the outer packet.
        checksum: TunnelChecksum,
    },
    /// Generic routing encapsulation (RFC 2784).
    Gre {
        /// What protects the outer packet.
        checksum: TunnelChecksum,
    },
}

/// A tunnel's checksum (`IP_VS_TUNNEL_ENCAP_FLAG_*`, `linux/ip_vs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TunnelChecksum {
    /// None.
    #[default]
    None,
    /// A full one.
    Checksum,
    /// Remote checksum offload (GUE).
    Remote,
}

impl Forwarding {
    /// The name as written in a config: `dr`, `nat`, `tun`, `fullnat`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DirectRouting => "dr",
            Self::Nat => "nat",
            Self::Tunnel(_) => "tun",
            Self::FullNat => "fullnat",
        }
    }

    /// Whether the destination port may be rewritten on the way; IPVS ignores a real
    /// server's port under direct routing and tunnelling.
    pub fn maps_ports(self) -> bool {
        matches!(self, Self::Nat | Self::FullNat)
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
