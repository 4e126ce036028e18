//! ipset over netlink: named sets of addresses, ports and marks, which rules of iptables
//! look up.
//!
//! On the same bus as nf_tables (`net/netfilter/ipset/ip_set_core.c`), but without its
//! transactions: every message counts by itself. What is to change in one instant is
//! written into a new set, and the rule that names it is what switches. Why not through
//! ipset(8) is in `docs/decisions/0028-ipset-over-netlink.md`.

mod found;
mod member;
mod set;
#[cfg(test)]
mod tests;
mod wire;
mod words;

pub use found::SetFound;
pub use member::Member;
pub use set::{Extensions, SetDefinition, SetKind};
pub use words::IpsetError;

use rustix::io::Errno;

use self::wire::{put_nested, put_network, put_text, set as attribute};
use crate::model::Family;
use crate::netlink::attributes::put;
use crate::netlink::{Bus, DUMP, EXCL, NetlinkError, Refusal, Socket, put_message};

/// How long the members of one message may be: an attribute has 16 bits for its length,
/// and the longest member takes less than what is left of them.
const MESSAGE: usize = 64 * 1024 - 512;

/// How often a set is listed anew because somebody wrote to it meanwhile.
const READINGS: usize = 16;

/// The sets of the network namespace of the thread that opened it.
pub struct Ipset {
    socket: Socket,
}

impl Ipset {
    /// Opens a socket; this loads ipset where it is a module.
    ///
    /// # Errors
    /// [`IpsetError::Unsupported`], [`IpsetError::Privilege`], [`IpsetError::Netlink`].
    pub fn open() -> Result<Self, IpsetError> {
        let mut ipset = Self { socket: Socket::open(Bus::Netfilter)? };
        match ipset.ask(wire::ASK_PROTOCOL, |_| ())?.into_iter().next() {
            None => Ok(ipset),
            Some(refusal) => Err(words::unanswered(NetlinkError::Refused(refusal))),
        }
    }

    /// Makes an empty set: `ipset create`.
    ///
    /// # Errors
    /// [`IpsetError::Exists`] where there is one of that name, whatever it is;
    /// [`IpsetError`].
    pub fn create(&mut self, set: &SetDefinition) -> Result<(), IpsetError> {
        if let Some(reason) = unfit_name(&set.name) {
            return Err(IpsetError::Unfit { object: format!("the set '{}'", set.name), reason });
        }
        match self.ask(wire::CREATE, |out| put_definition(out, set))?.first() {
            None => Ok(()),
            Some(refusal) => Err(words::not_created(set, refusal)),
        }
    }

    /// Adds members, none of which may be there already: `ipset add`, many at once.
    ///
    /// # Errors
    /// [`IpsetError::Unfit`] before anything was sent; [`IpsetError::Refused`] names the
    /// first member that the kernel refused: those before it are in the set.
    pub fn add(&mut self, set: &SetDefinition, members: &[Member]) -> Result<(), IpsetError> {
        for member in members {
            if let Some(reason) = member.unfit(set) {
                let object = format!("the member {member} of the set {}", set.name);
                return Err(IpsetError::Unfit { object, reason });
            }
        }
        let mut rest = members;
        while !rest.is_empty() {
            let mut count = 0;
            let refusals = self.ask(wire::ADD, |out| count = put_members(out, set, rest))?;
            if let Some(refusal) = refusals.first() {
                let of_the_set = format!("members of the set {}", set.name);
                let object = words::line(refusal)
                    .and_then(|line| rest.get((line as usize).checked_sub(1)?))
                    .map_or(of_the_set, |member| format!("{member} in the set {}", set.name));
                return Err(words::about(&set.name, object, refusal));
            }
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    /// Removes a set with its members: `ipset destroy NAME`.
    ///
    /// # Errors
    /// [`IpsetError::InUse`] while a rule refers to it, [`IpsetError::Missing`];
    /// [`IpsetError`].
    pub fn destroy(&mut self, name: &str) -> Result<(), IpsetError> {
        match self.ask(wire::DESTROY, |out| put_text(out, wire::NAME, name))?.first() {
            None => Ok(()),
            Some(refusal) => {
                Err(words::about(name, format!("the removal of the set {name}"), refusal))
            }
        }
    }

    /// The sets whose names begin with `prefix`, with their members: `ipset save`.
    ///
    /// # Errors
    /// [`NetlinkError::Interrupted`] where a set never keeps still; [`IpsetError`].
    pub fn list(&mut self, prefix: &str) -> Result<Vec<SetFound>, IpsetError> {
        let mut sets = Vec::new();
        for header in self.headers(prefix)? {
            sets.extend(self.read(&header.name)?);
        }
        Ok(sets)
    }

    /// [`Ipset::list`] without the members, which nobody then has to read.
    ///
    /// # Errors
    /// [`IpsetError`].
    pub fn headers(&mut self, prefix: &str) -> Result<Vec<SetFound>, IpsetError> {
        let mut headers = self.listing(None).map_err(words::unanswered)?;
        headers.retain(|set| set.name.starts_with(prefix));
        headers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(headers)
    }

    /// One set; `None` where it has gone.
    fn read(&mut self, name: &str) -> Result<Option<SetFound>, IpsetError> {
        for _ in 0..READINGS {
            match self.listing(Some(name)) {
                Ok(mut sets) => match sets.pop() {
                    Some(set) if !set.is_whole() => {}
                    set => return Ok(set),
                },
                Err(NetlinkError::Interrupted) => {}
                Err(error) if error.errno() == Some(Errno::NOENT) => return Ok(None),
                Err(error) => return Err(words::unanswered(error)),
            }
        }
        Err(NetlinkError::Interrupted.into())
    }

    /// The set `name` with its members, or every set without.
    fn listing(&mut self, name: Option<&str>) -> Result<Vec<SetFound>, NetlinkError> {
        let (mut request, sequence) = (Vec::new(), self.socket.next_sequence());
        put_message(&mut request, wire::LIST, DUMP, sequence, |out| {
            put_header(out);
            match name {
                Some(name) => put_text(out, wire::NAME, name),
                None => put_network(out, wire::FLAGS, &wire::HEADERS_ONLY.to_be_bytes()),
            }
        });
        let mut sets: Vec<SetFound> = Vec::new();
        self.socket.dump(&request, |message| {
            if message.kind == wire::LIST {
                sets.extend(SetFound::read(message.payload));
                if let Some(set) = sets.last_mut() {
                    set.take(message.payload);
                }
            }
            Ok(())
        })?;
        Ok(sets)
    }

    /// Sends one request. `EXCL` makes it an error to make what is there (`flag_exist`,
    /// `ip_set_core.c`).
    fn ask(
        &mut self,
        kind: u16,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Vec<Refusal>, IpsetError> {
        let (mut request, sequence) = (Vec::new(), self.socket.next_sequence());
        put_message(&mut request, kind, EXCL, sequence, |out| {
            put_header(out);
            body(out);
        });
        Ok(self.socket.transact(&request, |_| Ok(()))?)
    }
}

/// Why there can be no set of that name. An empty one would mean all sets.
fn unfit_name(name: &str) -> Option<&'static str> {
    match name.len() {
        0 => Some("a set needs a name"),
        wire::NAME_LENGTH.. => Some("its name is longer than 31 bytes"),
        _ => name.contains('\0').then_some("its name contains a NUL"),
    }
}

/// The header of every message. Its family says nothing: a set has one of its own.
fn put_header(out: &mut Vec<u8>) {
    out.extend_from_slice(&[2, 0, 0, 0]);
    put(out, wire::PROTOCOL, &[wire::PROTOCOL_VERSION]);
}

fn put_definition(out: &mut Vec<u8>, set: &SetDefinition) {
    put_text(out, wire::NAME, &set.name);
    put_text(out, wire::TYPE_NAME, set.kind.type_name());
    put(out, wire::REVISION, &[set.kind.revision()]);
    let family = match set.family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    };
    put(out, wire::FAMILY, &[family]);
    let extensions = set.extensions;
    let flags = [
        (extensions.counters, attribute::WITH_COUNTERS),
        (extensions.comment, attribute::WITH_COMMENT),
        (extensions.skbinfo, attribute::WITH_SKBINFO),
    ];
    let flags = flags.iter().filter(|(wanted, _)| *wanted).fold(0, |all, (_, flag)| all | flag);
    put_nested(out, wire::DATA, |out| {
        put_network(out, attribute::HASH_SIZE, &set.buckets().to_be_bytes());
        put_network(out, attribute::CAPACITY, &set.capacity.max(1).to_be_bytes());
        put_network(out, attribute::FLAGS, &flags.to_be_bytes());
    });
}

/// Writes as many of `members` as fit into one message, counted from line 1; says how many.
fn put_members(out: &mut Vec<u8>, set: &SetDefinition, members: &[Member]) -> usize {
    put_text(out, wire::NAME, &set.name);
    // The kernel writes the line of what it refuses here, and wants the place for it.
    put(out, wire::LINE, &0_u32.to_ne_bytes());
    let mut count = 0;
    put_nested(out, wire::MEMBERS, |out| {
        let start = out.len();
        for (line, member) in (1_u32..).zip(members) {
            if out.len() - start > MESSAGE {
                break;
            }
            member.put(out, set.kind.has_prefix(), line);
            count += 1;
        }
    });
    count
}
