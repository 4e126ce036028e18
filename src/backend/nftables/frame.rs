//! What surrounds the mark entries: table, chains, rules, maps. With `set`, the maps, and
//! `chain`, the chains, this is the one definition: `encode` writes it, `inspect` compares the
//! kernel's tables with it.
//!
//! ```text
//! table inet fwmarkctl {
//!   map exact4 { type ipv4_addr . inet_proto . inet_service : mark; counter }  one address, one port
//!   map host4  { type ipv4_addr . inet_proto : mark; counter }           one address, any port
//!   map range4_tcp { type ipv4_addr . inet_service : mark; flags interval; counter }
//!   map range4_udp, range4_sctp                                          prefixes, port ranges
//!   map shadow4_tcp { as range4_tcp, without counter }                   empty but while marks switch
//!   map shadow4_udp, shadow4_sctp
//!   map exact6, host6, range6_tcp, …                                     the same for IPv6
//!   set services { type mark . nf_proto }                                which services are ours
//!   set services4 { type ipv4_addr . inet_proto . inet_service }         those without a mark
//!   set services6                                                        the same for IPv6
//!   set masquerade4 { type mark . ipv4_addr }                            whose clients' addresses are replaced
//!   map source4 { type mark . ipv4_addr : ipv4_addr }                    the same, by an address of choice
//!   set masquerade6, map source6                                         the same for IPv6
//!   chain ledger { counter comment "generation 12 tx … state … boot …" } never called
//!   chain defragment { … }               while VIPs are routed: fragments are put together
//!   chain tcp4 {                                                         what no hash map knows
//!     meta mark set ip daddr . th dport map @range4_tcp accept
//!     meta mark set ip daddr . th dport map @shadow4_tcp accept
//!   }
//!   chain udp4, sctp4, tcp6, udp6, sctp6
//!   chain marking6 {                                                     the way of IPv6 after exact6
//!     meta mark set ip6 daddr . meta l4proto map @host6 accept
//!     meta l4proto tcp goto tcp6
//!     …
//!   }
//!   chain prerouting {
//!     type filter hook prerouting priority mangle; policy accept;
//!     meta mark set ip daddr . meta l4proto . th dport map @exact4 accept
//!     meta mark set ip6 daddr . meta l4proto . th dport map @exact6 accept
//!     meta nfproto ipv6 goto marking6
//!     meta mark set ip daddr . meta l4proto map @host4 accept
//!     meta l4proto tcp goto tcp4
//!     …
//!   }
//!   chain output {                                                       only for local traffic
//!     type route hook output priority mangle; policy accept;
//!     meta mark != 0 accept                                              what IPVS forwards, too
//!     …                                                                  the rules of prerouting
//!   }
//!   chain postrouting {                                                  only for full NAT
//!     type nat hook postrouting priority srcnat; policy accept;
//!     meta mark . ip daddr @masquerade4 masquerade
//!     snat ip to meta mark . ip daddr map @source4
//!     …                                                                  the same for IPv6
//!   }
//! }
//! ```
//!
//! The hash maps are looked up first: a packet that they know needs no walk through the
//! interval maps, and an address has the last word over the prefix that holds it. The
//! shadow maps come last: what they hold counts only while an interval map exchanges
//! entries, which is not one instant (see `plan::Shadow`).
//!
//! An interval map has no protocol in its key: `nft -f` of nft 1.0.6 adds an expression for
//! it that some kernels refuse (docs/decisions/0037). So there is one for each protocol, and
//! a packet goes on to those of its own family and protocol only.
//!
//! Each entry counts the packets that it marks. The kernel gives every element the counter
//! of its map, so elements are written without one; and it counts on a look-up that hits
//! (`nft_lookup_eval`, `net/netfilter/nft_lookup.c`), so the rules need none either.

use std::ffi::CStr;

use nftnl::nftnl_sys::libc;

pub(super) use super::set::Set;
use crate::model::{Family, Protocol};

/// The table's name; its family is inet.
pub(super) const TABLE: &CStr = c"fwmarkctl";
/// The chain that nothing calls; its one rule's comment is the commit record.
pub(super) const LEDGER: &CStr = c"ledger";

/// `NF_ACCEPT`.
#[allow(clippy::cast_sign_loss)]
pub(super) const POLICY: u32 = libc::NF_ACCEPT as u32;

/// The table's name as text.
pub(super) fn table_name() -> &'static str {
    text(TABLE)
}

/// A name of this file as text.
pub(super) fn text(name: &'static CStr) -> &'static str {
    name.to_str().unwrap_or_default()
}

/// One expression of a rule. Registers are counted in words of 4 bytes: the kernel has
/// two names for most (`NFT_REG_1` is `NFT_REG32_00`), and this is neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `meta load KEY`.
    Meta { key: u32, to: u32 },
    /// `cmp eq`.
    Equals { register: u32, value: Vec<u8> },
    /// `cmp neq`.
    Differs { register: u32, value: Vec<u8> },
    /// `payload load`.
    Payload { base: u32, offset: u32, length: u32, to: u32 },
    /// `lookup` in a map.
    Lookup { map: String, key: u32, to: u32 },
    /// `lookup` in a set.
    Find { set: String, key: u32 },
    /// `immediate`: a value into a register.
    Value { to: u32, value: Vec<u8> },
    /// `tproxy` to the port in a register.
    Tproxy { family: u32, from: u32 },
    /// `masq`.
    Masquerade,
    /// `nat snat` to the address in a register.
    Snat { family: u32, from: u32 },
    /// `meta set mark`.
    SetMark { from: u32 },
    /// The verdict accept.
    Accept,
    /// The verdict goto.
    Goto { chain: String },
    /// `counter`.
    Counter,
    /// Anything that our rules do not have.
    Foreign(String),
}

#[allow(clippy::cast_sign_loss)]
fn number(constant: libc::c_int) -> u32 {
    constant as u32
}

/// `meta nfproto`.
fn of_family(protocol: libc::c_int) -> [Step; 2] {
    [
        Step::Meta { key: number(libc::NFT_META_NFPROTO), to: 0 },
        Step::Equals { register: 0, value: vec![u8::try_from(protocol).unwrap_or(0)] },
    ]
}

/// The rule that looks up `map`, as nft(8) writes it:
/// `meta mark set ip daddr . meta l4proto . th dport map @exact4 accept`, without the
/// protocol for an interval map and without the port for one of hosts.
pub(super) fn marking(map: Set) -> Vec<Step> {
    // Offset and length of the destination address: RFC 791, RFC 8200.
    let (protocol, offset, length) = match map.family() {
        Some(Family::Ipv6) => (libc::NFPROTO_IPV6, 24, 16),
        _ => (libc::NFPROTO_IPV4, 16, 4),
    };
    let mut words = length / 4;
    let network = number(libc::NFT_PAYLOAD_NETWORK_HEADER);
    let mut steps = of_family(protocol).to_vec();
    steps.push(Step::Payload { base: network, offset, length, to: 0 });
    if map.protocol().is_none() {
        steps.push(Step::Meta { key: number(libc::NFT_META_L4PROTO), to: words });
        words += 1;
    }
    if !matches!(map, Set::Host(_)) {
        let transport = number(libc::NFT_PAYLOAD_TRANSPORT_HEADER);
        steps.push(Step::Payload { base: transport, offset: 2, length: 2, to: words });
    }
    steps.extend([
        Step::Lookup { map: text(map.name()).to_owned(), key: 0, to: 0 },
        Step::SetMark { from: 0 },
        Step::Accept,
    ]);
    steps
}

/// The rule that sends IPv6 on to `chain`: `meta nfproto ipv6 goto marking6`.
pub(super) fn on_of_ipv6(chain: &'static CStr) -> Vec<Step> {
    let mut steps = of_family(libc::NFPROTO_IPV6).to_vec();
    steps.push(Step::Goto { chain: text(chain).to_owned() });
    steps
}

/// The rule that sends a protocol on to `chain`: `meta l4proto tcp goto tcp4`.
pub(super) fn on_of(protocol: Protocol, chain: &'static CStr) -> Vec<Step> {
    vec![
        Step::Meta { key: number(libc::NFT_META_L4PROTO), to: 0 },
        Step::Equals { register: 0, value: vec![protocol.number()] },
        Step::Goto { chain: text(chain).to_owned() },
    ]
}

/// The rule that accepts what has a mark: `meta mark != 0 accept`.
pub(super) fn is_marked() -> Vec<Step> {
    vec![
        Step::Meta { key: number(libc::NFT_META_MARK), to: 0 },
        Step::Differs { register: 0, value: vec![0; 4] },
        Step::Accept,
    ]
}

/// A rule that no packet meets, as nft 1.0.6 writes it: `meta mark 1 meta mark 2 meta
/// l4proto udp tproxy ip to :1`. That it is there has the kernel put fragments together
/// before any chain of this priority sees them (`nft_tproxy_init`,
/// `net/netfilter/nft_tproxy.c`), without tracking connections, which a `ct` expression
/// would have as well. For IPv6, IPVS sees to it by itself (`ip_vs_add_service`,
/// `net/netfilter/ipvs/ip_vs_ctl.c`).
pub(super) fn defragmentation() -> Vec<Step> {
    let mut steps = Vec::new();
    for mark in [1_u32, 2] {
        steps.push(Step::Meta { key: number(libc::NFT_META_MARK), to: 0 });
        steps.push(Step::Equals { register: 0, value: mark.to_ne_bytes().to_vec() });
    }
    steps.extend([
        Step::Meta { key: number(libc::NFT_META_L4PROTO), to: 0 },
        Step::Equals { register: 0, value: vec![Protocol::Udp.number()] },
        Step::Value { to: 0, value: vec![0, 1] },
        Step::Tproxy { family: number(libc::NFPROTO_IPV4), from: 0 },
    ]);
    steps
}

/// The rule that looks up a set or map of sources, as nft 1.0.6 writes it:
/// `meta mark . ip daddr @masquerade4 masquerade` and
/// `snat ip to meta mark . ip daddr map @source4`.
pub(super) fn translation(set: Set) -> Vec<Step> {
    let (protocol, offset, length) = match set.family() {
        Some(Family::Ipv6) => (libc::NFPROTO_IPV6, 24, 16),
        _ => (libc::NFPROTO_IPV4, 16, 4),
    };
    let base = number(libc::NFT_PAYLOAD_NETWORK_HEADER);
    let mut steps = of_family(protocol).to_vec();
    steps.extend([
        Step::Meta { key: number(libc::NFT_META_MARK), to: 0 },
        Step::Payload { base, offset, length, to: 1 },
    ]);
    let name = text(set.name()).to_owned();
    if set.data().is_none() {
        steps.extend([Step::Find { set: name, key: 0 }, Step::Masquerade]);
    } else {
        let snat = Step::Snat { family: number(protocol), from: 0 };
        steps.extend([Step::Lookup { map: name, key: 0, to: 0 }, snat]);
    }
    steps
}
