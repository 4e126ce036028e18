//! What a script for nft(8) says, as far as it can be told from its words: no grammar of
//! nft, only tables, maps, rules and includes.

use std::collections::BTreeSet;

/// What was found in a script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Script {
    /// The line of the first rule of our table that looks up an interval map by a key with
    /// `meta l4proto`, as earlier versions made it.
    pub(super) former_lookup: Option<usize>,
    /// Whether our table stands in it as nft lists it, in lines of its own.
    pub(super) has_plain_table: bool,
    /// Whether it holds no table but ours, and includes nothing.
    pub(super) is_ours_alone: bool,
    /// The files that it includes.
    pub(super) includes: Vec<String>,
}

/// A word of a script: braces, semicolons and the ends of lines are words too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word<'a> {
    Plain(&'a str),
    Quoted(&'a str),
    Open,
    Close,
    /// The end of a statement.
    End,
}

/// A statement that begins at a line.
#[derive(Default)]
struct Statement<'a> {
    line: usize,
    words: Vec<&'a str>,
}

impl Script {
    pub(super) fn read(text: &str) -> Self {
        let mut script = Self::default();
        let (mut others, mut depth, mut ours) = (false, 0_usize, false);
        // Interval maps with a protocol in the key, and rules that have one in theirs.
        let (mut maps, mut rules) = (BTreeSet::new(), Vec::new());
        let (mut map, mut has_protocol, mut has_intervals) = (None, false, false);
        let mut statement = Statement::default();
        each_word(text, |line, word| {
            let words = &mut statement.words;
            match word {
                Word::Plain(word) => {
                    if words.is_empty() {
                        statement.line = line;
                    }
                    words.push(word);
                    has_protocol |= word == "inet_proto";
                    has_intervals |= word.split(',').any(|word| word == "interval");
                }
                Word::Quoted(path) if words.last() == Some(&"include") => {
                    script.includes.push(path.to_owned());
                }
                Word::Quoted(_) => {}
                Word::Open => {
                    if depth == 0 {
                        ours = is_of_our_table(words);
                        others |= !ours;
                    }
                    if depth == 1 && ours {
                        map = words.strip_prefix(&["map"]).and_then(|name| name.first().copied());
                        (has_protocol, has_intervals) = (false, false);
                    }
                    depth += 1;
                    words.clear();
                }
                Word::Close => {
                    depth = depth.saturating_sub(1);
                    if depth == 1 && ours {
                        maps.extend(map.take().filter(|_| has_protocol && has_intervals));
                    }
                    if depth == 0 {
                        ours = false;
                    }
                    words.clear();
                }
                Word::End => {
                    if depth == 2 && ours && words.windows(2).any(|two| two == ["meta", "l4proto"])
                    {
                        let name = words.iter().find_map(|word| word.strip_prefix('@'));
                        rules.extend(name.map(|name| (statement.line, name)));
                    }
                    // A chain or a rule can stand there by itself, and so can a flush.
                    others |= depth == 0 && !words.is_empty() && !is_of_our_table(words);
                    words.clear();
                }
            }
        });
        script.former_lookup =
            rules.into_iter().find(|(_, map)| maps.contains(map)).map(|(line, _)| line);
        let mut lines = text.lines();
        script.has_plain_table =
            lines.any(|line| line == "table inet fwmarkctl {") && lines.any(|line| line == "}");
        script.is_ours_alone = !others && script.includes.is_empty();
        script
    }
}

/// Whether a statement outside of braces makes or deletes our table.
fn is_of_our_table(words: &[&str]) -> bool {
    let table = words.strip_suffix(&["inet", "fwmarkctl"]);
    table.is_some_and(|verb| {
        matches!(verb, ["table"] | ["add" | "create" | "delete" | "destroy", "table"])
    })
}

/// Calls `each` with every word of `text` and its line.
fn each_word<'a>(text: &'a str, mut each: impl FnMut(usize, Word<'a>)) {
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line;
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.chars().next() else { break };
            let mark = match first {
                '#' => break,
                '{' => Some(Word::Open),
                '}' => Some(Word::Close),
                ';' => Some(Word::End),
                _ => None,
            };
            if let Some(mark) = mark {
                // What stands before a brace on its line is a statement, too.
                if mark == Word::Close {
                    each(number, Word::End);
                }
                each(number, mark);
                rest = &rest[1..];
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let end = quoted.find('"').unwrap_or(quoted.len());
                each(number, Word::Quoted(&quoted[..end]));
                rest = quoted.get(end + 1..).unwrap_or_default();
            } else {
                let is_end = |c: char| c.is_whitespace() || "{};\"#".contains(c);
                let end = rest.find(is_end).unwrap_or(rest.len());
                each(number, Word::Plain(&rest[..end]));
                rest = &rest[end..];
            }
        }
        if !line.trim_end().ends_with('\\') {
            each(number, Word::End);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMER: &str = include_str!("../../../tests/loading/earlier-full.nft");

    fn line_of(text: &str, part: &str) -> Option<usize> {
        text.lines().position(|line| line.contains(part)).map(|line| line + 1)
    }

    #[test]
    fn a_lookup_of_an_interval_map_by_protocol_is_found_with_its_line() {
        let script = Script::read(FORMER);
        assert_eq!(script.former_lookup, line_of(FORMER, "map @range4"));
        assert!(script.has_plain_table && script.is_ours_alone);
        let whole = format!("table inet filter {{\n}}\n{FORMER}");
        let script = Script::read(&whole);
        assert_eq!(script.former_lookup, line_of(&whole, "map @range4"));
        assert!(script.has_plain_table && !script.is_ours_alone);
    }

    /// The remedy for a file of our table alone writes the file anew.
    #[test]
    fn what_is_beside_our_table_is_seen_however_it_is_written() {
        for beside in [
            "flush ruleset",
            "add table inet filter",
            "add chain inet filter input { type filter hook input priority 0; policy drop; }",
            "add rule inet filter input tcp dport 22 accept",
            "table inet filter {\n}",
            "define servers = { 192.0.2.1 }",
            "include \"/etc/nftables.d/*.nft\"",
        ] {
            assert!(!Script::read(&format!("{beside}\n{FORMER}")).is_ours_alone, "{beside}");
            assert!(!Script::read(&format!("{FORMER}\n{beside}\n")).is_ours_alone, "{beside}");
        }
        let anew = "#!/usr/sbin/nft -f\nadd table inet fwmarkctl\ndelete table inet fwmarkctl\n";
        assert!(Script::read(&format!("{anew}{FORMER}")).is_ours_alone);
    }

    #[test]
    fn it_is_found_however_it_is_written() {
        let text = "define x = 5; table inet fwmarkctl { map m { type ipv4_addr . inet_proto : mark; \
                    flags constant,interval; }; chain c { meta mark set ip daddr . meta l4proto map @m \
                    accept } }";
        let script = Script::read(text);
        assert_eq!((script.former_lookup, script.has_plain_table), (Some(1), false));
    }

    #[test]
    fn hash_maps_tables_of_others_and_what_is_made_now_are_not_meant() {
        let now = include_str!("../../../tests/golden/ranges/nft");
        assert_eq!(Script::read(now).former_lookup, None);
        for other in ["table inet fwmarkctl2", "table ip fwmarkctl", "#table inet fwmarkctl"] {
            let text = FORMER.replace("table inet fwmarkctl", other);
            assert_eq!(Script::read(&text).former_lookup, None, "{other}");
        }
        assert_eq!(Script::read(&FORMER.replace("flags interval", "")).former_lookup, None);
        // A set that ends counts for no other.
        let sets = "table inet fwmarkctl {\n map m {\n type mark : mark\n }\n set s {\n \
                    type inet_proto\n flags interval\n }\n chain c {\n meta l4proto @m accept\n }\n}";
        assert_eq!(Script::read(sets).former_lookup, None);
    }

    #[test]
    fn any_text_is_read_to_its_end() {
        for text in ["", "}", "}}}{{{", "\"", "table inet fwmarkctl {", "include", "é{\"ü", "\\\n;"]
        {
            Script::read(text);
        }
        for end in 0..FORMER.len() {
            Script::read(&FORMER[..end]);
        }
        let includes = "include \"a b\"; include \"c\" # include \"d\"\nincludes \"e\"";
        assert_eq!(Script::read(includes).includes, ["a b", "c"]);
    }
}
