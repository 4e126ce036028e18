//! Editing a file of the configuration: what a command changes, and nothing else.
//!
//! An edit is a splice: the parser says where a value stands, and only the bytes there
//! are replaced. So comments, order, blank lines, line ends and style of all the rest stay
//! by construction ([0021](../../../docs/decisions/0021-edits-are-splices.md)). What the
//! file means afterwards is compared with what was asked for; then the whole
//! configuration is to be read with it (`Options::instead`) before anything is written.

mod document;
mod entry;
mod keys;
mod list;
mod lists;
mod meaning;
mod mistake;
mod name;
mod parts;
mod piece;
mod place;
mod put;
mod servers;
mod setting;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::diagnostic::Report;
use super::text::nearest;
use super::{Config, ConfigErrors, schema, source};
use crate::config::write::ORDER;
use crate::model::Group;
use document::{Step, statements};
use setting::Wanted;

pub use name::ServerName;
pub use place::Files;
pub use put::{Became, Part, Touched, read_document, write_document};
pub use setting::{NewServer, ServerSetting, Setting};

/// A file of the configuration that is being edited.
#[derive(Debug, Clone)]
pub struct Edit {
    path: Arc<Path>,
    group: String,
    before: String,
    text: String,
    exists: bool,
}

fn known_key(key: &str, keys: &schema::Keys) -> Result<(), String> {
    if keys.names.contains(&key) {
        return Ok(());
    }
    if let Some((_, hint)) = keys.others.iter().find(|(known, _)| *known == key) {
        return Err((*hint).to_owned());
    }
    // The options are in the singular, and are nearer than another key may seem.
    let plural = keys.names.iter().copied().find(|name| name.strip_suffix('s') == Some(key));
    Err(match plural.or_else(|| nearest(key, keys.names.iter().copied())) {
        Some(near) => format!("did you mean '{near}'?"),
        None => format!("the keys of {} are {}", keys.of, keys.names.join(", ")),
    })
}

/// The path to the table of a group.
fn path(group: &str) -> Vec<Step> {
    vec![Step::Key("group".to_owned()), Step::Key(group.to_owned())]
}

impl Edit {
    /// Opens the file that a group is defined in, as the user `uid`. Its text is read here,
    /// once, so that it is known what an edit replaces.
    ///
    /// # Errors
    /// There is no such group, it came from standard input, or its file cannot be read.
    pub fn of_group(config: &Config, group: &str, uid: u32) -> Result<(Self, Group), ConfigErrors> {
        let known = config.groups.iter().zip(&config.origins);
        let Some((found, origin)) =
            known.into_iter().find(|(known, _)| known.name.as_str() == group)
        else {
            return Err(mistake::unknown_group(config, group, uid));
        };
        let Some(path) = &origin.path else { return Err(mistake::no_file(group)) };
        let mut report = Report::default();
        let file = source::read_file(path, uid, &mut report);
        let text = file.map(|file| report.file(file).text().to_owned());
        report.finish()?;
        let (path, group) = (Arc::clone(path), group.to_owned());
        let text = text.unwrap_or_default();
        Ok((Self { path, group, before: text.clone(), text, exists: true }, found.clone()))
    }

    /// Opens the file that says something of a group, whatever else is wrong in it or in
    /// another one: an edit may be what mends it. None where no file does that can be read.
    pub fn of_group_in(files: &Files, group: &str, uid: u32) -> Option<Self> {
        let mut report = Report::default();
        files.existing(&mut report).into_iter().find_map(|path: PathBuf| {
            let number = source::read_file(&path, uid, &mut report)?;
            let text = report.file(number).text().to_owned();
            mistake::group_key(&text, group)?;
            let (path, group) = (Arc::from(path), group.to_owned());
            Some(Self { path, group, before: text.clone(), text, exists: true })
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// What it holds on disk.
    pub fn before(&self) -> &str {
        &self.before
    }

    /// What it shall hold.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the file is there already.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// Whether the file would hold nothing any more, not even a comment.
    pub fn is_emptied(&self) -> bool {
        self.text.trim_start_matches('\u{feff}').trim().is_empty()
    }

    /// What the file says of the group, with the comment right above it.
    pub fn excerpt(&self) -> String {
        let Some(statements) = statements(&self.text) else { return String::new() };
        let pieces = piece::pieces(&self.text, &statements, &path(&self.group));
        let texts: Vec<_> = pieces
            .into_iter()
            .map(|piece| self.text[piece].trim_matches(['\n', '\r']).to_owned() + "\n")
            .collect();
        texts.join("\n")
    }

    /// The real servers of the group, as far as the file says how they are called.
    pub fn real_servers(&self) -> Vec<ServerName> {
        let entries = entry::Entries::of(&self.text, &self.group);
        entries.map_or_else(Vec::new, |it| it.all.iter().filter_map(|entry| entry.name).collect())
    }

    /// The real server of the group that a name means.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn real_server(&self, name: ServerName) -> Result<ServerName, ConfigErrors> {
        let known = self.real_servers();
        let meant: Vec<_> = known.iter().copied().filter(|server| name.may_be(*server)).collect();
        match meant.as_slice() {
            [] => Err(mistake::unknown_server(self, &known, name)),
            [only] => Ok(*only),
            several if several.contains(&name) => Ok(name),
            several => Err(mistake::ambiguous(self, several, name)),
        }
    }

    /// Sets a key of the group.
    ///
    /// # Errors
    /// It stands in a layout that cannot be edited.
    pub fn set(&mut self, setting: &Setting) -> Result<(), ConfigErrors> {
        let key = setting.key;
        let (text, value) = match &setting.value {
            Wanted::One(value) if self.says(key, value) => return Ok(()),
            Wanted::One(value) => (self.with_key(key, value), meaning::value(value)),
            Wanted::Parts(parts) if self.says(key, &parts.whole) => return Ok(()),
            Wanted::Parts(parts) => match parts::set(&self.text, &self.group, key, parts) {
                Some((text, value)) => (Some(text), Some(value)),
                None => (self.with_key(key, &parts.whole), meaning::value(&parts.whole)),
            },
            Wanted::List(items) => {
                // What stays and what is new, in whatever order; else a new list.
                let kept = lists::set(&self.text, &self.group, key, items);
                let value = kept.as_ref().map(|it| lists::value(it, &self.group, key, items));
                let new = format!("[{}]", items.join(", "));
                (
                    kept.or_else(|| self.with_key(key, &new)),
                    value.unwrap_or_else(|| meaning::value(&new)),
                )
            }
        };
        let spliced = text.filter(|text| {
            let expected = meaning::of_group(&self.text, &self.group, |table| {
                table.insert(key.to_owned(), value?);
                Some(())
            });
            expected.is_some() && text.parse::<toml::Table>().ok() == expected
        });
        self.take(spliced, &format!("'{key}'"))
    }

    /// Whether a group may have a key.
    ///
    /// # Errors
    /// The nearest one, or all, as a remedy.
    pub fn check_key(key: &str) -> Result<(), String> {
        known_key(key, &schema::GROUP)
    }

    /// Whether a real server may have a key.
    ///
    /// # Errors
    /// As [`Edit::check_key`].
    pub fn check_server_key(key: &str) -> Result<(), String> {
        if key == "address" {
            return Err("a real server is its address: remove it, and add another".to_owned());
        }
        known_key(key, &schema::REAL_SERVER)
    }

    /// Takes a key of the group out; whether it was there.
    ///
    /// # Errors
    /// It stands in a layout that cannot be edited.
    pub fn unset(&mut self, key: &str) -> Result<bool, ConfigErrors> {
        let mut was_there = false;
        let expected = meaning::of_group(&self.text, &self.group, |table| {
            was_there = table.remove(key).is_some();
            Some(())
        });
        if !was_there {
            return Ok(false);
        }
        let spliced = keys::keys(&self.text, &path(&self.group))
            .and_then(|keys| keys.unset(&self.text, key))
            .filter(|text| text.parse::<toml::Table>().ok() == expected);
        self.take(spliced, &format!("'{key}'")).map(|()| true)
    }

    /// Takes the group out, with the comment right above it.
    ///
    /// # Errors
    /// It stands in a layout that cannot be edited.
    pub fn remove_group(&mut self) -> Result<(), ConfigErrors> {
        let spliced = statements(&self.text).and_then(|statements| {
            let text =
                piece::remove(&self.text, &statements, &path(&self.group)).or_else(|| {
                    // The groups are in braces.
                    let groups = keys::keys(&self.text, &path(&self.group)[..1])?;
                    groups.unset(&self.text, &self.group)
                })?;
            let is_same = meaning::without(&text, &self.group)
                == meaning::without(&self.text, &self.group)
                && mistake::group_key(&text, &self.group).is_none();
            is_same.then_some(text)
        });
        self.take(spliced, "it")
    }

    /// Adds real servers behind the last one.
    ///
    /// # Errors
    /// The group has one of them already, or a layout that cannot be edited.
    pub fn add_real_servers(&mut self, servers: &[NewServer]) -> Result<(), ConfigErrors> {
        let known = self.real_servers();
        for server in servers {
            let Some(name) = server.name() else { continue };
            if known.contains(&name) {
                return Err(mistake::server_exists(self, name));
            }
        }
        let spliced = servers::add(&self.text, &self.group, servers).and_then(|text| {
            let expected = meaning::of_group(&self.text, &self.group, |table| {
                for server in servers {
                    let meant = servers::meaning(&self.text, &self.group, server)?;
                    meaning::servers(table)?.push(meant);
                }
                Some(())
            })?;
            (text.parse::<toml::Table>().ok()? == expected).then_some(text)
        });
        self.take(spliced, "'real'")
    }

    /// Sets a key of a real server.
    ///
    /// # Errors
    /// The file has it no more, or in a layout that cannot be edited.
    pub fn set_of_server(
        &mut self,
        server: impl Into<ServerName>,
        setting: &ServerSetting,
    ) -> Result<(), ConfigErrors> {
        let name = server.into();
        let ServerSetting { key, value } = setting;
        let spliced = servers::set(&self.text, &self.group, name, (*key, value.as_str()));
        let spliced = spliced.and_then(|text| {
            let expected = self.with_server(name, |server| {
                server.insert((*key).to_owned(), meaning::value(value)?);
                Some(())
            })?;
            (text.parse::<toml::Table>().ok()? == expected).then_some(text)
        });
        self.take(spliced, &name.to_string())
    }

    /// Takes a key of a real server out; whether it was there.
    ///
    /// # Errors
    /// The file has it no more, or in a layout that cannot be edited.
    pub fn unset_of_server(
        &mut self,
        server: impl Into<ServerName>,
        key: &str,
    ) -> Result<bool, ConfigErrors> {
        let name = server.into();
        let mut was_there = false;
        let expected = self.with_server(name, |server| {
            was_there = server.remove(key).is_some();
            Some(())
        });
        if expected.is_some() && !was_there {
            return Ok(false);
        }
        let spliced = servers::unset(&self.text, &self.group, name, key)
            .filter(|text| text.parse::<toml::Table>().ok() == expected);
        self.take(spliced, &name.to_string()).map(|()| true)
    }

    /// Gives a real server another weight.
    ///
    /// # Errors
    /// The file has it no more, or in a layout that cannot be edited.
    pub fn set_weight(
        &mut self,
        server: impl Into<ServerName>,
        weight: u32,
    ) -> Result<(), ConfigErrors> {
        self.set_of_server(server, &ServerSetting { key: "weight", value: weight.to_string() })
    }

    /// Removes a real server. What a comment says about it alone goes with it: at the end
    /// of its line, and right above its table.
    ///
    /// # Errors
    /// The file has it no more, or in a layout that cannot be edited.
    pub fn remove_real_server(
        &mut self,
        server: impl Into<ServerName>,
    ) -> Result<(), ConfigErrors> {
        let name = server.into();
        let expected = self.index(name).and_then(|index| {
            meaning::of_group(&self.text, &self.group, |table| {
                let servers = meaning::servers(table)?;
                (index < servers.len()).then(|| drop(servers.remove(index)))
            })
        });
        let spliced = servers::remove(&self.text, &self.group, name)
            .filter(|text| meaning::of_servers(text, &self.group) == expected);
        self.take(spliced, &name.to_string())
    }

    /// The mistake of an edit after which nobody takes the clients of a group; `only` is
    /// whether no real server at all would be left.
    pub fn last(&self, server: impl Into<ServerName>, only: bool) -> ConfigErrors {
        mistake::last(self, server.into(), only)
    }

    /// Whether the group has a key.
    pub fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// What a key of the group has for a value.
    fn value(&self, key: &str) -> Option<toml::Value> {
        let document: toml::Table = self.text.parse().ok()?;
        document.get("group")?.get(&self.group)?.get(key).cloned()
    }

    /// Whether a key of the group has a value already, however it is written.
    pub fn says(&self, key: &str, value: &str) -> bool {
        let known = self.value(key).zip(meaning::value(value));
        known.is_some_and(|(known, wanted)| parts::is_same(&known, &wanted))
    }

    /// The text with a key of the group set to a value, which is TOML.
    fn with_key(&self, key: &str, value: &str) -> Option<String> {
        keys::keys(&self.text, &path(&self.group))?.set(&self.text, ORDER, key, value)
    }

    /// What the file means when a real server is changed.
    fn with_server(
        &self,
        name: ServerName,
        change: impl FnOnce(&mut toml::Table) -> Option<()>,
    ) -> Option<toml::Table> {
        let index = self.index(name)?;
        meaning::of_group(&self.text, &self.group, |table| change(meaning::server(table, index)?))
    }

    /// Where a real server stands in its list.
    fn index(&self, name: ServerName) -> Option<usize> {
        entry::Entries::of(&self.text, &self.group)?.find(name).map(|(index, _)| index)
    }

    /// Takes a text over that means what was asked for.
    fn take(&mut self, spliced: Option<String>, what: &str) -> Result<(), ConfigErrors> {
        self.text = spliced.ok_or_else(|| mistake::not_editable(self, what))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
