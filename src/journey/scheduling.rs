//! Whom a scheduler would choose (`net/netfilter/ipvs/ip_vs_*.c`, Linux 6.1).

use super::{Candidate, Packet};
use crate::state::{DestinationKey, ServiceFlags, VirtualService};

/// A scheduler's choice.
pub(super) struct Choice {
    /// The one that is chosen, or those of which one is; nobody where all are passed over.
    pub(super) servers: Vec<DestinationKey>,
    pub(super) sentence: String,
}

/// `IP_VS_SVC_F_SCHED1`: of `sh` and `mh` it is "fallback".
const FALLBACK: u32 = 0x08;

/// Chooses among the real servers of a service.
pub(super) fn choose(packet: &Packet, service: &VirtualService, all: &[Candidate]) -> Choice {
    let scheduler = service.scheduler.as_str();
    let may: Vec<&Candidate> = all.iter().filter(|it| it.passed_over.is_none()).collect();
    if may.is_empty() {
        let sentence = match all.len() {
            0 => "the service has no real server: the client is refused".to_owned(),
            _ => "no real server takes new clients: this one is refused".to_owned(),
        };
        return Choice { servers: Vec::new(), sentence };
    }
    let (chosen, why): (Vec<&Candidate>, String) = match scheduler {
        "rr" => (may, "rr deals in turn: whose turn it is only the kernel knows".to_owned()),
        "wrr" => {
            (may, "wrr deals in turn, by weight: whose turn it is only the kernel knows".to_owned())
        }
        "lc" => (
            least(&may, overhead, |_| 1),
            "lc takes the one with the fewest connections".to_owned(),
        ),
        "wlc" => (
            least(&may, overhead, weight),
            "wlc takes the one with the fewest connections for its weight".to_owned(),
        ),
        "sed" => (shortest(&may), "sed takes the one with the shortest expected delay".to_owned()),
        "nq" => {
            let idle: Vec<_> = may.iter().copied().filter(|it| it.active == 0).collect();
            if idle.is_empty() {
                (
                    shortest(&may),
                    "nobody is idle: nq takes the one with the shortest expected delay".to_owned(),
                )
            } else {
                (idle, "nq takes one that is idle".to_owned())
            }
        }
        "fo" => (heaviest(&may), "fo takes the one with the highest weight".to_owned()),
        "ovf" => {
            let free: Vec<_> = may.iter().copied().filter(|it| it.active < it.weight).collect();
            if free.is_empty() {
                let sentence = "ovf: each has as many active connections as its weight; refused";
                return Choice { servers: Vec::new(), sentence: sentence.to_owned() };
            }
            (
                heaviest(&free),
                "ovf takes the one with the highest weight that has connections to spare"
                    .to_owned(),
            )
        }
        "sh" | "mh" => (may, hashed(packet, service, all)),
        "dh" => (may, format!("dh chooses by the address {} alone", packet.vip)),
        "lblc" | "lblcr" => (
            may,
            format!(
                "{scheduler} keeps {} with the server that it had, unless that has too much to do",
                packet.vip
            ),
        ),
        "twos" => (may, "twos draws two, and takes the one with fewer connections".to_owned()),
        other => (may, format!("how {other} chooses is not known here")),
    };
    let sentence = match &chosen[..] {
        [one] => format!("{why}: {}", one.server),
        [] => why,
        several => {
            let names: Vec<_> = several.iter().map(|it| it.server.as_str()).collect();
            format!("{why}; one of {}", names.join(", "))
        }
    };
    Choice { servers: chosen.iter().map(|it| it.key).collect(), sentence }
}

/// What `ip_vs_dest_conn_overhead` counts: an active connection is worth 256 others.
fn overhead(it: &Candidate) -> u64 {
    (u64::from(it.active) << 8) + u64::from(it.inactive)
}

fn weight(it: &Candidate) -> u64 {
    u64::from(it.weight)
}

/// Those with the least load for their share; where several have it, the kernel takes the
/// one that was added last.
fn least<'a>(
    all: &[&'a Candidate],
    load: impl Fn(&Candidate) -> u64,
    share: impl Fn(&Candidate) -> u64,
) -> Vec<&'a Candidate> {
    let compare = |one: &&Candidate, other: &&Candidate| {
        // Without a division, as the kernel does: it has no floating point.
        let of = |it: &Candidate, its: &Candidate| u128::from(load(it)) * u128::from(share(its));
        of(one, other).cmp(&of(other, one))
    };
    let Some(first) = all.iter().copied().min_by(compare) else { return Vec::new() };
    all.iter().copied().filter(|it| compare(it, &first).is_eq()).collect()
}

/// `ip_vs_sed_dest_overhead`: the connections that there would be, for the weight.
fn shortest<'a>(all: &[&'a Candidate]) -> Vec<&'a Candidate> {
    least(all, |it| u64::from(it.active) + 1, weight)
}

fn heaviest<'a>(all: &[&'a Candidate]) -> Vec<&'a Candidate> {
    let highest = all.iter().map(|it| it.weight).max();
    all.iter().copied().filter(|it| Some(it.weight) == highest).collect()
}

fn hashed(packet: &Packet, service: &VirtualService, all: &[Candidate]) -> String {
    let scheduler = service.scheduler.as_str();
    let falls_back = service.flags.contains(ServiceFlags::from_kernel(FALLBACK));
    let what = packet.client;
    let refused = all.iter().any(|it| it.passed_over.is_some()) && !falls_back;
    let but = if refused && scheduler == "sh" {
        ", and refuses those whose turn is one that takes nobody (no sh-fallback)"
    } else if refused {
        ", and refuses those whose turn is one that is overloaded (no mh-fallback)"
    } else {
        ""
    };
    format!("{scheduler} chooses by the client's address {what}, always the same one{but}")
}
