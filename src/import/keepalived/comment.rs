//! A line without its comment.

/// What a line says: without what stands behind a `!` or `#`, and without white space
/// around it. Double quotes keep both signs as they are, and so does a backslash before
/// one. A backslash at the very end stays, also behind a comment: the line goes on.
pub(super) fn without_comment(line: &str) -> String {
    let line = line.trim_matches([' ', '\t', '\r', '\n']);
    let mut text = String::with_capacity(line.len());
    let mut letters = line.chars().peekable();
    let (mut quoted, mut comment, mut goes_on) = (false, false, false);
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('\\', None) => goes_on = true,
            ('\\', Some(&next)) => {
                letters.next();
                let is_sign = !quoted && matches!(next, '#' | '!');
                if !comment && !is_sign {
                    text.push(letter);
                }
                if !comment {
                    text.push(next);
                }
            }
            _ if comment => {}
            ('!' | '#', _) if !quoted => comment = true,
            _ => {
                quoted ^= letter == '"';
                text.push(letter);
            }
        }
    }
    text.truncate(text.trim_end_matches([' ', '\t']).len());
    if goes_on {
        text.push('\\');
    }
    text
}

/// The words of a line, by white space; a quoted string is one word without its quotes.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, behind) = if let Some(inner) = rest.strip_prefix('"') {
            // keepalived gives up the rest of a line whose quote does not end.
            let Some(parts) = inner.split_once('"') else { break };
            parts
        } else {
            let end = rest.find(|letter: char| letter.is_whitespace() || letter == '"');
            rest.split_at(end.unwrap_or(rest.len()))
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_begins_anywhere_but_in_quotes() {
        for (line, wanted) in [
            ("  weight 1  # one", "weight 1"),
            ("! all of it", ""),
            ("path \"a#b\" !x", "path \"a#b\""),
            ("hash \\# sign", "hash # sign"),
            ("a\\b#c", "a\\b"),
            ("$A=x # why \\", "$A=x\\"),
            ("$A=x \\", "$A=x\\"),
            ("weight 1\r", "weight 1"),
        ] {
            assert_eq!(without_comment(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_quoted_string_is_one_word() {
        assert_eq!(words("a \"b c\"d"), ["a", "b c", "d"]);
        assert_eq!(words("a \"b c"), ["a"]);
        assert_eq!(words("a\"b\""), ["a", "b"]);
        assert!(words("  ").is_empty());
    }
}
