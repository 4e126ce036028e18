//! IPVS by generic netlink.
//!
//! IPVS has no transactions and no events, and a dump of all services misses some while
//! somebody else edits. So services are asked for one by one, which is atomic, and many
//! such questions travel in one send.

mod attribute;
mod connections;
mod control;
mod convert;
mod message;
mod statistics;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_core::ParseableParametrized;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader};
use rustix::io::Errno;

pub use self::connections::{CONNECTIONS, ConnectionEntry, Endpoint};
pub(super) use self::control::Control;
use self::convert::DestinationReading;
use self::message::{Command, IpvsMessage, put};
use super::{ActivityTable, DestinationStatistics, Ipvs, IpvsError, StatisticsTable};
use crate::netlink::{ACK, Bus, DUMP, NetlinkError, Socket};
use crate::plan::ServiceChange;
use crate::state::{ServiceKey, ServiceTable};

/// `GENL_ID_CTRL`, `linux/genetlink.h`.
const CONTROLLER: u16 = 0x10;

/// Changes travel in sends of about this many bytes, which fits the default send buffer.
const SEND: usize = 96 * 1024;

/// So many services are asked for in one send: each answer costs a page of the receive
/// buffer, whose default is 208 KiB.
const QUESTIONS: usize = 40;

/// A dump of destinations occupies its socket; so many sockets keep the kernel busy.
const SOCKETS: usize = 8;

/// From so many destinations on (about 350 bytes each), a dump may come in several pieces
/// (the first of a fresh socket is one page), between which it can change; it is then
/// read until two readings agree.
const PIECES: usize = 10;

/// What a receive takes at once: two pages without the 320 bytes of `struct
/// skb_shared_info`. The kernel clears that much for each piece of a dump; with the
/// usual 32 KiB this costs more than the answer.
const WINDOW: usize = 8192 - 320;

/// What a receive takes where that was too small.
const WIDE: usize = 64 * 1024;

/// The kernel's IPVS, in the network namespace of the calling thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelIpvs;

impl KernelIpvs {
    /// The IPVS of this network namespace. Nothing is opened yet.
    pub const fn new() -> Self {
        Self
    }

    /// What the kernel counted of the services of `keys` and their destinations; those
    /// that do not exist are left out.
    ///
    /// # Errors
    /// [`IpvsError`].
    pub fn statistics(&self, keys: &BTreeSet<ServiceKey>) -> Result<StatisticsTable, IpvsError> {
        let mut table = StatisticsTable::new();
        if keys.is_empty() {
            return Ok(table);
        }
        let mut connection = Connection::open()?;
        connection.ask_services(Command::GetService, keys, |payload| {
            let (key, service) = convert::read_service_statistics(payload)?;
            table.entry(key).or_default().service = service;
            Ok(())
        })?;
        let present: Vec<_> = table.keys().copied().collect();
        connection.destinations(&present, |key, readings| {
            let destinations = readings.iter().map(|reading| {
                let DestinationReading { destination, activity, statistics } = *reading;
                let weight = destination.weight;
                (destination.key, DestinationStatistics { weight, activity, statistics })
            });
            if let Some(service) = table.get_mut(&key) {
                service.destinations = destinations.collect();
            }
        })?;
        Ok(table)
    }

    /// Sets what the kernel counted of the services of `keys` and of their destinations to
    /// zero (`ip_vs_zero_service`, `net/netfilter/ipvs/ip_vs_ctl.c`); those that do not
    /// exist are left out.
    ///
    /// # Errors
    /// [`IpvsError`]; others of `keys` may be zero already.
    pub fn zero(&self, keys: &BTreeSet<ServiceKey>) -> Result<(), IpvsError> {
        if keys.is_empty() {
            return Ok(());
        }
        // Each request names a service: without one the kernel would take all.
        Connection::open()?.ask_services(Command::Zero, keys, |_| Ok(()))
    }

    /// Gives every entry of the kernel's table of connections to `each`, one after another.
    /// As the table changes while it is read, an entry may come twice or be missed.
    ///
    /// # Errors
    /// [`IpvsError::Unsupported`] without IPVS; [`IpvsError::Connections`] for a table
    /// that cannot be read, or that has a line which makes no sense.
    pub fn connections(&self, each: impl FnMut(ConnectionEntry)) -> Result<(), IpvsError> {
        // Asking for the family loads the module.
        let load = || Connection::open().map(|_| ());
        connections::read(load, each)
    }
}

impl Ipvs for KernelIpvs {
    fn observe(&self, keys: &BTreeSet<ServiceKey>) -> Result<ServiceTable, IpvsError> {
        if keys.is_empty() {
            return Ok(ServiceTable::new());
        }
        let mut connection = Connection::open()?;
        let mut services = connection.services(keys)?;
        let present: Vec<_> = services.keys().copied().collect();
        connection.destinations(&present, |key, readings| {
            if let Some(service) = services.get_mut(&key) {
                service.destinations = readings.iter().map(|reading| reading.destination).collect();
            }
        })?;
        Ok(services)
    }

    fn activity(&self, keys: &BTreeSet<ServiceKey>) -> Result<ActivityTable, IpvsError> {
        let keys: Vec<_> = keys.iter().copied().collect();
        let mut table = ActivityTable::new();
        if keys.is_empty() {
            return Ok(table);
        }
        Connection::open()?.destinations(&keys, |key, readings| {
            for DestinationReading { destination, activity, .. } in readings {
                table.insert((key, destination.key), *activity);
            }
        })?;
        Ok(table)
    }

    fn apply(&self, changes: &[ServiceChange]) -> Result<(), IpvsError> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut connection = Connection::open()?;
        let mut batch = Vec::with_capacity(SEND + 512);
        let mut sent = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            let sequence = connection.socket.next_sequence();
            sent.insert(sequence, at);
            let last = at + 1 == changes.len();
            // Errors always come; one acknowledgement tells that the batch was read.
            let flags = if last { ACK } else { 0 };
            put(&mut batch, connection.family, flags, sequence, convert::request(change));
            if last || batch.len() >= SEND {
                connection.send_changes(&batch, changes, &sent, at + 1)?;
                batch.clear();
                sent.clear();
            }
        }
        Ok(())
    }
}

struct Connection {
    socket: Socket,
    family: u16,
}

impl Connection {
    fn open() -> Result<Self, IpvsError> {
        let mut socket = Socket::open(Bus::Generic)?;
        let family = resolve(&mut socket)?;
        Ok(Self { socket, family })
    }

    /// Sends those of `changes` whose sequence numbers are in `sent`; the ones from
    /// `next` on have not been sent yet.
    fn send_changes(
        &mut self,
        batch: &[u8],
        changes: &[ServiceChange],
        sent: &BTreeMap<u32, usize>,
        next: usize,
    ) -> Result<(), IpvsError> {
        tracing::debug!(sent = batch.len(), "to IPVS");
        let mut refusals = self.socket.transact(batch, |_| Ok(()))?;
        // Somebody removed before us what we remove: it is gone.
        refusals.retain(|refusal| {
            let change = sent.get(&refusal.sequence).and_then(|&at| changes.get(at));
            !change.is_some_and(|change| is_gone(change, refusal.errno))
        });
        let mut undone = Vec::new();
        for refusal in &refusals {
            let at = sent.get(&refusal.sequence).copied();
            tracing::debug!(%refusal, ?at, "refused");
            undone.extend(at);
        }
        let Some(refusal) = refusals.first() else { return Ok(()) };
        let change = undone.first().and_then(|&at| changes.get(at));
        undone.extend(next..changes.len());
        Err(words::refused(refusal.errno, change, undone))
    }

    /// The services of `keys` that exist, without their destinations.
    fn services(&mut self, keys: &BTreeSet<ServiceKey>) -> Result<ServiceTable, IpvsError> {
        let mut services = ServiceTable::new();
        self.ask_services(Command::GetService, keys, |payload| {
            let (key, service) = convert::read_service(payload)?;
            services.insert(key, service);
            Ok(())
        })?;
        Ok(services)
    }

    /// Sends a command for each service of `keys`, and gives the answers to `each`.
    /// Services that do not exist have none.
    fn ask_services(
        &mut self,
        command: Command,
        keys: &BTreeSet<ServiceKey>,
        mut each: impl FnMut(&[u8]) -> Result<(), NetlinkError>,
    ) -> Result<(), IpvsError> {
        let keys: Vec<_> = keys.iter().copied().collect();
        for questions in keys.chunks(QUESTIONS) {
            let mut batch = Vec::new();
            for &key in questions {
                let sequence = self.socket.next_sequence();
                put(&mut batch, self.family, 0, sequence, convert::query(command, key));
            }
            let refusals = self.socket.transact(&batch, |message| each(message.payload))?;
            // ESRCH: there is no such service.
            if let Some(refusal) = refusals.iter().find(|refusal| refusal.errno != Errno::SRCH) {
                let what = match command {
                    Command::Zero => "set the counters of a service to zero",
                    _ => words::LIST,
                };
                return Err(words::unanswered(refusal.errno, what));
            }
        }
        Ok(())
    }

    /// The destinations of each service of `keys`, sorted, to `each`.
    fn destinations(
        &mut self,
        keys: &[ServiceKey],
        mut each: impl FnMut(ServiceKey, &[DestinationReading]),
    ) -> Result<(), IpvsError> {
        let mut sockets = Vec::new();
        for _ in 0..SOCKETS.min(keys.len()) {
            sockets.push(Socket::with_buffer(Bus::Generic, WINDOW)?);
        }
        for batch in keys.chunks(SOCKETS) {
            let mut asked = Vec::with_capacity(SOCKETS);
            for (socket, &key) in sockets.iter_mut().zip(batch) {
                asked.push(self.ask_destinations(socket, key)?);
            }
            for ((socket, &key), sequence) in sockets.iter_mut().zip(batch).zip(asked) {
                let mut readings = read_destinations(socket, sequence, key)?;
                if readings.as_ref().is_none_or(|readings| readings.len() >= PIECES) {
                    readings = Some(self.agreeing_destinations(socket, key, readings)?);
                }
                each(key, &readings.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn ask_destinations(&self, socket: &mut Socket, key: ServiceKey) -> Result<u32, IpvsError> {
        let sequence = socket.next_sequence();
        let mut request = Vec::new();
        let query = convert::query(Command::GetDestination, key);
        put(&mut request, self.family, DUMP, sequence, query);
        socket.send(&request)?;
        Ok(sequence)
    }

    /// Reads until two readings in a row agree on the destinations.
    fn agreeing_destinations(
        &self,
        socket: &mut Socket,
        key: ServiceKey,
        mut last: Option<Vec<DestinationReading>>,
    ) -> Result<Vec<DestinationReading>, IpvsError> {
        let state = |readings: &[DestinationReading]| -> Vec<_> {
            readings.iter().map(|reading| reading.destination).collect()
        };
        for _ in 0..20 {
            let sequence = self.ask_destinations(socket, key)?;
            let next = read_destinations(socket, sequence, key)?;
            if let (Some(last), Some(next)) = (&last, &next)
                && state(last) == state(next)
            {
                return Ok(next.clone());
            }
            last = next;
        }
        Err(IpvsError::Unstable)
    }
}

/// Whether a refusal says that what is to be removed does not exist (`ip_vs_genl_set_cmd`
/// and `ip_vs_del_dest` in `net/netfilter/ipvs/ip_vs_ctl.c`).
fn is_gone(change: &ServiceChange, errno: Errno) -> bool {
    match change {
        ServiceChange::RemoveService(..) => errno == Errno::SRCH,
        ServiceChange::RemoveDestination(..) => errno == Errno::SRCH || errno == Errno::NOENT,
        _ => false,
    }
}

/// Reads one dump of destinations, sorted; `None` when it is inconsistent in itself.
fn read_destinations(
    socket: &mut Socket,
    sequence: u32,
    key: ServiceKey,
) -> Result<Option<Vec<DestinationReading>>, IpvsError> {
    let mut readings = Vec::new();
    let answer = socket.dump_replies(sequence, &mut |message| {
        readings.push(convert::read_destination(message.payload, key.family())?);
        Ok(())
    });
    match answer {
        Ok(()) => {}
        Err(NetlinkError::Interrupted) => return Ok(None),
        Err(NetlinkError::Truncated(_)) => {
            *socket = Socket::with_buffer(Bus::Generic, WIDE)?;
            return Ok(None);
        }
        Err(error) => return Err(words::failed(error)),
    }
    let identity = |reading: &DestinationReading| reading.destination.key;
    readings.sort_unstable_by_key(identity);
    let twice = readings.windows(2).any(|pair| identity(&pair[0]) == identity(&pair[1]));
    Ok((!twice).then_some(readings))
}

/// The number that the kernel gave the family IPVS. Asking for it loads the module
/// (`request_module("net-pf-16-proto-16-family-IPVS")`, `net/netlink/genetlink.c`).
fn resolve(socket: &mut Socket) -> Result<u16, IpvsError> {
    let sequence = socket.next_sequence();
    let mut request = Vec::new();
    let question = GenlCtrl {
        cmd: GenlCtrlCmd::GetFamily,
        nlas: vec![GenlCtrlAttrs::FamilyName(IpvsMessage::family_name().to_owned())],
    };
    put(&mut request, CONTROLLER, 0, sequence, question);
    let mut family = None;
    let refusals = socket.transact(&request, |message| {
        let malformed =
            |error: netlink_packet_core::DecodeError| NetlinkError::Malformed(error.to_string());
        let (&[cmd, version, ..], Some(attributes)) = (message.payload, message.payload.get(4..))
        else {
            return Err(NetlinkError::Malformed("the generic header is missing".to_owned()));
        };
        let answer = GenlCtrl::parse_with_param(attributes, GenlHeader { cmd, version })
            .map_err(malformed)?;
        family = answer.nlas.iter().find_map(|attribute| match attribute {
            GenlCtrlAttrs::FamilyId(id) => Some(*id),
            _ => None,
        });
        Ok(())
    })?;
    match refusals.first() {
        Some(refusal) if refusal.errno == Errno::NOENT => Err(IpvsError::Unsupported),
        Some(refusal) => Err(words::unanswered(refusal.errno, words::LIST)),
        None => family.ok_or(IpvsError::Unsupported),
    }
}
