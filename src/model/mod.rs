//! The vocabulary of a director: groups, VIPs, ports, marks, schedulers, real servers.
//!
//! Every type here holds its invariant by construction, so that what compiles a
//! group never asks again whether a port is 0 or a netmask has holes. Nothing in
//! this module knows of TOML, netlink or the kernel's tables.

mod director;
mod forwarding;
mod group;
mod json_schema;
mod kernel_name;
mod listener;
mod mark;
mod marker;
mod persistence;
mod prefix;
mod real_server;
mod scheduler;
mod share;
mod sysctl;

pub use director::{
    BackendKind, DEFAULT_MAX_RULES, DeviceName, DirectorSettings, InvalidDeviceName, Sync,
    SyncChannel, SyncRole, Timeout, VipPlace,
};
pub use forwarding::{Forwarding, Tunnel, TunnelChecksum};
pub use group::{Group, GroupName, InvalidGroupName, MarkChoice, Via};
pub(crate) use json_schema::schema_of_text;
pub use kernel_name::{InvalidKernelName, KernelName};
pub use listener::{InvalidPorts, Listener, Listeners, PortRange, Protocol};
pub use mark::{InvalidMark, Mark, MarkRange};
pub use marker::{Form, InvalidMarker, Marker, Variant};
pub use persistence::{InvalidPersistence, MAX_TIMEOUT, Mode, Persistence};
pub use prefix::{Family, InvalidPrefix, Prefix};
pub use real_server::{MAX_THRESHOLD, MAX_WEIGHT, RealServer};
pub use scheduler::{InvalidScheduler, KNOWN_SCHEDULERS, Scheduler, SchedulerFlag};
pub use share::{InvalidShare, Share};
pub use sysctl::{IPVS_SYSCTLS, InvalidSysctl, Sysctl};
