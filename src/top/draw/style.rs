//! How a part of a line looks. What it means it says in words too.

use ratatui::style::{Color, Modifier, Style};

use crate::top::spark::Look;
use crate::top::table::Tone;

/// The style of a tone: without colours the emphasis stays.
pub(super) fn of(tone: Tone, look: Look) -> Style {
    let colour = |colour| if look.colour { Style::new().fg(colour) } else { Style::new() };
    match tone {
        Tone::Plain => Style::new(),
        Tone::Heading => Style::new().add_modifier(Modifier::BOLD),
        Tone::Faint => Style::new().add_modifier(Modifier::DIM),
        Tone::Warning => colour(Color::Yellow),
        Tone::Bad => colour(Color::Red).add_modifier(Modifier::BOLD),
    }
}
