//! The stable codes of everything that can be wrong with a configuration.
//!
//! `docs/errors.md` describes each; its text is part of the program, so that
//! `fwmarkctl explain E0213` and the page cannot part ways.

use std::fmt;

use crate::model::schema_of_text;

/// The page that describes every code.
const PAGE: &str = include_str!("../../docs/errors.md");

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal,)+) => {
        /// What kind of mistake a [`Diagnostic`](super::Diagnostic) reports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as shown: `E0213`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }
        }
    };
}

codes! {
    /// A file that cannot be read.
    Unreadable = "E0101",
    /// A directory where a file should be.
    Directory = "E0102",
    /// Bytes that are not UTF-8.
    NotUtf8 = "E0103",
    /// A NUL byte.
    NulByte = "E0104",
    /// A file, or a list in it, beyond the bounds.
    TooLarge = "E0105",
    /// A file that others may write.
    WritableByOthers = "E0106",
    /// No group at all.
    NoGroups = "E0107",
    /// Text that is not TOML.
    Syntax = "E0108",
    /// A key or table twice in one file.
    DuplicateKey = "E0109",
    /// A key that does not exist.
    UnknownKey = "E0110",
    /// A value of another type than its key takes.
    WrongType = "E0111",
    /// A key without which the table means nothing.
    MissingKey = "E0112",
    /// Director settings where they cannot stand, or twice.
    DirectorMisplaced = "E0113",
    /// A name that cannot name a group or a preset.
    InvalidName = "E0114",
    /// One group name twice.
    DuplicateGroup = "E0115",
    /// A word that is not among those that a key takes.
    UnknownWord = "E0116",
    /// A text that is no VIP.
    InvalidVip = "E0201",
    /// A VIP that the group has already.
    OverlappingVips = "E0202",
    /// A group without VIPs.
    NoVips = "E0203",
    /// A text or number that is no port.
    InvalidPort = "E0204",
    /// Port ranges of one group that overlap.
    OverlappingPorts = "E0205",
    /// A group without ports.
    NoPorts = "E0206",
    /// A service that no preset describes.
    UnknownPreset = "E0207",
    /// `any` where it cannot stand.
    AnyMisplaced = "E0208",
    /// Ports under `pcc`.
    PccWithPorts = "E0209",
    /// A number or text that is no mark.
    InvalidMark = "E0210",
    /// One mark for a group that needs several, or several for a group that has one.
    MarkMisplaced = "E0211",
    /// A mark for a port that the group does not listen on.
    MarkOfForeignPort = "E0212",
    /// A scheduler that does not exist.
    UnknownScheduler = "E0213",
    /// A scheduler flag that does not exist or belongs to another scheduler.
    InvalidFlag = "E0214",
    /// A persistence timeout that is 0, too long, or no time.
    InvalidTimeout = "E0215",
    /// A netmask that leaves no client, or is longer than an address.
    InvalidNetmask = "E0216",
    /// A persistence engine that does not exist.
    UnknownEngine = "E0217",
    /// A tunnel setting that its tunnel does not have.
    InvalidTunnel = "E0218",
    /// `via = "address"` for something that needs a mark.
    ViaNeedsMark = "E0219",
    /// What clients are remembered by, where none is.
    NothingRemembered = "E0220",
    /// A group without real servers.
    NoRealServers = "E0301",
    /// A text that is no address of a real server.
    InvalidAddress = "E0302",
    /// One real server twice.
    DuplicateRealServer = "E0303",
    /// A real server of a family that the group has no VIP of.
    FamilyWithoutVip = "E0304",
    /// A VIP of a family that no real server serves.
    FamilyWithoutServer = "E0305",
    /// Port mapping with a forwarding method that keeps the port.
    PortNotMapped = "E0306",
    /// Port mapping where the mark has several ports.
    PortOfSeveral = "E0307",
    /// A weight out of bounds.
    InvalidWeight = "E0308",
    /// Thresholds that contradict each other, or out of bounds.
    InvalidThreshold = "E0309",
    /// A `snat` that no packet to a real server can have.
    InvalidSnat = "E0310",
    /// One real server with full NAT and without.
    MixedFullNat = "E0311",
    /// Two groups that claim the same traffic.
    Claimed = "E0401",
    /// One mark twice.
    MarkTaken = "E0402",
    /// More automatic marks than the range has.
    MarksExhausted = "E0403",
    /// A text that is no kernel parameter, or a value that none has.
    InvalidSysctl = "E0601",
    /// A kernel parameter that a group needs otherwise.
    SysctlContradicts = "E0602",
    /// A setting of the synchronisation that does not fit.
    InvalidSync = "E0603",
    /// Synchronisation of a service whose real servers are of another family.
    SyncAcrossFamilies = "E0604",
    /// A prefix that is to be an address of an interface.
    PrefixNotBound = "E0605",
    /// `vips = "bind"` without an interface, or an interface without it.
    InterfaceMisplaced = "E0606",
    /// A number of rules that none can be.
    InvalidMaxRules = "E0607",
    /// A share that none can be.
    InvalidShare = "E0608",
    /// A group that is to be edited, and is not there.
    UnknownGroup = "E0701",
    /// A real server that is to be edited, and is not there.
    UnknownRealServer = "E0702",
    /// An edit after which no real server takes new clients, or none is left.
    LastRealServer = "E0703",
    /// A configuration that is in no file.
    NoFile = "E0704",
    /// A layout that an edit would not leave as it is.
    NotEditable = "E0705",
    /// A group that is to be added, and is there.
    GroupExists = "E0706",
    /// A real server that is to be added, and is there.
    RealServerExists = "E0707",
    /// A file for a new group that is not read, or is one of several.
    NotRead = "E0708",
    /// An apply that takes much out of service, to which nobody agreed.
    Unconfirmed = "E0801",
    /// `one-packet` without a UDP port.
    OnePacketWithoutUdp = "W0101",
    /// A port of a real server of a persistent group.
    PersistentPort = "W0102",
    /// The SIP persistence engine with ports that are not UDP.
    EngineWithoutUdp = "W0103",
    /// The director's own traffic to a group that only others can reach.
    LocalTraffic = "W0104",
    /// `one-packet` with real servers that the director translates for.
    OnePacketByNat = "W0105",
}

impl Code {
    /// The code that is written so, in either case.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether it warns only.
    pub fn is_warning(self) -> bool {
        self.as_str().starts_with('W')
    }

    /// What the code means, with an example and the remedy, as Markdown.
    pub fn explanation(self) -> &'static str {
        let heading = format!("### {}", self.as_str());
        let Some(start) = PAGE.find(&heading) else { return "" };
        let section = &PAGE[start..];
        let end = section[1..].find("\n##").map_or(section.len(), |end| end + 1);
        section[..end].trim_end()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

schema_of_text!(Code, "The code of an error; `fwmarkctl explain` tells more.", "^E[0-9]{4}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_none_is_used_twice() {
        assert!(Code::ALL.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
    }

    #[test]
    fn the_page_describes_every_code() {
        for code in Code::ALL {
            assert!(code.explanation().lines().count() > 4, "{code} is not in docs/errors.md");
        }
    }
}
