//! Links, addresses, routing rules, neighbours, and where packets would go, by rtnetlink
//! (rtnetlink(7), `linux/rtnetlink.h`, `linux/fib_rules.h`, `linux/neighbour.h`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use rustix::io::Errno;

use crate::model::Family;
use crate::netlink::attributes::{Fields, put};
use crate::netlink::route::{
    self, GET_ADDRESS, GET_LINK, GET_NEIGHBOUR, GET_ROUTE, GET_RULE, Link, OnLink, ip, octets,
    read_address, read_link,
};
use crate::netlink::{Bus, NetlinkError, Socket, put_message};
use crate::preflight::scene::{Question, Route, RoutingRule};

/// What is read once, whatever has to get through.
pub(super) struct Routing {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<OnLink>,
    pub(super) rules: Vec<RoutingRule>,
    pub(super) defaults: BTreeMap<Family, u32>,
    pub(super) failed_neighbours: BTreeSet<IpAddr>,
}

impl Routing {
    pub(super) fn read() -> Result<Self, NetlinkError> {
        let mut routing = route::Routing::open()?;
        let links = routing.dump(GET_LINK, 0, read_link)?;
        let addresses = routing.dump(GET_ADDRESS, 0, read_address)?;
        let failed = routing.dump(GET_NEIGHBOUR, 0, failed_neighbour)?;
        let (mut rules, mut defaults) = (Vec::new(), BTreeMap::new());
        for family in Family::BOTH {
            match routing.dump(GET_RULE, number(family), |payload| rule(payload, family)) {
                Ok(found) => rules.extend(found),
                // A kernel without rules for a family has none.
                Err(error) if error.errno() == Some(Errno::OPNOTSUPP) => {}
                Err(error) => return Err(error),
            }
            let routes = routing.dump(GET_ROUTE, number(family), default_route)?;
            if let Some((_, index)) = routes.into_iter().min() {
                defaults.insert(family, index);
            }
        }
        let failed_neighbours = failed.into_iter().collect();
        Ok(Self { links, addresses, rules, defaults, failed_neighbours })
    }
}

/// `AF_INET` or `AF_INET6`.
fn number(family: Family) -> u8 {
    if family == Family::Ipv4 { 2 } else { 10 }
}

/// `struct fib_rule_hdr`; `FRA_*`. Only rules that ask for a mark.
fn rule(payload: &[u8], family: Family) -> Option<RoutingRule> {
    let fields = Fields::behind(payload, 12);
    let mark = fields.native(10)?;
    let table = fields.native(15).unwrap_or_else(|| u32::from(*payload.get(4).unwrap_or(&0)));
    let action = match payload.get(7)? {
        1 => format!("lookup {table}"),
        2 => "goto another rule".to_owned(),
        6 => "blackhole".to_owned(),
        7 => "unreachable".to_owned(),
        8 => "prohibit".to_owned(),
        _ => "nop".to_owned(),
    };
    Some(RoutingRule {
        family,
        priority: fields.native(6).unwrap_or(0),
        mark,
        mask: fields.native(16).unwrap_or(u32::MAX),
        action,
    })
}

/// Metric and device of a default route of the main table.
fn default_route(payload: &[u8]) -> Option<(u32, u32)> {
    let [_, length, _, _, table, _, _, kind] = *payload.first_chunk()?;
    let fields = Fields::behind(payload, 12);
    let table = fields.native(15).unwrap_or(u32::from(table));
    // RTN_UNICAST in RT_TABLE_MAIN.
    (kind == 1 && length == 0 && table == 254).then_some(())?;
    Some((fields.native(6).unwrap_or(0), fields.native(4)?))
}

/// `struct ndmsg`; `NDA_DST`; `NUD_FAILED`.
fn failed_neighbour(payload: &[u8]) -> Option<IpAddr> {
    let state = payload.get(8..10)?.first_chunk().copied().map(u16::from_ne_bytes)?;
    (state & 0x20 != 0).then(|| Fields::behind(payload, 12).get(1).and_then(ip))?
}

/// Where packets go, question by question.
pub(super) fn answers(
    questions: &BTreeSet<Question>,
    links: &[Link],
    addresses: &[OnLink],
    defaults: &BTreeMap<Family, u32>,
) -> Result<BTreeMap<Question, Route>, NetlinkError> {
    let mut socket = Socket::open(Bus::Route)?;
    let mut answers = BTreeMap::new();
    for &question in questions {
        let mut answer = ask(&mut socket, question, None)?;
        // A rule for marks may ask for a device too: then only what arrives there counts.
        if answer != Route::Local && question.mark != 0 {
            let family = Family::of(question.destination);
            for arrival in arrivals(links, addresses, family, defaults) {
                if ask(&mut socket, question, Some(arrival))? == Route::Local {
                    answer = Route::Local;
                    break;
                }
            }
        }
        answers.insert(question, answer);
    }
    Ok(answers)
}

/// From whom a packet could come by each device: a neighbour of our own address there.
fn arrivals(
    links: &[Link],
    addresses: &[OnLink],
    family: Family,
    defaults: &BTreeMap<Family, u32>,
) -> Vec<(u32, IpAddr)> {
    let mut found: Vec<_> = addresses
        .iter()
        .filter(|address| Family::of(address.ip) == family && address.length < family.bits() - 1)
        .filter(|address| {
            links.iter().any(|link| link.index == address.index && link.is_up && !link.is_loopback)
        })
        .map(|address| {
            let neighbour: IpAddr = match address.ip {
                IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits() ^ 2).into(),
                IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() ^ 2).into(),
            };
            (address.index, neighbour)
        })
        .collect();
    found.sort_by_key(|(index, _)| Some(index) != defaults.get(&family));
    found
}

/// Asks as `ip route get` does; with an arrival, as `ip route get … from … iif …`.
fn ask(
    socket: &mut Socket,
    question: Question,
    arrival: Option<(u32, IpAddr)>,
) -> Result<Route, NetlinkError> {
    let Question { destination, mark } = question;
    let family = Family::of(destination);
    let (mut request, sequence) = (Vec::new(), socket.next_sequence());
    put_message(&mut request, GET_ROUTE, 0, sequence, |out| {
        let sources = if arrival.is_some() { family.bits() } else { 0 };
        out.extend([number(family), family.bits(), sources, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        // RTA_DST, RTA_SRC, RTA_IIF, RTA_MARK.
        put(out, 1, &octets(destination));
        if let Some((index, source)) = arrival {
            put(out, 2, &octets(source));
            put(out, 3, &index.to_ne_bytes());
        }
        if mark != 0 {
            put(out, 16, &mark.to_ne_bytes());
        }
    });
    let mut answer = Route::None;
    let refusals = socket.transact(&request, |message| {
        if message.sequence == sequence {
            answer = self::answer(message.payload);
        }
        Ok(())
    })?;
    match refusals.into_iter().find(|refusal| refusal.sequence == sequence) {
        // No route, or one that forbids: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, EXDEV.
        Some(refusal) if refusal.errno == Errno::PERM => Err(NetlinkError::Refused(refusal)),
        Some(_) => Ok(Route::None),
        None => Ok(answer),
    }
}

/// `RTA_OIF`, `RTA_GATEWAY`, `RTA_PREFSRC`, `RTA_VIA`.
fn answer(payload: &[u8]) -> Route {
    let fields = Fields::behind(payload, 12);
    match payload.get(7) {
        Some(2) => Route::Local,
        Some(1) => {
            let via = fields.get(18).and_then(|via| ip(via.get(2..)?));
            match fields.native(4) {
                Some(index) => Route::Out {
                    index,
                    gateway: fields.get(5).and_then(ip).or(via),
                    source: fields.get(7).and_then(ip),
                },
                None => Route::None,
            }
        }
        _ => Route::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_are_cut_short_are_nothing_and_no_panic() {
        let mut whole = vec![2, 0, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0];
        put(&mut whole, 1, &[10, 0, 0, 1]);
        put(&mut whole, 4, &2_u32.to_ne_bytes());
        put(&mut whole, 10, &7_u32.to_ne_bytes());
        for length in 0..=whole.len() {
            let cut = &whole[..length];
            drop((read_link(cut), read_address(cut), rule(cut, Family::Ipv4), default_route(cut)));
            let answers = (failed_neighbour(cut), answer(cut));
            assert!(answers.0.is_none(), "{length}");
        }
        assert_eq!(default_route(&whole), Some((0, 2)));
        assert_eq!(
            rule(&whole, Family::Ipv4).map(|rule| (rule.mark, rule.mask)),
            Some((7, u32::MAX))
        );
    }

    #[test]
    fn this_machine_has_a_loopback_and_reaches_itself() {
        let routing = Routing::read().expect("readable");
        assert!(routing.links.iter().any(|link| link.is_loopback));
        let question = Question { destination: IpAddr::from([127, 0, 0, 1]), mark: 0 };
        let answers = answers(&[question].into(), &[], &[], &BTreeMap::new()).expect("readable");
        assert_eq!(answers.get(&question), Some(&Route::Local));
    }
}
