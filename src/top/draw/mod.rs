//! The screen on a terminal: a title, what waits, the table, one line that tells or asks,
//! and the keys.

mod help;
mod style;

use std::time::Instant;

use ratatui::Frame;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use self::style::of;
use super::screen::{Mode, Screen};
use super::spark::Look;
use super::table::{Columns, Tone, empty, title};

/// Below this nothing can be read.
const LEAST: (u16, u16) = (30, 6);

/// The most lines that are told at once: an error may need more than one.
const TOLD: usize = 3;

/// Draws the screen as it is at `now`.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen, now: Instant, look: Look) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let line = Line::raw("The terminal is too small.");
        frame.render_widget(line, area);
        return;
    }
    let width = usize::from(area.width);
    let style = |tone| of(tone, look);
    let titled = Line::styled(title(screen, width, look), style(Tone::Heading));
    let mut top = vec![titled.patch_style(Modifier::REVERSED)];
    for notice in screen.notices(now) {
        let notice = wrapped(&notice, width, look).into_iter();
        top.extend(notice.map(|line| Line::styled(line, style(Tone::Warning))));
    }
    let told = told(screen, width, look);
    // On the smallest terminal the table keeps a line.
    let room = usize::from(area.height) - told.len() - 1;
    top.truncate(room.saturating_sub(2));
    let body = room - top.len();
    let table = match screen.mode {
        Mode::Help => help::lines(),
        _ => table(screen, width, body, look),
    };
    let filled = table.into_iter().chain(std::iter::repeat(Line::default())).take(body);
    let below = told.into_iter().chain([keys(screen, width, look)]);
    for (line, at) in top.into_iter().chain(filled).chain(below).zip(area.top()..area.bottom()) {
        frame.buffer_mut().set_line(area.x, at, &line, area.width);
    }
}

fn table<'a>(screen: &mut Screen, width: usize, height: usize, look: Look) -> Vec<Line<'a>> {
    let columns = Columns::of(width, look);
    let mut lines = vec![Line::styled(columns.heads(), of(Tone::Faint, look))];
    if screen.rows.is_empty() {
        lines.push(Line::raw(empty(screen)));
    }
    let view = screen.selection.view(height.saturating_sub(1), screen.rows.len());
    for number in view {
        let is_selected = screen.selection.is_at(number);
        let parts = columns.line(screen, &screen.rows[number], is_selected);
        let spans: Vec<_> =
            parts.into_iter().map(|(text, tone)| Span::styled(text, of(tone, look))).collect();
        let line = Line::from(spans);
        let selected = if is_selected { Modifier::REVERSED } else { Modifier::empty() };
        lines.push(line.patch_style(selected));
    }
    lines
}

/// What is told or asked: at least one line.
fn told<'a>(screen: &Screen, width: usize, look: Look) -> Vec<Line<'a>> {
    let (told, is_error) = screen.line();
    let tone = match screen.mode {
        _ if is_error => Tone::Bad,
        Mode::Question(_) => Tone::Warning,
        _ => Tone::Plain,
    };
    let told = wrapped(&told, width, look).into_iter();
    told.map(|line| Line::styled(line, of(tone, look))).collect()
}

/// As much of a text as is told at once.
fn wrapped(text: &str, width: usize, look: Look) -> Vec<String> {
    let mut lines = wrap(text, width);
    if lines.len() > TOLD {
        lines.truncate(TOLD);
        let last = lines.pop().unwrap_or_default();
        // Longer than the line, so that it shows that there is more.
        lines.push(look.cut(&format!("{last:width$} "), width));
    }
    lines
}

/// The keys that count, and where the selected line is when not all of them are in view.
fn keys<'a>(screen: &Screen, width: usize, look: Look) -> Line<'a> {
    let position = screen.selection.position(screen.rows.len());
    let position = position.map_or_else(String::new, |position| format!("  {position}"));
    let keys = help::keys(&screen.mode, width.saturating_sub(position.len()));
    let gap = width.saturating_sub(keys.len() + position.len());
    Line::styled(format!("{keys}{:gap$}{position}", ""), of(Tone::Faint, look))
}

/// Breaks a text at its spaces, and a word that is longer than a line; at least one line.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(width) {
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > 0 && last + 1 + piece.len() > width {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn a_text_is_broken_at_its_spaces() {
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("a long error", 6), ["a long", "error"]);
        assert_eq!(wrap("exactly 10", 10), ["exactly 10"]);
        assert_eq!(wrap("/a/path/that/is/long ends", 8), ["/a/path/", "that/is/", "long", "ends"]);
    }
}
