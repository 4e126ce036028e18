//! The terminal while the view has it: raw, on its other screen; and given back whatever
//! ends the view.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::backend::Backend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};

use super::super::record_error;
use crate::error::Error;
use crate::top::Key;

/// The terminal; when this goes it is as it was, and so it is after a panic.
pub(super) struct Terminal {
    inner: DefaultTerminal,
    keys: OwnedFd,
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
        Ok(Self { inner, keys })
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

    /// The keys that were pressed until now.
    ///
    /// # Errors
    /// What the terminal says.
    pub(super) fn pressed() -> Result<Vec<Key>, Error> {
        let failed = record_error("read the keys");
        let mut keys = Vec::new();
        while poll(Duration::ZERO).map_err(&failed)? {
            if let Event::Key(event) = read().map_err(&failed)? {
                keys.extend(key(event));
            }
        }
        Ok(keys)
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

/// The key of an event.
fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char('p') if control => Key::Up,
        KeyCode::Char('n') if control => Key::Down,
        KeyCode::Char(_) if control => return None,
        KeyCode::Char(letter) => Key::Letter(letter),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
