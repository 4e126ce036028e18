//! Addresses with a prefix length: a VIP is `/32` or `/128`, a range of VIPs is shorter.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address family. IPVS keeps one service a family even under the same mark.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Both families, in the order in which they are shown.
    pub const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    /// The length of an address of this family, in bits.
    pub fn bits(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

/// An address prefix without host bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// Why a text or pair is no prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrefix {
    /// The part before the slash is no address.
    #[error("'{0}' is not an IPv4 or IPv6 address")]
    Address(String),
    /// The prefix length is no number or longer than the address.
    #[error("'/{length}' is not a prefix length of an {family} address: 1 to {}", family.bits())]
    Length {
        /// What was written behind the slash.
        length: String,
        /// The family of the address before it.
        family: Family,
    },
    /// The address has bits beyond the prefix length.
    #[error("{address}/{length} has host bits set; the network is {network}")]
    HostBits {
        /// The address as written.
        address: IpAddr,
        /// The prefix length.
        length: u8,
        /// What was probably meant.
        network: Prefix,
    },
    /// The unspecified address matches nothing that a client can connect to.
    #[error("{0} is the unspecified address, to which no client connects")]
    Unspecified(IpAddr),
}

impl Prefix {
    /// The prefix of one address.
    pub fn host(address: IpAddr) -> Self {
        Self { address, length: Family::of(address).bits() }
    }

    /// A prefix of `length` bits.
    ///
    /// # Errors
    /// Where `length` is 0 or longer than the address, or host bits are set.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, InvalidPrefix> {
        let family = Family::of(address);
        if length == 0 || length > family.bits() {
            return Err(InvalidPrefix::Length { length: length.to_string(), family });
        }
        let network = Self { address: mask(address, length), length };
        if network.address != address {
            return Err(InvalidPrefix::HostBits { address, length, network });
        }
        Ok(network)
    }

    /// The first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The last address.
    pub fn last(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let host = u32::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() | host).into()
            }
            IpAddr::V6(v6) => {
                let host = u128::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() | host).into()
            }
        }
    }

    /// The length in bits.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// The family of its addresses.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Whether it holds just one address.
    pub fn is_host(&self) -> bool {
        self.length == self.family().bits()
    }

    /// Whether every address of `other` is one of this prefix.
    pub fn contains(&self, other: &Self) -> bool {
        self.family() == other.family()
            && self.length <= other.length
            && mask(other.address, self.length) == self.address
    }

    /// Whether the two share an address; prefixes nest or are apart.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

fn mask(address: IpAddr, length: u8) -> IpAddr {
    let host_bits = u32::from(Family::of(address).bits().saturating_sub(length));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address.parse().map_err(|_| InvalidPrefix::Address(address.to_owned()))?;
        let family = Family::of(address);
        let prefix = match length {
            None => Self::host(address),
            Some(length) => match length.parse() {
                Ok(bits) => Self::new(address, bits)?,
                Err(_) => return Err(InvalidPrefix::Length { length: length.to_owned(), family }),
            },
        };
        if prefix.address.is_unspecified() {
            return Err(InvalidPrefix::Unspecified(address));
        }
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.length)
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

super::schema_of_text!(Prefix, "An address, or a prefix such as 192.0.2.0/28.");

impl<'de> serde::Deserialize<'de> for Prefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect(text)
    }

    #[test]
    fn first_and_last_address_span_the_prefix() {
        assert_eq!(prefix("192.0.2.0/28").last().to_string(), "192.0.2.15");
        assert_eq!(prefix("192.0.2.7").last().to_string(), "192.0.2.7");
        assert_eq!(prefix("2001:db8::/120").last().to_string(), "2001:db8::ff");
        assert_eq!(prefix("2001:db8::7").last().to_string(), "2001:db8::7");
    }

    #[test]
    fn prefixes_nest_or_are_apart() {
        assert!(prefix("192.0.2.0/24").overlaps(&prefix("192.0.2.128/25")));
        assert!(prefix("192.0.2.200").overlaps(&prefix("192.0.2.128/25")));
        assert!(!prefix("192.0.2.0/25").overlaps(&prefix("192.0.2.128/25")));
        assert!(!prefix("192.0.2.0/25").overlaps(&prefix("2001:db8::/32")));
    }

    #[test]
    fn host_bits_are_refused_with_the_network_that_was_meant() {
        let error = "192.0.2.5/28".parse::<Prefix>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "192.0.2.5/28 has host bits set; the network is 192.0.2.0/28"
        );
    }

    #[test]
    fn lengths_outside_the_family_are_refused() {
        for text in ["10.0.0.0/33", "10.0.0.0/0", "10.0.0.0/", "::1/129", "10.0.0.0/x"] {
            assert!(matches!(text.parse::<Prefix>(), Err(InvalidPrefix::Length { .. })), "{text}");
        }
    }
}
