//! Messages of rtnetlink: a fixed header and attributes (rtnetlink(7),
//! `linux/rtnetlink.h`, `linux/if_link.h`, `linux/if_addr.h`).

use std::net::IpAddr;

use netlink_packet_core::NlasIterator;

use super::setting::Device;
use super::situation::{DefaultRoute, Link, OnLink, Route};
use crate::model::Prefix;

pub(super) const NEW_LINK: u16 = 16;
pub(super) const DELETE_LINK: u16 = 17;
pub(super) const GET_LINK: u16 = 18;
pub(super) const NEW_ADDRESS: u16 = 20;
pub(super) const DELETE_ADDRESS: u16 = 21;
pub(super) const GET_ADDRESS: u16 = 22;
pub(super) const NEW_ROUTE: u16 = 24;
pub(super) const DELETE_ROUTE: u16 = 25;
pub(super) const GET_ROUTE: u16 = 26;

/// `IFF_UP`, `IFF_LOOPBACK` and `IFF_NOARP`, `linux/if.h`.
const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;
const NO_ARP: u32 = 0x80;

const LINK_NAME: u16 = 3;
const LINK_INFO: u16 = 18;
const INFO_KIND: u16 = 1;

const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const LIFETIME: u16 = 6;
/// `IFA_F_NODAD`, `linux/if_addr.h`.
const NO_DAD: u8 = 0x02;

const DESTINATION: u16 = 1;
const OUT_DEVICE: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const TABLE: u16 = 15;
/// `RT_TABLE_MAIN` and `RT_TABLE_LOCAL`, `RTPROT_STATIC`, `RT_SCOPE_HOST` and
/// `RT_SCOPE_NOWHERE`, `RTN_UNICAST` and `RTN_LOCAL`.
const MAIN: u32 = 254;
const LOCAL_TABLE: u8 = 255;
const STATIC: u8 = 4;
const SCOPE_HOST: u8 = 254;
const SCOPE_NOWHERE: u8 = 255;
const UNICAST: u8 = 1;
const LOCAL_ROUTE: u8 = 2;

/// `AF_INET` or `AF_INET6`.
pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Values here are names and addresses, and what nests a few of them.
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// `struct ifinfomsg`: the flags, of which `change` says which are meant.
fn link_header(index: u32, flags: u32, change: u32) -> Vec<u8> {
    let mut out = vec![0; 4];
    for word in [index, flags, change] {
        out.extend_from_slice(&word.to_ne_bytes());
    }
    out
}

/// A new link of a device's kind; no attributes of its own: it takes packets from anybody.
pub(super) fn new_device(device: Device, kind: &str) -> Vec<u8> {
    let mut out = link_header(0, 0, 0);
    put(&mut out, LINK_NAME, format!("{device}\0").as_bytes());
    let mut info = Vec::new();
    put(&mut info, INFO_KIND, kind.as_bytes());
    put(&mut out, LINK_INFO, &info);
    out
}

/// A link, to be deleted.
pub(super) fn link(index: u32) -> Vec<u8> {
    link_header(index, 0, 0)
}

/// A link, to be up or down.
pub(super) fn link_up(index: u32, up: bool) -> Vec<u8> {
    link_header(index, if up { UP } else { 0 }, UP)
}

/// An address alone on a link. One of IPv6 is known not to be double, for all real
/// servers have it, and deprecated from the start: never the source of what this machine
/// itself sends, as RFC 6724, section 5, rule 3 has it.
pub(super) fn address(index: u32, address: IpAddr) -> Vec<u8> {
    let bytes = octets(address);
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let flags = if address.is_ipv4() { 0 } else { NO_DAD };
    let mut out = vec![family(address), bits, flags, 0];
    out.extend_from_slice(&index.to_ne_bytes());
    put(&mut out, LOCAL, &bytes);
    put(&mut out, ADDRESS, &bytes);
    if address.is_ipv6() {
        // struct ifa_cacheinfo: preferred never, valid for ever.
        let words = [0, u32::MAX, 0, 0].map(u32::to_ne_bytes);
        put(&mut out, LIFETIME, &words.concat());
    }
    out
}

/// A route that makes a prefix local. One that is to be deleted matches whoever made it
/// nowhere and by no protocol: the prefix, its type and its device say which.
pub(super) fn local_route(prefix: Prefix, loopback: u32, delete: bool) -> Vec<u8> {
    let (protocol, scope) = match (delete, prefix.address().is_ipv4()) {
        (true, _) => (0, SCOPE_NOWHERE),
        (false, true) => (STATIC, SCOPE_HOST),
        (false, false) => (STATIC, 0),
    };
    let mut out = vec![family(prefix.address()), prefix.length(), 0, 0];
    out.extend_from_slice(&[LOCAL_TABLE, protocol, scope, LOCAL_ROUTE, 0, 0, 0, 0]);
    put(&mut out, DESTINATION, &octets(prefix.address()));
    put(&mut out, OUT_DEVICE, &loopback.to_ne_bytes());
    out
}

/// The header of a dump: of links, addresses or routes of any family, or of one.
pub(super) fn everything(kind: u16, family: u8) -> Vec<u8> {
    let length = match kind {
        GET_LINK => 16,
        GET_ADDRESS => 8,
        _ => 12,
    };
    let mut out = vec![0; length];
    out[0] = family;
    out
}

/// The attributes behind a header of `length` bytes.
fn attributes(payload: &[u8], length: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let behind = payload.get(length..).unwrap_or_default();
    NlasIterator::new(behind)
        .map_while(Result::ok)
        .map(|attribute| (attribute.kind(), attribute.into_inner()))
        .filter_map(|(kind, whole)| {
            let length = usize::from(u16::from_ne_bytes(*whole.first_chunk()?));
            Some((kind, whole.get(4..length)?))
        })
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// Reads a link.
pub(super) fn read_link(payload: &[u8]) -> Option<Link> {
    let index = word(payload.get(4..8)?)?;
    let flags = word(payload.get(8..12)?)?;
    let (_, name) = attributes(payload, 16).find(|(kind, _)| *kind == LINK_NAME)?;
    let name = name.split(|&byte| byte == 0).next()?;
    Some(Link {
        index,
        name: String::from_utf8_lossy(name).into_owned(),
        is_up: flags & UP != 0,
        is_loopback: flags & LOOPBACK != 0,
        speaks_arp: flags & (LOOPBACK | NO_ARP) == 0,
    })
}

/// Reads an address on a link: of a point-to-point link, the one on this side.
pub(super) fn read_address(payload: &[u8]) -> Option<OnLink> {
    let length = *payload.get(1)?;
    let index = word(payload.get(4..8)?)?;
    let of_kind = |wanted| attributes(payload, 8).find(|(kind, _)| *kind == wanted);
    let (_, bytes) = of_kind(LOCAL).or_else(|| of_kind(ADDRESS))?;
    Some(OnLink { index, ip: ip(bytes)?, length })
}

/// Reads a route, where it is one that matters here: one that makes a prefix local, or a
/// default route.
pub(super) fn read_route(payload: &[u8]) -> Option<Route> {
    let [family, length, _, _, table, _, _, kind] = *payload.first_chunk()?;
    let of_kind = |wanted| attributes(payload, 12).find(|(kind, _)| *kind == wanted);
    let number = |wanted| of_kind(wanted).and_then(|(_, bytes)| word(bytes));
    let table = number(TABLE).unwrap_or(u32::from(table));
    match kind {
        LOCAL_ROUTE if table == u32::from(LOCAL_TABLE) => {
            let (_, bytes) = of_kind(DESTINATION)?;
            Some(Route::Local(Prefix::new(ip(bytes)?, length).ok()?))
        }
        UNICAST if table == MAIN && length == 0 => Some(Route::Default(DefaultRoute {
            is_ipv4: family == 2,
            gateway: of_kind(GATEWAY).and_then(|(_, bytes)| ip(bytes)),
            index: number(OUT_DEVICE),
            metric: number(PRIORITY).unwrap_or(0),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["172.18.100.7", "2001:db8::7"] {
            let wanted: IpAddr = text.parse().expect(text);
            let length = if wanted.is_ipv4() { 32 } else { 128 };
            let read = read_address(&address(3, wanted)).expect(text);
            assert_eq!(read, OnLink { index: 3, ip: wanted, length });
        }
        for text in ["198.51.100.0/24", "2001:db8:1::/64"] {
            let prefix: Prefix = text.parse().expect(text);
            let read = read_route(&local_route(prefix, 1, false));
            assert_eq!(read, Some(Route::Local(prefix)));
        }
        let device = read_link(&new_device(Device::Tunl0, "ipip")).expect("a link");
        assert_eq!((device.name.as_str(), device.is_up), ("tunl0", false));
        assert!(device.speaks_arp);
    }

    #[test]
    fn a_message_cut_short_is_nothing_and_no_panic() {
        let whole = address(3, "2001:db8::7".parse().expect("one"));
        for length in 0..whole.len() {
            let cut = &whole[..length];
            drop((read_link(cut), read_route(cut)));
            assert!(read_address(cut).is_none() || length >= 8 + 20, "{length}");
        }
    }
}
