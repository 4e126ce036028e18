//! `connections`: what IPVS remembers of the groups' clients, connections and persistence
//! templates apart.

mod owner;
mod show;

pub(super) use self::show::Document;

use std::rc::Rc;

use self::owner::{Owner, Owners};
use super::Context;
use super::args::{ConnectionsOptions, Place};
use super::groups::Selection;
use crate::backend::KernelDirector;
use crate::backend::ipvs::{ConnectionEntry, KernelIpvs};
use crate::error::{Error, Exit};
use crate::model::Prefix;
use crate::transaction::Cause;

/// What is kept of an entry that is wanted.
struct Found {
    group: Owner,
    connection: ConnectionEntry,
}

/// What was found.
#[derive(Default)]
struct Listing {
    /// None where only templates are wanted.
    connections: Option<Vec<Found>>,
    templates: Vec<Found>,
}

pub(super) fn run(context: &mut Context, options: &ConnectionsOptions) -> Result<Exit, Error> {
    let ruleset = KernelDirector::new().marking().map_err(Cause::from)?;
    let selection = Selection::new(&options.groups, &ruleset)?;
    let mut owners = Owners::new(&ruleset);
    let mut listing =
        Listing { connections: (!options.templates).then(Vec::new), templates: Vec::new() };
    // Of a million entries only those are kept that are wanted.
    KernelIpvs::new()
        .connections(|connection| {
            if !is_wanted(&connection, options) {
                return;
            }
            let group = owners.of(&connection);
            if selection.has(group.as_ref().map(Rc::as_ref)) {
                listing.take(Found { group, connection });
            }
        })
        .map_err(Cause::from)?;
    listing.sort();
    show::show(&mut context.output, &listing)?;
    Ok(Exit::Done)
}

fn is_wanted(connection: &ConnectionEntry, options: &ConnectionsOptions) -> bool {
    let ConnectionsOptions { groups: _, client, real, state, templates } = options;
    let address = Prefix::host(connection.client.address);
    let is_there = |place: &Place| {
        place.address == connection.real.address
            && place.port.is_none_or(|port| port == connection.real.port)
    };
    (!templates || connection.is_template())
        && client.is_none_or(|client| client.contains(&address))
        && real.as_ref().is_none_or(is_there)
        && state.as_ref().is_none_or(|state| state.eq_ignore_ascii_case(&connection.state))
}

impl Listing {
    fn take(&mut self, found: Found) {
        match &mut self.connections {
            _ if found.connection.is_template() => self.templates.push(found),
            Some(connections) => connections.push(found),
            None => {}
        }
    }

    /// By group, target and client; the kernel's order is that of a hash.
    fn sort(&mut self) {
        let by_group = |one: &Found, other: &Found| {
            let key = |found: &Found| {
                let ConnectionEntry { target, client, real, .. } = found.connection;
                (target, client, real)
            };
            let groups = one.group.cmp(&other.group);
            groups
                .then_with(|| key(one).cmp(&key(other)))
                .then_with(|| one.connection.protocol.cmp(&other.connection.protocol))
        };
        self.templates.sort_unstable_by(by_group);
        if let Some(connections) = &mut self.connections {
            connections.sort_unstable_by(by_group);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::ipvs::Endpoint;

    fn options() -> ConnectionsOptions {
        ConnectionsOptions {
            groups: Vec::new(),
            client: None,
            real: None,
            state: None,
            templates: false,
        }
    }

    fn connection(client_port: u16) -> ConnectionEntry {
        let endpoint = |address: &str, port| Endpoint { address: address.parse().unwrap(), port };
        ConnectionEntry {
            protocol: "TCP".into(),
            client: endpoint("198.51.100.7", client_port),
            target: endpoint("192.0.2.1", 80),
            real: endpoint("10.0.0.1", 8080),
            state: "FIN_WAIT".into(),
            expires: 1,
            engine: None,
        }
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "texts that are written here")]
    fn an_entry_is_wanted_when_every_filter_wants_it() {
        let place = |address: &str, port| Place { address: address.parse().unwrap(), port };
        let client = |text: &str| Some(text.parse().unwrap());
        let wants = |options: ConnectionsOptions| is_wanted(&connection(40_000), &options);
        assert!(wants(options()));
        assert!(wants(ConnectionsOptions { client: client("198.51.100.0/24"), ..options() }));
        assert!(!wants(ConnectionsOptions { client: client("198.51.100.8"), ..options() }));
        assert!(!wants(ConnectionsOptions { client: client("2001:db8::/32"), ..options() }));
        for (port, wanted) in [(None, true), (Some(8080), true), (Some(80), false)] {
            let real = Some(place("10.0.0.1", port));
            assert_eq!(wants(ConnectionsOptions { real, ..options() }), wanted, "{port:?}");
        }
        assert!(!wants(ConnectionsOptions { real: Some(place("10.0.0.2", None)), ..options() }));
        let state = |state: &str| Some(state.to_owned());
        assert!(wants(ConnectionsOptions { state: state("fin_wait"), ..options() }));
        assert!(!wants(ConnectionsOptions { state: state("fin"), ..options() }));
        assert!(!wants(ConnectionsOptions { templates: true, ..options() }));
        let templates = ConnectionsOptions { templates: true, ..options() };
        assert!(is_wanted(&connection(0), &templates));
    }
}
