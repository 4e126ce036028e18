//! A group as a JSON document, with what nobody had to say.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::list::ports;
use super::show::{flags, method, via};
use crate::cli::output::Format;
use crate::model::{Group, GroupName, KernelName, Mark, MarkChoice, Prefix};

/// A group, and the TOML that defines it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ShownGroup")]
pub(in crate::cli) struct Shown<'a> {
    pub(super) format: Format,
    /// The file; null where it was standard input.
    pub(super) file: Option<String>,
    pub(super) line: usize,
    pub(super) group: Resolved<'a>,
    /// What the file says of it; null where it was standard input.
    pub(super) toml: Option<String>,
}

/// What a group comes to.
#[derive(Serialize, JsonSchema)]
pub(super) struct Resolved<'a> {
    name: &'a GroupName,
    enabled: bool,
    vips: &'a [Prefix],
    /// With those of its presets.
    ports: Vec<String>,
    /// The mark that was chosen; null where it is automatic, or each port has one.
    mark: Option<Mark>,
    /// The marks of ports that were chosen.
    marks: BTreeMap<String, Mark>,
    /// mark or address
    via: &'static str,
    scheduler: KernelName,
    /// Of the scheduler.
    flags: Vec<&'static str>,
    one_packet: bool,
    /// Null where clients do not stay.
    persistence: Option<Persistence>,
    snat: &'a [IpAddr],
    real_servers: Vec<RealServer>,
}

/// How clients stay.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GroupPersistence")]
struct Persistence {
    mode: String,
    /// In seconds.
    timeout: u32,
    netmask: u8,
    netmask6: u8,
    engine: Option<String>,
}

/// A real server of a group.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "GroupRealServer")]
struct RealServer {
    address: IpAddr,
    /// Null where packets keep theirs.
    port: Option<u16>,
    weight: u32,
    forward: String,
    /// 0 is no bound.
    upper_threshold: u32,
    lower_threshold: u32,
}

impl<'a> Resolved<'a> {
    /// The document of a group.
    pub(super) fn of(group: &'a Group) -> Self {
        let (mark, marks) = match &group.marks {
            MarkChoice::Automatic => (None, BTreeMap::new()),
            MarkChoice::Fixed(mark) => (Some(*mark), BTreeMap::new()),
            MarkChoice::PerListener(marks) => {
                (None, marks.iter().map(|(port, mark)| (port.to_string(), *mark)).collect())
            }
        };
        let persistence = group.persistence.as_ref().map(|kept| Persistence {
            mode: kept.mode.to_string(),
            timeout: kept.timeout(),
            netmask: kept.netmask(),
            netmask6: kept.netmask6(),
            engine: kept.engine.as_ref().map(ToString::to_string),
        });
        let servers = group.real_servers.iter().map(|server| RealServer {
            address: server.address,
            port: server.port,
            weight: server.weight,
            forward: method(server.forwarding),
            upper_threshold: server.upper_threshold,
            lower_threshold: server.lower_threshold,
        });
        Self {
            name: &group.name,
            enabled: group.enabled,
            vips: &group.vips,
            ports: ports(group),
            mark,
            marks,
            via: via(group),
            scheduler: group.scheduler.name(),
            flags: flags(group),
            one_packet: group.one_packet,
            persistence,
            snat: &group.snat,
            real_servers: servers.collect(),
        }
    }
}
