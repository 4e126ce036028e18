//! Interruptions: a signal that asks to stop, and what an interrupted transaction leaves
//! on disk.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use crate::lab::{Director, Running};
use crate::scene::{Fwmarkctl, WEB_AND_MAIL, many, reboot, until};

/// Enough groups that an apply takes a while, and [`WEB_AND_MAIL`].
fn many_more() -> String {
    many() + WEB_AND_MAIL
}

/// An apply of [`many_more`] that has just written down what it is about to do.
fn under_way(director: &Director) -> Running {
    let apply = director.with(&["apply"], &many_more()).spawn();
    until("the intent", || !intents(director).is_empty());
    apply
}

/// The files of interrupted transactions.
fn intents(director: &Director) -> Vec<PathBuf> {
    director.run(|| {
        let Ok(folder) = fs::read_dir("/run/fwmarkctl") else { return Vec::new() };
        let paths = folder.map(|entry| entry.unwrap().path());
        // One that is still being written is none: it has another ending.
        let is_one = |path: &PathBuf| {
            path.to_str().unwrap().contains("/intent-")
                && path.extension().is_some_and(|ending| ending == "jsonl")
        };
        paths.filter(is_one).collect()
    })
}

/// An apply of [`many_more`] over [`WEB_AND_MAIL`] that is killed; its intent is left.
fn killed() -> Director {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let apply = under_way(&director);
    apply.signal(Signal::KILL);
    assert_eq!(apply.wait().code, None, "it was killed");
    assert_eq!(intents(&director).len(), 1);
    director
}

#[test]
fn a_signal_stops_an_apply_before_the_switch_and_lets_it_finish_behind() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let director = Director::alone();
        director.apply(WEB_AND_MAIL);
        let before = director.dump();
        let apply = under_way(&director);
        apply.signal(signal);
        let ended = apply.wait();
        if ended.code == Some(0) {
            assert!(ended.stderr.contains("came after the switch"), "{}", ended.stderr);
            director.in_sync(&many_more()).unwrap();
        } else {
            assert_eq!(ended.code, Some(1), "{ended:?}");
            assert!(ended.stderr.contains("interrupted by SIG"), "{}", ended.stderr);
            assert!(ended.stderr.contains("the state from before stands"), "{}", ended.stderr);
            assert_eq!(director.dump(), before);
        }
        assert_eq!(intents(&director), Vec::<PathBuf>::new());
    }
}

#[test]
fn status_and_plan_tell_of_an_interrupted_transaction_and_recover_ends_it() {
    let director = killed();
    for command in ["status", "plan"] {
        let text = director.with(&[command], WEB_AND_MAIL).ok();
        assert!(text.contains("A transaction has not ended (apply, generation 2"), "{text}");
        assert!(text.contains("fwmarkctl recover"), "{text}");
        let (_, document) = director.json(&[command], WEB_AND_MAIL);
        assert_eq!(document["interrupted"]["generation"], 2, "{document}");
    }
    let (code, document) = director.json(&["recover"], "");
    let wanted = match document["recovered"].as_str().unwrap() {
        "undone" => WEB_AND_MAIL.to_owned(),
        "finished" => many_more(),
        other => panic!("{other}"),
    };
    assert_eq!(code, 0);
    director.in_sync(&wanted).unwrap();
    assert_eq!(
        director.ipvsadm_save().matches("-A ").count(),
        if wanted == WEB_AND_MAIL { 2 } else { 402 }
    );
    let history = director.fwmarkctl(&["history"]).ok();
    assert!(history.contains("undone") || history.contains("finished"), "{history}");
    let again = director.fwmarkctl(&["recover"]).ok();
    assert!(again.contains("Nothing to recover"), "{again}");
}

#[test]
fn a_damaged_intent_is_told_of_and_put_aside() {
    let director = killed();
    let intent = intents(&director).remove(0);
    director.run(|| {
        let text = fs::read(&intent).unwrap();
        fs::write(&intent, &text[..text.len() / 2]).unwrap();
    });
    let ended = director.fwmarkctl(&["recover"]).run();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("cannot be trusted: it is cut short"), "{}", ended.stderr);
    let aside = intent.with_extension("useless");
    assert!(director.run(|| aside.exists()));
    // What was made is known for ours all the same.
    director.apply(WEB_AND_MAIL);
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(director.ipvsadm_save().matches("-A ").count(), 2);
}

#[test]
fn an_intent_of_another_boot_is_dropped() {
    let director = killed();
    reboot(&director);
    let restored = director.fwmarkctl(&["apply", "--boot"]).ok();
    assert!(restored.contains("generation 1"), "{restored}");
    assert_eq!(intents(&director), Vec::<PathBuf>::new());
    director.in_sync(WEB_AND_MAIL).unwrap();
}

#[test]
fn an_interrupted_transaction_can_be_abandoned() {
    let director = killed();
    let before = director.dump();
    director.fwmarkctl(&["recover", "--abandon"]).ok();
    assert_eq!(intents(&director), Vec::<PathBuf>::new());
    assert_eq!(director.dump(), before);
    director.apply(WEB_AND_MAIL);
    assert_eq!(director.ipvsadm_save().matches("-A ").count(), 2);
}

/// Somebody flushed the ruleset after the crash: nobody can say how far it was, so what
/// there was before is built again.
#[test]
fn with_the_ledger_gone_the_state_from_before_is_built_again() {
    let director = killed();
    director.flush_ruleset();
    let recovered = director.fwmarkctl(&["recover"]).ok();
    assert!(recovered.contains("undone"), "{recovered}");
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(director.ipvsadm_save().matches("-A ").count(), 2);
}
