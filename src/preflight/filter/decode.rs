//! nf_tables' answers as chains, rules and elements (`linux/netfilter/nf_tables.h`).
//! Expressions are not judged here; what is not known keeps its name.

use super::ruleset::{Base, Chain, ChainId, Element, Hook, Origin, Rule, Step, Target, Verdict};
use super::xt::{read_match, read_target};
use crate::netlink::attributes::Fields;

/// The name of a family that has packets of ours.
fn family(number: u8) -> Option<&'static str> {
    match number {
        1 => Some("inet"),
        2 => Some("ip"),
        10 => Some("ip6"),
        _ => None,
    }
}

/// Reads a chain; `None` for one that no packet of ours meets.
pub(in crate::preflight) fn chain(payload: &[u8]) -> Option<Chain> {
    let fields = Fields::behind(payload, 4);
    let hook = fields.nested(4);
    let base = hook.network(1).and_then(|number| {
        Some(Base {
            hook: Hook::of(number)?,
            priority: hook.network(2).unwrap_or(0).cast_signed(),
            drops: fields.network(5) == Some(0),
            kind: fields.text(7).unwrap_or("filter").to_owned(),
        })
    });
    Some(Chain {
        id: ChainId {
            origin: Origin::Nft(family(*payload.first()?)?),
            table: fields.text(1)?.to_owned(),
            name: fields.text(3)?.to_owned(),
        },
        base,
        rules: Vec::new(),
        order: None,
        table: None,
    })
}

/// Reads a table's family, name and handle.
pub(in crate::preflight) fn table(payload: &[u8]) -> Option<(&'static str, String, u64)> {
    let fields = Fields::behind(payload, 4);
    let handle = fields.get(4)?.first_chunk().copied().map(u64::from_be_bytes)?;
    Some((family(*payload.first()?)?, fields.text(1)?.to_owned(), handle))
}

/// Reads a rule and the chain that it is in.
pub(in crate::preflight) fn rule(payload: &[u8]) -> Option<(ChainId, Rule)> {
    let fields = Fields::behind(payload, 4);
    let id = ChainId {
        origin: Origin::Nft(family(*payload.first()?)?),
        table: fields.text(1)?.to_owned(),
        name: fields.text(2)?.to_owned(),
    };
    let handle = fields.get(3).and_then(|bytes| bytes.first_chunk().copied());
    let steps = fields
        .nested(4)
        .iter()
        .flat_map(|(_, expression)| {
            let expression = Fields::behind(expression, 0);
            read(expression.text(1).unwrap_or("?"), expression.nested(2))
        })
        .collect();
    Some((id, Rule { handle: handle.map_or(0, u64::from_be_bytes), steps }))
}

/// Reads the elements of one message.
pub(in crate::preflight) fn elements(payload: &[u8]) -> Vec<Element> {
    let list = Fields::behind(payload, 4).nested(3);
    list.iter()
        .filter_map(|(_, element)| {
            let fields = Fields::behind(element, 0);
            let data = fields.nested(2);
            Some(Element {
                key: fields.nested(1).get(1)?.to_vec(),
                last: fields.nested(10).get(1).map(<[u8]>::to_vec),
                // NFT_SET_ELEM_INTERVAL_END
                ends: fields.network(3).unwrap_or(0) & 1 != 0,
                data: data.get(1).map(<[u8]>::to_vec),
                verdict: data.get(2).and_then(|verdict| verdict_of(Fields::behind(verdict, 0))),
            })
        })
        .collect()
}

/// Reads the table and chain of a registered hook (`linux/netfilter/nfnetlink_hook.h`).
pub(in crate::preflight) fn hooks(payload: &[u8]) -> Option<(&'static str, String, String)> {
    let info = Fields::behind(payload, 4).nested(6);
    // NFNL_HOOK_TYPE_NFTABLES
    if info.network(2) != Some(1) {
        return None;
    }
    let chain = info.nested(1);
    let family = family(*chain.get(2)?.first()?)?;
    Some((family, chain.text(1)?.to_owned(), chain.text(3)?.to_owned()))
}

/// A verdict (`NFTA_VERDICT_*`); `None` for "go on".
fn verdict_of(fields: Fields<'_>) -> Option<Verdict> {
    let chain = || fields.text(2).unwrap_or("?").to_owned();
    match fields.network(1)?.cast_signed() {
        0 => Some(Verdict::Drop),
        1 => Some(Verdict::Accept),
        3 => Some(Verdict::Queue),
        -3 => Some(Verdict::Jump(chain())),
        -4 => Some(Verdict::Goto(chain())),
        -5 => Some(Verdict::Return),
        _ => None,
    }
}

/// The byte at which a register begins (`nft_parse_register`).
fn register(number: u32) -> Option<usize> {
    let word = match number {
        1..=4 => (number - 1) * 4,
        8..=23 => number - 8,
        _ => return None,
    };
    usize::try_from(word).ok().map(|word| word * 4)
}

/// One expression; several steps where it does several things.
fn read(kind: &str, data: Fields<'_>) -> Vec<Step> {
    let size = |kind: u16| data.network(kind).and_then(|n| usize::try_from(n).ok());
    let at = |kind: u16| data.network(kind).and_then(register);
    let value = |kind: u16| data.nested(kind).get(1).map(<[u8]>::to_vec);
    let unknown = || Step::Unknown(kind.to_owned());
    let step = match kind {
        "meta" => match (data.network(2), at(1), at(3)) {
            (Some(key), Some(to), _) => Some(Step::Meta { key, to }),
            // NFT_META_MARK; other keys that are set change nothing here.
            (Some(3), None, Some(from)) => Some(Step::SetMark { from }),
            (_, None, Some(_)) => Some(Step::Nothing),
            _ => None,
        },
        "ct" => match (data.network(2), at(1)) {
            (Some(key), Some(to)) => Some(Step::Ct { key, to }),
            _ => Some(Step::Nothing),
        },
        "payload" => match (at(1), data.network(2), size(3), size(4)) {
            (Some(to), Some(base), Some(offset), Some(length)) => {
                Some(Step::Payload { base, offset, length: length.min(64), to })
            }
            // It is written to: which header, and whether it matters, is not looked at.
            _ => Some(Step::Nothing),
        },
        "fib" => at(1).map(|to| {
            // Type of the destination; other questions depend on the client.
            if data.network(2) == Some(3) && data.network(3).unwrap_or(0) & 2 != 0 {
                Step::DestinationType { to }
            } else {
                Step::Sometimes { to }
            }
        }),
        "numgen" | "hash" | "rt" | "osf" => at(1).map(|to| Step::Sometimes { to }),
        "socket" | "exthdr" | "tunnel" | "xfrm" => at(1).map(|to| Step::Blind { to }),
        "immediate" => match (data.network(1), at(1)) {
            (Some(0), _) => {
                let verdict = data.nested(2).get(2).map(|bytes| Fields::behind(bytes, 0));
                Some(verdict.and_then(verdict_of).map_or(Step::Nothing, Step::Verdict))
            }
            (_, Some(to)) => value(2).map(|value| Step::Value { to, value }),
            _ => None,
        },
        "bitwise" => match (at(1), at(2), value(4), value(5), data.network(6).unwrap_or(0)) {
            (Some(from), Some(to), Some(mask), Some(xor), 0) => {
                Some(Step::Bitwise { from, to, mask, xor })
            }
            (_, Some(to), ..) => Some(Step::Blind { to }),
            _ => None,
        },
        "byteorder" => match (at(1), at(2), size(4), size(5)) {
            (Some(from), Some(to), Some(length), Some(size)) => {
                Some(Step::Swap { from, to, length: length.min(64), size })
            }
            _ => None,
        },
        "cmp" => match (at(1), data.network(2), value(3)) {
            (Some(at), Some(operator), Some(value)) => Some(Step::Compare { at, operator, value }),
            _ => None,
        },
        "range" => match (at(1), data.network(2), value(3), value(4)) {
            (Some(at), Some(operator), Some(first), Some(last)) => {
                Some(Step::Range { at, inverted: operator == 1, first, last })
            }
            _ => None,
        },
        "lookup" => match (data.text(1), at(2)) {
            (Some(set), Some(at_key)) => Some(Step::Lookup {
                set: set.to_owned(),
                at: at_key,
                to: match data.network(3) {
                    Some(0) => Some(Target::Verdict),
                    Some(number) => register(number).map(Target::Register),
                    None => None,
                },
                inverted: data.network(5).unwrap_or(0) & 1 != 0,
            }),
            _ => None,
        },
        "reject" => Some(Step::Verdict(Verdict::Drop)),
        "queue" => Some(Step::Verdict(Verdict::Queue)),
        "notrack" => Some(Step::Untrack),
        // A set that a limit is kept in for each client: NFTA_DYNSET_EXPR, …_EXPRESSIONS.
        "dynset" if data.get(7).or(data.get(10)).is_some() => Some(Step::Limit),
        "limit" | "quota" | "connlimit" | "last" => Some(Step::Limit),
        // NFT_NAT_DNAT is 1; a translated source is none of our business.
        "nat" if data.network(1) == Some(1) => Some(Step::Verdict(Verdict::Divert)),
        "redir" | "tproxy" | "fwd" => Some(Step::Verdict(Verdict::Divert)),
        "nat" | "masq" | "counter" | "log" | "dup" | "objref" | "dynset" | "flow_offload"
        | "synproxy" => Some(Step::Nothing),
        "match" | "target" => {
            let name = data.text(1).unwrap_or("?");
            let (revision, info) = (data.network(2).unwrap_or(0), data.get(3).unwrap_or_default());
            Some(if kind == "match" {
                read_match(name, revision, info)
            } else {
                read_target(name, revision, info)
            })
        }
        _ => None,
    };
    vec![step.unwrap_or_else(unknown)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::attributes::put;

    fn nest(inner: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, value) in inner {
            put(&mut out, *kind, value);
        }
        out
    }

    /// Not every kernel that is tested on has the list of hooks (`NETFILTER_NETLINK_HOOK`).
    #[test]
    fn a_registered_hook_tells_table_and_chain() {
        let chain = nest(&[(1, b"other\0"), (3, b"pre\0"), (2, &[1])]);
        let info = nest(&[(1, &chain), (2, &1_u32.to_be_bytes())]);
        let body = nest(&[(1, &[0; 4]), (2, &(-150_i32).to_be_bytes()), (6, &info)]);
        let payload = [&[2, 0, 0, 0][..], &body].concat();
        assert_eq!(hooks(&payload), Some(("inet", "other".to_owned(), "pre".to_owned())));
        let bpf = nest(&[(2, &2_u32.to_be_bytes())]);
        let payload = [&[2, 0, 0, 0][..], &nest(&[(6, &bpf)])].concat();
        assert_eq!(hooks(&payload), None);
    }

    #[test]
    fn random_bytes_are_nothing_and_no_panic() {
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for length in 0..160 {
            for _ in 0..50 {
                let mut payload: Vec<u8> = (0..length).map(|_| random()).collect();
                for start in (4..payload.len()).step_by(12) {
                    let plausible = [12, 0, random() % 12, 0];
                    let end = payload.len().min(start + 4);
                    payload[start..end].copy_from_slice(&plausible[..end - start]);
                }
                if let Some(first) = payload.first_mut() {
                    *first = 1;
                }
                drop((chain(&payload), rule(&payload), table(&payload), hooks(&payload)));
                drop(elements(&payload));
            }
        }
        for name in ["tcp", "udp", "multiport", "conntrack", "mark", "state", "MARK", "CONNMARK"] {
            for length in 0..200 {
                let info = vec![1; length];
                drop((read_match(name, 1, &info), read_match(name, 3, &info)));
                drop((read_match(name, 0, &info), read_target(name, 2, &info)));
            }
        }
    }
}
