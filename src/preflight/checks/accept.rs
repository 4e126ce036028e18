//! The command that lets packets pass a chain, in the words of the tool that keeps it.

use std::net::IpAddr;

use crate::model::{Family, Mark, PortRange, Prefix};
use crate::preflight::filter::ChainId;

/// Which packets are let pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those with a mark.
    Marked(Mark),
    /// Those of a protocol to a port of an address.
    To { destination: Prefix, protocol: u8, ports: PortRange },
    /// Those of a protocol from a port of an address; any port where there is none.
    From { source: IpAddr, protocol: u8, port: Option<u16> },
}

/// The command that puts a rule in front of all others of the chain. To accept there ends
/// this chain only: others still have their say.
pub(super) fn command(chain: &ChainId, which: Which) -> String {
    let ChainId { origin, table, name } = chain;
    match (chain.iptables(), origin) {
        (Some(tool), _) => {
            format!("{tool} -t {table} -I {name} {} -j ACCEPT", of_iptables(which))
        }
        (None, crate::preflight::filter::Origin::Nft(family)) => {
            format!("nft insert rule {family} {table} {name} {} accept", of_nft(which))
        }
        (None, crate::preflight::filter::Origin::Legacy(_)) => String::new(),
    }
}

fn protocol(number: u8) -> String {
    match number {
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        132 => "sctp".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a protocol has ports that can be named.
fn has_ports(number: u8) -> bool {
    matches!(number, 6 | 17 | 132)
}

fn of_nft(which: Which) -> String {
    let ip = |family: Family| if family == Family::Ipv4 { "ip" } else { "ip6" };
    match which {
        Which::Marked(mark) => format!("meta mark {mark}"),
        Which::To { destination, protocol: number, ports } => {
            let address = format!("{} daddr {destination}", ip(destination.family()));
            let name = protocol(number);
            match ports {
                any if any.is_any() || !has_ports(number) => {
                    format!("{address} meta l4proto {name}")
                }
                ports => format!("{address} {name} dport {ports}"),
            }
        }
        Which::From { source, protocol: number, port } => {
            let address = format!("{} saddr {source}", ip(Family::of(source)));
            let name = protocol(number);
            match port {
                Some(port) => format!("{address} {name} sport {port}"),
                None => format!("{address} meta l4proto {name}"),
            }
        }
    }
}

fn of_iptables(which: Which) -> String {
    match which {
        Which::Marked(mark) => format!("-m mark --mark {mark}"),
        Which::To { destination, protocol: number, ports } => {
            let name = protocol(number);
            match ports {
                any if any.is_any() || !has_ports(number) => format!("-d {destination} -p {name}"),
                ports => {
                    let (first, last) = (ports.first(), ports.last());
                    format!("-d {destination} -p {name} --dport {first}:{last}")
                }
            }
        }
        Which::From { source, protocol: number, port } => {
            let name = protocol(number);
            match port {
                Some(port) => format!("-s {source} -p {name} --sport {port}"),
                None => format!("-s {source} -p {name}"),
            }
        }
    }
}
