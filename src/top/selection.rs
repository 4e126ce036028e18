//! Which line is selected, and which ones are in view.

use std::ops::Range;

use super::rows::{Place, Row};

/// The selected line: by what it is about, so that it stays when the order changes; where
/// that has gone, by its number.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    place: Option<Place>,
    at: usize,
    first: usize,
    height: usize,
}

impl Selection {
    /// Finds it again in other lines.
    pub(super) fn settle(&mut self, rows: &[Row]) {
        let found = rows.iter().position(|row| Some(&row.place) == self.place.as_ref());
        self.go(found.unwrap_or(self.at), rows);
    }

    /// The line that is selected.
    pub(super) fn row<'r>(&self, rows: &'r [Row]) -> Option<&'r Row> {
        rows.get(self.at)
    }

    /// Whether this is the number of the selected line.
    pub(super) fn is_at(&self, number: usize) -> bool {
        self.at == number
    }

    /// Goes to a line, or to the last.
    pub(super) fn go(&mut self, to: usize, rows: &[Row]) {
        self.at = to.min(rows.len().saturating_sub(1));
        self.place = rows.get(self.at).map(|row| row.place.clone());
    }

    /// Goes lines up.
    pub(super) fn up(&mut self, lines: usize, rows: &[Row]) {
        self.go(self.at.saturating_sub(lines), rows);
    }

    /// Goes lines down.
    pub(super) fn down(&mut self, lines: usize, rows: &[Row]) {
        self.go(self.at.saturating_add(lines), rows);
    }

    /// How many lines a page has.
    pub(super) fn page(&self) -> usize {
        self.height.max(1)
    }

    /// Which of `all` lines is selected, where the last view had not all of them.
    pub(super) fn position(&self, all: usize) -> Option<String> {
        (all > self.height).then(|| format!("{} of {all}", self.at + 1))
    }

    /// The lines that are in view where there is room for `height` of `all`: they move no
    /// further than the selected one makes them.
    pub(super) fn view(&mut self, height: usize, all: usize) -> Range<usize> {
        self.height = height;
        let highest = all.saturating_sub(height);
        self.first = self.first.min(self.at).max((self.at + 1).saturating_sub(height)).min(highest);
        self.first..(self.first + height).min(all)
    }
}
