//! Addresses that are no place on a network to connect to (RFC 6890, RFC 4291 section 2.5).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Prefix;

/// Addresses of a kind, with what they are and what is usually meant instead.
pub(super) struct Special {
    network: (IpAddr, u8),
    /// What they are, with an article.
    pub(super) what: &'static str,
    /// Whether they are the director itself.
    pub(super) is_own: bool,
}

const fn v4(a: u8, length: u8, what: &'static str) -> Special {
    Special { network: (IpAddr::V4(Ipv4Addr::new(a, 0, 0, 0)), length), what, is_own: a == 127 }
}

const fn v6(first: u16, length: u8, what: &'static str) -> Special {
    let network = (IpAddr::V6(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0)), length);
    Special { network, what, is_own: false }
}

/// The more exact ones first.
const SPECIAL: [Special; 9] = [
    v4(0, 32, "the unspecified address"),
    v4(0, 8, "an address of \"this network\", which only a sender may have"),
    v4(127, 8, "a loopback address"),
    v4(224, 4, "a multicast address"),
    Special {
        network: (IpAddr::V4(Ipv4Addr::BROADCAST), 32),
        what: "the broadcast address",
        is_own: false,
    },
    v6(0, 128, "the unspecified address"),
    Special {
        network: (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        what: "the loopback address",
        is_own: true,
    },
    v6(0xff00, 8, "a multicast address"),
    v6(0xfe80, 10, "a link-local address, which means nothing without an interface"),
];

/// IPv4 inside IPv6, which no packet carries.
const MAPPED: Special = Special {
    network: (IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), 96),
    what: "an IPv4 address in the clothes of IPv6, which no packet carries",
    is_own: false,
};

impl Special {
    fn prefix(&self) -> Option<Prefix> {
        let (address, length) = self.network;
        Prefix::new(address, length).ok()
    }
}

/// What is special about the addresses of a prefix, or about some of them.
pub(super) fn special(addresses: Prefix) -> Option<&'static Special> {
    let mut all = SPECIAL.iter().chain([&MAPPED]);
    all.find(|special| special.prefix().is_some_and(|network| network.overlaps(&addresses)))
}

/// The network of a kind, to be shown.
pub(super) fn network(special: &Special) -> String {
    special.prefix().map_or_else(String::new, |prefix| prefix.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(text: &str) -> Option<&'static str> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.parse().expect("an address");
        let prefix = match length {
            None => Prefix::host(address),
            Some(length) => Prefix::new(address, length.parse().expect("a length")).expect(text),
        };
        special(prefix).map(|special| special.what)
    }

    #[test]
    fn what_no_client_can_connect_to_is_special() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::1",
            "fe80::1",
            "febf::1",
            "::ffff:1.2.3.4",
            // Some of them are enough.
            "126.0.0.0/7",
            "192.0.0.0/2",
            "240.0.0.0/4",
            "fe00::/7",
            "::/64",
        ] {
            assert!(what(text).is_some(), "{text}");
        }
        assert_eq!(what("0.0.0.0"), Some("the unspecified address"));
        assert_eq!(what("::1"), Some("the loopback address"));
    }

    #[test]
    fn what_a_director_may_serve_is_not() {
        for text in [
            "1.0.0.0",
            "10.0.0.1",
            "126.255.255.255",
            "128.0.0.1",
            "169.254.1.1",
            "172.18.100.7",
            "223.255.255.255",
            "240.0.0.1",
            "192.0.2.0/28",
            "2001:db8::7",
            "fc00::1",
            "fec0::1",
            "64:ff9b::/96",
            "2001:db8::/32",
        ] {
            assert_eq!(what(text), None, "{text}");
        }
    }
}
