//! What packet filters do to packets, in words.

use std::collections::BTreeSet;

use crate::model::GroupName;
use crate::preflight::codes::Code;
use crate::preflight::filter::{ChainId, Event, Kind};
use crate::preflight::finding::{Finding, Severity};

/// Whom a cause concerns.
#[derive(Default)]
pub(super) struct Victims {
    pub(super) groups: BTreeSet<GroupName>,
    pub(super) flows: BTreeSet<String>,
    pub(super) remedy: Vec<String>,
}

/// Where something happens to a packet.
pub(super) fn place(event: &Event) -> String {
    let Event { base, chain, handle, hook, priority, kind, .. } = event;
    let at = format!("{hook}, priority {priority}");
    let becomes = match kind {
        Kind::Marked(Some(mark)) => format!(" to {mark:#x}"),
        Kind::Marked(None) => " to what is not known".to_owned(),
        _ => String::new(),
    };
    let what = match handle {
        None => format!("the policy of {base} ({at})"),
        Some(handle) => format!("{} ({at})", named(chain, *handle)),
    };
    what + &becomes
}

/// The finding of a cause.
pub(super) fn finding(code: Code, severity: Severity, place: &str, victims: Victims) -> Finding {
    let Victims { groups, flows, remedy } = victims;
    let first = flows.first().cloned().unwrap_or_default();
    let flows = match flows.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", more - 1),
    };
    let may = if severity == Severity::Stops { "" } else { "may " };
    let verb =
        |one: &str, bare: &str| if may.is_empty() { one.to_owned() } else { format!("may {bare}") };
    let (what, why) = match code {
        Code::FilterDropsNew => (
            format!("{place} {} new connections to {flows}", verb("drops", "drop")),
            "the packet filter at input comes before IPVS, and a packet that it drops is never scheduled",
        ),
        Code::FilterDropsLater => (
            format!("{place} {} later packets of connections to {flows}", verb("drops", "drop")),
            "conntrack never sees connections of IPVS established: their packets are NEW for ever, \
             and the FIN is INVALID; connections open, and then hang or never end",
        ),
        Code::FilterDropsForwarded => (
            format!(
                "{place} {} what IPVS sends to real servers for {flows}",
                verb("drops", "drop")
            ),
            "what IPVS forwards leaves by the output hook, and conntrack calls it untracked",
        ),
        Code::FilterDropsAnswers => (
            format!(
                "{place} {} the answers of NAT real servers for {flows}",
                verb("drops", "drop")
            ),
            "answers come by the forward hook, where conntrack knows nothing of the connection \
             and calls the first of them INVALID",
        ),
        Code::Diverted => (
            format!("{place} {} packets to {flows} elsewhere", verb("leads", "lead")),
            "a packet that has another destination at input is none of the VIP any more",
        ),
        Code::MarkMissed => (
            format!("{place} {} packets to {flows} pass unmarked", verb("lets", "let")),
            "it stands before our rule in the same chain, and what it accepts leaves the chain: \
             without a mark no virtual service of the group takes it",
        ),
        _ => {
            let (rule, value) = place.rsplit_once(" to ").unwrap_or((place, "another"));
            (
                format!(
                    "{rule} {} the mark of packets to {flows} to {value}",
                    verb("changes", "change")
                ),
                "IPVS compares the whole mark, and it looks after this rule: another mark is \
                 another service, or none",
            )
        }
    };
    Finding {
        code,
        severity,
        groups,
        what,
        why: why.to_owned(),
        remedy,
        on_real_server: Vec::new(),
    }
}

/// A rule, by its handle or, in legacy iptables, by its number.
pub(super) fn named(chain: &ChainId, handle: u64) -> String {
    if chain.origin_is_legacy() {
        format!("rule {handle} of {chain}")
    } else {
        format!("the rule with handle {handle} in {chain}")
    }
}
