//! Kernel parameters of IPv4 devices: what they must be on a real server, read and written
//! by `/proc/sys`, which shows the network namespace of the thread that opens it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Where a parameter is set. The kernel takes the greater of that of `all` and that of the
/// device, for all three of [`Key`] (`IN_DEV_MAXCONF`, `linux/inetdevice.h`).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Conf {
    /// All devices.
    All,
    /// The loopback device.
    Lo,
    /// The device that unpacks IP in IP.
    Tunl0,
}

/// Which parameter (`Documentation/networking/ip-sysctl.rst` of the kernel).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// Who is told by ARP that an address is here.
    ArpIgnore,
    /// Which address asks by ARP.
    ArpAnnounce,
    /// Whether a packet must come from where its answer would go.
    RpFilter,
}

impl Key {
    /// The name, which is that of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::RpFilter => "rp_filter",
        }
    }

    /// What it is set to. `rp_filter` becomes loose (2) and not off: the kernel takes the
    /// greater value, so that 2 on one device wins over a strict 1 of `all`, where 0 would
    /// need `all` to be lowered, for every other device too.
    pub fn wanted(self) -> u32 {
        match self {
            Self::ArpIgnore => 1,
            Self::ArpAnnounce | Self::RpFilter => 2,
        }
    }

    /// Whether a value does. 1, 2 and 8 of `arp_ignore` keep silent about what is on
    /// another device; 3 speaks of addresses of global scope, and others are reserved
    /// (`arp_ignore`, `net/ipv4/arp.c`). Packets of clients leave a tunnel that their
    /// answers do not enter, which the strict filter (1) forbids.
    pub fn accepts(self, value: u32) -> bool {
        match self {
            Self::ArpIgnore => matches!(value, 1 | 2 | 8),
            Self::ArpAnnounce => value == 2,
            Self::RpFilter => value != 1,
        }
    }
}

/// A parameter of one place.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[schemars(inline)]
pub struct Sysctl {
    /// Where.
    pub conf: Conf,
    /// Which.
    pub key: Key,
}

impl Sysctl {
    /// All that can be set.
    pub fn every() -> impl Iterator<Item = Self> {
        [Conf::All, Conf::Lo, Conf::Tunl0].into_iter().flat_map(|conf| {
            [Key::ArpIgnore, Key::ArpAnnounce, Key::RpFilter].map(|key| Self { conf, key })
        })
    }

    fn path(self) -> PathBuf {
        let conf = match self.conf {
            Conf::All => "all",
            Conf::Lo => "lo",
            Conf::Tunl0 => "tunl0",
        };
        path(conf, self.key)
    }

    /// Its value; `None` where there is no such device.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn read(self) -> io::Result<Option<u32>> {
        read(&self.path())
    }

    /// Sets it.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn write(self, value: u32) -> io::Result<()> {
        fs::write(self.path(), value.to_string())
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conf = match self.conf {
            Conf::All => "all",
            Conf::Lo => "lo",
            Conf::Tunl0 => "tunl0",
        };
        write!(f, "net.ipv4.conf.{conf}.{}", self.key.name())
    }
}

/// The value of a parameter on any device; `None` where it has none.
///
/// # Errors
/// What the file system says.
pub(super) fn of_device(device: &str, key: Key) -> io::Result<Option<u32>> {
    read(&path(device, key))
}

fn path(conf: &str, key: Key) -> PathBuf {
    Path::new("/proc/sys/net/ipv4/conf").join(conf).join(key.name())
}

fn read(path: &Path) -> io::Result<Option<u32>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    text.trim().parse().map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_always_enough() {
        for sysctl in Sysctl::every() {
            assert!(sysctl.key.accepts(sysctl.key.wanted()), "{sysctl}");
        }
    }

    #[test]
    fn only_values_that_hide_the_vip_are_enough() {
        let enough = |key: Key| (0..=8).filter(|&value| key.accepts(value)).collect::<Vec<_>>();
        assert_eq!(enough(Key::ArpIgnore), [1, 2, 8]);
        assert_eq!(enough(Key::ArpAnnounce), [2]);
        assert!(!Key::RpFilter.accepts(1) && Key::RpFilter.accepts(0) && Key::RpFilter.accepts(2));
    }

    #[test]
    fn names_are_those_of_sysctl() {
        let sysctl = Sysctl { conf: Conf::Tunl0, key: Key::RpFilter };
        assert_eq!(sysctl.to_string(), "net.ipv4.conf.tunl0.rp_filter");
        assert!(sysctl.path().ends_with("ipv4/conf/tunl0/rp_filter"));
    }
}
