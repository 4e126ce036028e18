//! Which packets a group marks.

use crate::model::{Group, Listener, Mark};
use crate::state::{MarkEntry, MarkKey, Marking};

pub(super) fn add(marking: &mut Marking, group: &Group, mark: Mark, listeners: &[Listener]) {
    for key in keys(group, listeners) {
        marking.insert(key, MarkEntry { mark: Some(mark), group: Some(group.name.clone()) });
    }
}

/// What `listeners` of a group are, on each of its VIPs.
pub(super) fn keys<'a>(
    group: &'a Group,
    listeners: &'a [Listener],
) -> impl Iterator<Item = MarkKey> + 'a {
    group.vips.iter().flat_map(|&destination| {
        let key = move |&Listener { protocol, ports }| MarkKey { destination, protocol, ports };
        listeners.iter().map(key)
    })
}
