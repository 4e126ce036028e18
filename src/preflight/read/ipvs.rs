//! Every service of IPVS, whoever made it, and its sync daemons (`linux/ip_vs.h`). The
//! backend looks at our own only.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use crate::model::{Family, Mark, Protocol};
use crate::netlink::attributes::{Fields, put};
use crate::netlink::{Bus, DUMP, Message, NetlinkError, Socket, put_message};
use crate::preflight::scene::Ipvs;
use crate::state::ServiceKey;

/// `GENL_ID_CTRL` and `CTRL_CMD_GETFAMILY`, `linux/genetlink.h`.
const CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
/// `IPVS_CMD_GET_SERVICE` and `IPVS_CMD_GET_DAEMON`.
const GET_SERVICE: u8 = 4;
const GET_DAEMON: u8 = 11;

/// Reads it; to ask a kernel that has not loaded IPVS would load it.
pub(super) fn read() -> Result<Ipvs, NetlinkError> {
    if !Path::new("/proc/thread-self/net/ip_vs").exists() {
        return Ok(Ipvs::default());
    }
    let family = family()?;
    let mut ipvs = Ipvs { is_loaded: true, ..Ipvs::default() };
    ipvs.services = services(family)?;
    dump(family, GET_DAEMON, |fields| {
        // IPVS_CMD_ATTR_DAEMON, IPVS_DAEMON_ATTR_STATE.
        ipvs.daemons.push(match fields.nested(3).native(1) {
            Some(1) => "master",
            _ => "backup",
        });
    })?;
    Ok(ipvs)
}

fn family() -> Result<u16, NetlinkError> {
    let mut socket = Socket::open(Bus::Generic)?;
    let (mut request, sequence) = (Vec::new(), socket.next_sequence());
    put_message(&mut request, CONTROLLER, 0, sequence, |out| {
        out.extend_from_slice(&[GET_FAMILY, 1, 0, 0]);
        put(out, 2, b"IPVS\0");
    });
    let mut family = None;
    let refusals = socket.transact(&request, |message| {
        let id = Fields::behind(message.payload, 4).get(1);
        family = id.and_then(|id| id.first_chunk().copied()).map(u16::from_ne_bytes);
        Ok(())
    })?;
    match (family, refusals.into_iter().next()) {
        (Some(family), _) => Ok(family),
        (None, Some(refusal)) => Err(NetlinkError::Refused(refusal)),
        (None, None) => Err(NetlinkError::Malformed("no number of the family IPVS".to_owned())),
    }
}

/// A dump misses some while somebody edits: what several readings show counts.
fn services(family: u16) -> Result<BTreeSet<ServiceKey>, NetlinkError> {
    let mut all = BTreeSet::new();
    for _ in 0..3 {
        let mut found = BTreeSet::new();
        dump(family, GET_SERVICE, |fields| found.extend(key(fields.nested(1))))?;
        let agrees = found == all;
        all.extend(found);
        if agrees {
            break;
        }
    }
    Ok(all)
}

fn key(service: Fields<'_>) -> Option<ServiceKey> {
    let short = |kind: u16| service.get(kind).and_then(|bytes| bytes.first_chunk().copied());
    let family = match u16::from_ne_bytes(short(1)?) {
        2 => Family::Ipv4,
        _ => Family::Ipv6,
    };
    if let Some(mark) = service.native(5) {
        return Some(ServiceKey::Mark { mark: Mark::new(mark)?, family });
    }
    let bytes: [u8; 16] = service.get(3)?.first_chunk().copied()?;
    let address = match family {
        Family::Ipv4 => IpAddr::from([bytes[0], bytes[1], bytes[2], bytes[3]]),
        Family::Ipv6 => IpAddr::from(bytes),
    };
    let protocol = u8::try_from(u16::from_ne_bytes(short(2)?)).ok()?;
    let port = u16::from_be_bytes(short(4)?);
    Some(ServiceKey::Address { address, protocol: Protocol::from_number(protocol)?, port })
}

fn dump(family: u16, command: u8, mut each: impl FnMut(Fields<'_>)) -> Result<(), NetlinkError> {
    let mut socket = Socket::open(Bus::Generic)?;
    let (mut request, sequence) = (Vec::new(), socket.next_sequence());
    put_message(&mut request, family, DUMP, sequence, |out| {
        out.extend_from_slice(&[command, 1, 0, 0]);
    });
    let answer = socket.dump(&request, |message: Message<'_>| {
        each(Fields::behind(message.payload, 4));
        Ok(())
    });
    match answer {
        Err(NetlinkError::Interrupted) => Ok(()),
        other => other,
    }
}
