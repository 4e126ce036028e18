//! The numbers of `linux/netfilter/ipset/ip_set.h`, and attributes as ipset wants them:
//! numbers in network order, which their kind has to say.

use crate::netlink::attributes::put;

/// The protocol that is spoken. 7 (Linux 4.20) only adds questions by a set's number,
/// and every kernel takes 6 (`protocol_min_failed`, `net/netfilter/ipset/ip_set_core.c`).
pub(super) const PROTOCOL_VERSION: u8 = 6;

/// `NFNL_SUBSYS_IPSET`, `linux/netfilter/nfnetlink.h`.
const SUBSYSTEM: u16 = 6;

const fn ipset(command: u16) -> u16 {
    SUBSYSTEM << 8 | command
}

pub(super) const ASK_PROTOCOL: u16 = ipset(1);
pub(super) const CREATE: u16 = ipset(2);
pub(super) const DESTROY: u16 = ipset(3);
pub(super) const LIST: u16 = ipset(7);
pub(super) const ADD: u16 = ipset(9);

/// `struct nfgenmsg`: family, version and a number that ipset does not use.
pub(super) const FAMILY_HEADER: usize = 4;
/// `IPSET_MAXNAMELEN`, with the NUL.
pub(super) const NAME_LENGTH: usize = 32;
/// `IPSET_MAX_COMMENT_SIZE`, without the NUL.
pub(super) const COMMENT_LENGTH: usize = 255;

/// Attributes of a command.
pub(super) const PROTOCOL: u16 = 1;
pub(super) const NAME: u16 = 2;
pub(super) const TYPE_NAME: u16 = 3;
pub(super) const REVISION: u16 = 4;
pub(super) const FAMILY: u16 = 5;
pub(super) const FLAGS: u16 = 6;
pub(super) const DATA: u16 = 7;
pub(super) const MEMBERS: u16 = 8;
pub(super) const LINE: u16 = 9;

/// `IPSET_FLAG_LIST_HEADER`: all but the members.
pub(super) const HEADERS_ONLY: u32 = 1 << 2;

/// Attributes of a set, within [`DATA`].
pub(super) mod set {
    pub(in super::super) const TIMEOUT: u16 = 6;
    pub(in super::super) const FLAGS: u16 = 8;
    pub(in super::super) const MARK_MASK: u16 = 11;
    pub(in super::super) const HASH_SIZE: u16 = 18;
    pub(in super::super) const CAPACITY: u16 = 19;
    pub(in super::super) const NET_MASK: u16 = 20;
    pub(in super::super) const ELEMENTS: u16 = 24;
    pub(in super::super) const REFERENCES: u16 = 25;

    /// `IPSET_FLAG_WITH_COUNTERS`.
    pub(in super::super) const WITH_COUNTERS: u32 = 1 << 3;
    /// `IPSET_FLAG_WITH_COMMENT`.
    pub(in super::super) const WITH_COMMENT: u32 = 1 << 4;
    /// `IPSET_FLAG_WITH_SKBINFO`.
    pub(in super::super) const WITH_SKBINFO: u32 = 1 << 6;
}

/// Attributes of a member, within [`DATA`].
pub(super) mod member {
    pub(in super::super) const ADDRESS: u16 = 1;
    pub(in super::super) const PREFIX_LENGTH: u16 = 3;
    pub(in super::super) const PORT: u16 = 4;
    pub(in super::super) const PROTOCOL: u16 = 7;
    pub(in super::super) const MARK: u16 = 10;
    pub(in super::super) const BYTES: u16 = 24;
    pub(in super::super) const PACKETS: u16 = 25;
    pub(in super::super) const COMMENT: u16 = 26;
    pub(in super::super) const SKBMARK: u16 = 27;
    /// `IPSET_ATTR_PAD`: nothing, so that what follows is aligned.
    pub(in super::super) const PAD: u16 = 30;
    /// Of an address.
    pub(in super::super) const IPV4: u16 = 1;
    /// Of an address.
    pub(in super::super) const IPV6: u16 = 2;
}

/// `NLA_F_NET_BYTEORDER`, without which ipset takes no number.
const NETWORK_ORDER: u16 = 1 << 14;
/// `NLA_F_NESTED`, without which it looks into no attribute.
const NESTED: u16 = 1 << 15;

/// Writes a number of any length, or an address.
pub(super) fn put_network(out: &mut Vec<u8>, kind: u16, bytes: &[u8]) {
    put(out, kind | NETWORK_ORDER, bytes);
}

/// Writes a text and its NUL.
pub(super) fn put_text(out: &mut Vec<u8>, kind: u16, text: &str) {
    put(out, kind, &[text.as_bytes(), &[0]].concat());
}

/// Writes an attribute of attributes; the caller bounds how long it becomes.
pub(super) fn put_nested(out: &mut Vec<u8>, kind: u16, inner: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    put(out, kind | NESTED, &[]);
    inner(out);
    let length = u16::try_from(out.len() - start).unwrap_or(u16::MAX);
    out[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}
