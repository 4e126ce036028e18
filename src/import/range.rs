//! Ranges of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Family, Prefix};

/// Addresses from first to last of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: IpAddr,
    pub(super) last: IpAddr,
}

impl Range {
    /// `192.0.2.1`, `192.0.2.1-10`, `192.0.2.250-192.0.3.10`, `192.0.2.8/29`, and the same
    /// of IPv6, where the end of a short range is hexadecimal.
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.contains('/') {
            let prefix: Prefix = text.parse().ok()?;
            return Some(Self { first: prefix.address(), last: prefix.last() });
        }
        let Some((first, end)) = text.split_once('-') else {
            let only = text.parse().ok()?;
            return Some(Self { first: only, last: only });
        };
        let first: IpAddr = first.parse().ok()?;
        let last: IpAddr = match first {
            _ if end.contains(['.', ':']) => end.parse().ok()?,
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Ipv4Addr::new(a, b, c, end.parse().ok()?).into()
            }
            IpAddr::V6(v6) => {
                let high = v6.to_bits() & !0xffff;
                let low = u16::from_str_radix(end, 16).ok()?;
                Ipv6Addr::from_bits(high | u128::from(low)).into()
            }
        };
        (Family::of(first) == Family::of(last) && first <= last).then_some(Self { first, last })
    }

    pub(super) fn family(&self) -> Family {
        Family::of(self.first)
    }

    /// How many addresses it has, as far as anybody counts.
    pub(super) fn size(&self) -> u128 {
        (bits(self.last) - bits(self.first)).saturating_add(1)
    }

    /// Its addresses. Ask for the size before.
    pub(super) fn addresses(self) -> impl Iterator<Item = IpAddr> {
        let family = self.family();
        (bits(self.first)..=bits(self.last)).map(move |bits| address(family, bits))
    }

    /// The fewest prefixes that are these addresses and no others.
    pub(super) fn prefixes(&self) -> Vec<Prefix> {
        let family = self.family();
        let (mut from, last) = (bits(self.first), bits(self.last));
        let mut prefixes = Vec::new();
        loop {
            // As many as the first address allows to stand together, and as there are left.
            let aligned = from.trailing_zeros().min(u32::from(family.bits()) - 1);
            let left = (last - from).saturating_add(1);
            let host_bits = aligned.min(left.ilog2());
            let length = u32::from(family.bits()) - host_bits;
            let length = u8::try_from(length).unwrap_or(family.bits());
            prefixes.extend(Prefix::new(address(family, from), length));
            let Some(next) = from.checked_add(1_u128 << host_bits).filter(|&next| next <= last)
            else {
                return prefixes;
            };
            from = next;
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
        Family::Ipv6 => Ipv6Addr::from_bits(bits).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_the_forms_of_the_manual() {
        for (text, first, last) in [
            ("192.168.200.1-10", "192.168.200.1", "192.168.200.10"),
            ("192.168.200.250-192.168.201.10", "192.168.200.250", "192.168.201.10"),
            ("192.168.202.8/29", "192.168.202.8", "192.168.202.15"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
            ("fe80::1-1f", "fe80::1", "fe80::1f"),
            ("fe80::1-fe80::2:1", "fe80::1", "fe80::2:1"),
        ] {
            let range = Range::read(text).expect(text);
            assert_eq!(
                (range.first.to_string(), range.last.to_string()),
                (first.into(), last.into())
            );
        }
        for text in ["", "x", "10.0.0.5-4", "10.0.0.5-256", "10.0.0.5/29", "10.0.0.1-::1", "-"] {
            assert_eq!(Range::read(text), None, "{text}");
        }
    }

    #[test]
    fn prefixes_are_the_addresses_and_no_others() {
        let prefixes = |text: &str| {
            let range = Range::read(text).expect(text);
            range.prefixes().iter().map(Prefix::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            prefixes("10.0.0.1-10"),
            "10.0.0.1 10.0.0.2/31 10.0.0.4/30 10.0.0.8/31 10.0.0.10"
        );
        assert_eq!(prefixes("10.0.0.8/29"), "10.0.0.8/29");
        assert_eq!(prefixes("10.0.0.7"), "10.0.0.7");
        assert_eq!(prefixes("255.255.255.254-255.255.255.255"), "255.255.255.254/31");
        assert_eq!(prefixes("fe80::/64"), "fe80::/64");
        for text in ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
            assert_eq!(Range::read(text).expect(text).prefixes().len(), 2, "{text}");
        }
        let range = Range::read("10.0.0.1-10").expect("one");
        assert_eq!((range.size(), range.addresses().count()), (10, 10));
    }
}
