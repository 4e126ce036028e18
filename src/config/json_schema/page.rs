//! What `docs/config.md` says of a key, so that an editor says the same.

const PAGE: &str = include_str!("../../../docs/config.md");

/// What the page says of a key in the first table below a heading: the meaning, and the
/// default where there is one. Nothing where there is no such row; a test sees to it.
pub(super) fn told(heading: &str, key: &str) -> String {
    let name = format!("`{key}`");
    let below = PAGE.split_once(&format!("\n{heading}\n")).map_or("", |(_, below)| below);
    let section = below.split("\n#").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let row =
        rows.map(cells).find(|cells| cells.first().is_some_and(|first| first.contains(&name)));
    let Some(row) = row else { return prose(section) };
    let meaning = row.get(1).map(|cell| plain(cell)).unwrap_or_default();
    match row.get(2).map(|cell| plain(cell)).filter(|default| !default.is_empty()) {
        Some(default) if default == "required" => format!("{meaning} (required)"),
        Some(default) => format!("{meaning} (default: {default})"),
        None => meaning,
    }
}

/// The first paragraph, where a section has no table.
fn prose(section: &str) -> String {
    if section.contains("\n|") {
        return String::new();
    }
    plain(section.split("\n\n").find(|text| !text.trim().is_empty()).unwrap_or_default())
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

/// Markdown without its signs: links become what they say, code stays as it is.
fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    while let Some(said) = plain.find("](") {
        let (Some(start), Some(end)) = (opening(&plain[..said]), plain[said..].find(')')) else {
            break;
        };
        plain.replace_range(said..=said + end, "");
        plain.remove(start);
    }
    plain.replace('`', "").trim().to_owned()
}

/// Where the bracket is that the end of a text is inside of.
fn opening(text: &str) -> Option<usize> {
    let mut closed = 0;
    text.char_indices().rev().find_map(|(at, letter)| {
        match letter {
            '[' if closed == 0 => return Some(at),
            '[' => closed -= 1,
            ']' => closed += 1,
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_code_become_text() {
        assert_eq!(plain("the [address](#forward) of `snat`"), "the address of snat");
        assert_eq!(plain("in [`[director.sync]`](#a), [b](c)"), "in [director.sync], b");
        assert_eq!(plain("`{ \"80/tcp\" = 80 }`, [a]"), "{ \"80/tcp\" = 80 }, [a]");
    }

    #[test]
    fn a_row_and_a_section_are_found() {
        assert!(told("## `[group.NAME]`", "mark").starts_with("the mark of the group"));
        assert!(told("### `real`", "weight").ends_with("(default: 1)"));
        assert!(told("### `[director.timeouts]`", "tcp").starts_with("tcp, tcp-fin and udp"));
        assert_eq!(told("## `[group.NAME]`", "nonsense"), "");
    }
}
