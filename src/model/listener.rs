//! What a group listens on: protocols and ports.

use std::fmt;
use std::str::FromStr;

/// A transport protocol that IPVS schedules.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
    /// SCTP, protocol 132.
    Sctp,
}

impl Protocol {
    /// Every protocol, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// The number in the IP header (IANA protocol numbers).
    pub fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The protocol of an IP header's number, where IPVS schedules it.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.number() == number)
    }

    /// The name as written in a config: `tcp`, `udp`, `sctp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl FromStr for Protocol {
    type Err = InvalidPorts;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| InvalidPorts::Protocol(text.to_owned()))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Ports from first to last, both inclusive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port, and packets that carry none: what "any" means.
    pub const ANY: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    ///
    /// # Errors
    /// Port 0 is none (RFC 6335 section 6).
    pub fn single(port: u16) -> Result<Self, InvalidPorts> {
        Self::new(port, port)
    }

    /// The ports from `first` to `last`.
    ///
    /// # Errors
    /// Port 0, or a range that ends before it begins.
    pub fn new(first: u16, last: u16) -> Result<Self, InvalidPorts> {
        if first == 0 || last == 0 {
            return Err(InvalidPorts::Zero);
        }
        if last < first {
            return Err(InvalidPorts::Reversed { first, last });
        }
        Ok(Self { first, last })
    }

    /// The lowest port; 0 only for [`PortRange::ANY`].
    pub fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Whether it holds just one port.
    pub fn is_single(self) -> bool {
        self.first == self.last
    }

    /// Whether it is every port.
    pub fn is_any(self) -> bool {
        self == Self::ANY
    }

    /// Whether the two share a port.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl FromStr for PortRange {
    type Err = InvalidPorts;

    /// Reads what [`Display`](fmt::Display) writes: `80`, `8000-8100`, `any`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('-') {
            _ if text == "any" => Ok(Self::ANY),
            None => Self::single(port(text)?),
            Some((first, last)) => Self::new(port(first)?, port(last)?),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            f.write_str("any")
        } else if self.is_single() {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl fmt::Debug for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for PortRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

super::schema_of_text!(PortRange, "A port, a range such as 8000-8100, or `any`.");

/// Ports of one protocol: `80/tcp`, `8000-8100/udp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Listener {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The ports of it.
    pub ports: PortRange,
}

/// Why a text names no ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPorts {
    /// Port 0.
    #[error("port 0 does not exist")]
    Zero,
    /// A number above 65535.
    #[error("port {0} is above 65535")]
    TooLarge(String),
    /// A range that ends before it begins.
    #[error("the range {first}-{last} ends before it begins")]
    Reversed {
        /// The first port as written.
        first: u16,
        /// The last port as written.
        last: u16,
    },
    /// The protocol is not one that IPVS schedules.
    #[error("'{0}' is not a protocol that IPVS schedules: tcp, udp or sctp")]
    Protocol(String),
    /// Something else.
    #[error("'{0}' is not a port")]
    NotAPort(String),
}

fn port(text: &str) -> Result<u16, InvalidPorts> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidPorts::NotAPort(text.to_owned()));
    }
    text.parse().map_err(|_| InvalidPorts::TooLarge(text.to_owned()))
}

impl FromStr for Listener {
    type Err = InvalidPorts;

    /// Reads `PORT[-PORT][/PROTOCOL]`; without a protocol it is TCP, as on the
    /// command line (`--port 80,443`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = protocol.parse()?;
        if ports == "any" {
            return Err(InvalidPorts::NotAPort(ports.to_owned()));
        }
        Ok(Self { protocol, ports: ports.parse()? })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ports, self.protocol)
    }
}

/// What a group listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listeners {
    /// All ports of TCP, UDP and SCTP.
    Any,
    /// These ports, sorted and without repetition.
    Ports(Vec<Listener>),
}

impl Listeners {
    /// The listeners one by one; `any` is one for each protocol.
    pub fn iter(&self) -> impl Iterator<Item = Listener> + '_ {
        let (any, ports) = match self {
            Self::Any => (&Protocol::ALL[..], &[][..]),
            Self::Ports(ports) => (&[][..], ports.as_slice()),
        };
        any.iter()
            .map(|&protocol| Listener { protocol, ports: PortRange::ANY })
            .chain(ports.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_people_write_them() {
        for (text, shown) in
            [("80/tcp", "80/tcp"), ("443", "443/tcp"), ("8000-8100/udp", "8000-8100/udp")]
        {
            assert_eq!(text.parse::<Listener>().expect(text).to_string(), shown);
        }
    }

    #[test]
    fn ports_that_do_not_exist_are_refused() {
        let error = |text: &str| text.parse::<Listener>().expect_err(text).to_string();
        assert_eq!(error("0/tcp"), "port 0 does not exist");
        assert_eq!(error("65536/tcp"), "port 65536 is above 65535");
        assert_eq!(error("90-80/tcp"), "the range 90-80 ends before it begins");
        assert_eq!(
            error("80/icmp"),
            "'icmp' is not a protocol that IPVS schedules: tcp, udp or sctp"
        );
        assert_eq!(error("+80/tcp"), "'+80' is not a port");
        assert_eq!(error("http/tcp"), "'http' is not a port");
    }
}
