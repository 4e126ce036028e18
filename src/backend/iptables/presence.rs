//! Whether there is anything of ours, or can be, without starting a program.

use std::fs::read_to_string;

use rustix::io::Errno;

use super::super::NetfilterError;
use crate::model::{Family, Variant};
use crate::netlink::attributes::put;
use crate::netlink::{Bus, NetlinkError, REQUEST, Socket, put_message};
use crate::render::iptables::{LEDGER, MARKS, SOURCES};

/// `NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN` (`linux/netfilter/nf_tables.h`).
const GET_CHAIN: u16 = (10 << 8) | 4;
/// `NFTA_CHAIN_TABLE`.
const CHAIN_TABLE: u16 = 1;
/// `NFTA_CHAIN_NAME`.
const CHAIN_NAME: u16 = 3;

/// Whether a table may have chains of ours: with nf_tables, whether there is such a chain;
/// with the legacy variant, whether this namespace has the table at all.
pub(super) fn may_hold(
    variant: Variant,
    family: Family,
    table: &str,
) -> Result<bool, NetfilterError> {
    match variant {
        Variant::Legacy => Ok(legacy_tables(family).lines().any(|name| name == table)),
        Variant::Nft => {
            let chains: &[&str] = if table == "nat" { &[SOURCES] } else { &[MARKS, LEDGER] };
            for chain in chains {
                if ask(family, table, chain)? == Some(true) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// The tables of the legacy variant that the namespace of this thread has. Without the
/// kernel's `ip_tables` there is no such file.
pub(super) fn legacy_tables(family: Family) -> String {
    let name = match family {
        Family::Ipv4 => "ip_tables_names",
        Family::Ipv6 => "ip6_tables_names",
    };
    read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default()
}

/// Whether this kernel has what the nf_tables variant stands on. Where it may not be asked,
/// the answer is for what is done next to find.
pub(super) fn has_nf_tables() -> bool {
    !matches!(ask(Family::Ipv4, "mangle", MARKS), Ok(None))
}

/// Whether there is such a chain of nf_tables; `None` on a kernel without.
fn ask(family: Family, table: &str, chain: &str) -> Result<Option<bool>, NetfilterError> {
    let mut socket = match Socket::open(Bus::Netfilter) {
        Err(error) if is_unsupported(error.errno()) => return Ok(None),
        socket => socket?,
    };
    let sequence = socket.next_sequence();
    let mut request = Vec::new();
    put_message(&mut request, GET_CHAIN, REQUEST, sequence, |out| {
        // `struct nfgenmsg`: NFPROTO_IPV4 or NFPROTO_IPV6, version 0, no resource.
        let family = match family {
            Family::Ipv4 => 2,
            Family::Ipv6 => 10,
        };
        out.extend_from_slice(&[family, 0, 0, 0]);
        for (kind, name) in [(CHAIN_TABLE, table), (CHAIN_NAME, chain)] {
            put(out, kind, &[name.as_bytes(), b"\0"].concat());
        }
    });
    let refusals = socket.transact(&request, |_| Ok(()))?;
    match refusals.into_iter().next() {
        None => Ok(Some(true)),
        Some(refusal) if refusal.errno == Errno::NOENT => Ok(Some(false)),
        Some(refusal) if is_unsupported(Some(refusal.errno)) => Ok(None),
        Some(refusal) if refusal.errno == Errno::PERM => Err(NetfilterError::Privilege),
        Some(refusal) => Err(NetlinkError::Refused(refusal).into()),
    }
}

fn is_unsupported(errno: Option<Errno>) -> bool {
    let none = [Errno::PROTONOSUPPORT, Errno::AFNOSUPPORT, Errno::OPNOTSUPP, Errno::INVAL];
    errno.is_some_and(|errno| none.contains(&errno))
}
