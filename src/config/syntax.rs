//! Text to a spanned TOML tree, syntax errors with their remedies.

use toml::de::DeTable;

use super::codes::Code;
use super::diagnostic::{MAX_ERRORS, Report, Spot};
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
    let errors =
        if text.len() <= RECOVERED { DeTable::parse_recoverable(text).1 } else { vec![first] };
    let headers = headers(text);
    let section_of = |at: usize| headers.partition_point(|&start| start <= at);
    let mut section = None;
    let mut last_line = 0..0;
    let mut known = 0;
    for (index, error) in errors.iter().enumerate() {
        let span = error.span().unwrap_or(text.len()..text.len());
        let duplicate = error.message() == "duplicate key";
        // The keys of a table that is there twice are no mistakes of their own, and what
        // follows an error on the same line mostly follows from it.
        if duplicate && section == Some(section_of(span.start))
            || !duplicate && last_line.contains(&span.start)
        {
            continue;
        }
        known += 1;
        if known > MAX_ERRORS {
            report.omit(errors.len() - index);
            break;
        }
        let line = line_of(text, span.start);
        let spot = spot(file, &span);
        if duplicate {
            if text[line.start..].trim_start().starts_with('[') {
                section = Some(section_of(span.start));
            }
            report_duplicate(report, spot, text, line.start);
        } else {
            report_syntax(report, spot, text, error.message());
        }
        last_line = line;
    }
    Err(Reported)
}

fn spot(file: u32, span: &std::ops::Range<usize>) -> Spot {
    let number = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
    Spot { file, start: number(span.start), end: number(span.end) }
}

/// The line that a place is in, its line break included.
fn line_of(text: &str, at: usize) -> std::ops::Range<usize> {
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

fn report_duplicate(report: &mut Report, spot: Spot, text: &str, line: usize) {
    let key = text[spot.start as usize..spot.end as usize].to_owned();
    let header = text[line..].trim_start().starts_with('[');
    let earlier = if header { same_header(text, line) } else { same_key(text, line, &key) };
    let earlier = earlier.map(|span| self::spot(spot.file, &span));
    let earlier = earlier.map(|spot| report.label(spot, "first defined here"));
    let name = text[line..].lines().next().unwrap_or("").trim().trim_matches(['[', ']']);
    let (code, message, help) = match name.strip_prefix("group.").filter(|_| header) {
        Some(group) if !group.contains('.') => (
            Code::DuplicateGroup,
            format!("group {group} is defined twice"),
            "merge the two, or give one of them another name",
        ),
        _ if header => (
            Code::DuplicateKey,
            format!("the table [{name}] is defined twice"),
            "merge the two; each of several real servers is a [[group.NAME.real]]",
        ),
        _ => (Code::DuplicateKey, format!("the key {key} is set twice"), "leave one of them out"),
    };
    let diagnostic = report.error(code, spot, &message).label("again here").help(help);
    if let Some(earlier) = earlier {
        diagnostic.also(earlier);
    }
}

/// The header of the same table before the line.
fn same_header(text: &str, line: usize) -> Option<std::ops::Range<usize>> {
    let plain = |line: &str| {
        let (header, _) = line.trim_start().split_once(']')?;
        Some(header.replace([' ', '\t', '"', '\''], ""))
    };
    let wanted = plain(&text[line..])?;
    let mut start = 0;
    for candidate in text[..line].split_inclusive('\n') {
        if candidate.trim_start().starts_with('[') && plain(candidate).as_ref() == Some(&wanted) {
            return Some(start..start + candidate.trim_end().len());
        }
        start += candidate.len();
    }
    None
}

/// The same key in the lines between the header of its table and the line.
fn same_key(text: &str, line: usize, key: &str) -> Option<std::ops::Range<usize>> {
    let mut start = headers(&text[..line]).last().copied().unwrap_or(0);
    for candidate in text[start..line].split_inclusive('\n') {
        let indent = candidate.len() - candidate.trim_start().len();
        let rest = candidate.trim_start().strip_prefix(key);
        if rest.is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return Some(start + indent..start + indent + key.len());
        }
        start += candidate.len();
    }
    None
}

fn report_syntax(report: &mut Report, spot: Spot, text: &str, message: &str) {
    let (what, expected) = match message.split_once(", expected ") {
        Some((what, expected)) => (what, Some(expected)),
        None => (message, None),
    };
    let written = text.get(spot.start as usize..spot.end as usize).unwrap_or("").trim();
    let unquoted = !written.is_empty()
        && written.len() < 60
        && what.starts_with("string values must be quoted");
    let help = if unquoted {
        Some(format!("write \"{written}\""))
    } else {
        expected.map(|expected| format!("expected {expected}"))
    };
    let name = report.file(spot.file).name().to_owned();
    report.error(Code::Syntax, spot, &format!("{name} is not TOML: {what}")).maybe_help(help);
}
