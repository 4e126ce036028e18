//! The bytes of a terminal as keys. A sequence may come in pieces, and one that never ends
//! is given up, so that no byte keeps anybody waiting.

use super::Key;

const ESCAPE: u8 = 0x1b;

/// No sequence that means anything to us is longer.
const LONGEST: usize = 16;

/// What was typed and is no whole key yet.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    rest: Vec<u8>,
}

/// What bytes begin with.
enum Front {
    /// So many bytes, which are a key of ours, or none.
    Whole(usize, Option<Key>),
    /// The beginning of what may become a key.
    Part,
}

impl Typed {
    /// The keys that are whole with these bytes.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.rest.extend_from_slice(bytes);
        let (mut keys, mut done) = (Vec::new(), 0);
        while let Some(Front::Whole(length, key)) = front(&self.rest[done..]) {
            keys.extend(key);
            done += length;
        }
        self.rest.drain(..done);
        keys
    }

    /// Whether more is to come, unless Escape was all.
    pub fn is_open(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Nothing more came: Escape by itself was the key, anything else is none.
    pub fn close(&mut self) -> Option<Key> {
        let rest = std::mem::take(&mut self.rest);
        (rest == [ESCAPE]).then_some(Key::Escape)
    }
}

fn front(bytes: &[u8]) -> Option<Front> {
    Some(match *bytes {
        [] => return None,
        [ESCAPE] | [ESCAPE, b'O'] => Front::Part,
        // Escape twice: the first one was a key.
        [ESCAPE, ESCAPE, ..] => Front::Whole(1, Some(Key::Escape)),
        [ESCAPE, b'[', ref rest @ ..] => control_sequence(rest),
        [ESCAPE, b'O', last, ..] => Front::Whole(3, named(last)),
        // Alt and a letter.
        [ESCAPE, _, ..] => Front::Whole(2, None),
        [control @ (..0x20 | 0x7f), ..] => Front::Whole(1, of_control(control)),
        [first, ..] => letter(first, bytes),
    })
}

/// The standard's control sequence (ECMA-48, 5.4): parameters, and a byte that ends it.
fn control_sequence(rest: &[u8]) -> Front {
    let Some(end) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return if rest.len() < LONGEST { Front::Part } else { Front::Whole(rest.len() + 2, None) };
    };
    let key = match rest[end] {
        b'~' => match &rest[..end] {
            b"1" | b"7" => Some(Key::Home),
            b"4" | b"8" => Some(Key::End),
            b"5" => Some(Key::PageUp),
            b"6" => Some(Key::PageDown),
            _ => None,
        },
        // What cannot end it is the next key.
        byte if !(0x40..=0x7e).contains(&byte) => return Front::Whole(end + 2, None),
        byte => named(byte),
    };
    Front::Whole(end + 3, key)
}

/// The last letter of a sequence.
fn named(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        _ => return None,
    })
}

fn of_control(byte: u8) -> Option<Key> {
    Some(match byte {
        0x03 => Key::Interrupt,
        b'\r' | b'\n' => Key::Enter,
        0x08 | 0x7f => Key::Backspace,
        // Ctrl-P and Ctrl-N, as shells have them.
        0x10 => Key::Up,
        0x0e => Key::Down,
        _ => return None,
    })
}

/// A letter in UTF-8; what is none is nothing.
fn letter(first: u8, bytes: &[u8]) -> Front {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let there = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(there) {
        Ok(text) => Front::Whole(length, text.chars().next().map(Key::Letter)),
        // So far it is one.
        Err(error) if error.error_len().is_none() => Front::Part,
        Err(_) => Front::Whole(1, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pieces: &[&[u8]]) -> Vec<Key> {
        let mut typed = Typed::default();
        let mut keys: Vec<_> = pieces.iter().flat_map(|bytes| typed.take(bytes)).collect();
        keys.extend(typed.close());
        assert!(!typed.is_open());
        keys
    }

    #[test]
    fn keys_are_read_as_terminals_send_them() {
        for (bytes, key) in [
            (&b"q"[..], Key::Letter('q')),
            ("ä".as_bytes(), Key::Letter('ä')),
            (b"\x1b[A", Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[1;5A", Key::Up),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b"\x1b[H", Key::Home),
            (b"\x1b[4~", Key::End),
            (b"\r", Key::Enter),
            (b"\x7f", Key::Backspace),
            (b"\x03", Key::Interrupt),
            (b"\x1b", Key::Escape),
        ] {
            assert_eq!(keys(&[bytes]), [key], "{bytes:?}");
            // A network may bring them one by one.
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(keys(&single), [key], "{bytes:?}");
        }
        assert_eq!(keys(&[b"jk\x1b[Bd"]).len(), 4);
    }

    #[test]
    fn what_never_ends_or_is_no_key_keeps_nobody_waiting() {
        for bytes in [&b"\x1b["[..], b"\x1bO", b"\x1bx", b"\xe4", b"\xc3", b"\x1b[99", b"\x1b[?25h"]
        {
            assert_eq!(keys(&[bytes]), [], "{bytes:?}");
        }
        assert_eq!(keys(&[b"\xe4q"]), [Key::Letter('q')]);
        assert_eq!(keys(&[b"\x1b[12\x03"]), [Key::Interrupt]);
        assert_eq!(keys(&[b"\x1b\x1b[A"]), [Key::Escape, Key::Up]);
        let mut typed = Typed::default();
        let long = [&b"\x1b["[..], &[b'1'; 100]].concat();
        assert_eq!(typed.take(&long), []);
        assert!(!typed.is_open(), "so long a sequence is none");
    }
}
