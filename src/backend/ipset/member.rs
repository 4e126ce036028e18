//! A member of a set: what a packet is compared with, and what it gets.

use std::fmt;
use std::net::IpAddr;

use super::set::SetDefinition;
use super::wire::{self, member as attribute, put_nested, put_network, put_text};
use crate::backend::Count;
use crate::model::{Prefix, Protocol};
use crate::netlink::attributes::{Fields, put};
use crate::netlink::route::octets;

/// The mask of a mark that replaces the whole of the packet's.
const WHOLE: u32 = u32::MAX;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its addresses; one alone unless the kind has prefixes. That every address is meant
    /// cannot be said: ipset has no prefix of length 0, and neither has [`Prefix`].
    pub prefix: Prefix,
    /// Its protocol and port, where the kind has them.
    pub port: Option<(Protocol, u16)>,
    /// The mark that the packet has already, where the kind compares it.
    pub mark_key: Option<u32>,
    /// The mark that the packet gets, whole.
    pub skbmark: Option<u32>,
    /// What it begins to count from, or has counted.
    pub count: Option<Count>,
    /// What people read beside it.
    pub comment: Option<String>,
}

impl fmt::Display for Member {
    /// As ipset(8) writes what it is found by: `192.0.2.7,tcp:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.prefix)?;
        if let Some((protocol, port)) = self.port {
            write!(f, ",{protocol}:{port}")?;
        }
        self.mark_key.map_or(Ok(()), |mark| write!(f, ",{mark:#010x}"))
    }
}

impl Member {
    /// Why this cannot be a member of such a set.
    pub(super) fn unfit(&self, set: &SetDefinition) -> Option<&'static str> {
        let extensions = set.extensions;
        let comment = self.comment.as_deref().unwrap_or_default();
        let kind = set.kind;
        [
            (self.prefix.family() != set.family, "it is of the other address family"),
            (!kind.has_prefix() && !self.prefix.is_host(), "the set holds single addresses"),
            (kind.has_port() != self.port.is_some(), "the set compares ports, or it does not"),
            (
                (kind == super::SetKind::IpMark) != self.mark_key.is_some(),
                "the set compares marks, or it does not",
            ),
            (self.skbmark.is_some() && !extensions.skbinfo, "the set has no marks to give"),
            (self.count.is_some() && !extensions.counters, "the set does not count"),
            (self.comment.is_some() && !extensions.comment, "the set has no comments"),
            (comment.len() > wire::COMMENT_LENGTH, "its comment is longer than 255 bytes"),
            (comment.contains('\0'), "its comment contains a NUL"),
        ]
        .into_iter()
        .find_map(|(is_so, why)| is_so.then_some(why))
    }

    /// Writes it as one of the members of a message; `line` is what the kernel names when
    /// it refuses it.
    pub(super) fn put(&self, out: &mut Vec<u8>, has_prefix: bool, line: u32) {
        put_nested(out, wire::DATA, |out| {
            let address = self.prefix.address();
            let kind = if address.is_ipv4() { attribute::IPV4 } else { attribute::IPV6 };
            put_nested(out, attribute::ADDRESS, |out| put_network(out, kind, &octets(address)));
            if has_prefix {
                put(out, attribute::PREFIX_LENGTH, &[self.prefix.length()]);
            }
            if let Some((protocol, port)) = self.port {
                put_network(out, attribute::PORT, &port.to_be_bytes());
                put(out, attribute::PROTOCOL, &[protocol.number()]);
            }
            if let Some(mark) = self.mark_key {
                put_network(out, attribute::MARK, &mark.to_be_bytes());
            }
            if let Some(mark) = self.skbmark {
                let both = u64::from(mark) << 32 | u64::from(WHOLE);
                put_network(out, attribute::SKBMARK, &both.to_be_bytes());
            }
            if let Some(count) = self.count {
                put_network(out, attribute::BYTES, &count.bytes.to_be_bytes());
                put_network(out, attribute::PACKETS, &count.packets.to_be_bytes());
            }
            if let Some(comment) = &self.comment {
                put_text(out, attribute::COMMENT, comment);
            }
            // Of this machine's order, unlike all others.
            put(out, wire::LINE, &line.to_ne_bytes());
        });
    }

    /// Reads a member of a set; `None` for one that [`put`](Self::put) does not write, as
    /// with a protocol that IPVS does not schedule, or a mark that has a mask.
    pub(super) fn read(bytes: &[u8], set: &SetDefinition) -> Option<Self> {
        let fields = Fields::behind(bytes, 0);
        let address = address(fields)?;
        let length = fields.get(attribute::PREFIX_LENGTH).and_then(<[u8]>::first).copied();
        let prefix = match length {
            Some(length) => Prefix::new(address, length).ok()?,
            None => Prefix::host(address),
        };
        let port = set.kind.has_port().then(|| port(fields));
        let skbmark = match fields.get(attribute::SKBMARK) {
            Some(bytes) => Some(whole_mark(bytes)?),
            None => None,
        };
        let is_known = |kind: u16| {
            use attribute as a;
            [a::ADDRESS, a::PREFIX_LENGTH, a::PORT, a::PROTOCOL, a::MARK, a::BYTES, a::PACKETS]
                .contains(&kind)
                || [a::COMMENT, a::SKBMARK, a::PAD, wire::LINE].contains(&kind)
        };
        let count = Count {
            packets: long(fields, attribute::PACKETS),
            bytes: long(fields, attribute::BYTES),
        };
        let member = Self {
            prefix,
            port: match port {
                Some(port) => Some(port?),
                None => None,
            },
            mark_key: fields.network(attribute::MARK),
            skbmark,
            count: set.extensions.counters.then_some(count),
            comment: fields.name(attribute::COMMENT),
        };
        (fields.iter().all(|(kind, _)| is_known(kind)) && member.unfit(set).is_none())
            .then_some(member)
    }
}

fn address(fields: Fields<'_>) -> Option<IpAddr> {
    let (kind, bytes) = fields.nested(attribute::ADDRESS).iter().next()?;
    match kind {
        attribute::IPV4 => bytes.first_chunk::<4>().map(|&bytes| bytes.into()),
        attribute::IPV6 => bytes.first_chunk::<16>().map(|&bytes| bytes.into()),
        _ => None,
    }
}

fn port(fields: Fields<'_>) -> Option<(Protocol, u16)> {
    let protocol = Protocol::from_number(*fields.get(attribute::PROTOCOL)?.first()?)?;
    let port = fields.get(attribute::PORT)?.first_chunk().copied().map(u16::from_be_bytes)?;
    Some((protocol, port))
}

fn whole_mark(bytes: &[u8]) -> Option<u32> {
    let (mark, bits) = bytes.split_first_chunk()?;
    let bits = bits.first_chunk().copied().map(u32::from_be_bytes);
    (bits == Some(WHOLE)).then(|| u32::from_be_bytes(*mark))
}

fn long(fields: Fields<'_>, kind: u16) -> u64 {
    fields.get(kind).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
