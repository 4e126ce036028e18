//! keepalived.conf(5), as keepalived 2.2.7 reads it.
//!
//! keepalived is forgiving: what it does not understand it leaves out, and says so in a
//! log. The director that runs is what is left, and that is what is turned here; each of
//! these places is told. Health checks and VRRP are nothing that a group has.
//!
//! `lines` makes the lines of all files, `tree` makes statements of them, `global`, `group`,
//! `server` and `real` read these, `defaults` completes them and `services` makes what IPVS
//! holds then. Every one of them has bounds: what is included, repeated and put together
//! ends, however a file is written.

mod comment;
mod defaults;
mod definitions;
mod files;
mod glob;
mod global;
mod group;
mod health;
mod lines;
mod method;
mod real;
mod sequence;
mod server;
mod services;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod value;

use std::collections::BTreeMap;
use std::path::Path;

pub use files::{Files, OnDisk};

use super::notes::{Notes, shown};
use super::{Document, ImportError, Imported};
use global::Globals;
use group::ServerGroup;
use lines::Lines;
use server::VirtualServer;
use services::Maker;
use tree::{Statement, Tree};

/// What a configuration depends on beside its text.
pub struct Options<'a> {
    /// Which machine lines that begin with `@` are compared with; keepalived takes the host
    /// name up to its first dot. Without it such lines are not turned.
    pub config_id: Option<&'a str>,
    /// Where included files come from.
    pub files: &'a dyn Files,
}

/// Reads a configuration by its name, with the files that it includes from this machine.
///
/// # Errors
/// As [`read`].
pub(super) fn read_named(document: &Document, found: &mut Imported) -> Result<(), ImportError> {
    let id = found.machine.clone();
    let options = Options { config_id: id.as_deref(), files: &OnDisk };
    read(document, Path::new(document.name()), &options, found)
}

/// Reads a configuration. `path` is where it was read from: what it includes is looked for
/// beside it.
///
/// # Errors
/// [`ImportError::NotThat`] where not one block of it is keepalived's.
pub fn read(
    document: &Document,
    path: &Path,
    options: &Options<'_>,
    found: &mut Imported,
) -> Result<(), ImportError> {
    let (mut tree, mut notes) = (Tree::default(), Notes::default());
    Lines::new(options, &mut tree, &mut notes).file(document, path);
    let statements = tree.finish(&mut notes);
    if let Some(first) = statements.first()
        && !statements.iter().any(|statement| is_root(statement.keyword()))
    {
        let (place, kind) = (first.place.clone(), "a configuration of keepalived");
        let what = format!("it has no block '{}'", shown(first.keyword()));
        return Err(ImportError::NotThat { place, kind, what });
    }
    let mut globals = Globals::default();
    for statement in named(&statements, "global_defs") {
        globals.take(statement, &mut notes, found);
    }
    let groups = groups(&statements, &mut notes);
    let mut maker = Maker::new(&groups, globals.first_mark);
    for statement in named(&statements, "virtual_server") {
        if let Some(server) = VirtualServer::read(statement, &mut notes) {
            maker.add(server, &mut notes);
        }
    }
    maker.table.tell(found);
    tell_others(&statements, &mut notes);
    notes.tell(found);
    Ok(())
}

fn named<'s>(statements: &'s [Statement], word: &'s str) -> impl Iterator<Item = &'s Statement> {
    statements.iter().filter(move |statement| statement.keyword() == word)
}

/// The groups by their names; of two with one name keepalived finds the first.
fn groups(statements: &[Statement], notes: &mut Notes) -> BTreeMap<String, ServerGroup> {
    let mut groups = BTreeMap::new();
    for statement in named(statements, "virtual_server_group") {
        let Some(group) = ServerGroup::read(statement, notes) else { continue };
        if groups.contains_key(&group.name) {
            let name = shown(&group.name);
            let what = format!("a second group {name}: keepalived finds the first one only");
            notes.one(&statement.place, what);
        } else {
            groups.insert(group.name.clone(), group);
        }
    }
    groups
}

/// Says what becomes of the blocks that are not LVS.
fn tell_others(statements: &[Statement], notes: &mut Notes) {
    for Statement { words, place, .. } in statements {
        match words[0].as_str() {
            "global_defs" | "virtual_server" | "virtual_server_group" => {}
            "net_namespace" | "net_namespace_ipvs" => notes.one(
                place,
                "the services are in another network namespace: run fwmarkctl in that one",
            ),
            word if is_vrrp(word) => notes.some(
                "vrrp",
                place,
                format!(
                    "{}: VRRP and the addresses that move by it stay keepalived's",
                    shown(word)
                ),
            ),
            word if is_root(word) => {}
            other => notes.one(place, format!("keepalived has no block '{}'", shown(other))),
        }
    }
}

fn is_vrrp(word: &str) -> bool {
    word.starts_with("vrrp_") || word.starts_with("static_") || word == "garp_group"
}

/// The words that a statement outside of all blocks can begin with.
fn is_root(word: &str) -> bool {
    const OTHERS: [&str; 16] = [
        "global_defs",
        "virtual_server",
        "virtual_server_group",
        "SSL",
        "bfd_instance",
        "child_wait_time",
        "instance",
        "interface_up_down_delays",
        "linkbeat_interfaces",
        "linkbeat_use_polling",
        "namespace_with_ipsets",
        "net_namespace",
        "net_namespace_ipvs",
        "track_file",
        "track_group",
        "use_pid_dir",
    ];
    is_vrrp(word) || OTHERS.contains(&word)
}
