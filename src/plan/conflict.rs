//! Conflicts: what somebody else made where we want to be.

use std::fmt;

use crate::state::{DirectorState, Observation, ServiceKey, VirtualService};

/// A virtual service on one of our marks or addresses that we did not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// What it listens to.
    pub key: ServiceKey,
    /// What it is.
    pub found: VirtualService,
    /// What we want there.
    pub wanted: VirtualService,
}

impl Conflict {
    /// The services of `observed` that are in the way of `desired`.
    pub fn find(observed: &Observation, desired: &DirectorState) -> Vec<Self> {
        let in_the_way = observed.services.iter().filter(|(_, found)| !found.recorded);
        in_the_way
            .filter_map(|(key, found)| {
                let wanted = desired.services.get(key)?.clone();
                Some(Self { key: *key, found: found.clone(), wanted })
            })
            .collect()
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, found, wanted } = self;
        if let Some(group) = &wanted.group {
            write!(f, "group {group}: ")?;
        }
        write!(f, "the service {key} exists and is not ours: {found}")?;
        for destination in &found.destinations {
            write!(f, "\n  -> {} {destination}", destination.key)?;
        }
        Ok(())
    }
}
