//! Pieces of a file: the lines of all that belongs to a path, taken out, and new tables put
//! at the end.

use std::ops::Range;

use super::document::{Statement, Step, line_break, line_of};

/// The text without what a path leads to: its lines, wherever they are.
pub(super) fn remove(text: &str, statements: &[Statement], path: &[Step]) -> Option<String> {
    let mut text = text.to_owned();
    let pieces = pieces(&text, statements, path);
    if pieces.is_empty() {
        return None;
    }
    for piece in pieces.into_iter().rev() {
        text.replace_range(piece, "");
    }
    Some(text)
}

/// The lines of what a path leads to. Statements that follow each other are one piece, with
/// all that is between them.
pub(super) fn pieces(text: &str, statements: &[Statement], path: &[Step]) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut follows = false;
    for statement in statements {
        if !statement.is_below(path) {
            follows = false;
            continue;
        }
        let end = line_of(text, statement.end().saturating_sub(1)).end;
        match pieces.last_mut().filter(|_| follows) {
            Some(piece) => piece.end = end,
            None if statement.value.is_none() => {
                pieces.push(with_surroundings(text, statement.key.start)..end);
            }
            None => pieces.push(begin(text).max(line_of(text, statement.key.start).start)..end),
        }
        follows = true;
    }
    // At the beginning, blank lines part a piece from what is behind it.
    if let Some(first) = pieces.first_mut().filter(|piece| piece.start == begin(text)) {
        first.end = with_blank_lines(text, first.end);
    }
    pieces
}

/// Where a table begins, with the comment right above it, and the blank lines that part it
/// from what is before.
fn with_surroundings(text: &str, header: usize) -> usize {
    let first = begin(text);
    let mut start = line_of(text, header).start.max(first);
    let mut above = |is_part: fn(&str) -> bool| {
        while start > first {
            let line = line_of(text, start - 1);
            let line = line.start.max(first)..line.end;
            if !is_part(text[line.clone()].trim()) {
                break;
            }
            start = line.start;
        }
    };
    above(|line| line.starts_with('#'));
    above(str::is_empty);
    start
}

/// The end of a piece with the blank lines behind it.
fn with_blank_lines(text: &str, mut end: usize) -> usize {
    while end < text.len() && text[line_of(text, end)].trim().is_empty() {
        end = line_of(text, end).end;
    }
    end
}

/// Where a text begins: behind the byte order mark, if it has one.
fn begin(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// The text with a table put at its end, a blank line before it.
pub(super) fn append(text: &str, table: &str) -> String {
    let new_line = line_break(text);
    let mut grown = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        grown += new_line;
    }
    let has_blank = text.ends_with("\n\n") || text.ends_with("\n\r\n");
    if !has_blank && !text.trim_start_matches('\u{feff}').trim().is_empty() {
        grown += new_line;
    }
    grown + &table.replace('\n', new_line)
}
