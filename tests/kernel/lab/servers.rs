//! All servers of a lab, in one thread: a socket stays in the namespace it was
//! made in, whichever thread uses it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};

use super::Namespace;

/// A connection or a datagram, as the server that got it saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) server: String,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
}

/// The handle of the thread; dropping it ends the thread and closes the sockets.
pub(super) struct Servers {
    new: Sender<Server>,
    // A byte says that there is something new; the end says to stop.
    wake: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

struct Server {
    name: String,
    socket: Socket,
}

enum Socket {
    Listener(TcpListener),
    Connection(TcpStream),
    Datagrams(UdpSocket),
}

/// What becomes of a server that had something to do.
enum Next {
    Stay,
    Leave,
    And(Server),
}

impl Servers {
    pub(super) fn start() -> Self {
        let (new, arrivals) = mpsc::channel();
        let (wake, woken) = UnixStream::pair().unwrap();
        let requests = Arc::default();
        let seen = Arc::clone(&requests);
        let thread = thread::spawn(move || serve(&arrivals, &woken, &seen));
        Self { new, wake: Some(wake), thread: Some(thread), requests }
    }

    pub(super) fn listen_tcp(&self, namespace: &Namespace, name: &str, ports: &[u16]) {
        for &port in ports {
            let listener = namespace
                .run(|| TcpListener::bind(("::", port)))
                .unwrap_or_else(|error| panic!("{name} can't listen on tcp/{port}: {error}"));
            self.add(name, Socket::Listener(listener));
        }
    }

    /// A socket for each address: an answer has to come from the address that
    /// was asked, which a socket for all addresses would not know.
    pub(super) fn listen_udp(
        &self,
        namespace: &Namespace,
        name: &str,
        at: &[String],
        ports: &[u16],
    ) {
        for (address, &port) in at.iter().flat_map(|at| ports.iter().map(move |port| (at, port))) {
            let socket = namespace
                .run(|| UdpSocket::bind((address.as_str(), port)))
                .unwrap_or_else(|error| panic!("{name} can't have {address} udp/{port}: {error}"));
            self.add(name, Socket::Datagrams(socket));
        }
    }

    pub(super) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    fn add(&self, name: &str, socket: Socket) {
        self.new.send(Server { name: name.to_owned(), socket }).unwrap();
        self.wake.as_ref().unwrap().write_all(&[1]).unwrap();
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.wake = None;
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || !matches!(ended, Some(Err(_))), "the servers failed");
    }
}

fn serve(arrivals: &Receiver<Server>, mut woken: &UnixStream, seen: &Mutex<Vec<Request>>) {
    let mut servers: Vec<Server> = Vec::new();
    loop {
        let mut waiting = vec![PollFd::new(woken, PollFlags::IN)];
        waiting.extend(servers.iter().map(|server| PollFd::new(&server.socket, PollFlags::IN)));
        poll(&mut waiting, None).unwrap();
        let mut ready: Vec<_> = waiting.iter().map(|fd| !fd.revents().is_empty()).collect();
        if ready.remove(0) {
            if woken.read(&mut [0; 64]).unwrap() == 0 {
                return;
            }
            servers.extend(arrivals.try_iter());
        }
        let mut newcomers = Vec::new();
        let mut ready = ready.into_iter();
        servers.retain_mut(|server| {
            // Those that came just now were not asked about.
            if !ready.next().unwrap_or(false) {
                return true;
            }
            match server.handle(seen) {
                Next::Stay => true,
                Next::Leave => false,
                Next::And(newcomer) => {
                    newcomers.push(newcomer);
                    true
                }
            }
        });
        servers.append(&mut newcomers);
    }
}

impl Server {
    /// A client that has gone meanwhile is no error of the server.
    fn handle(&mut self, seen: &Mutex<Vec<Request>>) -> Next {
        let note = |from: SocketAddr, to: SocketAddr| {
            let request = Request { server: self.name.clone(), from: plain(from), to: plain(to) };
            seen.lock().unwrap().push(request);
        };
        let answer = format!("{}\n", self.name);
        match &mut self.socket {
            Socket::Listener(listener) => {
                let Ok((mut stream, from)) = listener.accept() else { return Next::Stay };
                if let Ok(to) = stream.local_addr() {
                    note(from, to);
                }
                if stream.write_all(answer.as_bytes()).is_err() {
                    return Next::Stay;
                }
                Next::And(Server { name: self.name.clone(), socket: Socket::Connection(stream) })
            }
            Socket::Connection(stream) => match stream.read(&mut [0; 512]) {
                Ok(1..) if stream.write_all(answer.as_bytes()).is_ok() => Next::Stay,
                _ => Next::Leave,
            },
            Socket::Datagrams(socket) => {
                if let Ok((_, from)) = socket.recv_from(&mut [0; 512]) {
                    note(from, socket.local_addr().unwrap());
                    // It fails when an ICMP error has come in since.
                    drop(socket.send_to(answer.as_bytes(), from));
                }
                Next::Stay
            }
        }
    }
}

/// A listener for both families sees an IPv4 client as `::ffff:1.2.3.4`.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Listener(socket) => socket.as_fd(),
            Self::Connection(socket) => socket.as_fd(),
            Self::Datagrams(socket) => socket.as_fd(),
        }
    }
}
