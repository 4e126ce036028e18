//! What the keys do: in full on `?`, and as much as fits on the last line.

use ratatui::text::Line;

use crate::top::screen::Mode;

const HELP: [&str; 12] = [
    "  Up Down PgUp PgDn Home End   select a line",
    "  s  sort by name, connections or rate     i  invert it",
    "  /  show what has a text: Enter keeps it, Esc leaves it",
    "  m  show what is marked, entry by entry",
    "  d  drain the real server: it takes no new clients",
    "  r  restore it: the weight that it had before",
    "  p  pause, and go on     q  quit",
    "",
    "Both edit the file of the group, after a yes, and apply.",
    "Rates are of what clients send, between two samples.",
    "Pictures show the last samples against the highest.",
    "Any key goes back.",
];

/// The help.
pub(super) fn lines<'a>() -> Vec<Line<'a>> {
    HELP.into_iter().map(Line::raw).collect()
}

/// The keys that count now, as many as fit.
pub(super) fn keys(mode: &Mode, width: usize) -> String {
    let keys: &[&str] = match mode {
        Mode::Table => &[
            "q quit",
            "? keys",
            "d drain",
            "r restore",
            "s sort",
            "/ filter",
            "p pause",
            "i invert",
            "m marks",
        ],
        Mode::Filter { .. } => &["Enter keep", "Esc leave"],
        Mode::Question(_) => &["y yes", "any other key: no"],
        Mode::Help => &["any key: back"],
    };
    let mut line = String::new();
    for key in keys {
        let gap = if line.is_empty() { "" } else { "  " };
        if line.len() + gap.len() + key.len() <= width {
            line += gap;
            line += key;
        }
    }
    line
}
