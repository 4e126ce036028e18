//! A director as files describe it, in groups; and what is in none.

use std::collections::BTreeSet;

use super::{Imported, Joined, NotTurned, Place};
use crate::model::{DirectorSettings, Group};
use crate::regroup::{Lost, regroup};

/// Groups, and what became none.
#[derive(Debug)]
pub struct Turned {
    /// The groups.
    pub groups: Vec<Group>,
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
        let mut notes: BTreeSet<Note> = regrouped.lost.iter().map(|it| joined.note(it)).collect();
        let told = joined.not_turned.into_iter();
        notes.extend(told.map(|NotTurned { place, sentence }| Note {
            place: Some(place),
            sentence,
            remedy: None,
        }));
        let (groups, director) = (regrouped.groups, regrouped.director);
        Turned { groups, director, notes: notes.into_iter().collect() }
    }
}

impl Joined {
    /// What is lost, with the first place that it comes from.
    fn note(&self, lost: &Lost) -> Note {
        let marks = lost.marking.iter().filter_map(|key| self.marks.get(key));
        let services = lost.services.iter().filter_map(|key| self.services.get(key));
        Note {
            place: marks.chain(services).min().cloned(),
            sentence: lost.reason.to_string(),
            remedy: Some(lost.reason.remedy()),
        }
    }
}
