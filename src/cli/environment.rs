//! What the process was started with beside its arguments. Only `main` reads it.

use std::ffi::OsString;

use super::args::ColorChoice;

/// The environment, as far as it matters.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `NO_COLOR` is set, and not to nothing.
    pub no_color: bool,
    /// What terminal it is: `TERM`.
    pub term: Option<String>,
    /// Whether the locale's texts are UTF-8, as `LC_ALL`, `LC_CTYPE` or `LANG` says.
    pub utf8: bool,
    /// Who called: `SUDO_USER`, where somebody became root by sudo(8).
    pub sudo_user: Option<String>,
    /// Where a service manager wants to be told how things are (`sd_notify(3)`).
    pub notify_socket: Option<OsString>,
    /// How often it wants to hear, in microseconds.
    pub watchdog_usec: Option<String>,
    /// At which call the process dies (`FWMARKCTL_DIE_AT`); for tests.
    #[cfg(feature = "fail-points")]
    pub die_at: Option<u64>,
}

impl Environment {
    /// Whether what goes to a terminal, or elsewhere, is coloured.
    pub fn colors(&self, choice: ColorChoice, terminal: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !self.no_color && !self.is_dumb(),
        }
    }

    /// Whether the terminal takes text and nothing more, as far as anybody knows.
    pub fn is_dumb(&self) -> bool {
        self.term.as_deref().is_none_or(|term| term.is_empty() || term == "dumb")
    }
}
