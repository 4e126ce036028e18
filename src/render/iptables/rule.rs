//! A rule as its arguments, and as a line that iptables-restore reads back as these.

use std::fmt;

/// The arguments of a rule, without its chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct RuleText(Vec<String>);

impl RuleText {
    /// A rule without arguments: it matches everything, and does nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With an option and its value.
    #[must_use]
    pub fn with(mut self, option: &str, value: &str) -> Self {
        self.0.extend([option.to_owned(), value.to_owned()]);
        self
    }

    /// With an option that has no value.
    #[must_use]
    pub fn flag(mut self, option: &str) -> Self {
        self.0.push(option.to_owned());
        self
    }

    /// With a comment, where there is something to say.
    #[must_use]
    pub fn comment(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.with("-m", "comment").with("--comment", text),
            None => self,
        }
    }

    /// The arguments.
    pub fn arguments(&self) -> &[String] {
        &self.0
    }
}

impl FromIterator<String> for RuleText {
    fn from_iter<I: IntoIterator<Item = String>>(arguments: I) -> Self {
        Self(arguments.into_iter().collect())
    }
}

impl fmt::Display for RuleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, argument) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write_argument(f, argument)?;
        }
        Ok(())
    }
}

/// In double quotes where it needs some, with a backslash before what ends them
/// (`add_param_to_argv`, `iptables/xshared.c`).
fn write_argument(f: &mut fmt::Formatter<'_>, argument: &str) -> fmt::Result {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(plain) {
        return f.write_str(argument);
    }
    f.write_str("\"")?;
    for letter in argument.chars() {
        if matches!(letter, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{letter}")?;
    }
    f.write_str("\"")
}

/// The words of a line, as iptables-restore takes it apart and [`RuleText`] writes it: by
/// blanks, but for those in double quotes, where a backslash takes away what the next letter
/// means.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut current: Option<String> = None;
    let (mut quoted, mut escaped) = (false, false);
    for letter in line.chars() {
        match letter {
            _ if escaped => {
                current.get_or_insert_default().push(letter);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => words.extend(current.take()),
            _ => current.get_or_insert_default().push(letter),
        }
    }
    words.extend(current);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_quoted() {
        let rule = RuleText::new().comment(Some("a \"b\" \\ c")).with("-j", "MARK");
        assert_eq!(rule.to_string(), r#"-m comment --comment "a \"b\" \\ c" -j MARK"#);
        assert_eq!(RuleText::new().with("-m", "").to_string(), "-m \"\"");
    }

    #[test]
    fn words_read_back_from_what_was_written() {
        for words in [
            &["-m", "comment", "--comment", "a \"b\" \\ c"][..],
            &["", "x y", "'", "--"],
            &["-j", "MARK", "--set-xmark", "0xa/0xffffffff"],
        ] {
            let rule: RuleText = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(super::words(&rule.to_string()), words);
        }
    }
}
