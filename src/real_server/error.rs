//! Why a real server could not be made ready, or be left.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use rustix::io::Errno;

use super::setting::{Device, Setting};
use crate::netlink::NetlinkError;

/// What the kernel said.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// By netlink.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// By a file of `/proc/sys`.
    #[error(transparent)]
    File(io::Error),
    /// There is no such device.
    #[error("there is no {0}")]
    NoDevice(Device),
    /// The kernel did it, and it is not so.
    #[error("the kernel took it, and it is not there")]
    NotThere,
}

impl Fault {
    /// The kernel's error number, where it gave one.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Netlink(error) => error.errno(),
            Self::File(error) => Errno::from_io_error(error),
            Self::NoDevice(_) | Self::NotThere => None,
        }
    }
}

/// Why a real server could not be made ready, or be left.
#[derive(Debug, thiserror::Error)]
pub enum RealServerError {
    /// The kernel could not be read. Nothing was changed.
    #[error("cannot read this machine's links, addresses, routes and parameters")]
    Unread(#[source] Fault),
    /// The loopback device is down: no address on it takes anything.
    #[error("lo is down")]
    LoopbackDown,
    /// The record of what was done is not what was written. Nothing was changed.
    #[error("{} cannot be trusted: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The record could not be read or written; the reason names the file. What was done
    /// was undone.
    #[error("cannot {action} the record of what was done")]
    Record {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A step failed; what was done was undone.
    #[error("cannot make it so: {setting}")]
    Step {
        /// What should have become so.
        setting: Setting,
        /// Why it did not.
        #[source]
        fault: Fault,
    },
    /// What should have gone did not; what was done was undone.
    #[error("cannot undo: {setting}")]
    Undo {
        /// What is still so.
        setting: Setting,
        /// Why.
        #[source]
        fault: Fault,
    },
    /// A step failed, and so did the way back.
    #[error("{cause}, and what was done could not be undone: {}", left.join(", "))]
    Incomplete {
        /// What failed first.
        #[source]
        cause: Box<RealServerError>,
        /// What is still not as it was.
        left: Vec<String>,
    },
    /// Answers do not go through the director.
    #[error("the default route is {found}, and not by the director, {director}")]
    Gateway {
        /// Where it goes.
        found: String,
        /// Where it should go.
        director: IpAddr,
    },
}

impl RealServerError {
    /// The word for it in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unread(_) | Self::LoopbackDown | Self::Gateway { .. } => "kernel",
            Self::Damaged { .. } | Self::Record { .. } => "file",
            Self::Step { .. } | Self::Undo { .. } => "restored",
            Self::Incomplete { .. } => "incomplete",
        }
    }

    /// What mends it, where that is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Unread(fault) => privilege(fault),
            Self::LoopbackDown => Some("ip link set lo up".to_owned()),
            Self::Damaged { path, .. } => Some(format!(
                "look with `fwmarkctl realserver status`, then remove {}: what is on this machine \
                 then counts as somebody else's, and stays until you take it away",
                path.display()
            )),
            Self::Record { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as root".to_owned())
            }
            Self::Record { .. } => {
                Some("make room there, or name another folder with --state-dir".to_owned())
            }
            Self::Step { setting, fault } | Self::Undo { setting, fault } => {
                of_step(setting, fault)
            }
            Self::Incomplete { cause, .. } => Some(match cause.remedy() {
                Some(remedy) => format!("{remedy}; then `fwmarkctl realserver down`"),
                None => "mend what failed, then `fwmarkctl realserver down`".to_owned(),
            }),
            Self::Gateway { director, .. } => Some(gateway_remedy(*director)),
        }
    }
}

/// How the default route comes to go through the director.
pub(super) fn gateway_remedy(director: IpAddr) -> String {
    let family = if director.is_ipv4() { "" } else { "-6 " };
    format!("ip {family}route replace default via {director}")
}

fn privilege(fault: &Fault) -> Option<String> {
    let denied = matches!(fault.errno(), Some(Errno::PERM | Errno::ACCESS));
    denied.then(|| "run it as root, or with CAP_NET_ADMIN".to_owned())
}

fn of_step(setting: &Setting, fault: &Fault) -> Option<String> {
    match (setting, fault.errno()) {
        (Setting::Device { device }, Some(Errno::OPNOTSUPP)) => {
            Some(format!("modprobe {}", device.module()))
        }
        (Setting::Sysctl(_), Some(Errno::ROFS)) => Some(
            "a container's /proc/sys is often read-only: let its runtime set the parameter"
                .to_owned(),
        ),
        (
            Setting::Address { address: IpAddr::V6(_), device },
            Some(Errno::ACCESS | Errno::OPNOTSUPP | Errno::AFNOSUPPORT),
        ) => Some(format!("IPv6 is off: sysctl -w net.ipv6.conf.{device}.disable_ipv6=0")),
        _ => privilege(fault),
    }
}
