//! The attributes of IPVS's generic netlink family (`linux/ip_vs.h`), as they are sent.

use std::net::IpAddr;

use netlink_packet_core::{Emitable, Nla};

use crate::model::{Family, KernelName};

/// Numbers of the attributes at the top of a message (`IPVS_CMD_ATTR_*`).
pub(super) mod top {
    pub(in crate::backend::ipvs) const SERVICE: u16 = 1;
    pub(in crate::backend::ipvs) const DESTINATION: u16 = 2;
    pub(in crate::backend::ipvs) const DAEMON: u16 = 3;
    pub(in crate::backend::ipvs) const TIMEOUT_TCP: u16 = 4;
    pub(in crate::backend::ipvs) const TIMEOUT_TCP_FIN: u16 = 5;
    pub(in crate::backend::ipvs) const TIMEOUT_UDP: u16 = 6;
}

/// Numbers of a synchronisation daemon's attributes (`IPVS_DAEMON_ATTR_*`).
pub(super) mod daemon {
    pub(in crate::backend::ipvs) const STATE: u16 = 1;
    pub(in crate::backend::ipvs) const INTERFACE: u16 = 2;
    pub(in crate::backend::ipvs) const ID: u16 = 3;
    pub(in crate::backend::ipvs) const MAXLEN: u16 = 4;
    pub(in crate::backend::ipvs) const GROUP: u16 = 5;
    pub(in crate::backend::ipvs) const GROUP6: u16 = 6;
    pub(in crate::backend::ipvs) const PORT: u16 = 7;
    pub(in crate::backend::ipvs) const TTL: u16 = 8;
}

/// Numbers of a service's attributes (`IPVS_SVC_ATTR_*`).
pub(super) mod service {
    pub(in crate::backend::ipvs) const FAMILY: u16 = 1;
    pub(in crate::backend::ipvs) const PROTOCOL: u16 = 2;
    pub(in crate::backend::ipvs) const ADDRESS: u16 = 3;
    pub(in crate::backend::ipvs) const PORT: u16 = 4;
    pub(in crate::backend::ipvs) const MARK: u16 = 5;
    pub(in crate::backend::ipvs) const SCHEDULER: u16 = 6;
    pub(in crate::backend::ipvs) const FLAGS: u16 = 7;
    pub(in crate::backend::ipvs) const TIMEOUT: u16 = 8;
    pub(in crate::backend::ipvs) const NETMASK: u16 = 9;
    pub(in crate::backend::ipvs) const STATISTICS: u16 = 10;
    pub(in crate::backend::ipvs) const ENGINE: u16 = 11;
    pub(in crate::backend::ipvs) const STATISTICS_64: u16 = 12;
}

/// Numbers of a destination's attributes (`IPVS_DEST_ATTR_*`).
pub(super) mod destination {
    pub(in crate::backend::ipvs) const ADDRESS: u16 = 1;
    pub(in crate::backend::ipvs) const PORT: u16 = 2;
    pub(in crate::backend::ipvs) const METHOD: u16 = 3;
    pub(in crate::backend::ipvs) const WEIGHT: u16 = 4;
    pub(in crate::backend::ipvs) const UPPER: u16 = 5;
    pub(in crate::backend::ipvs) const LOWER: u16 = 6;
    pub(in crate::backend::ipvs) const ACTIVE: u16 = 7;
    pub(in crate::backend::ipvs) const INACTIVE: u16 = 8;
    pub(in crate::backend::ipvs) const TEMPLATES: u16 = 9;
    pub(in crate::backend::ipvs) const STATISTICS: u16 = 10;
    pub(in crate::backend::ipvs) const FAMILY: u16 = 11;
    pub(in crate::backend::ipvs) const STATISTICS_64: u16 = 12;
    pub(in crate::backend::ipvs) const TUNNEL_TYPE: u16 = 13;
    pub(in crate::backend::ipvs) const TUNNEL_PORT: u16 = 14;
    pub(in crate::backend::ipvs) const TUNNEL_FLAGS: u16 = 15;
}

/// One attribute: a number and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    kind: u16,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    /// Bytes as they go out.
    Bytes { bytes: [u8; 16], length: usize },
    /// Attributes within an attribute.
    Nested(Vec<Attribute>),
}

impl Attribute {
    fn bytes(kind: u16, value: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes[..value.len()].copy_from_slice(value);
        Self { kind, value: Value::Bytes { bytes, length: value.len() } }
    }

    pub(super) fn byte(kind: u16, value: u8) -> Self {
        Self::bytes(kind, &[value])
    }

    pub(super) fn short(kind: u16, value: u16) -> Self {
        Self::bytes(kind, &value.to_ne_bytes())
    }

    pub(super) fn word(kind: u16, value: u32) -> Self {
        Self::bytes(kind, &value.to_ne_bytes())
    }

    /// A port, in network order.
    pub(super) fn port(kind: u16, port: u16) -> Self {
        Self::bytes(kind, &port.to_be_bytes())
    }

    /// An IPv4 netmask, in network order.
    pub(super) fn network_word(kind: u16, value: u32) -> Self {
        Self::bytes(kind, &value.to_be_bytes())
    }

    /// `struct ip_vs_flags`: the flags and which of them are meant: all.
    pub(super) fn flags(kind: u16, flags: u32) -> Self {
        let mut bytes = [0xff; 8];
        bytes[..4].copy_from_slice(&flags.to_ne_bytes());
        Self::bytes(kind, &bytes)
    }

    /// `union nf_inet_addr`: 16 bytes, of which IPv4 uses the first four.
    pub(super) fn address(kind: u16, address: IpAddr) -> Self {
        let mut bytes = [0; 16];
        match address {
            IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
            IpAddr::V6(v6) => bytes.copy_from_slice(&v6.octets()),
        }
        Self::bytes(kind, &bytes)
    }

    /// A name with its closing NUL.
    pub(super) fn name(kind: u16, name: KernelName) -> Self {
        Self::text(kind, name.as_str())
    }

    /// A text with its closing NUL; it has room for one (15 bytes at most).
    pub(super) fn text(kind: u16, text: &str) -> Self {
        let text = text.as_bytes();
        let mut attribute = Self::bytes(kind, text);
        if let Value::Bytes { length, .. } = &mut attribute.value {
            *length = text.len() + 1;
        }
        attribute
    }

    pub(super) fn nested(kind: u16, attributes: Vec<Self>) -> Self {
        Self { kind, value: Value::Nested(attributes) }
    }
}

impl Nla for Attribute {
    fn value_len(&self) -> usize {
        match &self.value {
            Value::Bytes { length, .. } => *length,
            Value::Nested(attributes) => attributes.as_slice().buffer_len(),
        }
    }

    fn kind(&self) -> u16 {
        self.kind
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match &self.value {
            Value::Bytes { bytes, length } => buffer.copy_from_slice(&bytes[..*length]),
            Value::Nested(attributes) => attributes.as_slice().emit(buffer),
        }
    }

    fn is_nested(&self) -> bool {
        matches!(self.value, Value::Nested(_))
    }
}

/// `AF_INET` and `AF_INET6`, as the kernel numbers families.
pub(super) fn family_number(family: Family) -> u16 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

/// The family of the kernel's number.
pub(super) fn family_of_number(number: u16) -> Option<Family> {
    Family::BOTH.into_iter().find(|family| family_number(*family) == number)
}
