//! In which order groups and their real servers stand.

use std::cmp::Reverse;
use std::fmt;

use super::rows::{Block, Row};

/// By what is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// The name, or the address.
    #[default]
    Name,
    /// The connections, the most first.
    Connections,
    /// The packets each second, the most first.
    Rate,
}

impl SortBy {
    /// The next one, in a circle.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Name => Self::Connections,
            Self::Connections => Self::Rate,
            Self::Rate => Self::Name,
        }
    }
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// By what.
    pub by: SortBy,
    /// Whether the last comes first.
    pub inverted: bool,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.by {
            SortBy::Name => "by name",
            SortBy::Connections => "by connections",
            SortBy::Rate => "by rate",
        })?;
        if self.inverted { f.write_str(", inverted") } else { Ok(()) }
    }
}

impl Order {
    /// Brings lines, which come in the order of names, into this one.
    pub(super) fn arrange(self, blocks: &mut [Block]) {
        blocks.sort_by_key(|block| Reverse(self.measure(&block.group)));
        if self.inverted {
            blocks.reverse();
        }
        for block in blocks {
            block.servers.sort_by_key(|row| Reverse(self.measure(row)));
            if self.inverted {
                block.servers.reverse();
            }
        }
    }

    /// What is compared; nothing where the order of names stays.
    fn measure(self, row: &Row) -> u64 {
        match self.by {
            SortBy::Name => 0,
            SortBy::Connections => {
                let activity = row.activity.unwrap_or_default();
                u64::from(activity.active) + u64::from(activity.inactive)
            }
            SortBy::Rate => row.rates.packets.unwrap_or_default().tenths(),
        }
    }
}
