//! What a director needs beside marks and services: kernel parameters, routing and
//! addresses for VIPs, IPVS's timeouts and its synchronisation.
//!
//! Each is a key with a value, or absent. A value that serves already is left alone and
//! stays whose it is; what we change is ours, and what it was before comes back when no
//! state wants it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::ServiceKey;
use crate::model::{
    DeviceName, Family, Mark, MarkRange, Prefix, SyncChannel, SyncRole, Sysctl, Timeout,
};

/// The routing table in which VIPs are local: "LV" in ASCII, as in the automatic marks.
pub const ROUTE_TABLE: u32 = 0x4c56;

/// The priority of our routing rules: behind the table `local`, before most others.
pub const RULE_PRIORITY: u32 = 456;

/// The value of what can only be there or not.
pub const PRESENT: &str = "present";

/// Which setting. The order is that in which they are made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettingKey {
    /// A kernel parameter.
    Sysctl(Sysctl),
    /// How long IPVS keeps idle connections, in seconds.
    Timeout(Timeout),
    /// A prefix is local in [`ROUTE_TABLE`].
    LocalRoute(Prefix),
    /// Packets look into [`ROUTE_TABLE`].
    Rule(Selector),
    /// An address on a device, alone.
    Address {
        /// The address.
        address: IpAddr,
        /// Where.
        device: DeviceName,
    },
    /// A synchronisation daemon of IPVS.
    SyncDaemon(SyncRole),
}

/// Which packets a routing rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// Those with a mark, of which the bits of the mask count.
    Mark {
        /// The packets' family.
        family: Family,
        /// The mark.
        mark: u32,
        /// The bits that count.
        mask: u32,
    },
    /// Those to a prefix.
    To(Prefix),
}

impl Selector {
    /// The packets' family.
    pub fn family(&self) -> Family {
        match self {
            Self::Mark { family, .. } => *family,
            Self::To(prefix) => prefix.family(),
        }
    }
}

impl fmt::Display for Selector {
    /// As ip-rule(8) writes it, the family in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark { family, mark, mask: u32::MAX } => write!(f, "{family} fwmark {mark:#x}"),
            Self::Mark { family, mark, mask } => write!(f, "{family} fwmark {mark:#x}/{mask:#x}"),
            Self::To(prefix) => write!(f, "{} to {prefix}", prefix.family()),
        }
    }
}

impl FromStr for Selector {
    type Err = ();

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (family, rest) = text.split_once(' ').ok_or(())?;
        let family = Family::BOTH.into_iter().find(|known| known.to_string() == family);
        let family = family.ok_or(())?;
        let number = |text: &str| {
            let digits = text.strip_prefix("0x").ok_or(())?;
            u32::from_str_radix(digits, 16).map_err(|_| ())
        };
        match rest.split_once(' ').ok_or(())? {
            ("fwmark", bits) => match bits.split_once('/') {
                Some((mark, which)) => {
                    Ok(Self::Mark { family, mark: number(mark)?, mask: number(which)? })
                }
                None => Ok(Self::Mark { family, mark: number(bits)?, mask: u32::MAX }),
            },
            ("to", prefix) => {
                let prefix: Prefix = prefix.parse().map_err(|_| ())?;
                if prefix.family() == family { Ok(Self::To(prefix)) } else { Err(()) }
            }
            _ => Err(()),
        }
    }
}

/// The masks that cover the marks from `first` to `last`, both included, and no other.
pub fn covering(first: Mark, last: Mark) -> Vec<(u32, u32)> {
    let (mut next, last) = (u64::from(first.get()), u64::from(last.get()));
    let mut found = Vec::new();
    while next <= last {
        // The largest block that begins here and does not go beyond the last.
        let aligned = next.trailing_zeros().min(32);
        let fitting = (last - next + 1).ilog2();
        let size = 1_u64 << aligned.min(fitting);
        let mask = u32::try_from(!(size - 1) & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        found.push((u32::try_from(next).unwrap_or(0), mask));
        next += size;
    }
    found
}

impl SettingKey {
    /// By what VIPs with these marks are local where no device has them: what is marked
    /// looks into a table that says so. One rule stands for all marks of `range`, however
    /// many groups there are; a service by address has no mark, and its packets are known by
    /// their destination.
    pub fn of_routing(vips: &[Prefix], marks: &[Mark], range: MarkRange) -> Vec<Self> {
        let mut needed: Vec<_> = vips.iter().copied().map(Self::LocalRoute).collect();
        if marks.is_empty() {
            needed.extend(vips.iter().map(|vip| Self::Rule(Selector::To(*vip))));
        }
        let has_vip = |family: &Family| vips.iter().any(|vip| vip.family() == *family);
        for family in Family::BOTH.into_iter().filter(has_vip) {
            for mark in marks {
                let blocks = if range.contains(*mark) {
                    covering(range.first(), range.last())
                } else {
                    covering(*mark, *mark)
                };
                let rule = |(mark, mask)| Self::Rule(Selector::Mark { family, mark, mask });
                needed.extend(blocks.into_iter().map(rule));
            }
        }
        needed
    }

    /// Whether `found` is as good as `wanted`.
    pub fn is_served(&self, wanted: &str, found: &str) -> bool {
        if wanted == found {
            return true;
        }
        match (self, wanted.parse::<SyncChannel>(), found.parse::<SyncChannel>()) {
            (Self::SyncDaemon(_), Ok(wanted), Ok(found)) => wanted.is_served_by(&found),
            _ => false,
        }
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sysctl(_) => "sysctl",
            Self::Timeout(_) => "timeout",
            Self::LocalRoute(_) => "local-route",
            Self::Rule(_) => "rule",
            Self::Address { .. } => "address",
            Self::SyncDaemon(_) => "sync-daemon",
        }
    }

    /// Which of its kind.
    pub fn name(&self) -> String {
        match self {
            Self::Sysctl(sysctl) => sysctl.to_string(),
            Self::Timeout(timeout) => timeout.as_str().to_owned(),
            Self::LocalRoute(prefix) => prefix.to_string(),
            Self::Rule(selector) => selector.to_string(),
            Self::Address { address, device } => format!("{address} on {device}"),
            Self::SyncDaemon(role) => role.as_str().to_owned(),
        }
    }
}

impl fmt::Display for SettingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

impl FromStr for SettingKey {
    type Err = InvalidSettingKey;

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSettingKey(text.to_owned());
        let (kind, name) = text.split_once(' ').ok_or_else(invalid)?;
        let key = match kind {
            "sysctl" => name.parse().ok().map(Self::Sysctl),
            "timeout" => {
                let known = Timeout::ALL.into_iter().find(|known| known.as_str() == name);
                known.map(Self::Timeout)
            }
            "local-route" => name.parse().ok().map(Self::LocalRoute),
            "rule" => name.parse().ok().map(Self::Rule),
            "address" => name.split_once(" on ").and_then(|(address, device)| {
                let (address, device) = (address.parse().ok()?, device.parse().ok()?);
                Some(Self::Address { address, device })
            }),
            "sync-daemon" => {
                let known = SyncRole::BOTH.into_iter().find(|known| known.as_str() == name);
                known.map(Self::SyncDaemon)
            }
            _ => None,
        };
        key.ok_or_else(invalid)
    }
}

/// A text that names no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no setting of a director")]
pub struct InvalidSettingKey(pub String);

/// Settings with their values; what is absent is not here.
pub type Settings = BTreeMap<SettingKey, String>;

/// What a setting was when we came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Original {
    /// It served as it was. Whatever it is one day, it is not ours to change back.
    Served,
    /// It was this, or absent, and we changed it.
    Was(Option<String>),
}

/// The settings of the state that we made, with what they were.
pub type Originals = BTreeMap<SettingKey, Original>;

/// What is ours in this boot beside what the kernel's ledger names: services that were
/// made or are about to be, and the settings of the state that was applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ownership {
    /// The services.
    pub services: BTreeSet<ServiceKey>,
    /// The settings, with what they were.
    pub originals: Originals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_reads_back_from_its_name() {
        for text in [
            "sysctl net.ipv4.vs.conntrack",
            "timeout tcp-fin",
            "local-route 192.0.2.0/28",
            "local-route 2001:db8::7",
            "rule ipv4 fwmark 0x4c560000/0xffff0000",
            "rule ipv6 fwmark 0xa",
            "rule ipv6 to 2001:db8::/64",
            "address 172.18.100.7 on eth0",
            "sync-daemon backup",
        ] {
            assert_eq!(text.parse::<SettingKey>().expect(text).to_string(), text);
        }
        for text in ["", "sysctl", "sysctl kernel.panic", "timeout icmp", "rule ipv4 to ::/0"] {
            assert!(text.parse::<SettingKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_daemon_serves_where_all_that_was_asked_for_is_so() {
        let master = SettingKey::SyncDaemon(SyncRole::Master);
        let found = "interface eth1 id 7 group 224.0.0.81 port 8848 ttl 1 maxlen 1472";
        assert!(master.is_served("interface eth1 id 7", found));
        assert!(!master.is_served("interface eth1 id 8", found));
        let sysctl = SettingKey::Sysctl(Sysctl::ip_forward());
        assert!(sysctl.is_served("1", "1") && !sysctl.is_served("1", "0"));
    }

    #[test]
    fn ranges_of_marks_are_covered_and_nothing_else() {
        let of = |first, last| {
            covering(Mark::new(first).expect("not 0"), Mark::new(last).expect("not 0"))
        };
        assert_eq!(of(0x4c56_0000, 0x4c56_ffff), [(0x4c56_0000, 0xffff_0000)]);
        assert_eq!(of(10, 10), [(10, u32::MAX)]);
        assert_eq!(of(1, 6), [(1, u32::MAX), (2, !1), (4, !1), (6, u32::MAX)]);
        assert_eq!(of(u32::MAX, u32::MAX), [(u32::MAX, u32::MAX)]);
        assert_eq!(of(1, u32::MAX).len(), 32);
        for (first, last) in [(3, 77), (5, 64), (1, 100)] {
            let blocks = of(first, last);
            for mark in 0..200 {
                let hits = blocks.iter().filter(|(block, mask)| mark & mask == *block).count();
                assert_eq!(hits, usize::from((first..=last).contains(&mark)), "{mark}");
            }
        }
    }
}
