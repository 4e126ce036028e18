//! No packet that is marked before a change and after it goes without one of the two marks
//! in between, in a model of what the kernel shows while it commits: what a batch removes
//! is hidden at once, what it adds to a hash map is shown at once, and what it adds to an
//! interval map is shown when all else is done.

mod states;

use std::net::IpAddr;

use fwmarkctl::model::{Mark, Prefix, Protocol};
use fwmarkctl::plan::{FrameChange, MarkSwitch, Plan, Shadow};
use fwmarkctl::state::{DirectorState, Lookup, MarkKey, Marking, Observation};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// A packet that has a port.
type Packet = (IpAddr, Protocol, u16);

/// Hash maps, interval maps and shadow maps, in the order in which they are looked up.
#[derive(Clone, Default)]
struct Kernel([Marking; 3]);

/// Which of the maps has a key, but for the shadow maps.
fn place(key: &MarkKey) -> usize {
    usize::from(key.lookup() == Lookup::Range)
}

impl Kernel {
    fn of(entries: &Marking, shadow: &Marking) -> Self {
        let mut kernel = Self([Marking::new(), Marking::new(), shadow.clone()]);
        for (key, entry) in entries {
            kernel.0[place(key)].insert(*key, entry.clone());
        }
        kernel
    }

    fn mark(&self, (address, protocol, port): Packet) -> Option<Mark> {
        let hits = |key: &MarkKey| {
            key.protocol == protocol
                && key.destination.contains(&Prefix::host(address))
                && (key.ports.first()..=key.ports.last()).contains(&port)
        };
        self.0.iter().flatten().find(|(key, _)| hits(key))?.1.mark
    }

    /// What there is while a batch is committed, and after that.
    fn commit(&self, batch: &MarkSwitch) -> [Self; 2] {
        let entries = batch.entries.iter().map(|change| (place(&change.key), change));
        let changes: Vec<_> =
            entries.chain(batch.shadow.iter().map(|change| (2, change))).collect();
        let mut during = self.clone();
        for (map, change) in &changes {
            during.0[*map].remove(&change.key);
        }
        let mut after = during.clone();
        for (map, change) in changes {
            let Some(entry) = &change.after else { continue };
            after.0[map].insert(change.key, entry.clone());
            if map == 0 {
                during.0[map].insert(change.key, entry.clone());
            }
        }
        [during, after]
    }
}

/// The corners of all keys, and the port behind them.
fn packets<'a>(keys: impl Iterator<Item = &'a MarkKey>) -> Vec<Packet> {
    let of_key = |key: &MarkKey| {
        let MarkKey { destination, protocol, ports } = *key;
        let ports = [ports.first(), ports.last(), ports.last().saturating_add(1)];
        let addresses = [destination.address(), destination.last()];
        addresses.into_iter().flat_map(move |address| ports.map(|port| (address, protocol, port)))
    };
    keys.flat_map(of_key).collect()
}

/// Goes from what was observed to a state; the answer is whether that needed a shadow.
fn needs_a_shadow(observed: &Observation, to: &DirectorState) -> bool {
    let plan = Plan::between(observed, to);
    if plan.switch.frame != FrameChange::Keep {
        return false;
    }
    let (entries, leftovers) = (&observed.ruleset.entries, &observed.ruleset.shadow);
    let needs_one = !plan.shadow.entries.is_empty();
    let lift = needs_one.then(|| Shadow::lift(&plan.shadow.entries));
    let mut seen = vec![Kernel::of(entries, leftovers)];
    for batch in plan.shadow.cast().iter().chain([&plan.switch]).chain(&lift) {
        let last = seen.last().expect("there is one");
        seen.extend(last.commit(batch));
    }
    let after = seen.last().expect("there is one").clone();
    assert_eq!(after.0, Kernel::of(&to.marking, &Marking::new()).0);

    let before = Kernel::of(entries, &Marking::new());
    for packet in packets(entries.keys().chain(to.marking.keys()).chain(leftovers.keys())) {
        let (old, new) = (before.mark(packet), after.mark(packet));
        for (moment, kernel) in seen.iter().enumerate() {
            let mark = kernel.mark(packet);
            // The mark of a leftover is promised to nobody.
            let is_left = old.is_none() && mark.is_some() && !leftovers.is_empty();
            let unbroken = mark == old || mark == new || is_left;
            let is_lost = mark.is_none() && old.is_some() && new.is_some();
            assert!(unbroken && !is_lost, "{packet:?} gets {mark:?} at {moment}, {plan:#?}");
        }
    }
    needs_one
}

#[test]
fn a_packet_that_is_marked_before_and_after_a_change_is_marked_all_the_time() {
    let mut runner = TestRunner::deterministic();
    let states = (states::state(), states::state(), states::marking(3));
    let mut shadows = 0;
    for number in 0..20_000 {
        let (a, b, leftovers) = states.new_tree(&mut runner).expect("states").current();
        let mut observed = Observation::of(&a);
        // As after a switch that was interrupted, now and then.
        if number % 4 == 0 {
            observed.ruleset.shadow = leftovers;
        }
        shadows += usize::from(needs_a_shadow(&observed, &b));
    }
    assert!(shadows > 1_000, "only {shadows} changes need a shadow");
}
