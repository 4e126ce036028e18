//! The marking half as a table of nf_tables, `inet fwmarkctl`.
//!
//! `frame` says what the table is, `set` what its maps and sets are, `chain` what its chains
//! are, and `encode` makes one batch of a switch. `read` asks for the table, `decode` makes
//! values of the answers, `inspect` compares them with the frame. `refusal` words what the
//! kernel did not want. `events` hears that somebody changes the table. `map` is what the
//! nftnl crate lacks, and the only file with `unsafe`.

mod chain;
mod decode;
mod element;
mod encode;
mod events;
mod expression;
mod frame;
mod inspect;
mod map;
mod read;
mod refusal;
mod set;
mod wire;

use rustix::io::Errno;

pub use self::events::Events;
use self::read::Reader;
use super::{
    CountedRuleset, Generation, MarkRuleset, Netfilter, NetfilterError, Observed, settle_packets,
};
use crate::model::Marker;
use crate::netlink::{Bus, NetlinkError, Socket};
use crate::plan::MarkSwitch;

/// How often the ruleset is read again when somebody changed it meanwhile.
const ATTEMPTS: usize = 10;

/// nf_tables in the network namespace of the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nftables;

impl Nftables {
    /// The backend; a socket is opened by each call.
    pub const fn new() -> Self {
        Self
    }
}

impl Netfilter for Nftables {
    fn marker(&self) -> Marker {
        Marker::Nftables
    }

    /// A batch that leaves an entry alone leaves its count.
    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        read(true)
    }

    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        let Observed { value, generation } = read(false)?;
        Ok(Observed { value: value.ruleset, generation })
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        // To the kernel, generation 0 is "any"; it never counts to it.
        if at == Generation(0) {
            return Err(NetfilterError::StaleGeneration);
        }
        let batch = encode::switch(change, at)?;
        let mut socket = open()?;
        map::ask_for_details(&socket);
        tracing::debug!(sent = batch.len(), "to nf_tables");
        let refusals = socket.transact(&batch, |_| Ok(())).map_err(unsent)?;
        // The kernel goes on after a refusal to find others; the first caused it.
        refusals.first().map_or(Ok(()), |refusal| Err(refusal::error(&batch, refusal)))
    }

    fn settle(&self) {
        settle_packets();
    }
}

/// Reads our table at one generation, and what entries counted where that is wanted.
fn read(counting: bool) -> Result<Observed<CountedRuleset>, NetfilterError> {
    for attempt in 1..=ATTEMPTS {
        let mut reader = Reader::open(counting)?;
        let generation = reader.generation()?;
        let found = reader.table(generation);
        // A dump that was given up leaves its rest in the socket.
        let after = if found.is_ok() { reader } else { Reader::open(counting)? }.generation()?;
        match found {
            Ok(value) if after == generation => return Ok(Observed { value, generation }),
            // What was being read vanished, or was written under way.
            Err(error) if after == generation && !is_interruption(&error) => {
                return Err(unreadable(error));
            }
            _ => tracing::debug!(attempt, "the ruleset changed while it was read"),
        }
    }
    Err(NetlinkError::Interrupted.into())
}

fn open() -> Result<Socket, NetfilterError> {
    Socket::open(Bus::Netfilter).map_err(|error| match error.errno() {
        Some(Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT) => no_nf_tables(),
        _ => error.into(),
    })
}

fn no_nf_tables() -> NetfilterError {
    NetfilterError::Unsupported("load the module nf_tables, or use a kernel that has it".to_owned())
}

fn is_interruption(error: &NetlinkError) -> bool {
    matches!(error, NetlinkError::Interrupted)
}

/// Why the ruleset could not be read.
fn unreadable(error: NetlinkError) -> NetfilterError {
    match error.errno() {
        Some(Errno::PERM) => NetfilterError::Privilege,
        _ => error.into(),
    }
}

/// What became of a batch when talking to the kernel failed.
fn unsent(error: NetlinkError) -> NetfilterError {
    match error {
        // The kernel runs a batch within `sendmsg(2)`, and not a part of it when that fails.
        NetlinkError::Send { bytes, source } => match Errno::from_io_error(&source) {
            Some(Errno::MSGSIZE) => NetfilterError::Refused {
                object: format!("a batch of {bytes} bytes"),
                reason: "it does not fit into the socket's send buffer, which only \
                         CAP_NET_ADMIN in the first user namespace can enlarge beyond \
                         net.core.wmem_max"
                    .to_owned(),
            },
            Some(Errno::PERM) => NetfilterError::Privilege,
            _ => NetlinkError::Send { bytes, source }.into(),
        },
        error => NetfilterError::Unknown(error),
    }
}
