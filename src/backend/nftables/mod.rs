//! The marking half as a table of nf_tables, `inet fwmarkctl`.
//!
//! `frame` says what the table is, `encode` makes one batch of a switch, `decode` and
//! `inspect` read the table back, `refusal` words what the kernel did not want. `map` is
//! what the nftnl crate lacks, and the only file with `unsafe`.

mod decode;
mod element;
mod encode;
mod expression;
mod frame;
mod inspect;
mod map;
mod refusal;
mod wire;

use rustix::io::Errno;

use self::frame::{Set, text};
use self::inspect::Found;
use super::{Generation, MarkRuleset, Netfilter, NetfilterError, Observed};
use crate::netlink::{Bus, DUMP, Message, NetlinkError, Socket, put_message};
use crate::plan::MarkSwitch;

/// How often the ruleset is read again when somebody changed it meanwhile.
const ATTEMPTS: usize = 10;

/// nf_tables in the network namespace of the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nftables;

impl Nftables {
    /// The backend; a socket is opened by each call.
    pub fn new() -> Self {
        Self
    }
}

impl Netfilter for Nftables {
    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        for attempt in 1..=ATTEMPTS {
            let mut reader = Reader::open()?;
            let generation = reader.generation()?;
            let found = reader.table(generation);
            // A dump that was given up leaves its rest in the socket.
            let after = if found.is_ok() { reader } else { Reader::open()? }.generation()?;
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

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        // To the kernel, generation 0 is "any"; it never counts to it.
        if at == Generation(0) {
            return Err(NetfilterError::StaleGeneration);
        }
        let batch = encode::switch(change, at)?;
        let mut socket = open()?;
        map::ask_for_details(&socket);
        let refusals = socket.transact(&batch, |_| Ok(())).map_err(unsent)?;
        // The kernel goes on after a refusal to find others; the first caused it.
        refusals.first().map_or(Ok(()), |refusal| Err(refusal::error(&batch, refusal)))
    }
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

/// Reads our table, piece by piece.
struct Reader {
    socket: Socket,
}

impl Reader {
    fn open() -> Result<Self, NetfilterError> {
        Ok(Self { socket: open()? })
    }

    fn generation(&mut self) -> Result<Generation, NetfilterError> {
        let answer = self.ask(wire::GET_GENERATION, &[], decode::generation);
        match answer {
            Ok(Some(generation)) => Ok(generation),
            Ok(None) => Err(wire::malformed("no answer to the generation").into()),
            // The netfilter bus is there, and nobody on it who knows nf_tables.
            Err(error) if matches!(error.errno(), Some(Errno::INVAL | Errno::OPNOTSUPP)) => {
                Err(no_nf_tables())
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    fn table(&mut self, at: Generation) -> Result<MarkRuleset, NetlinkError> {
        let name = frame::table_name();
        let flags = match self.ask(wire::GET_TABLE, &[(1, name)], decode::table_flags) {
            Ok(flags) => flags.unwrap_or(0),
            Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(MarkRuleset::default()),
            Err(error) => return Err(error),
        };
        let mut found = Found { table_flags: flags, ..Found::default() };
        self.dump(at, wire::GET_CHAIN, wire::NEW_CHAIN, &[(1, name)], |message| {
            found.chains.push(decode::chain(message)?);
            Ok(())
        })?;
        self.dump(at, wire::GET_SET, wire::NEW_SET, &[(1, name)], |message| {
            found.sets.push(decode::set(message)?);
            Ok(())
        })?;
        self.dump(at, wire::GET_RULE, wire::NEW_RULE, &[(1, name)], |message| {
            found.rules.push(decode::rule(message)?);
            Ok(())
        })?;
        for (get, new) in
            [(wire::GET_OBJECT, wire::NEW_OBJECT), (wire::GET_FLOWTABLE, wire::NEW_FLOWTABLE)]
        {
            self.dump(at, get, new, &[(1, name)], |message| {
                found.objects.push(decode::object_name(message)?);
                Ok(())
            })?;
        }
        let sets: Vec<Set> = found.sets.iter().filter_map(|set| Set::named(&set.name)).collect();
        for set in sets {
            let names = [(1, name), (wire::element::LIST_SET, text(set.name()))];
            self.dump(at, wire::GET_ELEMENTS, wire::NEW_ELEMENTS, &names, |message| {
                decode::elements(message, |element| found.take(set, element)).map(|_| ())
            })?;
        }
        Ok(found.judge())
    }

    /// Asks for one thing by its names; `None` where the kernel says nothing.
    fn ask<T>(
        &mut self,
        kind: u16,
        names: &[(u16, &str)],
        read: impl Fn(Message<'_>) -> Result<T, NetlinkError>,
    ) -> Result<Option<T>, NetlinkError> {
        let request = self.request(kind, 0, names);
        let mut answer = None;
        let refusals = self.socket.transact(&request, |message| {
            answer = Some(read(message)?);
            Ok(())
        })?;
        match refusals.into_iter().next() {
            Some(refusal) => Err(NetlinkError::Refused(refusal)),
            None => Ok(answer),
        }
    }

    /// Asks for all of one kind in our table. Every message says at which generation it
    /// was written: another one is a change under way, of which dumps of elements give
    /// no other sign.
    fn dump(
        &mut self,
        at: Generation,
        kind: u16,
        answer: u16,
        names: &[(u16, &str)],
        mut each: impl FnMut(Message<'_>) -> Result<(), NetlinkError>,
    ) -> Result<(), NetlinkError> {
        let request = self.request(kind, DUMP, names);
        let mut changed = false;
        self.socket.dump(&request, |message| {
            if message.kind != answer {
                return Err(wire::malformed(format!("a message of type {:#x}", message.kind)));
            }
            changed |= !wire::is_of(message.payload, at);
            // Not every kernel looks for the table's name in every request.
            if changed || !decode::is_ours(message)? { Ok(()) } else { each(message) }
        })?;
        if changed { Err(NetlinkError::Interrupted) } else { Ok(()) }
    }

    fn request(&mut self, kind: u16, flags: u16, names: &[(u16, &str)]) -> Vec<u8> {
        let sequence = self.socket.next_sequence();
        let mut request = Vec::new();
        put_message(&mut request, kind, flags, sequence, |out| {
            wire::put_family(out);
            for (attribute, name) in names {
                wire::put_name(out, *attribute, name);
            }
        });
        request
    }
}
