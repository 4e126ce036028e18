//! What is said about lines that do not become groups.

use std::collections::BTreeMap;

use crate::import::{Imported, Place};

/// The most sentences that anybody reads.
const MAX_SENTENCES: usize = 1_000;

/// Sentences with their places. What happens often is said once, where it happens first.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Vec<(Place, String, usize)>,
    /// Where in `all` a kind is.
    kinds: BTreeMap<String, usize>,
    /// Where the first sentence is that was one too many, and how many were.
    more: Option<(Place, usize)>,
}

/// A word of a file, not longer than one wants to read it in a sentence.
pub(super) fn shown(word: &str) -> String {
    let mut letters = word.chars();
    let mut text: String = letters.by_ref().take(80).collect();
    if letters.next().is_some() {
        text.push_str("...");
    }
    text
}

impl Notes {
    /// Something that is said by itself.
    pub(super) fn one(&mut self, place: &Place, sentence: impl Into<String>) {
        if self.all.len() == MAX_SENTENCES {
            self.more.get_or_insert_with(|| (place.clone(), 0)).1 += 1;
            return;
        }
        self.all.push((place.clone(), sentence.into(), 0));
    }

    /// Something that is said once for all of its kind.
    pub(super) fn some(&mut self, kind: &str, place: &Place, sentence: impl Into<String>) {
        if let Some(first) = self.kinds.get(kind).and_then(|&at| self.all.get_mut(at)) {
            first.2 += 1;
        } else {
            self.kinds.insert(kind.to_owned(), self.all.len());
            self.one(place, sentence);
        }
    }

    /// Hands them over.
    pub(super) fn tell(self, found: &mut Imported) {
        for (place, sentence, more) in self.all {
            match more {
                0 => found.not_turned(place, sentence),
                1 => found.not_turned(place, format!("{sentence} (and once more)")),
                more => found.not_turned(place, format!("{sentence} (and {more} more times)")),
            }
        }
        if let Some((place, more)) = self.more {
            found.not_turned(place, format!("{more} further sentences are left out"));
        }
    }
}
