//! Random states on the real kernel: whatever is there, a transaction leads to what is
//! wanted, or leaves what was.

use fwmarkctl::backend::{self, KernelDirector};
use fwmarkctl::model::{Family, Mark};
use fwmarkctl::plan::{Plan, ServiceChange};
use fwmarkctl::state::{DirectorState, Netmask, Ownership, ServiceKey, SettingKey, TransactionId};
use fwmarkctl::transaction::{
    Aim, Author, Identity, NoJournal, Outcome, Purpose, Silent, Transaction, TransactionError,
    observe,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::lab::Director;
use crate::scene::marked;
use crate::states;

fn cases(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: crate::longer::cases(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// What `work` does with the kernel of the calling thread's namespace.
fn with_kernel<T>(work: impl FnOnce(&backend::Director<'_>) -> T) -> T {
    KernelDirector::new().with(work)
}

/// Any state without what needs a network: this director has no devices.
fn state() -> impl Strategy<Value = DirectorState> {
    states::state().prop_map(|mut state| {
        let stays = |key: &SettingKey| {
            !matches!(key, SettingKey::Address { .. } | SettingKey::SyncDaemon(_))
        };
        state.settings.retain(|key, _| stays(key));
        marked(state)
    })
}

fn lead_to(state: &DirectorState) -> Result<Outcome, TransactionError> {
    let identity =
        Identity { transaction: TransactionId(1), boot: "test".into(), author: Author::default() };
    with_kernel(|kernel| {
        let aim = Aim::new(state, Purpose::Apply);
        Transaction::new(kernel, identity, &NoJournal, &mut Silent).run(aim)
    })
}

/// The services that the kernel holds, whosever they are. Not by `/proc/net/ip_vs`, which
/// leaves some out when other namespaces have services.
fn services(director: &Director) -> Vec<String> {
    let saved = director.ipvsadm_save();
    saved.lines().filter(|line| line.starts_with("-A")).map(str::to_owned).collect()
}

/// The kernel holds `state`, and no service besides.
fn holds(director: &Director, state: &DirectorState) -> Result<(), TestCaseError> {
    let see = || with_kernel(|kernel| observe(kernel, state, &Ownership::default())).unwrap();
    let plan = Plan::between(&director.run(see), state);
    prop_assert!(plan.is_empty(), "{:#?}", plan);
    prop_assert_eq!(services(director).len(), state.services.len());
    Ok(())
}

fn holds_nothing(director: &Director) -> Result<(), TestCaseError> {
    prop_assert_eq!(services(director), [""; 0]);
    let ruleset = director.run(|| KernelDirector::new().marking().unwrap());
    prop_assert_eq!(ruleset, backend::MarkRuleset::default());
    Ok(())
}

#[test]
fn any_state_leads_to_any_other_and_back_to_nothing() {
    let states = (state(), state());
    let result = cases(24).run(&states, |(a, b)| {
        let director = Director::alone();
        for state in [&a, &b] {
            prop_assert!(director.run(|| lead_to(state)).is_ok());
            holds(&director, state)?;
            let again = director.run(|| lead_to(state));
            prop_assert!(matches!(again, Ok(Outcome::InSync { .. })), "{:?}", again);
        }
        prop_assert!(director.run(|| lead_to(&DirectorState::default())).is_ok());
        holds_nothing(&director)
    });
    result.unwrap();
}

#[test]
fn a_refused_state_leaves_any_state_that_was() {
    let states = (state(), state(), states::keyed_service());
    let result = cases(24).run(&states, |(a, mut b, (_, mut refused))| {
        // A scheduler that this kernel lacks, in the midst of the others.
        let key = ServiceKey::Mark { mark: Mark::new(3).unwrap(), family: Family::Ipv4 };
        refused.scheduler = "twos".parse().unwrap();
        refused.netmask = Netmask::host(Family::Ipv4);
        refused.destinations.clear();
        b.services.insert(key, refused);
        let director = Director::alone();
        prop_assert!(director.run(|| lead_to(&a)).is_ok());
        let end = director.run(|| lead_to(&b));
        prop_assert!(matches!(end, Err(TransactionError::Restored { .. })), "{:?}", end);
        holds(&director, &a)
    });
    result.unwrap();
}

/// Somebody may remove what a transaction is about to remove.
#[test]
fn what_is_gone_already_need_not_be_removed() {
    let result = cases(12).run(&states::keyed_service(), |(key, service)| {
        let director = Director::alone();
        let remove: Vec<_> = service
            .destinations
            .iter()
            .map(|destination| ServiceChange::RemoveDestination(key, *destination))
            .chain([ServiceChange::RemoveService(key, service.clone())])
            .collect();
        let apply = |changes: &[ServiceChange]| {
            director.run(|| with_kernel(|kernel| kernel.ipvs.apply(changes)))
        };
        // Nothing is there at all; then a service without its servers.
        prop_assert!(apply(&remove).is_ok());
        let add = [ServiceChange::AddService(key, service.without_destinations())];
        prop_assert!(apply(&add).is_ok());
        prop_assert!(apply(&remove).is_ok());
        prop_assert!(apply(&add).is_ok(), "it was removed");
        prop_assert!(apply(&add).is_err(), "it is there: an addition is another thing");
        Ok(())
    });
    result.unwrap();
}
