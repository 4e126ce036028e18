//! What changes in a file, as a unified diff: what `patch` takes.

use std::ops::Range;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// The most pairs of lines that are compared; a change beyond that is shown as a whole.
const PAIRS: usize = 4_000_000;

/// A line that goes, comes or stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'t> {
    Old(&'t str),
    New(&'t str),
    Same(&'t str),
}

/// The diff of two texts; empty where they are the same. The names are those of the file
/// before and after.
pub(super) fn unified(names: (&str, &str), before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let lines = compare(&split(before), &split(after));
    let mut text = format!("--- {}\n+++ {}\n", names.0, names.1);
    for hunk in hunks(&lines) {
        text += &header(&lines, &hunk);
        for line in &lines[hunk] {
            let (sign, line) = match line {
                Line::Old(line) => ('-', line),
                Line::New(line) => ('+', line),
                Line::Same(line) => (' ', line),
            };
            text.push(sign);
            text += line;
            if !line.ends_with('\n') {
                text += "\n\\ No newline at end of file\n";
            }
        }
    }
    text
}

fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The lines of both, by the longest common subsequence of what is between the lines that
/// both begin and end with.
fn compare<'t>(old: &[&'t str], new: &[&'t str]) -> Vec<Line<'t>> {
    let begin = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - begin;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest);
    let end = end.take_while(|(old, new)| old == new).count();
    let (old_middle, new_middle) = (&old[begin..old.len() - end], &new[begin..new.len() - end]);
    let mut lines: Vec<_> = old[..begin].iter().map(|line| Line::Same(line)).collect();
    if old_middle.len().saturating_mul(new_middle.len()) > PAIRS {
        lines.extend(old_middle.iter().map(|line| Line::Old(line)));
        lines.extend(new_middle.iter().map(|line| Line::New(line)));
    } else {
        middle(old_middle, new_middle, &mut lines);
    }
    lines.extend(old[old.len() - end..].iter().map(|line| Line::Same(line)));
    lines
}

fn middle<'t>(old: &[&'t str], new: &[&'t str], lines: &mut Vec<Line<'t>>) {
    let width = new.len() + 1;
    // How many lines are common from here on.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            common[i * width + j] = if line == other {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        let goes = i < old.len()
            && (j == new.len() || common[(i + 1) * width + j] >= common[i * width + j + 1]);
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if goes {
            lines.push(Line::Old(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
}

/// The changes with the lines around them; those that touch are one.
fn hunks(lines: &[Line<'_>]) -> Vec<Range<usize>> {
    let mut hunks: Vec<Range<usize>> = Vec::new();
    let changed = lines.iter().enumerate().filter(|(_, line)| !matches!(line, Line::Same(_)));
    for (index, _) in changed {
        let around = index.saturating_sub(CONTEXT)..(index + CONTEXT + 1).min(lines.len());
        match hunks.last_mut() {
            Some(last) if last.end >= around.start => last.end = around.end,
            _ => hunks.push(around),
        }
    }
    hunks
}

/// `@@ -1,4 +1,5 @@`: from which line on, and how many, of each.
fn header(lines: &[Line<'_>], hunk: &Range<usize>) -> String {
    let count = |range: Range<usize>, other: fn(&Line<'_>) -> bool| {
        lines[range].iter().filter(|line| !other(line)).count()
    };
    let place = |other: fn(&Line<'_>) -> bool| {
        let (before, within) = (count(0..hunk.start, other), count(hunk.clone(), other));
        // Of no lines, the one before them is named.
        format!("{},{within}", if within == 0 { before } else { before + 1 })
    };
    let old = place(|line| matches!(line, Line::New(_)));
    let new = place(|line| matches!(line, Line::Old(_)));
    format!("@@ -{old} +{new} @@\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(before: &str, after: &str) -> String {
        unified(("a", "b"), before, after)
    }

    fn numbers(count: usize) -> String {
        let all: Vec<_> = (1..=count).map(|n| n.to_string()).collect();
        all.join("\n") + "\n"
    }

    #[test]
    fn a_changed_line_is_shown_with_three_around_it() {
        let before = numbers(9);
        let after = before.replace("5\n", "five\nand\n");
        assert_eq!(
            diff(&before, &after),
            "--- a\n+++ b\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n+and\n 6\n 7\n 8\n"
        );
        assert_eq!(diff(&before, &before), "");
    }

    #[test]
    fn what_is_far_apart_has_places_of_its_own() {
        let before = numbers(20);
        let after = before.replace("2\n3\n", "2\n2b\n3\n").replace("19\n", "");
        let text = diff(&before, &after);
        assert!(text.contains("@@ -1,5 +1,6 @@") && text.contains("@@ -16,5 +17,4 @@"), "{text}");
    }

    #[test]
    fn new_and_emptied_files_and_missing_line_ends_are_told() {
        assert_eq!(diff("", "1\n"), "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+1\n");
        assert_eq!(diff("1\n", ""), "--- a\n+++ b\n@@ -1,1 +0,0 @@\n-1\n");
        assert_eq!(
            diff("1", "1\n"),
            "--- a\n+++ b\n@@ -1,1 +1,1 @@\n-1\n\\ No newline at end of file\n+1\n"
        );
    }

    #[test]
    fn a_change_of_everything_is_shown_as_a_whole() {
        let old = numbers(3_000);
        let text = diff(&old, &old.replace('\n', "b\n"));
        assert_eq!(text.lines().count(), 3 + 6_000);
    }
}
