//! A switch as one batch: everything in one buffer, because to nf_tables what comes in
//! a second `sendmsg(2)` is a second transaction.

use std::collections::BTreeMap;
use std::ffi::CString;

use nftnl::expr::{
    Cmp, CmpOp, Counter, Ipv4HeaderField, Ipv6HeaderField, Meta, NetworkHeaderField, Payload,
    Verdict,
};
use nftnl::nftnl_sys::libc;
use nftnl::{Chain, ChainType, Hook, MsgType, NlMsg, Policy, ProtoFamily, Rule, Table};

use super::element::Element;
use super::frame::{self, Set, Step};
use super::map::{MapLookup, MetaInto, NativeSet, PayloadInto, Scratch};
use super::wire;
use crate::backend::{Generation, NetfilterError};
use crate::netlink::{APPEND, CREATE, EXCL, REQUEST, put_message};
use crate::plan::{EntryChange, FrameChange, LedgerChange, MarkSwitch};
use crate::state::Record;

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
            batch.elements(change, false)?;
            batch.record(&table, change.record.as_ref())?;
        }
        FrameChange::Rebuild => {
            // The first makes sure that there is something to remove.
            batch.append(&table, MsgType::Add, CREATE);
            batch.append(&table, MsgType::Del, 0);
            batch.create(&table);
            batch.elements(change, false)?;
            batch.record(&table, change.record.as_ref())?;
        }
        FrameChange::RewriteRules => {
            batch.flush(&Chain::new(frame::PREROUTING, &table));
            batch.flush(&Chain::new(frame::LEDGER, &table));
            batch.rules(&Chain::new(frame::PREROUTING, &table));
            batch.elements(change, true)?;
            batch.record(&table, change.record.as_ref())?;
        }
        FrameChange::Keep => {
            batch.elements(change, true)?;
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
            self.append(&NativeSet::new(set, id), MsgType::Add, CREATE | EXCL);
        }
        self.append(&Chain::new(frame::LEDGER, table), MsgType::Add, CREATE | EXCL);
        let mut prerouting = Chain::new(frame::PREROUTING, table);
        prerouting.set_type(ChainType::Filter);
        prerouting.set_hook(Hook::PreRouting, frame::PRIORITY);
        prerouting.set_policy(Policy::Accept);
        self.append(&prerouting, MsgType::Add, CREATE | EXCL);
        self.rules(&Chain::new(frame::PREROUTING, table));
    }

    fn rules(&mut self, chain: &Chain<'_>) {
        for map in Set::MAPS {
            let mut rule = Rule::new(chain);
            for step in frame::rule(map) {
                add_step(&mut rule, map, &step);
            }
            self.append(&rule, MsgType::Add, CREATE | APPEND);
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
    fn elements(&mut self, change: &MarkSwitch, removals: bool) -> Result<(), NetfilterError> {
        if removals {
            let mut lists = Lists::default();
            for EntryChange { key, before, .. } in &change.entries {
                if before.is_some() {
                    lists.push(Set::of(key), &Element::of_mark(key, None));
                }
            }
            for change @ LedgerChange { key, before, .. } in &change.ledger {
                if before.is_some() {
                    lists.push_service(change, Element::of_service(*key, None))?;
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
        for change @ LedgerChange { key, after, .. } in &change.ledger {
            if after.is_some() {
                lists.push_service(change, Element::of_service(*key, after.as_ref()))?;
            }
        }
        lists.append_to(self, MsgType::Add, CREATE | EXCL);
        Ok(())
    }
}

/// Elements by their set.
#[derive(Default)]
struct Lists(BTreeMap<Set, NativeSet>);

impl Lists {
    fn push(&mut self, set: Set, element: &Element<'_>) {
        self.0.entry(set).or_insert_with(|| NativeSet::new(set, 0)).push(element);
    }

    fn push_service(
        &mut self,
        change: &LedgerChange,
        element: Option<Element<'_>>,
    ) -> Result<(), NetfilterError> {
        let element = element.ok_or_else(|| NetfilterError::Refused {
            object: format!("the ledger's entry of {}", change.key),
            reason: "the ledger has a place for services on marks only".to_owned(),
        })?;
        self.push(Set::Services, &element);
        Ok(())
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

/// Adds one expression of the rule of `map`: nftnl's own where it works in its first
/// register, one of ours elsewhere.
fn add_step(rule: &mut Rule<'_>, map: Set, step: &Step) {
    match step {
        Step::Meta { key, to: 0 } if *key == Meta::NfProto.to_raw_key() => {
            rule.add_expr(&Meta::NfProto)
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
