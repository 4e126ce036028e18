//! Who would take much out of service is asked, or refused where nobody can answer; nothing
//! has changed then.

use std::fs;

use rustix::process::Signal;

use crate::lab::{Director, Marks};
use crate::scene::{Fwmarkctl, WEB_AND_MAIL};

const FILE: &str = "/run/groups.toml";
const LESS: &str = "/run/less.toml";

/// What three quarters of [`WEB_AND_MAIL`] are gone from.
fn less() -> String {
    less_with("")
}

/// The same, with lines of `[director]`.
fn less_with(lines: &str) -> String {
    let (web, _) = WEB_AND_MAIL.split_once("[group.mail]").unwrap();
    let web = web.replace(r#""172.18.100.11", "#, "");
    Marks::in_config(&format!("[director]\n{lines}\n{web}"))
}

/// A director that serves [`WEB_AND_MAIL`] from a file, beside one that says less.
fn director() -> Director {
    let director = Director::alone();
    director.run(|| {
        fs::write(FILE, Marks::in_config(WEB_AND_MAIL)).unwrap();
        fs::write(LESS, less()).unwrap();
    });
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    director
}

#[test]
fn in_a_pipe_it_is_refused_with_numbers_and_nothing_is_changed() {
    let director = director();
    let before = director.dump();
    let refused = director.unsure(&["-c", LESS, "apply"]).run();
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
    let said = "error[E0801]: this takes 1 of 2 groups and 3 of 4 real servers out of service";
    assert!(refused.stderr.contains(said) && refused.stderr.contains("--yes"), "{refused:?}");
    for args in [&["apply"] as &[&str], &["apply", "--confirm-within", "1h"]] {
        let refused = director.unsure(&["-c", LESS, "-o", "json"]).args(args).run();
        let document: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
        let error = &document["error"];
        assert_eq!((refused.code, &error["kind"]), (Some(2), &"unconfirmed".into()), "{document}");
        assert_eq!(
            (&error["code"], &error["loss"]["groups"]["lost"]),
            (&"E0801".into(), &1.into())
        );
        let servers = serde_json::json!({ "lost": 3, "of": 4 });
        assert_eq!(error["loss"]["real_servers"], servers);
    }
    assert_eq!((director.dump(), director.generation()), (before, Some(1)));
    let plan = director.unsure(&["-c", LESS, "plan"]).ok();
    assert!(plan.contains("apply asks first") && plan.contains("3 of 4 real servers"), "{plan}");

    director.unsure(&["-c", LESS, "apply", "--ask-above", "75%"]).ok();
    director.in_sync(&less()).unwrap();
    // What serves less than before is not asked about when it comes back, nor is the return.
    director.unsure(&["-c", FILE, "apply"]).ok();
    director.unsure(&["rollback", "2"]).ok();
    director.in_sync(&less()).unwrap();
    director.unsure(&["rollback", "1"]).ok();
    director.unsure(&["-c", LESS, "apply", "--yes"]).ok();
    director.in_sync(&less()).unwrap();
}

#[test]
fn the_configuration_has_the_bound() {
    let director = director();
    let with = |bound: &str| {
        let text = less_with(&format!("ask-above = {bound}"));
        director.run(|| fs::write(LESS, text).unwrap());
        director.unsure(&["-c", LESS, "apply"]).run().code
    };
    assert_eq!((with("74"), with("\"75%\"")), (Some(2), Some(0)));
    // One alone is another server's turn, but with a bound that nothing is below.
    let one = less().replace(r#"["172.18.100.12"]"#, r#"["172.18.100.13"]"#);
    director.run(|| fs::write(LESS, one).unwrap());
    let all = director.unsure(&["-c", LESS, "apply", "--ask-above", "0%"]).run();
    assert!(all.stderr.contains("this takes 1 of 1 real server out of service"), "{all:?}");
    director.unsure(&["-c", LESS, "apply"]).ok();
}

#[test]
fn on_a_terminal_it_is_asked_and_only_yes_is_yes() {
    let director = director();
    let before = director.dump();
    for no in ["n\n", "\n", "what?\n", "\u{4}"] {
        let (asked, mut terminal) = director.unsure(&["-c", LESS, "apply"]).spawn_on_terminal();
        // The plan, then the question with the numbers.
        terminal.wait_for("3 of 4 real servers");
        terminal.wait_for("out of service. Apply? [y/N] ");
        let shown = terminal.seen();
        let plan = shown.find("- real server").unwrap_or_else(|| panic!("no plan: {shown}"));
        assert!(plan < shown.find("This takes 1 of 2 groups").unwrap(), "{shown}");
        terminal.type_in(no);
        terminal.wait_for("nothing was changed");
        assert_eq!(asked.wait().code, Some(2), "{no:?}");
    }
    let (asked, mut terminal) = director.unsure(&["-c", LESS, "apply"]).spawn_on_terminal();
    terminal.wait_for("[y/N] ");
    // Nobody else has to wait for the answer.
    director.unsure(&["-c", FILE, "apply", "--no-wait"]).ok();
    asked.signal(Signal::INT);
    terminal.wait_for("nothing was changed");
    assert_eq!(asked.wait().code, Some(2));
    assert_eq!((director.dump(), director.generation()), (before, Some(1)));

    let (asked, mut terminal) = director.unsure(&["-c", LESS, "apply"]).spawn_on_terminal();
    terminal.wait_for("[y/N] ");
    terminal.type_in("y\n");
    terminal.wait_for("Applied");
    assert_eq!(asked.wait().code, Some(0));
    assert_eq!(terminal.seen().matches("- real server").count(), 1, "{}", terminal.seen());
    director.in_sync(&less()).unwrap();
}

#[test]
fn an_edit_that_is_refused_leaves_its_file_alone() {
    let director = director();
    let file =
        |path| director.run(|| (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified()));
    director.fwmarkctl(&["-c", LESS, "apply"]).ok();
    let (before, text) = (director.dump(), file(LESS).0);
    let disable = ["-c", LESS, "group", "disable", "web", "--apply"];
    let refused = director.unsure(&disable).run();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let said = "this takes 1 of 1 group and 1 of 1 real server out of service";
    assert!(refused.stderr.contains(said), "{refused:?}");
    assert_eq!((director.dump(), file(LESS).0), (before.clone(), text.clone()));

    let (asked, mut terminal) = director.unsure(&disable).spawn_on_terminal();
    terminal.wait_for("[y/N] ");
    assert_eq!((director.dump(), file(LESS).0), (before, text));
    terminal.type_in("yes\n");
    terminal.wait_for("verified");
    assert_eq!(asked.wait().code, Some(0));
    assert!(!director.ipvsadm_save().contains("-f 10 "));
    director.unsure(&["-c", LESS, "group", "enable", "web", "--apply"]).ok();
    director.unsure(&disable).arg("--yes").ok();
}

/// Who drains one server has said which. What the file has come to say since is no part of it.
#[test]
fn a_drain_agrees_to_the_one_that_it_names() {
    let director = director();
    director.fwmarkctl(&["-c", LESS, "apply"]).ok();
    let drain = ["real", "drain", "web", "172.18.100.12", "--force", "--detach"];
    director.unsure(&["-c", LESS]).args(drain).ok();
    director.unsure(&["-c", LESS, "real", "restore", "web", "172.18.100.12"]).ok();
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    let text = director.run(|| fs::read(LESS).unwrap());
    let refused = director.unsure(&["-c", LESS]).args(drain).run();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("E0801"), "{refused:?}");
    assert_eq!(director.run(|| fs::read(LESS).unwrap()), text);
}
