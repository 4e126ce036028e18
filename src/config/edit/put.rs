//! A group made what a document says, and nothing else: keys that it does not name go, and
//! so do real servers. The document is TOML, or JSON with the same keys, as programs have
//! it. What is the same already keeps its place, its comment and the way it is written.

use toml::Value;

use super::super::schema;
use super::entry::Entries;
use super::parts::is_same;
use super::setting::{Parts, Wanted};
use super::{ConfigErrors, Edit, NewServer, ServerName, ServerSetting, Setting, meaning};
use crate::config::write::{ORDER, Table, inline, quoted};

/// A part of a group that an edit touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// What became of it.
    pub became: Became,
    /// Which it is.
    pub part: Part,
}

/// What became of a part of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It was not there.
    Added,
    /// It is another.
    Changed,
    /// It is gone.
    Removed,
}

/// A part of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A key.
    Key(String),
    /// A real server.
    RealServer(ServerName),
}

/// A text as a table: JSON where it begins with a brace, which no TOML does, else TOML.
/// What is null in JSON is not there.
///
/// # Errors
/// It is neither, in a sentence.
pub fn read_document(text: &str) -> Result<toml::Table, String> {
    if !text.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return text.parse().map_err(|error: toml::de::Error| format!("no TOML: {error}"));
    }
    let read: serde_json::Value =
        serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    match from_json(read)? {
        Some(Value::Table(table)) => Ok(table),
        _ => Err("no JSON object".to_owned()),
    }
}

fn from_json(value: serde_json::Value) -> Result<Option<Value>, String> {
    use serde_json::Value as Json;
    Ok(Some(match value {
        Json::Null => return Ok(None),
        Json::Bool(value) => Value::Boolean(value),
        Json::String(text) => Value::String(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Value::Integer(number),
            (None, Some(number)) if !number.is_nan() && number.fract() != 0.0 => {
                Value::Float(number)
            }
            _ => return Err(format!("the number {number} is too large")),
        },
        Json::Array(items) => {
            let items: Result<Vec<_>, _> = items.into_iter().map(from_json).collect();
            Value::Array(items?.into_iter().flatten().collect())
        }
        Json::Object(rows) => {
            let mut table = toml::Table::new();
            for (key, value) in rows {
                if let Some(value) = from_json(value)? {
                    table.insert(key, value);
                }
            }
            Value::Table(table)
        }
    }))
}

/// A whole configuration in our style. What it should not hold is there too, and its
/// reader's to judge.
pub fn write_document(document: &toml::Table) -> String {
    let mut texts = Vec::new();
    let mut loose = String::new();
    for (key, value) in document {
        match (key.as_str(), value) {
            ("director", Value::Table(rows)) => {
                let mut table = Table::new(&["director"]);
                for (key, value) in rows {
                    table.set(key, toml_of(value));
                }
                texts.push(table.text());
            }
            ("group", Value::Table(groups)) => {
                for (name, value) in groups {
                    match value {
                        Value::Table(rows) => texts.push(group_text(name, rows)),
                        other => loose += &format!("group.{} = {}\n", quoted(name), toml_of(other)),
                    }
                }
            }
            (_, value) => loose += &format!("{} = {}\n", quoted(key), toml_of(value)),
        }
    }
    if !loose.is_empty() {
        texts.insert(0, loose);
    }
    texts.join("\n")
}

fn group_text(name: &str, rows: &toml::Table) -> String {
    let mut table = Table::new(&["group", name]);
    let others = rows.keys().map(String::as_str).filter(|key| !ORDER.contains(key));
    for key in ORDER.iter().copied().chain(others) {
        match rows.get(key) {
            None => {}
            Some(Value::Array(items)) => table.set_list(key, items.iter().map(toml_of).collect()),
            Some(value) => table.set(key, toml_of(value)),
        }
    }
    table.text()
}

/// A value as TOML on one line, the keys of a table in our order.
fn toml_of(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_of).collect::<Vec<_>>().join(", "))
        }
        Value::Table(table) => inline(&rows(table)),
        other => other.to_string(),
    }
}

fn rows(table: &toml::Table) -> Vec<(&str, String)> {
    let orders = [
        schema::REAL_SERVER.names,
        schema::PERSISTENCE.names,
        schema::SCHEDULER.names,
        schema::TUNNEL.names,
    ];
    let order = orders.into_iter().find(|names| table.keys().all(|key| names.contains(&&**key)));
    let mut rows: Vec<_> =
        table.iter().map(|(key, value)| (key.as_str(), toml_of(value))).collect();
    if let Some(order) = order {
        rows.sort_by_key(|(key, _)| order.iter().position(|known| known == key));
    }
    rows
}

impl Setting {
    /// The keys of a group, with their values.
    ///
    /// # Errors
    /// A group has no such key: which, and the nearest one as a remedy.
    pub fn of_table(table: &toml::Table) -> Result<Vec<Self>, (String, String)> {
        for key in table.keys() {
            super::known_key(key, &schema::GROUP).map_err(|hint| (key.clone(), hint))?;
        }
        let known = ORDER.iter().filter_map(|key| Some((*key, table.get(*key)?)));
        Ok(known.map(|(key, value)| Self { key, value: wanted(key, value) }).collect())
    }
}

fn wanted(key: &'static str, value: &Value) -> Wanted {
    let whole = toml_of(value);
    match (key, value) {
        ("ports", Value::Array(items)) => {
            let words: Vec<_> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            // What is no port stays what it is, and is refused.
            let is_plain = items.iter().all(|item| item.is_str() || item.is_integer());
            if is_plain { Setting::ports(&words).value } else { Wanted::One(whole) }
        }
        ("vips" | "services" | "real", Value::Array(items)) => {
            Wanted::List(items.iter().map(toml_of).collect())
        }
        ("persistence" | "scheduler" | "forward", Value::Table(table)) => {
            let order = match key {
                "persistence" => schema::PERSISTENCE.names,
                "scheduler" => schema::SCHEDULER.names,
                _ => schema::TUNNEL.names,
            };
            let named = |(name, value)| {
                let name = order.iter().copied().find(|known| *known == name)?;
                Some((name, value))
            };
            match rows(table).into_iter().map(named).collect::<Option<Vec<_>>>() {
                Some(rows) => Wanted::Parts(Parts { whole, rows, order, keeps_others: false }),
                None => Wanted::One(whole),
            }
        }
        _ => Wanted::One(whole),
    }
}

impl NewServer {
    /// A real server of a document; none where it is not one whose keys are known.
    fn of_value(value: &Value) -> Option<Self> {
        let table = match value {
            Value::String(address) => {
                return Some(Self { rows: vec![("address", quoted(address))] });
            }
            other => other.as_table()?,
        };
        let known = |key: &str| schema::REAL_SERVER.names.iter().copied().find(|it| *it == key);
        let rows = rows(table).into_iter().map(|(key, value)| Some((known(key)?, value)));
        let rows: Vec<_> = rows.collect::<Option<_>>()?;
        (rows.first()?.0 == "address").then_some(Self { rows })
    }
}

impl Edit {
    /// Makes the group what settings say, all of it. `enabled` stays as it is where they do
    /// not say.
    ///
    /// # Errors
    /// A part of the group stands in a layout that cannot be edited.
    pub fn put(&mut self, settings: &[Setting]) -> Result<Vec<Touched>, ConfigErrors> {
        let mut touched = Vec::new();
        let mut touch = |became, key: &str| {
            touched.push(Touched { became, part: Part::Key(key.to_owned()) });
        };
        let known = self.table().map_or_else(Vec::new, |it| it.keys().cloned().collect());
        let is_wanted = |key: &str| settings.iter().any(|setting| setting.key == key);
        for key in known.iter().filter(|key| *key != "enabled" && !is_wanted(key)) {
            if self.unset(key)? {
                touch(Became::Removed, key);
            }
        }
        for setting in settings.iter().filter(|setting| setting.key != "real") {
            let (before, had) = (self.text.clone(), self.has(setting.key));
            self.set(setting)?;
            if self.text != before {
                touch(if had { Became::Changed } else { Became::Added }, setting.key);
            }
        }
        for setting in settings.iter().filter(|setting| setting.key == "real") {
            touched.extend(self.put_real_servers(setting)?);
        }
        Ok(touched)
    }

    fn put_real_servers(&mut self, setting: &Setting) -> Result<Vec<Touched>, ConfigErrors> {
        let Some(wanted) = self.named_servers(setting) else {
            // What cannot be told apart is written anew, as a whole.
            let (before, had) = (self.text.clone(), self.has("real"));
            if self.set(setting).is_err() {
                self.unset("real")?;
                self.set(setting)?;
            }
            let became = if had { Became::Changed } else { Became::Added };
            let whole = Touched { became, part: Part::Key("real".to_owned()) };
            return Ok(if self.text == before { Vec::new() } else { vec![whole] });
        };
        let mut touched = Vec::new();
        let mut touch =
            |became, name| touched.push(Touched { became, part: Part::RealServer(name) });
        let known = self.real_servers();
        // The new ones first: behind the last of the tables that go there is no place.
        let new = wanted.iter().filter(|(name, _)| !known.contains(name));
        let (names, new): (Vec<_>, Vec<_>) = new.cloned().unzip();
        if !new.is_empty() {
            self.add_real_servers(&new)?;
            for name in names {
                touch(Became::Added, name);
            }
        }
        for name in known {
            let Some((_, server)) = wanted.iter().find(|(wanted, _)| *wanted == name) else {
                self.remove_real_server(name)?;
                touch(Became::Removed, name);
                continue;
            };
            if self.put_real_server(name, server)? {
                touch(Became::Changed, name);
            }
        }
        Ok(touched)
    }

    /// Makes a real server what it is wanted to be; whether anything was to be done.
    fn put_real_server(
        &mut self,
        name: ServerName,
        wanted: &NewServer,
    ) -> Result<bool, ConfigErrors> {
        let before = self.text.clone();
        let had = self.server_table(name).unwrap_or_default();
        let is_wanted = |key: &str| wanted.rows.iter().any(|(known, _)| *known == key);
        for key in had.keys().filter(|key| !is_wanted(key)) {
            self.unset_of_server(name, key)?;
        }
        for (key, value) in &wanted.rows {
            let is = had.get(*key).zip(meaning::value(value));
            // It is called by these, however they are written.
            if ["address", "port"].contains(key) || is.is_some_and(|(is, to)| is_same(is, &to)) {
                continue;
            }
            self.set_of_server(name, &ServerSetting { key, value: value.clone() })?;
        }
        Ok(self.text != before)
    }

    /// The real servers that are wanted, by their names, where all can be told apart: these,
    /// and those that the file has.
    fn named_servers(&self, setting: &Setting) -> Option<Vec<(ServerName, NewServer)>> {
        let Wanted::List(items) = &setting.value else { return None };
        let named = |item: &String| {
            let server = NewServer::of_value(&meaning::value(item)?)?;
            Some((server.name()?, server))
        };
        let wanted: Vec<_> = items.iter().map(named).collect::<Option<_>>()?;
        let known = self.real_servers();
        let all = Entries::of(&self.text, &self.group)?.all.len();
        let is_one =
            |names: &[ServerName]| (1..names.len()).all(|at| !names[..at].contains(&names[at]));
        let asked: Vec<_> = wanted.iter().map(|(name, _)| *name).collect();
        let is_clear = known.len() == all && is_one(&known) && is_one(&asked);
        (is_clear && all > 0 && !wanted.is_empty()).then_some(wanted)
    }

    /// What the file says of a real server.
    fn server_table(&self, name: ServerName) -> Option<toml::Table> {
        let index = self.index(name)?;
        let mut group = self.table()?;
        meaning::server(&mut group, index).map(|table| table.clone())
    }

    /// What the file says of the group.
    fn table(&self) -> Option<toml::Table> {
        let document: toml::Table = self.text.parse().ok()?;
        document.get("group")?.get(&self.group)?.as_table().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Options, Sources, load};

    fn edit(text: &str) -> (tempfile::TempDir, Edit) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("web.toml");
        std::fs::write(&file, text).expect("writable");
        let config = load(Sources::file(&file), &Options::default()).expect("valid");
        let (edit, _) = Edit::of_group(&config, "web", 0).expect("there");
        (folder, edit)
    }

    #[track_caller]
    fn put(before: &str, document: &str) -> (String, Vec<String>) {
        let (_folder, mut edit) = edit(before);
        let table = read_document(document).expect("a document");
        let touched = edit.put(&Setting::of_table(&table).expect("known keys")).expect("editable");
        let again = edit.put(&Setting::of_table(&table).expect("known keys")).expect("editable");
        assert_eq!(again, [], "it is so already");
        let told = touched.iter().map(|it| match &it.part {
            Part::Key(key) => format!("{:?} {key}", it.became),
            Part::RealServer(name) => format!("{:?} {name}", it.became),
        });
        (edit.text().to_owned(), told.collect())
    }

    #[test]
    fn what_is_not_named_goes_and_what_stays_keeps_its_comments() {
        let before = "# The web.\n[group.web]\nvips  = [\"172.18.100.7\"]   # clients\n\
                      ports = [\n  \"80/tcp\",  # plain\n  \"443/tcp\",\n]\nmark  = 10\n\
                      persistence = { mode = \"pfwmc\", timeout = \"5m\", netmask = 24 }\n\
                      enabled = false\n\n[[group.web.real]]\naddress = \"10.0.0.1\"  # old\n\n\
                      [[group.web.real]]\naddress = \"10.0.0.2\"\nweight = 3 # strong\n";
        let (text, touched) = put(
            before,
            r#"{"vips": ["172.18.100.7"], "ports": [80, "81"], "mark": null,
                "persistence": {"timeout": 300, "mode": "pfwmc"},
                "real": [{"address": "10.0.0.2", "weight": 4}, "10.0.0.3"]}"#,
        );
        assert_eq!(
            text,
            "# The web.\n[group.web]\nvips  = [\"172.18.100.7\"]   # clients\n\
             ports = [\n  \"80/tcp\",  # plain\n  \"81/tcp\",\n]\n\
             persistence = { mode = \"pfwmc\", timeout = \"5m\" }\n\
             enabled = false\n\n\
             [[group.web.real]]\naddress = \"10.0.0.2\"\nweight = 4 # strong\n\n\
             [[group.web.real]]\naddress = \"10.0.0.3\"\n"
        );
        assert_eq!(
            touched,
            [
                "Removed mark",
                "Changed ports",
                "Changed persistence",
                "Added 10.0.0.3",
                "Removed 10.0.0.1",
                "Changed 10.0.0.2"
            ]
        );
    }

    #[test]
    fn servers_are_all_replaced_whatever_their_layout() {
        let head = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\n";
        let document = "vips = [\"172.18.100.7\"]\nports = [80]\nreal = [\"10.0.0.8\"]\n";
        let (text, _) = put(&format!("{head}real = [\"10.0.0.1\", \"10.0.0.2\"]\n"), document);
        assert_eq!(text, format!("{head}real = [\"10.0.0.8\"]\n"));
        let tables = "[[group.web.real]]\naddress = \"10.0.0.1\"\n";
        let (text, _) = put(&format!("{head}\n{tables}"), document);
        assert_eq!(text, format!("{head}\n{}", tables.replace("0.1", "0.8")));
    }

    #[test]
    fn a_document_of_json_becomes_toml_in_our_style() {
        let json = r#"{"group": {"web": {"real": [{"weight": 2, "address": "10.0.0.1"}],
            "vips": ["172.18.100.7"], "enabled": null, "scheduler": {"flags": ["port"], "name": "mh"}}},
            "director": {"sysctl": {"ip_forward": 1}}, "surprise": 1.5}"#;
        assert_eq!(
            write_document(&read_document(json).expect("JSON")),
            "\"surprise\" = 1.5\n\n[director]\nsysctl = { ip_forward = 1 }\n\n\
             [group.web]\nvips      = [\"172.18.100.7\"]\n\
             scheduler = { name = \"mh\", flags = [\"port\"] }\n\
             real      = [{ address = \"10.0.0.1\", weight = 2 }]\n"
        );
        assert!(read_document("{\"a\": ").expect_err("cut").starts_with("no JSON"));
        assert!(read_document("a =").expect_err("cut").starts_with("no TOML"));
        let (key, hint) =
            Setting::of_table(&read_document("vip = 1").expect("TOML")).expect_err("unknown");
        assert_eq!((key.as_str(), hint.as_str()), ("vip", "did you mean 'vips'?"));
    }
}
