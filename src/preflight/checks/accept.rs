//! The command that lets packets pass a chain, in the words of the tool that keeps it.

use std::net::IpAddr;

use crate::model::{Family, Mark, PortRange, Prefix};
use crate::preflight::filter::{Chain, ChainId, jump_to_ours};
use crate::render::iptables::MARKS;

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
/// With a client only what that one sends, or is answered.
pub(super) fn command(chain: &ChainId, which: Which, client: Option<IpAddr>) -> String {
    let ChainId { origin, table, name } = chain;
    let is_answer = matches!(which, Which::From { .. });
    match (chain.iptables(), origin) {
        (Some(tool), _) => {
            let end = if is_answer { "-d" } else { "-s" };
            let only = client.map_or_else(String::new, |client| format!("{end} {client} "));
            format!("{tool} -t {table} -I {name} {only}{} -j ACCEPT", of_iptables(which))
        }
        (None, crate::preflight::filter::Origin::Nft(family)) => {
            let end = if is_answer { "daddr" } else { "saddr" };
            let only = client.map_or_else(String::new, |client| {
                format!("{} {end} {client} ", word(Family::of(client)))
            });
            format!("nft insert rule {family} {table} {name} {only}{} accept", of_nft(which))
        }
        (None, crate::preflight::filter::Origin::Legacy(_)) => String::new(),
    }
}

/// The commands that put the call of our chain in front of every other rule: a new one
/// first, and then the one away that there was, so that no packet misses both.
pub(super) fn to_the_front(chain: &Chain) -> Vec<String> {
    let ChainId { table, name, .. } = &chain.id;
    let (Some(tool), Some(number)) = (chain.id.iptables(), jump_to_ours(chain)) else {
        return Vec::new();
    };
    vec![
        format!("{tool} -t {table} -I {name} -j {MARKS}"),
        format!("{tool} -t {table} -D {name} {}", number + 1),
    ]
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

/// How nft calls a header.
fn word(family: Family) -> &'static str {
    if family == Family::Ipv4 { "ip" } else { "ip6" }
}

fn of_nft(which: Which) -> String {
    match which {
        Which::Marked(mark) => format!("meta mark {mark}"),
        Which::To { destination, protocol: number, ports } => {
            let address = format!("{} daddr {destination}", word(destination.family()));
            let name = protocol(number);
            match ports {
                any if any.is_any() || !has_ports(number) => {
                    format!("{address} meta l4proto {name}")
                }
                ports => format!("{address} {name} dport {ports}"),
            }
        }
        Which::From { source, protocol: number, port } => {
            let address = format!("{} saddr {source}", word(Family::of(source)));
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
