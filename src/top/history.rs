//! What each line showed in the samples before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::rows::{Block, Place, Row};

/// How many samples are kept: as many as the widest picture shows.
const KEPT: usize = 32;

/// What a line showed at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    /// Packets each second, in tenths.
    pub(super) packets: u64,
    /// Active connections.
    pub(super) active: u64,
}

/// The points of all lines, the last one at the end.
#[derive(Debug, Clone, Default)]
pub(super) struct History(BTreeMap<Place, VecDeque<Point>>);

impl History {
    /// Adds a sample; what is in it no more is forgotten.
    pub(super) fn add(&mut self, blocks: &[Block]) {
        let rows = || {
            blocks.iter().flat_map(|block| {
                std::iter::once(&block.group).chain(&block.entries).chain(&block.servers)
            })
        };
        let here: BTreeSet<&Place> = rows().map(|row| &row.place).collect();
        self.0.retain(|place, _| here.contains(place));
        // Before the second sample there are no rates.
        for Row { place, rates, activity, .. } in rows() {
            let Some(packets) = rates.packets else { continue };
            let point = Point {
                packets: packets.tenths(),
                active: activity.map_or(0, |it| it.active.into()),
            };
            let points = self.0.entry(place.clone()).or_default();
            points.push_back(point);
            if points.len() > KEPT {
                points.pop_front();
            }
        }
    }

    /// One measure of a line, the last at the end.
    pub(super) fn of(&self, place: &Place, measure: fn(&Point) -> u64) -> Vec<u64> {
        self.0.get(place).into_iter().flatten().map(measure).collect()
    }
}
