//! Messages of rtnetlink: a fixed header and attributes (rtnetlink(7),
//! `linux/rtnetlink.h`, `linux/if_addr.h`, `linux/fib_rules.h`).

use std::net::IpAddr;

use netlink_packet_core::NlasIterator;

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

/// Appends an attribute.
pub fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // Values here are names and addresses, and what nests a few of them.
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(value);
    out.resize(out.len().next_multiple_of(4), 0);
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

/// A route that makes a prefix local, in one table. One that is to be deleted matches whoever made it
/// nowhere and by no protocol: the prefix, its type and its device say which.
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

/// The header of a dump: of links, addresses, routes or rules of any family, or of one.
pub fn everything(kind: u16, family: u8) -> Vec<u8> {
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
pub fn attributes(payload: &[u8], length: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let behind = payload.get(length..).unwrap_or_default();
    NlasIterator::new(behind)
        .map_while(Result::ok)
        .map(|attribute| (attribute.kind(), attribute.into_inner()))
        .filter_map(|(kind, whole)| {
            let length = usize::from(u16::from_ne_bytes(*whole.first_chunk()?));
            Some((kind, whole.get(4..length)?))
        })
}

/// A number of 32 bits.
pub fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// An address of either family.
pub fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
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
