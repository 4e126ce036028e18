//! Hearing that somebody commits to our table.
//!
//! nf_tables tells a multicast group of each change that was committed. What is told is
//! not taken for the state: it says when to read the table again. So whatever cannot be
//! understood, or was lost, counts as a change of ours; a reading too many does no harm.

use std::os::fd::{AsFd, BorrowedFd};

use super::{frame, open, unreadable, wire};
use crate::backend::NetfilterError;
use crate::netlink::{Message, NetlinkError, Socket};

/// `NFNLGRP_NFTABLES`, `linux/netfilter/nfnetlink.h`.
const GROUP: u32 = 7;

/// In each kind of message the table's name is attribute 1: `NFTA_TABLE_NAME`,
/// `NFTA_CHAIN_TABLE`, `NFTA_SET_ELEM_LIST_TABLE` and the others of
/// `linux/netfilter/nf_tables.h`.
const TABLE: u16 = 1;

/// `NFPROTO_IPV4`.
const IPV4: u8 = 2;
/// `NFPROTO_IPV6`.
const IPV6: u8 = 10;

/// More datagrams than can wait: each takes more than 256 bytes of a receive buffer of
/// 16 MiB. It ends a [`Events::drain`] beside somebody who never stops committing.
const MOST: usize = 65_536;

/// The notifications of nf_tables in one network namespace, from which those about our
/// table, `inet fwmarkctl`, and about the tables in which iptables-nft may have chains of
/// ours are told apart. Its descriptor is readable when some wait. The legacy variant of
/// iptables tells nobody anything.
///
/// Linux (6.18) removes a table with the flag `owner` together with its process and tells
/// nobody. Who must not miss that looks now and then without having heard anything.
pub struct Events {
    socket: Socket,
}

impl Events {
    /// Hears, from now on, what is committed in the network namespace of the calling
    /// thread. On a kernel without nf_tables it hears nothing; reading the table says so.
    ///
    /// # Errors
    /// [`NetfilterError::Privilege`] without `CAP_NET_ADMIN`, which this group wants;
    /// [`NetfilterError::Unsupported`] without netfilter's bus; else
    /// [`NetfilterError::Netlink`].
    pub fn subscribe() -> Result<Self, NetfilterError> {
        let socket = open()?;
        socket.subscribe(GROUP).map_err(unreadable)?;
        Ok(Self { socket })
    }

    /// Reads everything that waits, without waiting for more, and tells whether any of
    /// it may concern our table. Commits of our own are no exception. Notifications that
    /// were lost, for want of memory or of room in the receive buffer, may have
    /// concerned it; so may one that cannot be read.
    ///
    /// # Errors
    /// [`NetfilterError::Netlink`] when receiving fails.
    pub fn drain(&mut self) -> Result<bool, NetfilterError> {
        let mut ours = false;
        for _ in 0..MOST {
            // After an overrun the kernel adds nothing until all that waits was read
            // (`netlink_rcv_wake`, net/netlink/af_netlink.c): so it is read on.
            match self.socket.event(|message| ours = ours || concerns_us(message)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error @ (NetlinkError::Open(_) | NetlinkError::Receive(_))) => {
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::debug!(%error, "notifications of nf_tables are lost");
                    ours = true;
                }
            }
        }
        Ok(ours)
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn concerns_us(message: Message<'_>) -> bool {
    // The end of each commit, whosever it is; attribute 1 is the generation.
    if message.kind == wire::NEW_GENERATION {
        return false;
    }
    let Ok(fields) = wire::body(message.payload) else { return true };
    match (message.payload.first(), fields.text(TABLE)) {
        (Some(&wire::INET), name) => name.is_none_or(|name| name == frame::table_name()),
        // Where iptables-nft has its chains, and ours among them.
        (Some(&(IPV4 | IPV6)), Some(table)) => matches!(table, "mangle" | "nat"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(family: u8, attribute: u16, name: &str) -> Vec<u8> {
        let mut bytes = vec![family, 0, 0, 0];
        wire::put_name(&mut bytes, attribute, name);
        bytes
    }

    fn heard(kind: u16, payload: &[u8]) -> bool {
        concerns_us(Message { kind, sequence: 99, payload })
    }

    #[test]
    fn our_table_is_known_by_family_and_whole_name() {
        assert!(heard(wire::DEL_TABLE, &payload(wire::INET, TABLE, "fwmarkctl")));
        for other in ["fwmarkctl2", "fwmarkct", "other", ""] {
            assert!(!heard(wire::DEL_TABLE, &payload(wire::INET, TABLE, other)), "{other}");
        }
        assert!(!heard(wire::DEL_TABLE, &payload(IPV4, TABLE, "fwmarkctl")));
    }

    #[test]
    fn the_tables_of_iptables_may_have_chains_of_ours() {
        for (family, table, ours) in [
            (IPV4, "mangle", true),
            (IPV6, "nat", true),
            (IPV4, "filter", false),
            (wire::INET, "mangle", false),
        ] {
            assert_eq!(heard(wire::NEW_RULE, &payload(family, TABLE, table)), ours, "{table}");
        }
    }

    #[test]
    fn a_new_generation_is_nobodys_change() {
        // One that is no text, and so no other table's name.
        let generation = [wire::INET, 0, 0, 7, 8, 0, 1, 0, 0xff, 0, 0, 7];
        assert!(!heard(wire::NEW_GENERATION, &generation));
        assert!(heard(wire::NEW_RULE, &payload(wire::INET, 2, "without a table")));
    }

    #[test]
    fn what_is_cut_short_may_be_ours() {
        let whole = payload(2, TABLE, "other");
        assert!(!heard(wire::NEW_RULE, &whole));
        for cut in (0..4).chain(5..14) {
            assert!(heard(wire::NEW_RULE, &whole[..cut]), "{cut} bytes");
        }
    }
}
