//! Text to a spanned TOML tree, syntax errors with their remedies.

use std::ops::Range;

use toml::de::DeTable;

use crate::model::GroupName;

use super::codes::Code;
use super::diagnostic::{Diagnostic, MAX_ERRORS, Report, Spot};
use super::reader::{Checked, Reported};

/// Above this size only the first error is looked for: a parser that goes on after an
/// error keeps each of them, and a large file of garbage has millions.
const RECOVERED: usize = 1 << 20;

/// Parses a file, or reports what is wrong with its syntax.
pub(super) fn parse<'t>(report: &mut Report, file: u32, text: &'t str) -> Checked<DeTable<'t>> {
    let first = match DeTable::parse(text) {
        Ok(table) => return Ok(table.into_inner()),
        Err(first) => first,
    };
    let mut errors =
        if text.len() <= RECOVERED { DeTable::parse_recoverable(text).1 } else { vec![first] };
    // The parser goes through the text more than once.
    errors.sort_by_key(|error| span_of(text, error).start);
    let headers = headers(text);
    let (mut doubled, mut derailed) = (None, None);
    let mut last_line = 0..0;
    let mut known = 0;
    for (index, error) in errors.iter().enumerate() {
        let span = span_of(text, error);
        let section = Some(headers.partition_point(|&start| start <= span.start));
        let duplicate = error.message() == "duplicate key";
        // The keys of a table that is there twice are no mistakes of their own; what follows
        // an error on the same line, or an open quote or bracket, mostly follows from it.
        if duplicate && section == doubled
            || !duplicate && last_line.contains(&span.start)
            || section == derailed
        {
            continue;
        }
        known += 1;
        if known > MAX_ERRORS {
            report.omit(errors.len() - index);
            break;
        }
        let line = line_of(text, span.start);
        let at = At { report, file, text, line: line.start };
        if duplicate {
            if at.line().starts_with('[') {
                doubled = section;
            }
            at.duplicate(&span);
        } else {
            if derails(error.message(), &text[line.start..span.start]) {
                derailed = section;
            }
            at.syntax(span, error.message());
        }
        last_line = line;
    }
    Err(Reported)
}

fn span_of(text: &str, error: &toml::de::Error) -> Range<usize> {
    let span = error.span().unwrap_or(text.len()..text.len());
    let boundary = |at: usize| {
        (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
    };
    boundary(span.start)..boundary(span.end)
}

/// The line that a place is in, its line break included.
fn line_of(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    start..end + 1
}

/// Where the lines begin that open a table.
fn headers(text: &str) -> Vec<usize> {
    let mut start = 0;
    let mut headers = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with('[') {
            headers.push(start);
        }
        start += line.len();
    }
    headers
}

/// Whether the parser has lost its way at an error: something is open that should not be.
fn derails(message: &str, line_before: &str) -> bool {
    message.starts_with("invalid basic string")
        || message.starts_with("invalid literal string")
        || message.starts_with("unclosed")
        || message.starts_with("missing comma") && line_before.trim().is_empty()
}

/// An error that is being reported: where its line begins in which text.
struct At<'r, 't> {
    report: &'r mut Report,
    file: u32,
    text: &'t str,
    line: usize,
}

impl At<'_, '_> {
    /// The line without its indentation.
    fn line(&self) -> &str {
        self.text[self.line..].lines().next().unwrap_or("").trim()
    }

    /// The group whose table the line is in, where that can be told.
    fn group(&self) -> Option<GroupName> {
        let end = line_of(self.text, self.line).end.min(self.text.len());
        let header = headers(&self.text[..end]).pop()?;
        let path = self.text[header..].trim_start().trim_start_matches('[');
        path.strip_prefix("group.")?.split(['.', ']', '\n']).next()?.trim().parse().ok()
    }

    fn spot(&self, span: &Range<usize>) -> Spot {
        let number = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Spot { file: self.file, start: number(span.start), end: number(span.end) }
    }

    fn push(&mut self, code: Code, span: &Range<usize>, message: &str) -> &mut Diagnostic {
        let group = self.group().map(|group| group.to_string());
        let spot = self.spot(span);
        let diagnostic = match &group {
            Some(group) => self.report.error(code, spot, &format!("group {group}: {message}")),
            None => self.report.error(code, spot, message),
        };
        diagnostic.group = group;
        diagnostic
    }

    fn duplicate(mut self, span: &Range<usize>) {
        let key = &self.text[span.clone()];
        let line = self.line().to_owned();
        let path = line.trim_matches(['[', ']', ' ']);
        let is_group = path.strip_prefix("group.").is_some_and(|name| !name.contains('.'));
        let (code, message, help, earlier) = if line.starts_with("[[") {
            (
                Code::DuplicateKey,
                format!("{key} is set already, so {line} cannot add to it"),
                "write the whole list in one way, with '=' or with double brackets",
                self.list_before(key),
            )
        } else if line.starts_with('[') && is_group {
            (
                Code::DuplicateGroup,
                "defined twice".to_owned(),
                "merge the two, or give one of them another name",
                self.header_before(&line),
            )
        } else if line.starts_with('[') {
            (
                Code::DuplicateKey,
                format!("the table [{path}] is defined twice"),
                "merge the two; each of several real servers is a [[group.NAME.real]]",
                self.header_before(&line),
            )
        } else {
            let table = headers(&self.text[..self.line]).last().copied().unwrap_or(0);
            (
                Code::DuplicateKey,
                format!("{key} is set twice"),
                "leave one of them out",
                self.key_before(table, key),
            )
        };
        let earlier = earlier.map(|span| self.spot(&span));
        let earlier = earlier.map(|spot| self.report.label(spot, "first defined here"));
        let diagnostic = self.push(code, span, &message).label("again here").help(help);
        if let Some(earlier) = earlier {
            diagnostic.also(earlier);
        }
    }

    /// The header of a table before the line, however it is spaced and quoted.
    fn header_before(&self, header: &str) -> Option<Range<usize>> {
        let plain = |line: &str| {
            let (header, _) = line.trim_start().split_once(']')?;
            Some(header.replace([' ', '\t', '"', '\''], ""))
        };
        let wanted = plain(header)?;
        let mut start = 0;
        for line in self.text[..self.line].split_inclusive('\n') {
            if line.trim_start().starts_with('[') && plain(line).as_ref() == Some(&wanted) {
                return Some(start..start + line.trim_end().len());
            }
            start += line.len();
        }
        None
    }

    /// A key with its value in the lines from `start` to the line.
    fn key_before(&self, mut start: usize, key: &str) -> Option<Range<usize>> {
        for line in self.text[start..self.line].split_inclusive('\n') {
            let indent = line.len() - line.trim_start().len();
            let rest = line.trim_start().strip_prefix(key);
            if rest.is_some_and(|rest| rest.trim_start().starts_with('=')) {
                return Some(start + indent..start + indent + key.len());
            }
            start += line.len();
        }
        None
    }

    /// A list of the group before the line.
    fn list_before(&self, key: &str) -> Option<Range<usize>> {
        let header = self.header_before(&format!("[group.{}]", self.group()?))?;
        self.key_before(header.end, key)
    }

    fn syntax(mut self, span: Range<usize>, message: &str) {
        let (what, expected) = match message.split_once(", expected ") {
            Some((what, expected)) => (what, Some(expected)),
            None => (message, None),
        };
        let word = word_at(self.text, span.start);
        let written = &self.text[word.clone()];
        let numbers = ["invalid float", "invalid integer", "invalid date", "invalid time"];
        let no_string = what == "string values must be quoted"
            || numbers.iter().any(|number| what.starts_with(number));
        let quotable = !written.is_empty() && !written.contains(['"', '\'']) && written.len() < 60;
        let (span, what, help) = if no_string && quotable {
            (word, "text needs quotes", Some(format!("write \"{written}\"")))
        } else if no_string && written.is_empty() {
            (span, "the key has no value", Some("write one behind the '='".to_owned()))
        } else if expected == Some("`\"`") {
            (span, "a quote is not closed", Some("close it with '\"'".to_owned()))
        } else if what == "key with no value" {
            (span, what, Some("a line is KEY = VALUE, a [TABLE] or a # comment".to_owned()))
        } else if what.starts_with("missing comma") {
            let help = "put a comma between the two, or close the list before with ']'";
            (span, "a comma is missing in a list", Some(help.to_owned()))
        } else {
            let help = expected.filter(|expected| *expected != "nothing");
            (span, what, help.map(|expected| format!("expected {expected}")))
        };
        self.push(Code::Syntax, &span, &format!("this is not TOML: {what}")).maybe_help(help);
    }
}

/// The word around a place, up to what separates values in TOML.
fn word_at(text: &str, at: usize) -> Range<usize> {
    let ends = [' ', '\t', '\r', '\n', ',', '[', ']', '{', '}', '=', '#'];
    let start = text[..at].rfind(ends).map_or(0, |end| end + 1);
    let end = text[at..].find(ends).map_or(text.len(), |end| at + end);
    start..end
}
