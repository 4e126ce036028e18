//! What a rule asks of a packet, as far as a group can ask it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{Family, InvalidPrefix, PortRange, Prefix, Protocol};
use crate::state::MarkKey;

/// No rule and no file makes more keys than this: no director has so many, and a small file
/// could ask for billions.
pub(super) const MAX_KEYS: usize = 300_000;

/// The conditions of a rule, or of the rules that lead to it taken together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Matches {
    /// The family, where only it is asked for.
    pub(super) family: Option<Family>,
    /// The destinations; `None` is any.
    pub(super) destinations: Option<Vec<Prefix>>,
    /// The protocols; `None` is any.
    pub(super) protocols: Option<Vec<Protocol>>,
    /// The destination ports; `None` is any.
    pub(super) ports: Option<Vec<PortRange>>,
    /// Whether only packets without a mark are meant.
    pub(super) unmarked: bool,
    /// Whether only packets with some mark are meant.
    pub(super) marked: bool,
    /// What else is asked, in words.
    pub(super) other: Option<String>,
}

impl Matches {
    /// Asks for something that no group asks for.
    pub(super) fn ask(&mut self, what: impl Into<String>) {
        self.other.get_or_insert(what.into());
    }

    /// What meets both.
    pub(super) fn and(&self, more: &Self) -> Self {
        Self {
            family: more.family.or(self.family),
            destinations: both(
                self.destinations.as_ref(),
                more.destinations.as_ref(),
                |one, other| {
                    [one, other]
                        .into_iter()
                        .find(|it| one.contains(it) && other.contains(it))
                        .copied()
                },
            ),
            protocols: both(self.protocols.as_ref(), more.protocols.as_ref(), |one, other| {
                (one == other).then_some(*one)
            }),
            ports: both(self.ports.as_ref(), more.ports.as_ref(), |one, other| {
                intersection(*one, *other)
            }),
            unmarked: self.unmarked || more.unmarked,
            marked: self.marked || more.marked,
            other: self.other.clone().or_else(|| more.other.clone()),
        }
    }

    /// Whether it means the packets with a mark and no others.
    pub(super) fn is_every_marked(&self) -> bool {
        *self == Self { marked: true, family: self.family, ..Self::default() }
    }

    /// The packets as keys.
    ///
    /// # Errors
    /// A sentence where there are none, or where a group cannot ask what is asked.
    pub(super) fn keys(&self) -> Result<Vec<MarkKey>, String> {
        if let Some(other) = &self.other {
            return Err(format!("it asks for {other}: a group cannot ask for that"));
        }
        if self.marked {
            return Err("it changes marks that are there".to_owned());
        }
        let keys = self.product()?;
        if keys.is_empty() {
            return Err("no packet meets what it asks for".to_owned());
        }
        Ok(keys)
    }

    fn product(&self) -> Result<Vec<MarkKey>, String> {
        let destinations = self
            .destinations
            .as_ref()
            .ok_or("it marks packets to every address; a group needs its VIPs")?;
        let protocols = self.protocols.as_deref().unwrap_or(&Protocol::ALL);
        if protocols.is_empty() {
            return Err("it asks for a protocol that IPVS does not schedule".to_owned());
        }
        let ports = self.ports.as_deref().unwrap_or(&[PortRange::ANY]);
        if destinations.len().saturating_mul(protocols.len() * ports.len()) > MAX_KEYS {
            return Err("it has more combinations than a director can hold".to_owned());
        }
        let mut keys = Vec::new();
        for &destination in destinations {
            for &protocol in protocols {
                keys.extend(ports.iter().map(|&ports| MarkKey { destination, protocol, ports }));
            }
        }
        Ok(keys)
    }

    /// Whether packets of a key may meet it, whatever else it asks.
    pub(super) fn may_meet(&self, key: &MarkKey) -> bool {
        self.family.is_none_or(|family| family == key.family())
            && any(self.destinations.as_ref(), |it| it.overlaps(&key.destination))
            && any(self.protocols.as_ref(), |it| *it == key.protocol)
            && any(self.ports.as_ref(), |it| it.overlaps(key.ports))
    }
}

fn any<T>(list: Option<&Vec<T>>, which: impl Fn(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(which))
}

/// What is in both lists, where `None` is all; what two entries share is for `shared` to say.
fn both<T: Clone>(
    one: Option<&Vec<T>>,
    other: Option<&Vec<T>>,
    shared: impl Fn(&T, &T) -> Option<T>,
) -> Option<Vec<T>> {
    let (Some(one), Some(other)) = (one, other) else {
        return one.or(other).cloned();
    };
    let pairs = one.iter().flat_map(|first| other.iter().map(move |second| (first, second)));
    Some(pairs.take(MAX_KEYS).filter_map(|(first, second)| shared(first, second)).collect())
}

fn intersection(one: PortRange, other: PortRange) -> Option<PortRange> {
    if !one.overlaps(other) {
        return None;
    }
    if one.is_any() {
        return Some(other);
    }
    if other.is_any() {
        return Some(one);
    }
    PortRange::new(one.first().max(other.first()), one.last().min(other.last())).ok()
}

/// Whether every port of `inner` is one of `outer`.
pub(super) fn within(inner: PortRange, outer: PortRange) -> bool {
    outer.first() <= inner.first() && inner.last() <= outer.last()
}

/// The prefixes that hold the addresses from `first` to `last`, and no other; `None` where
/// these are none or no range.
pub(super) fn prefixes(first: IpAddr, last: IpAddr) -> Option<Vec<Prefix>> {
    let mut found = Vec::new();
    let mut next = first;
    if Family::of(first) != Family::of(last) || first.is_unspecified() || last < first {
        return None;
    }
    loop {
        // The shortest prefix that begins here and does not go beyond the last.
        let fits =
            |length: &u8| Prefix::new(next, *length).is_ok_and(|prefix| prefix.last() <= last);
        let length = (1..=Family::of(next).bits()).find(fits)?;
        let prefix = Prefix::new(next, length).ok()?;
        found.push(prefix);
        if prefix.last() == last {
            return Some(found);
        }
        next = match prefix.last() {
            IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits().checked_add(1)?).into(),
            IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits().checked_add(1)?).into(),
        };
    }
}

/// `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/MASK`; the inner `None` is every address.
pub(super) fn destination(text: &str) -> Result<Option<Prefix>, String> {
    let (address, length) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let known: IpAddr = address.parse().map_err(|_| format!("'{address}', which is no address"))?;
    let family = Family::of(known);
    let length: u8 = match length {
        None => family.bits(),
        Some(text) => match (text.parse(), text.parse::<IpAddr>()) {
            (Ok(length), _) => length,
            (_, Ok(mask)) => {
                length_of(mask).ok_or_else(|| format!("the mask {mask} with holes"))?
            }
            _ => return Err(format!("'/{text}', which is no prefix length")),
        },
    };
    if length == 0 {
        return Ok(None);
    }
    match Prefix::new(known, length) {
        Ok(prefix) if prefix.address().is_unspecified() => {
            Err(format!("{prefix}, which begins at the unspecified address"))
        }
        Ok(prefix) | Err(InvalidPrefix::HostBits { network: prefix, .. }) => Ok(Some(prefix)),
        Err(error) => Err(error.to_string()),
    }
}

fn length_of(mask: IpAddr) -> Option<u8> {
    let (ones, total) = match mask {
        IpAddr::V4(v4) => (v4.to_bits().leading_ones(), v4.to_bits().count_ones()),
        IpAddr::V6(v6) => (v6.to_bits().leading_ones(), v6.to_bits().count_ones()),
    };
    (ones == total).then(|| u8::try_from(ones).ok())?
}

/// `80`, `80:90`, `80-90`, `:90` or `http`.
pub(super) fn ports(text: &str) -> Result<PortRange, String> {
    let (first, last) = text.split_once([':', '-']).map_or((text, text), |(a, b)| (a, b));
    // A name may have a dash of its own.
    if let Some(port) = super::words::port(text) {
        return range(port, port);
    }
    let end = |text: &str, open: u16| match text {
        "" => Ok(open),
        text => super::words::port(text).ok_or_else(|| format!("'{text}' is no port")),
    };
    range(end(first, 0)?, end(last, u16::MAX)?)
}

/// The ports from `first` to `last`; port 0, which nobody uses, is passed over.
pub(super) fn range(first: u16, last: u16) -> Result<PortRange, String> {
    PortRange::new(first.max(u16::from(last != 0)), last).map_err(|error| error.to_string())
}

/// Without what is there twice; the order stays.
pub(super) fn once<T: Copy + Ord>(list: Vec<T>) -> Vec<T> {
    let mut seen = BTreeSet::new();
    list.into_iter().filter(|it| seen.insert(*it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_addresses_is_the_prefixes_that_fill_it() {
        let of = |first: &str, last: &str| {
            let (first, last) = (first.parse().expect(first), last.parse().expect(last));
            prefixes(first, last)
                .map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            of("10.0.0.1", "10.0.0.6").as_deref(),
            Some("10.0.0.1 10.0.0.2/31 10.0.0.4/31 10.0.0.6")
        );
        assert_eq!(of("255.255.255.254", "255.255.255.255").as_deref(), Some("255.255.255.254/31"));
        assert_eq!(of("2001:db8::", "2001:db8::ffff").as_deref(), Some("2001:db8::/112"));
        for (first, last) in [("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "::1"), ("0.0.0.0", "1.1.1.1")]
        {
            assert_eq!(of(first, last), None);
        }
    }

    #[test]
    fn destinations_and_ports_are_read_in_every_spelling() {
        for (text, expected) in [
            ("10.0.0.7/32", "10.0.0.7"),
            ("10.0.0.7/255.255.255.0", "10.0.0.0/24"),
            ("2001:db8::7/128", "2001:db8::7"),
        ] {
            let prefix = destination(text).expect(text).expect("not every address");
            assert_eq!(prefix.to_string(), expected);
        }
        assert_eq!(destination("0.0.0.0/0"), Ok(None));
        for text in ["web", "10.0.0.0/255.0.255.0", "10.0.0.0/33", "10.0.0.0/x"] {
            assert!(destination(text).is_err(), "{text}");
        }
        for (text, expected) in
            [("80", "80"), ("80:90", "80-90"), (":90", "1-90"), ("ftp-data", "20")]
        {
            assert_eq!(ports(text).expect(text).to_string(), expected);
        }
        for text in ["0", "90:80", "65536", "x"] {
            assert!(ports(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_two_rules_ask_is_asked_together() {
        let of = |destination: &str, ports: &[&str]| Matches {
            destinations: Some(vec![destination.parse().expect(destination)]),
            protocols: Some(vec![Protocol::Tcp]),
            ports: Some(ports.iter().map(|text| text.parse().expect(text)).collect()),
            ..Matches::default()
        };
        let both = of("10.0.0.0/24", &["80-90"]).and(&of("10.0.0.7", &["85", "95"]));
        let keys = both.keys().expect("one key");
        assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.7:85/tcp"]);
        assert!(of("10.0.0.7", &["80"]).and(&of("10.0.0.8", &["80"])).keys().is_err());
        let mut asks = of("10.0.0.7", &["80"]);
        asks.ports = None;
        asks.ask("-i eth0");
        assert!(asks.and(&of("10.0.0.7", &["80"])).keys().is_err());
        assert!(asks.may_meet(&keys[0]), "it may, and nobody knows");
        assert!(!of("10.0.0.7", &["80"]).may_meet(&keys[0]));
    }
}
