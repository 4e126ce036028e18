//! `virtual_server_group`: addresses, ranges of them, and marks under one name.

use super::tree::Statement;
use super::value::{number, port};
use crate::import::Place;
use crate::import::notes::{Notes, shown};
use crate::import::range::Range;
use crate::model::{Family, Mark};

/// A virtual server group as it is written.
#[derive(Debug, Clone)]
pub(super) struct ServerGroup {
    pub(super) name: String,
    pub(super) ranges: Vec<Ranged>,
    pub(super) marks: Vec<Marked>,
}

/// Addresses with a port; 0 where there is none.
#[derive(Debug, Clone)]
pub(super) struct Ranged {
    pub(super) range: Range,
    pub(super) port: u16,
    pub(super) place: Place,
}

/// A mark, with its family where that is written.
#[derive(Debug, Clone)]
pub(super) struct Marked {
    pub(super) mark: Mark,
    pub(super) family: Option<Family>,
}

impl ServerGroup {
    /// Reads one; a line that keepalived leaves out is told.
    pub(super) fn read(statement: &Statement, notes: &mut Notes) -> Option<Self> {
        let name = statement.word(1).to_owned();
        let mut group = Self { name, ranges: Vec::new(), marks: Vec::new() };
        for inner in &statement.block {
            if group.take(inner).is_none() {
                let what = format!(
                    "'{}' is no address, range or mark of a group: keepalived leaves it out",
                    shown(&inner.words.join(" "))
                );
                notes.one(&inner.place, what);
            }
        }
        let unsure = group.marks.iter().any(|mark| mark.family.is_none());
        let why = if group.ranges.is_empty() && group.marks.is_empty() {
            "has no entry"
        } else if unsure && group.has(Family::Ipv4) && group.has(Family::Ipv6) {
            "has both families, and a mark without one"
        } else {
            return Some(group);
        };
        let name = shown(&group.name);
        notes.one(&statement.place, format!("the group {name} {why}: keepalived leaves it out"));
        None
    }

    /// Whether it has an entry of a family; a mark without one has none.
    pub(super) fn has(&self, family: Family) -> bool {
        self.ranges.iter().any(|entry| entry.range.family() == family)
            || self.marks.iter().any(|entry| entry.family == Some(family))
    }

    fn take(&mut self, inner: &Statement) -> Option<()> {
        if inner.keyword() == "fwmark" {
            let mark = number(inner.word(1), 1..=u32::MAX).and_then(Mark::new)?;
            let family = match inner.word(2) {
                "" => None,
                "inet" => Some(Family::Ipv4),
                "inet6" => Some(Family::Ipv6),
                _ => return None,
            };
            self.marks.push(Marked { mark, family });
        } else {
            let range = Range::read(inner.keyword())?;
            let place = inner.place.clone();
            self.ranges.push(Ranged { range, port: port(inner.word(1))?, place });
        }
        Some(())
    }
}
