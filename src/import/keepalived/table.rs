//! The services as IPVS holds them when keepalived has made them.

use std::collections::BTreeMap;

use crate::import::notes::{Notes, shown};
use crate::import::{Claim, Imported, Place, words};
use crate::state::{Destination, ServiceKey, VirtualService};

/// The most services that IPVS is given; keepalived can make millions of one range.
const MAX_SERVICES: usize = 65_536;

/// The most real servers of all services together.
const MAX_DESTINATIONS: usize = 500_000;

/// Services, in the order in which keepalived adds them.
#[derive(Debug, Default)]
pub(super) struct Table {
    services: Vec<(ServiceKey, VirtualService, Place)>,
    at: BTreeMap<ServiceKey, usize>,
    claims: Vec<Claim>,
    destinations: usize,
}

impl Table {
    /// Adds a service, or real servers to the one that is there: IPVS says that it exists
    /// already, keepalived goes on, and two virtual servers have become one.
    pub(super) fn add(
        &mut self,
        key: ServiceKey,
        service: VirtualService,
        place: &Place,
        notes: &mut Notes,
    ) {
        let full = self.services.len() == MAX_SERVICES
            || self.destinations + service.destinations.len() > MAX_DESTINATIONS;
        if full {
            let what =
                format!("this makes more than {MAX_SERVICES} services: the rest is left out");
            notes.some("full", place, what);
            return;
        }
        let Some(&at) = self.at.get(&key) else {
            self.destinations += service.destinations.len();
            self.at.insert(key, self.services.len());
            self.services.push((key, service, place.clone()));
            return;
        };
        let (_, first, where_first) = &mut self.services[at];
        let what = format!(
            "{key} is that of {where_first} again: keepalived adds the real servers to it, and \
             ignores the rest; so does the group"
        );
        notes.one(place, what);
        for destination in service.destinations {
            if !first.destinations.iter().any(|known| known.key == destination.key) {
                first.destinations.push(destination);
                self.destinations += 1;
            }
        }
    }

    /// Adds an entry of keepalived's own table of marks.
    pub(super) fn claim(&mut self, claim: Claim, notes: &mut Notes) {
        if self.claims.len() < MAX_SERVICES {
            self.claims.push(claim);
        } else {
            let what = format!("this marks more than {MAX_SERVICES} ranges: the rest is left out");
            notes.some("claims", &claim.place, what);
        }
    }

    /// Hands all of it over.
    pub(super) fn tell(self, found: &mut Imported) {
        if !self.claims.is_empty() {
            // Its chain is in INPUT, behind all that mark in PREROUTING.
            found.next_chain();
        }
        for claim in self.claims {
            found.claim(claim);
        }
        for (key, mut service, place) in self.services {
            service.destinations.sort_unstable_by_key(|destination: &Destination| destination.key);
            found.service(key, service, place);
        }
    }
}

/// What a name of keepalived's can give to the name of a group.
pub(super) fn group_name(
    name: &str,
    place: &Place,
    notes: &mut Notes,
) -> Option<crate::model::GroupName> {
    let group = words::name(name);
    if group.is_none() {
        notes.one(place, format!("'{}' cannot name a group", shown(name)));
    }
    group
}
