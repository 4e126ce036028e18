//! Statements and their blocks. A statement is a line, or what stands on it before a brace.

use super::comment::words;
use crate::import::Place;
use crate::import::notes::Notes;

/// How deep blocks may lie in each other; keepalived has three levels.
const MAX_DEPTH: usize = 16;

/// How many statements there may be.
const MAX_STATEMENTS: usize = 400_000;

/// A statement.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its words, at least one.
    pub(super) words: Vec<String>,
    /// What stands in its braces.
    pub(super) block: Vec<Statement>,
    /// Whether there are braces.
    pub(super) has_block: bool,
    /// Where it stands.
    pub(super) place: Place,
}

impl Statement {
    /// Its first word.
    pub(super) fn keyword(&self) -> &str {
        &self.words[0]
    }

    /// The word behind `number` others; empty where there is none.
    pub(super) fn word(&self, number: usize) -> &str {
        self.words.get(number).map_or("", String::as_str)
    }
}

/// Statements that are being put together.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The statements of the blocks that are open, the outermost first.
    levels: Vec<Vec<Statement>>,
    /// Where the block opened that lies too deep, and how many are open in it.
    too_deep: usize,
    count: usize,
}

impl Tree {
    /// Adds a line.
    pub(super) fn line(&mut self, line: &str, place: &Place, notes: &mut Notes) {
        let mut rest = line.trim();
        while let Some(first) = rest.chars().next() {
            match first {
                '{' => self.open(place, notes),
                '}' => self.close(place, notes),
                _ => {
                    let end = brace(rest).unwrap_or(rest.len());
                    self.statement(&rest[..end], place, notes);
                    rest = rest[end..].trim_start();
                    continue;
                }
            }
            rest = rest[1..].trim_start();
        }
    }

    /// The statements of all files.
    pub(super) fn finish(mut self, notes: &mut Notes) -> Vec<Statement> {
        while self.levels.len() > 1 {
            if let Some(open) = self.levels[self.levels.len() - 2].last() {
                let what = format!("the block of '{}' does not end", open.keyword());
                notes.one(&open.place, what);
            }
            self.end_level();
        }
        self.levels.pop().unwrap_or_default()
    }

    fn statement(&mut self, text: &str, place: &Place, notes: &mut Notes) {
        let words = words(text);
        if self.too_deep > 0 || words.is_empty() {
            return;
        }
        if self.count == MAX_STATEMENTS {
            notes.some("statements", place, format!("more than {MAX_STATEMENTS} statements"));
            return;
        }
        self.count += 1;
        let place = place.clone();
        let statement = Statement { words, block: Vec::new(), has_block: false, place };
        self.innermost().push(statement);
    }

    fn open(&mut self, place: &Place, notes: &mut Notes) {
        let has_room = self.levels.len() < MAX_DEPTH;
        let is_read = self.too_deep == 0 && has_room;
        let opens = self.innermost().last_mut().filter(|last| is_read && !last.has_block);
        if let Some(statement) = opens {
            statement.has_block = true;
            self.levels.push(Vec::new());
            return;
        }
        if self.too_deep == 0 {
            let what = if has_room {
                "a block begins here that belongs to nothing, and is not read"
            } else {
                "this block lies too deep in others, and is not read"
            };
            notes.some("braces", place, what);
        }
        self.too_deep += 1;
    }

    fn close(&mut self, place: &Place, notes: &mut Notes) {
        if self.too_deep > 0 {
            self.too_deep -= 1;
        } else if self.levels.len() > 1 {
            self.end_level();
        } else {
            notes.some("end", place, "this brace ends no block");
        }
    }

    fn end_level(&mut self) {
        let inner = self.levels.pop().unwrap_or_default();
        if let Some(statement) = self.innermost().last_mut() {
            statement.block = inner;
        }
    }

    fn innermost(&mut self) -> &mut Vec<Statement> {
        if self.levels.is_empty() {
            self.levels.push(Vec::new());
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }
}

/// Where the first brace is that stands in no quoted string.
fn brace(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, letter)| {
        quoted ^= letter == '"';
        (!quoted && matches!(letter, '{' | '}')).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{Document, Imported};

    fn tree(text: &str) -> (String, Vec<String>) {
        let document = Document::new("k.conf", text);
        let (mut tree, mut notes) = (Tree::default(), Notes::default());
        for (place, line) in document.lines() {
            tree.line(line, &place, &mut notes);
        }
        let statements = tree.finish(&mut notes);
        let mut found = Imported::default();
        notes.tell(&mut found);
        let told = found.not_turned.iter().map(|it| format!("{}: {}", it.place, it.sentence));
        (show(&statements), told.collect())
    }

    fn show(statements: &[Statement]) -> String {
        let one = |it: &Statement| {
            let block = if it.has_block { format!("({})", show(&it.block)) } else { String::new() };
            it.words.join("+") + &block
        };
        statements.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn braces_stand_where_they_like() {
        for text in ["a b {\n c 1\n d\n}\ne", "a b\n{ c 1\n d }\ne", "a b{c 1\nd}e"] {
            assert_eq!(tree(text), ("a+b(c+1 d) e".into(), vec![]), "{text}");
        }
        assert_eq!(tree("a \"{}\" {}").0, "a+{}()");
    }

    #[test]
    fn braces_that_fit_to_nothing_are_told() {
        assert_eq!(tree("}\na").1, ["k.conf:1: this brace ends no block"]);
        let (text, told) = tree("{ a }\nb {}\n{ c }\nd");
        assert_eq!(text, "b() d");
        assert_eq!(told.len(), 1, "{told:?}");
        let (text, told) = tree("a {\nb {\nc");
        assert_eq!(text, "a(b(c))");
        assert_eq!(told[1], "k.conf:1: the block of 'a' does not end");
    }

    #[test]
    fn what_lies_too_deep_is_left_out() {
        let (text, told) = tree(&("a{".repeat(100_000) + &"}".repeat(100_000) + "b"));
        assert!(text.ends_with(" b") && text.len() < 100, "{text}");
        assert_eq!(told.len(), 1, "{told:?}");
    }
}
