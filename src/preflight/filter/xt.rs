//! Matches and targets of xtables: what iptables-nft leaves in nf_tables as bytes, and
//! what legacy iptables writes as words.

use super::packet::{CtState, Packet};
use super::ruleset::{Step, Verdict};
use super::run::Truth;
use crate::model::Prefix;

/// A match that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) enum Match {
    Protocol {
        number: u8,
        inverted: bool,
    },
    Address {
        source: bool,
        prefix: Prefix,
        inverted: bool,
    },
    /// Ports from first to last, any of them.
    Ports {
        ranges: Vec<(u16, u16)>,
        of: Side,
        inverted: bool,
    },
    /// Flags of TCP: of `mask`, just `set`.
    Flags {
        mask: u8,
        set: u8,
        inverted: bool,
    },
    Mark {
        value: u32,
        mask: u32,
        inverted: bool,
    },
    /// Bits of [`CtState`], and others that no packet of ours has.
    State {
        bits: u32,
        inverted: bool,
    },
    /// A device by its name, or by how it begins.
    Device {
        arrives: bool,
        name: String,
        prefix: bool,
        inverted: bool,
    },
    /// The destination is of this machine.
    LocalDestination {
        inverted: bool,
    },
}

/// Which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::preflight) enum Side {
    Source,
    Destination,
    Either,
}

impl Match {
    /// Whether a packet matches.
    pub(super) fn matches(&self, packet: &Packet) -> Truth {
        let (truth, inverted) = match self {
            Self::Protocol { number, inverted } => {
                (Truth::from(packet.protocol == *number), *inverted)
            }
            Self::Address { source, prefix, inverted } => {
                let truth = match packet.ip(*source) {
                    Some(ip) => Truth::from(prefix.contains(&Prefix::host(ip))),
                    None => Truth::Sometimes,
                };
                (truth, *inverted)
            }
            Self::Ports { ranges, of, inverted } => (ports(packet, ranges, *of), *inverted),
            Self::Flags { mask, set, inverted } => {
                let truth = packet
                    .tcp_flags()
                    .map_or(Truth::Unknown, |flags| Truth::from(flags & mask == *set));
                (truth, *inverted)
            }
            Self::Mark { value, mask, inverted } => {
                let truth =
                    packet.mark.map_or(Truth::Unknown, |mark| Truth::from(mark & mask == *value));
                (truth, *inverted)
            }
            Self::State { bits, inverted } => {
                let truth = packet
                    .state
                    .map_or(Truth::Unknown, |state| Truth::from(bits & state as u32 != 0));
                (truth, *inverted)
            }
            Self::Device { arrives, name, prefix, inverted } => {
                let device = if *arrives { &packet.arrives_by } else { &packet.leaves_by };
                let truth = match device {
                    Some((_, own)) if *prefix => Truth::from(own.starts_with(name.as_str())),
                    Some((_, own)) => Truth::from(own == name),
                    None => Truth::Unknown,
                };
                (truth, *inverted)
            }
            Self::LocalDestination { inverted } => (Truth::from(packet.is_local), *inverted),
        };
        truth.inverted_if(inverted)
    }
}

fn ports(packet: &Packet, ranges: &[(u16, u16)], of: Side) -> Truth {
    let within = |port: Option<u16>| match port {
        Some(port) => {
            Truth::from(ranges.iter().any(|(first, last)| (*first..=*last).contains(&port)))
        }
        None if ranges == [(0, u16::MAX)] => Truth::Yes,
        None => Truth::Sometimes,
    };
    match of {
        Side::Source => within(packet.source_port()),
        Side::Destination => within(packet.destination_port()),
        Side::Either => match within(packet.destination_port()) {
            Truth::No => within(packet.source_port()),
            other => other,
        },
    }
}

/// The bit of a name of conntrack's states, as iptables(8) writes them. RELATED is none
/// that a packet of ours has.
pub(super) fn state_bit(name: &str) -> u32 {
    match name {
        "INVALID" => CtState::Invalid as u32,
        "ESTABLISHED" => CtState::Established as u32,
        "NEW" => CtState::New as u32,
        "UNTRACKED" => CtState::Untracked as u32,
        _ => 0,
    }
}

/// The numbers of states are those of nf_tables, but for the last: `xt_conntrack` has the
/// two translations in between (`XT_CONNTRACK_STATE_UNTRACKED`).
fn conntrack_bits(bits: u16) -> Option<u32> {
    let untracked = if bits & 0x100 != 0 { CtState::Untracked as u32 } else { 0 };
    (bits & 0xc0 == 0).then_some(u32::from(bits & 0x3f) | untracked)
}

/// `XT_CONNTRACK_STATE`, and the mark of a rule that was written as `-m state`
/// (`linux/netfilter/xt_conntrack.h`).
const CONNTRACK_STATE: u16 = 1;
const STATE_ALIAS: u16 = 1 << 13;

/// A match as the kernel keeps it (`linux/netfilter/xt_*.h`).
pub(super) fn read_match(name: &str, revision: u32, info: &[u8]) -> Step {
    let unknown = || Step::Unknown(format!("match {name}"));
    let half = |at: usize| info.get(at..at + 2).and_then(|b| b.first_chunk().copied());
    let port = |at: usize| half(at).map(u16::from_ne_bytes);
    let word = |at: usize| {
        let bytes: Option<[u8; 4]> = info.get(at..at + 4).and_then(|b| b.first_chunk().copied());
        bytes.map(u32::from_ne_bytes)
    };
    let byte = |at: usize| info.get(at).copied();
    let test = |test: Option<Match>| test.map_or_else(unknown, Step::Test);
    match (name, revision) {
        ("comment", _) => Step::Nothing,
        ("mark", 1) => test((|| {
            let (value, mask) = (word(0)?, word(4)?);
            Some(Match::Mark { value, mask, inverted: byte(8)? != 0 })
        })()),
        ("state", 0) => test(word(0).map(|bits| Match::State { bits, inverted: false })),
        // struct xt_addrtype_info_v1: of the source, of the destination, flags.
        ("addrtype", 1) => test((|| {
            let (source, destination) = (port(0)?, port(2)?);
            // XT_ADDRTYPE_LOCAL, XT_ADDRTYPE_INVERT_DEST.
            let inverted = word(4)? & 2 != 0;
            (source == 0 && destination == 1 << 2).then_some(Match::LocalDestination { inverted })
        })()),
        // struct xt_conntrack_mtinfo3: eight addresses, times, ports and protocol, flags,
        // and at the end the ports' other ends.
        ("conntrack", 2 | 3) => test((|| {
            let (flags, inverted) = (half(146)?, half(148)?);
            let flags = u16::from_ne_bytes(flags) & !STATE_ALIAS;
            let inverted = u16::from_ne_bytes(inverted) & CONNTRACK_STATE != 0;
            let bits = conntrack_bits(u16::from_ne_bytes(half(150)?))?;
            (flags == CONNTRACK_STATE).then_some(Match::State { bits, inverted })
        })()),
        // struct xt_tcp and struct xt_udp: source and destination ports from and to.
        ("tcp" | "udp", 0) => (|| {
            let (sources, targets) = ((port(0)?, port(2)?), (port(4)?, port(6)?));
            let tcp = name == "tcp";
            let flags = byte(if tcp { 11 } else { 8 })?;
            if tcp && (byte(8)? != 0 || byte(9)? != 0) || sources != (0, u16::MAX) {
                return None;
            }
            let inverted = flags & 2 != 0;
            Some(Step::Test(Match::Ports {
                ranges: vec![targets],
                of: Side::Destination,
                inverted,
            }))
        })()
        .unwrap_or_else(unknown),
        // struct xt_multiport_v1: which, how many, 15 ports, 15 flags (a range begins).
        ("multiport", 1) => test((|| {
            let of = match byte(0)? {
                0 => Side::Source,
                1 => Side::Destination,
                _ => Side::Either,
            };
            let count = usize::from(byte(1)?).min(15);
            let (mut ranges, mut at) = (Vec::new(), 0);
            while at < count {
                let first = port(2 + at * 2)?;
                let begins = byte(32 + at)? != 0;
                at += usize::from(begins);
                ranges.push((first, if begins { port(2 + at * 2)? } else { first }));
                at += 1;
            }
            Some(Match::Ports { ranges, of, inverted: byte(47)? != 0 })
        })()),
        _ => unknown(),
    }
}

/// A target as the kernel keeps it.
pub(super) fn read_target(name: &str, revision: u32, info: &[u8]) -> Step {
    let word = |at: usize| {
        let bytes: Option<[u8; 4]> = info.get(at..at + 4).and_then(|b| b.first_chunk().copied());
        bytes.map(u32::from_ne_bytes)
    };
    match (name, revision) {
        ("MARK", 2) => match (word(0), word(4)) {
            (Some(value), Some(mask)) => Step::ChangeMark { value, mask },
            _ => Step::GuessMark,
        },
        // struct xt_connmark_tginfo1: mode 2 restores the packet's mark.
        ("CONNMARK", _) if info.get(12) != Some(&2) => Step::Nothing,
        ("CONNMARK" | "MARK", _) => Step::GuessMark,
        (other, _) => target(other),
    }
}

/// A target that is known by its name alone.
pub(super) fn target(name: &str) -> Step {
    match name {
        "ACCEPT" => Step::Verdict(Verdict::Accept),
        "DROP" | "REJECT" | "TARPIT" => Step::Verdict(Verdict::Drop),
        "RETURN" => Step::Verdict(Verdict::Return),
        "NFQUEUE" | "QUEUE" => Step::Verdict(Verdict::Queue),
        "DNAT" | "REDIRECT" | "TPROXY" | "NETMAP" => Step::Verdict(Verdict::Divert),
        "NOTRACK" => Step::Untrack,
        "LOG" | "NFLOG" | "TRACE" | "TCPMSS" | "DSCP" | "TOS" | "CLASSIFY" | "CHECKSUM"
        | "MASQUERADE" | "SNAT" | "CONNSECMARK" | "SECMARK" | "TTL" | "HL" | "AUDIT" | "LED" => {
            Step::Nothing
        }
        other => Step::Unknown(format!("target {other}")),
    }
}
