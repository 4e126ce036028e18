//! Messages of rtnetlink: a fixed header and attributes (rtnetlink(7),
//! `linux/rtnetlink.h`, `linux/if_addr.h`, `linux/fib_rules.h`).

use std::net::IpAddr;

use super::attributes::{Fields, put};
use super::{ACK, Bus, DUMP, Message, NetlinkError, Socket, put_message};

/// How often a dump is read anew because something changed meanwhile.
const READINGS: usize = 16;

/// `RTM_*`, `linux/rtnetlink.h`.
pub const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`.
pub const DELETE_LINK: u16 = 17;
/// `RTM_GETLINK`.
pub const GET_LINK: u16 = 18;
/// `RTM_NEWADDR`.
pub const NEW_ADDRESS: u16 = 20;
/// `RTM_DELADDR`.
pub const DELETE_ADDRESS: u16 = 21;
/// `RTM_GETADDR`.
pub const GET_ADDRESS: u16 = 22;
/// `RTM_NEWROUTE`.
pub const NEW_ROUTE: u16 = 24;
/// `RTM_DELROUTE`.
pub const DELETE_ROUTE: u16 = 25;
/// `RTM_GETROUTE`.
pub const GET_ROUTE: u16 = 26;
/// `RTM_GETNEIGH`.
pub const GET_NEIGHBOUR: u16 = 30;
/// `RTM_NEWRULE`.
pub const NEW_RULE: u16 = 32;
/// `RTM_DELRULE`.
pub const DELETE_RULE: u16 = 33;
/// `RTM_GETRULE`.
pub const GET_RULE: u16 = 34;

/// `IFLA_IFNAME`.
pub const LINK_NAME: u16 = 3;

/// `IFA_ADDRESS`, `IFA_LOCAL` and `IFA_CACHEINFO`.
pub const ADDRESS: u16 = 1;
/// `IFA_LOCAL`.
pub const LOCAL: u16 = 2;
const LIFETIME: u16 = 6;
/// `IFA_F_NODAD`, `linux/if_addr.h`.
const NO_DAD: u8 = 0x02;

/// `RTA_DST`.
pub const DESTINATION: u16 = 1;
/// `RTA_OIF`.
pub const OUT_DEVICE: u16 = 4;
/// `RTA_TABLE`.
pub const TABLE: u16 = 15;
/// `RT_TABLE_LOCAL`.
pub const LOCAL_TABLE: u32 = 255;
/// `RTN_LOCAL`.
pub const LOCAL_ROUTE: u8 = 2;
/// `RTPROT_STATIC`, `RT_SCOPE_HOST` and `RT_SCOPE_NOWHERE`.
const STATIC: u8 = 4;
const SCOPE_HOST: u8 = 254;
const SCOPE_NOWHERE: u8 = 255;

/// `AF_INET` or `AF_INET6`.
pub fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { 2 } else { 10 }
}

/// The bytes of an address.
pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// An address alone on a link. One of IPv6 is known not to be double, for all real
/// servers have it, and deprecated from the start: never the source of what this machine
/// itself sends, as RFC 6724, section 5, rule 3 has it.
pub fn address(index: u32, address: IpAddr) -> Vec<u8> {
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

/// A route that makes a prefix local, in one table. One that is to be deleted matches
/// whoever made it nowhere and by no protocol: the prefix, its type and its device say which.
pub fn local_route(
    (address, length): (IpAddr, u8),
    table: u32,
    loopback: u32,
    delete: bool,
) -> Vec<u8> {
    let (protocol, scope) = match (delete, address.is_ipv4()) {
        (true, _) => (0, SCOPE_NOWHERE),
        (false, true) => (STATIC, SCOPE_HOST),
        (false, false) => (STATIC, 0),
    };
    let mut out = vec![family(address), length, 0, 0];
    // The table's number may not fit into the header: its attribute counts.
    out.extend_from_slice(&[0, protocol, scope, LOCAL_ROUTE, 0, 0, 0, 0]);
    put(&mut out, TABLE, &table.to_ne_bytes());
    put(&mut out, DESTINATION, &octets(address));
    put(&mut out, OUT_DEVICE, &loopback.to_ne_bytes());
    out
}

/// The header of a dump: of links, addresses, routes, neighbours or rules of any family, or
/// of one.
fn everything(kind: u16, family: u8) -> Vec<u8> {
    let length = match kind {
        GET_LINK => 16,
        GET_ADDRESS => 8,
        _ => 12,
    };
    let mut out = vec![0; length];
    out[0] = family;
    out
}

/// An address of either family.
pub fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

/// A network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Whether it is up (`IFF_UP`).
    pub is_up: bool,
    /// Whether it is loopback.
    pub is_loopback: bool,
    /// Whether addresses are looked for on it by ARP.
    pub speaks_arp: bool,
    /// The most bytes of a packet; 0 where the kernel does not say.
    pub mtu: u32,
}

/// Reads a link (`struct ifinfomsg`, `linux/if_link.h`).
pub fn read_link(payload: &[u8]) -> Option<Link> {
    // `IFF_UP`, `IFF_LOOPBACK` and `IFF_NOARP`, `linux/if.h`; `IFLA_MTU`.
    const UP: u32 = 0x1;
    const LOOPBACK: u32 = 0x8;
    const NO_ARP: u32 = 0x80;
    const MTU: u16 = 4;
    let (fields, flags) = (Fields::behind(payload, 16), word(payload, 8)?);
    Some(Link {
        index: word(payload, 4)?,
        name: fields.name(LINK_NAME)?,
        is_up: flags & UP != 0,
        is_loopback: flags & LOOPBACK != 0,
        speaks_arp: flags & (LOOPBACK | NO_ARP) == 0,
        mtu: fields.native(MTU).unwrap_or(0),
    })
}

/// An address on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnLink {
    /// The link's number.
    pub index: u32,
    /// The address: of a point-to-point link, the one on this side.
    pub ip: IpAddr,
    /// How many bits of it are the network's.
    pub length: u8,
    /// `preferred_lft 0`: never a source of its own accord. Of IPv6 only.
    pub is_deprecated: bool,
}

/// Reads an address on a link (`struct ifaddrmsg`, `linux/if_addr.h`).
pub fn read_address(payload: &[u8]) -> Option<OnLink> {
    let fields = Fields::behind(payload, 8);
    let ip = ip(fields.get(LOCAL).or_else(|| fields.get(ADDRESS))?)?;
    let is_deprecated = ip.is_ipv6() && fields.native(LIFETIME) == Some(0);
    Some(OnLink { index: word(payload, 4)?, ip, length: *payload.get(1)?, is_deprecated })
}

fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

/// The kernel's routing, in the network namespace of the thread that opened it.
pub struct Routing {
    socket: Socket,
}

impl Routing {
    /// A socket.
    ///
    /// # Errors
    /// [`NetlinkError::Open`].
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { socket: Socket::open(Bus::Route)? })
    }

    /// What `read` makes of all that the kernel has of one kind (`RTM_GET…`), of one
    /// family or, with 0, of both.
    ///
    /// # Errors
    /// [`NetlinkError`].
    pub fn dump<T>(
        &mut self,
        question: u16,
        family: u8,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        // RTM_NEW… is two below RTM_GET….
        let answer = question - 2;
        for _ in 0..READINGS {
            let (mut request, sequence) = (Vec::new(), self.socket.next_sequence());
            let header = everything(question, family);
            put_message(&mut request, question, DUMP, sequence, |out| out.extend(header));
            let mut found = Vec::new();
            let each = |message: Message<'_>| {
                // Where a family is missing the kernel answers with all others.
                let is_one = message.kind == answer
                    && (family == 0 || message.payload.first() == Some(&family));
                found.extend(is_one.then(|| read(message.payload)).flatten());
                Ok(())
            };
            match self.socket.dump(&request, each) {
                Ok(()) => return Ok(found),
                Err(NetlinkError::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Err(NetlinkError::Interrupted)
    }

    /// Asks for one change.
    ///
    /// # Errors
    /// [`NetlinkError::Refused`] where the kernel refused it.
    pub fn change(&mut self, kind: u16, flags: u16, payload: Vec<u8>) -> Result<(), NetlinkError> {
        let (mut request, sequence) = (Vec::new(), self.socket.next_sequence());
        put_message(&mut request, kind, flags | ACK, sequence, |out| out.extend(payload));
        let refusals = self.socket.transact(&request, |_| Ok(()))?;
        match refusals.into_iter().find(|refusal| refusal.sequence == sequence) {
            Some(refusal) => Err(NetlinkError::Refused(refusal)),
            None => Ok(()),
        }
    }
}
