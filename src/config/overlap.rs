//! Which groups claim the same (VIP, protocol, port).
//!
//! Prefixes nest or are apart. Sorted by address and then by length, those that hold
//! the current one form a stack; each level of it keeps its claimed ports as intervals
//! without overlap. A claim is compared with one look-up a level: `n` claims cost
//! `O(n log n)` for any sensible depth, which cannot pass 32 or 128.

use std::collections::BTreeMap;

use crate::model::{Listener, PortRange, Prefix, Protocol};

/// Traffic that a group claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// The addresses.
    pub(super) vip: Prefix,
    /// The ports.
    pub(super) listener: Listener,
    /// The number of the group.
    pub(super) group: u32,
}

/// The claimed ports of one prefix and protocol: first port to last port and claim.
type Intervals = BTreeMap<u16, (u16, usize)>;

/// One prefix with what is claimed of it.
struct Level {
    vip: Prefix,
    ports: [Intervals; 3],
}

/// More pairs than this are not looked for, so that a configuration that is wrong from
/// end to end gets its answer too.
const MAX_PAIRS: usize = 100_000;

/// Pairs of claims of two groups that overlap, one pair for two groups, at most `limit`,
/// and how many pairs were found beyond it.
///
/// Each claim that overlaps an earlier one (in the order of addresses) of another group
/// is in a pair, or its group and the earlier one's are.
pub(super) fn conflicts(claims: &[Claim], limit: usize) -> (Vec<(Claim, Claim)>, usize) {
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_unstable_by_key(|&index| {
        let Claim { vip, group, listener } = claims[index];
        (vip.address(), vip.length(), group, listener)
    });
    let mut found: BTreeMap<(u32, u32), (Claim, Claim)> = BTreeMap::new();
    let mut stack: Vec<Level> = Vec::new();
    for index in order {
        if found.len() > MAX_PAIRS {
            break;
        }
        let claim = claims[index];
        while stack.last().is_some_and(|level| !level.vip.contains(&claim.vip)) {
            stack.pop();
        }
        let protocol = slot(claim.listener.protocol);
        for level in &stack {
            for (_, other) in within(&level.ports[protocol], claim.listener.ports) {
                note(&mut found, claims[other], claim);
            }
        }
        if stack.last().is_none_or(|level| level.vip != claim.vip) {
            stack.push(Level { vip: claim.vip, ports: Default::default() });
        }
        if let Some(level) = stack.last_mut() {
            take(&mut level.ports[protocol], claim.listener.ports, index);
        }
    }
    let beyond = found.len().saturating_sub(limit);
    (found.into_values().take(limit).collect(), beyond)
}

/// Takes note of two groups that meet for the first time.
fn note(found: &mut BTreeMap<(u32, u32), (Claim, Claim)>, one: Claim, other: Claim) {
    if one.group == other.group {
        return;
    }
    let (first, second) = if one.group < other.group { (one, other) } else { (other, one) };
    found.entry((first.group, second.group)).or_insert((first, second));
}

fn slot(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Tcp => 0,
        Protocol::Udp => 1,
        Protocol::Sctp => 2,
    }
}

/// The intervals that share a port with the range: their last port and claim.
fn within(intervals: &Intervals, ports: PortRange) -> impl Iterator<Item = (u16, usize)> + '_ {
    let before = intervals.range(..ports.first()).next_back();
    let before = before.filter(move |(_, (last, _))| *last >= ports.first());
    let inside = intervals.range(ports.first()..=ports.last());
    before.into_iter().chain(inside).map(|(_, &found)| found)
}

/// Gives what is free of a range to a claim; the rest stays with those who have it.
fn take(intervals: &mut Intervals, ports: PortRange, claim: usize) {
    let taken: Vec<(u16, u16)> = {
        let before = intervals.range(..ports.first()).next_back();
        let before = before.filter(|(_, (last, _))| *last >= ports.first());
        let inside = intervals.range(ports.first()..=ports.last());
        before.into_iter().chain(inside).map(|(&first, &(last, _))| (first, last)).collect()
    };
    let mut next = u32::from(ports.first());
    let mut give = |first: u32, end: u32| {
        // Both are ports, for a gap ends before a taken port or at the last of the range.
        if first < end
            && let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(end - 1))
        {
            intervals.insert(first, (last, claim));
        }
    };
    for (first, last) in taken {
        give(next, u32::from(first));
        next = next.max(u32::from(last) + 1);
    }
    give(next, u32::from(ports.last()) + 1);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    impl Claim {
        /// Whether some packet is claimed by both.
        fn overlaps(&self, other: &Self) -> bool {
            self.listener.protocol == other.listener.protocol
                && self.listener.ports.overlaps(other.listener.ports)
                && self.vip.overlaps(&other.vip)
        }
    }

    fn claim(vip: &str, ports: &str, group: u32) -> Claim {
        let listener = match ports {
            "any" => Listener { protocol: Protocol::Tcp, ports: PortRange::ANY },
            ports => ports.parse().expect(ports),
        };
        Claim { vip: vip.parse().expect(vip), listener, group }
    }

    fn pairs(claims: &[Claim]) -> BTreeSet<(u32, u32)> {
        let (found, beyond) = conflicts(claims, usize::MAX);
        assert_eq!(beyond, 0);
        for (first, second) in &found {
            assert!(first.overlaps(second), "{first:?} and {second:?} do not overlap");
        }
        found.iter().map(|(first, second)| (first.group, second.group)).collect()
    }

    /// Compares each claim with each.
    fn oracle(claims: &[Claim]) -> BTreeSet<(u32, u32)> {
        let mut pairs = BTreeSet::new();
        for (index, one) in claims.iter().enumerate() {
            for other in &claims[index + 1..] {
                if one.group != other.group && one.overlaps(other) {
                    pairs.insert((one.group.min(other.group), one.group.max(other.group)));
                }
            }
        }
        pairs
    }

    #[test]
    fn ports_prefixes_and_protocols_decide_together() {
        let web = claim("192.0.2.0/28", "80-90", 0);
        assert_eq!(pairs(&[web, claim("192.0.2.7", "85", 1)]), BTreeSet::from([(0, 1)]));
        assert_eq!(pairs(&[claim("192.0.2.7", "any", 1), web]), BTreeSet::from([(0, 1)]));
        assert!(pairs(&[web, claim("192.0.2.7", "85/udp", 1)]).is_empty());
        assert!(pairs(&[web, claim("192.0.2.7", "91", 1)]).is_empty());
        assert!(pairs(&[web, claim("192.0.2.16", "80", 1)]).is_empty());
        assert!(pairs(&[web, claim("192.0.2.7", "80", 0)]).is_empty());
    }

    #[test]
    fn what_one_claim_hides_is_found_behind_it() {
        // Group 1 overlaps group 0 and is given only what is free; group 2 meets it there.
        let claims = [
            claim("192.0.2.7", "80-90", 0),
            claim("192.0.2.7", "85-95", 1),
            claim("192.0.2.7", "93-94", 2),
        ];
        assert_eq!(pairs(&claims), BTreeSet::from([(0, 1), (1, 2)]));
    }

    fn any_claim() -> impl Strategy<Value = Claim> {
        let vip = prop_oneof![
            (0..32u8, 27..=32u8).prop_map(|(host, length)| (format!("10.0.0.{host}"), length, 32)),
            (0..16u8, 124..=128u8).prop_map(|(host, length)| (format!("::a{host:x}"), length, 128)),
        ];
        let vip = vip.prop_map(|(address, length, _)| {
            let address: std::net::IpAddr = address.parse().expect("an address");
            match Prefix::new(address, length) {
                Err(crate::model::InvalidPrefix::HostBits { network, .. }) => network,
                other => other.expect("a prefix"),
            }
        });
        let range = (1..30u16, 0..6u16)
            .prop_map(|(first, more)| PortRange::new(first, first + more).expect("a range"));
        let ports = prop_oneof![9 => range, 1 => Just(PortRange::ANY)];
        let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp)];
        (vip, ports, protocol, 0..12u32).prop_map(|(vip, ports, protocol, group)| Claim {
            vip,
            listener: Listener { protocol, ports },
            group,
        })
    }

    proptest! {
        #[test]
        fn a_sweep_finds_what_comparing_all_pairs_finds(
            claims in prop::collection::vec(any_claim(), 0..24),
        ) {
            let (found, all) = (pairs(&claims), oracle(&claims));
            prop_assert!(found.is_subset(&all));
            prop_assert_eq!(found.is_empty(), all.is_empty());
        }

        #[test]
        fn every_group_in_conflict_is_in_a_pair(
            claims in prop::collection::vec(any_claim(), 0..24),
        ) {
            let groups = |pairs: BTreeSet<(u32, u32)>| {
                pairs.into_iter().flat_map(|(one, other)| [one, other]).collect::<BTreeSet<_>>()
            };
            prop_assert_eq!(groups(pairs(&claims)), groups(oracle(&claims)));
        }
    }
}
