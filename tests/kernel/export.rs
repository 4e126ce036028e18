//! What is exported is what the kernel holds: for the director it is the identity.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::configs;
use crate::examples::{director, examples};
use crate::lab::Director;
use crate::scene::{Fwmarkctl, WEB_AND_MAIL};

/// Applies `text` and exports it; nothing is lost, the director is in sync with what was
/// exported, and exports it again.
fn is_the_identity(director: &Director, name: &str, text: &str) -> String {
    let applied = director.with(&["apply"], text).run();
    assert_eq!(applied.code, Some(0), "{name}: {}{}\n{text}", applied.stdout, applied.stderr);
    let exported = director.fwmarkctl(&["export"]).run();
    assert_eq!((exported.code, exported.stderr.as_str()), (Some(0), ""), "{name}\n{text}");
    let exported = exported.stdout;
    let checked = director.with(&["check"], &exported).run();
    assert_eq!(checked.code, Some(0), "{name}: {}\n{exported}", checked.stderr);
    director.in_sync(&exported).unwrap_or_else(|differs| panic!("{name}: {differs}\n{exported}"));
    let again = director.with(&["apply"], &exported).ok();
    assert!(again.contains("nothing to do"), "{name}: {again}");
    assert_eq!(director.fwmarkctl(&["export"]).ok(), exported, "{name}");
    // And back: the configuration that it came from is in sync still.
    director.in_sync(text).unwrap_or_else(|differs| panic!("{name}: {differs}\n{exported}"));
    exported
}

#[test]
fn an_export_of_every_example_is_what_the_director_holds() {
    for (name, text) in examples() {
        is_the_identity(&director(), &name, &text);
    }
}

#[test]
fn an_export_of_random_groups_is_what_the_director_holds() {
    let mut runner = TestRunner::deterministic();
    for number in 0..12 {
        let (text, _) = configs::config().new_tree(&mut runner).unwrap().current();
        // The director has not all that random settings name.
        let groups = text.find("[group.").map_or("", |at| &text[at..]);
        is_the_identity(&director(), &format!("random {number}"), groups);
    }
}

#[test]
fn automatic_marks_are_exported_as_they_are_even_without_a_history() {
    let director = Director::alone();
    let text = WEB_AND_MAIL.replace("mark = 10\n", "").replace("mark = 25\n", "");
    let exported = is_the_identity(&director, "automatic", &text);
    assert_eq!(exported.matches("mark        = \"0x4c56").count(), 1, "{exported}");
    assert_eq!(exported.matches("mark      = \"0x4c56").count(), 1, "{exported}");
    let plan = director.with(&["--state-dir", "/run/another", "plan"], &exported).ok();
    assert!(plan.contains("nothing to do"), "{plan}");
}

#[test]
fn an_export_of_nothing_is_a_comment() {
    let director = Director::alone();
    // Somebody else's.
    director.ipvsadm("-A -t 10.0.0.1:80 -s rr");
    let ended = director.fwmarkctl(&["export"]).run();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout, "# This director holds no group of ours.\n");
    let (code, document) = director.json(&["export"], "");
    assert_eq!(code, 0);
    assert_eq!(document["groups"], serde_json::json!({}));
    assert_eq!(document["lost"], serde_json::json!([]));
}

#[test]
fn what_an_export_cannot_say_is_told() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.ipvsadm("-D -f 10");
    let ended = director.fwmarkctl(&["export"]).run();
    assert_eq!(ended.code, Some(0));
    let why = "packets get mark 10, but there is no service fwmark 10 ipv4";
    assert!(ended.stderr.contains(&format!("warning: not exported: {why}\n")), "{}", ended.stderr);
    assert!(ended.stdout.contains(&format!("# {why}\n")), "{}", ended.stdout);
    assert!(ended.stdout.contains("[group.mail]") && !ended.stdout.contains("[group.web]"));
    let (_, document) = director.json(&["export"], "");
    let lost = &document["lost"][0];
    assert_eq!(lost["message"], why);
    assert_eq!(lost["left_out"], true);
    assert_eq!(
        lost["mark_rules"],
        serde_json::json!(["172.18.100.7:80/tcp", "172.18.100.7:443/tcp"])
    );
    assert_eq!(document["groups"]["mail"]["mark"], 25);
}

/// What was changed by hand is exported as it is; who made it ours is what an apply writes.
#[test]
fn an_export_of_what_somebody_changed_by_hand_changes_nothing_but_the_record() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.ipvsadm("-e -f 25 -r 172.18.100.12 -g -w 7\n-a -f 25 -r 172.18.100.13 -g -w 2\n");
    let by_hand = director.ipvsadm_save();
    let exported = director.fwmarkctl(&["export"]).ok();
    let planned = director.with(&["-o", "json", "plan"], &exported).ok();
    let planned: serde_json::Value = serde_json::from_str(&planned).expect("JSON");
    let changes = planned["changes"].as_array().expect("changes");
    assert!(!changes.is_empty(), "{planned}");
    for change in changes {
        for side in ["before", "after"] {
            let text = change[side].as_str().unwrap_or_default();
            assert!(text.starts_with("recorded as mail "), "{change}");
        }
    }
    director.apply(&exported);
    assert_eq!(director.ipvsadm_save(), by_hand);
    assert_eq!(director.in_sync(&exported), Ok(()));
}
