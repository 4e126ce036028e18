//! The planner: what leads from one state of a director to another.

mod change;

pub use change::{EntryChange, FrameChange, LedgerChange, MarkSwitch, ServiceChange};
