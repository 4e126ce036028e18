//! The scene as this machine is: read and never written. What cannot be read is said, and
//! the checks that need it find nothing.

mod files;
mod ipvs;
mod legacy;
mod nft;
mod route;
mod saved;
mod script;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::finding::Unchecked;
use super::scene::{Question, Scene};
use super::subject::Subject;
use crate::state::ServiceKey;

/// Where files are read from; in tests another folder than `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    root: PathBuf,
}

impl Default for Sources {
    fn default() -> Self {
        Self { root: "/".into() }
    }
}

impl Sources {
    /// Files below another folder.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Scene {
    /// Reads the network namespace of this thread, and the files of this machine. `ours`
    /// are the services that the ledger names.
    pub fn read(subject: Subject, ours: BTreeSet<ServiceKey>, sources: &Sources) -> Self {
        let mut scene = Self { subject, ..Self::default() };
        let mut unread = |what: &str, why: String| {
            scene.unchecked.push(Unchecked { what: what.to_owned(), why });
        };
        match route::Routing::read() {
            Ok(routing) => {
                scene.links = routing.links;
                scene.addresses = routing.addresses;
                scene.rules = routing.rules;
                scene.defaults = routing.defaults;
                scene.failed_neighbours = routing.failed_neighbours;
            }
            Err(error) => unread("links, addresses and routing rules", sentence(&error)),
        }
        let questions = questions(&scene.subject);
        match route::answers(&questions, &scene.links, &scene.addresses, &scene.defaults) {
            Ok(routes) => scene.routes = routes,
            Err(error) => unread("routes to VIPs and real servers", sentence(&error)),
        }
        scene.sysctls = files::sysctls(&sources.root, &scene.links);
        scene.modules = files::modules(&sources.root);
        scene.units = files::units(&sources.root);
        scene.units.refused = saved::refused(&sources.root, &mut unread);
        match ipvs::read() {
            Ok(ipvs) => scene.ipvs = ipvs,
            Err(error) => unread("IPVS services and sync daemons of others", sentence(&error)),
        }
        scene.ipvs.ours = ours;
        match nft::read() {
            Ok(mut ruleset) => {
                ruleset.chains.extend(legacy::read(&mut unread));
                scene.ruleset = Some(ruleset);
            }
            Err(error) => unread("packet filters, and marks of others", sentence(&error)),
        }
        if scene.modules.loadable.is_none() {
            let release = &scene.modules.release;
            let why = format!("there is no list of modules in /lib/modules/{release}");
            unread("schedulers that are not loaded", why);
        }
        scene
    }
}

/// What the routing tables are asked: each VIP with and without its mark, each real server.
fn questions(subject: &Subject) -> BTreeSet<Question> {
    let vips = subject.vips().into_iter().flat_map(|(destination, mark)| {
        [0, mark.map_or(0, crate::model::Mark::get)].map(|mark| Question { destination, mark })
    });
    let servers = subject.real_servers().into_iter();
    vips.chain(servers.map(|destination| Question { destination, mark: 0 })).collect()
}

/// An error with its reasons, on one line.
fn sentence(error: &dyn std::error::Error) -> String {
    let (mut text, mut reason) = (error.to_string(), error.source());
    while let Some(error) = reason {
        text = format!("{text}: {error}");
        reason = error.source();
    }
    text
}
