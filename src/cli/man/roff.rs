//! The language of manual pages, as far as it is needed (man(7)).

/// The title line.
pub(super) fn title(name: &str, section: u8, date: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        ".\\\" Made by `fwmarkctl man`; changes belong to its sources.\n.TH {name} {section} {date} \
         \"fwmarkctl {version}\"\n"
    )
}

/// A page in which no paragraph begins where a section does: the section begins one.
pub(super) fn tidy(page: &str) -> String {
    let mut tidy = String::with_capacity(page.len());
    let mut begins = false;
    for line in page.lines().filter(|line| !line.is_empty()) {
        if !(begins && line == ".PP") {
            tidy += line;
            tidy.push('\n');
        }
        begins = line.starts_with(".SH") || line.starts_with(".SS");
    }
    tidy
}

/// A section.
pub(super) fn heading(text: &str) -> String {
    format!(".SH {}\n", quoted(text))
}

/// A section of a section.
pub(super) fn subheading(text: &str) -> String {
    format!(".SS {}\n", quoted(text))
}

/// A paragraph of plain text.
pub(super) fn paragraph(text: &str) -> String {
    format!(".PP\n{}\n", filled(&escaped(text)))
}

/// A word, and what is to be said of it; both are marked up already.
pub(super) fn entry(word: &str, meaning: &str) -> String {
    format!(".TP\n{}\n{}\n", line(word), filled(meaning))
}

/// Text that stays as it is.
pub(super) fn literal(text: &str) -> String {
    let lines: String =
        text.trim_matches('\n').lines().map(|text| line(&code(text)) + "\n").collect();
    format!(".PP\n.RS 4\n.nf\n{lines}.fi\n.RE\n")
}

/// Text on lines that people can read, too; what shows it breaks them anew.
pub(super) fn filled(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= 78 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(line(word)),
        }
    }
    lines.join("\n")
}

/// A line that is no request, whatever it begins with.
pub(super) fn line(text: &str) -> String {
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text.to_owned() }
}

/// Text in bold, to be typed as it is.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", code(text))
}

/// Plain text.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped += "\\e",
            '→' => escaped += "\\(->",
            '–' => escaped += "\\(en",
            '…' => escaped += "...",
            '×' => escaped += "\\(mu",
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Text whose signs are those that are typed: no hyphen is broken at, no quote is bent.
pub(super) fn code(text: &str) -> String {
    escaped(text)
        .replace('-', "\\-")
        .replace("\\(\\->", "\\(->")
        .replace('\'', "\\(aq")
        .replace('`', "\\(ga")
        .replace('^', "\\(ha")
        .replace('~', "\\(ti")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text).replace('"', "\\(dq"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_request_by_accident() {
        assert_eq!(paragraph(".so /etc/passwd"), ".PP\n\\&.so /etc/passwd\n");
        assert_eq!(literal("'x\n\\fB"), ".PP\n.RS 4\n.nf\n\\(aqx\n\\efB\n.fi\n.RE\n");
        assert_eq!(bold("--yes"), "\\fB\\-\\-yes\\fR");
        assert_eq!(heading("a \"b\""), ".SH \"a \\(dqb\\(dq\"\n");
        assert_eq!(code("a→b"), "a\\(->b");
    }
}
