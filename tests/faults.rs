//! Faults on the memory director: whatever is refused, lost or meddled with, the end is
//! the state before or the state after, never a mix; and when neither can be reached,
//! the outcome says so.

mod longer;
mod states;

use std::cell::RefCell;
use std::io;

use fwmarkctl::backend::memory::{Fault, MemoryDirector};
use fwmarkctl::backend::{Frame, Ipvs, MarkRuleset, Netfilter};
use fwmarkctl::plan::{Plan, ServiceChange};
use fwmarkctl::state::{DirectorState, Observation, Ownership, ServiceTable, TransactionId};
use fwmarkctl::transaction::{
    Aim, Author, Ending, Identity, Intent, Journal, NoJournal, Outcome, Purpose, Silent,
    Transaction, TransactionError, observe,
};
use proptest::prelude::*;

/// A journal that forgets with the test.
#[derive(Default)]
struct Notebook(RefCell<Ownership>);

impl Journal for Notebook {
    fn owned(&self) -> Ownership {
        self.0.borrow().clone()
    }

    fn remember(&self, owned: &Ownership) -> io::Result<()> {
        self.0.borrow_mut().clone_from(owned);
        Ok(())
    }

    fn next_generation(&self) -> u64 {
        1
    }

    fn is_saved(&self) -> bool {
        true
    }

    fn begin(&self, _: &Intent, owned: &Ownership) -> io::Result<()> {
        self.remember(owned)
    }

    fn abort(&self, _: &Intent) -> io::Result<()> {
        Ok(())
    }

    fn commit(&self, _: &Intent) -> io::Result<()> {
        Ok(())
    }

    fn end(&self, _: &Intent, _: Ending, owned: &Ownership) -> io::Result<()> {
        self.remember(owned)
    }
}

/// Any state without settings, for tests without a journal.
fn state() -> impl Strategy<Value = DirectorState> {
    states::state_of_any_marker().prop_map(|mut state| {
        state.settings.clear();
        state
    })
}

fn run(
    memory: &MemoryDirector,
    desired: &DirectorState,
    adopt: bool,
) -> Result<Outcome, TransactionError> {
    run_with(memory, desired, adopt, &NoJournal)
}

fn run_with(
    memory: &MemoryDirector,
    desired: &DirectorState,
    adopt: bool,
    journal: &dyn Journal,
) -> Result<Outcome, TransactionError> {
    let identity = Identity {
        transaction: TransactionId(memory.writes() as u64),
        boot: "b".into(),
        author: Author::default(),
    };
    let aim = Aim { adopt, ..Aim::new(desired, Purpose::Apply) };
    memory.with(|director| Transaction::new(director, identity, journal, &mut Silent).run(aim))
}

/// What the director holds of ours, compared with `wanted`: nothing is left to do.
fn holds(memory: &MemoryDirector, wanted: &DirectorState) -> bool {
    let seen = memory.with(|director| observe(director, wanted, &Ownership::default()));
    let seen = seen.expect("memory can be read");
    Plan::between(&seen, wanted).is_empty() && memory.services().len() == wanted.services.len()
}

fn director_in(state: &DirectorState) -> MemoryDirector {
    let memory = MemoryDirector::new();
    memory.meddle_with_settings(|settings| *settings = states::foreign_settings());
    let outcome = run(&memory, state, false).expect("nothing is wrong yet");
    assert!(matches!(outcome, Outcome::Applied(_)) || state.is_empty());
    assert!(holds(&memory, state));
    memory
}

proptest! {
    #![proptest_config(ProptestConfig { cases: longer::cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_state_is_in_sync_with_itself(a in state()) {
        prop_assert!(Plan::between(&Observation::of(&a), &a).is_empty());
    }

    #[test]
    fn a_second_apply_writes_nothing(a in state()) {
        let memory = director_in(&a);
        let writes = memory.writes();
        let in_sync = matches!(run(&memory, &a, false), Ok(Outcome::InSync { .. }));
        prop_assert!(in_sync);
        prop_assert_eq!(memory.writes(), writes);
    }

    #[test]
    fn any_state_leads_to_any_other(a in state(), b in state()) {
        let memory = director_in(&a);
        prop_assert!(run(&memory, &b, false).is_ok());
        prop_assert!(holds(&memory, &b));
        prop_assert!(run(&memory, &DirectorState::default(), false).is_ok());
        prop_assert!(memory.services().is_empty());
        prop_assert_eq!(Netfilter::observe(&memory).unwrap().value, MarkRuleset::default());
    }

    #[test]
    fn whichever_change_is_refused_the_state_before_returns(
        a in states::state_of_any_marker(),
        b in states::state_of_any_marker(),
    ) {
        // What settings were before is in the journal alone.
        let begin = || {
            let (memory, journal) = (MemoryDirector::new(), Notebook::default());
            memory.meddle_with_settings(|settings| *settings = states::foreign_settings());
            drop(run_with(&memory, &a, false, &journal).expect("nothing is wrong yet"));
            memory.set_fault(None);
            (memory, journal)
        };
        let (memory, journal) = begin();
        prop_assert!(run_with(&memory, &b, false, &journal).is_ok());
        let changes = memory.changes();
        for k in 0..changes {
            let (memory, journal) = begin();
            let settings = memory.settings();
            memory.set_fault(Some(Fault::RefuseChange(k)));
            let end = run_with(&memory, &b, false, &journal);
            let restored = matches!(end, Err(TransactionError::Restored { .. }));
            prop_assert!(restored, "change {} of {}", k, changes);
            prop_assert!(holds(&memory, &a), "change {} of {}", k, changes);
            prop_assert_eq!(memory.settings(), settings, "change {} of {}", k, changes);
        }
    }

    #[test]
    fn when_the_way_back_is_barred_too_the_outcome_says_what_remains(
        a in state(),
        b in state(),
        k in 0_usize..20,
    ) {
        let memory = director_in(&a);
        let services = a.services.keys().copied().collect();
        let journal = Notebook(RefCell::new(Ownership { services, ..Ownership::default() }));
        memory.set_fault(Some(Fault::RefuseFrom(k)));
        match run_with(&memory, &b, false, &journal) {
            Ok(_) => prop_assert!(holds(&memory, &b)),
            Err(TransactionError::Restored { .. }) => prop_assert!(holds(&memory, &a)),
            Err(TransactionError::Incomplete(incomplete)) => {
                prop_assert!(!incomplete.remaining.is_empty());
                // What was left is known for ours, so the next apply ends it.
                memory.set_fault(None);
                prop_assert!(run_with(&memory, &b, false, &journal).is_ok());
                prop_assert!(holds(&memory, &b));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn a_lost_answer_is_asked_of_the_ledger(a in state(), b in state()) {
        let memory = director_in(&a);
        memory.set_fault(Some(Fault::LoseAnswer));
        prop_assert!(run(&memory, &b, false).is_ok());
        prop_assert!(holds(&memory, &b));
    }

    #[test]
    fn another_editor_makes_us_plan_again_or_give_up(
        a in state(),
        b in state(),
        after in 0_u32..3,
        times in 1_u32..12,
    ) {
        let memory = director_in(&a);
        memory.set_fault(Some(Fault::Meddle { after, times }));
        match run(&memory, &b, false) {
            Ok(_) => prop_assert!(holds(&memory, &b)),
            Err(TransactionError::Restored { .. }) => prop_assert!(holds(&memory, &a)),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn drift_of_services_is_repaired(a in state(), b in state()) {
        let memory = director_in(&a);
        // Somebody removes every other service, and replaces the destinations of the
        // rest by what another config would have.
        memory.meddle_with_services(|services| {
            let mut keep = false;
            services.retain(|_, _| { keep = !keep; keep });
            for (service, other) in services.values_mut().zip(b.services.values()) {
                service.destinations.clone_from(&other.destinations);
            }
        });
        prop_assert!(run(&memory, &a, false).is_ok());
        prop_assert!(holds(&memory, &a));
    }

    #[test]
    fn foreign_services_are_refused_then_adopted_or_put_back(a in state()) {
        prop_assume!(!a.services.is_empty());
        let memory = MemoryDirector::new();
        let foreign: ServiceTable = a.services.iter().take(1).map(|(key, service)| {
            let mut service = service.without_destinations();
            service.recorded = false;
            service.group = None;
            service.timeout += 1;
            (*key, service)
        }).collect();
        memory.meddle_with_services(|services| services.extend(foreign.clone()));
        let conflict =
            matches!(run(&memory, &a, false), Err(TransactionError::Conflict(found)) if found.len() == 1);
        prop_assert!(conflict);
        prop_assert_eq!(memory.services(), foreign.clone());
        prop_assert_eq!(memory.writes(), 0);

        memory.set_fault(Some(Fault::RefuseChange(a.services.len())));
        if let Err(error) = run(&memory, &a, true) {
            let restored = matches!(error, TransactionError::Restored { .. });
            prop_assert!(restored);
            prop_assert_eq!(memory.services(), foreign);
            prop_assert_eq!(Netfilter::observe(&memory).unwrap().value, MarkRuleset::default());
        }
        memory.set_fault(None);
        prop_assert!(run(&memory, &a, true).is_ok());
        prop_assert!(holds(&memory, &a));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: longer::cases(256), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn a_service_that_somebody_makes_meanwhile_keeps_nothing_of_ours(b in state()) {
        prop_assume!(!b.services.is_empty());
        let memory = MemoryDirector::new();
        memory.set_fault(Some(Fault::Intrude));
        let conflict =
            matches!(run(&memory, &b, false), Err(TransactionError::Conflict(found)) if found.len() == 1);
        prop_assert!(conflict);
        let left = memory.services();
        prop_assert_eq!(left.len(), 1, "the one that is not ours");
        prop_assert!(left.values().all(|service| service.destinations.is_empty()));
    }

    #[test]
    fn a_refused_change_leaves_a_drifted_ruleset_as_it_was(
        a in state(),
        b in state(),
    ) {
        prop_assume!(!a.is_empty() && a.services != b.services);
        let memory = director_in(&a);
        memory.meddle_with_ruleset(|ruleset| {
            ruleset.frame = Frame::RulesDiffer(vec!["a rule of somebody".to_owned()]);
        });
        let drifted = memory.on(a.marker).observe().unwrap().value;
        memory.set_fault(Some(Fault::RefuseChange(0)));
        if run(&memory, &b, false).is_err() {
            prop_assert_eq!(memory.on(a.marker).observe().unwrap().value, drifted);
        }
    }
}

/// Somebody removes what a transaction is about to remove: it is gone, and all is well.
#[test]
fn what_is_gone_already_need_not_be_removed() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..200 {
        use proptest::strategy::ValueTree;
        let (a, b) = (state(), state()).new_tree(&mut runner).expect("a pair").current();
        let memory = director_in(&a);
        let seen = memory.with(|director| observe(director, &b, &Ownership::default()));
        let seen = seen.expect("memory can be read");
        let plan = Plan::between(&seen, &b);
        let mut removals = plan.retire;
        removals.retain(|change| {
            use ServiceChange::{RemoveDestination, RemoveService};
            matches!(change, RemoveService(..) | RemoveDestination(..))
        });
        Ipvs::apply(&memory, &removals).expect("it is there");
        Ipvs::apply(&memory, &removals).expect("it is gone");
    }
}

#[test]
fn no_plan_touches_a_service_that_is_not_recorded() {
    let seen = Observation { services: states::foreign_services(), ..Observation::default() };
    assert!(Plan::between(&seen, &DirectorState::default()).is_empty());
}

#[test]
fn foreign_services_elsewhere_are_never_touched() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let pair = (state(), state());
    for _ in 0..100 {
        use proptest::strategy::ValueTree;
        let (a, b) = pair.new_tree(&mut runner).expect("a pair").current();
        let memory = MemoryDirector::new();
        let foreign = states::foreign_services();
        memory.meddle_with_services(|services| services.extend(foreign.clone()));
        for state in [&a, &b, &DirectorState::default()] {
            let outcome = run(&memory, state, false).expect("no conflict");
            drop(outcome);
            let keys = foreign.keys().copied().collect();
            assert_eq!(Ipvs::observe(&memory, &keys).expect("readable"), foreign);
        }
    }
}
