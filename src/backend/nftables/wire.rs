//! The numbers of `linux/netfilter/nf_tables.h`, and attributes as they are read and
//! asked for. What is written goes through libnftnl (see `map.rs`).

use netlink_packet_core::NlasIterator;
use nftnl::nftnl_sys::libc;

use crate::backend::Generation;
use crate::netlink::NetlinkError;

/// `NFPROTO_INET`.
pub(super) const INET: u8 = 1;

/// `NFNL_MSG_BATCH_BEGIN`, `linux/netfilter/nfnetlink.h`.
pub(super) const BATCH_BEGIN: u16 = 0x10;
/// `NFNL_MSG_BATCH_END`.
pub(super) const BATCH_END: u16 = 0x11;
/// `NFNL_BATCH_GENID`: the generation that a batch goes out from.
pub(super) const BATCH_GENID: u16 = 1;

const fn nf_tables(message: libc::c_int) -> u16 {
    // Both numbers are below 256.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let number = ((libc::NFNL_SUBSYS_NFTABLES << 8) | message) as u16;
    number
}

pub(super) const NEW_TABLE: u16 = nf_tables(libc::NFT_MSG_NEWTABLE);
pub(super) const GET_TABLE: u16 = nf_tables(libc::NFT_MSG_GETTABLE);
pub(super) const DEL_TABLE: u16 = nf_tables(libc::NFT_MSG_DELTABLE);
pub(super) const NEW_CHAIN: u16 = nf_tables(libc::NFT_MSG_NEWCHAIN);
pub(super) const GET_CHAIN: u16 = nf_tables(libc::NFT_MSG_GETCHAIN);
pub(super) const NEW_RULE: u16 = nf_tables(libc::NFT_MSG_NEWRULE);
pub(super) const GET_RULE: u16 = nf_tables(libc::NFT_MSG_GETRULE);
pub(super) const DEL_RULE: u16 = nf_tables(libc::NFT_MSG_DELRULE);
pub(super) const NEW_SET: u16 = nf_tables(libc::NFT_MSG_NEWSET);
pub(super) const GET_SET: u16 = nf_tables(libc::NFT_MSG_GETSET);
pub(super) const NEW_ELEMENTS: u16 = nf_tables(libc::NFT_MSG_NEWSETELEM);
pub(super) const GET_ELEMENTS: u16 = nf_tables(libc::NFT_MSG_GETSETELEM);
pub(super) const DEL_ELEMENTS: u16 = nf_tables(libc::NFT_MSG_DELSETELEM);
pub(super) const NEW_GENERATION: u16 = nf_tables(libc::NFT_MSG_NEWGEN);
pub(super) const GET_GENERATION: u16 = nf_tables(libc::NFT_MSG_GETGEN);
pub(super) const NEW_OBJECT: u16 = nf_tables(libc::NFT_MSG_NEWOBJ);
pub(super) const GET_OBJECT: u16 = nf_tables(libc::NFT_MSG_GETOBJ);
pub(super) const NEW_FLOWTABLE: u16 = nf_tables(22);
pub(super) const GET_FLOWTABLE: u16 = nf_tables(23);

/// Attributes of a table, `NFTA_TABLE_*`.
pub(super) mod table {
    pub(in super::super) const FLAGS: u16 = 2;
}

/// Attributes of a chain, `NFTA_CHAIN_*` and `NFTA_HOOK_*`.
pub(super) mod chain {
    pub(in super::super) const NAME: u16 = 3;
    pub(in super::super) const HOOK: u16 = 4;
    pub(in super::super) const HOOK_NUMBER: u16 = 1;
    pub(in super::super) const HOOK_PRIORITY: u16 = 2;
    pub(in super::super) const POLICY: u16 = 5;
    pub(in super::super) const TYPE: u16 = 7;
}

/// Attributes of a rule, `NFTA_RULE_*` and `NFTA_EXPR_*`.
pub(super) mod rule {
    pub(in super::super) const CHAIN: u16 = 2;
    pub(in super::super) const HANDLE: u16 = 3;
    pub(in super::super) const EXPRESSIONS: u16 = 4;
    pub(in super::super) const USERDATA: u16 = 7;
    pub(in super::super) const EXPRESSION_NAME: u16 = 1;
    pub(in super::super) const EXPRESSION_DATA: u16 = 2;
}

/// Attributes of a set, `NFTA_SET_*`, `NFTA_SET_DESC_*` and `NFTA_SET_FIELD_*`.
pub(super) mod set {
    pub(in super::super) const NAME: u16 = 2;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const KEY_TYPE: u16 = 4;
    pub(in super::super) const KEY_LENGTH: u16 = 5;
    pub(in super::super) const DATA_TYPE: u16 = 6;
    pub(in super::super) const DATA_LENGTH: u16 = 7;
    pub(in super::super) const DESCRIPTION: u16 = 9;
    pub(in super::super) const DESCRIPTION_SIZE: u16 = 1;
    pub(in super::super) const DESCRIPTION_FIELDS: u16 = 2;
    pub(in super::super) const FIELD_LENGTH: u16 = 1;
    pub(in super::super) const EXPRESSION: u16 = 17;
    pub(in super::super) const EXPRESSIONS: u16 = 18;
    pub(in super::super) const COUNT: u16 = 20;
}

/// Attributes of a list of elements, of an element and of data, `NFTA_SET_ELEM_LIST_*`,
/// `NFTA_SET_ELEM_*` and `NFTA_DATA_*`.
pub(super) mod element {
    pub(in super::super) const LIST_SET: u16 = 2;
    pub(in super::super) const LIST: u16 = 3;
    pub(in super::super) const KEY: u16 = 1;
    pub(in super::super) const DATA: u16 = 2;
    pub(in super::super) const FLAGS: u16 = 3;
    pub(in super::super) const TIMEOUT: u16 = 4;
    pub(in super::super) const USERDATA: u16 = 6;
    /// One expression; several are in [`EXPRESSIONS`].
    pub(in super::super) const EXPRESSION: u16 = 7;
    pub(in super::super) const KEY_END: u16 = 10;
    pub(in super::super) const EXPRESSIONS: u16 = 11;
    pub(in super::super) const VALUE: u16 = 1;
}

/// Attributes of a counter, `NFTA_COUNTER_*`.
pub(super) mod counter {
    pub(in super::super) const BYTES: u16 = 1;
    pub(in super::super) const PACKETS: u16 = 2;
}

/// `struct nfgenmsg`: family, version, and the low half of the generation.
pub(super) const FAMILY_HEADER: usize = 4;

/// Writes the header of an nf_tables message that is about the family inet.
pub(super) fn put_family(out: &mut Vec<u8>) {
    out.extend_from_slice(&[INET, 0, 0, 0]);
}

/// Writes an attribute that holds a name.
pub(super) fn put_name(out: &mut Vec<u8>, kind: u16, name: &str) {
    let bytes = [name.as_bytes(), &[0]].concat();
    put_attribute(out, kind, &bytes);
}

/// Writes an attribute; what is asked for is short, so that its length fits.
pub(super) fn put_attribute(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Whether a message was written at `generation`, of which it carries the low half.
pub(super) fn is_of(payload: &[u8], generation: Generation) -> bool {
    payload.get(2..4) == Some(&generation.0.to_be_bytes()[2..])
}

/// The attributes behind an nf_tables message's header.
pub(super) fn body(payload: &[u8]) -> Result<Fields<'_>, NetlinkError> {
    payload
        .get(FAMILY_HEADER..)
        .map_or_else(|| Err(malformed("a message without a family")), Fields::read)
}

/// An answer that makes no sense.
pub(super) fn malformed(what: impl Into<String>) -> NetlinkError {
    NetlinkError::Malformed(what.into())
}

/// Each attribute of `bytes`, in their order, as its kind and value.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), NetlinkError>> {
    NlasIterator::new(bytes).map(|attribute| {
        let attribute = attribute.map_err(|error| malformed(error.to_string()))?;
        let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
        let value = attribute.into_inner().get(4..length);
        value.map(|value| (kind, value)).ok_or_else(|| malformed("an attribute is cut short"))
    })
}

/// The attributes of an object by their kind. Kinds that are newer than this program
/// are left out.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>([Option<&'a [u8]>; 24]);

impl<'a> Fields<'a> {
    /// Reads all attributes of `bytes`.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NetlinkError> {
        let mut fields = [None; 24];
        for attribute in attributes(bytes) {
            let (kind, value) = attribute?;
            if let Some(field) = fields.get_mut(usize::from(kind)) {
                *field = Some(value);
            }
        }
        Ok(Self(fields))
    }

    /// The value of `kind`.
    pub(super) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.0.get(usize::from(kind)).copied().flatten()
    }

    /// A number in network order, as nf_tables writes them.
    pub(super) fn number(&self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// A longer number in network order.
    pub(super) fn long(&self, kind: u16) -> Option<u64> {
        self.get(kind)?.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// A text, up to its NUL.
    pub(super) fn text(&self, kind: u16) -> Option<&'a str> {
        let bytes = self.get(kind)?.split(|&byte| byte == 0).next()?;
        std::str::from_utf8(bytes).ok()
    }

    /// The attributes within `kind`; none where there is no such attribute.
    pub(super) fn nested(&self, kind: u16) -> Result<Self, NetlinkError> {
        Self::read(self.get(kind).unwrap_or_default())
    }
}

/// The comment in the user data of a rule or an element: type, length, text and NUL
/// (libnftnl's `udata.h`; a comment is type 0 in both).
pub(super) fn comment(userdata: &[u8]) -> Option<&str> {
    let mut rest = userdata;
    while let [kind, length, tail @ ..] = rest {
        let value = tail.get(..usize::from(*length))?;
        if *kind == 0 {
            let text = value.split(|&byte| byte == 0).next()?;
            return std::str::from_utf8(text).ok();
        }
        rest = &tail[value.len()..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_found_behind_other_user_data_and_never_beyond_its_end() {
        assert_eq!(comment(b"\x01\x04abcd\x00\x04web\x00"), Some("web"));
        assert_eq!(comment(b"\x00\x09web\x00"), None);
        assert_eq!(comment(b"\x00"), None);
        assert_eq!(comment(b""), None);
    }

    #[test]
    fn attributes_that_are_cut_short_are_errors() {
        let mut bytes = Vec::new();
        put_name(&mut bytes, 3, "prerouting");
        assert_eq!(Fields::read(&bytes).ok().and_then(|fields| fields.text(3)), Some("prerouting"));
        for cut in 1..14 {
            assert!(Fields::read(&bytes[..cut]).is_err(), "{cut} bytes");
        }
    }
}
