//! Which packets a group marks.

use crate::model::{Group, Listener, Mark};
use crate::state::{MarkEntry, MarkKey, Marking};

pub(super) fn add(marking: &mut Marking, group: &Group, mark: Mark, listeners: &[Listener]) {
    for &destination in &group.vips {
        for &Listener { protocol, ports } in listeners {
            marking.insert(
                MarkKey { destination, protocol, ports },
                MarkEntry { mark: Some(mark), group: Some(group.name.clone()) },
            );
        }
    }
}
