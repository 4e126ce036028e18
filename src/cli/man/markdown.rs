//! Pages of the documentation as manual pages: headings, paragraphs, tables, lists, code.

use super::roff;

/// A page, or a part of one, in the language of man(7).
pub(super) fn to_roff(page: &str) -> String {
    let mut text = String::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            text += &roff::heading(&plain(title));
        } else if let Some(title) = line.strip_prefix("### ") {
            text += &roff::subheading(&plain(title));
        } else if line.starts_with("```") {
            let code: Vec<_> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
            text += &roff::literal(&code.join("\n"));
        } else if line.starts_with('|') {
            let heads = cells(line);
            // The rule below the heads.
            lines.next();
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                text += &table_row(&heads, &cells(row));
            }
        } else if let Some(item) = line.strip_prefix("- ") {
            text += &format!(".IP \\(bu 2\n{}\n", roff::filled(&inline(item)));
        } else if !line.trim().is_empty() {
            let mut paragraph = line.to_owned();
            let goes_on = |line: &&str| {
                !line.trim().is_empty() && !line.starts_with(['|', '#']) && !line.starts_with("```")
            };
            while let Some(more) = lines.next_if(goes_on) {
                paragraph += " ";
                paragraph += more;
            }
            text += &format!(".PP\n{}\n", roff::filled(&inline(&paragraph)));
        }
    }
    text
}

/// A row as an entry: the first cell, and the others with the heads that tell something.
fn table_row(heads: &[&str], cells: &[&str]) -> String {
    let mut meaning: Vec<String> = Vec::new();
    for (head, cell) in heads.iter().zip(cells).skip(1).filter(|(_, cell)| !cell.is_empty()) {
        let told = inline(cell);
        let is_plain = matches!(*head, "value" | "meaning" | "does" | "means" | "");
        meaning.push(if told == "required" {
            capital(&told)
        } else if is_plain || heads.len() == 2 {
            told
        } else {
            format!("{}: {told}", capital(head))
        });
    }
    roff::entry(&inline(cells.first().unwrap_or(&"")), &(meaning.join(". ") + "."))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().to_string())
        + letters.as_str()
}

fn cells(row: &str) -> Vec<&str> {
    // A bar inside of code has a space on neither side, or a backslash.
    row.trim().trim_start_matches('|').trim_end_matches('|').split(" | ").map(str::trim).collect()
}

/// Text with its code in bold and its links as what they say.
fn inline(text: &str) -> String {
    let mut roff = String::new();
    for (number, part) in without_links(text).split('`').enumerate() {
        roff += &if number % 2 == 1 { roff::bold(part) } else { emphasis(part) };
    }
    roff
}

fn emphasis(text: &str) -> String {
    let text = text.replace("**", "");
    let mut roff = String::new();
    for (number, part) in text.split('*').enumerate() {
        let part = roff::escaped(part);
        roff += &if number % 2 == 1 { format!("\\fI{part}\\fR") } else { part };
    }
    roff
}

fn plain(text: &str) -> String {
    without_links(text).replace('`', "")
}

/// Links become what they say, and where they lead when that is another page.
fn without_links(text: &str) -> String {
    let mut plain = text.to_owned();
    while let Some(middle) = plain.find("](") {
        let Some(end) = plain[middle..].find(')').map(|end| middle + end) else { break };
        let mut depth = 0;
        let start = plain[..middle].char_indices().rev().find(|(_, letter)| match letter {
            '[' if depth == 0 => true,
            '[' => {
                depth -= 1;
                false
            }
            ']' => {
                depth += 1;
                false
            }
            _ => false,
        });
        let Some((start, _)) = start else { break };
        let target = plain[middle + 2..end].to_owned();
        let said = plain[start + 1..middle].to_owned();
        let shown = match target.split('#').next().unwrap_or_default() {
            "" => said,
            page if page.contains("://") => format!("{said} <{target}>"),
            page if page == said => format!("docs/{page}"),
            page => match page.strip_prefix("../") {
                Some(page) => format!("{said} ({page})"),
                None => format!("{said} (docs/{page})"),
            },
        };
        plain.replace_range(start..=end, &shown);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_sections_entries_and_code() {
        let page = "## One `[a]`\n\nSee [the *page*](x.md#y) and [it](https://a.example).\nMore.\n\n\
                    | key | value | default |\n|---|---|---|\n| `a-b` | what | `1` |\n| c | d | |\n\n\
                    ```toml\n[x]\n.y\n```\n- item\n";
        assert_eq!(
            to_roff(page),
            ".SH \"One [a]\"\n.PP\nSee the \\fIpage\\fR (docs/x.md) and it <https://a.example>. More.\n\
             .TP\n\\fBa\\-b\\fR\nwhat. Default: \\fB1\\fR.\n.TP\nc\nd.\n\
             .PP\n.RS 4\n.nf\n[x]\n\\&.y\n.fi\n.RE\n.IP \\(bu 2\nitem\n"
        );
    }
}
