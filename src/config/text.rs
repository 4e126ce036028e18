//! Making text of a user fit to be shown, and guessing what was meant.

use crate::model::Family;

/// The longest message, in characters; a longer one loses its middle.
const LONGEST: usize = 240;

/// Whether a character could move the cursor, hide text or turn its direction round.
pub(super) fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A sentence with treacherous characters escaped, cut to what a person reads.
pub(super) fn clean(sentence: &str) -> String {
    let mut clean = String::with_capacity(sentence.len().min(4 * LONGEST));
    let count = sentence.chars().count();
    let cut = (count > LONGEST).then(|| LONGEST / 2..count - LONGEST / 3);
    for (index, character) in sentence.chars().enumerate() {
        match &cut {
            Some(cut) if index == cut.start => clean.push('…'),
            Some(cut) if cut.contains(&index) => {}
            _ if is_treacherous(character) => clean.extend(character.escape_default()),
            _ => clean.push(character),
        }
    }
    clean
}

/// Source text with treacherous characters replaced by visible ones of the same length
/// in bytes, so that positions stay; ASCII is left to the renderer.
pub(super) fn defuse(source: &str) -> String {
    source
        .chars()
        .map(|character| match character.len_utf8() {
            2 if is_treacherous(character) => '\u{bf}',
            3 if is_treacherous(character) => '\u{fffd}',
            _ => character,
        })
        .collect()
}

/// The candidate that `written` was probably meant to be: one slip away for short
/// words, two for longer ones, three for long ones.
pub(super) fn nearest<'c>(
    written: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let length = written.chars().count();
    if length > 64 {
        return None;
    }
    let slips = match length {
        0..=3 => 1,
        4..=8 => 2,
        _ => 3,
    };
    let written = written.to_lowercase().replace('_', "-");
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&written, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= slips && distance < candidate.len().max(2))
        .min_by_key(|&(distance, candidate)| {
            let other_start = candidate.chars().next() != written.chars().next();
            (distance, other_start, candidate.len().abs_diff(written.len()))
        })
        .map(|(_, candidate)| candidate)
}

/// Words as a list in a sentence: `a, b or c`.
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A family as it is spelt in a sentence.
pub(super) fn family_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

/// A count with its noun: `1 error`, `3 errors`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_bytes_never_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\u{9b}c\u{202e}"), "a\\u{1b}[31mb\\u{9b}c\\u{202e}");
        assert_eq!(defuse("a\u{9b}b\u{202e}c").len(), "a\u{9b}b\u{202e}c".len());
        assert!(!defuse("\u{9b}\u{202e}\u{feff}").chars().any(is_treacherous));
    }

    #[test]
    fn long_sentences_lose_their_middle() {
        let cut = clean(&format!("begin {} end", "x".repeat(1_000_000)));
        assert!(cut.starts_with("begin x") && cut.ends_with("x end") && cut.len() < 500);
    }

    #[test]
    fn short_words_are_not_near_to_everything() {
        let schedulers = crate::model::KNOWN_SCHEDULERS;
        assert_eq!(nearest("wrrr", schedulers), Some("wrr"));
        assert_eq!(nearest("RR", schedulers), Some("rr"));
        assert_eq!(nearest("lblrc", schedulers), Some("lblcr"));
        assert_eq!(nearest("foo", schedulers), Some("fo"));
        assert_eq!(nearest("", schedulers), None);
        assert_eq!(nearest("round", schedulers), None);
        assert_eq!(nearest("upper_threshold", ["upper-threshold"]), Some("upper-threshold"));
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(either(&["a", "b", "c"]), "a, b or c");
        assert_eq!(counted(1, "error"), "1 error");
        assert_eq!(counted(0, "error"), "0 errors");
    }
}
