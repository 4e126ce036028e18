//! The history: what was applied can return, what is damaged is named, and what cannot be
//! saved is not applied.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount};

use crate::lab::{CLIENT, Director};
use crate::scene::{Fwmarkctl, WEB, WEB_AND_MAIL, web_and_mail};

const STATE: &str = "/var/lib/fwmarkctl";

/// [`WEB_AND_MAIL`] with another weight.
fn weighted(weight: u32) -> String {
    let server = format!("{{ address = \"172.18.100.12\", weight = {weight} }}");
    WEB_AND_MAIL.replacen(r#""172.18.100.12""#, &server, 1)
}

fn generation(number: u64) -> PathBuf {
    Path::new(STATE).join(format!("generations/{number:010}.jsonl"))
}

#[test]
fn rollback_returns_to_what_was_and_back_again_without_a_lost_connection() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    director.apply(&weighted(7));
    director.fwmarkctl(&["rollback"]).ok();
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(director.generation(), Some(3), "a new transaction");
    director.fwmarkctl(&["rollback"]).ok();
    director.in_sync(&weighted(7)).unwrap();
    director.fwmarkctl(&["rollback", "1"]).ok();
    director.in_sync(WEB_AND_MAIL).unwrap();
    let same = director.fwmarkctl(&["rollback", "1"]).ok();
    assert!(same.contains("In sync"), "{same}");
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    let (code, history) = director.json(&["history"], "");
    assert_eq!((code, &history["head"]), (0, &5.into()));
    let told: Vec<_> = history["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| format!("{} {} {} {}", g["number"], g["purpose"], g["outcome"], g["user"]))
        .collect();
    assert_eq!(
        told,
        [
            r#"5 "rollback to 1" "applied" "root""#,
            r#"4 "rollback to 2" "applied" "root""#,
            r#"3 "rollback to 1" "applied" "root""#,
            r#"2 "apply" "applied" "root""#,
            r#"1 "apply" "applied" "root""#,
        ]
    );
}

#[test]
fn a_generation_is_shown_and_compared_with_another() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.apply(&weighted(7));
    let shown = director.fwmarkctl(&["history", "show", "2"]).ok();
    for part in ["generation  2  (counts)", "by          root@", "sha256", "weight 7", "[web]"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let diff = director.fwmarkctl(&["history", "diff", "1", "2"]).ok();
    assert!(diff.contains("dr weight 1 → dr weight 7"), "{diff}");
    assert!(diff.contains("0 to add, 1 to change, 0 to remove"), "{diff}");
    let (_, document) = director.json(&["history", "diff", "2", "1"], "");
    assert_eq!(document["summary"], serde_json::json!({ "add": 0, "change": 1, "remove": 0 }));
    let missing = director.fwmarkctl(&["history", "show", "9"]).run();
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.stderr.contains("there is no generation 9"), "{}", missing.stderr);
}

#[test]
fn a_damaged_generation_is_named_and_skipped() {
    let director = Director::alone();
    for config in [WEB_AND_MAIL, &weighted(2), &weighted(3)] {
        director.apply(config);
    }
    director.run(|| {
        let text = fs::read_to_string(generation(2)).unwrap();
        fs::write(generation(2), text.replace("\"weight\":2", "\"weight\":9")).unwrap();
    });
    let history = director.fwmarkctl(&["history"]).ok();
    assert!(history.contains("generation 2 is damaged and not trusted"), "{history}");
    let refused = director.fwmarkctl(&["rollback", "2"]).run();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    director.in_sync(&weighted(3)).unwrap();
    let rollback = director.fwmarkctl(&["rollback"]).run();
    assert_eq!(rollback.code, Some(0), "{rollback:?}");
    assert!(rollback.stderr.contains("generation 2 is damaged"), "{}", rollback.stderr);
    director.in_sync(WEB_AND_MAIL).unwrap();
}

#[test]
fn a_boot_restores_what_counts_and_the_next_best_when_that_is_damaged() {
    let director = Director::alone();
    let nothing = director.fwmarkctl(&["apply", "--boot"]).ok();
    assert!(nothing.contains("Nothing to restore"), "{nothing}");
    director.apply(WEB_AND_MAIL);
    director.apply(&weighted(2));
    let reboot = || {
        director.flush_ruleset();
        director.ipvsadm("-C");
        director.fwmarkctl(&["apply", "--boot"]).run()
    };
    assert_eq!(reboot().code, Some(0));
    director.in_sync(&weighted(2)).unwrap();
    assert_eq!(director.generation(), Some(2), "no new one");
    director.run(|| fs::write(generation(2), "").unwrap());
    let next_best = reboot();
    assert_eq!(next_best.code, Some(0), "{next_best:?}");
    assert!(next_best.stderr.contains("generation 1 is restored"), "{}", next_best.stderr);
    director.in_sync(WEB_AND_MAIL).unwrap();
}

/// Fills the state folder's file system.
fn full_disk(director: &Director) {
    director.run(|| {
        let size = std::ffi::CString::new("size=16k").unwrap();
        mount("lab", STATE, "tmpfs", MountFlags::empty(), Some(size.as_c_str())).unwrap();
        fs::write(Path::new(STATE).join("filling"), [0; 16 << 10]).unwrap();
    });
}

#[test]
fn what_cannot_be_saved_is_not_applied() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let (before, at) = (director.dump(), director.commits());
    full_disk(&director);
    let refused = director.with(&["apply"], &weighted(7)).run();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("nothing was tried"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--state-dir"), "the remedy: {}", refused.stderr);
    let (_, document) = director.json(&["apply"], &weighted(7));
    assert_eq!(document["error"]["kind"], "file");
    assert_eq!((director.dump(), director.commits()), (before, at));
    // Nothing half written is left where there is room again.
    director.run(|| fs::remove_file(Path::new(STATE).join("filling")).unwrap());
    director.apply(&weighted(7));
    let left = director.run(|| fs::read_dir(Path::new(STATE).join("generations")).unwrap().count());
    assert_eq!(left, 1);
}

/// The state folder is lost: what is in the kernel is saved again, and a boot restores it.
#[test]
fn a_lost_history_begins_anew_with_the_next_apply() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.run(|| {
        fs::remove_dir_all(Path::new(STATE).join("generations")).unwrap();
        fs::remove_file(Path::new(STATE).join("head")).unwrap();
    });
    let services = director.ipvsadm_save();
    let saved = director.apply(WEB_AND_MAIL);
    assert!(saved.contains("generation 2"), "{saved}");
    assert_eq!(director.ipvsadm_save(), services);
    assert!(director.apply(WEB_AND_MAIL).contains("nothing to do (generation 2)"));
    director.flush_ruleset();
    director.fwmarkctl(&["apply", "--boot"]).ok();
    director.in_sync(WEB_AND_MAIL).unwrap();
}

/// A renamed group keeps its mark, though nobody wrote it down for the new name.
#[test]
fn a_renamed_group_keeps_its_automatic_mark() {
    let lab = web_and_mail();
    let director = lab.director();
    let automatic = WEB_AND_MAIL.replace("mark = 10\n", "").replace("mark = 25\n", "");
    director.apply(&automatic);
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    let services = director.ipvsadm_save();
    let renamed = automatic.replace("group.web", "group.shop").replace("group.mail", "group.post");
    director.apply(&renamed);
    assert_eq!(director.ipvsadm_save(), services, "the same marks");
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Ok(talk.server.clone()), "its affinity");
    director.in_sync(&renamed).unwrap();
}
