//! How a real server is named on a command line.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::model::RealServer;

/// A real server as it is named on a command line: an address, and a port where the group
/// has several of that address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerName {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Option<u16>,
}

impl ServerName {
    /// Whether it may mean a real server of this name.
    pub(super) fn may_be(self, server: Self) -> bool {
        self.address == server.address && (self.port.is_none() || self.port == server.port)
    }

    /// The name of a real server.
    pub fn of(server: &RealServer) -> Self {
        Self { address: server.address, port: server.port }
    }
}

impl From<&RealServer> for ServerName {
    fn from(server: &RealServer) -> Self {
        Self::of(server)
    }
}

impl std::fmt::Display for ServerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            None => write!(f, "{}", self.address),
            Some(port) => write!(f, "{}", SocketAddr::new(self.address, port)),
        }
    }
}

impl FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "an address such as 172.18.100.11, 172.18.100.11:8080 or [2001:db8::11]:80".to_owned()
        };
        // As it is written where it is added: `172.18.100.11,port=8080`.
        let (place, port) = match text.split_once(",port=") {
            Some((place, port)) => (place, Some(port.parse().map_err(|_| expected())?)),
            None => (text, None),
        };
        if let Ok(address) = place.trim_matches(['[', ']']).parse() {
            return Self { address, port }.filter_port().ok_or_else(expected);
        }
        match place.parse::<SocketAddr>() {
            Ok(place) if port.is_none() => {
                Self { address: place.ip(), port: Some(place.port()) }.filter_port()
            }
            _ => None,
        }
        .ok_or_else(expected)
    }
}

impl ServerName {
    /// The name, unless its port is 0, which none has.
    fn filter_port(self) -> Option<Self> {
        (self.port != Some(0)).then_some(self)
    }
}
