//! How far a transaction is, for whoever wants to show it.

/// A step of a transaction, with how many changes it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The kernel is read.
    Observe,
    /// Services and real servers are added and edited.
    Stage(usize),
    /// The marks change.
    Switch(usize),
    /// Services and real servers go.
    Retire(usize),
    /// The kernel is read back.
    Verify,
    /// The way back.
    Restore,
}

/// Someone who wants to know how far a transaction is.
pub trait Progress {
    /// A step begins.
    fn step(&mut self, step: Step);

    /// The signal by which somebody asked to stop. It is asked before anything is done
    /// and before the switch, where there is a way back that changes no mark.
    fn interruption(&self) -> Option<&'static str> {
        None
    }
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _: Step) {}
}
