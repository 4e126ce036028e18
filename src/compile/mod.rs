//! The compiler: groups become the kernel's shape of a director.

mod marking;
mod marks;
mod services;
mod settings;
mod sources;

use crate::model::{DirectorSettings, Group, Mark, MarkRange, Via};
use crate::state::{DirectorState, MarkBook, Marking, SettingKey, classic_rules};

/// Why groups cannot be compiled; everything else was refused when they were read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// More automatic marks are needed than the range holds.
    #[error(
        "the mark range {range} has {} marks, fewer than the groups need", range.size()
    )]
    MarksExhausted {
        /// The range of the config.
        range: MarkRange,
    },
}

/// What groups become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The state that the kernel is to hold.
    pub state: DirectorState,
    /// Which mark belongs to whom, disabled groups included.
    pub marks: MarkBook,
}

/// What an earlier configuration became, so that a group keeps its mark.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// The marks that groups had.
    pub marks: &'a MarkBook,
    /// What was marked; asked for only where a group is new and another one is gone.
    pub marking: &'a dyn Fn() -> Marking,
}

impl<'a> Past<'a> {
    /// Marks of which nobody knows what for.
    pub fn of(marks: &'a MarkBook) -> Self {
        Self { marks, marking: &Marking::new }
    }
}

/// Compiles groups. Automatic marks come from `past` where it knows a group, also under
/// another name; else from the director's range by the group's name alone, so that the
/// answer depends neither on the order of the groups nor on the machine.
///
/// # Errors
/// [`CompileError`].
pub fn compile(
    groups: &[Group],
    director: &DirectorSettings,
    past: Past<'_>,
) -> Result<Compiled, CompileError> {
    let marks = marks::assign(groups, director.marks, past)?;
    let mut state = DirectorState::default();
    for group in groups.iter().filter(|group| group.enabled) {
        for (mark, listeners) in marks.of_group(group) {
            marking::add(&mut state.marking, group, mark, &listeners);
            services::add(&mut state.services, group, mark);
            sources::add(&mut state.sources, group, mark);
        }
        if group.via == Via::Address {
            services::add_by_address(&mut state.services, group);
        }
    }
    let of_group =
        |group: &Group| -> Vec<Mark> { marks.of_group(group).map(|(mark, _)| mark).collect() };
    let enabled = groups.iter().filter(|group| group.enabled);
    state.settings = settings::needed(enabled, director, of_group);
    state.defragment = state.settings.keys().any(|key| matches!(key, SettingKey::LocalRoute(_)));
    state.marker = director.marker();
    state.form = director.form(|| classic_rules(&state.marking).len());
    // Of no use where nothing is marked.
    state.local_traffic = director.local_traffic && !state.marking.is_empty();
    Ok(Compiled { state, marks })
}
