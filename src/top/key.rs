//! What somebody presses, and what is to be done about it.

use std::fmt;

use super::rows::Server;
use crate::model::GroupName;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A letter, as it is typed.
    Letter(char),
    /// A line up.
    Up,
    /// A line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// The first line.
    Home,
    /// The last line.
    End,
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// Ctrl-C.
    Interrupt,
}

/// What is to be done by who runs the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// End.
    Quit,
    /// Change the weight of a real server; somebody said yes.
    Change(Ask),
    /// Take a sample now.
    Sample,
}

/// What can be done with a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It takes no new clients.
    Drain,
    /// It takes clients again.
    Restore,
}

/// What is asked for before it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What.
    pub verb: Verb,
    /// The group of the real server.
    pub group: GroupName,
    /// The real server.
    pub server: Server,
}

impl Ask {
    /// The question; nothing but `y` is a yes.
    pub(super) fn question(&self) -> String {
        format!("{self}? [y/N]")
    }

    /// What is shown while it is done.
    pub(super) fn under_way(&self) -> String {
        let verb = match self.verb {
            Verb::Drain => "Draining",
            Verb::Restore => "Restoring",
        };
        format!("{verb} {} of {} ...", self.server, self.group)
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self.verb {
            Verb::Drain => "Drain",
            Verb::Restore => "Restore",
        };
        write!(f, "{verb} {} of {}", self.server, self.group)
    }
}
