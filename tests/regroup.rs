//! The inverse of the compiler, and of the reader, for random configurations: what was
//! compiled is found again, what was written is read again.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod configs;
mod longer;
mod states;

use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{Options, write, write_sound};
use fwmarkctl::model::{DirectorSettings, Group};
use fwmarkctl::regroup::regroup;
use fwmarkctl::state::{DirectorState, MarkBook};
use proptest::prelude::*;

fn compiled(groups: &[Group], director: &DirectorSettings) -> DirectorState {
    compile(groups, director, Past::of(&MarkBook::default())).expect("marks enough").state
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: longer::cases(512), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_compiled_is_found_again((text, config) in configs::config()) {
        let state = compiled(&config.groups, &config.director);
        let found = regroup(&state);
        prop_assert_eq!(&found.lost, &[], "{}", text);
        prop_assert_eq!(&compiled(&found.groups, &found.director), &state, "{}", text);
        let names: Vec<_> = found.groups.iter().map(|group| &group.name).collect();
        let mut wanted: Vec<_> = config.enabled().map(|group| &group.name).collect();
        wanted.sort();
        prop_assert_eq!(names, wanted);
    }

    /// Whatever a state holds, what becomes of it is the same when it is done again.
    #[test]
    fn any_state_becomes_groups_that_are_found_again(state in states::state()) {
        let found = regroup(&state);
        let again = regroup(&compiled(&found.groups, &found.director));
        prop_assert_eq!(&again.lost, &[]);
        prop_assert_eq!(again.groups, found.groups);
    }

    /// Groups and director are written as text that says the same.
    #[test]
    fn what_is_written_is_read_again((text, config) in configs::config()) {
        let written = write(&config.groups, &config.director);
        let read = configs::read(&written);
        prop_assert!(read.is_some(), "{}\n{}", text, written);
        let read = read.unwrap();
        prop_assert_eq!(&read.groups, &config.groups, "{}", written);
        prop_assert_eq!(&read.director, &config.director, "{}", written);
        prop_assert_eq!(write(&read.groups, &read.director), written);
    }

    /// What a configuration refuses of any state is left out, and the rest is sound.
    #[test]
    fn any_state_is_written_as_far_as_a_configuration_may_say_it(state in states::state()) {
        let found = regroup(&state);
        let written = write_sound(found.groups, &found.director, &Options::default());
        if written.text.is_empty() {
            prop_assert_eq!(&written.groups, &[]);
        } else {
            let read = configs::read(&written.text);
            prop_assert!(read.is_some_and(|read| read.groups == written.groups), "{}", written.text);
        }
    }
}

/// The examples, which people read, are written as what they say.
#[test]
fn examples_are_written_found_and_read_again() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let config = configs::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let state = compiled(&config.groups, &config.director);
        let found = regroup(&state);
        assert_eq!(found.lost, [], "{}", path.display());
        let text = write(&found.groups, &found.director);
        let read = configs::read(&text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(compiled(&read.groups, &read.director), state, "{text}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

/// A name that is invented after a port is that of a preset with this port.
#[test]
fn invented_names_are_those_of_presets() {
    let service = |port: u16, protocol: &str| {
        let real = format!(r#"{{"address":"10.0.0.1","port":{port},"method":"dr","weight":1}}"#);
        format!(
            r#"{{"key":"{protocol} 192.0.2.1:{port}","scheduler":"rr","netmask":4294967295,"real":[{real}]}}"#
        )
    };
    let services: Vec<_> =
        (1..10_000).flat_map(|port| [service(port, "tcp"), service(port, "udp")]).collect();
    let state = format!(r#"{{"marking":[],"services":[{}]}}"#, services.join(","));
    let found = regroup(&serde_json::from_str(&state).unwrap());
    assert_eq!((found.groups.len(), found.lost.len()), (19_998, 0));
    let presets = fwmarkctl::config::Presets::shipped();
    let mut known = 0;
    for group in &found.groups {
        // dns has a port of tcp and one of udp, so the second one gets a number.
        let name = group.name.as_str().trim_end_matches("-2").strip_suffix("-192-0-2-1").unwrap();
        if name.starts_with("tcp-") || name.starts_with("udp-") {
            continue;
        }
        let preset = presets.get(name).unwrap_or_else(|| panic!("{name}"));
        assert!(group.listeners.iter().all(|listener| preset.ports.contains(&listener)), "{name}");
        known += 1;
    }
    assert_eq!(known, 20);
}
