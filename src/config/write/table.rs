//! A table of TOML in our style: its equals signs stand below each other, and a list that
//! is too long for its line has a line for each item.

use std::fmt::Write;

/// The longest line, in characters.
const WIDTH: usize = 100;

/// A table that grows key by key.
pub(in crate::config) struct Table {
    header: String,
    rows: Vec<(String, Value)>,
}

/// What a key is set to.
pub(super) enum Value {
    /// On the line of its key.
    One(String),
    /// In brackets.
    List(Vec<String>),
}

impl Table {
    /// A table of these names, which become keys.
    pub(in crate::config) fn new(names: &[&str]) -> Self {
        let names: Vec<_> = names.iter().map(|name| key(name)).collect();
        Self { header: format!("[{}]\n", names.join(".")), rows: Vec::new() }
    }

    /// Sets a key to what is TOML already.
    #[allow(clippy::needless_pass_by_value, reason = "a number as well as a text")]
    pub(in crate::config) fn set(&mut self, name: &str, value: impl ToString) {
        self.rows.push((key(name), Value::One(value.to_string())));
    }

    /// Sets a key to a list of what is TOML already.
    pub(in crate::config) fn set_list(&mut self, name: &str, items: Vec<String>) {
        self.rows.push((key(name), Value::List(items)));
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The text.
    pub(in crate::config) fn text(self) -> String {
        self.header.clone() + &self.rows()
    }

    /// The text below the header.
    pub(in crate::config) fn rows(self) -> String {
        let widest = self.rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (key, value) in self.rows {
            let begin = format!("{key:widest$} = ");
            let line = match &value {
                Value::One(value) => value.clone(),
                Value::List(items) => format!("[{}]", items.join(", ")),
            };
            match value {
                Value::List(items) if begin.len() + line.len() > WIDTH => {
                    text += &format!("{begin}[\n");
                    text.extend(items.iter().map(|item| format!("    {item},\n")));
                    text += "]\n";
                }
                _ => text += &format!("{begin}{line}\n"),
            }
        }
        text
    }
}

/// A table in one line.
pub(in crate::config) fn inline(rows: &[(&str, String)]) -> String {
    let rows: Vec<_> =
        rows.iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    format!("{{ {} }}", rows.join(", "))
}

/// A key, with quotes where it needs them (TOML 1.0.0, "Keys").
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A basic string (TOML 1.0.0, "String").
#[allow(clippy::needless_pass_by_value, reason = "a name as well as a text")]
pub(in crate::config) fn quoted(text: impl ToString) -> String {
    let mut quoted = String::from("\"");
    for character in text.to_string().chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                // Writing into a string cannot fail.
                write!(quoted, "\\u{:04x}", u32::from(character)).ok();
            }
            _ => quoted.push(character),
        }
    }
    quoted + "\""
}

/// A time in the largest unit that divides it.
pub(super) fn time(seconds: u32) -> String {
    let unit = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let found =
        unit.into_iter().find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    let (length, name) = found.unwrap_or((1, "s"));
    quoted(format!("{}{name}", seconds / length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_quoted() {
        let text = "a\"b\\c\nd\u{7f}";
        let read: toml::Table = format!("x = {}", quoted(text)).parse().expect("TOML");
        assert_eq!(read["x"].as_str(), Some(text));
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(key("net/x"), "\"net/x\"");
        assert_eq!(key("web-1_x"), "web-1_x");
    }

    #[test]
    fn times_are_short() {
        let all = [1, 60, 90, 300, 5_400, 3_600, 86_400, 2_678_400].map(time);
        let wanted = ["1s", "1m", "90s", "5m", "90m", "1h", "1d", "31d"];
        assert_eq!(all, wanted.map(quoted));
    }

    #[test]
    fn a_long_list_has_a_line_for_each_item() {
        let mut table = Table::new(&["group", "a.b"]);
        table.set("mark", 10);
        table.set_list("vips", vec![quoted("x"); 3]);
        table.set_list("real", vec![quoted("y".repeat(60)); 2]);
        let y = "y".repeat(60);
        let wanted = format!(
            "[group.\"a.b\"]\nmark = 10\nvips = [\"x\", \"x\", \"x\"]\nreal = [\n    \"{y}\",\n    \"{y}\",\n]\n"
        );
        assert_eq!(table.text(), wanted);
    }
}
