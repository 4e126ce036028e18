//! The kernel by rtnetlink: links, addresses and routes are read, settings made and undone.

use rustix::io::Errno;

use super::error::Fault;
use super::record::Deed;
use super::setting::{Device, Setting};
use super::situation::{Route, Situation};
use super::sysctl::Sysctl;
use super::wire;
use crate::model::Prefix;
use crate::netlink::route::{self, LOCAL_TABLE, Link, OnLink, Routing};
use crate::netlink::{CREATE, EXCL};

/// A socket in the network namespace of the thread that opened it.
pub(super) struct Kernel {
    routing: Routing,
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
        Ok(Self { routing: Routing::open()? })
    }

    pub(super) fn links(&mut self) -> Result<Vec<Link>, Fault> {
        Ok(self.routing.dump(route::GET_LINK, 0, route::read_link)?)
    }

    pub(super) fn addresses(&mut self) -> Result<Vec<OnLink>, Fault> {
        Ok(self.routing.dump(route::GET_ADDRESS, 0, route::read_address)?)
    }

    /// The routes that matter here, of both families.
    pub(super) fn routes(&mut self) -> Result<Vec<Route>, Fault> {
        let mut routes = Vec::new();
        for family in [2, 10] {
            routes.extend(self.routing.dump(route::GET_ROUTE, family, wire::read_route)?);
        }
        Ok(routes)
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
                self.routing.change(route::NEW_LINK, new, wire::new_device(device, kind))
            }
            Setting::Sysctl(sysctl) => {
                sysctl.write(sysctl.key.wanted()).map_err(Fault::File)?;
                Ok(())
            }
            Setting::Up { device } => {
                let index = self.index(device)?;
                self.routing.change(route::NEW_LINK, 0, wire::link_up(index, true))
            }
            Setting::Address { address, device } => {
                let index = self.index(device)?;
                self.routing.change(route::NEW_ADDRESS, new, route::address(index, address))
            }
            Setting::Route { prefix } => {
                let index = self.index(Device::Lo)?;
                self.routing.change(route::NEW_ROUTE, new, local_route(prefix, index, false))
            }
        };
        match made {
            Ok(()) => Ok(Made::Now),
            Err(error) if error.errno() == Some(Errno::EXIST) => Ok(Made::Before),
            Err(error) => Err(error.into()),
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
                    self.routing.change(route::DELETE_LINK, 0, wire::link(link.index))
                } else if link.is_up {
                    self.routing.change(route::NEW_LINK, 0, wire::link_up(link.index, false))
                } else {
                    return Ok(Undone::Before);
                }
            }
            Setting::Address { address, device } => match self.index(device) {
                Ok(index) => {
                    self.routing.change(route::DELETE_ADDRESS, 0, route::address(index, address))
                }
                Err(Fault::NoDevice(_)) => return Ok(Undone::Before),
                Err(fault) => return Err(fault),
            },
            Setting::Route { prefix } => {
                let index = self.index(Device::Lo)?;
                self.routing.change(route::DELETE_ROUTE, 0, local_route(prefix, index, true))
            }
        };
        let gone = [Errno::NODEV, Errno::ADDRNOTAVAIL, Errno::SRCH];
        match undone {
            Ok(()) => Ok(Undone::Now),
            Err(error) if error.errno().is_some_and(|errno| gone.contains(&errno)) => {
                Ok(Undone::Before)
            }
            Err(error) => Err(error.into()),
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

fn local_route(prefix: Prefix, loopback: u32, delete: bool) -> Vec<u8> {
    route::local_route((prefix.address(), prefix.length()), LOCAL_TABLE, loopback, delete)
}
