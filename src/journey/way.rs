//! How a packet gets to a real server, and its answer back to the client.

use super::Packet;
use crate::model::Tunnel;
use crate::state::{Destination, Method, Source, SourceEntry};

/// The way to a real server and back.
pub(super) struct Way<'a> {
    pub(super) packet: Packet,
    pub(super) destination: Destination,
    /// What replaces the client's address.
    pub(super) source: Option<&'a SourceEntry>,
}

impl Way<'_> {
    /// Whether the same can be said of both, but for the server's name.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.destination.method == other.destination.method
            && (self.source.map(|it| it.source) == other.source.map(|it| it.source))
            && (self.destination.key.port == other.destination.key.port)
    }

    /// How it gets there.
    pub(super) fn forth(&self) -> String {
        let Packet { vip, port, client, .. } = &self.packet;
        let to = match self.destination.key.port {
            0 => *port,
            mapped => mapped,
        };
        match self.destination.method {
            Method::DirectRouting => {
                format!(
                    "by direct routing: it goes on as it is, to {vip}, in a frame to the server"
                )
            }
            Method::Nat => match self.source.map(|it| it.source) {
                None => format!(
                    "by NAT: its destination becomes the server's port {to}, its source stays \
                     {client}"
                ),
                Some(source) => {
                    let by = match source {
                        Source::Masquerade => "the director's".to_owned(),
                        Source::Address(address) => address.to_string(),
                    };
                    format!(
                        "by full NAT: its destination becomes the server's port {to}, its source \
                         address {by}"
                    )
                }
            },
            Method::Tunnel(tunnel) => {
                let of = match tunnel {
                    Tunnel::Ipip => "IP in IP".to_owned(),
                    Tunnel::Gre { .. } => "GRE".to_owned(),
                    Tunnel::Gue { port, .. } => format!("GUE to port {port}"),
                };
                format!("in a tunnel ({of}): it goes on as it is, to {vip}, inside another packet")
            }
            Method::LocalNode => "to the director itself, by its own programs".to_owned(),
            Method::Other(number) => format!("by method {number}, which is not known here"),
        }
    }

    /// What has to hold for the answer.
    pub(super) fn back(&self) -> String {
        let Packet { vip, client, .. } = &self.packet;
        match self.destination.method {
            Method::DirectRouting => format!(
                "the server has {vip}, keeps silent about it (ARP), and answers {client} itself: \
                 fwmarkctl realserver up"
            ),
            Method::Nat if self.source.is_some() => {
                "the answer comes to the director, which the server takes for the client".to_owned()
            }
            Method::Nat => format!(
                "the server's way to {client} leads over this director, which forwards \
                 (net.ipv4.ip_forward) and puts {vip} back as source"
            ),
            Method::Tunnel(_) => format!(
                "the server unpacks it (rp_filter off), has {vip}, and answers {client} itself: \
                 fwmarkctl realserver up"
            ),
            Method::LocalNode => "the director answers".to_owned(),
            Method::Other(_) => "how the answer comes is not known here".to_owned(),
        }
    }
}
