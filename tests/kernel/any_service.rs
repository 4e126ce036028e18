//! Random virtual services with every attribute that IPVS has, by mark and by address: what
//! is written reads back equal, and is what `ipvsadm` shows, where it tells the truth.

mod generate;
mod told;

use fwmarkctl::backend::Ipvs;
use fwmarkctl::backend::ipvs::KernelIpvs;
use fwmarkctl::plan::ServiceChange;
use fwmarkctl::state::{ServiceKey, ServiceTable, VirtualService};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::lab::Director;

/// What makes a service, with its real servers.
fn add(key: ServiceKey, service: &VirtualService) -> Vec<ServiceChange> {
    let servers = service.destinations.iter();
    std::iter::once(ServiceChange::AddService(key, service.without_destinations()))
        .chain(servers.map(|server| ServiceChange::AddDestination(key, *server)))
        .collect()
}

/// What makes one service of another, in place.
fn edit(key: ServiceKey, before: &VirtualService, after: &VirtualService) -> Vec<ServiceChange> {
    let mut changes = vec![ServiceChange::EditService {
        key,
        before: before.without_destinations(),
        after: after.without_destinations(),
    }];
    for server in &before.destinations {
        if after.destination(server.key).is_none() {
            changes.push(ServiceChange::RemoveDestination(key, *server));
        }
    }
    for server in &after.destinations {
        changes.push(match before.destination(server.key) {
            Some(before) => {
                ServiceChange::EditDestination { service: key, before: *before, after: *server }
            }
            None => ServiceChange::AddDestination(key, *server),
        });
    }
    changes
}

fn apply(director: &Director, changes: &[ServiceChange]) -> Result<(), TestCaseError> {
    let applied = director.run(|| KernelIpvs::new().apply(changes));
    applied.map_err(|error| TestCaseError::fail(format!("{error}\n{changes:#?}")))
}

/// The kernel holds the services, by our reading and by what `ipvsadm` prints.
fn holds(director: &Director, services: &ServiceTable) -> Result<(), TestCaseError> {
    let keys = services.keys().copied().collect();
    let read = director.run(|| KernelIpvs::new().observe(&keys)).unwrap();
    prop_assert_eq!(&read, services);
    let saved = told::saved(&director.ipvsadm_save());
    let expected: Vec<_> = services.iter().map(|(key, it)| told::as_saved(*key, it)).collect();
    prop_assert_eq!(saved, expected);
    let thresholds = director.command("ipvsadm").args(["-Ln", "--thresholds"]).ok();
    prop_assert_eq!(told::thresholds(&thresholds), told::thresholds_of(services));
    Ok(())
}

#[test]
fn any_service_reads_back_equal_and_as_ipvsadm_shows_it() {
    let config = ProptestConfig {
        cases: crate::longer::cases(40),
        max_shrink_iters: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&generate::two_tables(), |(before, after)| {
        let director = Director::alone();
        let changes: Vec<_> = before.iter().flat_map(|(key, it)| add(*key, it)).collect();
        apply(&director, &changes)?;
        holds(&director, &before)?;
        let changes: Vec<_> =
            before.iter().flat_map(|(key, it)| edit(*key, it, &after[key])).collect();
        apply(&director, &changes)?;
        holds(&director, &after)
    });
    result.unwrap();
}
