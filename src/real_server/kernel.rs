//! The kernel by rtnetlink: links, addresses and routes are read, settings made and undone.

use rustix::io::Errno;

use super::error::Fault;
use super::record::Deed;
use super::setting::{Device, Setting};
use super::situation::{Link, OnLink, Route, Situation};
use super::sysctl::Sysctl;
use super::wire;
use crate::netlink::{ACK, Bus, CREATE, DUMP, EXCL, Message, NetlinkError, Socket, put_message};

/// How often a dump is read anew because something changed meanwhile.
const READINGS: usize = 16;

/// A socket in the network namespace of the thread that opened it.
pub(super) struct Kernel {
    socket: Socket,
}

/// What became of a setting that was to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// It was made.
    Now,
    /// Somebody was faster, or the kernel did it itself: it is not ours.
    Before,
}

/// What became of a setting that was to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undone {
    /// What was there before is back.
    Now,
    /// It was undone already.
    Before,
    /// It is not ours any more, and why.
    Left(String),
}

impl Kernel {
    pub(super) fn open() -> Result<Self, Fault> {
        Ok(Self { socket: Socket::open(Bus::Route)? })
    }

    pub(super) fn links(&mut self) -> Result<Vec<Link>, Fault> {
        self.dump(wire::GET_LINK, wire::NEW_LINK, 0, wire::read_link)
    }

    pub(super) fn addresses(&mut self) -> Result<Vec<OnLink>, Fault> {
        self.dump(wire::GET_ADDRESS, wire::NEW_ADDRESS, 0, wire::read_address)
    }

    /// The routes that matter here, of both families.
    pub(super) fn routes(&mut self) -> Result<Vec<Route>, Fault> {
        let mut routes = Vec::new();
        for family in [2, 10] {
            // Where a family is missing the kernel answers with all others.
            let of_family = |payload: &[u8]| {
                (payload.first() == Some(&family)).then(|| wire::read_route(payload)).flatten()
            };
            routes.extend(self.dump(wire::GET_ROUTE, wire::NEW_ROUTE, family, of_family)?);
        }
        Ok(routes)
    }

    fn dump<T>(
        &mut self,
        question: u16,
        answer: u16,
        family: u8,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Fault> {
        for _ in 0..READINGS {
            let (mut request, sequence) = (Vec::new(), self.socket.next_sequence());
            let header = wire::everything(question, family);
            put_message(&mut request, question, DUMP, sequence, |out| out.extend(header));
            let mut found = Vec::new();
            let each = |message: Message<'_>| {
                found.extend((message.kind == answer).then(|| read(message.payload)).flatten());
                Ok(())
            };
            match self.socket.dump(&request, each) {
                Ok(()) => return Ok(found),
                Err(NetlinkError::Interrupted) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NetlinkError::Interrupted.into())
    }

    /// Asks for one change; `Err` with the kernel's number where it refused.
    fn change(&mut self, kind: u16, flags: u16, payload: Vec<u8>) -> Result<(), Fault> {
        let (mut request, sequence) = (Vec::new(), self.socket.next_sequence());
        put_message(&mut request, kind, flags | ACK, sequence, |out| out.extend(payload));
        let refusals = self.socket.transact(&request, |_| Ok(()))?;
        match refusals.into_iter().find(|refusal| refusal.sequence == sequence) {
            Some(refusal) => Err(NetlinkError::Refused(refusal).into()),
            None => Ok(()),
        }
    }

    fn index(&mut self, device: Device) -> Result<u32, Fault> {
        let links = self.links()?;
        let link = links.into_iter().find(|link| link.name == device.name());
        link.map(|link| link.index).ok_or(Fault::NoDevice(device))
    }

    /// Makes a setting.
    pub(super) fn make(&mut self, setting: &Setting) -> Result<Made, Fault> {
        let new = CREATE | EXCL;
        let made = match *setting {
            Setting::Device { device } => {
                let kind = device.kind().ok_or(Fault::NoDevice(device))?;
                // Loading the module makes the device, and then it is there already.
                self.change(wire::NEW_LINK, new, wire::new_device(device, kind))
            }
            Setting::Sysctl(sysctl) => {
                sysctl.write(sysctl.key.wanted()).map_err(Fault::File)?;
                Ok(())
            }
            Setting::Up { device } => {
                let index = self.index(device)?;
                self.change(wire::NEW_LINK, 0, wire::link_up(index, true))
            }
            Setting::Address { address, device } => {
                let index = self.index(device)?;
                self.change(wire::NEW_ADDRESS, new, wire::address(index, address))
            }
            Setting::Route { prefix } => {
                let index = self.index(Device::Lo)?;
                self.change(wire::NEW_ROUTE, new, wire::local_route(prefix, index, false))
            }
        };
        match made {
            Ok(()) => Ok(Made::Now),
            Err(fault) if fault.errno() == Some(Errno::EXIST) => Ok(Made::Before),
            Err(fault) => Err(fault),
        }
    }

    /// Undoes what was done, unless somebody has made it theirs since.
    pub(super) fn undo(&mut self, deed: &Deed) -> Result<Undone, Fault> {
        let undone = match deed.setting {
            Setting::Sysctl(sysctl) => return undo_sysctl(sysctl, deed.previous),
            Setting::Device { device } | Setting::Up { device } => {
                let now = Situation::of(self)?;
                let Some(link) = now.link(device) else { return Ok(Undone::Before) };
                if let Some(other) = now.others_on(device).next() {
                    return Ok(Undone::Left(format!("{other} is on it")));
                }
                if matches!(deed.setting, Setting::Device { .. }) {
                    self.change(wire::DELETE_LINK, 0, wire::link(link.index))
                } else if link.is_up {
                    self.change(wire::NEW_LINK, 0, wire::link_up(link.index, false))
                } else {
                    return Ok(Undone::Before);
                }
            }
            Setting::Address { address, device } => match self.index(device) {
                Ok(index) => self.change(wire::DELETE_ADDRESS, 0, wire::address(index, address)),
                Err(Fault::NoDevice(_)) => return Ok(Undone::Before),
                Err(fault) => Err(fault),
            },
            Setting::Route { prefix } => {
                let index = self.index(Device::Lo)?;
                self.change(wire::DELETE_ROUTE, 0, wire::local_route(prefix, index, true))
            }
        };
        let gone = [Errno::NODEV, Errno::ADDRNOTAVAIL, Errno::SRCH];
        match undone {
            Ok(()) => Ok(Undone::Now),
            Err(fault) if fault.errno().is_some_and(|errno| gone.contains(&errno)) => {
                Ok(Undone::Before)
            }
            Err(fault) => Err(fault),
        }
    }
}

/// The value from before comes back only in the place of ours.
fn undo_sysctl(sysctl: Sysctl, previous: Option<u32>) -> Result<Undone, Fault> {
    match (sysctl.read().map_err(Fault::File)?, previous) {
        (Some(value), Some(previous)) if value == sysctl.key.wanted() => {
            sysctl.write(previous).map_err(Fault::File)?;
            Ok(Undone::Now)
        }
        (Some(value), Some(previous)) if value != previous => {
            Ok(Undone::Left(format!("somebody has set it to {value} since")))
        }
        _ => Ok(Undone::Before),
    }
}
