//! A switch as one batch: everything in one buffer, because to nf_tables what comes in
//! a second `sendmsg(2)` is a second transaction.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};

use nftnl::expr::Counter;
use nftnl::nftnl_sys::libc;
use nftnl::{Chain, MsgType, NlMsg, Policy, ProtoFamily, Rule, Table};

use super::chain::{Base, BaseRule, Branch};
use super::element::Element;
use super::expression;
use super::frame::{self, Set};
use super::map::{NativeSet, Scratch};
use super::wire;
use crate::backend::{Generation, NetfilterError};
use crate::netlink::{APPEND, CREATE, EXCL, REQUEST, put_message};
use crate::plan::{ChainChange, EntryChange, FrameChange, LedgerChange, MarkSwitch, SourceChange};
use crate::state::{Record, SourceEntry};

/// The batch of `change`, to be committed only at generation `at`.
///
/// # Errors
/// [`NetfilterError::Refused`] for what our table cannot express.
pub(super) fn switch(change: &MarkSwitch, at: Generation) -> Result<Vec<u8>, NetfilterError> {
    let mut batch = Batch::begin(at);
    let table = Table::new(frame::TABLE, ProtoFamily::Inet);
    match change.frame {
        FrameChange::Remove => batch.append(&table, MsgType::Del, 0),
        FrameChange::Create => {
            batch.create(&table);
            batch.chains(&table, change.chains);
            batch.elements(change, false);
            batch.record(&table, change.record.as_ref())?;
        }
        FrameChange::Rebuild => {
            // The first makes sure that there is something to remove.
            batch.append(&table, MsgType::Add, CREATE);
            batch.append(&table, MsgType::Del, 0);
            batch.create(&table);
            batch.chains(&table, change.chains);
            batch.elements(change, false);
            batch.record(&table, change.record.as_ref())?;
        }
        FrameChange::RewriteRules => {
            batch.rewrite(&table, Base::Prerouting);
            for branch in Branch::all() {
                batch.flush(&Chain::new(branch.name(), &table));
                batch.rules(&table, branch.name(), branch.rules());
            }
            batch.flush(&Chain::new(frame::LEDGER, &table));
            let optional = Base::optional(change.chains.before);
            for ((chain, was), (_, is)) in
                optional.into_iter().zip(Base::optional(change.chains.after))
            {
                if was && is {
                    batch.rewrite(&table, chain);
                }
            }
            batch.chains(&table, change.chains);
            batch.elements(change, true);
            batch.record(&table, change.record.as_ref())?;
        }
        FrameChange::Keep => {
            batch.chains(&table, change.chains);
            batch.elements(change, true);
            if change.record.is_some() {
                batch.flush(&Chain::new(frame::LEDGER, &table));
            }
            batch.record(&table, change.record.as_ref())?;
        }
    }
    Ok(batch.end())
}

/// One batch in the making. Its messages ask for no acknowledgement: errors come
/// anyway, and each acknowledgement would cost 768 bytes of receive buffer.
struct Batch {
    bytes: Vec<u8>,
    scratch: Scratch,
    sequence: u32,
}

impl Batch {
    fn begin(at: Generation) -> Self {
        let mut batch = Self { bytes: Vec::new(), scratch: Scratch::new(), sequence: 1 };
        batch.bracket(wire::BATCH_BEGIN, |out| {
            wire::put_attribute(out, wire::BATCH_GENID, &at.0.to_be_bytes());
        });
        batch
    }

    fn end(mut self) -> Vec<u8> {
        self.bracket(wire::BATCH_END, |_| {});
        self.bytes
    }

    fn bracket(&mut self, kind: u16, attributes: impl FnOnce(&mut Vec<u8>)) {
        put_message(&mut self.bytes, kind, 0, self.sequence, |out| {
            // `struct nfgenmsg`: no family, version 0, and the subsystem that is meant.
            let subsystem = u8::try_from(libc::NFNL_SUBSYS_NFTABLES).unwrap_or(0);
            out.extend_from_slice(&[0, 0, 0, subsystem]);
            attributes(out);
        });
        self.sequence += 1;
    }

    fn append(&mut self, message: &impl NlMsg, kind: MsgType, flags: u16) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(self.scratch.write(message, kind, self.sequence));
        // nftnl asks for an acknowledgement of each message, we for none.
        self.bytes[start + 6..start + 8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        self.sequence += 1;
    }

    /// Table, maps, chains and rules.
    fn create(&mut self, table: &Table) {
        self.append(table, MsgType::Add, CREATE | EXCL);
        for (id, set) in (1..).zip(Set::all()) {
            self.append(&NativeSet::definition(set, id), MsgType::Add, CREATE | EXCL);
        }
        self.append(&Chain::new(frame::LEDGER, table), MsgType::Add, CREATE | EXCL);
        for branch in Branch::all() {
            self.append(&Chain::new(branch.name(), table), MsgType::Add, CREATE | EXCL);
            self.rules(table, branch.name(), branch.rules());
        }
        self.create_chain(table, Base::Prerouting);
    }

    fn create_chain(&mut self, table: &Table, base: Base) {
        let mut chain = Chain::new(base.name(), table);
        chain.set_type(base.kind());
        chain.set_hook(base.hook(), base.priority());
        chain.set_policy(Policy::Accept);
        self.append(&chain, MsgType::Add, CREATE | EXCL);
        self.rules(table, base.name(), base.rules());
    }

    fn rules(&mut self, table: &Table, chain: &CStr, rules: Vec<BaseRule>) {
        let chain = Chain::new(chain, table);
        for BaseRule { steps, .. } in rules {
            let mut rule = Rule::new(&chain);
            for step in &steps {
                expression::add(&mut rule, step);
            }
            self.append(&rule, MsgType::Add, CREATE | APPEND);
        }
    }

    fn rewrite(&mut self, table: &Table, base: Base) {
        self.flush(&Chain::new(base.name(), table));
        self.rules(table, base.name(), base.rules());
    }

    /// The optional chains that come or go. With a chain go its rules.
    fn chains(&mut self, table: &Table, change: ChainChange) {
        let (before, after) = (Base::optional(change.before), Base::optional(change.after));
        for ((chain, was), (_, is)) in before.into_iter().zip(after) {
            match (was, is) {
                (false, true) => self.create_chain(table, chain),
                (true, false) => self.append(&Chain::new(chain.name(), table), MsgType::Del, 0),
                _ => {}
            }
        }
    }

    /// Removes all rules of a chain: a removal that names no rule.
    fn flush(&mut self, chain: &Chain<'_>) {
        self.append(&Rule::new(chain), MsgType::Del, 0);
    }

    fn record(&mut self, table: &Table, record: Option<&Record>) -> Result<(), NetfilterError> {
        let Some(record) = record else { return Ok(()) };
        let refused = |reason: &str| NetfilterError::Refused {
            object: "the commit record".to_owned(),
            reason: reason.to_owned(),
        };
        let chain = Chain::new(frame::LEDGER, table);
        let mut rule = Rule::new(&chain);
        rule.add_expr(&Counter);
        let comment =
            CString::new(record.to_comment()).map_err(|_| refused("it has a NUL in it"))?;
        rule.set_comment(comment).map_err(|_| refused("it is longer than a comment may be"))?;
        self.append(&rule, MsgType::Add, CREATE | APPEND);
        Ok(())
    }

    /// All removals (where there is something to remove from), then all additions.
    fn elements(&mut self, change: &MarkSwitch, removals: bool) {
        if removals {
            let mut lists = Lists::default();
            for EntryChange { key, before, .. } in &change.entries {
                if before.is_some() {
                    lists.push(Set::of(key), &Element::of_mark(key, None));
                }
            }
            for EntryChange { key, before, .. } in &change.shadow {
                if before.is_some() {
                    let map = Set::shadow_of(key);
                    lists.push(map, &Element::in_map(map, key, None));
                }
            }
            for SourceChange { key, before, .. } in &change.sources {
                if let Some(SourceEntry { source, .. }) = before {
                    lists.push(Set::of_source(*key, *source), &Element::of_source(*key, None));
                }
            }
            for LedgerChange { key, before, .. } in &change.ledger {
                if before.is_some() {
                    lists.push(Set::of_service(*key), &Element::of_service(*key, None));
                }
            }
            lists.append_to(self, MsgType::Del, 0);
        }
        let mut lists = Lists::default();
        for EntryChange { key, after, .. } in &change.entries {
            if after.is_some() {
                lists.push(Set::of(key), &Element::of_mark(key, after.as_ref()));
            }
        }
        for EntryChange { key, after, .. } in &change.shadow {
            if after.is_some() {
                let map = Set::shadow_of(key);
                lists.push(map, &Element::in_map(map, key, after.as_ref()));
            }
        }
        for SourceChange { key, after, .. } in &change.sources {
            if let Some(entry) = after {
                let set = Set::of_source(*key, entry.source);
                lists.push(set, &Element::of_source(*key, Some(entry)));
            }
        }
        for LedgerChange { key, after, .. } in &change.ledger {
            if after.is_some() {
                lists.push(Set::of_service(*key), &Element::of_service(*key, after.as_ref()));
            }
        }
        lists.append_to(self, MsgType::Add, CREATE | EXCL);
    }
}

/// Elements by their set.
#[derive(Default)]
struct Lists(BTreeMap<Set, NativeSet>);

impl Lists {
    fn push(&mut self, set: Set, element: &Element<'_>) {
        self.0.entry(set).or_insert_with(|| NativeSet::list(set)).push(element);
    }

    fn append_to(&self, batch: &mut Batch, kind: MsgType, flags: u16) {
        for native in self.0.values() {
            let pages = native.pages();
            while pages.remain() {
                batch.append(&pages, kind, flags);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mark, PortRange, Protocol};
    use crate::state::{MarkEntry, MarkKey};

    /// Type, flags, sequence number and payload of each message.
    fn messages(mut batch: &[u8]) -> Vec<(u16, u16, u32, &[u8])> {
        let mut messages = Vec::new();
        while !batch.is_empty() {
            let half = |at: usize| u16::from_ne_bytes([batch[at], batch[at + 1]]);
            let word = |at: usize| u32::from_ne_bytes(*batch[at..].first_chunk().expect("4 bytes"));
            let length = word(0) as usize;
            messages.push((half(4), half(6), word(8), &batch[16..length]));
            batch = &batch[length.next_multiple_of(4)..];
        }
        messages
    }

    fn key(address: &str) -> MarkKey {
        let ports = PortRange::single(80).expect("a port");
        MarkKey { destination: address.parse().expect(address), protocol: Protocol::Tcp, ports }
    }

    fn entry() -> MarkEntry {
        MarkEntry { mark: Mark::new(10), group: "web".parse().ok() }
    }

    fn kinds(change: &MarkSwitch) -> Vec<u16> {
        let batch = switch(change, Generation(7)).expect("a batch");
        messages(&batch).into_iter().map(|(kind, ..)| kind).collect()
    }

    #[test]
    fn a_change_is_bracketed_numbered_and_unacknowledged() {
        let (key, entry) = (key("192.0.2.1"), entry());
        let change =
            EntryChange { key, before: Some(entry.clone()), after: Some(MarkEntry { ..entry }) };
        let change = MarkSwitch { entries: vec![change], ..MarkSwitch::default() };
        let batch = switch(&change, Generation(0x0102_0304)).expect("a batch");
        let messages = messages(&batch);
        let [begin, removal, addition, end] = messages.as_slice() else {
            panic!("{messages:?}");
        };
        assert_eq!((begin.0, end.0), (wire::BATCH_BEGIN, wire::BATCH_END));
        assert_eq!(begin.3, [0, 0, 0, 10, 8, 0, 1, 0, 1, 2, 3, 4]);
        assert_eq!((removal.0, removal.1), (wire::DEL_ELEMENTS, REQUEST));
        assert_eq!((addition.0, addition.1), (wire::NEW_ELEMENTS, REQUEST | CREATE | EXCL));
        assert_eq!([begin.2, removal.2, addition.2, end.2], [1, 2, 3, 4]);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn an_element_has_the_bytes_that_nft_sends() {
        let change = EntryChange { key: key("192.0.2.1"), before: None, after: Some(entry()) };
        let change = MarkSwitch { entries: vec![change], ..MarkSwitch::default() };
        let batch = switch(&change, Generation(1)).expect("a batch");
        // From `nft --debug=mnl`, without the set's number, which is of a new set only;
        // libnftnl writes the names of set and table in this order.
        let expected: &[&[u8]] = &[
            &[1, 0, 0, 0],
            b"\x0b\0\x02\0exact4\0\0",
            b"\x0e\0\x01\0fwmarkctl\0\0\0",
            b"\x34\0\x03\x80\x30\0\x01\x80",
            b"\x14\0\x01\x80\x10\0\x01\0\xc0\0\x02\x01\x06\0\0\0\0\x50\0\0",
            b"\x0c\0\x02\x80\x08\0\x01\0\x0a\0\0\0",
            b"\x0a\0\x06\0\x00\x04web\0\0\0",
        ];
        assert_eq!(messages(&batch)[1].3, expected.concat());
    }

    #[test]
    fn all_removals_come_before_all_additions() {
        let change = |address, before: bool, after: bool| EntryChange {
            key: key(address),
            before: before.then(entry),
            after: after.then(entry),
        };
        let entries = vec![
            change("192.0.2.1", false, true),
            change("192.0.2.0/24", true, false),
            change("2001:db8::1", true, true),
        ];
        let change = MarkSwitch { entries, ..MarkSwitch::default() };
        let (del, new) = (wire::DEL_ELEMENTS, wire::NEW_ELEMENTS);
        let (begin, end) = (wire::BATCH_BEGIN, wire::BATCH_END);
        assert_eq!(kinds(&change), [begin, del, del, new, new, end]);
        // There is nothing to remove from a table that is made anew.
        let change = MarkSwitch { frame: FrameChange::Rebuild, ..change };
        let kinds = kinds(&change);
        assert_eq!(kinds[1..4], [wire::NEW_TABLE, wire::DEL_TABLE, wire::NEW_TABLE]);
        assert!(!kinds.contains(&del));
    }

    #[test]
    fn a_hundred_thousand_entries_are_whole_messages_of_at_most_64_kib() {
        let entries = (0..100_000_u32).map(|number| EntryChange {
            key: key(&std::net::Ipv4Addr::from_bits(0x0a00_0000 | number).to_string()),
            before: None,
            after: Some(entry()),
        });
        let change = MarkSwitch { entries: entries.collect(), ..MarkSwitch::default() };
        let batch = switch(&change, Generation(1)).expect("a batch");
        let mut count = 0;
        for (kind, _, _, payload) in messages(&batch) {
            if kind == wire::NEW_ELEMENTS {
                let list = wire::body(payload).expect("a body").get(wire::element::LIST);
                count += wire::attributes(list.expect("elements")).map(Result::unwrap).count();
            }
        }
        assert_eq!(count, 100_000);
    }
}
