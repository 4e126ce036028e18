//! The expressions of our rules, to the kernel and back.

use nftnl::Rule;
use nftnl::expr::{
    Cmp, CmpOp, Counter, Ipv4HeaderField, Ipv6HeaderField, Meta, NetworkHeaderField, Payload,
    Verdict,
};
use nftnl::nftnl_sys::libc;

use super::frame::{Set, Step};
use super::map::{MapLookup, MetaInto, PayloadInto};
use super::wire::{self, Fields};
use crate::netlink::NetlinkError;

/// Adds one expression of the rule of `map`: nftnl's own where it works in its first
/// register, one of ours elsewhere.
pub(super) fn add(rule: &mut Rule<'_>, map: Set, step: &Step) {
    match step {
        Step::Meta { key, to: 0 } if *key == Meta::NfProto.to_raw_key() => {
            rule.add_expr(&Meta::NfProto);
        }
        Step::Meta { key, to } => rule.add_expr(&MetaInto { key: *key, word: *to }),
        Step::Equals { value, .. } => rule.add_expr(&Cmp::new(CmpOp::Eq, value.as_slice())),
        Step::Payload { offset: 16, length: 4, to: 0, .. } => {
            rule.add_expr(&Payload::Network(NetworkHeaderField::Ipv4(Ipv4HeaderField::Daddr)));
        }
        Step::Payload { offset: 24, length: 16, to: 0, .. } => {
            rule.add_expr(&Payload::Network(NetworkHeaderField::Ipv6(Ipv6HeaderField::Daddr)));
        }
        Step::Payload { base, offset, length, to } => {
            rule.add_expr(&PayloadInto {
                base: *base,
                offset: *offset,
                length: *length,
                word: *to,
            });
        }
        Step::Lookup { .. } => rule.add_expr(&MapLookup { map: map.name() }),
        Step::SetMark { .. } => rule.add_expr(&Meta::Mark { set: true }),
        Step::Accept => rule.add_expr(&Verdict::Accept),
        Step::Counter => rule.add_expr(&Counter),
        Step::Foreign(_) => {}
    }
}

/// One expression, by the attributes `NFTA_META_*`, `NFTA_CMP_*` and so on; `None` for
/// one that does nothing.
pub(super) fn read(kind: &str, data: &Fields<'_>) -> Result<Option<Step>, NetlinkError> {
    let number = |kind: u16| data.number(kind);
    let at = |kind: u16| data.number(kind).and_then(word);
    let known = match kind {
        "meta" => match (number(2), at(1), at(3)) {
            (Some(key), Some(to), None) => Some(Step::Meta { key, to }),
            (Some(key), None, Some(from)) if key == libc::NFT_META_MARK.cast_unsigned() => {
                Some(Step::SetMark { from })
            }
            _ => None,
        },
        "cmp" => match (at(1), number(2), data.nested(3)?.get(wire::element::VALUE)) {
            (Some(register), Some(0), Some(value)) => {
                Some(Step::Equals { register, value: value.to_vec() })
            }
            _ => None,
        },
        "payload" => match (at(1), number(2), number(3), number(4)) {
            (Some(to), Some(base), Some(offset), Some(length)) => {
                Some(Step::Payload { base, offset, length, to })
            }
            _ => None,
        },
        "lookup" => match (data.text(1), at(2), at(3), number(5).unwrap_or(0)) {
            (Some(map), Some(key), Some(to), 0) => {
                Some(Step::Lookup { map: map.to_owned(), key, to })
            }
            _ => None,
        },
        "immediate" => {
            // NFTA_DATA_VERDICT, and in it NFTA_VERDICT_CODE; register 0 is the verdict.
            let verdict = data.nested(2)?.nested(2)?.number(1);
            let accept = libc::NF_ACCEPT.cast_unsigned();
            (number(1) == Some(0) && verdict == Some(accept)).then_some(Step::Accept)
        }
        "counter" => Some(Step::Counter),
        // nft 1.0.6 swaps the bytes of the protocol, which is one byte, in pairs: the
        // kernel swaps length / size times (`nft_byteorder_eval`), which is never.
        "byteorder" if number(1) == number(2) && number(4) < number(5) => return Ok(None),
        _ => None,
    };
    Ok(Some(known.unwrap_or_else(|| Step::Foreign(kind.to_owned()))))
}

/// The word at which the kernel's register begins (`nft_parse_register`).
fn word(register: u32) -> Option<u32> {
    match register {
        1..=4 => Some((register - 1) * 4),
        8..=23 => Some(register - 8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_a_register_are_one() {
        assert_eq!([word(1), word(8)], [Some(0), Some(0)]);
        assert_eq!([word(2), word(12)], [Some(4), Some(4)]);
        assert_eq!([word(0), word(5), word(24)], [None; 3]);
    }
}
