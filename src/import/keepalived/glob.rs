//! Patterns of file names as glob(7) and a shell's braces have them.

/// The most patterns that braces may make of one.
const MAX_ALTERNATIVES: usize = 100;

/// A pattern without braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    /// `{a,b}/c` is `a/c` and `b/c`; braces may hold braces.
    pub(super) fn alternatives(text: &str) -> Vec<Self> {
        let mut open = vec![text.to_owned()];
        let mut whole = Vec::new();
        while let Some(text) = open.pop() {
            match braces(&text) {
                Some((before, inside, after))
                    if open.len() + whole.len() + inside.len() <= MAX_ALTERNATIVES =>
                {
                    // The last is taken up first, so that the order stays.
                    let next = inside.iter().rev().map(|part| format!("{before}{part}{after}"));
                    open.extend(next);
                }
                _ => whole.push(Self(text)),
            }
        }
        whole
    }

    /// The parts between slashes; the first is "/" where the pattern is absolute.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        let root = self.0.starts_with('/').then_some("/");
        root.into_iter().chain(self.0.split('/').filter(|part| !part.is_empty()))
    }

    /// Whether a part means more than itself.
    pub(super) fn is_wild(part: &str) -> bool {
        part.contains(['*', '?', '['])
    }

    /// Whether a file of this name is meant. A hidden one has to be named.
    pub(super) fn matches(part: &str, name: &str) -> bool {
        if name.starts_with('.') && !part.starts_with('.') {
            return false;
        }
        let (part, name): (Vec<char>, Vec<char>) = (part.chars().collect(), name.chars().collect());
        let (mut at, mut of) = (0, 0);
        // Where the last star stands, and how much of the name it takes: no two stars have
        // to be tried against each other, so this ends soon.
        let mut star: Option<(usize, usize)> = None;
        while of < name.len() {
            if part.get(at) == Some(&'*') {
                star = Some((at, of));
                at += 1;
            } else if let Some(next) = one(&part, at, name[of]) {
                (at, of) = (next, of + 1);
            } else if let Some((place, taken)) = star {
                star = Some((place, taken + 1));
                (at, of) = (place + 1, taken + 1);
            } else {
                return false;
            }
        }
        part[at..].iter().all(|&letter| letter == '*')
    }
}

/// Where the pattern goes on when its letter at `at` means `letter`.
fn one(part: &[char], at: usize, letter: char) -> Option<usize> {
    match part.get(at)? {
        '?' => Some(at + 1),
        '[' => {
            let negated = matches!(part.get(at + 1), Some('!' | '^'));
            let first = at + 1 + usize::from(negated);
            // A bracket that comes first is a letter.
            let end = (first + 1..part.len()).find(|&end| part[end] == ']');
            let Some(end) = end else { return (letter == '[').then_some(at + 1) };
            (is_listed(&part[first..end], letter) != negated).then_some(end + 1)
        }
        &same => (same == letter).then_some(at + 1),
    }
}

/// Whether a letter is one of `a-z0`.
fn is_listed(list: &[char], letter: char) -> bool {
    let mut at = 0;
    while at < list.len() {
        if let (Some('-'), Some(&last)) = (list.get(at + 1), list.get(at + 2)) {
            if (list[at]..=last).contains(&letter) {
                return true;
            }
            at += 3;
        } else if list[at] == letter {
            return true;
        } else {
            at += 1;
        }
    }
    false
}

/// What stands before the first braces, between their commas, and behind them.
fn braces(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    let start = text.find('{')?;
    let mut depth = 0_u32;
    let mut parts = Vec::new();
    let mut from = start + 1;
    for (at, letter) in text.char_indices().skip_while(|(at, _)| *at < start) {
        match letter {
            '{' => depth += 1,
            ',' if depth == 1 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    parts.push(&text[from..at]);
                    return Some((&text[..start], parts, &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_alternatives_in_their_order() {
        let all = |text: &str| {
            let all = Pattern::alternatives(text);
            all.into_iter().map(|pattern| pattern.0).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all("foo/{,cat,dog}"), "foo/ foo/cat foo/dog");
        assert_eq!(all("{a/{b,c},d}x"), "a/bx a/cx dx");
        assert_eq!(all("{a,b"), "{a,b");
        for many in ["{a,b}".repeat(50), format!("{{{}}}", "a,".repeat(1_000))] {
            assert!(Pattern::alternatives(&many).len() <= MAX_ALTERNATIVES);
        }
    }

    #[test]
    fn wildcards_are_those_of_a_shell() {
        for (part, name, is) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            (".*", ".a", true),
            ("?.conf", "ab.conf", false),
            ("[a-c]*", "beta", true),
            ("[!a-c]*", "beta", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("a*b*c", "axxbyybc", true),
            ("a*b*c", "axxbyyb", false),
        ] {
            assert_eq!(Pattern::matches(part, name), is, "{part} and {name}");
        }
        assert!(!Pattern::matches(&"*a".repeat(40), &"a".repeat(39)));
    }
}
