//! What a rule of nftables looks at, and what it is compared with.

use std::net::IpAddr;

use serde_json::Value;

use crate::import::matches::{Matches, destination, ports, prefixes, range};
use crate::model::{Family, PortRange, Prefix, Protocol};

/// A part of a packet, or of what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// `ip daddr`, `ip6 daddr`.
    Destination(Family),
    /// `meta l4proto`, `ip protocol`, `ip6 nexthdr`.
    Protocol,
    /// `tcp dport`, `th dport`.
    Port(Option<Protocol>),
    /// `meta nfproto`, `meta protocol`.
    Family,
    /// `meta mark`.
    Mark,
    /// Something else; in words.
    Other(String),
}

impl Field {
    /// The fields of an expression: one, or those of a concatenation.
    pub(super) fn all(expression: &Value) -> Vec<Self> {
        match expression.get("concat").and_then(Value::as_array) {
            Some(parts) => parts.iter().map(Self::one).collect(),
            None => vec![Self::one(expression)],
        }
    }

    fn one(expression: &Value) -> Self {
        let word = |of: &str, key: &str| expression.get(of)?.get(key)?.as_str();
        let payload = word("payload", "protocol").zip(word("payload", "field"));
        match (payload, word("meta", "key")) {
            (Some(("ip", "daddr")), _) => Self::Destination(Family::Ipv4),
            (Some(("ip6", "daddr")), _) => Self::Destination(Family::Ipv6),
            (Some(("ip", "protocol") | ("ip6", "nexthdr")), _) | (_, Some("l4proto")) => {
                Self::Protocol
            }
            (Some(("th", "dport")), _) => Self::Port(None),
            (Some((protocol, "dport")), _) if protocol.parse::<Protocol>().is_ok() => {
                Self::Port(protocol.parse().ok())
            }
            (_, Some("nfproto" | "protocol")) => Self::Family,
            (_, Some("mark")) => Self::Mark,
            (Some((protocol, field)), _) => Self::Other(format!("{protocol} {field}")),
            (_, Some(key)) => Self::Other(key.to_owned()),
            _ => Self::Other(describe(expression)),
        }
    }

    /// Adds what this field is compared with to what a rule asks.
    pub(super) fn compare(&self, values: &[&Value], matches: &mut Matches) {
        let done = match self {
            Self::Destination(family) => {
                let all: Option<Vec<_>> = values.iter().map(|it| addresses(it)).collect();
                matches.family = Some(*family);
                all.map(|all| matches.destinations = Some(all.concat()))
            }
            Self::Protocol => {
                let all = values.iter().filter_map(|value| protocol(value)).collect();
                matches.protocols = Some(all);
                Some(())
            }
            Self::Port(of) => {
                let all: Option<Vec<_>> = values.iter().map(|it| port_range(it)).collect();
                if let Some(of) = of {
                    matches.protocols = Some(vec![*of]);
                }
                all.map(|all| matches.ports = Some(all))
            }
            Self::Family => match values {
                [value] => {
                    matches.family = match value.as_str() {
                        Some("ipv6" | "ip6") => Some(Family::Ipv6),
                        _ => Some(Family::Ipv4),
                    };
                    Some(())
                }
                _ => Some(()),
            },
            Self::Mark => match values {
                [value] if value.as_u64() == Some(0) => {
                    matches.unmarked = true;
                    Some(())
                }
                _ => None,
            },
            Self::Other(_) => None,
        };
        if done.is_none() {
            matches.ask(self.words());
        }
    }

    /// What is looked at, as nft(8) names it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Destination(Family::Ipv4) => "an ip daddr that cannot be read".to_owned(),
            Self::Destination(Family::Ipv6) => "an ip6 daddr that cannot be read".to_owned(),
            Self::Protocol => "meta l4proto".to_owned(),
            Self::Port(_) => "a dport that cannot be read".to_owned(),
            Self::Family => "meta nfproto".to_owned(),
            Self::Mark => "meta mark".to_owned(),
            Self::Other(words) => words.clone(),
        }
    }
}

/// The first word of an expression, which says what kind it is.
fn describe(expression: &Value) -> String {
    match expression {
        Value::Object(parts) => parts.keys().next().cloned().unwrap_or_default(),
        _ => "something".to_owned(),
    }
}

/// A value without the comment and counter of its element.
pub(super) fn bare(value: &Value) -> &Value {
    value.get("elem").and_then(|elem| elem.get("val")).unwrap_or(value)
}

fn two<'v>(value: &'v Value, key: &str) -> Option<(&'v Value, &'v Value)> {
    match value.get(key)?.as_array()?.as_slice() {
        [first, last] => Some((first, last)),
        _ => None,
    }
}

fn addresses(value: &Value) -> Option<Vec<Prefix>> {
    if let Some(prefix) = value.get("prefix") {
        let (address, length) = (prefix.get("addr")?.as_str()?, prefix.get("len")?.as_u64()?);
        return destination(&format!("{address}/{length}")).ok()?.map(|prefix| vec![prefix]);
    }
    if let Some((first, last)) = two(value, "range") {
        let parse = |value: &Value| value.as_str()?.parse::<IpAddr>().ok();
        return prefixes(parse(first)?, parse(last)?);
    }
    destination(value.as_str()?).ok()?.map(|prefix| vec![prefix])
}

fn protocol(value: &Value) -> Option<Protocol> {
    match value.as_u64() {
        Some(number) => Protocol::from_number(u8::try_from(number).ok()?),
        None => value.as_str()?.parse().ok(),
    }
}

fn port_range(value: &Value) -> Option<PortRange> {
    let number = |value: &Value| u16::try_from(value.as_u64()?).ok();
    if let Some((first, last)) = two(value, "range") {
        let (first, last) = (number(first)?, number(last)?);
        let any = (first, last) == (0, u16::MAX);
        return if any { Some(PortRange::ANY) } else { range(first, last).ok() };
    }
    match value.as_str() {
        Some(text) => ports(text).ok(),
        None => number(value).and_then(|port| PortRange::single(port).ok()),
    }
}
