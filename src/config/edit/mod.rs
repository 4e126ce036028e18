//! Editing a file of the configuration: what a command changes, and nothing else.
//!
//! An edit is a splice: the parser says where a value stands, and only the bytes there
//! are replaced. So comments, order, blank lines, line ends and style of all the rest stay
//! by construction ([0018](../../../docs/decisions/0018-edits-are-splices.md)). What the
//! file means afterwards is compared with what was asked for; then the whole
//! configuration is to be read with it (`Options::instead`) before anything is written.

mod entry;
mod layout;
mod mistake;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::diagnostic::Report;
use super::{Config, ConfigErrors, source};
use crate::model::{Group, RealServer};
use entry::Entries;

/// A real server as it is named on a command line: an address, and a port where the group
/// has several of that address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerName {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Option<u16>,
}

impl ServerName {
    /// Whether it may mean a real server.
    fn may_be(self, server: &RealServer) -> bool {
        self.address == server.address && (self.port.is_none() || self.port == server.port)
    }

    /// The name of a real server.
    pub fn of(server: &RealServer) -> Self {
        Self { address: server.address, port: server.port }
    }
}

impl std::fmt::Display for ServerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            None => write!(f, "{}", self.address),
            Some(port) => write!(f, "{}", SocketAddr::new(self.address, port)),
        }
    }
}

impl FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self { address, port: None });
        }
        match text.parse::<SocketAddr>() {
            Ok(place) if place.port() > 0 => {
                Ok(Self { address: place.ip(), port: Some(place.port()) })
            }
            _ => Err("an address such as 172.18.100.11, 172.18.100.11:8080 or [2001:db8::11]:80"
                .to_owned()),
        }
    }
}

/// A file of the configuration that is being edited.
#[derive(Debug, Clone)]
pub struct Edit {
    path: Arc<Path>,
    group: String,
    before: String,
    text: String,
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
        let text = text.unwrap_or_default();
        let edit =
            Self { path: Arc::clone(path), group: group.to_owned(), before: text.clone(), text };
        Ok((edit, found.clone()))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it holds on disk.
    pub fn before(&self) -> &str {
        &self.before
    }

    /// What it shall hold.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The real server of the group that a name means.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn real_server<'g>(
        &self,
        group: &'g Group,
        name: ServerName,
    ) -> Result<&'g RealServer, ConfigErrors> {
        let mut meant = group.real_servers.iter().filter(|server| name.may_be(server));
        match (meant.next(), meant.next()) {
            (Some(server), None) => Ok(server),
            (Some(server), Some(_)) if server.port == name.port => Ok(server),
            (Some(_), Some(_)) => Err(mistake::ambiguous(self, group, name)),
            (None, _) => Err(mistake::unknown_server(self, group, name)),
        }
    }

    /// Gives a real server another weight.
    ///
    /// # Errors
    /// The file has it no more, or in a layout that cannot be edited.
    pub fn set_weight(&mut self, server: &RealServer, weight: u32) -> Result<(), ConfigErrors> {
        let name = ServerName::of(server);
        let spliced = Entries::of(&self.text, &self.group).and_then(|entries| {
            let (index, entry) = entries.find(name)?;
            let text = layout::set_weight(&self.text, entry, weight)?;
            let expected = layout::meaning(&self.text, &self.group, |servers| {
                layout::weigh(servers.get_mut(index)?, weight)
            })?;
            (layout::meaning(&text, &self.group, |_| Some(()))? == expected).then_some(text)
        });
        self.text = spliced.ok_or_else(|| mistake::not_editable(self, name))?;
        Ok(())
    }

    /// Removes a real server. What a comment says about it alone goes with it: at the end
    /// of its line, and right above its table.
    ///
    /// # Errors
    /// The file has it no more, or in a layout that cannot be edited.
    pub fn remove_real_server(&mut self, server: &RealServer) -> Result<(), ConfigErrors> {
        let name = ServerName::of(server);
        let spliced = Entries::of(&self.text, &self.group).and_then(|entries| {
            let (index, _) = entries.find(name)?;
            let text = layout::remove(&self.text, &entries, index)?;
            let expected = layout::meaning(&self.text, &self.group, |servers| {
                (index < servers.len()).then(|| drop(servers.remove(index)))
            })?;
            (layout::meaning(&text, &self.group, |_| Some(()))? == expected).then_some(text)
        });
        self.text = spliced.ok_or_else(|| mistake::not_editable(self, name))?;
        Ok(())
    }

    /// The mistake of an edit after which nobody takes the clients of a group; `only` is
    /// whether no real server at all would be left.
    pub fn last(&self, server: &RealServer, only: bool) -> ConfigErrors {
        mistake::last(self, ServerName::of(server), only)
    }
}

#[cfg(test)]
mod tests;
