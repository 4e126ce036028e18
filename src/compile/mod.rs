//! The compiler: groups become the kernel's shape of a director.

mod marking;
mod marks;
mod services;

use crate::model::{Group, MarkRange};
use crate::state::{DirectorState, MarkBook};

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

/// Compiles groups. Automatic marks come from `history` where it knows a group, else
/// from `range` by the group's name alone, so that the answer depends neither on the
/// order of the groups nor on the machine.
///
/// # Errors
/// [`CompileError`].
pub fn compile(
    groups: &[Group],
    range: MarkRange,
    history: &MarkBook,
) -> Result<Compiled, CompileError> {
    let marks = marks::assign(groups, range, history)?;
    let mut state = DirectorState::default();
    for group in groups.iter().filter(|group| group.enabled) {
        for (mark, listeners) in marks.of_group(group) {
            marking::add(&mut state.marking, group, mark, &listeners);
            services::add(&mut state.services, group, mark);
        }
    }
    Ok(Compiled { state, marks })
}
