//! A real server: what this machine needs so that a director can send it packets for a
//! VIP, and how that goes away again.
//!
//! ```text
//! groups ─[choice]→ VIPs ─[setting]→ settings wanted ─┐
//!                             kernel ─[situation]→ is ┼ [plan] → steps ─[run]→ kernel
//!                       realserver.json ─[record]→ ours ┘
//! ```
//!
//! A real server accepts packets for an address that the director answers ARP for. So the
//! order matters: first the machine learns to be silent about the VIP (`arp_ignore`,
//! `arp_announce`), then it gets it; on the way back first the address goes. Settings are
//! therefore ordered ([`Setting`]), and undone from the end.
//!
//! What is done is recorded before it is done, with the value that was there, so that
//! [`RealServer::down`] undoes just that: what somebody else put there is never in the
//! record. A record of another boot or network namespace speaks of a kernel that is gone.

mod choice;
mod error;
mod kernel;
mod plan;
mod record;
mod run;
mod setting;
mod situation;
mod status;
mod sysctl;
mod wire;

pub use choice::{Choice, ChoiceError, Chosen, choose};
pub use error::{Fault, RealServerError};
pub use plan::Plan;
pub use record::{Deed, Useless};
pub use run::{Outcome, RealServer};
pub use setting::{Device, Setting, Vip, wanted};
pub use situation::{DefaultRoute, Situation};

pub use crate::netlink::route::Link;
pub use status::{Gateway, Neighbours, Row, Status};
pub use sysctl::{Conf, Key, Sysctl};

/// How the director sends packets to this machine.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Direct routing: the VIP is on `lo`.
    Dr,
    /// IP in IP: the VIP is on the device that unpacks.
    Tun,
    /// Address translation: nothing is set; the answers go through the director.
    Nat,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Dr => "dr",
            Self::Tun => "tun",
            Self::Nat => "nat",
        })
    }
}
