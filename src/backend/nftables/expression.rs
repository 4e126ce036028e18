//! The expressions of our rules, to the kernel and back.

use nftnl::expr::{
    Cmp, CmpOp, Counter, Immediate, Ipv4HeaderField, Ipv6HeaderField, Masquerade, Meta, Nat,
    NatType, NetworkHeaderField, Payload, Register, Verdict,
};
use nftnl::nftnl_sys::libc;
use nftnl::{ProtoFamily, Rule};

use super::chain::Branch;
use super::frame::{Set, Step};
use super::map::{MetaInto, PayloadInto, SetLookup, TproxyToPort};
use super::wire::{self, Fields};
use crate::netlink::NetlinkError;

/// Adds one expression: nftnl's own where it works in its first register, one of ours
/// elsewhere.
pub(super) fn add(rule: &mut Rule<'_>, step: &Step) {
    match step {
        Step::Meta { key, to: 0 } if *key == Meta::NfProto.to_raw_key() => {
            rule.add_expr(&Meta::NfProto);
        }
        Step::Meta { key, to } => rule.add_expr(&MetaInto { key: *key, word: *to }),
        Step::Equals { value, .. } => rule.add_expr(&Cmp::new(CmpOp::Eq, value.as_slice())),
        Step::Differs { value, .. } => rule.add_expr(&Cmp::new(CmpOp::Neq, value.as_slice())),
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
        Step::Lookup { map: name, .. } | Step::Find { set: name, .. } => {
            if let Some(set) = Set::named(name) {
                rule.add_expr(&SetLookup { set: set.name(), is_map: set.data().is_some() });
            }
        }
        Step::Value { value, .. } => {
            if let Ok(port) = <[u8; 2]>::try_from(value.as_slice()) {
                rule.add_expr(&Immediate::new(port, Register::Reg1));
            }
        }
        Step::Tproxy { family, .. } => rule.add_expr(&TproxyToPort { family: *family }),
        Step::Masquerade => rule.add_expr(&Masquerade),
        Step::Snat { family, .. } => {
            let six = *family == libc::NFPROTO_IPV6.cast_unsigned();
            rule.add_expr(&Nat {
                nat_type: NatType::SNat,
                family: if six { ProtoFamily::Ipv6 } else { ProtoFamily::Ipv4 },
                ip_register: Register::Reg1,
                port_register: None,
            });
        }
        Step::SetMark { .. } => rule.add_expr(&Meta::Mark { set: true }),
        Step::Accept => rule.add_expr(&Verdict::Accept),
        Step::Goto { chain } => {
            if let Some(branch) = Branch::named(chain) {
                rule.add_expr(&Verdict::Goto { chain: branch.name().to_owned() });
            }
        }
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
            // NFT_CMP_NEQ.
            (Some(register), Some(1), Some(value)) => {
                Some(Step::Differs { register, value: value.to_vec() })
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
            (Some(set), Some(key), None, 0) => Some(Step::Find { set: set.to_owned(), key }),
            _ => None,
        },
        "immediate" => {
            // NFTA_DATA_VERDICT, and in it NFTA_VERDICT_CODE and _CHAIN; register 0 is the
            // verdict.
            let verdict = data.nested(2)?.nested(2)?;
            let code = verdict.number(1).filter(|_| number(1) == Some(0)).map(u32::cast_signed);
            let value = data.nested(2)?.get(wire::element::VALUE).map(<[u8]>::to_vec);
            match (at(1), value, code, verdict.text(2)) {
                (Some(to), Some(value), ..) => Some(Step::Value { to, value }),
                (.., Some(libc::NF_ACCEPT), _) => Some(Step::Accept),
                (.., Some(libc::NFT_GOTO), Some(chain)) => {
                    Some(Step::Goto { chain: chain.to_owned() })
                }
                _ => None,
            }
        }
        // NFTA_TPROXY_FAMILY and _REG_PORT, without _REG_ADDR.
        "tproxy" => match (number(1), number(2), at(3)) {
            (Some(family), None, Some(from)) => Some(Step::Tproxy { family, from }),
            _ => None,
        },
        // Without flags or ports.
        "masq" => (1..=3).all(|kind| number(kind).is_none()).then_some(Step::Masquerade),
        "nat" => {
            // NFTA_NAT_TYPE, _FAMILY, _REG_ADDR_MIN and _MAX, _REG_PROTO_MIN, _FLAGS: of
            // these the kernel sets the one that says that there is an address.
            let is_plain = number(1) == Some(libc::NFT_NAT_SNAT.cast_unsigned())
                && number(3) == number(4)
                && number(5).is_none()
                && number(7) == Some(1);
            match (number(2), at(3)) {
                (Some(family), Some(from)) if is_plain => Some(Step::Snat { family, from }),
                _ => None,
            }
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
