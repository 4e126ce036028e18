//! Clients: a request from a chosen source address, and how it ended.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use super::Namespace;

/// Longer than it takes an emulated machine under load to answer; what is
/// expected to be silent is asked with less patience.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// RST to a SYN, or an ICMP "port unreachable".
    Refused,
    /// An ICMP "host" or "network unreachable", or no route.
    Unreachable,
    /// The connection stood, and was torn down.
    Reset,
    /// The connection stood, and was closed without an answer.
    Closed,
    /// Silence.
    Timeout,
    Other(ErrorKind),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::Unreachable,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
            other => Self::Other(other),
        }
    }
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::from(std::io::Error::from(errno))
    }
}

/// The name of the server that answered, or why none did.
pub(crate) type Answer = Result<String, Failure>;

/// How often each server answered.
pub(crate) type Tally = BTreeMap<String, usize>;

/// Sends requests from a machine; [`super::Lab::client`] is the one that has
/// all clients' addresses.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    namespace: &'a Namespace,
    patience: Duration,
}

impl<'a> Client<'a> {
    /// A client on any machine, as for the director's own traffic.
    pub(crate) fn at(namespace: &'a Namespace) -> Self {
        Self { namespace, patience: PATIENCE }
    }

    /// Gives up after `patience`: for what is expected to be silent.
    pub(crate) fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Who answers a TCP connection from `source` (an address, or an address
    /// and port, or None) to `target`.
    pub(crate) fn tcp<'s>(&self, source: impl Into<Option<&'s str>>, target: &str) -> Answer {
        self.connect(source, target).map(|connection| connection.server)
    }

    /// A TCP connection that stays open.
    pub(crate) fn connect<'s>(
        &self,
        source: impl Into<Option<&'s str>>,
        target: &str,
    ) -> Result<Connection, Failure> {
        let source = source.into();
        self.namespace.run(|| self.connect_inside(source, target))
    }

    /// [`Client::connect`] for a thread that is inside the client's namespace already.
    pub(super) fn connect_inside(
        &self,
        source: Option<&str>,
        target: &str,
    ) -> Result<Connection, Failure> {
        let (source, target) = addresses(source, target);
        let stream = connect_tcp(source, target, self.patience)?;
        stream.set_read_timeout(Some(self.patience))?;
        let mut connection = Connection { stream: BufReader::new(stream), server: String::new() };
        connection.server = connection.read_answer()?;
        Ok(connection)
    }

    /// The machine that it is on.
    pub(crate) fn namespace(&self) -> &'a Namespace {
        self.namespace
    }

    /// Runs `work` in a thread inside the client's namespace.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work)
    }

    /// Who answers a datagram from `source` to `target`. Only an answer from
    /// the very address that was asked counts.
    pub(crate) fn udp<'s>(&self, source: impl Into<Option<&'s str>>, target: &str) -> Answer {
        self.udp_of(source, target, 5)
    }

    /// The same with a datagram of `bytes`, which travels in fragments if it is long.
    pub(crate) fn udp_of<'s>(
        &self,
        source: impl Into<Option<&'s str>>,
        target: &str,
        bytes: usize,
    ) -> Answer {
        let (source, target) = addresses(source.into(), target);
        let socket = self.namespace.run(|| UdpSocket::bind(source))?;
        socket.set_read_timeout(Some(self.patience))?;
        socket.connect(target)?;
        let mut question = vec![b'?'; bytes];
        question[bytes - 1] = b'\n';
        socket.send(&question)?;
        let mut name = [0; 64];
        let length = socket.recv(&mut name)?;
        Ok(String::from_utf8_lossy(&name[..length]).trim_end().to_owned())
    }

    /// Asks `times` times, with the number of the request from 0 on, and counts
    /// the answers by server; the first failure ends it.
    pub(crate) fn tally(
        &self,
        times: usize,
        mut request: impl FnMut(&Self, usize) -> Answer,
    ) -> Result<Tally, Failure> {
        let mut tally = Tally::new();
        for number in 0..times {
            *tally.entry(request(self, number)?).or_default() += 1;
        }
        Ok(tally)
    }

    /// Returns when `address` is there and refuses connections to `port`.
    pub(super) fn wait_for_refusal(&self, address: &str, port: u16) {
        let target = SocketAddr::new(address.parse().unwrap(), port).to_string();
        let eager = self.patience(Duration::from_millis(200));
        let deadline = Instant::now() + Duration::from_secs(30);
        while eager.tcp(None, &target) != Err(Failure::Refused) {
            assert!(Instant::now() < deadline, "the lab's {address} can't be reached");
        }
    }
}

/// Client number `number`, from 0 to 49.
pub(crate) fn client_v4(number: usize) -> String {
    assert!(number < 50, "there are 50 clients");
    format!("172.18.100.{}", 100 + number)
}

/// IPv6 client number `number`, from 0 to 19.
pub(crate) fn client_v6(number: usize) -> String {
    assert!(number < 20, "there are 20 clients of IPv6");
    format!("2001:db8:18:100::{}", 100 + number)
}

/// An open connection to a server.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// The server that took it.
    pub(crate) server: String,
}

impl Connection {
    /// Asks again on the same connection.
    pub(crate) fn ask(&mut self) -> Answer {
        self.stream.get_mut().write_all(b"who?\n")?;
        self.read_answer()
    }

    /// The client's own end.
    pub(crate) fn local(&self) -> SocketAddr {
        self.stream.get_ref().local_addr().unwrap()
    }

    /// Ends its side, and waits for the server's end: [`Failure::Closed`] is a good one.
    pub(crate) fn end(&mut self) -> Failure {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
        self.read_answer().expect_err("nothing was asked")
    }

    /// Waits for an answer however long it takes; what is given back ends the waiting
    /// by `shutdown`.
    pub(super) fn patient(&self) -> TcpStream {
        self.stream.get_ref().set_read_timeout(None).unwrap();
        self.stream.get_ref().try_clone().unwrap()
    }

    fn read_answer(&mut self) -> Answer {
        let mut line = String::new();
        match self.stream.read_line(&mut line)? {
            0 => Err(Failure::Closed),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}

/// The standard library can't choose the source of a connection.
fn connect_tcp(
    source: SocketAddr,
    target: SocketAddr,
    patience: Duration,
) -> Result<TcpStream, Failure> {
    let family = if target.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    bind(&socket, &source)?;
    match connect(&socket, &target) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            let mut waiting = [PollFd::new(&socket, PollFlags::OUT)];
            let timeout = Timespec::try_from(patience).unwrap();
            if poll(&mut waiting, Some(&timeout))? == 0 {
                return Err(Failure::Timeout);
            }
            sockopt::socket_error(&socket)??;
        }
        Err(errno) => return Err(errno.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn addresses(source: Option<&str>, target: &str) -> (SocketAddr, SocketAddr) {
    let target: SocketAddr = target.parse().unwrap_or_else(|_| panic!("{target}: no target"));
    let source = match source {
        None if target.is_ipv6() => "[::]:0".parse().unwrap(),
        None => "0.0.0.0:0".parse().unwrap(),
        Some(text) => text.parse().unwrap_or_else(|_| {
            SocketAddr::new(text.parse().unwrap_or_else(|_| panic!("{text}: no source")), 0)
        }),
    };
    (source, target)
}
