//! A switch in three batches among others who edit the ruleset, and what an interrupted one
//! leaves, on the memory director.

mod longer;
mod states;

use std::cell::RefCell;

use fwmarkctl::backend::memory::{Fault, MemoryDirector};
use fwmarkctl::backend::{
    CountedRuleset, Director, Generation, MarkRuleset, Netfilter, NetfilterError, Observed,
};
use fwmarkctl::model::{Mark, Marker, PortRange, Protocol};
use fwmarkctl::plan::{Action, MarkSwitch, Plan, Summary};
use fwmarkctl::state::{
    DirectorState, MarkEntry, MarkKey, Marking, Observation, Ownership, TransactionId,
};
use fwmarkctl::transaction::{
    Aim, Author, Identity, NoJournal, Outcome, Purpose, Silent, Transaction, TransactionError,
    observe,
};
use proptest::prelude::*;

fn key(last_port: u16) -> MarkKey {
    MarkKey {
        destination: "192.0.2.1".parse().expect("a prefix"),
        protocol: Protocol::Tcp,
        ports: PortRange::new(80, last_port).expect("ports"),
    }
}

/// A range of ports with a mark.
fn range(last_port: u16, mark: u32) -> DirectorState {
    let entry = MarkEntry { mark: Mark::new(mark), group: "web".parse().ok() };
    DirectorState { marking: Marking::from([(key(last_port), entry)]), ..Default::default() }
}

/// A director beside which somebody does something before the switch of a number.
struct Beside<'a> {
    memory: &'a MemoryDirector,
    /// The batches that were asked for.
    batches: RefCell<Vec<MarkSwitch>>,
    before: usize,
    somebody: fn(&mut MarkRuleset),
}

impl Netfilter for Beside<'_> {
    fn marker(&self) -> Marker {
        Marker::Nftables
    }

    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        self.memory.observe_counted()
    }

    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        Netfilter::observe(self.memory)
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        if self.batches.borrow().len() == self.before {
            self.memory.meddle_with_ruleset(self.somebody);
        }
        self.batches.borrow_mut().push(change.clone());
        self.memory.switch(change, at)
    }

    fn settle(&self) {}
}

fn run(
    netfilter: &dyn Netfilter,
    memory: &MemoryDirector,
    desired: &DirectorState,
) -> Result<Outcome, TransactionError> {
    let director = Director { netfilter: &[netfilter], ipvs: memory, machine: memory };
    let identity = Identity {
        transaction: TransactionId(memory.writes() as u64),
        boot: "b".into(),
        author: Author::default(),
    };
    let aim = Aim::new(desired, Purpose::Apply);
    Transaction::new(&director, identity, &NoJournal, &mut Silent).run(aim)
}

fn director_in(state: &DirectorState) -> MemoryDirector {
    let memory = MemoryDirector::new();
    drop(run(&memory, &memory, state).expect("nothing is wrong yet"));
    memory
}

fn seen(memory: &MemoryDirector, wanted: &DirectorState) -> Observation {
    let director = Director { netfilter: &[memory], ipvs: memory, machine: memory };
    observe(&director, wanted, &Ownership::default()).expect("memory can be read")
}

fn holds(memory: &MemoryDirector, wanted: &DirectorState) -> bool {
    Plan::between(&seen(memory, wanted), wanted).is_empty()
}

/// How many batches an apply takes while somebody does something before one of them.
fn batches(before: usize, somebody: fn(&mut MarkRuleset)) -> usize {
    let (from, to) = (range(90, 1), range(95, 2));
    let memory = director_in(&from);
    let beside = Beside { memory: &memory, batches: RefCell::default(), before, somebody };
    let outcome = run(&beside, &memory, &to);
    assert!(outcome.is_ok(), "before batch {before}: {outcome:?}");
    assert!(holds(&memory, &to), "before batch {before}");
    beside.batches.into_inner().len()
}

#[test]
fn another_editor_at_any_of_the_three_batches_costs_one_more() {
    let nothing: fn(&mut MarkRuleset) = |_| {};
    assert_eq!(batches(9, nothing), 3);
    // What is in the shadow already is not put there again, and is taken out all the same.
    for before in 0..3 {
        assert_eq!(batches(before, nothing), 4, "before batch {before}");
    }
}

#[test]
fn whoever_empties_the_shadow_maps_first_is_thanked_for_it() {
    let flush: fn(&mut MarkRuleset) = |ruleset| ruleset.shadow.clear();
    assert_eq!(batches(1, flush), 5, "the shadow is cast again");
    assert_eq!(batches(2, flush), 3, "there is nothing left to take out");
}

#[test]
fn what_somebody_adds_to_the_shadow_maps_meanwhile_goes_too() {
    let add: fn(&mut MarkRuleset) = |ruleset| {
        ruleset.shadow.insert(key(85), MarkEntry { mark: Mark::new(7), group: None });
    };
    for before in 0..3 {
        assert!(batches(before, add) <= 5, "before batch {before}");
    }
}

#[test]
fn an_editor_who_never_stops_is_given_up_on() {
    let (from, to) = (range(90, 1), range(95, 2));
    for after in 0..3 {
        let memory = director_in(&from);
        memory.set_fault(Some(Fault::Meddle { after, times: u32::MAX }));
        let outcome = run(&memory, &memory, &to);
        match after {
            0 => assert!(matches!(outcome, Err(TransactionError::Restored { .. })), "{outcome:?}"),
            _ => assert!(matches!(outcome, Err(TransactionError::Incomplete(_))), "{outcome:?}"),
        }
        memory.set_fault(None);
        assert!(run(&memory, &memory, &to).is_ok());
        assert!(holds(&memory, &to));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: longer::cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_an_interrupted_switch_left_is_seen_and_taken_out(
        a in states::state(),
        b in states::state(),
        leftovers in states::marking(4),
    ) {
        prop_assume!(!a.is_empty());
        let memory = director_in(&a);
        memory.meddle_with_ruleset(|ruleset| ruleset.shadow.clone_from(&leftovers));
        let plan = Plan::between(&seen(&memory, &a), &a);
        let lines = plan.lines();
        prop_assert_eq!(lines.len(), leftovers.len());
        for line in &lines {
            prop_assert_eq!(line.action, Action::Remove);
            let before = line.before.as_deref().unwrap_or_default();
            prop_assert!(before.ends_with("left by a switch that was interrupted"), "{}", before);
        }
        let plan = Plan::between(&seen(&memory, &b), &b);
        prop_assert_eq!(plan.summary(), Summary::of(&plan.lines()));
        prop_assert!(run(&memory, &memory, &b).is_ok());
        prop_assert!(holds(&memory, &b));
        prop_assert_eq!(seen(&memory, &b).ruleset.shadow, Marking::new());
    }

    #[test]
    fn a_refusal_beside_leftovers_leads_back_too(
        a in states::state(),
        b in states::state(),
        leftovers in states::marking(4),
    ) {
        prop_assume!(!a.is_empty());
        for refused in 0.. {
            let memory = director_in(&a);
            memory.meddle_with_ruleset(|ruleset| ruleset.shadow.clone_from(&leftovers));
            memory.set_fault(Some(Fault::RefuseChange(refused)));
            let outcome = run(&memory, &memory, &b);
            if outcome.is_ok() {
                break;
            }
            let restored = matches!(outcome, Err(TransactionError::Restored { .. }));
            prop_assert!(restored, "{}: {:?}", refused, outcome);
            let found = seen(&memory, &a);
            prop_assert_eq!(&found.ruleset.entries, &a.marking);
            // Untouched, or emptied on the way back.
            let shadow = &found.ruleset.shadow;
            prop_assert!(shadow.is_empty() || *shadow == leftovers);
        }
    }
}
