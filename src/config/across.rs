//! What only all groups together can get wrong: names, marks and claims.

use std::collections::{HashMap, HashSet};

use crate::model::{Listener, MarkRange, PortRange, Via};

use super::codes::Code;
use super::diagnostic::{Diagnostic, MAX_ERRORS, Report, Spot};
use super::overlap::{Claim, conflicts};
use super::resolve::Draft;
use super::text::clean;

/// The most groups of a configuration.
pub const MAX_GROUPS: usize = 65_536;

/// The most mark entries: a VIP and a listener of it each.
pub const MAX_ENTRIES: usize = 1_048_576;

/// Reports a group whose name another file has used, and answers whether it is so.
pub(super) fn is_duplicate(
    report: &mut Report,
    seen: &mut HashMap<String, Spot>,
    name: &str,
    spot: Spot,
) -> bool {
    let Some(&first) = seen.get(name) else {
        seen.insert(name.to_owned(), spot);
        return false;
    };
    let other = report.label(first, "first defined here");
    let diagnostic =
        report.error(Code::DuplicateGroup, spot, &format!("group {name}: defined twice"));
    diagnostic
        .label("again here")
        .also(other)
        .help("merge the two, or give one of them another name");
    diagnostic.group = Some(clean(name));
    true
}

/// Reports what is wrong between the groups.
pub(super) fn check(report: &mut Report, drafts: &[Draft]) {
    marks(report, drafts);
    let entries: usize = drafts
        .iter()
        .filter(|draft| draft.enabled)
        .map(|draft| draft.vips.len().saturating_mul(draft.listeners.len()))
        .fold(0, usize::saturating_add);
    if entries > MAX_ENTRIES {
        let message = format!(
            "the groups have {entries} pairs of a VIP and a port, and {MAX_ENTRIES} is the limit"
        );
        report
            .placeless(Code::TooLarge, &message)
            .help("write neighbouring VIPs as one prefix, and neighbouring ports as one range");
        return;
    }
    claims(report, drafts, entries);
}

/// One mark twice: in two groups, or for two ports of one group. A group that is
/// disabled keeps its mark.
fn marks(report: &mut Report, drafts: &[Draft]) {
    let mut marks: Vec<_> = drafts
        .iter()
        .enumerate()
        .flat_map(|(index, draft)| draft.marks.iter().map(move |&(mark, spot)| (mark, spot, index)))
        .collect();
    marks.sort_unstable();
    let mut first = None;
    for (mark, spot, index) in marks {
        let Some((_, first_spot, first_index)) = first.filter(|&(taken, _, _)| taken == mark)
        else {
            first = Some((mark, spot, index));
            continue;
        };
        let (one, other) = (clean(&drafts[first_index].name), clean(&drafts[index].name));
        let message = if first_index == index {
            format!("group {other}: mark {mark} is given to two ports")
        } else {
            format!("group {other}: mark {mark} belongs to group {one} already")
        };
        let label = report.label(first_spot, "first given here");
        let diagnostic = report.error(Code::MarkTaken, spot, &message);
        diagnostic.label("the same mark").also(label).help(
            "IPVS would make one service of the two: choose another mark, or leave it out for an automatic one",
        );
        diagnostic.group = Some(other);
    }
}

/// Whether the range of automatic marks has one for everybody who needs one. Marks of it
/// that somebody chose are taken.
pub(super) fn range(report: &mut Report, drafts: &[Draft], range: MarkRange, spot: Option<Spot>) {
    let needs = |draft: &Draft| {
        let group = draft.group.as_ref()?;
        let all = if group.is_per_listener() { group.listeners.iter().count() } else { 1 };
        Some(all.saturating_sub(draft.marks.len()))
    };
    let needed: usize = drafts.iter().filter_map(needs).sum();
    let chosen = drafts.iter().flat_map(|draft| &draft.marks);
    let taken: HashSet<_> =
        chosen.map(|(mark, _)| *mark).filter(|mark| range.contains(*mark)).collect();
    let free = range.size().saturating_sub(taken.len() as u64);
    if needed as u64 <= free {
        return;
    }
    let message = format!(
        "{needed} automatic marks are needed, and the range {range} has {free} that nobody chose"
    );
    match spot {
        Some(spot) => report.error(Code::MarksExhausted, spot, &message).label("too narrow"),
        None => report.placeless(Code::MarksExhausted, &message),
    }
    .help("widen marks in [director], or write mark = NUMBER in some groups; disabled groups keep theirs");
}

fn claims(report: &mut Report, drafts: &[Draft], entries: usize) {
    let mut claims = Vec::with_capacity(entries);
    for (group, draft) in (0..).zip(drafts).filter(|(_, draft)| draft.enabled) {
        for &(vip, _) in &draft.vips {
            let of = |&(listener, _): &_| Claim { vip, listener, group };
            claims.extend(draft.listeners.iter().map(of));
        }
    }
    let (pairs, beyond) = conflicts(&claims, MAX_ERRORS);
    report.omit(beyond);
    for (first, second) in pairs {
        overlap(report, drafts, first, second);
    }
}

/// Reports two claims, the first of the group that is written first.
fn overlap<'r>(
    report: &'r mut Report,
    drafts: &[Draft],
    first: Claim,
    second: Claim,
) -> &'r mut Diagnostic {
    let draft = |claim: Claim| &drafts[claim.group as usize];
    let vip_spot = |claim: Claim| {
        let vips = &draft(claim).vips;
        vips.iter().find(|(vip, _)| *vip == claim.vip).map_or(draft(claim).spot, |&(_, spot)| spot)
    };
    let (one, other) = (clean(&draft(first).name), clean(&draft(second).name));
    let vip = if first.vip.contains(&second.vip) { second.vip } else { first.vip };
    let both = common(first.listener, second.listener);
    let label = report.label(
        vip_spot(first),
        format!("group {one} claims {} of {} here", first.listener, first.vip),
    );
    let message = format!("group {other}: {both} of {vip} is claimed by group {one} already");
    let diagnostic = report.error(Code::Claimed, vip_spot(second), &message);
    diagnostic.group = Some(other);
    let help = if draft(first).via == Via::Mark && draft(second).via == Via::Mark {
        "a packet can have one mark: take the port or the VIP out of one of them, or merge them"
    } else {
        "a packet has one service, and IPVS looks for that of its mark before that of its address: take the port or the VIP out of one of them, or merge them"
    };
    diagnostic.label(format!("{} of {} again", second.listener, second.vip)).also(label).help(help)
}

/// What two listeners that overlap have in common.
fn common(one: Listener, other: Listener) -> Listener {
    let first = one.ports.first().max(other.ports.first());
    let last = one.ports.last().min(other.ports.last());
    // Only two that are both "any" begin at port 0.
    Listener { protocol: one.protocol, ports: PortRange::new(first, last).unwrap_or(one.ports) }
}
