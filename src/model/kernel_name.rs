//! Names that the kernel keeps in a fixed array: schedulers and persistence engines.

use std::fmt;
use std::str::FromStr;

/// A scheduler's or persistence engine's name: 1 to 15 bytes of `[a-z0-9_-]`.
///
/// The kernel keeps such a name in 16 bytes with a closing NUL
/// (`IP_VS_SCHEDNAME_MAXLEN` and `IP_VS_PENAME_MAXLEN`, `linux/ip_vs.h`); so does this
/// type, which is why ten thousand services share no allocation for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelName([u8; 16]);

/// A text that cannot be the name of a scheduler or persistence engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a name that the kernel can hold: 1 to 15 characters of a-z, 0-9, _ and -")]
pub struct InvalidKernelName(pub String);

impl KernelName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(16);
        std::str::from_utf8(&self.0[..end]).unwrap_or("?")
    }
}

impl FromStr for KernelName {
    type Err = InvalidKernelName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if text.is_empty() || text.len() > 15 || !text.bytes().all(allowed) {
            return Err(InvalidKernelName(text.to_owned()));
        }
        let mut bytes = [0; 16];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(bytes))
    }
}

impl fmt::Display for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl serde::Serialize for KernelName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

super::schema_of_text!(KernelName, "A name that the kernel knows, such as that of a scheduler.");
