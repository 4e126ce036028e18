//! Groups to text: a configuration as a person would write it, which [`load`] reads back to
//! the same groups. Short forms where there are any, defaults left out, one order of keys.
//!
//! Whatever is no number or word of ours is quoted.

mod director;
mod group;
mod table;

pub(super) use group::ORDER;
pub(super) use table::{Table, inline, quoted};

use crate::model::{DirectorSettings, Group};

use super::text::clean;
use super::{Diagnostic, Options, Sources, load};

/// How often a text is read whose groups break rules. Each time up to
/// [`MAX_ERRORS`](super::MAX_ERRORS) of them are found, and a text of garbage has thousands.
const ROUNDS: usize = 32;

/// The text of a configuration.
pub fn write(groups: &[Group], director: &DirectorSettings) -> String {
    let mut texts = director::tables(director);
    texts.extend(groups.iter().map(group::table));
    texts.join("\n")
}

/// A configuration that was written, read, and found sound.
#[derive(Debug, Clone)]
pub struct Written {
    /// The text; empty without groups.
    pub text: String,
    /// The groups that are in it.
    pub groups: Vec<Group>,
    /// What was wrong with the others. The lines are those of a text that is no more.
    pub refused: Vec<Diagnostic>,
}

/// Writes the groups that a configuration may have. Groups that were found and not written
/// by a person may break its rules, such as one that maps ports of a persistent mark; these
/// are left out, with what [`load`] says of them.
pub fn write_sound(
    mut groups: Vec<Group>,
    director: &DirectorSettings,
    options: &Options<'_>,
) -> Written {
    let mut refused = Vec::new();
    for _ in 0..ROUNDS {
        if groups.is_empty() {
            break;
        }
        let text = write(&groups, director);
        let Err(errors) = load(Sources::text(text.clone()), options) else {
            return Written { text, groups, refused };
        };
        let before = groups.len();
        let is_blamed = |group: &Group| {
            let blamed = errors.diagnostics.iter().filter(|it| !it.code.is_warning());
            blamed.filter_map(|it| it.group.as_deref()).any(|name| name == group.name.as_str())
        };
        groups.retain(|group| !is_blamed(group));
        if groups.len() == before {
            // What is wrong is nobody's alone.
            groups.clear();
        }
        refused.extend(errors.diagnostics.into_iter().filter(|it| !it.code.is_warning()));
    }
    Written { text: String::new(), groups: Vec::new(), refused }
}

/// A sentence as a comment of the configuration, on one line whatever it holds.
pub fn comment(sentence: &str) -> String {
    format!("# {}\n", clean(sentence))
}
