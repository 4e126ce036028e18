//! The lines of keepalived.conf as keepalived reads them: without comments, with included
//! files in their places, names replaced, lines repeated, and lines of other machines
//! left out.
//!
//! One line of the file may become many, and none of them may become endless: what is
//! included and repeated is bounded in depth, and all lines together in number.

use std::path::{Path, PathBuf};

use super::Options;
use super::comment::without_comment;
use super::definitions::{Definitions, Endless, Replaced, definition};
use super::sequence::Sequence;
use super::tree::Tree;
use crate::import::notes::{Notes, shown};
use crate::import::{Document, Place};

/// How deep files, repetitions and names may lie in each other.
const MAX_DEPTH: usize = 16;

/// How many lines may come of all files. A director with 10,000 virtual servers has less.
const MAX_LINES: usize = 400_000;

/// How many files may be included, counted as often as they are.
const MAX_FILES: usize = 2_000;

/// How many bytes all files may have, counted as often as they are included.
const MAX_BYTES: usize = 64 << 20;

/// The most bytes of a line; keepalived itself reads 1023 (`MAXBUF`, `lib/parser.h`).
const MAX_LINE: usize = 4_096;

/// Reads lines, and hands them to the tree.
pub(super) struct Lines<'a> {
    options: &'a Options<'a>,
    tree: &'a mut Tree,
    notes: &'a mut Notes,
    definitions: Definitions,
    /// The definition whose lines are being read.
    open: Option<(String, Vec<String>)>,
    /// The files that are being read, each named by the one before it.
    files: Vec<PathBuf>,
    depth: usize,
    left: usize,
    files_left: usize,
    bytes: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(options: &'a Options<'a>, tree: &'a mut Tree, notes: &'a mut Notes) -> Self {
        Self {
            options,
            tree,
            notes,
            definitions: Definitions::standard(),
            open: None,
            files: Vec::new(),
            depth: 0,
            left: MAX_LINES,
            files_left: MAX_FILES,
            bytes: MAX_BYTES,
        }
    }

    /// All lines of a file.
    pub(super) fn file(&mut self, document: &Document, path: &Path) {
        self.files.push(path.to_owned());
        for (place, line) in document.lines() {
            if self.left == 0 {
                break;
            }
            if line.len() > MAX_LINE {
                self.notes.one(&place, "this line is longer than keepalived reads");
                continue;
            }
            let line = without_comment(line);
            if !self.belongs_to_definition(&line) && !line.is_empty() {
                self.line(&line, &place);
            }
        }
        self.files.pop();
    }

    /// Whether a line belongs to the definition before it; one without a backslash ends it.
    fn belongs_to_definition(&mut self, line: &str) -> bool {
        let Some((_, lines)) = &mut self.open else { return false };
        let (text, goes_on) = match line.strip_suffix('\\') {
            Some(text) => (text.trim_end(), true),
            None => (line, false),
        };
        if !text.is_empty() {
            lines.push(text.to_owned());
        }
        if !goes_on && let Some((name, lines)) = self.open.take() {
            self.definitions.set(&name, lines);
        }
        true
    }

    /// One line without its comment, from a file or put together.
    fn line(&mut self, text: &str, place: &Place) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        if self.left == 0 {
            let what = format!("more than {MAX_LINES} lines come of this: the rest is not read");
            self.notes.one(place, what);
            return;
        }
        if self.depth == MAX_DEPTH {
            let what = "what is included or repeated here lies too deep, and is not read";
            self.notes.some("depth", place, what);
            return;
        }
        self.depth += 1;
        self.at_this_depth(text, place);
        self.depth -= 1;
    }

    fn at_this_depth(&mut self, text: &str, place: &Place) {
        let Some(text) = self.of_this_machine(text, place) else { return };
        if let Some(definition) = definition(text) {
            let value = Some(definition.value.to_owned());
            let lines = value.filter(|value| !(definition.goes_on && value.is_empty()));
            let lines = lines.into_iter().collect();
            if definition.goes_on {
                self.open = Some((definition.name.to_owned(), lines));
            } else {
                self.definitions.set(definition.name, lines);
            }
        } else if Sequence::begins(text) {
            self.repeat(text, place);
        } else {
            self.replaced(text, place);
        }
    }

    /// What a line says behind its condition, where that is met: `@NAME` or `@^NAME`.
    fn of_this_machine<'t>(&mut self, text: &'t str, place: &Place) -> Option<&'t str> {
        let Some(condition) = text.strip_prefix('@') else { return Some(text) };
        let (name, rest) = condition.split_once([' ', '\t'])?;
        let Some(id) = self.options.config_id else {
            let what = "which machine this line is for is not known here (its configuration id)";
            self.notes.some("id", place, what);
            return None;
        };
        let is_met = match name.strip_prefix('^') {
            Some(other) => other != id,
            None => name == id,
        };
        is_met.then_some(rest.trim_start())
    }

    fn repeat(&mut self, text: &str, place: &Place) {
        // Its bounds may be names, and its rest is replaced when its own names have values.
        let (head, rest) = text.split_once(')').unwrap_or((text, ""));
        let head = self.definitions.replace(head).ok();
        let head = head.as_ref().and_then(Replaced::single);
        let text = head.map(|head| format!("{head}){rest}"));
        let Some(sequence) = text.as_deref().and_then(Sequence::read) else {
            self.notes.one(place, "this is no ~SEQ or ~LST that has an end");
            return;
        };
        for values in sequence.rounds() {
            if self.left == 0 {
                return;
            }
            for (name, value) in sequence.names.iter().zip(values) {
                self.definitions.set(name, vec![value]);
            }
            self.line(sequence.rest, place);
        }
    }

    fn replaced(&mut self, text: &str, place: &Place) {
        let replaced = match self.definitions.replace(text) {
            Ok(replaced) => replaced,
            Err(Endless::Rounds) => {
                return self.notes.one(place, "a name in this line stands for itself");
            }
            Err(Endless::Length) => {
                return self.notes.one(place, "this line grows longer than keepalived reads");
            }
        };
        if let Some(line) = replaced.single() {
            let line = without_comment(line);
            // A name may stand for a condition, a definition or a repetition.
            if line != text && line.starts_with(['@', '$', '~']) {
                self.line(&line, place);
            } else {
                self.finished(&line, place);
            }
            return;
        }
        for line in replaced.lines() {
            if self.left == 0 {
                return;
            }
            let line = without_comment(line);
            if !line.is_empty() {
                self.line(&line, place);
            }
        }
    }

    fn finished(&mut self, line: &str, place: &Place) {
        match included(line) {
            Some(_) if self.files_left == 0 => {
                let what = format!("more than {MAX_FILES} files are included: no more is read");
                self.notes.some("files", place, what);
            }
            Some(pattern) => self.include(pattern, place),
            None => self.tree.line(line, place, self.notes),
        }
    }

    fn include(&mut self, pattern: &str, place: &Place) {
        let folder = self.files.last().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        let paths = match self.options.files.matching(folder, pattern) {
            Ok(paths) => paths,
            Err(error) => {
                let what = format!("'{}' cannot be included: {error}", shown(pattern));
                return self.notes.one(place, what);
            }
        };
        if paths.is_empty() {
            let what = format!("'{}' names no file: nothing is included", shown(pattern));
            self.notes.one(place, what);
        }
        // To look for files costs as much as to read one.
        self.files_left = self.files_left.saturating_sub(1);
        for path in paths {
            if self.files.contains(&path) {
                self.notes.one(place, format!("{} would include itself", path.display()));
            } else if self.files_left == 0 {
                let what = format!("more than {MAX_FILES} files are included: no more is read");
                return self.notes.some("files", place, what);
            } else {
                self.files_left -= 1;
                self.include_file(&path, place);
            }
        }
    }

    fn include_file(&mut self, path: &Path, place: &Place) {
        let document = match self.options.files.read(path) {
            Ok(document) => document,
            Err(error) => {
                let why = std::error::Error::source(&error);
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                return self.notes.one(place, format!("{error}{why}"));
            }
        };
        let Some(left) = self.bytes.checked_sub(document.text().len()) else {
            let what = "more than 64 MiB are included: the rest is not read";
            return self.notes.some("bytes", place, what);
        };
        self.bytes = left;
        self.file(&document, path);
    }
}

/// What an `include` names; `includer` and the other forms only say what is an error.
fn included(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("include")?;
    let rest = rest.strip_prefix(['r', 'm', 'w', 'b', 'a']).unwrap_or(rest);
    let pattern = rest.trim_start();
    (pattern.len() < rest.len() && !pattern.is_empty()).then_some(pattern)
}
