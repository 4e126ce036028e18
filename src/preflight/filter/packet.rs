//! A packet of which some bytes are known.

use std::net::IpAddr;

use crate::model::{Family, Protocol};

/// One byte of a packet or a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::preflight) enum Byte {
    Known(u8),
    /// Another one with each client, or each moment.
    Varies,
    /// It is one, and we do not know which.
    Unknown,
}

/// What conntrack calls a packet (`NF_CT_STATE_BIT`, `linux/netfilter/nf_conntrack_common.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::preflight) enum CtState {
    Invalid = 1,
    Established = 2,
    New = 8,
    Untracked = 64,
}

/// A packet, and what the kernel knows about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) struct Packet {
    pub(in crate::preflight) family: Family,
    pub(in crate::preflight) protocol: u8,
    network: Vec<Byte>,
    transport: Vec<Byte>,
    /// `None`: not known.
    pub(in crate::preflight) mark: Option<u32>,
    pub(in crate::preflight) arrives_by: Option<(u32, String)>,
    pub(in crate::preflight) leaves_by: Option<(u32, String)>,
    pub(in crate::preflight) state: Option<CtState>,
    /// Whether its destination is an address of this machine.
    pub(in crate::preflight) is_local: bool,
}

/// TCP's flags (RFC 9293, section 3.1).
pub(in crate::preflight) mod flags {
    pub(in crate::preflight) const FIN: u8 = 0x01;
    pub(in crate::preflight) const SYN: u8 = 0x02;
    pub(in crate::preflight) const ACK: u8 = 0x10;
}

impl Packet {
    /// A packet from anybody to `destination`, not marked, that arrives from the network.
    pub(in crate::preflight) fn to(destination: IpAddr, protocol: u8) -> Self {
        let family = Family::of(destination);
        // Addresses and protocol stand where RFC 791 and RFC 8200 say.
        let mut network = vec![Byte::Varies; if family == Family::Ipv4 { 20 } else { 40 }];
        network[if family == Family::Ipv4 { 9 } else { 6 }] = Byte::Known(protocol);
        network[0] = Byte::Known(if family == Family::Ipv4 { 0x45 } else { 0x60 });
        let mut packet = Self {
            family,
            protocol,
            network,
            transport: vec![Byte::Varies; 20],
            mark: Some(0),
            arrives_by: None,
            leaves_by: None,
            state: None,
            is_local: true,
        };
        packet.address(if family == Family::Ipv4 { 16 } else { 24 }, destination);
        packet
    }

    /// From this address.
    pub(in crate::preflight) fn sent_by(mut self, source: IpAddr) -> Self {
        self.address(if self.family == Family::Ipv4 { 12 } else { 8 }, source);
        self
    }

    /// An answer: to anybody, or to a client that is known.
    pub(in crate::preflight) fn answering(mut self, client: Option<IpAddr>) -> Self {
        let (start, length) = if self.family == Family::Ipv4 { (16, 4) } else { (24, 16) };
        self.network[start..start + length].fill(Byte::Varies);
        if let Some(client) = client {
            self.address(start, client);
        }
        self.is_local = false;
        self
    }

    fn address(&mut self, at: usize, address: IpAddr) {
        let octets = match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        for (byte, octet) in self.network.iter_mut().skip(at).zip(octets) {
            *byte = Byte::Known(octet);
        }
    }

    /// To this port.
    pub(in crate::preflight) fn with_port(self, port: u16) -> Self {
        self.port(2, port)
    }

    /// From this port.
    pub(in crate::preflight) fn with_source_port(self, port: u16) -> Self {
        self.port(0, port)
    }

    fn port(mut self, at: usize, port: u16) -> Self {
        for (byte, octet) in self.transport[at..].iter_mut().zip(port.to_be_bytes()) {
            *byte = Byte::Known(octet);
        }
        self
    }

    /// With these flags of TCP, and this state.
    pub(in crate::preflight) fn being(mut self, flags: u8, state: CtState) -> Self {
        if self.protocol == Protocol::Tcp.number() {
            self.transport[13] = Byte::Known(flags);
        }
        self.state = Some(state);
        self
    }

    /// Bytes of a header: 1 is the network's, 2 the transport's (`NFT_PAYLOAD_*`).
    pub(super) fn payload(&self, base: u32, offset: usize, length: usize) -> Vec<Byte> {
        let header = match base {
            1 => &self.network,
            2 => &self.transport,
            _ => return vec![Byte::Unknown; length],
        };
        (offset..offset + length)
            .map(|at| header.get(at).copied().unwrap_or(Byte::Varies))
            .collect()
    }

    /// The destination port; `None` where it is not one.
    pub(super) fn destination_port(&self) -> Option<u16> {
        match self.transport[2..4] {
            [Byte::Known(high), Byte::Known(low)] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    /// The source port; `None` where it is not one.
    pub(super) fn source_port(&self) -> Option<u16> {
        match self.transport[0..2] {
            [Byte::Known(high), Byte::Known(low)] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    /// The flags of TCP, where they are known.
    pub(super) fn tcp_flags(&self) -> Option<u8> {
        match self.transport[13] {
            Byte::Known(flags) => Some(flags),
            _ => None,
        }
    }

    /// An address of the header, where it is known.
    pub(super) fn ip(&self, source: bool) -> Option<IpAddr> {
        let (at, length) = match (self.family, source) {
            (Family::Ipv4, true) => (12, 4),
            (Family::Ipv4, false) => (16, 4),
            (Family::Ipv6, true) => (8, 16),
            (Family::Ipv6, false) => (24, 16),
        };
        let known = |byte: &Byte| match byte {
            Byte::Known(octet) => Some(*octet),
            _ => None,
        };
        let octets: Vec<u8> =
            self.network[at..at + length].iter().map(known).collect::<Option<_>>()?;
        match self.family {
            Family::Ipv4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
            Family::Ipv6 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        }
    }

    /// `meta` of a key (`NFT_META_*`, `linux/netfilter/nf_tables.h`).
    pub(super) fn meta(&self, key: u32) -> Vec<Byte> {
        let known = |bytes: &[u8]| bytes.iter().copied().map(Byte::Known).collect::<Vec<_>>();
        let number = |number: Option<u32>| match number {
            Some(number) => known(&number.to_ne_bytes()),
            None => vec![Byte::Unknown; 4],
        };
        let name = |device: &Option<(u32, String)>| match device {
            Some((_, name)) => {
                let mut bytes = name.clone().into_bytes();
                bytes.resize(16, 0);
                known(&bytes)
            }
            None => vec![Byte::Unknown; 16],
        };
        let ethernet: u16 = if self.family == Family::Ipv4 { 0x0800 } else { 0x86dd };
        match key {
            1 => known(&ethernet.to_be_bytes()),
            3 => number(self.mark),
            4 => number(self.arrives_by.as_ref().map(|(index, _)| *index)),
            5 => number(self.leaves_by.as_ref().map(|(index, _)| *index)),
            6 => name(&self.arrives_by),
            7 => name(&self.leaves_by),
            15 => known(&[if self.family == Family::Ipv4 { 2 } else { 10 }, 0, 0, 0]),
            16 => known(&[self.protocol, 0, 0, 0]),
            // PACKET_HOST: it is for us.
            19 => known(&[0, 0, 0, 0]),
            _ => vec![Byte::Unknown; 16],
        }
    }

    /// `ct` of a key (`NFT_CT_*`): the state, and that no bit of the status is set of what
    /// conntrack has not taken for a connection (`IPS_*`: confirmed, translated, …).
    pub(super) fn ct(&self, key: u32) -> Vec<Byte> {
        let known = |number: u32| number.to_ne_bytes().into_iter().map(Byte::Known).collect();
        match (key, self.state) {
            (0, Some(state)) => known(state as u32),
            (2, Some(CtState::New | CtState::Invalid | CtState::Untracked)) => known(0),
            _ => vec![Byte::Unknown; 16],
        }
    }
}
