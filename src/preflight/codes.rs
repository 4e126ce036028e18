//! The stable codes of what the doctor finds.
//!
//! `docs/doctor.md` describes each; its text is part of the program, so that
//! `fwmarkctl explain D0201` and the page cannot part ways.

use std::fmt;

use crate::model::schema_of_text;

/// The page that describes every code.
const PAGE: &str = include_str!("../../docs/doctor.md");

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal,)+) => {
        /// What kind of cause a [`Finding`](super::Finding) reports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as shown: `D0201`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)+
                }
            }
        }
    };
}

codes! {
    /// The kernel has no IPVS.
    NoIpvs = "D0101",
    /// A scheduler that this kernel lacks.
    NoScheduler = "D0102",
    /// A persistence engine that this kernel lacks.
    NoEngine = "D0103",
    /// Loopback is down.
    LoopbackDown = "D0104",
    /// A packet filter drops new connections.
    FilterDropsNew = "D0201",
    /// A packet filter drops the later packets of connections.
    FilterDropsLater = "D0202",
    /// A packet filter drops what IPVS sends to real servers.
    FilterDropsForwarded = "D0203",
    /// A packet filter drops the answers of real servers.
    FilterDropsAnswers = "D0204",
    /// A rule leads packets elsewhere.
    Diverted = "D0205",
    /// A hook after ours changes the mark.
    MarkChanged = "D0301",
    /// Another rule gives packets one of our marks.
    MarkGiven = "D0302",
    /// Another rule asks for one of our marks.
    MarkAsked = "D0303",
    /// An `ip rule` on one of our marks.
    RoutingRule = "D0304",
    /// A rule lets packets pass before they are marked.
    MarkMissed = "D0305",
    /// What marks is not as it was made.
    MarkerDamaged = "D0306",
    /// A VIP that is no address of this machine.
    VipNotLocal = "D0401",
    /// A VIP for which nobody answers by ARP.
    VipSilent = "D0402",
    /// A VIP that is the source of tunnelled packets.
    VipIsSource = "D0403",
    /// The strict filter of the way back.
    ReversePath = "D0404",
    /// The director does not forward.
    NoForwarding = "D0405",
    /// IPVS does not tell conntrack of its connections.
    NoConntrack = "D0406",
    /// There is no route to a real server.
    NoRoute = "D0501",
    /// A real server for direct routing behind a router.
    BehindRouter = "D0502",
    /// A real server that answers around the director.
    AnswersAround = "D0503",
    /// A real server that nobody finds on the link.
    NoNeighbour = "D0504",
    /// Packets that grow too long in a tunnel.
    TunnelMtu = "D0505",
    /// One port of a real server for several ports of a mark.
    PortOfSeveral = "D0506",
    /// Somebody else's service on one of our marks.
    ForeignService = "D0601",
    /// Somebody else's service on an address of ours.
    ForeignAddress = "D0602",
    /// The sync daemon and tunnels between families.
    SyncAndMixedFamilies = "D0603",
    /// A unit that flushes the ruleset.
    RulesetFlushed = "D0701",
    /// A unit that flushes IPVS.
    IpvsFlushed = "D0702",
    /// A saved ruleset that a boot would not load.
    SavedRefused = "D0703",
}

impl Code {
    /// The code that is written so, in either case.
    pub fn find(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }

    /// What the code means and what mends it, as Markdown.
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

schema_of_text!(Code, "The code of a finding; `fwmarkctl explain` tells more.", "^D[0-9]{4}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_describes_each_code_once_and_no_other() {
        let headings: Vec<_> = PAGE
            .lines()
            .filter_map(|line| line.strip_prefix("### "))
            .filter_map(|line| line.split(':').next())
            .collect();
        let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(headings, codes);
        for code in Code::ALL {
            let text = code.explanation();
            for part in ["Why it stops traffic", "Remedy"] {
                assert!(text.contains(part), "{code} does not say: {part}");
            }
        }
    }
}
