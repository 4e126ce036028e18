//! Messages of rtnetlink: a fixed header and attributes (rtnetlink(7),
//! `linux/rtnetlink.h`, `linux/if_link.h`, `linux/if_addr.h`).

use super::setting::Device;
use super::situation::{DefaultRoute, Route};
use crate::model::Prefix;
use crate::netlink::attributes::{Fields, put};
use crate::netlink::route::{
    DESTINATION, LINK_NAME, LOCAL_ROUTE, LOCAL_TABLE, OUT_DEVICE, TABLE, ip,
};

/// `IFF_UP`, `linux/if.h`.
const UP: u32 = 0x1;

const LINK_INFO: u16 = 18;
const INFO_KIND: u16 = 1;

const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
/// `RT_TABLE_MAIN` and `RTN_UNICAST`.
const MAIN: u32 = 254;
const UNICAST: u8 = 1;

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

/// Reads a route, where it is one that matters here: one that makes a prefix local, or a
/// default route.
pub(super) fn read_route(payload: &[u8]) -> Option<Route> {
    let [family, length, _, _, table, _, _, kind] = *payload.first_chunk()?;
    let fields = Fields::behind(payload, 12);
    let table = fields.native(TABLE).unwrap_or(u32::from(table));
    match kind {
        LOCAL_ROUTE if table == LOCAL_TABLE => {
            let address = ip(fields.get(DESTINATION)?)?;
            Some(Route::Local(Prefix::new(address, length).ok()?))
        }
        UNICAST if table == MAIN && length == 0 => Some(Route::Default(DefaultRoute {
            is_ipv4: family == 2,
            gateway: fields.get(GATEWAY).and_then(ip),
            index: fields.native(OUT_DEVICE),
            metric: fields.native(PRIORITY).unwrap_or(0),
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::route::{OnLink, address, local_route, read_address, read_link};
    use std::net::IpAddr;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["172.18.100.7", "2001:db8::7"] {
            let wanted: IpAddr = text.parse().expect(text);
            let length = if wanted.is_ipv4() { 32 } else { 128 };
            let read = read_address(&address(3, wanted)).expect(text);
            let is_deprecated = wanted.is_ipv6();
            assert_eq!(read, OnLink { index: 3, ip: wanted, length, is_deprecated });
        }
        for text in ["198.51.100.0/24", "2001:db8:1::/64"] {
            let prefix: Prefix = text.parse().expect(text);
            let length = prefix.length();
            let read = read_route(&local_route((prefix.address(), length), LOCAL_TABLE, 1, false));
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
