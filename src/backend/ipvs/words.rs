//! What IPVS's error numbers mean, and what mends them. IPVS gives no text of its own
//! (`net/netfilter/ipvs/ip_vs_ctl.c` returns plain numbers).

use rustix::io::Errno;

use crate::backend::IpvsError;
use crate::netlink::NetlinkError;
use crate::plan::ServiceChange;

/// What most questions ask for.
pub(super) const LIST: &str = "list the services";

/// The error of a question that the kernel refused to answer, and what it asked for.
pub(super) fn unanswered(errno: Errno, what: &str) -> IpvsError {
    match refused(errno, None, Vec::new()) {
        IpvsError::Refused { reason, remedy, undone, .. } => {
            IpvsError::Refused { change: what.to_owned(), reason, remedy, undone }
        }
        other => other,
    }
}

/// The error of a change that the kernel refused; `undone` are all that were not made.
pub(super) fn refused(
    errno: Errno,
    change: Option<&ServiceChange>,
    undone: Vec<usize>,
) -> IpvsError {
    if errno == Errno::PERM {
        return IpvsError::Privilege;
    }
    let (reason, remedy) = change
        .and_then(|change| known(errno, change))
        .unwrap_or_else(|| (std::io::Error::from(errno).to_string(), None));
    let change = change.map_or_else(|| LIST.to_owned(), ToString::to_string);
    IpvsError::Refused { change, reason, remedy, undone }
}

/// The error of a dump.
pub(super) fn failed(error: NetlinkError) -> IpvsError {
    match error.errno() {
        Some(Errno::PERM) => IpvsError::Privilege,
        _ => error.into(),
    }
}

fn known(errno: Errno, change: &ServiceChange) -> Option<(String, Option<String>)> {
    use ServiceChange as C;
    let plain = |reason: &str| Some((reason.to_owned(), None));
    match (errno, change) {
        (Errno::NOENT, C::AddService(_, service) | C::EditService { after: service, .. }) => {
            let scheduler = service.scheduler;
            Some(match service.engine {
                None => (
                    format!("scheduler {scheduler} is not available in this kernel"),
                    Some(format!("modprobe ip_vs_{scheduler}")),
                ),
                Some(engine) => (
                    format!(
                        "scheduler {scheduler} or persistence engine {engine} is not available \
                         in this kernel"
                    ),
                    Some(format!("modprobe -a ip_vs_{scheduler} ip_vs_pe_{engine}")),
                ),
            })
        }
        (Errno::EXIST, C::AddService(..)) => plain("somebody made this service meanwhile"),
        (Errno::EXIST, C::AddDestination(..)) => plain("somebody added this server meanwhile"),
        (Errno::SRCH, _) => plain("somebody removed the service meanwhile"),
        (Errno::NOENT, _) => plain("somebody removed the real server meanwhile"),
        (Errno::INVAL, C::AddDestination(_, destination)) => Some((
            format!(
                "the kernel takes {} for no unicast address that this service can have",
                destination.key.address
            ),
            Some("ip link set lo up (in a network namespace of its own)".to_owned()),
        )),
        (Errno::RANGE, _) => plain("the lower threshold is above the upper one"),
        (Errno::AFNOSUPPORT, _) => plain("this kernel's IPVS does not do this address family"),
        _ => None,
    }
}
