//! Messages of IPVS's generic netlink family.

use netlink_packet_core::Emitable;
use netlink_packet_generic::{GenlFamily, GenlMessage};

use super::attribute::Attribute;
use crate::netlink::put_message;

/// What is asked (`IPVS_CMD_*`, `linux/ip_vs.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Command {
    NewService = 1,
    SetService = 2,
    DeleteService = 3,
    GetService = 4,
    NewDestination = 5,
    SetDestination = 6,
    DeleteDestination = 7,
    GetDestination = 8,
    NewDaemon = 9,
    DeleteDaemon = 10,
    GetDaemon = 11,
    SetConfig = 12,
    GetConfig = 13,
    Zero = 16,
}

/// A request to IPVS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IpvsMessage {
    pub(super) command: Command,
    pub(super) attributes: Vec<Attribute>,
}

impl GenlFamily for IpvsMessage {
    fn family_name() -> &'static str {
        "IPVS"
    }

    fn command(&self) -> u8 {
        self.command as u8
    }

    /// `IPVS_GENL_VERSION`.
    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for IpvsMessage {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

/// Appends a generic netlink message to `batch`.
pub(super) fn put<F: GenlFamily + Emitable + std::fmt::Debug>(
    batch: &mut Vec<u8>,
    family: u16,
    flags: u16,
    sequence: u32,
    payload: F,
) {
    let message = GenlMessage::from_payload(payload);
    put_message(batch, family, flags, sequence, |out| {
        let start = out.len();
        out.resize(start + message.buffer_len(), 0);
        message.emit(&mut out[start..]);
    });
}
