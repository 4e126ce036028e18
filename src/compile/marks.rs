//! Which mark belongs to whom: fixed by the user, remembered, or chosen by name.
//!
//! Affinity is keyed on the mark, so a group that changes its mark loses its clients'
//! servers. A mark therefore depends on the group's name and on nothing that changes
//! around it.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{CompileError, Past, marking};
use crate::model::{Group, Mark, MarkChoice, MarkRange};
use crate::state::{MarkBook, MarkHolder};

fn fixed(group: &Group, holder: &MarkHolder) -> Option<Mark> {
    match &group.marks {
        MarkChoice::Automatic => None,
        MarkChoice::Fixed(mark) => Some(*mark),
        MarkChoice::PerListener(marks) => marks.get(holder.listener.as_ref()?).copied(),
    }
}

pub(super) fn assign(
    groups: &[Group],
    range: MarkRange,
    past: Past<'_>,
) -> Result<MarkBook, CompileError> {
    let mut book = MarkBook::default();
    let mut taken = BTreeSet::new();
    let mut open = BTreeSet::new();
    for group in groups {
        for holder in MarkHolder::of_group(group) {
            if let Some(mark) = fixed(group, &holder) {
                taken.insert(mark);
                book.0.insert(holder, mark);
            } else {
                open.insert(holder);
            }
        }
    }
    // A remembered mark outside the range is given up: the user moved the range, most
    // likely because somebody else uses the old one.
    open.retain(|holder| match past.marks.0.get(holder) {
        Some(&mark) if range.contains(mark) && taken.insert(mark) => {
            book.0.insert(holder.clone(), mark);
            false
        }
        _ => true,
    });
    for (holder, mark) in renamed(groups, &open, past) {
        if range.contains(mark) && taken.insert(mark) {
            open.remove(&holder);
            book.0.insert(holder, mark);
        }
    }
    // In the order of names, so that the order in the config does not matter.
    for holder in open {
        let mark = choose(&holder, range, &taken)?;
        taken.insert(mark);
        book.0.insert(holder, mark);
    }
    Ok(book)
}

/// The new names of what had a mark under an old one: who takes a VIP and port of a group
/// that is gone is that group, and its clients keep their servers.
fn renamed(
    groups: &[Group],
    open: &BTreeSet<MarkHolder>,
    past: Past<'_>,
) -> Vec<(MarkHolder, Mark)> {
    let here: BTreeSet<_> = groups.iter().map(|group| &group.name).collect();
    let gone = past.marks.0.iter().filter(|(holder, _)| !here.contains(&holder.group));
    let free: BTreeSet<Mark> = gone.map(|(_, mark)| *mark).collect();
    if open.is_empty() || free.is_empty() {
        return Vec::new();
    }
    let marking = (past.marking)();
    let mut found = Vec::new();
    for group in groups {
        for holder in MarkHolder::of_group(group).filter(|holder| open.contains(holder)) {
            let listeners: Vec<_> = match holder.listener {
                Some(listener) => vec![listener],
                None => group.listeners.iter().collect(),
            };
            let had = marking::keys(group, &listeners)
                .filter_map(|key| marking.get(&key)?.mark)
                .find(|mark| free.contains(mark));
            found.extend(had.map(|mark| (holder, mark)));
        }
    }
    found.sort();
    found
}

/// The first free mark of a sequence that only the holder's name decides.
fn choose(
    holder: &MarkHolder,
    range: MarkRange,
    taken: &BTreeSet<Mark>,
) -> Result<Mark, CompileError> {
    let digest = Sha256::digest(format!("fwmarkctl mark {holder}"));
    let word = |at: usize| digest[at..at + 8].iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
    // Double hashing: two names that collide once part at the next step. A walk by ones
    // follows, which visits every mark, so that a full range is found to be full.
    let (start, step) = (word(0) % range.size(), word(8) % range.size());
    let hashed = (0..32).map(|attempt| range.at(start + attempt * step));
    let walked = (0..range.size()).map(|offset| range.at(start + offset));
    hashed
        .chain(walked)
        .find(|mark| !taken.contains(mark))
        .ok_or(CompileError::MarksExhausted { range })
}
