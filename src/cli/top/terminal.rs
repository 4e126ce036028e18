//! The terminal while the view has it: raw, on its other screen; and given back whatever
//! ends the view.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::backend::Backend;
use rustix::io::Errno;

use super::super::record_error;
use crate::error::Error;
use crate::top::{Key, Typed};

/// How long it may take from one byte of a key to the next, over a slow line.
const BETWEEN: Duration = Duration::from_millis(100);

/// The terminal; when this goes it is as it was, and so it is after a panic.
pub(super) struct Terminal {
    inner: DefaultTerminal,
    keys: OwnedFd,
    typed: Typed,
    /// When something was typed last.
    last: Instant,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// [`Error::Usage`] where nobody can press a key; what the terminal says.
    pub(super) fn take() -> Result<Self, Error> {
        let keys = keys()?;
        let failed = record_error("set the terminal up");
        let inner = ratatui::try_init().inspect_err(|_| give_back()).map_err(failed)?;
        Ok(Self { inner, keys, typed: Typed::default(), last: Instant::now() })
    }

    /// What is drawn on.
    pub(super) fn inner(&mut self) -> &mut DefaultTerminal {
        &mut self.inner
    }

    /// Wipes what others wrote: all of it is drawn anew. (Its own `clear` asks the terminal
    /// where the cursor is, which not each one says.)
    ///
    /// # Errors
    /// [`Error::Output`].
    pub(super) fn wipe(&mut self) -> Result<(), Error> {
        self.inner.backend_mut().clear().map_err(Error::Output)?;
        // Both pictures are empty then, as the terminal is.
        self.inner.swap_buffers();
        Ok(())
    }

    /// What can be read when a key was pressed.
    pub(super) fn keys(&self) -> &impl AsFd {
        &self.keys
    }

    /// The keys that were pressed, when there is something to read; none when the terminal
    /// has gone. It never waits, as a reader of whole keys would for the end of one.
    pub(super) fn pressed(&mut self) -> Option<Vec<Key>> {
        let mut bytes = [0; 256];
        match rustix::io::read(&self.keys, &mut bytes) {
            Ok(length @ 1..) => {
                self.last = Instant::now();
                Some(self.typed.take(&bytes[..length]))
            }
            Err(Errno::INTR | Errno::AGAIN) => Some(Vec::new()),
            Ok(_) | Err(_) => None,
        }
    }

    /// Until when the rest of a key may come, where one has begun.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        self.typed.is_open().then(|| self.last + BETWEEN)
    }

    /// Nothing more came of it.
    pub(super) fn typed(&mut self) -> Option<Key> {
        self.typed.close()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Err(error) = self.inner.show_cursor() {
            tracing::trace!("{error}");
        }
        give_back();
    }
}

fn give_back() {
    if let Err(error) = ratatui::try_restore() {
        tracing::trace!("the terminal is gone: {error}");
    }
}

/// What keys come from: standard input, else the terminal that controls us.
fn keys() -> Result<OwnedFd, Error> {
    let stdin = io::stdin();
    let keys = if stdin.is_terminal() {
        stdin.as_fd().try_clone_to_owned()
    } else {
        File::options().read(true).write(true).open("/dev/tty").map(OwnedFd::from)
    };
    keys.map_err(|_| Error::Usage {
        message: "top needs a terminal, and nobody can press a key here".to_owned(),
        hint: Some(
            "`fwmarkctl status` prints once, `fwmarkctl -o json stats` for programs".to_owned(),
        ),
    })
}
