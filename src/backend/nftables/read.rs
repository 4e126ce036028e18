//! Asking the kernel for our table, and noticing when it changes meanwhile.

use std::time::Duration;

use rustix::io::Errno;

use super::frame::{self, Set, text};
use super::inspect::{self, Entries, Found};
use super::{ATTEMPTS, decode, no_nf_tables, open, unreadable, wire};
use crate::backend::{CountedRuleset, Generation, NetfilterError};
use crate::netlink::{DUMP, Message, NetlinkError, Socket, put_message};

/// How long a hash map is given to settle: it needs some milliseconds for 50,000 elements.
const PAUSE: Duration = Duration::from_millis(5);

/// A socket on which our table is read.
pub(super) struct Reader {
    socket: Socket,
    /// Whether what entries counted is wanted too.
    counting: bool,
}

impl Reader {
    pub(super) fn open(counting: bool) -> Result<Self, NetfilterError> {
        Ok(Self { socket: open()?, counting })
    }

    pub(super) fn generation(&mut self) -> Result<Generation, NetfilterError> {
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

    pub(super) fn table(&mut self, at: Generation) -> Result<CountedRuleset, NetlinkError> {
        let name = frame::table_name();
        let flags = match self.ask(wire::GET_TABLE, &[(1, name)], decode::table_flags) {
            Ok(flags) => flags.unwrap_or(0),
            Err(error) if error.errno() == Some(Errno::NOENT) => {
                return Ok(CountedRuleset::default());
            }
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
        // A table of an earlier version is made anew, and its entries are what stays.
        let former = inspect::is_former(&found.sets).then_some(Set::FORMER);
        for set in Set::all().chain(former.into_iter().flatten()) {
            if let Some(there) = found.sets.iter().find(|there| there.name == text(set.name())) {
                found.entries.merge(self.elements(at, set, there.count)?);
            }
        }
        let counts = found.entries.take_counts();
        Ok(CountedRuleset { ruleset: found.judge(), counts })
    }

    /// All elements of `set`, of which the kernel may say how many there are.
    ///
    /// A hash map moves to a larger table behind the back of a dump, without a new
    /// generation: after a large batch one dump in some misses thousands of elements.
    /// A dump of one message is whole, because the kernel finds its place again only
    /// between messages, by counting (`nft_rhash_walk`). A longer one must have as many
    /// elements as the kernel counts, or be the same as the one before it.
    fn elements(
        &mut self,
        at: Generation,
        set: Set,
        expected: Option<u32>,
    ) -> Result<Entries, NetlinkError> {
        let names = [(1, frame::table_name()), (wire::element::LIST_SET, text(set.name()))];
        let mut before: Option<Entries> = None;
        for attempt in 1..=ATTEMPTS {
            let mut entries = if self.counting { Entries::counting() } else { Entries::default() };
            let mut messages = 0;
            self.dump(at, wire::GET_ELEMENTS, wire::NEW_ELEMENTS, &names, |message| {
                messages += 1;
                decode::elements(message, |element| entries.take(set, element)).map(|_| ())
            })?;
            let counted = expected.is_some_and(|count| count as usize == entries.count);
            let steady = set.is_interval() || messages <= 1 || counted;
            if !entries.repeated
                && (steady || before.is_some_and(|before| before.agree_with(&entries)))
            {
                return Ok(entries);
            }
            tracing::debug!(?set, attempt, count = entries.count, expected, "read again");
            before = Some(entries);
            std::thread::sleep(PAUSE);
        }
        Err(NetlinkError::Interrupted)
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
