//! A service's attributes as a group says them.

use super::lost::{Lost, Reason};
use crate::model::{Family, KernelName, MAX_TIMEOUT, Mode, Persistence, Scheduler, SchedulerFlag};
use crate::state::{Netmask, ServiceFlags, ServiceKey, VirtualService};

/// The attributes that all services of a group share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) scheduler: Scheduler,
    pub(super) one_packet: bool,
    pub(super) kept: Option<Kept>,
}

/// How clients stay, but for what that covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    timeout: u32,
    /// Of either family, where a service of it is known.
    netmask: Option<u8>,
    netmask6: Option<u8>,
    engine: Option<KernelName>,
}

impl Traits {
    /// Reads a service. What a group cannot say becomes the nearest that it can.
    pub(super) fn read(key: ServiceKey, service: &VirtualService, lost: &mut Vec<Lost>) -> Self {
        let flags = SchedulerFlag::ALL.into_iter();
        let flags = flags.filter(|flag| service.flags.contains((*flag).into()));
        let names = flags.map(|flag| flag.name_with(service.scheduler.as_str()));
        let scheduler = Scheduler::with_flags(service.scheduler, names)
            .unwrap_or_else(|_| Scheduler::plain(service.scheduler));
        let kept = if service.flags.contains(ServiceFlags::PERSISTENT) {
            Some(kept(key, service, lost))
        } else {
            without(key, service, lost);
            None
        };
        Self { scheduler, one_packet: service.flags.contains(ServiceFlags::ONE_PACKET), kept }
    }

    /// Takes from `other` what this has no service to know it from: the netmask of a family.
    pub(super) fn complete(&mut self, other: &Self) {
        if let (Some(kept), Some(other)) = (&mut self.kept, &other.kept) {
            kept.netmask = kept.netmask.or(other.netmask);
            kept.netmask6 = kept.netmask6.or(other.netmask6);
        }
    }

    /// What is not alike in `other`.
    pub(super) fn difference(&self, other: &Self) -> Option<&'static str> {
        let (ours, theirs) = (self.kept.as_ref(), other.kept.as_ref());
        if self.scheduler != other.scheduler {
            Some("the scheduler")
        } else if self.one_packet != other.one_packet {
            Some("one-packet scheduling")
        } else if ours.is_some() != theirs.is_some() {
            Some("persistence")
        } else if ours.map(|kept| kept.timeout) != theirs.map(|kept| kept.timeout) {
            Some("the persistence timeout")
        } else if ours.map(|kept| kept.engine) != theirs.map(|kept| kept.engine) {
            Some("the persistence engine")
        } else {
            None
        }
    }

    /// The persistence, where it covers what `mode` says.
    pub(super) fn persistence(&self, mode: Mode) -> Option<Persistence> {
        let kept = self.kept.as_ref()?;
        let mut persistence = Persistence::new(mode);
        // All three were bounded when they were read; what was not would keep its default.
        persistence.set_timeout(kept.timeout.into()).ok();
        kept.netmask.and_then(|bits| persistence.set_netmask(bits.into()).ok());
        kept.netmask6.and_then(|bits| persistence.set_netmask6(bits.into()).ok());
        persistence.engine = kept.engine;
        Some(persistence)
    }
}

fn kept(key: ServiceKey, service: &VirtualService, lost: &mut Vec<Lost>) -> Kept {
    let timeout = match service.timeout {
        0 => Persistence::DEFAULT_TIMEOUT,
        timeout => timeout.min(MAX_TIMEOUT),
    };
    if timeout != service.timeout {
        let reason = Reason::Timeout { service: key, timeout: service.timeout };
        lost.push(Lost::of_service(key, reason));
    }
    let family = key.family();
    let bits = bits(service.netmask, family).unwrap_or_else(|| {
        let netmask = service.netmask.display(family);
        lost.push(Lost::of_service(key, Reason::Netmask { service: key, netmask }));
        family.bits()
    });
    let of = |which: Family| (family == which).then_some(bits);
    let (netmask, netmask6) = (of(Family::Ipv4), of(Family::Ipv6));
    Kept { timeout, netmask, netmask6, engine: service.engine }
}

/// The length of the prefix that makes a client.
fn bits(netmask: Netmask, family: Family) -> Option<u8> {
    let length = match family {
        Family::Ipv4 => netmask.0.leading_ones(),
        Family::Ipv6 => netmask.0,
    };
    let length = u8::try_from(length).ok().filter(|bits| (1..=family.bits()).contains(bits))?;
    (Netmask::from_length(family, length) == netmask).then_some(length)
}

/// Says what of a service has a meaning with persistence only.
fn without(key: ServiceKey, service: &VirtualService, lost: &mut Vec<Lost>) {
    for (is_there, what) in [
        (service.timeout != 0, "a timeout"),
        (service.netmask != Netmask::host(key.family()), "a netmask"),
        (service.engine.is_some(), "an engine"),
    ] {
        if is_there {
            let reason = Reason::WithoutPersistence { service: key, what };
            lost.push(Lost::of_service(key, reason));
        }
    }
}
