//! `virtual_server`: what it listens to, and what its block says.
//!
//! Some words count only behind others, as for keepalived: a flag of a scheduler behind the
//! scheduler, the method for the real servers that follow.

use std::net::IpAddr;

use super::health;
use super::method::method;
use super::real::{Real, checked};
use super::tree::Statement;
use super::value::{number, port};
use crate::import::Place;
use crate::import::notes::{Notes, shown};
use crate::model::{Family, KernelName, MAX_TIMEOUT, MAX_WEIGHT, Protocol, SchedulerFlag};
use crate::state::{Method, Netmask, ServiceFlags};

/// The persistence that names no time, in seconds (`IPVS_SVC_PERSISTENT_TIMEOUT`).
pub(super) const DEFAULT_TIMEOUT: u32 = 360;

/// The schedulers that keepalived knows (`lvs_schedulers`, `check_parser.c` of 2.2.7).
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos"];

/// What a virtual server listens to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Address { address: IpAddr, port: u16 },
    Mark(u32),
    Group(String),
}

/// A virtual server as it is written, before defaults.
#[derive(Debug, Clone)]
pub(super) struct VirtualServer {
    pub(super) place: Place,
    pub(super) target: Target,
    pub(super) family: Option<Family>,
    pub(super) scheduler: Option<KernelName>,
    pub(super) flags: ServiceFlags,
    pub(super) timeout: Option<u32>,
    pub(super) netmask: Option<Netmask>,
    pub(super) engine: Option<KernelName>,
    pub(super) protocol: Option<Protocol>,
    pub(super) method: Option<Method>,
    pub(super) weight: u32,
    pub(super) reals: Vec<Real>,
}

impl VirtualServer {
    /// Reads one; keepalived leaves out what it cannot read, and so is it here.
    pub(super) fn read(statement: &Statement, notes: &mut Notes) -> Option<Self> {
        let Some(target) = target(statement) else {
            let what = format!(
                "'{} {}' is nothing that a virtual server can listen to: it is left out",
                shown(statement.word(1)),
                shown(statement.word(2))
            );
            notes.one(&statement.place, what);
            return None;
        };
        let family = match target {
            Target::Address { address, .. } => Some(Family::of(address)),
            _ => None,
        };
        let mut server = Self {
            place: statement.place.clone(),
            target,
            family,
            scheduler: None,
            flags: ServiceFlags::default(),
            timeout: None,
            netmask: None,
            engine: None,
            protocol: None,
            method: None,
            weight: 1,
            reals: Vec::new(),
        };
        for inner in &statement.block {
            server.take(inner, notes);
        }
        server.settle_family();
        Some(server)
    }

    fn take(&mut self, inner: &Statement, notes: &mut Notes) {
        let (value, place) = (inner.word(1), &inner.place);
        match inner.keyword() {
            "lb_algo" | "lvs_sched" => self.take_scheduler(inner, notes),
            "ops" => self.flags = self.flags.with(ServiceFlags::ONE_PACKET),
            "flag-1" | "flag-2" | "flag-3" | "sh-port" | "sh-fallback" | "mh-port"
            | "mh-fallback" => self.take_flag(inner, notes),
            // The kernel sets it itself.
            "hashed" => {}
            "lb_kind" | "lvs_method" => match method(&inner.words[1..]) {
                Ok(method) => self.method = Some(method),
                Err(why) => notes.one(place, format!("{why}: keepalived ignores it")),
            },
            "persistence_timeout" if inner.words.len() == 1 => self.timeout = Some(DEFAULT_TIMEOUT),
            "persistence_timeout" => {
                let timeout = checked(inner, number(value, 1..=MAX_TIMEOUT), notes);
                self.timeout = timeout.or(self.timeout);
            }
            "persistence_granularity" => self.take_netmask(inner, notes),
            "persistence_engine" => {
                // keepalived cuts a longer name off, and then the kernel does not know it.
                self.engine = checked(inner, value.parse().ok(), notes);
            }
            "protocol" => {
                let protocol = value.to_ascii_lowercase().parse().ok();
                self.protocol = checked(inner, protocol, notes).or(self.protocol);
            }
            "ip_family" => self.take_family(inner, notes),
            "weight" => {
                self.weight = checked(inner, number(value, 1..=MAX_WEIGHT), notes).unwrap_or(1);
            }
            "real_server" => self.take_real(inner, notes),
            other if health::tell(other, place, notes) => {}
            other => {
                let what =
                    format!("'{}' is no word of a virtual_server, and is ignored", shown(other));
                notes.one(place, what);
            }
        }
    }

    fn take_scheduler(&mut self, inner: &Statement, notes: &mut Notes) {
        let name = inner.word(1);
        let known = SCHEDULERS.contains(&name).then(|| name.parse().ok()).flatten();
        if known.is_some() {
            self.scheduler = known;
        } else {
            let runs = self.scheduler.map_or("wlc".to_owned(), |scheduler| scheduler.to_string());
            let what = format!(
                "'{}' is no scheduler: keepalived ignores it and runs {runs}, and so does the group",
                shown(name)
            );
            notes.one(&inner.place, what);
            self.scheduler = self.scheduler.or_else(|| "wlc".parse().ok());
        }
    }

    fn take_flag(&mut self, inner: &Statement, notes: &mut Notes) {
        let (word, scheduler) = (inner.keyword(), self.scheduler);
        let scheduler = scheduler.as_ref().map_or("", KernelName::as_str);
        let flag = SchedulerFlag::ALL
            .into_iter()
            .find(|flag| flag.name_with("") == word || flag.name_with(scheduler) == word);
        if let Some(flag) = flag {
            self.flags = self.flags.with(flag.into());
        } else {
            let what = format!(
                "{word} counts only behind the scheduler that it belongs to: it is ignored"
            );
            notes.one(&inner.place, what);
        }
    }

    fn take_netmask(&mut self, inner: &Statement, notes: &mut Notes) {
        let text = inner.word(1);
        let guess = if text.contains('.') { Family::Ipv4 } else { Family::Ipv6 };
        let family = self.family.unwrap_or(guess);
        let netmask = match family {
            Family::Ipv6 => number(text, 1..=128).map(Netmask),
            Family::Ipv4 => {
                text.parse().ok().map(|mask: std::net::Ipv4Addr| Netmask(mask.to_bits()))
            }
        };
        let Some(netmask) = checked(inner, netmask, notes) else { return };
        self.family = Some(family);
        self.timeout = self.timeout.or(Some(DEFAULT_TIMEOUT));
        let has_holes = netmask.0.leading_ones() != netmask.0.count_ones() || netmask.0 == 0;
        if family == Family::Ipv4 && has_holes {
            let what = format!("a group cannot have the netmask {text}: it has holes, or is empty");
            notes.one(&inner.place, what);
            return;
        }
        self.netmask = Some(netmask);
    }

    fn take_family(&mut self, inner: &Statement, notes: &mut Notes) {
        let family = match inner.word(1) {
            "inet" => Some(Family::Ipv4),
            "inet6" => Some(Family::Ipv6),
            _ => None,
        };
        let fits = family.filter(|family| self.family.is_none_or(|known| known == *family));
        self.family = checked(inner, fits, notes).or(self.family);
    }

    fn take_real(&mut self, inner: &Statement, notes: &mut Notes) {
        let Some(real) = Real::read(inner, self.method, notes) else { return };
        if !real.is_tunnelled() {
            let family = *self.family.get_or_insert(real.family());
            if family != real.family() {
                let what = format!(
                    "the real server {} has not the family of its virtual server: \
                     keepalived leaves it out",
                    real.address
                );
                notes.one(&inner.place, what);
                return;
            }
        }
        let same = |other: &&Real| (other.address, other.port) == (real.address, real.port);
        if let Some(first) = self.reals.iter().find(same) {
            let what = format!(
                "the real server {} stands twice: keepalived keeps that of {}",
                real.address, first.place
            );
            notes.one(&inner.place, what);
            return;
        }
        self.reals.push(real);
    }

    /// A mark behind tunnels only: the family of all its real servers, else IPv4.
    fn settle_family(&mut self) {
        if self.family.is_none() && matches!(self.target, Target::Mark(_)) {
            let mut families = self.reals.iter().map(Real::family);
            let first = families.next().unwrap_or(Family::Ipv4);
            let all = families.all(|family| family == first);
            self.family = Some(if all { first } else { Family::Ipv4 });
        }
    }
}

fn target(statement: &Statement) -> Option<Target> {
    let (first, second) = (statement.word(1), statement.word(2));
    match first {
        "group" if !second.is_empty() => Some(Target::Group(second.to_owned())),
        // keepalived takes 0 for a service of the address 0.0.0.0.
        "fwmark" => number(second, 1..=u32::MAX).map(Target::Mark),
        _ => Some(Target::Address { address: first.parse().ok()?, port: port(second)? }),
    }
}
