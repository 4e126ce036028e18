//! `global_defs`: the few words of it that concern IPVS.

use super::real::checked;
use super::tree::Statement;
use super::value::number;
use crate::import::Imported;
use crate::import::notes::{Notes, shown};
use crate::model::{MAX_TIMEOUT, SyncChannel, SyncRole, Timeout};
use crate::state::SettingKey;

/// Where keepalived begins to count its own marks (`DEFAULT_IPVS_NF_START_FWMARK`).
const FIRST_MARK: u32 = 1_000;

/// What the other blocks depend on.
#[derive(Debug, Default)]
pub(super) struct Globals {
    /// The first mark that keepalived gives to a group, where it marks by itself.
    pub(super) first_mark: Option<u32>,
}

impl Globals {
    /// Reads one block; there may be several.
    pub(super) fn take(&mut self, block: &Statement, notes: &mut Notes, found: &mut Imported) {
        for inner in &block.block {
            let place = &inner.place;
            match inner.keyword() {
                "nftables_ipvs" if self.first_mark.is_none() => {
                    self.first_mark = Some(FIRST_MARK);
                    let table = inner.words.get(1).map_or("keepalived_ipvs", String::as_str);
                    let what = format!(
                        "keepalived counts its marks from the beginning of the file; after a \
                         reload it may hold others: compare them with `nft list ruleset`, \
                         table {}",
                        shown(table)
                    );
                    notes.one(place, what);
                }
                "nftables_ipvs_start_fwmark" => {
                    let first = checked(inner, number(inner.word(1), 1..=u32::MAX), notes);
                    // It counts only behind nftables_ipvs, which sets it back.
                    if self.first_mark.is_some() {
                        self.first_mark = first.or(self.first_mark);
                    }
                }
                "lvs_timeouts" => timeouts(inner, notes, found),
                "lvs_sync_daemon" => synchronisation(inner, notes, found),
                "lvs_flush" => notes.one(
                    place,
                    "lvs_flush: when keepalived starts it removes all services, ours too",
                ),
                "lvs_flush_on_stop" if inner.word(1) != "VS" => notes.one(
                    place,
                    "lvs_flush_on_stop: when keepalived ends it removes all services, ours too",
                ),
                // The others are for VRRP, for messages and for keepalived itself.
                _ => {}
            }
        }
    }
}

fn timeouts(statement: &Statement, notes: &mut Notes, found: &mut Imported) {
    for pair in statement.words[1..].chunks(2) {
        let which = match pair[0].as_str() {
            "tcp" => Some(Timeout::Tcp),
            "tcpfin" => Some(Timeout::TcpFin),
            "udp" => Some(Timeout::Udp),
            _ => None,
        };
        let seconds = pair.get(1).and_then(|text| number(text, 0..=MAX_TIMEOUT));
        match (which, seconds) {
            // As it was before.
            (Some(_), Some(0)) => {}
            (Some(which), Some(seconds)) => {
                found.settings.insert(SettingKey::Timeout(which), seconds.to_string());
            }
            _ => {
                let what = format!("lvs_timeouts has no '{}'", shown(&pair.join(" ")));
                notes.one(&statement.place, what);
            }
        }
    }
}

fn synchronisation(statement: &Statement, notes: &mut Notes, found: &mut Imported) {
    let channel = match channel(statement) {
        Ok(channel) => channel.to_string(),
        Err(why) => return notes.one(&statement.place, format!("lvs_sync_daemon: {why}")),
    };
    for role in SyncRole::BOTH {
        found.settings.insert(SettingKey::SyncDaemon(role), channel.clone());
    }
}

fn channel(statement: &Statement) -> Result<SyncChannel, String> {
    let interface = statement.word(1);
    let mut channel = SyncChannel {
        interface: interface.parse().map_err(|_| format!("'{}' is no device", shown(interface)))?,
        id: 0,
        group: None,
        port: None,
        ttl: None,
        maxlen: None,
    };
    let mut words = statement.words.iter().skip(2).map(String::as_str);
    while let Some(word) = words.next() {
        let value = words.next().unwrap_or("");
        let wrong = || format!("{word} '{}' is wrong", shown(value));
        match word {
            "id" => channel.id = value.parse().map_err(|_| wrong())?,
            "port" => channel.port = Some(value.parse().map_err(|_| wrong())?),
            "ttl" => channel.ttl = Some(value.parse().map_err(|_| wrong())?),
            "maxlen" => channel.maxlen = Some(value.parse().map_err(|_| wrong())?),
            "group" => channel.group = Some(value.parse().map_err(|_| wrong())?),
            // `inst NAME`, or only the name.
            _ => {
                return Err("which daemon runs follows a VRRP instance: that stays \
                    keepalived's, and is not turned"
                    .to_owned());
            }
        }
    }
    Ok(channel)
}
