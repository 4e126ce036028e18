//! Names for groups that have none.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{GroupName, Listener, Listeners, Mark, PortRange, Protocol};

/// What people call the ports that are balanced most, as the presets do.
const KNOWN: [(u16, Protocol, &str); 20] = [
    (22, Protocol::Tcp, "ssh"),
    (25, Protocol::Tcp, "smtp"),
    (53, Protocol::Tcp, "dns"),
    (53, Protocol::Udp, "dns"),
    (80, Protocol::Tcp, "http"),
    (123, Protocol::Udp, "ntp"),
    (389, Protocol::Tcp, "ldap"),
    (443, Protocol::Tcp, "https"),
    (443, Protocol::Udp, "http3"),
    (587, Protocol::Tcp, "submission"),
    (636, Protocol::Tcp, "ldaps"),
    (993, Protocol::Tcp, "imaps"),
    (995, Protocol::Tcp, "pop3s"),
    (1812, Protocol::Udp, "radius"),
    (3306, Protocol::Tcp, "mysql"),
    (3389, Protocol::Tcp, "rdp"),
    (5060, Protocol::Udp, "sip"),
    (5432, Protocol::Tcp, "postgresql"),
    (6379, Protocol::Tcp, "redis"),
    (8080, Protocol::Tcp, "http-proxy"),
];

/// The names that are taken.
#[derive(Default)]
pub(super) struct Names(BTreeSet<GroupName>);

impl Names {
    /// A name that nobody has: `wanted`, or that with the first free number behind it. None
    /// where that could not name a group.
    pub(super) fn take(&mut self, wanted: &str) -> Option<GroupName> {
        let mut name: GroupName = wanted.parse().ok()?;
        for number in 2_u32.. {
            if self.0.insert(name.clone()) {
                break;
            }
            let number = format!("-{number}");
            // A name is ASCII, so it can be cut anywhere.
            let kept = wanted.len().min(63 - number.len());
            name = format!("{}{number}", &wanted[..kept]).parse().ok()?;
        }
        Some(name)
    }
}

/// What a group without a name is called: `mark-10` by its mark; by address after its port
/// and VIP: `http-192-0-2-1`, `udp-5000-2001-db8--1`, `any-192-0-2-1`.
pub(super) fn invent(mark: Option<Mark>, vip: Option<IpAddr>, listeners: &Listeners) -> String {
    if let Some(mark) = mark {
        return format!("mark-{mark}");
    }
    let place = vip.map_or(String::new(), |vip| vip.to_string().replace(['.', ':'], "-"));
    let port = match listeners.iter().next() {
        Some(Listener { protocol, ports }) if ports != PortRange::ANY => {
            let known = |(port, of, _): &&(u16, Protocol, &str)| {
                ports.is_single() && *port == ports.first() && *of == protocol
            };
            let known = KNOWN.iter().find(known).map(|(_, _, name)| (*name).to_owned());
            known.unwrap_or_else(|| format!("{protocol}-{ports}"))
        }
        _ => "any".to_owned(),
    };
    format!("{port}-{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(text: &str) -> Listeners {
        Listeners::Ports(vec![text.parse().expect(text)])
    }

    #[test]
    fn a_name_says_what_it_is() {
        let vip = |text: &str| text.parse::<IpAddr>().ok();
        let name = |place, ports: &str| invent(None, vip(place), &listeners(ports));
        assert_eq!(invent(Mark::new(10), None, &Listeners::Any), "mark-10");
        assert_eq!(invent(Mark::new(0x10000), None, &Listeners::Any), "mark-0x10000");
        assert_eq!(name("192.0.2.1", "80/tcp"), "http-192-0-2-1");
        assert_eq!(name("2001:db8::1", "5000/udp"), "udp-5000-2001-db8--1");
        assert_eq!(invent(None, vip("192.0.2.1"), &Listeners::Any), "any-192-0-2-1");
        let longest = name("2001:1111:1111:1111:1111:1111:1111:1111", "65535/sctp");
        assert!(longest.parse::<GroupName>().is_ok(), "{longest}");
    }

    #[test]
    fn a_name_is_given_once_and_stays_one() {
        let mut names = Names::default();
        let long = "a".repeat(63);
        let mut take = || names.take(&long).expect("a name").to_string();
        assert_eq!(take(), long);
        assert_eq!(take(), format!("{}-2", "a".repeat(61)));
        assert_eq!(take(), format!("{}-3", "a".repeat(61)));
    }
}
