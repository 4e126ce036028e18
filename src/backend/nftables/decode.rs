//! The kernel's answers as plain values, without judging them: `inspect` does. Whatever
//! the kernel or somebody else's ruleset holds is a value or an error here, never a
//! panic.

use nftnl::nftnl_sys::libc;

use super::element::{Element, Key};
use super::expression;
use super::frame::{Set, Step};
use super::wire::{self, Fields, attributes, body, malformed};
use crate::backend::{Count, Generation};
use crate::netlink::{Message, NetlinkError};

/// A chain of our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainFound {
    pub(super) name: String,
    /// Hook number and priority; `None` for a chain that no hook calls.
    pub(super) hook: Option<(u32, i32)>,
    pub(super) policy: Option<u32>,
    /// Its type, `filter` for ours.
    pub(super) kind: Option<String>,
}

/// A rule of our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleFound {
    pub(super) chain: String,
    pub(super) handle: u64,
    pub(super) steps: Vec<Step>,
    pub(super) comment: Option<String>,
}

/// A set or map of our table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SetFound {
    pub(super) name: String,
    pub(super) flags: u32,
    pub(super) key: (u32, u32),
    pub(super) data: (u32, u32),
    /// How many elements it holds, where the kernel says so (Linux 6.16 and later).
    pub(super) count: Option<u32>,
    /// How many elements it may hold at most.
    pub(super) capacity: Option<u32>,
    /// The lengths of the key's parts, where the kernel says them.
    pub(super) parts: Vec<u32>,
    /// What its elements do besides.
    pub(super) elements_do: ElementsDo,
}

/// What the elements of a set do when a packet hits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementsDo {
    Nothing,
    /// They count it.
    Count,
    /// Anything else, such as a limit.
    More,
}

impl SetFound {
    /// Whether it belongs to the rule that uses it.
    pub(super) fn is_anonymous(&self) -> bool {
        self.flags & libc::NFT_SET_ANONYMOUS.cast_unsigned() != 0
    }
}

/// The generation of a `GETGEN`'s answer.
pub(super) fn generation(message: Message<'_>) -> Result<Generation, NetlinkError> {
    let number = body(message.payload)?.number(1);
    match (message.kind, number) {
        (wire::NEW_GENERATION, Some(number)) => Ok(Generation(number)),
        (kind, _) => Err(malformed(format!("a message of type {kind} for the generation"))),
    }
}

/// The flags of a table.
pub(super) fn table_flags(message: Message<'_>) -> Result<u32, NetlinkError> {
    Ok(body(message.payload)?.number(wire::table::FLAGS).unwrap_or(0))
}

/// Whether a message is about our table; dumps of chains hold every table's.
pub(super) fn is_ours(message: Message<'_>) -> Result<bool, NetlinkError> {
    // In each kind of message the table's name is attribute 1.
    let table = body(message.payload)?.text(1);
    let family = message.payload.first() == Some(&wire::INET);
    Ok(family && table == Some(super::frame::table_name()))
}

/// The name of a set, chain, object or flowtable, which stands in different places.
pub(super) fn object_name(message: Message<'_>) -> Result<String, NetlinkError> {
    Ok(body(message.payload)?.text(2).unwrap_or("?").to_owned())
}

pub(super) fn chain(message: Message<'_>) -> Result<ChainFound, NetlinkError> {
    let fields = body(message.payload)?;
    let hook = fields.nested(wire::chain::HOOK)?;
    let hook = hook.number(wire::chain::HOOK_NUMBER).map(|number| {
        let priority = hook.number(wire::chain::HOOK_PRIORITY).unwrap_or(0);
        (number, priority.cast_signed())
    });
    Ok(ChainFound {
        name: name(&fields, wire::chain::NAME)?,
        hook,
        policy: fields.number(wire::chain::POLICY),
        kind: fields.text(wire::chain::TYPE).map(str::to_owned),
    })
}

pub(super) fn set(message: Message<'_>) -> Result<SetFound, NetlinkError> {
    use wire::set as of;
    let fields = body(message.payload)?;
    let number = |kind: u16| fields.number(kind).unwrap_or(0);
    let description = fields.nested(of::DESCRIPTION)?;
    let parts = attributes(description.get(of::DESCRIPTION_FIELDS).unwrap_or_default())
        .map(|part| Ok(Fields::read(part?.1)?.number(of::FIELD_LENGTH).unwrap_or(0)))
        .collect::<Result<_, NetlinkError>>()?;
    Ok(SetFound {
        name: name(&fields, of::NAME)?,
        flags: number(of::FLAGS),
        key: (number(of::KEY_TYPE), number(of::KEY_LENGTH)),
        data: (number(of::DATA_TYPE), number(of::DATA_LENGTH)),
        count: fields.number(of::COUNT),
        capacity: description.number(of::DESCRIPTION_SIZE),
        parts,
        elements_do: match (fields.get(of::EXPRESSION), fields.get(of::EXPRESSIONS)) {
            (None, None) => ElementsDo::Nothing,
            (Some(one), None) if counter(one)?.is_some() => ElementsDo::Count,
            _ => ElementsDo::More,
        },
    })
}

/// The count of an expression that is a counter; `None` for any other.
fn counter(expression: &[u8]) -> Result<Option<Count>, NetlinkError> {
    let expression = Fields::read(expression)?;
    if expression.text(wire::rule::EXPRESSION_NAME) != Some("counter") {
        return Ok(None);
    }
    let data = expression.nested(wire::rule::EXPRESSION_DATA)?;
    let number = |kind: u16| data.long(kind).unwrap_or(0);
    let (packets, bytes) = (number(wire::counter::PACKETS), number(wire::counter::BYTES));
    Ok(Some(Count { packets, bytes }))
}

pub(super) fn rule(message: Message<'_>) -> Result<RuleFound, NetlinkError> {
    use wire::rule as of;
    let fields = body(message.payload)?;
    let mut steps = Vec::new();
    for expression in attributes(fields.get(of::EXPRESSIONS).unwrap_or_default()) {
        let expression = Fields::read(expression?.1)?;
        let kind = expression.text(of::EXPRESSION_NAME).unwrap_or("?");
        let data = expression.nested(of::EXPRESSION_DATA)?;
        steps.extend(expression::read(kind, &data)?);
    }
    let comment = fields.get(of::USERDATA).and_then(wire::comment);
    Ok(RuleFound {
        chain: name(&fields, of::CHAIN)?,
        handle: fields.long(of::HANDLE).unwrap_or(0),
        steps,
        comment: comment.map(str::to_owned),
    })
}

/// The elements of one message. What is no element of a set of ours is words.
pub(super) fn elements<'a>(
    message: Message<'a>,
    mut each: impl FnMut(Result<Element<'a>, String>),
) -> Result<Option<Set>, NetlinkError> {
    let fields = body(message.payload)?;
    let set = fields.text(wire::element::LIST_SET).and_then(Set::named);
    for element in attributes(fields.get(wire::element::LIST).unwrap_or_default()) {
        each(element_of(element?.1)?);
    }
    Ok(set)
}

/// One element.
pub(super) fn element_of(bytes: &[u8]) -> Result<Result<Element<'_>, String>, NetlinkError> {
    use wire::element as of;
    let fields = Fields::read(bytes)?;
    let key = |kind: u16| -> Result<Option<Key>, NetlinkError> {
        Ok(fields.nested(kind)?.get(of::VALUE).and_then(Key::read))
    };
    let Some(first) = key(of::KEY)? else {
        return Ok(Err("an entry without a key (a catch-all)".to_owned()));
    };
    let expression = fields.get(of::EXPRESSION);
    let count = expression.map(counter).transpose()?.flatten();
    let odd = [of::TIMEOUT, of::EXPRESSIONS, of::FLAGS].map(|kind| fields.get(kind));
    let odd = match odd {
        [Some(_), ..] => Some("a timeout"),
        [_, Some(_), _] => Some("an expression"),
        _ if expression.is_some() && count.is_none() => Some("an expression"),
        [.., Some(flags)] if flags.iter().any(|&byte| byte != 0) => Some("flags"),
        _ => None,
    };
    if let Some(odd) = odd {
        return Ok(Err(format!("an entry with {odd}")));
    }
    let mark = fields.nested(of::DATA)?.get(of::VALUE).and_then(|value| value.try_into().ok());
    Ok(Ok(Element {
        key: first,
        key_end: key(of::KEY_END)?,
        mark: mark.map(u32::from_ne_bytes),
        comment: fields.get(of::USERDATA).and_then(wire::comment).map(Into::into),
        count,
    }))
}

fn name(fields: &Fields<'_>, kind: u16) -> Result<String, NetlinkError> {
    let name = fields.text(kind).ok_or_else(|| malformed("an object without a name"))?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_are_errors_or_values_never_panics() {
        // A small generator is enough: the lengths are what may trip a reader.
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for length in 0..200 {
            for _ in 0..50 {
                let mut payload: Vec<u8> = (0..length).map(|_| random()).collect();
                // Attributes that look like some, in half of the rounds.
                for start in (4..payload.len()).step_by(12) {
                    let plausible = [12, 0, random() % 12, 0];
                    let end = payload.len().min(start + 4);
                    payload[start..end].copy_from_slice(&plausible[..end - start]);
                }
                let message = Message { kind: 0xa00, sequence: 1, payload: &payload };
                drop((chain(message), set(message), rule(message), generation(message)));
                drop(is_ours(message));
                drop(elements(message, |element| {
                    if let Ok(element) = element {
                        for set in Set::all() {
                            drop(element.describe(set));
                        }
                    }
                }));
            }
        }
    }
}
