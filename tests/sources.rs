//! Full NAT in a plan: a server gets no client before the client's address is replaced.

use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{Options, Sources, load};
use fwmarkctl::plan::{Object, Phase, Plan};
use fwmarkctl::state::{DirectorState, MarkBook, Observation};

fn state(servers: &str) -> DirectorState {
    let text = format!(
        "[group.web]\nvips=[\"192.0.2.1\"]\nports=[80]\nmark=10\nforward=\"fullnat\"\nreal=[{servers}]\n"
    );
    let config = load(Sources::text(text), &Options::default()).expect("a valid config");
    let marks = MarkBook::default();
    compile(&config.groups, &config.director, Past::of(&marks)).expect("marks enough").state
}

/// The phases in which real servers change.
fn phases(from: &str, to: &str) -> Vec<Phase> {
    let plan = Plan::between(&Observation::of(&state(from)), &state(to));
    let lines = plan.lines().into_iter();
    let of_servers = lines.filter(|line| line.object == Object::RealServer);
    of_servers.map(|line| line.phase).collect()
}

const FIRST: &str = r#""10.0.0.1""#;

#[test]
fn a_server_that_is_new_in_its_service_comes_after_its_source() {
    assert_eq!(phases(FIRST, r#""10.0.0.1", "10.0.0.2""#), [Phase::Retire]);
    assert_eq!(phases(r#""10.0.0.1", "10.0.0.2""#, FIRST), [Phase::Retire]);
    // Plain NAT needs nothing of the switch.
    let nat = r#""10.0.0.1", { address = "10.0.0.2", forward = "nat" }"#;
    assert_eq!(phases(FIRST, nat), [Phase::Stage]);
    // A service that is new gets no packet before the switch anyway.
    let nothing = Observation::of(&DirectorState::default());
    let plan = Plan::between(&nothing, &state(FIRST));
    assert!(plan.retire.is_empty() && plan.stage.len() == 2);
}

#[test]
fn a_server_goes_to_full_nat_after_the_switch_and_from_it_before() {
    let direct = r#"{ address = "10.0.0.1", forward = "dr" }, "10.0.0.2""#;
    let full = r#""10.0.0.1", "10.0.0.2""#;
    assert_eq!(phases(direct, full), [Phase::Retire]);
    assert_eq!(phases(full, direct), [Phase::Stage]);
    // To IPVS the two are one.
    let plain = r#"{ address = "10.0.0.1", forward = "nat" }, "10.0.0.2""#;
    assert_eq!(phases(plain, full), []);
    // Another weight alone is staged as ever.
    assert_eq!(phases(FIRST, r#"{ address = "10.0.0.1", weight = 3 }"#), [Phase::Stage]);
}
