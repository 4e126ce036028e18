//! `virtual`: what it listens to, and the lines below it.

use super::real::{Reals, address};
use crate::import::notes::{Notes, shown};
use crate::import::{Place, words};
use crate::model::{Family, GroupName, KernelName, MAX_TIMEOUT, Mark, Protocol, SchedulerFlag};
use crate::state::{
    Destination, DestinationKey, Method, Netmask, ServiceFlags, ServiceKey, VirtualService,
};

/// The most real servers of all services together; a range writes many in a line.
pub(super) const MAX_REAL_SERVERS: usize = 500_000;

/// A service that is being read.
pub(super) struct Virtual {
    pub(super) place: Place,
    /// `None` where it could not be read, and its lines are passed over.
    key: Option<ServiceKey>,
    name: Option<GroupName>,
    scheduler: Option<KernelName>,
    flags: Vec<String>,
    one_packet: bool,
    timeout: Option<u32>,
    netmask: Option<Netmask>,
    reals: Vec<(Reals, Place)>,
    real_servers: usize,
}

impl Virtual {
    /// Reads what stands behind `virtual =` or `virtual6 =`.
    pub(super) fn read(key: &str, value: &str, place: &Place) -> Result<Self, String> {
        let family = if key == "virtual6" { Family::Ipv6 } else { Family::Ipv4 };
        let text = value.split_whitespace().next().unwrap_or("");
        let is_mark = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let key = if is_mark {
            let mark = text.parse().ok().and_then(Mark::new);
            ServiceKey::Mark { mark: mark.ok_or(format!("'{text}' is no mark"))?, family }
        } else {
            let (address, rest) = address(text)?;
            let name = rest.strip_prefix(':').unwrap_or("");
            let port = words::port(name).ok_or(format!("the port '{name}' is not known"))?;
            if Family::of(address) != family {
                return Err(format!("{address} belongs to virtual6, as real6 below it"));
            }
            // As ldirectord does before it reads `protocol`.
            let protocol = if port == 53 { Protocol::Udp } else { Protocol::Tcp };
            ServiceKey::Address { address, protocol, port }
        };
        Ok(Self { key: Some(key), ..Self::unread(place) })
    }

    /// One whose lines are passed over.
    pub(super) fn unread(place: &Place) -> Self {
        Self {
            place: place.clone(),
            key: None,
            name: None,
            scheduler: None,
            flags: Vec::new(),
            one_packet: false,
            timeout: None,
            netmask: None,
            reals: Vec::new(),
            real_servers: 0,
        }
    }

    /// Reads a line below it.
    pub(super) fn take(&mut self, key: &str, value: &str, place: &Place, notes: &mut Notes) {
        let Some(family) = self.key.map(|key| key.family()) else { return };
        let real = if family == Family::Ipv6 { "real6" } else { "real" };
        let taken = match key {
            "real" | "real6" if key != real => Err(format!("here it is {real}")),
            "real" | "real6" => self.take_real(value, family, place),
            "scheduler" => value
                .parse()
                .map(|name| self.scheduler = Some(name))
                .map_err(|_| format!("'{}' is no scheduler", shown(value))),
            "schedflags" => {
                self.flags = value.split(',').map(str::to_owned).collect();
                Ok(())
            }
            "persistent" => match value.parse() {
                Ok(seconds) if (1..=MAX_TIMEOUT).contains(&seconds) => {
                    self.timeout = Some(seconds);
                    Ok(())
                }
                _ => Err(format!("'{}' is no time that IPVS can keep", shown(value))),
            },
            "netmask" => self.take_netmask(value, family),
            "protocol" => self.take_protocol(value),
            "ops" => {
                self.one_packet = value == "yes";
                Ok(())
            }
            "servicename" => {
                self.name = words::name(value);
                Ok(())
            }
            other => {
                tell(other, place, notes);
                return;
            }
        };
        if let Err(why) = taken {
            notes.one(place, format!("{key}: {why}"));
        }
    }

    fn take_real(&mut self, value: &str, family: Family, place: &Place) -> Result<(), String> {
        let reals = Reals::read(value, family)?;
        self.real_servers += reals.addresses.len();
        if self.real_servers > MAX_REAL_SERVERS {
            return Err(format!("more than {MAX_REAL_SERVERS} real servers: left out"));
        }
        self.reals.push((reals, place.clone()));
        Ok(())
    }

    fn take_netmask(&mut self, value: &str, family: Family) -> Result<(), String> {
        let wrong = || format!("'{}' is no netmask of a group", shown(value));
        let netmask = match family {
            Family::Ipv6 => value.parse().ok().filter(|bits| (1..=128).contains(bits)),
            Family::Ipv4 => {
                let bits = value.parse().ok().map(|mask: std::net::Ipv4Addr| mask.to_bits());
                // A group has no holes in it.
                bits.filter(|bits| *bits != 0 && bits.leading_ones() == bits.count_ones())
            }
        };
        self.netmask = Some(Netmask(netmask.ok_or_else(wrong)?));
        Ok(())
    }

    fn take_protocol(&mut self, value: &str) -> Result<(), String> {
        match (&mut self.key, value) {
            (Some(ServiceKey::Mark { .. }), "fwm") => Ok(()),
            (Some(ServiceKey::Mark { .. }), _) => Err("a mark has the protocol fwm".to_owned()),
            (Some(ServiceKey::Address { protocol, .. }), "tcp" | "udp") => {
                *protocol = if value == "tcp" { Protocol::Tcp } else { Protocol::Udp };
                Ok(())
            }
            _ => Err(format!("'{}' is neither tcp nor udp", shown(value))),
        }
    }

    /// The service as ldirectord gives it to ipvsadm.
    pub(super) fn finish(self, notes: &mut Notes) -> Option<(ServiceKey, VirtualService)> {
        let key = self.key?;
        let scheduler = self.scheduler.or_else(|| "wrr".parse().ok())?;
        let mut flags = ServiceFlags::default();
        for text in &self.flags {
            let named = |flag: &SchedulerFlag| {
                flag.name_with(scheduler.as_str()) == text || flag.name_with("") == text
            };
            if let Some(flag) = SchedulerFlag::ALL.into_iter().find(named) {
                flags = flags.with(flag.into());
            } else {
                let what = format!("'{}' is no flag of {scheduler}", shown(text));
                notes.one(&self.place, what);
            }
        }
        if self.timeout.is_some() {
            flags = flags.with(ServiceFlags::PERSISTENT);
        }
        let is_udp = matches!(key, ServiceKey::Address { protocol: Protocol::Udp, .. });
        if self.one_packet && is_udp {
            flags = flags.with(ServiceFlags::ONE_PACKET);
        }
        let destinations = destinations(key, &self.reals, notes);
        if destinations.is_empty() {
            notes.one(&self.place, "a service without real servers cannot be a group");
            return None;
        }
        let netmask = self.netmask.filter(|_| self.timeout.is_some());
        let service = VirtualService {
            group: self.name,
            recorded: false,
            scheduler,
            flags,
            timeout: self.timeout.unwrap_or(0),
            netmask: netmask.unwrap_or(Netmask::host(key.family())),
            engine: None,
            destinations,
        };
        Some((key, service))
    }
}

fn destinations(
    service: ServiceKey,
    lines: &[(Reals, Place)],
    notes: &mut Notes,
) -> Vec<Destination> {
    let mut destinations = std::collections::BTreeMap::new();
    for (reals, place) in lines {
        let maps = reals.method == Method::Nat;
        let port = match service {
            // ipvsadm(8) writes the service's own port where it is not mapped.
            ServiceKey::Address { port, .. } if !maps => port,
            ServiceKey::Address { port, .. } if reals.port == 0 => port,
            ServiceKey::Mark { .. } if !maps && reals.port != 0 => {
                let what = "only masq reaches another port: IPVS keeps this one and ignores it; \
                            the group has none, and an apply exchanges the real server";
                notes.some("port", place, what);
                0
            }
            _ => reals.port,
        };
        for &address in &reals.addresses {
            let key = DestinationKey { address, port };
            let destination = Destination {
                key,
                method: reals.method,
                weight: reals.weight,
                upper_threshold: reals.upper,
                lower_threshold: reals.lower,
            };
            if destinations.insert(key, destination).is_some() {
                notes
                    .one(place, format!("the real server {key} stands twice: the last one counts"));
            }
        }
    }
    destinations.into_values().collect()
}

/// Says of a line that no group has what becomes of it, each kind once.
fn tell(key: &str, place: &Place, notes: &mut Notes) {
    match key {
        "service" | "checktype" | "checkcommand" | "checktimeout" | "negotiatetimeout"
        | "checkcount" | "failurecount" | "checkinterval" | "checkport" | "request" | "receive"
        | "login" | "passwd" | "database" | "secret" | "load" | "httpmethod" | "virtualhost" => {
            let what = "health checks are not turned, for fwmarkctl does none: each real server \
                        is taken, also one that ldirectord has found dead";
            notes.some("checks", place, what);
        }
        "quiescent" | "cleanstop" | "monitorfile" => {
            let what = format!("{key}: it is for health checks, which fwmarkctl does not do");
            notes.some(key, place, what);
        }
        "fallback" | "fallback6" | "fallbackcommand" => {
            let what = "a fallback is not turned: nobody steps in when all others are dead";
            notes.some("fallback", place, what);
        }
        "emailalert" | "emailalertfreq" | "emailalertstatus" | "smtp" => {
            let what = "nobody is told of a change of health, for fwmarkctl sees none";
            notes.some("email", place, what);
        }
        // For those letters only.
        "comment" => {}
        other => notes.one(place, format!("a service has no word '{}'", shown(other))),
    }
}
