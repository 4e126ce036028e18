//! Persistence: for how long, how widely and for what a client stays on a real server.

use std::fmt;
use std::str::FromStr;

use super::KernelName;

/// The longest timeout, in seconds: 31 days, the bound of ipvsadm(8). The kernel takes
/// more and overflows: 17179870 s becomes 0.
pub const MAX_TIMEOUT: u32 = 2_678_400;

/// What a client's affinity covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Persistent port connection: each (protocol, port) by itself.
    Ppc,
    /// Persistent client connection: the whole VIP, every port.
    Pcc,
    /// Persistent firewall-mark connection: every VIP and port of the group together.
    Pfwmc,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Ppc, Self::Pcc, Self::Pfwmc];

    /// The name as written in a config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ppc => "ppc",
            Self::Pcc => "pcc",
            Self::Pfwmc => "pfwmc",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a group's clients stay on their real servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Persistence {
    /// What the affinity covers.
    pub mode: Mode,
    timeout: u32,
    netmask: u8,
    netmask6: u8,
    /// A persistence engine, such as `sip`.
    pub engine: Option<KernelName>,
}

/// Why a persistence does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPersistence {
    /// A timeout of 0.
    #[error("a persistence timeout of 0 would forget every client at once")]
    ZeroTimeout,
    /// A timeout beyond the limit.
    #[error("a persistence timeout of {0} is beyond the limit of {MAX_TIMEOUT} s (31 days)")]
    LongTimeout(String),
    /// A text that is no time.
    #[error(
        "'{0}' is not a time: a number of seconds, or one with s, m, h or d (\"300s\", \"5m\")"
    )]
    NotATime(String),
    /// A netmask of 0 or beyond the address.
    #[error("netmask {0} is not a prefix length of an address: 1 to {1}")]
    Netmask(i64, u8),
    /// A mode that does not exist.
    #[error("'{0}' is not a persistence mode: none, ppc, pcc or pfwmc")]
    Mode(String),
}

impl Persistence {
    /// The timeout of a persistence that names none, in seconds.
    pub const DEFAULT_TIMEOUT: u32 = 300;

    /// A persistence of `mode` with the default timeout, a client being one address.
    pub fn new(mode: Mode) -> Self {
        Self { mode, timeout: Self::DEFAULT_TIMEOUT, netmask: 32, netmask6: 128, engine: None }
    }

    /// Sets the timeout, in seconds.
    ///
    /// # Errors
    /// 0, or more than [`MAX_TIMEOUT`].
    pub fn set_timeout(&mut self, seconds: u64) -> Result<(), InvalidPersistence> {
        match u32::try_from(seconds) {
            Ok(0) => Err(InvalidPersistence::ZeroTimeout),
            Ok(seconds) if seconds <= MAX_TIMEOUT => {
                self.timeout = seconds;
                Ok(())
            }
            _ => Err(InvalidPersistence::LongTimeout(format!("{seconds} s"))),
        }
    }

    /// Sets how many leading bits of an IPv4 client address make a client.
    ///
    /// # Errors
    /// Anything but 1 to 32.
    pub fn set_netmask(&mut self, bits: i64) -> Result<(), InvalidPersistence> {
        self.netmask = prefix_length(bits, 32)?;
        Ok(())
    }

    /// Sets how many leading bits of an IPv6 client address make a client.
    ///
    /// # Errors
    /// Anything but 1 to 128.
    pub fn set_netmask6(&mut self, bits: i64) -> Result<(), InvalidPersistence> {
        self.netmask6 = prefix_length(bits, 128)?;
        Ok(())
    }

    /// The timeout in seconds, 1 to [`MAX_TIMEOUT`].
    pub fn timeout(&self) -> u32 {
        self.timeout
    }

    /// The prefix length that makes an IPv4 client, 1 to 32.
    pub fn netmask(&self) -> u8 {
        self.netmask
    }

    /// The prefix length that makes an IPv6 client, 1 to 128.
    pub fn netmask6(&self) -> u8 {
        self.netmask6
    }

    /// Reads a time: `300`, `"300s"`, `"5m"`, `"2h"`, `"1d"`; the answer is in seconds.
    ///
    /// # Errors
    /// A text that is no time, or one beyond 64 bits.
    pub fn parse_time(text: &str) -> Result<u64, InvalidPersistence> {
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(InvalidPersistence::NotATime(text.to_owned())),
        };
        if number.is_empty() {
            return Err(InvalidPersistence::NotATime(text.to_owned()));
        }
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .ok_or_else(|| InvalidPersistence::LongTimeout(text.to_owned()))
    }
}

fn prefix_length(bits: i64, longest: u8) -> Result<u8, InvalidPersistence> {
    match u8::try_from(bits) {
        Ok(bits) if (1..=longest).contains(&bits) => Ok(bits),
        _ => Err(InvalidPersistence::Netmask(bits, longest)),
    }
}

impl FromStr for Mode {
    type Err = InvalidPersistence;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| InvalidPersistence::Mode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        for (text, seconds) in
            [("300", 300), ("300s", 300), ("5m", 300), ("2h", 7200), ("1d", 86400)]
        {
            assert_eq!(Persistence::parse_time(text), Ok(seconds));
        }
        for text in ["", "s", "5 m", "-5s", "5ms", "1.5h"] {
            assert!(Persistence::parse_time(text).is_err(), "{text}");
        }
        assert!(matches!(
            Persistence::parse_time("99999999999999999999d"),
            Err(InvalidPersistence::LongTimeout(_))
        ));
    }

    #[test]
    fn the_timeout_ends_where_ipvsadm_ends_it() {
        let mut persistence = Persistence::new(Mode::Pfwmc);
        assert_eq!(persistence.set_timeout(0), Err(InvalidPersistence::ZeroTimeout));
        assert_eq!(persistence.set_timeout(2_678_400), Ok(()));
        assert!(persistence.set_timeout(2_678_401).is_err());
        assert!(persistence.set_timeout(17_179_870).is_err());
        assert_eq!(persistence.timeout(), 2_678_400);
    }

    #[test]
    fn a_netmask_without_bits_is_refused() {
        let mut persistence = Persistence::new(Mode::Ppc);
        assert!(persistence.set_netmask(0).is_err());
        assert!(persistence.set_netmask(33).is_err());
        assert_eq!(persistence.set_netmask6(64), Ok(()));
        assert!(persistence.set_netmask6(129).is_err());
    }
}
