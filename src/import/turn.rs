//! A director as files describe it, in groups; and what is in none.

use std::collections::{BTreeMap, BTreeSet};

use super::{Imported, Joined, NotTurned, Place};
use crate::model::{DirectorSettings, Group, GroupName};
use crate::regroup::{Lost, Reason, regroup};
use crate::state::ServiceKey;

/// How many entries of one line a note names.
const SHOWN: usize = 8;

/// Groups, and what became none.
#[derive(Debug)]
pub struct Turned {
    /// The groups.
    pub groups: Vec<Group>,
    /// Where each of them begins: its first service.
    pub places: BTreeMap<GroupName, Place>,
    /// What the director needs beside them.
    pub director: DirectorSettings,
    /// What was not turned, or not exactly, by place.
    pub notes: Vec<Note>,
}

/// Something that was not turned, or not exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Where it stands, where it stands in one place.
    pub place: Option<Place>,
    /// What it is, and why.
    pub sentence: String,
    /// What to do about it, where that is known.
    pub remedy: Option<String>,
}

impl Imported {
    /// Joins what was found and makes groups of it.
    pub fn turn(self) -> Turned {
        let joined = self.join();
        let regrouped = regroup(&joined.state);
        let mut notes: BTreeSet<Note> =
            regrouped.lost.iter().flat_map(|it| joined.notes(it)).collect();
        let told = joined.not_turned.iter().cloned();
        notes.extend(told.map(|NotTurned { place, sentence }| Note {
            place: Some(place),
            sentence,
            remedy: None,
        }));
        let begins = |keys: &[ServiceKey]| {
            keys.iter().filter_map(|key| joined.services.get(key)).min().cloned()
        };
        let places = regrouped.services.iter();
        let places =
            places.filter_map(|(name, keys)| Some((name.clone(), begins(keys)?))).collect();
        let (groups, director) = (regrouped.groups, regrouped.director);
        Turned { groups, places, director, notes: notes.into_iter().collect() }
    }
}

impl Joined {
    /// What is lost, with the first place that it comes from. Entries of one mark that are
    /// not in its group are told with the place of each.
    fn notes(&self, lost: &Lost) -> Vec<Note> {
        let of = |place, sentence| Note { place, sentence, remedy: Some(lost.reason.remedy()) };
        if let Reason::Uneven(_) = lost.reason {
            let mut places: BTreeMap<Option<Place>, Vec<String>> = BTreeMap::new();
            for key in &lost.marking {
                places.entry(self.marks.get(key).cloned()).or_default().push(key.to_string());
            }
            let told = places.into_iter().map(|(place, keys)| {
                let more = keys.len().saturating_sub(SHOWN);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                let keys = keys.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
                of(place, format!("{}: {keys}{more}", lost.reason))
            });
            let services = lost.services.iter().map(|key| {
                let sentence = format!("{key}: no address that gets its mark is in its group");
                of(self.services.get(key).cloned(), sentence)
            });
            return told.chain(services).collect();
        }
        let marks = lost.marking.iter().filter_map(|key| self.marks.get(key));
        let services = lost.services.iter().filter_map(|key| self.services.get(key));
        vec![of(marks.chain(services).min().cloned(), lost.reason.to_string())]
    }
}
