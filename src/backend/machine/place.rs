//! Where VIPs are: local routes in our table, the rules that lead there, addresses.

use rustix::io::Errno;

use super::refused;
use crate::backend::MachineError;
use crate::model::{Family, Prefix};
use crate::netlink::attributes::{Fields, put};
use crate::netlink::route::{
    self, DESTINATION, LOCAL_ROUTE, Link, OnLink, Routing, TABLE, ip, octets,
};
use crate::netlink::{CREATE, EXCL, NetlinkError};
use crate::plan::SettingChange;
use crate::state::{PRESENT, ROUTE_TABLE, RULE_PRIORITY, Selector, SettingKey};

/// The attributes of a routing rule (`FRA_*`, `linux/fib_rules.h`).
mod rule {
    pub(super) const DESTINATION: u16 = 1;
    pub(super) const SOURCE: u16 = 2;
    pub(super) const IN_DEVICE: u16 = 3;
    pub(super) const PRIORITY: u16 = 6;
    pub(super) const MARK: u16 = 10;
    pub(super) const TABLE: u16 = 15;
    pub(super) const MASK: u16 = 16;
    pub(super) const OUT_DEVICE: u16 = 17;
    /// `FR_ACT_TO_TBL`.
    pub(super) const LOOK_UP: u8 = 1;
}

/// What the kernel has of routes, rules and addresses; read when it is first asked for.
#[derive(Default)]
pub(super) struct Places {
    routing: Option<Routing>,
    links: Option<Vec<Link>>,
    addresses: Option<Vec<OnLink>>,
    routes: Option<Vec<Prefix>>,
    rules: Option<Vec<Selector>>,
}

impl Places {
    fn routing(&mut self) -> Result<&mut Routing, NetlinkError> {
        match &mut self.routing {
            Some(routing) => Ok(routing),
            none => Ok(none.insert(Routing::open()?)),
        }
    }

    /// The device of a name.
    fn device(&mut self, name: &str) -> Result<Option<u32>, NetlinkError> {
        if self.links.is_none() {
            self.links = Some(self.routing()?.dump(route::GET_LINK, 0, route::read_link)?);
        }
        let mut links = self.links.iter().flatten();
        Ok(links.find(|link| link.name == name).map(|link| link.index))
    }

    /// Whether a setting is there.
    pub(super) fn find(&mut self, key: &SettingKey) -> Result<Option<String>, NetlinkError> {
        let is_there = match key {
            SettingKey::LocalRoute(prefix) => {
                if self.routes.is_none() {
                    let routes = self.routing()?.dump(route::GET_ROUTE, 0, read_route)?;
                    self.routes = Some(routes);
                }
                self.routes.iter().flatten().any(|known| known == prefix)
            }
            SettingKey::Rule(selector) => {
                if self.rules.is_none() {
                    self.rules = Some(self.routing()?.dump(route::GET_RULE, 0, read_rule)?);
                }
                self.rules.iter().flatten().any(|known| known == selector)
            }
            SettingKey::Address { address, device } => match self.device(device.as_str())? {
                None => false,
                Some(index) => {
                    if self.addresses.is_none() {
                        let addresses =
                            self.routing()?.dump(route::GET_ADDRESS, 0, route::read_address)?;
                        self.addresses = Some(addresses);
                    }
                    let mut known = self.addresses.iter().flatten();
                    known.any(|known| (known.index, known.ip) == (index, *address))
                }
            },
            SettingKey::Sysctl(_) | SettingKey::Timeout(_) | SettingKey::SyncDaemon(_) => false,
        };
        Ok(is_there.then(|| PRESENT.to_owned()))
    }

    /// Makes or removes one.
    pub(super) fn change(&mut self, change: &SettingChange) -> Result<(), MachineError> {
        let adds = change.after.is_some();
        let (kind, payload) = match &change.key {
            SettingKey::LocalRoute(prefix) => {
                let Some(loopback) = self.device("lo")? else {
                    return Err(refused(change, "there is no device lo", None));
                };
                let prefix = (prefix.address(), prefix.length());
                let kind = if adds { route::NEW_ROUTE } else { route::DELETE_ROUTE };
                (kind, route::local_route(prefix, ROUTE_TABLE, loopback, !adds))
            }
            SettingKey::Rule(selector) => {
                let kind = if adds { route::NEW_RULE } else { route::DELETE_RULE };
                (kind, whole_rule(selector))
            }
            SettingKey::Address { address, device } => {
                let Some(index) = self.device(device.as_str())? else {
                    if !adds {
                        return Ok(());
                    }
                    let reason = format!("there is no device {device}");
                    return Err(refused(change, reason, Some("ip link".to_owned())));
                };
                let kind = if adds { route::NEW_ADDRESS } else { route::DELETE_ADDRESS };
                (kind, route::address(index, *address))
            }
            SettingKey::Sysctl(_) | SettingKey::Timeout(_) | SettingKey::SyncDaemon(_) => {
                return Ok(());
            }
        };
        let flags = if adds { CREATE | EXCL } else { 0 };
        match self.routing()?.change(kind, flags, payload) {
            Ok(()) => Ok(()),
            Err(error) if is_done(&error, adds) => Ok(()),
            Err(error @ NetlinkError::Refused(_)) => {
                let reason = error.errno().map_or_else(
                    || error.to_string(),
                    |errno| std::io::Error::from(errno).to_string(),
                );
                Err(refused(change, reason, None))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a refusal says that it is so already.
fn is_done(error: &NetlinkError, adds: bool) -> bool {
    let Some(errno) = error.errno() else { return false };
    if adds {
        errno == Errno::EXIST
    } else {
        [Errno::SRCH, Errno::NOENT, Errno::ADDRNOTAVAIL, Errno::NODEV].contains(&errno)
    }
}

/// A rule (`struct fib_rule_hdr`, `linux/fib_rules.h`).
fn whole_rule(selector: &Selector) -> Vec<u8> {
    let (family, length) = match selector {
        Selector::Mark { family: Family::Ipv4, .. } => (2, 0),
        Selector::Mark { family: Family::Ipv6, .. } => (10, 0),
        Selector::To(prefix) => (route::family(prefix.address()), prefix.length()),
    };
    let mut out = vec![family, length, 0, 0, 0, 0, 0, rule::LOOK_UP, 0, 0, 0, 0];
    put(&mut out, rule::TABLE, &ROUTE_TABLE.to_ne_bytes());
    put(&mut out, rule::PRIORITY, &RULE_PRIORITY.to_ne_bytes());
    match selector {
        Selector::Mark { mark, mask, .. } => {
            put(&mut out, rule::MARK, &mark.to_ne_bytes());
            put(&mut out, rule::MASK, &mask.to_ne_bytes());
        }
        Selector::To(prefix) => put(&mut out, rule::DESTINATION, &octets(prefix.address())),
    }
    out
}

/// A rule that is as we make ours.
fn read_rule(payload: &[u8]) -> Option<Selector> {
    let [family, length, source_length, service, _, _, _, action, flags @ ..] =
        *payload.first_chunk::<12>()?;
    let fields = Fields::behind(payload, 12);
    let family = match family {
        2 => Family::Ipv4,
        10 => Family::Ipv6,
        _ => return None,
    };
    let is_ours = action == rule::LOOK_UP
        // FIB_RULE_INVERT.
        && u32::from_ne_bytes(flags) & 2 == 0
        && (source_length, service) == (0, 0)
        && fields.native(rule::TABLE) == Some(ROUTE_TABLE)
        && fields.native(rule::PRIORITY) == Some(RULE_PRIORITY)
        && [rule::SOURCE, rule::IN_DEVICE, rule::OUT_DEVICE].iter().all(|&kind| fields.get(kind).is_none());
    if !is_ours {
        return None;
    }
    match (fields.native(rule::MARK), fields.get(rule::DESTINATION)) {
        (Some(mark), None) => Some(Selector::Mark {
            family,
            mark,
            mask: fields.native(rule::MASK).unwrap_or(u32::MAX),
        }),
        (None, Some(address)) => Prefix::new(ip(address)?, length).ok().map(Selector::To),
        _ => None,
    }
}

/// A local route of our table.
fn read_route(payload: &[u8]) -> Option<Prefix> {
    let [_, length, _, _, _, _, _, kind] = *payload.first_chunk()?;
    let fields = Fields::behind(payload, 12);
    if kind != LOCAL_ROUTE || fields.native(TABLE) != Some(ROUTE_TABLE) {
        return None;
    }
    Prefix::new(ip(fields.get(DESTINATION)?)?, length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        for text in [
            "ipv4 fwmark 0x4c560000/0xffff0000",
            "ipv6 fwmark 0xa",
            "ipv4 to 192.0.2.0/28",
            "ipv6 to 2001:db8::7",
        ] {
            let selector: Selector = text.parse().expect(text);
            assert_eq!(read_rule(&whole_rule(&selector)), Some(selector), "{text}");
        }
    }

    #[test]
    fn a_rule_that_somebody_narrowed_is_not_ours() {
        let selector: Selector = "ipv4 fwmark 0xa".parse().expect("one");
        let mut narrowed = whole_rule(&selector);
        put(&mut narrowed, rule::IN_DEVICE, b"eth0\0");
        assert_eq!(read_rule(&narrowed), None);
        let mut inverted = whole_rule(&selector);
        inverted[8..12].copy_from_slice(&2_u32.to_ne_bytes());
        assert_eq!(read_rule(&inverted), None);
    }

    #[test]
    fn messages_cut_short_are_nothing_and_no_panic() {
        let selector: Selector = "ipv6 to 2001:db8::7".parse().expect("one");
        let whole = whole_rule(&selector);
        for length in 0..whole.len() {
            let cut = &whole[..length];
            drop((route::read_link(cut), route::read_address(cut), read_route(cut)));
            assert_eq!(read_rule(cut), None, "{length}");
        }
    }
}
