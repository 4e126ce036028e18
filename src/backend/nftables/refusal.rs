//! What the kernel refused, in words: the place that it names in our own batch, read
//! back.

use rustix::io::Errno;

use super::frame::{LEDGER, Set, table_name, text};
use super::wire::{self, Fields, attributes};
use super::{decode, frame};
use crate::backend::NetfilterError;
use crate::netlink::Refusal;

/// The error of a batch of which the kernel refused something; it has done nothing of it.
pub(super) fn error(batch: &[u8], refusal: &Refusal) -> NetfilterError {
    let message = message(batch, refusal.sequence);
    let kind = message.map(kind);
    match (refusal.errno, kind) {
        // `nfnetlink_rcv_batch` compares the generation before anything else.
        (Errno::RESTART, _) => NetfilterError::StaleGeneration,
        // Refused for its sender; within the batch it is an object that a process owns.
        (Errno::PERM, None | Some(wire::BATCH_BEGIN)) => NetfilterError::Privilege,
        (Errno::OPNOTSUPP, None | Some(wire::BATCH_BEGIN)) => NetfilterError::Unsupported(
            "load the module nf_tables, or use a kernel that has it".to_owned(),
        ),
        (Errno::OPNOTSUPP, _)
        | (Errno::INVAL, Some(wire::NEW_TABLE | wire::NEW_SET))
        | (Errno::NOENT, Some(wire::NEW_CHAIN)) => NetfilterError::Unsupported(format!(
            "it lacks what {} needs ({}); Linux 5.7 and later with \
             CONFIG_NF_TABLES_INET have it",
            object(message, None),
            refusal
        )),
        (errno, _) => NetfilterError::Refused {
            object: object(message, refusal.offset),
            reason: reason(errno, refusal),
        },
    }
}

/// What the error number means for elements and objects of ours, and the kernel's words.
fn reason(errno: Errno, refusal: &Refusal) -> String {
    let meaning = match errno {
        Errno::EXIST => "it is there already, or its ports and addresses overlap another's",
        Errno::NOTEMPTY => "its ports and addresses overlap another's",
        Errno::NOENT => "it, or what holds it, is not there",
        Errno::NFILE => "the map is full",
        Errno::PERM => "it belongs to another process",
        _ => return refusal.to_string(),
    };
    format!("{meaning} ({refusal})")
}

/// The message of `batch` with a sequence number.
fn message(batch: &[u8], sequence: u32) -> Option<&[u8]> {
    let mut rest = batch;
    while let Some(length) = rest.first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let message = rest.get(..length.max(16))?;
        if message.get(8..12) == Some(&sequence.to_ne_bytes()) {
            return Some(message);
        }
        rest = rest.get(length.max(16).next_multiple_of(4)..)?;
    }
    None
}

fn kind(message: &[u8]) -> u16 {
    u16::from_ne_bytes([message[4], message[5]])
}

/// What a message is about; `offset` is where in it the kernel found the fault.
fn object(message: Option<&[u8]>, offset: Option<u32>) -> String {
    let Some(message) = message else { return "a message that is not in the batch".to_owned() };
    let payload = &message[16..];
    let fields = wire::body(payload).ok();
    let name = |attribute: u16| fields.and_then(|fields| fields.text(attribute)).unwrap_or("?");
    match kind(message) {
        wire::NEW_TABLE => format!("the table inet {}", table_name()),
        wire::DEL_TABLE => format!("the removal of the table inet {}", table_name()),
        wire::NEW_SET => format!("the map {}", name(wire::set::NAME)),
        wire::NEW_CHAIN => format!("the chain {}", name(wire::chain::NAME)),
        wire::DEL_CHAIN => format!("the removal of the chain {}", name(wire::chain::NAME)),
        wire::NEW_RULE if name(wire::rule::CHAIN) == text(LEDGER) => "the commit record".to_owned(),
        wire::NEW_RULE => format!("a rule of the chain {}", name(wire::rule::CHAIN)),
        wire::DEL_RULE => format!("the removal of the rules of {}", name(wire::rule::CHAIN)),
        wire::NEW_ELEMENTS => elements(message, fields.as_ref(), offset),
        wire::DEL_ELEMENTS => {
            format!("the removal of {}", elements(message, fields.as_ref(), offset))
        }
        other => format!("a message of type {other:#x}"),
    }
}

/// The element at `offset`, or all of them where the kernel does not say which.
fn elements(message: &[u8], fields: Option<&Fields<'_>>, offset: Option<u32>) -> String {
    let set = fields
        .and_then(|fields| fields.text(wire::element::LIST_SET))
        .and_then(Set::named)
        .unwrap_or(frame::Set::Services);
    let list = fields.and_then(|fields| fields.get(wire::element::LIST)).unwrap_or_default();
    let place = |value: &[u8]| value.as_ptr().addr() - message.as_ptr().addr();
    let mut count = 0;
    for element in attributes(list).map_while(Result::ok) {
        count += 1;
        let (start, end) = (place(element.1) - 4, place(element.1) + element.1.len());
        let wanted = offset.is_some_and(|offset| (start..end).contains(&(offset as usize)));
        if wanted && let Ok(Ok(element)) = decode::element_of(Some(set), element.1) {
            return element.describe(set);
        }
    }
    format!("one of {count} entries of {}", text(set.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Generation;
    use crate::plan::{FrameChange, MarkSwitch};

    /// The error of a refused first table: message 1 is the batch's begin, 2 the table,
    /// 3 to 25 the sets, 26 the ledger, then each other chain with its rules.
    fn refused(sequence: u32, errno: Errno) -> NetfilterError {
        let change = MarkSwitch { frame: FrameChange::Create, ..MarkSwitch::default() };
        let batch = super::super::encode::switch(&change, Generation(1)).expect("a batch");
        error(&batch, &Refusal { sequence, errno, offset: None, text: None, private: None })
    }

    #[test]
    fn a_kernel_without_nf_tables_is_told_from_one_that_lacks_a_part() {
        let words = |sequence, errno| match refused(sequence, errno) {
            NetfilterError::Unsupported(words) => words,
            other => panic!("{other:?}"),
        };
        assert!(words(1, Errno::OPNOTSUPP).starts_with("load the module"));
        assert!(words(2, Errno::INVAL).contains("the table inet fwmarkctl needs"));
        assert!(words(7, Errno::OPNOTSUPP).contains("the map range4_tcp needs"));
        assert!(words(50, Errno::NOENT).contains("the chain prerouting needs"));
    }

    #[test]
    fn privilege_and_a_table_of_another_process_are_two_things() {
        assert!(matches!(refused(1, Errno::PERM), NetfilterError::Privilege));
        assert!(matches!(refused(2, Errno::PERM), NetfilterError::Refused { .. }));
        assert!(matches!(refused(1, Errno::RESTART), NetfilterError::StaleGeneration));
    }

    #[test]
    fn every_message_has_a_name_and_a_stranger_too() {
        for sequence in 2..=57 {
            let NetfilterError::Refused { object, .. } = refused(sequence, Errno::NOMEM) else {
                panic!("message {sequence}");
            };
            assert!(!object.contains('?') && !object.contains("0x"), "{sequence}: {object}");
        }
        let NetfilterError::Refused { object, .. } = refused(99, Errno::NOMEM) else { panic!() };
        assert_eq!(object, "a message that is not in the batch");
    }
}
