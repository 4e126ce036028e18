//! What other tools hold becomes groups: `ipvsadm -S`, `iptables-save`, `nft -j list
//! ruleset`, keepalived.conf and ldirectord.cf.
//!
//! Each format has a reader, which puts what it found into one [`Imported`]: who is marked,
//! what is scheduled, whose address is replaced, each with its place. What cannot be turned
//! is not passed over: it is kept with a sentence that says why. When all files are read
//! the two halves are joined. Nothing here opens a file that no file names, asks a resolver or
//! sees a kernel.

mod claims;
mod document;
mod found;
mod iptables;
mod ipvsadm;
mod join;
pub mod keepalived;
pub mod ldirectord;
mod matches;
mod nft;
mod notes;
mod range;
mod sources;
mod turn;
mod walk;
mod words;

use std::fmt;
use std::str::FromStr;

pub use document::{Document, MAX_FILE, Place};
pub use found::{Claim, Imported, Masking, NotTurned, Path};
pub use join::Joined;
pub use turn::{Note, Turned};

/// Which tool wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `ipvsadm -S`, or a script of `ipvsadm` lines.
    Ipvsadm,
    /// `iptables-save` or `ip6tables-save`.
    Iptables,
    /// `nft -j list ruleset`.
    Nft,
    /// keepalived.conf.
    Keepalived,
    /// ldirectord.cf.
    Ldirectord,
}

impl Kind {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::Ipvsadm, Self::Iptables, Self::Nft, Self::Keepalived, Self::Ldirectord];

    /// The word for it on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipvsadm => "ipvsadm",
            Self::Iptables => "iptables",
            Self::Nft => "nft",
            Self::Keepalived => "keepalived",
            Self::Ldirectord => "ldirectord",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(())
    }
}

/// Reads a file that a tool wrote, and adds what is in it to what was found before.
///
/// # Errors
/// A file that is not what it was said to be. What it holds and cannot be turned is no error.
pub fn read(kind: Kind, document: &Document, found: &mut Imported) -> Result<(), ImportError> {
    match kind {
        Kind::Ipvsadm => ipvsadm::read(document, found),
        Kind::Iptables => iptables::read(document, found),
        Kind::Nft => nft::read(document, found),
        Kind::Keepalived => keepalived::read_named(document, found),
        Kind::Ldirectord => ldirectord::read(document, found),
    }
}

/// Why a file cannot be read at all. What can be read and not turned is no error.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be opened or read.
    #[error("cannot read {file}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is larger than any dump of a director.
    #[error("{file} is larger than 16 MiB")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// It is no text.
    #[error("{place}: this is no text in UTF-8")]
    NotText {
        /// Where it ceases to be.
        place: Place,
    },
    /// It is something else than was said.
    #[error("{place}: this is not {kind}: {what}")]
    NotThat {
        /// Where that is seen.
        place: Place,
        /// What it was said to be.
        kind: &'static str,
        /// What it is instead.
        what: String,
    },
}

impl ImportError {
    /// The file and the line, where it has one.
    pub fn place(&self) -> (&str, Option<usize>) {
        match self {
            Self::Unreadable { file, .. } | Self::TooLarge { file } => (file, None),
            Self::NotText { place } | Self::NotThat { place, .. } => (place.file(), place.line()),
        }
    }
}
