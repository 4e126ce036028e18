//! A load-balanced network in namespaces: clients, a director, real servers.
//!
//! ```text
//!   clients ─┬─ front 172.18.100.0/24, 2001:db8:18:100::/64 ─┬─ director .1, VIPs .7 and .8
//!            │                                               └─ real servers of kind Dr and Tunnel
//!            └─ (a bridge only) back 10.20.0.0/24, 2001:db8:20::/64 ─┬─ director .1
//!                                                                    └─ real servers of kind Nat and Tunnel
//! ```
//!
//! A `Dr` server has the VIPs on lo and answers clients on the front network. A
//! `Nat` server knows only the back network, with the director as its gateway. A
//! `Tunnel` server is reached over the back network and answers on the front.
//!
//! ```ignore
//! let lab = Lab::dr();
//! lab.serve_tcp(&[80, 443]);
//! lab.director().nft("table inet t { … }");
//! assert_eq!(lab.client().tcp(CLIENT, "172.18.100.7:443"), Ok("rs1".into()));
//! ```
#![allow(dead_code, unused_imports, reason = "a toolbox: not each tool has a user at all times")]

mod client;
mod director;
mod evidence;
mod iptables;
mod marks;
mod meddling;
mod namespace;
mod program;
mod real_server;
mod ruleset;
mod seen;
mod servers;
mod topology;
mod traffic;
#[path = "../../validity/mod.rs"]
mod validity;

pub(crate) use client::{Answer, Client, Connection, Failure, Tally, client_v4, client_v6};
pub(crate) use director::{Director, copy_in_memory};
pub(crate) use iptables::At;
pub(crate) use marks::Marks;
pub(crate) use namespace::Namespace;
pub(crate) use program::{Ended, Program, Running, Terminal};
pub(crate) use real_server::{Kind, RealServer};
pub(crate) use seen::{Line, Seen};
pub(crate) use servers::Request;
pub(crate) use traffic::Traffic;

/// The virtual addresses, on the director and on `Dr` and `Tunnel` servers.
pub(crate) const VIPS_V4: [&str; 2] = ["172.18.100.7", "172.18.100.8"];
/// The virtual addresses of IPv6.
pub(crate) const VIPS_V6: [&str; 2] = ["2001:db8:18:100::7", "2001:db8:18:100::8"];
/// The first client; see [`client_v4`] for the others.
pub(crate) const CLIENT: &str = "172.18.100.100";
/// The first client of IPv6; see [`client_v6`].
pub(crate) const CLIENT_V6: &str = "2001:db8:18:100::100";

/// One network. Dropping it ends its servers and its namespaces.
pub(crate) struct Lab {
    // The servers hold sockets in the namespaces, so they go first.
    servers: servers::Servers,
    clients: Namespace,
    director: Director,
    real_servers: Vec<RealServer>,
}

impl Lab {
    /// Two real servers for direct routing.
    pub(crate) fn dr() -> Self {
        Self::of(&[Kind::Dr; 2])
    }

    /// Two real servers behind address translation; the director forwards.
    pub(crate) fn nat() -> Self {
        Self::of(&[Kind::Nat; 2])
    }

    /// Two real servers at the ends of IPIP tunnels.
    pub(crate) fn tunnel() -> Self {
        Self::of(&[Kind::Tunnel; 2])
    }

    /// A real server of each kind given, named rs1, rs2, ...; nine at most.
    pub(crate) fn of(kinds: &[Kind]) -> Self {
        let lab = Self::bare(kinds);
        lab.real_servers.iter().for_each(topology::prepare);
        lab
    }

    /// The same with real servers that nobody has prepared: cables and addresses of their
    /// own, no VIP, no tunnel. Only TCP is served there.
    pub(crate) fn bare(kinds: &[Kind]) -> Self {
        assert!((1..=9).contains(&kinds.len()), "a lab has one to nine real servers");
        let clients = Namespace::new();
        let director = Director::new(Namespace::new());
        let real_servers: Vec<_> = (1..)
            .zip(kinds)
            .map(|(number, &kind)| RealServer::new(Namespace::new(), number, kind))
            .collect();
        topology::build(&clients, &director, &real_servers);
        let lab = Self { servers: servers::Servers::start(), clients, director, real_servers };
        lab.wait_until_connected();
        lab
    }

    /// The machine that has all clients' addresses.
    pub(crate) fn client(&self) -> Client<'_> {
        Client::at(&self.clients)
    }

    pub(crate) fn director(&self) -> &Director {
        &self.director
    }

    /// Another director in the same networks, without VIPs.
    pub(crate) fn second_director(&self) -> Director {
        let second = Director::new(Namespace::new());
        topology::join(&self.clients, &second);
        for server in &self.real_servers {
            Client::at(&second).wait_for_refusal(&server.v4(), 9);
        }
        second
    }

    /// The first director is gone, and the first VIP is at the second.
    pub(crate) fn fail_over(&self, second: &Director) {
        topology::fail_over(&self.clients, &self.director, second);
    }

    /// Real server `number`, counted from 1 as in its name.
    pub(crate) fn rs(&self, number: usize) -> &RealServer {
        &self.real_servers[number - 1]
    }

    pub(crate) fn real_servers(&self) -> &[RealServer] {
        &self.real_servers
    }

    /// Listens on these TCP ports of all real servers, on all their addresses;
    /// a connection is answered with the server's name, and each line sent on
    /// it with the name again.
    pub(crate) fn serve_tcp(&self, ports: &[u16]) {
        for server in &self.real_servers {
            self.serve_tcp_on(server, ports);
        }
    }

    /// Answers each datagram to these ports of all real servers with the
    /// server's name, from the address it was sent to.
    pub(crate) fn serve_udp(&self, ports: &[u16]) {
        for server in &self.real_servers {
            self.serve_udp_on(server, ports);
        }
    }

    /// [`Lab::serve_tcp`] on one machine: a real server, or the director.
    pub(crate) fn serve_tcp_on(&self, server: &RealServer, ports: &[u16]) {
        self.servers.listen_tcp(server.namespace(), server.name(), ports);
    }

    /// [`Lab::serve_udp`] on one real server.
    pub(crate) fn serve_udp_on(&self, server: &RealServer, ports: &[u16]) {
        self.servers.listen_udp(server.namespace(), server.name(), &server.addresses(), ports);
    }

    /// Listens on the director itself, which answers as "director": a sorry
    /// page, or what gets the traffic that IPVS does not take.
    pub(crate) fn serve_tcp_on_director(&self, ports: &[u16]) {
        self.servers.listen_tcp(self.director.namespace(), "director", ports);
    }

    /// The requests that servers have seen since the last call, oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.servers.take_requests()
    }

    /// A link works a moment after it was made. A refused connection to a port
    /// without a listener proves the way there and back.
    fn wait_until_connected(&self) {
        let discard = 9;
        for vip in [VIPS_V4[0], VIPS_V6[0]] {
            self.client().wait_for_refusal(vip, discard);
        }
        for server in &self.real_servers {
            for address in [server.v4(), server.v6()] {
                Client::at(&self.director).wait_for_refusal(&address, discard);
            }
        }
    }
}
