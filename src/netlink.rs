//! One request/reply loop for the netlink buses: nf_tables on the netfilter bus, IPVS
//! on the generic one, links, addresses and routes on the one of routing.
//!
//! A socket belongs to the network namespace of the thread that opened it. The kernel
//! runs a request inside `sendmsg(2)`; only dumps go on while they are read. So a batch
//! is sent whole, and what came back is read without waiting. Every reply is checked
//! for its length, its sequence number and its sender.

pub mod attributes;
pub mod route;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use mnl::NlMessages;
use netlink_packet_core::{NlaBuffer, NlasIterator};
use rustix::io::Errno;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname, recvfrom,
    sendto, socket_with, sockopt,
};

/// `NLM_F_REQUEST`, `linux/netlink.h`.
pub const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`, `linux/netlink.h`.
pub const ACK: u16 = 0x4;
/// `NLM_F_DUMP`: root and match, `linux/netlink.h`.
pub const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`, `linux/netlink.h`.
pub const CREATE: u16 = 0x400;
/// `NLM_F_EXCL`, `linux/netlink.h`.
pub const EXCL: u16 = 0x200;
/// `NLM_F_APPEND`, `linux/netlink.h`.
pub const APPEND: u16 = 0x800;

const DUMP_INTR: u16 = 0x10;
const ACK_TLVS: u16 = 0x200;
const CAPPED: u16 = 0x100;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const HEADER: usize = 16;

/// How long a dump may stay silent. The kernel answers at once or never; this bound is
/// for the "never".
const PATIENCE: Duration = Duration::from_secs(20);

/// The largest datagram that the kernel builds for a dump is 32 KiB
/// (`netlink_dump`, `net/netlink/af_netlink.c`); an error reply repeats its request.
const BUFFER: usize = 256 * 1024;

/// A netlink bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// `NETLINK_NETFILTER`: nf_tables.
    Netfilter,
    /// `NETLINK_GENERIC`: IPVS.
    Generic,
    /// `NETLINK_ROUTE`: links, addresses and routes (rtnetlink(7)).
    Route,
}

/// Why talking to the kernel failed, whatever was said.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket could not be opened or set up.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// A message could not be sent.
    #[error("cannot send {bytes} bytes to the kernel")]
    Send {
        /// How long the message was.
        bytes: usize,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// An answer could not be received.
    #[error("cannot receive from the kernel")]
    Receive(#[source] io::Error),
    /// More answers than the receive buffer holds: what was asked has been done or
    /// not, and only reading back can tell.
    #[error("the kernel had more to say than the socket could hold")]
    Overrun,
    /// What was read changed while it was read.
    #[error("the kernel's tables changed while they were read")]
    Interrupted,
    /// The kernel refused a request.
    #[error("the kernel refused: {0}")]
    Refused(Refusal),
    /// A message was longer than the receive buffer, and the rest of it is lost.
    #[error("the kernel's answer of {0} bytes is longer than the receive buffer")]
    Truncated(usize),
    /// A reply that makes no sense.
    #[error("the kernel's answer cannot be read: {0}")]
    Malformed(String),
}

impl NetlinkError {
    /// The kernel's error number, where it gave one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused(refusal) => Some(refusal.errno),
            Self::Open(source) | Self::Receive(source) | Self::Send { source, .. } => {
                Errno::from_io_error(source)
            }
            _ => None,
        }
    }
}

/// One request that the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The sequence number of the request.
    pub sequence: u32,
    /// The error; `EREMOTEIO` where the number is one of [`Private`].
    pub errno: Errno,
    /// Where in the request the error is, in bytes, where the kernel says so
    /// (`NLMSGERR_ATTR_OFFS`).
    pub offset: Option<u32>,
    /// The kernel's own words, where it has some (`NLMSGERR_ATTR_MSG`).
    pub text: Option<String>,
    /// A number that only the part of the kernel that was asked can explain.
    pub private: Option<Private>,
}

/// An error number beyond those of errno(3), such as ipset has of its own
/// (`enum ipset_errno`, `linux/netfilter/ipset/ip_set.h`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    /// The number, of 4096 and above.
    pub number: u32,
    /// The request behind its netlink header, as the kernel repeats it: ipset writes into
    /// it which line of it is at fault.
    pub request: Vec<u8>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(private) = &self.private {
            return write!(f, "error {}", private.number);
        }
        let error = io::Error::from(self.errno);
        match &self.text {
            Some(text) => write!(f, "{error}: {text}"),
            None => write!(f, "{error}"),
        }
    }
}

/// A data message of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The message type.
    pub kind: u16,
    /// The sequence number of the request that it answers. An event has that of the
    /// request which caused it, in somebody else's count.
    pub sequence: u32,
    /// What follows the netlink header.
    pub payload: &'a [u8],
}

/// Appends a message to `batch`; `payload` writes what follows the netlink header.
pub fn put_message(
    batch: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let start = batch.len();
    batch.extend_from_slice(&[0; 4]);
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(&(flags | REQUEST).to_ne_bytes());
    batch.extend_from_slice(&sequence.to_ne_bytes());
    batch.extend_from_slice(&[0; 4]);
    payload(batch);
    let length = u32::try_from(batch.len() - start).unwrap_or(u32::MAX);
    batch[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    batch.resize(batch.len().next_multiple_of(4), 0);
}

/// A netlink socket with its receive buffer and sequence numbers.
pub struct Socket {
    fd: OwnedFd,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Socket {
    /// Opens a socket on `bus`, in the network namespace of this thread.
    ///
    /// # Errors
    /// [`NetlinkError::Open`], for example where a sandbox forbids netlink.
    pub fn open(bus: Bus) -> Result<Self, NetlinkError> {
        Self::with_buffer(bus, BUFFER)
    }

    /// Opens a socket that receives at most `bytes` at once. The kernel builds a dump in
    /// pieces as large as the last receive could take, and clears that much memory for
    /// each: many short dumps want a small buffer.
    ///
    /// # Errors
    /// As [`Socket::open`].
    pub fn with_buffer(bus: Bus, bytes: usize) -> Result<Self, NetlinkError> {
        let protocol = match bus {
            Bus::Netfilter => Some(netlink::NETFILTER),
            Bus::Generic => Some(netlink::GENERIC),
            // NETLINK_ROUTE is 0: the protocol that nobody names.
            Bus::Route => None,
        };
        let open = || -> rustix::io::Result<OwnedFd> {
            let fd = socket_with(
                AddressFamily::NETLINK,
                SocketType::RAW,
                SocketFlags::CLOEXEC,
                protocol,
            )?;
            bind(&fd, &SocketAddrNetlink::new(0, 0))?;
            sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(PATIENCE))?;
            Ok(fd)
        };
        let fd = open().map_err(|errno| NetlinkError::Open(errno.into()))?;
        // Room for the errors of a large batch. Without CAP_NET_ADMIN in the first user
        // namespace the default stays, and an overrun is answered by reading back.
        if let Err(errno) = sockopt::set_socket_recv_buffer_size_force(&fd, 8 << 20) {
            tracing::debug!(%errno, "the receive buffer keeps its default size");
        }
        Ok(Self { fd, buffer: vec![0; bytes], sequence: 0 })
    }

    /// Makes the socket hear a multicast group of its bus.
    ///
    /// # Errors
    /// [`NetlinkError::Open`] where the kernel does not let us.
    pub fn subscribe(&self, group: u32) -> Result<(), NetlinkError> {
        let mask = 1_u32.checked_shl(group.saturating_sub(1)).unwrap_or(0);
        let port = self.port()?;
        bind(&self.fd, &SocketAddrNetlink::new(port, mask))
            .map_err(|errno| NetlinkError::Open(errno.into()))
    }

    fn port(&self) -> Result<u32, NetlinkError> {
        getsockname(&self.fd)
            .and_then(SocketAddrNetlink::try_from)
            .map(|address| address.pid())
            .map_err(|errno| NetlinkError::Open(errno.into()))
    }

    /// The next sequence number; never 0, which marks events.
    pub fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        self.sequence
    }

    /// Sends `batch` whole, in one `sendmsg(2)`: to nf_tables a batch in two parts is
    /// two transactions.
    ///
    /// # Errors
    /// [`NetlinkError::Send`].
    pub fn send(&mut self, batch: &[u8]) -> Result<(), NetlinkError> {
        let failed = |errno: Errno| NetlinkError::Send { bytes: batch.len(), source: errno.into() };
        // The kernel charges a message with overhead against the send buffer.
        let wanted = batch.len() * 2 + 64 * 1024;
        let room = sockopt::socket_send_buffer_size(&self.fd).map_err(failed)?;
        if room < wanted
            && let Err(errno) = sockopt::set_socket_send_buffer_size_force(&self.fd, wanted)
        {
            tracing::debug!(%errno, wanted, "the send buffer keeps its size");
        }
        let kernel = SocketAddrNetlink::new(0, 0);
        let sent =
            rustix::io::retry_on_intr(|| sendto(&self.fd, batch, SendFlags::empty(), &kernel))
                .map_err(failed)?;
        if sent == batch.len() { Ok(()) } else { Err(failed(Errno::MSGSIZE)) }
    }

    /// Sends a batch and reads all that it caused, without waiting: the kernel has
    /// answered when `sendmsg(2)` returns. Data goes to `each`; refusals are returned
    /// in the order in which they came.
    ///
    /// # Errors
    /// Any [`NetlinkError`] but [`NetlinkError::Refused`].
    pub fn transact(
        &mut self,
        batch: &[u8],
        mut each: impl FnMut(Message<'_>) -> Result<(), NetlinkError>,
    ) -> Result<Vec<Refusal>, NetlinkError> {
        self.send(batch)?;
        let mut refusals = Vec::new();
        while let Some(length) = self.receive(RecvFlags::DONTWAIT)? {
            for message in walk(&self.buffer, length) {
                match classify(message?)? {
                    Reply::Data(message, _) => each(message)?,
                    Reply::Refused(refusal) => refusals.push(refusal),
                    Reply::Done(_) => {}
                }
            }
        }
        Ok(refusals)
    }

    /// Sends one dump request and gives every message of the answer to `each`.
    ///
    /// # Errors
    /// [`NetlinkError::Interrupted`] when the kernel says that its tables changed under
    /// way (the caller asks again), [`NetlinkError::Refused`], or a transport error.
    pub fn dump(
        &mut self,
        request: &[u8],
        mut each: impl FnMut(Message<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        self.send(request)?;
        self.dump_replies(self.sequence, &mut each)
    }

    /// Reads the answer to the dump that was sent with `sequence`.
    ///
    /// # Errors
    /// As [`Socket::dump`].
    pub fn dump_replies(
        &mut self,
        sequence: u32,
        each: &mut impl FnMut(Message<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        let mut interrupted = false;
        loop {
            let Some(length) = self.receive(RecvFlags::empty())? else {
                return Err(NetlinkError::Receive(io::ErrorKind::TimedOut.into()));
            };
            for message in walk(&self.buffer, length) {
                match classify(message?)? {
                    Reply::Data(message, changed) if message.sequence == sequence => {
                        interrupted |= changed;
                        each(message)?;
                    }
                    Reply::Refused(refusal) if refusal.sequence == sequence => {
                        return Err(NetlinkError::Refused(refusal));
                    }
                    Reply::Done((answered, changed)) if answered == sequence => {
                        return if interrupted || changed {
                            Err(NetlinkError::Interrupted)
                        } else {
                            Ok(())
                        };
                    }
                    // An answer to an earlier request that was given up.
                    _ => {}
                }
            }
        }
    }

    /// Receives one datagram of the groups that the socket hears, without waiting, and
    /// gives its events to `each`; `false` when none waits. It is for a socket that asks
    /// nothing: an event's sequence number is not ours, and is not compared.
    ///
    /// # Errors
    /// [`NetlinkError::Overrun`] when events were lost, [`NetlinkError::Truncated`] or
    /// [`NetlinkError::Malformed`] when a datagram cannot be read: the next call goes on
    /// behind it. [`NetlinkError::Receive`].
    pub fn event(&mut self, mut each: impl FnMut(Message<'_>)) -> Result<bool, NetlinkError> {
        let Some(length) = self.receive(RecvFlags::DONTWAIT)? else { return Ok(false) };
        for message in walk(&self.buffer, length) {
            match classify(message?)? {
                Reply::Data(message, _) => each(message),
                Reply::Refused(_) | Reply::Done(_) => {
                    return Err(NetlinkError::Malformed("an answer among events".to_owned()));
                }
            }
        }
        Ok(true)
    }

    /// Receives one datagram from the kernel; `None` where there is none.
    fn receive(&mut self, flags: RecvFlags) -> Result<Option<usize>, NetlinkError> {
        loop {
            let received = rustix::io::retry_on_intr(|| {
                recvfrom(&self.fd, self.buffer.as_mut_slice(), flags | RecvFlags::TRUNC)
            });
            let (_, length, sender) = match received {
                Ok((filled, length, sender)) => (filled, length, sender),
                Err(Errno::AGAIN) => return Ok(None),
                Err(Errno::NOBUFS) => return Err(NetlinkError::Overrun),
                Err(errno) => return Err(NetlinkError::Receive(errno.into())),
            };
            // Any process may send to our port; only port 0 is the kernel.
            let from_kernel = sender
                .and_then(|sender| SocketAddrNetlink::try_from(sender).ok())
                .is_some_and(|sender| sender.pid() == 0);
            if !from_kernel {
                continue;
            }
            if length > self.buffer.len() {
                return Err(NetlinkError::Truncated(length));
            }
            return Ok(Some(length));
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The messages of the first `length` bytes of `buffer`.
fn walk(buffer: &[u8], length: usize) -> impl Iterator<Item = Result<&[u8], NetlinkError>> {
    // The walker wants the padding of the last message too; the buffer has it.
    let padded = length.next_multiple_of(4).min(buffer.len());
    NlMessages::new(&buffer[..padded])
        .map(|message| message.map_err(|error| NetlinkError::Malformed(error.to_string())))
}

enum Reply<'a> {
    /// Data, and whether the dump that it belongs to was disturbed.
    Data(Message<'a>, bool),
    /// A refusal.
    Refused(Refusal),
    /// An acknowledgement or a dump's end: its sequence number, and whether disturbed.
    Done((u32, bool)),
}

fn classify(message: &[u8]) -> Result<Reply<'_>, NetlinkError> {
    let half = |at: usize| u16::from_ne_bytes([message[at], message[at + 1]]);
    let (kind, flags) = (half(4), half(6));
    let sequence = u32::from_ne_bytes([message[8], message[9], message[10], message[11]]);
    let payload = &message[HEADER..];
    let disturbed = flags & DUMP_INTR != 0;
    match kind {
        NLMSG_ERROR | NLMSG_DONE => {
            // A dump may end with an error too: DONE carries it as its payload.
            let code = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
            if code == 0 || (kind == NLMSG_DONE && code > 0) {
                return Ok(Reply::Done((sequence, disturbed)));
            }
            let (errno, private) = error_number(code, payload)?;
            let (offset, text) =
                if kind == NLMSG_ERROR { extended_ack(flags, payload) } else { (None, None) };
            Ok(Reply::Refused(Refusal { sequence, errno, offset, text, private }))
        }
        0..=15 => Err(NetlinkError::Malformed(format!("a control message of type {kind}"))),
        _ => Ok(Reply::Data(Message { kind, sequence, payload }, disturbed)),
    }
}

/// What a negative `code` stands for; `payload` holds it and the request.
fn error_number(code: i32, payload: &[u8]) -> Result<(Errno, Option<Private>), NetlinkError> {
    // MAX_ERRNO, linux/err.h. Beyond it every part of netfilter counts for itself.
    match code {
        -4095..0 => Ok((Errno::from_raw_os_error(-code), None)),
        -0xffff..-4095 => {
            let request = payload.get(4 + HEADER..).unwrap_or_default().to_vec();
            Ok((Errno::REMOTEIO, Some(Private { number: code.unsigned_abs(), request })))
        }
        _ => Err(NetlinkError::Malformed(format!("the error number {code}"))),
    }
}

/// The kernel's own words about an error: attributes behind the repeated request
/// (`netlink_ack`, `net/netlink/af_netlink.c`).
fn extended_ack(flags: u16, payload: &[u8]) -> (Option<u32>, Option<String>) {
    let (mut offset, mut text) = (None, None);
    if flags & ACK_TLVS == 0 {
        return (offset, text);
    }
    let repeated = if flags & CAPPED != 0 {
        HEADER
    } else {
        let length = payload.get(4..8).and_then(<[u8]>::first_chunk).copied();
        length.map_or(HEADER, |length| u32::from_ne_bytes(length) as usize).next_multiple_of(4)
    };
    let Some(attributes) = payload.get(4 + repeated..) else { return (offset, text) };
    for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
        match attribute.kind() {
            1 => {
                let bytes = attribute.value().split(|&byte| byte == 0).next();
                text = bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            }
            2 => offset = number(&attribute),
            _ => {}
        }
    }
    (offset, text)
}

fn number(attribute: &NlaBuffer<&[u8]>) -> Option<u32> {
    attribute.value().first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_message(&mut bytes, kind, flags, 7, |out| out.extend_from_slice(payload));
        bytes
    }

    #[test]
    fn a_refusal_carries_the_kernels_words_and_place() {
        let mut payload = (-17_i32).to_ne_bytes().to_vec();
        payload.extend_from_slice(&[0; HEADER]);
        payload.extend_from_slice(&[8, 0, 1, 0]);
        payload.extend_from_slice(b"no\0\0");
        payload.extend_from_slice(&[8, 0, 2, 0, 44, 0, 0, 0]);
        let bytes = message(NLMSG_ERROR, ACK_TLVS | CAPPED, &payload);
        let Ok(Reply::Refused(refusal)) = classify(&bytes) else { panic!("not a refusal") };
        assert_eq!(refusal.errno, Errno::EXIST);
        assert_eq!((refusal.offset, refusal.text.as_deref()), (Some(44), Some("no")));
        assert_eq!(refusal.sequence, 7);
    }

    #[test]
    fn a_number_beyond_errno_comes_with_the_request_that_it_is_about() {
        let mut payload = (-4103_i32).to_ne_bytes().to_vec();
        payload.extend_from_slice(&[0; HEADER]);
        payload.extend_from_slice(b"asks");
        let bytes = message(NLMSG_ERROR, 0, &payload);
        let Ok(Reply::Refused(refusal)) = classify(&bytes) else { panic!("not a refusal") };
        assert_eq!(refusal.to_string(), "error 4103");
        let request = b"asks".to_vec();
        assert_eq!(refusal.private, Some(Private { number: 4103, request }));
        for code in [-0x1_0000, i32::MIN, 1] {
            let bytes = message(NLMSG_ERROR, 0, &code.to_ne_bytes());
            assert!(matches!(classify(&bytes), Err(NetlinkError::Malformed(_))), "{code}");
        }
    }

    #[test]
    fn an_acknowledgement_is_no_error_and_a_failed_dump_is_one() {
        let bytes = message(NLMSG_ERROR, 0, &[0; 20]);
        assert!(matches!(classify(&bytes), Ok(Reply::Done((7, false)))));
        let bytes = message(NLMSG_DONE, DUMP_INTR, &[0; 4]);
        assert!(matches!(classify(&bytes), Ok(Reply::Done((7, true)))));
        let bytes = message(NLMSG_DONE, 0, &(-3_i32).to_ne_bytes());
        assert!(matches!(classify(&bytes), Ok(Reply::Refused(_))));
    }

    #[test]
    fn truncated_messages_are_errors_not_panics() {
        let bytes = message(99, 0, &[1, 2, 3, 4, 5]);
        let mut buffer = vec![0; 64];
        buffer[..bytes.len()].copy_from_slice(&bytes);
        assert_eq!(walk(&buffer, bytes.len()).flatten().count(), 1);
        assert_eq!(walk(&buffer, 20).flatten().count(), 0);
    }
}
