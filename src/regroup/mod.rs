//! The inverse of the compiler: a state becomes groups again.
//!
//! What a kernel holds, or another program's text says, is a [`DirectorState`]; the groups
//! that it would be compiled from are found here: marks with their services of both
//! families, the marks of a PPC group by its name, services by address by theirs. Marks are
//! always fixed ones, so that compiling gives the same state whatever is remembered. What no
//! group can say is [`Lost`], by key: nothing is dropped without a word.
//!
//! For a state that was compiled, `compile(regroup(state))` is that state. Whether a
//! configuration takes a group of somebody else's making is for the configuration to say.

mod address;
mod director;
mod lost;
mod marks;
mod names;
mod part;
mod servers;
mod traits;

pub use lost::{Lost, Reason};

use std::collections::BTreeMap;

use crate::model::{DirectorSettings, Group, GroupName, MarkChoice, Mode, Prefix};
use crate::state::{DirectorState, ServiceKey};
use names::Names;
use part::Part;

/// What a state is in the words of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regrouped {
    /// The groups, by name.
    pub groups: Vec<Group>,
    /// Which services each of them is.
    pub services: BTreeMap<GroupName, Vec<ServiceKey>>,
    /// What the director needs beside them.
    pub director: DirectorSettings,
    /// What neither of them says.
    pub lost: Vec<Lost>,
}

/// Finds the groups of a state. Those without a name get one that says what they are:
/// `mark-10`, or after port and VIP `http-192-0-2-1`.
pub fn regroup(state: &DirectorState) -> Regrouped {
    let mut lost = Vec::new();
    let mut parts = marks::joined(marks::parts(state, &mut lost));
    parts.extend(address::parts(&state.services, &mut lost));
    // By place, so that names are given alike to alike states.
    parts
        .sort_by_key(|(part, ..)| (part.mark.is_none(), part.mark, part.services.first().copied()));
    let (named, unnamed): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|(part, ..)| part.name.is_some());
    let mut taken = Names::default();
    // Invented names make way for those that are there.
    let found: Vec<(Group, Vec<ServiceKey>)> = named
        .into_iter()
        .chain(unnamed)
        .filter_map(|(part, marks, mode)| group(part, marks, mode, &mut taken))
        .collect();
    let services = found.iter().map(|(group, keys)| (group.name.clone(), keys.clone())).collect();
    let mut groups: Vec<Group> = found.into_iter().map(|(group, _)| group).collect();
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    let director = director::read(state, &groups, &mut lost);
    Regrouped { groups, services, director, lost }
}

fn group(
    part: Part,
    marks: MarkChoice,
    mode: Mode,
    names: &mut Names,
) -> Option<(Group, Vec<ServiceKey>)> {
    let vip = part.vips.first().map(Prefix::address);
    let name = match &part.name {
        Some(name) => names.take(name.as_str()),
        None => names.take(&names::invent(part.mark, vip, &part.listeners)),
    };
    let persistence = part.traits.persistence(mode);
    let services = part.services.clone();
    Some((Group { persistence, ..part.into_group(name?, marks) }, services))
}

#[cfg(test)]
mod tests;
