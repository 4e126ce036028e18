//! The items of a list in brackets: taking one out, and putting more behind the last.

use std::ops::Range;

use super::document::{line_break, line_of, splice};

/// A list, and its items in the order of the file.
pub(super) struct List {
    /// With its brackets.
    pub(super) at: Range<usize>,
    pub(super) items: Vec<Range<usize>>,
}

impl List {
    /// The bytes of an item with its comma: its lines, where it has them for itself.
    pub(super) fn piece(&self, text: &str, index: usize) -> Range<usize> {
        let item = &self.items[index];
        let lines = line_of(text, item.start).start..line_of(text, item.end - 1).end;
        let before = &text[lines.start..item.start];
        let behind = &text[item.end..lines.end];
        let rest = behind.trim_start();
        let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        if before.trim().is_empty() && (rest.is_empty() || rest.starts_with('#')) {
            return self.with_own_comment(text, index, lines);
        }
        let previous = index.checked_sub(1).map(|index| self.items[index].end);
        if let Some(previous) = previous.filter(|&end| end >= lines.start) {
            return previous..item.end;
        }
        // The first on its line, with something behind it.
        let next = self.items.get(index + 1).map(|item| item.start);
        let behind = &text[item.end..];
        let blank = behind.len() - behind.trim_start().len();
        let comma = behind[blank..].starts_with(',').then_some(item.end + blank + 1);
        let end = match (next, comma) {
            (Some(next), _) if next < lines.end => next,
            (_, Some(comma)) => comma,
            _ => item.end,
        };
        item.start..end
    }

    /// The lines of an item with the comment above them, where that is about it alone: where
    /// the next item has one too, or there is none. Else it may be about all that follow.
    fn with_own_comment(&self, text: &str, index: usize, lines: Range<usize>) -> Range<usize> {
        let comment = |start: usize| {
            let mut first = start;
            while first > self.at.start {
                let above = line_of(text, first - 1);
                if above.start <= self.at.start || !text[above.clone()].trim().starts_with('#') {
                    break;
                }
                first = above.start;
            }
            first
        };
        let next = self.items.get(index + 1).map(|next| line_of(text, next.start).start);
        if next.is_none_or(|next| comment(next) < next) {
            let start = comment(lines.start);
            let is_first = start <= line_of(text, self.at.start).end;
            // Blank lines parted it from the next: behind the bracket they part nothing.
            let mut end = lines.end;
            while is_first
                && index + 1 < self.items.len()
                && text[line_of(text, end)].trim().is_empty()
            {
                end = line_of(text, end).end;
            }
            return start..end;
        }
        lines
    }

    /// The text with more items behind the last: on lines of their own where the last has
    /// one.
    pub(super) fn append(&self, text: &str, new: &[String]) -> String {
        let Some(last) = self.items.last() else {
            let end = self.at.end - 1;
            return splice(text, end..end, &new.join(", "));
        };
        let line = line_of(text, last.start);
        let lead = &text[line.start..last.start];
        let is_first_line = line.start <= self.at.start;
        if is_first_line || !lead.trim().is_empty() {
            return splice(text, last.end..last.end, &format!(", {}", new.join(", ")));
        }
        let new_line = line_break(text);
        let end_of_line = line_of(text, last.end - 1).end;
        let behind = &text[last.end..end_of_line];
        let has_comma = behind.trim_start().starts_with(',');
        let has_bracket = self.at.end <= end_of_line;
        let mut more = String::new();
        for (index, item) in new.iter().enumerate() {
            let comma = if has_comma || index + 1 < new.len() { "," } else { "" };
            more += &format!("{lead}{item}{comma}");
            if !has_bracket || index + 1 < new.len() {
                more += new_line;
            }
        }
        if has_bracket {
            // `"…"]` or `"…", ]`: the bracket stays behind the last.
            let at = last.end + if has_comma { behind.find(',').unwrap_or(0) + 1 } else { 0 };
            let comma = if has_comma { "" } else { "," };
            return splice(text, at..at, &format!("{comma}{new_line}{more}"));
        }
        let grown = splice(text, end_of_line..end_of_line, &more);
        if has_comma { grown } else { splice(&grown, last.end..last.end, ",") }
    }
}
