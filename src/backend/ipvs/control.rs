//! What IPVS has beside services: its timeouts and its synchronisation daemons.

use netlink_packet_core::NlasIterator;
use rustix::io::Errno;

use super::Connection;
use super::attribute::{Attribute, daemon, top};
use super::convert::{malformed, nested};
use super::message::{Command, IpvsMessage, put};
use super::words;
use crate::backend::{IpvsError, MachineError};
use crate::model::{SyncChannel, SyncRole, Timeout};
use crate::netlink::{ACK, DUMP, NetlinkError, Refusal};
use crate::plan::SettingChange;

/// IPVS's own settings, in the network namespace of the thread that opened it.
pub(in crate::backend) struct Control(Connection);

impl Control {
    /// Opens a socket; this loads IPVS where it is a module.
    pub(in crate::backend) fn open() -> Result<Self, IpvsError> {
        Ok(Self(Connection::open()?))
    }

    /// A timeout in seconds; `None` where this kernel has no such protocol.
    pub(in crate::backend) fn timeout(&mut self, of: Timeout) -> Result<Option<u32>, IpvsError> {
        let mut found = None;
        let refusals = self.ask(Command::GetConfig, Vec::new(), 0, |payload| {
            let attributes = payload.get(4..).unwrap_or_default();
            for attribute in NlasIterator::new(attributes) {
                let attribute = attribute.map_err(|error| malformed(&error))?;
                if attribute.kind() == timeout_number(of) {
                    found = word(attribute.value());
                }
            }
            Ok(())
        })?;
        match refusals.first() {
            None => Ok(found),
            Some(refusal) => Err(words::unanswered(refusal.errno, "read the timeouts")),
        }
    }

    /// Sets a timeout, in seconds; the others stay (`ip_vs_genl_set_config` takes 0 for
    /// "as it is").
    pub(in crate::backend) fn set_timeout(
        &mut self,
        of: Timeout,
        seconds: u32,
        change: &SettingChange,
    ) -> Result<(), MachineError> {
        let attributes = vec![Attribute::word(timeout_number(of), seconds)];
        let refusals = self.ask(Command::SetConfig, attributes, ACK, |_| Ok(()))?;
        done(change, refusals.first(), |errno| match errno {
            Errno::INVAL => Some(("the kernel does not take so long a time".to_owned(), None)),
            _ => None,
        })
    }

    /// How the daemon of a role speaks; `None` where it does not run.
    pub(in crate::backend) fn daemon(
        &mut self,
        role: SyncRole,
    ) -> Result<Option<SyncChannel>, IpvsError> {
        let mut found = None;
        let sequence = self.0.socket.next_sequence();
        let mut request = Vec::new();
        let question = IpvsMessage { command: Command::GetDaemon, attributes: Vec::new() };
        put(&mut request, self.0.family, DUMP, sequence, question);
        let answer = self.0.socket.dump(&request, |message| {
            let (of, channel) = read_daemon(message.payload)?;
            if of == role_number(role) {
                found = Some(channel);
            }
            Ok(())
        });
        answer.map_err(words::failed)?;
        Ok(found)
    }

    /// Starts a daemon.
    pub(in crate::backend) fn start_daemon(
        &mut self,
        role: SyncRole,
        channel: &SyncChannel,
        change: &SettingChange,
    ) -> Result<(), MachineError> {
        let attributes = vec![whole_daemon(role, channel)];
        let refusals = self.ask(Command::NewDaemon, attributes, ACK, |_| Ok(()))?;
        let interface = &channel.interface;
        done(change, refusals.first(), |errno| match errno {
            Errno::NODEV | Errno::NETUNREACH | Errno::NETDOWN => Some((
                format!("there is no device {interface}, or it is down"),
                Some(format!("ip link set {interface} up")),
            )),
            Errno::EXIST => Some((
                "somebody has started one meanwhile".to_owned(),
                Some(format!("ipvsadm --stop-daemon {}", role.as_str())),
            )),
            Errno::INVAL => Some((
                "a service has real servers of the other address family, which cannot be \
                 synchronised, or the group is no multicast address"
                    .to_owned(),
                None,
            )),
            _ => None,
        })
    }

    /// Stops a daemon; that none runs is no error.
    pub(in crate::backend) fn stop_daemon(
        &mut self,
        role: SyncRole,
        change: &SettingChange,
    ) -> Result<(), MachineError> {
        let state = Attribute::word(daemon::STATE, role_number(role));
        let attributes = vec![Attribute::nested(top::DAEMON, vec![state])];
        let refusals = self.ask(Command::DeleteDaemon, attributes, ACK, |_| Ok(()))?;
        // ESRCH: it does not run (`stop_sync_thread`, `ip_vs_sync.c`).
        let refusal = refusals.first().filter(|refusal| refusal.errno != Errno::SRCH);
        done(change, refusal, |_| None)
    }

    fn ask(
        &mut self,
        command: Command,
        attributes: Vec<Attribute>,
        flags: u16,
        mut each: impl FnMut(&[u8]) -> Result<(), NetlinkError>,
    ) -> Result<Vec<Refusal>, IpvsError> {
        let sequence = self.0.socket.next_sequence();
        let mut request = Vec::new();
        put(&mut request, self.0.family, flags, sequence, IpvsMessage { command, attributes });
        Ok(self.0.socket.transact(&request, |message| each(message.payload))?)
    }
}

/// What a refusal means; `known` has the words for some numbers.
fn done(
    change: &SettingChange,
    refusal: Option<&Refusal>,
    known: impl Fn(Errno) -> Option<(String, Option<String>)>,
) -> Result<(), MachineError> {
    let Some(refusal) = refusal else { return Ok(()) };
    if refusal.errno == Errno::PERM {
        return Err(IpvsError::Privilege.into());
    }
    let (reason, remedy) = known(refusal.errno)
        .unwrap_or_else(|| (std::io::Error::from(refusal.errno).to_string(), None));
    Err(MachineError::Refused { change: change.to_string(), reason, remedy })
}

fn timeout_number(timeout: Timeout) -> u16 {
    match timeout {
        Timeout::Tcp => top::TIMEOUT_TCP,
        Timeout::TcpFin => top::TIMEOUT_TCP_FIN,
        Timeout::Udp => top::TIMEOUT_UDP,
    }
}

/// `IP_VS_STATE_MASTER` and `IP_VS_STATE_BACKUP`, `linux/ip_vs.h`.
fn role_number(role: SyncRole) -> u32 {
    match role {
        SyncRole::Master => 1,
        SyncRole::Backup => 2,
    }
}

fn whole_daemon(role: SyncRole, channel: &SyncChannel) -> Attribute {
    let mut attributes = vec![
        Attribute::word(daemon::STATE, role_number(role)),
        Attribute::text(daemon::INTERFACE, channel.interface.as_str()),
        Attribute::word(daemon::ID, channel.id.into()),
    ];
    attributes.extend(channel.maxlen.map(|bytes| Attribute::short(daemon::MAXLEN, bytes)));
    attributes.extend(channel.group.map(|group| match group {
        std::net::IpAddr::V4(v4) => Attribute::network_word(daemon::GROUP, v4.to_bits()),
        std::net::IpAddr::V6(_) => Attribute::address(daemon::GROUP6, group),
    }));
    attributes.extend(channel.port.map(|port| Attribute::short(daemon::PORT, port)));
    attributes.extend(channel.ttl.map(|ttl| Attribute::byte(daemon::TTL, ttl)));
    Attribute::nested(top::DAEMON, attributes)
}

fn read_daemon(payload: &[u8]) -> Result<(u32, SyncChannel), NetlinkError> {
    let missing = |what: &str| NetlinkError::Malformed(format!("{what} of a daemon is missing"));
    let (mut role, mut interface, mut id) = (None, None, None);
    let (mut group, mut port, mut ttl, mut maxlen) = (None, None, None, None);
    for attribute in NlasIterator::new(nested(payload, top::DAEMON)?) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        let value = attribute.value();
        match attribute.kind() {
            daemon::STATE => role = word(value),
            daemon::INTERFACE => {
                let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
                interface = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
            }
            daemon::ID => id = word(value).and_then(|id| u8::try_from(id).ok()),
            daemon::MAXLEN => maxlen = short(value),
            daemon::GROUP => {
                group = value.first_chunk::<4>().map(|&bytes| std::net::IpAddr::from(bytes));
            }
            daemon::GROUP6 => {
                group = value.first_chunk::<16>().map(|&bytes| std::net::IpAddr::from(bytes));
            }
            daemon::PORT => port = short(value),
            daemon::TTL => ttl = value.first().copied(),
            _ => {}
        }
    }
    let channel = SyncChannel {
        interface: interface.ok_or_else(|| missing("the device"))?,
        id: id.ok_or_else(|| missing("the number"))?,
        group,
        port,
        ttl,
        maxlen,
    };
    Ok((role.ok_or_else(|| missing("the role"))?, channel))
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

fn short(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Emitable;

    use super::*;

    #[test]
    fn a_daemon_reads_back_as_it_was_written() {
        for text in [
            "interface eth1 id 7",
            "interface eth1 id 255 group 224.0.0.81 port 8848 ttl 1 maxlen 1472",
            "interface eth1.5 id 0 group ff05::8 port 9000",
        ] {
            let channel: SyncChannel = text.parse().expect(text);
            let written = whole_daemon(SyncRole::Backup, &channel);
            let mut payload = vec![0; 4 + written.buffer_len()];
            written.emit(&mut payload[4..]);
            assert_eq!(read_daemon(&payload).expect(text), (2, channel));
        }
    }

    #[test]
    fn a_daemon_without_a_device_is_an_error() {
        let attributes = vec![Attribute::word(daemon::STATE, 1)];
        let written = Attribute::nested(top::DAEMON, attributes);
        let mut payload = vec![0; 4 + written.buffer_len()];
        written.emit(&mut payload[4..]);
        let error = read_daemon(&payload).expect_err("no device").to_string();
        assert!(error.contains("the device of a daemon is missing"), "{error}");
    }
}
