//! A line as words, quoted as iptables-save(8) and a shell quote them.

/// The words of a line; `None` where a quotation does not end.
///
/// iptables-save puts a text that needs it into double quotes, and a backslash before
/// `"`, `\` and `'` in it (`xtables_save_string`, libxtables).
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' => {
                let text = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        end if end == letter => break,
                        '\\' if letter == '"' => text.push(letters.next()?),
                        other => text.push(other),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            space if space.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

/// A number, in decimal digits or as `0x` and hexadecimal ones; below 0 it is counted from
/// the end, as by who prints a mark as a signed number.
pub(super) fn number(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix('-') {
        let below: i32 = format!("-{digits}").parse().ok()?;
        return Some(below.cast_unsigned());
    }
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((text, 10), |digits| (digits, 16));
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// What a text can give to a name of a group: its letters in lower case, and dashes for
/// what a name cannot have.
pub(super) fn name(text: &str) -> Option<crate::model::GroupName> {
    let mut name = String::new();
    for letter in text.chars().take(63).map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_' {
            name.push(letter);
        } else if letter == '.' || !name.ends_with('-') {
            name.push(if letter == '.' { '.' } else { '-' });
        }
    }
    name.trim_matches(['-', '.', '_']).parse().ok()
}

/// The port of a service's name, of those that a director is likely to serve
/// (IANA service names).
pub(super) fn port(name: &str) -> Option<u16> {
    const KNOWN: [(&str, u16); 32] = [
        ("ftp-data", 20),
        ("ftp", 21),
        ("ssh", 22),
        ("telnet", 23),
        ("smtp", 25),
        ("domain", 53),
        ("tftp", 69),
        ("http", 80),
        ("www", 80),
        ("kerberos", 88),
        ("pop3", 110),
        ("ntp", 123),
        ("imap2", 143),
        ("imap", 143),
        ("snmp", 161),
        ("ldap", 389),
        ("https", 443),
        ("submissions", 465),
        ("urd", 465),
        ("syslog", 514),
        ("submission", 587),
        ("ldaps", 636),
        ("imaps", 993),
        ("pop3s", 995),
        ("ms-sql-s", 1433),
        ("radius", 1812),
        ("mysql", 3306),
        ("ms-wbt-server", 3389),
        ("sip", 5060),
        ("sip-tls", 5061),
        ("postgresql", 5432),
        ("http-alt", 8080),
    ];
    match name.parse() {
        Ok(port) => Some(port),
        Err(_) => KNOWN.iter().find(|(known, _)| *known == name).map(|(_, port)| *port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_and_escapes_are_read_as_they_are_written() {
        let words = split(r#"-A web -m comment --comment "a \"b\" \\ c" '' x"#).expect("words");
        assert_eq!(words, ["-A", "web", "-m", "comment", "--comment", r#"a "b" \ c"#, "", "x"]);
        for open in ["\"", "a 'b", "a\\", "\"a\\"] {
            assert_eq!(split(open), None, "{open}");
        }
    }

    #[test]
    fn numbers_are_marks_as_any_tool_prints_them() {
        for (text, value) in [("10", 10), ("0x1F", 31), ("-1", u32::MAX), ("-2147483648", 1 << 31)]
        {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["", "-", "0x", "4294967296", "+1", "ten", "-2147483649", "--1"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_gives_what_a_name_may_have() {
        for (text, expected) in
            [("Web servers (old)", "web-servers-old"), ("web", "web"), ("a.b_c", "a.b_c")]
        {
            assert_eq!(name(text).expect(text).as_str(), expected);
        }
        assert_eq!(name("—"), None);
        assert_eq!(name(""), None);
    }
}
