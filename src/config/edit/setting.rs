//! The short forms of a command line as TOML: `80,443`, `pfwmc:300`, `mh,port`,
//! `tun:gue:6080`, `172.18.100.12,weight=2`.
//!
//! What can be split is split here, and nothing is judged: that is the reader's, whose
//! errors show the file as it would be.

use std::net::SocketAddr;
use std::str::FromStr;

use super::super::schema;
use super::super::text::nearest;
use crate::config::write::{inline, quoted};
use crate::model::Listener;

/// A key of a group, and what it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key.
    pub key: &'static str,
    pub(super) value: Wanted,
}

/// What a key shall be, as TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A value.
    One(String),
    /// The items of a list.
    List(Vec<String>),
    /// A value of several parts.
    Parts(Parts),
}

/// A word, or a table of a word and more: `pfwmc:300` is a mode with a timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// All of it, as it is written where there is nothing yet.
    pub(super) whole: String,
    /// Each part that is named, as TOML.
    pub(super) rows: Vec<(&'static str, String)>,
    /// Our order of all parts that there are.
    pub(super) order: &'static [&'static str],
    /// Whether the parts that are not named stay.
    pub(super) keeps_others: bool,
}

/// A real server that is to be added: `172.18.100.12,weight=2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewServer {
    /// Its keys with their values as TOML, the address first.
    pub(super) rows: Vec<(&'static str, String)>,
}

/// A key of a real server and its value: `weight=2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSetting {
    /// The key.
    pub key: &'static str,
    pub(super) value: String,
}

impl Setting {
    fn one(key: &'static str, value: String) -> Self {
        Self { key, value: Wanted::One(value) }
    }

    fn parts(key: &'static str, parts: Parts) -> Self {
        Self { key, value: Wanted::Parts(parts) }
    }

    /// `vips`, `services` or `snat`: a list of texts.
    pub fn list(key: &'static str, items: &[String]) -> Self {
        Self { key, value: Wanted::List(items.iter().map(quoted).collect()) }
    }

    /// `ports`, with the protocol of each written out.
    pub fn ports(items: &[String]) -> Self {
        let port = |text: &String| match text.parse::<Listener>() {
            Ok(listener) => quoted(listener),
            Err(_) => quoted(text),
        };
        Self { key: "ports", value: Wanted::List(items.iter().map(port).collect()) }
    }

    /// `mark`: `10` or `0xa`; or `marks`: `80/tcp=10,443/tcp=11`.
    pub fn mark(text: &str) -> Result<Self, String> {
        if !text.contains('=') {
            return Ok(Self::one("mark", number(text)));
        }
        let rows: Vec<_> = text
            .split(',')
            .map(|pair| {
                let (port, mark) = pair.split_once('=').ok_or("PORT=MARK, such as 80/tcp=10")?;
                let port =
                    port.parse::<Listener>().map_or_else(|_| port.to_owned(), |it| it.to_string());
                Ok((port, number(mark)))
            })
            .collect::<Result<_, String>>()?;
        let rows: Vec<_> = rows.iter().map(|(port, mark)| (port.as_str(), mark.clone())).collect();
        Ok(Self::one("marks", inline(&rows)))
    }

    /// `via`: a word.
    pub fn via(text: &str) -> Result<Self, String> {
        Ok(Self::one("via", quoted(text)))
    }

    /// `persistence`: `pfwmc`, `pfwmc:300`, `pfwmc:5m,netmask=24,netmask6=64,engine=sip`.
    pub fn persistence(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let first = parts.next().unwrap_or_default();
        let (mode, timeout) = match first.split_once(':') {
            Some((mode, timeout)) => (mode, Some(timeout)),
            None => (first, None),
        };
        let mut rows = vec![("mode", quoted(mode))];
        rows.extend(timeout.map(|text| ("timeout", seconds(text))));
        for part in parts {
            let (key, value) = pair(part, &schema::PERSISTENCE.names[1..])?;
            not_twice(key, &rows)?;
            let value = match key {
                "timeout" => seconds(value),
                "engine" => quoted(value),
                _ => number(value),
            };
            rows.push((key, value));
        }
        let keeps_others = mode != "none";
        if !keeps_others && rows.len() > 1 {
            return Err("'none' remembers nobody, so it takes nothing more".to_owned());
        }
        let whole = if rows.len() == 1 { quoted(mode) } else { inline(&rows) };
        let order = schema::PERSISTENCE.names;
        Ok(Self::parts("persistence", Parts { whole, rows, order, keeps_others }))
    }

    /// `scheduler`: `wlc`, or with flags `mh,fallback,port`, also as `mh,mh-fallback`.
    pub fn scheduler(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let name = parts.next().unwrap_or_default();
        let own = |flag: &'_ str| {
            let short = flag.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            quoted(short.unwrap_or(flag))
        };
        let flags: Vec<_> = parts.map(own).collect();
        if let Some(flag) = (1..flags.len()).find(|at| flags[..*at].contains(&flags[*at])) {
            return Err(format!("the flag {} is there twice", flags[flag]));
        }
        let mut rows = vec![("name", quoted(name))];
        if !flags.is_empty() {
            rows.push(("flags", format!("[{}]", flags.join(", "))));
        }
        let whole = if flags.is_empty() { quoted(name) } else { inline(&rows) };
        // Flags are those of a scheduler: another one has others.
        let order = schema::SCHEDULER.names;
        Ok(Self::parts("scheduler", Parts { whole, rows, order, keeps_others: false }))
    }

    /// `forward`: `dr`, `nat`, `fullnat`, `tun`, `tun:gue:6080:csum`, `tun:gre`.
    pub fn forward(text: &str) -> Result<Self, String> {
        let (rows, order) = (tunnel(text)?, schema::TUNNEL.names);
        if rows.is_empty() {
            return Ok(Self::one("forward", quoted(text)));
        }
        let whole = inline(&rows);
        Ok(Self::parts("forward", Parts { whole, rows, order, keeps_others: false }))
    }

    /// `snat`: an address, or one of each family.
    pub fn snat(text: &str) -> Result<Self, String> {
        let items: Vec<_> = text.split(',').map(quoted).collect();
        let value = match items.as_slice() {
            [only] => only.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        Ok(Self::one("snat", value))
    }

    /// `one-packet` or `enabled`.
    pub fn switch(key: &'static str, value: bool) -> Self {
        Self::one(key, value.to_string())
    }

    /// The real servers of a new group.
    pub fn real(servers: &[NewServer]) -> Self {
        let items = servers.iter().map(super::servers::item).collect();
        Self { key: "real", value: Wanted::List(items) }
    }
}

impl FromStr for NewServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let address = parts.next().unwrap_or_default();
        let plain = address.trim_matches(['[', ']']);
        let mut rows = match address.parse::<SocketAddr>() {
            Ok(place) => {
                vec![("address", quoted(place.ip())), ("port", place.port().to_string())]
            }
            Err(_) => vec![("address", quoted(plain))],
        };
        for part in parts {
            let ServerSetting { key, value } = part.parse()?;
            not_twice(key, &rows)?;
            rows.push((key, value));
        }
        rows.sort_by_key(|(key, _)| schema::REAL_SERVER.names.iter().position(|it| it == key));
        Ok(Self { rows })
    }
}

impl NewServer {
    /// Its name, where its address and its port are an address and a port.
    pub fn name(&self) -> Option<super::ServerName> {
        let value = |key: &str| self.rows.iter().find(|(known, _)| *known == key);
        let (_, address) = value("address")?;
        let port = match value("port") {
            Some((_, port)) => Some(port.parse().ok()?),
            None => None,
        };
        Some(super::ServerName { address: address.trim_matches('"').parse().ok()?, port })
    }

    /// Its address as it was written.
    pub fn address(&self) -> &str {
        self.rows.first().map_or("", |(_, address)| address.trim_matches('"'))
    }
}

impl FromStr for ServerSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = pair(text, &schema::REAL_SERVER.names[1..])?;
        let value = if key == "forward" { forward(value)? } else { count(key, value)? };
        Ok(Self { key, value })
    }
}

/// `KEY=VALUE`, of one of the keys.
fn pair<'t>(text: &'t str, keys: &[&'static str]) -> Result<(&'static str, &'t str), String> {
    let expected = || format!("KEY=VALUE with one of {}", keys.join(", "));
    let Some((key, value)) = text.split_once('=') else { return Err(expected()) };
    match keys.iter().find(|known| **known == key) {
        Some(known) => Ok((known, value)),
        None => match nearest(key, keys.iter().copied()) {
            Some(near) => Err(format!("there is no '{key}'; did you mean '{near}'?")),
            None => Err(expected()),
        },
    }
}

/// A number as a number; anything else, `0xa` among it, as a text.
fn number(text: &str) -> String {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => text.to_owned(),
        _ => quoted(text),
    }
}

/// A number, which a shell's words may have zeros before.
fn count(key: &str, text: &str) -> Result<String, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u32>() {
        Ok(number) if is_number => Ok(number.to_string()),
        _ if is_number => Err(format!("{key} {text} is too large")),
        _ => Err(format!("{key} is a number, such as {key}=2; found '{text}'")),
    }
}

fn not_twice(key: &str, rows: &[(&'static str, String)]) -> Result<(), String> {
    if rows.iter().any(|(known, _)| *known == key) {
        return Err(format!("'{key}' is there twice"));
    }
    Ok(())
}

/// A time as people write it; `300` are seconds.
fn seconds(text: &str) -> String {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { quoted(format!("{text}s")) } else { quoted(text) }
}

fn forward(text: &str) -> Result<String, String> {
    Ok(match tunnel(text)? {
        rows if rows.is_empty() => quoted(text),
        rows => inline(&rows),
    })
}

/// The parts of `tun:gue:6080:csum`; none of what is no more than a word.
fn tunnel(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    let mut parts = text.split(':');
    let method = parts.next().unwrap_or_default();
    let Some(kind) = parts.next() else { return Ok(Vec::new()) };
    if method != "tun" {
        return Err(format!("only tun takes more behind a colon, not '{method}'"));
    }
    let mut rows = vec![("type", quoted(kind))];
    for part in parts {
        if part.is_empty() {
            return Err(format!("'{text}' has nothing between two colons; tun:gue:6080:csum"));
        }
        let is_port = part.bytes().all(|byte| byte.is_ascii_digit());
        let key = if is_port { "port" } else { "checksum" };
        not_twice(key, &rows)?;
        rows.push((key, if is_port { number(part) } else { quoted(part) }));
    }
    Ok(rows)
}
