//! Sets as the kernel lists them: a message with the set's own attributes, then as many as
//! its members need (`ip_set_dump_do`, `net/netfilter/ipset/ip_set_core.c`).

use super::member::Member;
use super::set::{Extensions, SetDefinition, SetKind};
use super::wire::{self, set as attribute};
use crate::model::Family;
use crate::netlink::attributes::Fields;

/// A set that there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SetFound {
    /// Its name.
    pub name: String,
    /// The name of its type, as ipset(8) has it.
    pub type_name: String,
    /// What it is, where this program could have made it: of a kind that it knows, and
    /// without timeouts and masks.
    pub definition: Option<SetDefinition>,
    /// How many rules and sets refer to it.
    pub references: u32,
    /// Its members, in no order; none where there is no definition.
    pub members: Vec<Member>,
    /// How many members it has that this program would not write.
    pub foreign: usize,
    /// How many members the kernel counts, where it says so.
    pub(super) counted: Option<u32>,
}

impl SetFound {
    /// Reads the first message of a set.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let fields = Fields::behind(payload, wire::FAMILY_HEADER);
        let header = fields.nested(wire::DATA);
        let (name, type_name) = (fields.name(wire::NAME)?, fields.name(wire::TYPE_NAME)?);
        Some(Self {
            definition: definition(&name, &type_name, fields, header),
            name,
            type_name,
            references: header.network(attribute::REFERENCES).unwrap_or(0),
            members: Vec::new(),
            foreign: 0,
            counted: header.network(attribute::ELEMENTS),
        })
    }

    /// Takes the members of one message, whether the first or a later one.
    pub(super) fn take(&mut self, payload: &[u8]) {
        let Some(definition) = &self.definition else { return };
        let fields = Fields::behind(payload, wire::FAMILY_HEADER);
        for (_, bytes) in fields.nested(wire::MEMBERS).iter() {
            match Member::read(bytes, definition) {
                Some(member) => self.members.push(member),
                None => self.foreign += 1,
            }
        }
    }

    /// Whether all members have been read. While a set is listed, others may write to it.
    pub(super) fn is_whole(&self) -> bool {
        let read = self.members.len() + self.foreign;
        self.definition.is_none() || self.counted.is_none_or(|counted| counted as usize == read)
    }
}

fn definition(
    name: &str,
    type_name: &str,
    fields: Fields<'_>,
    header: Fields<'_>,
) -> Option<SetDefinition> {
    let kind = SetKind::of_type(type_name)?;
    // AF_INET and AF_INET6.
    let family = match fields.get(wire::FAMILY)? {
        [2] => Family::Ipv4,
        [10] => Family::Ipv6,
        _ => return None,
    };
    let has_mask = header.network(attribute::MARK_MASK).is_some_and(|mask| mask != u32::MAX)
        || header.get(attribute::NET_MASK).is_some();
    if has_mask || header.get(attribute::TIMEOUT).is_some() {
        return None;
    }
    let flags = header.network(attribute::FLAGS).unwrap_or(0);
    let extensions = Extensions {
        skbinfo: flags & attribute::WITH_SKBINFO != 0,
        counters: flags & attribute::WITH_COUNTERS != 0,
        comment: flags & attribute::WITH_COMMENT != 0,
    };
    let capacity = header.network(attribute::CAPACITY)?;
    Some(SetDefinition { name: name.to_owned(), kind, family, capacity, extensions })
}
