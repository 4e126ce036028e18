//! Trials: an apply that nobody confirms goes again, whoever has died by then; one that is
//! confirmed stays. Nothing that was held back loses a connection.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{CLIENT, Director, Marks, client_v4};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, reboot, until, web_and_mail};

/// [`WEB_AND_MAIL`] with another server for the web, and mail on another port and mark.
fn tried() -> String {
    WEB_AND_MAIL
        .replacen(r#""172.18.100.12"]"#, r#""172.18.100.1"]"#, 1)
        .replace("25/tcp", "26/tcp")
        .replace("mark = 25", "mark = 26")
}

/// The processes that watch over a trial of this director.
fn watchers(director: &Director) -> Vec<Pid> {
    let namespace = director.run(|| fs::metadata("/proc/thread-self/ns/net").unwrap().ino());
    let watches = |entry: &fs::DirEntry| {
        let path = entry.path();
        let words = fs::read(path.join("cmdline")).unwrap_or_default();
        words.ends_with(b"await-confirmation\0")
            && fs::metadata(path.join("ns/net")).is_ok_and(|there| there.ino() == namespace)
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok).filter(watches);
    processes
        .map(|entry| Pid::from_raw(entry.file_name().to_str().unwrap().parse().unwrap()).unwrap())
        .collect()
}

#[test]
fn nobody_confirms_and_the_state_from_before_returns_without_a_lost_connection() {
    let lab = web_and_mail();
    lab.serve_tcp(&[26]);
    lab.serve_tcp_on_director(&[80]);
    let director = lab.director();
    let connect = |target, n: usize| lab.client().connect(client_v4(n).as_str(), target).unwrap();
    let mut talks: Vec<_> = (0..4).map(|n| connect([WEB, MAIL][n / 2], n)).collect();
    assert!(talks[..2].iter().any(|talk| talk.server == "rs2"), "the server that leaves");
    let told = director.with(&["apply", "--confirm-within", "3s"], &tried()).ok();
    assert!(told.contains("fwmarkctl confirm"), "{told}");
    assert_eq!(watchers(director).len(), 1);
    // What is tried is there: the new server, the new port, nothing on the old one.
    let new = [10, 11].map(|n| lab.client().tcp(client_v4(n).as_str(), WEB).unwrap());
    assert!(new.contains(&"director".to_owned()), "{new:?}");
    assert!(lab.client().tcp(CLIENT, "172.18.100.8:26").is_ok());
    assert!(lab.client().tcp(CLIENT, MAIL).is_err());
    for talk in &mut talks {
        assert_eq!(talk.ask(), Ok(talk.server.clone()), "while it is tried");
    }
    until("the return", || director.generation() == Some(1));
    until("the watcher's end", || watchers(director).is_empty());
    director.in_sync(WEB_AND_MAIL).unwrap();
    for talk in &mut talks {
        assert_eq!(talk.ask(), Ok(talk.server.clone()), "after the return");
    }
    assert!(lab.client().tcp(CLIENT, MAIL).is_ok());
    let history = director.fwmarkctl(&["history"]).ok();
    assert!(history.contains("tried, returned"), "{history}");
    assert!(!director.ipvsadm_save().contains("-f 26 "));
}

#[test]
fn a_confirmed_trial_stays_and_what_it_held_back_goes() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let (code, applied) = director.json(&["apply", "--confirm-within", "1h"], &tried());
    assert_eq!((code, &applied["pending"]["generation"]), (0, &2.into()));
    let held = director.ipvsadm_save();
    assert!(held.contains("-f 25 ") && held.contains("-r 172.18.100.12:0 -g -w 0"), "{held}");
    director.in_sync(&tried()).unwrap();

    let (code, confirmed) = director.json(&["confirm"], "");
    assert_eq!((code, &confirmed["confirmed"]), (0, &true.into()));
    until("the watcher's end", || watchers(&director).is_empty());
    let left = director.ipvsadm_save();
    assert!(!left.contains("-f 25 ") && left.matches("172.18.100.12").count() == 1, "{left}");
    director.in_sync(&tried()).unwrap();
    assert_eq!(director.generation(), Some(2));

    let again = director.fwmarkctl(&["confirm"]).run();
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.stderr.contains("nothing waits"), "{}", again.stderr);
    // The state before is a generation like others, and can return.
    director.fwmarkctl(&["rollback"]).ok();
    director.in_sync(WEB_AND_MAIL).unwrap();
}

#[test]
fn while_a_trial_waits_it_is_told_of_and_nothing_else_is_begun() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.with(&["apply", "--confirm-within", "1h"], &tried()).ok();
    let before = director.dump();
    for args in [&["apply"] as &[_], &["apply", "--boot"], &["clear", "--yes"], &["rollback", "1"]]
    {
        let refused = director.with(args, WEB_AND_MAIL).run();
        assert_eq!(refused.code, Some(2), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("generation 2 waits to be confirmed, for another"));
        assert!(refused.stderr.contains("359"), "seconds: {}", refused.stderr);
    }
    let (_, document) = director.json(&["apply"], WEB_AND_MAIL);
    assert_eq!(document["error"]["kind"], "pending");
    for command in ["status", "plan"] {
        let text = director.with(&[command], &tried()).ok();
        assert!(text.contains("Generation 2 waits for `fwmarkctl confirm`"), "{text}");
        let (_, document) = director.json(&[command], &tried());
        assert_eq!(document["pending"]["generation"], 2, "{command}");
        assert_eq!(document["in_sync"], true, "{command}");
    }
    assert_eq!(director.dump(), before);
    director.fwmarkctl(&["rollback"]).ok();
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(director.generation(), Some(1));
    until("the watcher's end", || watchers(&director).is_empty());
}

#[test]
fn the_first_apply_of_all_goes_again_too() {
    let director = Director::alone();
    director.with(&["apply", "--confirm-within", "1s"], WEB_AND_MAIL).ok();
    until("the return", || director.ruleset().is_empty() && director.ipvsadm_save().is_empty());
    until("the watcher's end", || watchers(&director).is_empty());
}

#[test]
fn a_killed_apply_goes_again_at_its_deadline() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let apply = director.with(&["apply", "--confirm-within", "2s"], &tried()).spawn();
    until("the switch", || director.generation() == Some(2));
    apply.signal(Signal::KILL);
    drop(apply.wait());
    until("the return", || director.generation() == Some(1));
    until("the watcher's end", || watchers(&director).is_empty());
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert!(!director.ipvsadm_save().contains("-f 26 "));
}

/// Whoever should have ended the trial is dead: the next command does.
#[test]
fn with_the_watcher_killed_the_next_command_returns_to_the_state_before() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.with(&["apply", "--confirm-within", "1s"], &tried()).ok();
    for watcher in watchers(&director) {
        kill_process(watcher, Signal::KILL).unwrap();
    }
    let said = "Generation 2 was not confirmed in time";
    until("the deadline", || director.with(&["status"], &tried()).ok().contains(said));
    assert_eq!(director.generation(), Some(2), "nobody did anything");
    let late = director.fwmarkctl(&["confirm"]).run();
    assert_eq!(late.code, Some(1), "{late:?}");
    assert!(late.stderr.contains("the state from before is back"), "{}", late.stderr);
    director.in_sync(WEB_AND_MAIL).unwrap();
}

/// A boot empties the kernel and changes the boot's number; the files may survive it.
#[test]
fn a_reboot_means_that_it_was_not_confirmed() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    director.with(&["apply", "--confirm-within", "1h"], &tried()).ok();
    reboot(&director);
    for watcher in watchers(&director) {
        kill_process(watcher, Signal::KILL).unwrap();
    }
    let text = director.with(&["apply", "--boot"], &tried()).ok();
    assert!(text.contains("generation 1"), "{text}");
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(director.fwmarkctl(&["confirm"]).run().code, Some(2));
}

#[test]
fn on_a_terminal_enter_confirms() {
    let director = Director::alone();
    let config = "/run/config.toml";
    director.run(|| fs::write(config, Marks::in_config(WEB_AND_MAIL)).unwrap());
    let apply = director.fwmarkctl(&["-c", config, "apply", "--confirm-within", "1h"]);
    let (running, mut terminal) = apply.spawn_on_terminal();
    terminal.wait_for("returns in 3599 s");
    terminal.type_in("\n");
    terminal.wait_for("Confirmed: generation 1 stays.");
    assert_eq!(running.wait().code, Some(0));
    assert_eq!(director.generation(), Some(1));
    until("the watcher's end", || watchers(&director).is_empty());
}

#[test]
fn on_a_terminal_ctrl_c_returns_at_once_and_a_lost_terminal_at_the_deadline() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let config = "/run/config.toml";
    director.run(|| fs::write(config, Marks::in_config(&tried())).unwrap());
    let apply = |time| {
        let apply = director.fwmarkctl(&["-c", config, "apply", "--confirm-within", time]);
        let (running, mut terminal) = apply.spawn_on_terminal();
        terminal.wait_for("returns in");
        (running, terminal)
    };
    let (running, mut terminal) = apply("1h");
    running.signal(Signal::INT);
    terminal.wait_for("the state from before is back");
    assert_eq!(running.wait().code, Some(1));
    assert_eq!(director.generation(), Some(1));

    let (running, terminal) = apply("2s");
    running.signal(Signal::HUP);
    drop(terminal);
    assert_eq!(running.wait().code, Some(0));
    until("the return", || director.generation() == Some(1));
    until("the watcher's end", || watchers(&director).is_empty());
    director.in_sync(WEB_AND_MAIL).unwrap();
}

/// Without anybody who watches over the deadline there is no trial.
#[test]
fn a_trial_that_cannot_be_armed_is_not_begun() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let before = director.dump();
    // Nothing can be started in a namespace whose processes are counted out.
    let refused = director.run(|| {
        let program = Director::program();
        let mut child = std::process::Command::new("prlimit")
            .args(["--nofile=9:9", &program, "-c", "-", "apply", "--confirm-within", "1h"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let config = Marks::in_config(&tried());
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), config.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    });
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(director.dump(), before);
    director.apply(&tried());
}

/// Confirmation and deadline race for the lock: one wins, and the other says so.
#[test]
fn either_the_confirmation_wins_or_the_deadline() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let mut wins = [0; 2];
    for round in 0..8 {
        let (_, applied) = director.json(&["apply", "--confirm-within", "1s"], &tried());
        let generation = applied["generation"].as_u64();
        // Just before, just at and just behind the deadline, as well as one can tell.
        let begin = std::time::Instant::now();
        let aimed = std::time::Duration::from_millis(550 + round * 60);
        until("the moment", || begin.elapsed() >= aimed);
        let confirm = director.fwmarkctl(&["confirm"]).run();
        match confirm.code {
            Some(0) => {
                wins[0] += 1;
                assert_eq!(director.generation(), generation);
                director.in_sync(&tried()).unwrap();
                director.apply(WEB_AND_MAIL);
            }
            // In this session, or by the watcher a moment before it.
            Some(1 | 2) => {
                wins[1] += 1;
                director.in_sync(WEB_AND_MAIL).unwrap();
            }
            other => panic!("{other:?}: {confirm:?}"),
        }
        until("the watcher's end", || watchers(&director).is_empty());
    }
    assert_eq!(wins[0] + wins[1], 8, "{wins:?}");
}
