//! The watch: whatever somebody does to what is ours is repaired as it happens, and what
//! another fwmarkctl does is none of its business.
#![allow(clippy::print_stdout, reason = "how long a repair takes is told")]

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fwmarkctl::backend::KernelDirector;
use fwmarkctl::state::Frame;
use fwmarkctl::transaction::Lock;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::killed::services;
use crate::lab::{CLIENT, Director, Ended, Marks, Running, client_v4};
use crate::scene::{Fwmarkctl, WEB, WEB_AND_MAIL, many, until, web_and_mail};

/// An emulated machine under load is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// It never looks by itself: what it repairs it has heard of. Of rules of the legacy
/// variant, and of what is in sets, nobody is told; there it looks often.
fn ears() -> &'static [&'static str] {
    match Marks::of_this_run() {
        Marks::Nftables | Marks::Iptables { variant: "nft", sets: false } => {
            &["--interval", "3600"]
        }
        Marks::Iptables { .. } => &["--interval", "0.5"],
    }
}

/// A watch that runs, its configuration, and a service manager that listens to it.
struct Watch {
    running: Running,
    ear: UnixDatagram,
    folder: TempDir,
    heard: Vec<String>,
}

impl Watch {
    /// Begins to watch, with `config` in a file.
    fn begin(director: &Director, args: &[&str], config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, socket) = (Self::file(folder.path()), folder.path().join("notify"));
        Self::write(&file, config);
        let ear = UnixDatagram::bind(&socket).unwrap();
        let running = director
            .fwmarkctl(&["-c", file.to_str().unwrap(), "watch"])
            .args(args)
            .env("NOTIFY_SOCKET", socket.to_str().unwrap())
            .env("WATCHDOG_USEC", "200000")
            .spawn();
        Self { running, ear, folder, heard: Vec::new() }
    }

    /// Begins, and stays.
    fn ready(director: &Director, args: &[&str], config: &str) -> Self {
        let mut watch = Self::begin(director, args, config);
        watch.hear("READY=1");
        watch
    }

    /// It has begun so far that a signal does not just end it (`proc_pid_status(5)`).
    fn takes_signals(&self) {
        let path = format!("/proc/{}/status", self.running.process());
        until("signals are caught", || {
            let status = std::fs::read_to_string(&path).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
            caught & 1 << (Signal::HUP.as_raw() - 1) != 0
        });
    }

    fn file(folder: &Path) -> PathBuf {
        folder.join("fwmarkctl.toml")
    }

    fn write(file: &Path, config: &str) {
        std::fs::write(file, Marks::in_config(config)).unwrap();
    }

    /// The service manager hears something with `words` in it, from now on.
    fn hear(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = [0; 8192];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            self.ear.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let Ok(length) = self.ear.recv(&mut bytes) else {
                panic!("never heard {words:?}, but {:#?}", self.heard);
            };
            let said = String::from_utf8_lossy(&bytes[..length]).into_owned();
            self.heard.push(said.clone());
            if said.contains(words) {
                return said;
            }
        }
    }

    /// It has turned round since, and would have seen what there was to see: between its
    /// signs of life is more time than it listens before it looks.
    fn turn_round(&mut self) {
        // What it said before now proves nothing.
        self.ear.set_nonblocking(true).unwrap();
        while self.ear.recv(&mut [0; 8192]).is_ok() {}
        self.ear.set_nonblocking(false).unwrap();
        for _ in 0..3 {
            self.hear("WATCHDOG=1");
        }
    }

    /// Ends it as a service manager does; the answer is what it said.
    fn stop(mut self) -> Ended {
        self.running.signal(Signal::TERM);
        self.hear("STOPPING=1");
        let ended = self.running.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }
}

/// Waits until our table is whole again; the answer is how long that took.
fn repaired(director: &Director) -> Duration {
    let begin = Instant::now();
    director.run(|| {
        until("the table is repaired", || {
            // While it is being changed it may not be readable.
            let found = KernelDirector::new().marking();
            found.is_ok_and(|found| found.frame == Frame::Intact && !found.entries.is_empty())
        });
    });
    begin.elapsed()
}

/// Does something three times, which a watch repairs each time; at least once within a
/// second more than a command takes that does the same. Other tests may be at work, and
/// IPVS has one lock for all namespaces.
fn within_a_second(director: &Director, meddle: impl Fn()) -> Watch {
    meddle();
    let begin = Instant::now();
    director.fwmarkctl(&["apply", "--boot"]).ok();
    let pace = begin.elapsed();
    let mut watch = Watch::ready(director, ears(), WEB_AND_MAIL);
    let mut times = Vec::new();
    for repairs in 1..=3 {
        meddle();
        times.push(repaired(director));
        watch.hear(&format!("STATUS=generation 1 in sync, {repairs} repair"));
    }
    println!("repaired after {times:?}, by a command after {pace:?}");
    assert!(times.iter().min().unwrap() < &(Duration::from_secs(1) + pace), "{times:?}, {pace:?}");
    watch
}

fn restores(director: &Director) -> usize {
    let (code, history) = director.json(&["history"], "");
    assert_eq!(code, 0, "{history}");
    history.to_string().matches("\"restore\"").count()
}

#[test]
fn a_flushed_ruleset_is_repaired_within_a_second_and_connections_go_on() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    let before = director.ipvsadm_save();
    let watch = within_a_second(director, || director.flush_ruleset());
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Ok(talk.server.clone()), "its affinity");
    assert!(lab.client().tcp(client_v4(7).as_str(), WEB).is_ok());
    assert_eq!(director.ipvsadm_save(), before);
    director.in_sync(WEB_AND_MAIL).unwrap();
    let said = watch.stop().stderr;
    for words in [
        "watching generation 1\n",
        "repaired generation 1: 5 to add, 0 to change, 0 to remove\n",
        "  add mark rule 172.18.100.7:443/tcp: mark 10\n",
        "SIGTERM: the watch ends, generation 1 stays in force\n",
    ] {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
    assert_eq!(restores(director), 4, "one by the command");
}

/// As nftables.service and others reload: flushed and loaded in one batch.
#[test]
fn a_reload_of_a_foreign_ruleset_keeps_it_and_ours_comes_back() {
    let lab = web_and_mail();
    let director = lab.director();
    let watch = within_a_second(director, || {
        director.nft(
            "flush ruleset\n\
             table inet filter {\n\
             chain input { type filter hook input priority filter; policy accept; tcp dport 23 drop; }\n\
             }",
        );
    });
    assert!(director.nft_ruleset().contains("tcp dport 23 drop"));
    assert!(lab.client().tcp(CLIENT, WEB).is_ok());
    director.in_sync(WEB_AND_MAIL).unwrap();
    watch.stop();
}

#[test]
fn what_ipvsadm_changed_comes_back_within_the_interval() {
    let lab = web_and_mail();
    let director = lab.director();
    let before = director.ipvsadm_save();
    let mut watch = Watch::ready(director, &["--interval", "0.5"], WEB_AND_MAIL);
    let meddlings: [&[&str]; 2] =
        [&["-e", "-f", "10", "-r", "172.18.100.12:0", "-g", "-w", "0"], &["-D", "-f", "25"]];
    for (number, args) in (1..).zip(meddlings) {
        director.command("ipvsadm").args(args).ok();
        let begin = Instant::now();
        until("IPVS is as it was", || director.ipvsadm_save() == before);
        let time = begin.elapsed();
        println!("repaired after {time:?}");
        assert!(time < Duration::from_secs(4), "{time:?}");
        watch.hear(&format!("in sync, {number} repair"));
    }
    let said = watch.stop().stderr;
    assert!(said.contains("change real server fwmark 10 ipv4 172.18.100.12: "), "{said}");
    assert!(said.contains("add service fwmark 25 ipv4: rr"), "{said}");
}

#[test]
fn what_others_do_to_tables_of_their_own_is_not_repaired() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut watch = Watch::ready(director, ears(), WEB_AND_MAIL);
    director.nft("add table inet other\nadd chain inet other c\nadd rule inet other c accept");
    director.nft("flush chain inet other c\nadd table ip fwmarkctl");
    director.nft("delete table inet other");
    let (rules, generation) = (director.ruleset(), director.commits());
    watch.turn_round();
    assert_eq!((director.ruleset(), director.commits()), (rules, generation));
    watch.stop();
    assert_eq!(restores(director), 0);
}

const WEB_ONLY: &str = r#"
[group.web]
vips = ["172.18.100.7"]
ports = ["80/tcp", "443/tcp"]
mark = 10
scheduler = "wlc"
real = ["172.18.100.12"]
"#;

#[test]
fn an_apply_a_rollback_and_a_clear_beside_it_are_respected() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut watch = Watch::ready(director, &["--interval", "0.2"], WEB_AND_MAIL);
    director.apply(WEB_ONLY);
    watch.hear("STATUS=generation 2 in sync");
    watch.turn_round();
    director.in_sync(WEB_ONLY).unwrap();
    // What is repaired now is the new generation.
    director.flush_ruleset();
    watch.hear("STATUS=generation 2 in sync, 1 repair,");
    director.in_sync(WEB_ONLY).unwrap();
    director.fwmarkctl(&["rollback"]).ok();
    watch.hear("STATUS=generation 3 in sync, 1 repair,");
    watch.turn_round();
    director.in_sync(WEB_AND_MAIL).unwrap();
    director.fwmarkctl(&["clear", "--yes"]).ok();
    watch.hear("STATUS=generation 4 in sync, 1 repair,");
    watch.turn_round();
    assert_eq!((director.ruleset(), director.ipvsadm_save()), (String::new(), String::new()));
    let ended = watch.stop();
    assert_eq!(restores(director), 1, "{ended:?}");
}

#[test]
fn a_trial_is_kept_as_it_is_and_after_its_end_the_state_before_stays() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut watch = Watch::ready(director, &["--interval", "0.2"], WEB_AND_MAIL);
    director.with(&["apply", "--confirm-within", "10m"], WEB_ONLY).ok();
    watch.hear("STATUS=generation 2 on trial, in sync");
    director.flush_ruleset();
    watch.hear("STATUS=generation 2 on trial, in sync, 1 repair,");
    // One that begins now leaves the trial alone too.
    Watch::ready(director, &[], WEB_AND_MAIL).stop();
    director.in_sync(WEB_ONLY).unwrap();
    director.fwmarkctl(&["rollback"]).ok();
    watch.hear("STATUS=generation 1 in sync, 1 repair,");

    director.with(&["apply", "--confirm-within", "1s"], WEB_ONLY).ok();
    until("the trial is over", || director.in_sync(WEB_AND_MAIL).is_ok());
    watch.turn_round();
    director.in_sync(WEB_AND_MAIL).unwrap();
    watch.stop();
    assert_eq!(restores(director), 1);
}

#[test]
fn a_hangup_applies_a_changed_file_and_refuses_a_bad_one() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut watch = Watch::ready(director, &[], WEB_AND_MAIL);
    let file = Watch::file(watch.folder.path());
    // Nobody could be asked whether so much may go.
    Watch::write(&file, &format!("[director]\nask-above = \"100%\"\n{WEB_ONLY}"));
    watch.running.signal(Signal::HUP);
    watch.hear("RELOADING=1\nMONOTONIC_USEC=");
    watch.hear("READY=1\nSTATUS=generation 2 in sync");
    director.in_sync(WEB_ONLY).unwrap();

    let rules = director.dump();
    Watch::write(&file, &WEB_AND_MAIL.replace("vips", "vip"));
    watch.running.signal(Signal::HUP);
    watch.hear("RELOADING=1");
    watch.hear("READY=1\nSTATUS=generation 2 in sync");
    assert_eq!(director.dump(), rules);
    // And it is still there to repair.
    director.flush_ruleset();
    watch.hear("STATUS=generation 2 in sync, 1 repair,");
    director.in_sync(WEB_ONLY).unwrap();
    let said = watch.stop().stderr;
    assert!(said.contains("reloaded generation 2: "), "{said}");
    assert!(said.contains("error[E0203]: group web: no VIPs"), "{said}");
    assert!(said.contains("not reloaded: generation 2 stays in force"), "{said}");
}

/// Ruins what there is; the watch brings back service after service.
fn ruin(director: &Director, watch: &mut Watch) {
    // It looks at what it did itself, and must not find the first half of this.
    watch.turn_round();
    director.command("ipvsadm").arg("-C").ok();
    director.flush_ruleset();
    // Without the pauses of `until`: it must be the middle of the repair.
    let begin = Instant::now();
    while services(director) <= 20 {
        assert!(begin.elapsed() < PATIENCE, "no repair");
        std::thread::yield_now();
    }
}

/// Nobody can be asked, so it refuses; what counts goes on being repaired.
#[test]
fn a_reload_that_takes_much_out_of_service_is_refused_until_somebody_applies_it() {
    let director = &Director::alone();
    let mut watch = Watch::ready(director, &["--interval", "0.1"], WEB_AND_MAIL);
    let file = Watch::file(watch.folder.path());
    Watch::write(&file, WEB_ONLY);
    watch.running.signal(Signal::HUP);
    watch.hear("RELOADING=1");
    watch.hear("READY=1\nSTATUS=generation 1 in sync");
    director.ipvsadm("-D -f 25\n");
    watch.hear("STATUS=generation 1 in sync, 1 repair,");
    director.in_sync(WEB_AND_MAIL).unwrap();

    director.fwmarkctl(&["-c", file.to_str().unwrap(), "apply"]).ok();
    director.ipvsadm("-D -f 10\n");
    watch.hear("STATUS=generation 2 in sync, 2 repairs,");
    director.in_sync(WEB_ONLY).unwrap();
    let said = watch.stop().stderr;
    assert!(said.contains("error[E0801]: this takes 1 of 2 groups and "), "{said}");
}

#[test]
fn a_signal_in_the_middle_of_a_repair_waits_until_it_is_done() {
    let director = &Director::alone();
    let config = many();
    let mut watch = Watch::ready(director, ears(), &config);
    // One that reloads does not stop the repair either.
    ruin(director, &mut watch);
    watch.running.signal(Signal::HUP);
    watch.hear("RELOADING=1");
    watch.hear("READY=1\nSTATUS=generation 1 in sync, 1 repair,");
    ruin(director, &mut watch);
    let said = watch.stop().stderr;
    assert_eq!(said.matches("repaired generation 1").count(), 2, "{said}");
    director.in_sync(&config).unwrap();
}

#[test]
fn a_killed_watch_leaves_nothing_that_the_next_one_does_not_end() {
    let director = &Director::alone();
    let config = many();
    let in_the_middle = (0..5).any(|_| {
        let mut watch = Watch::ready(director, ears(), &config);
        ruin(director, &mut watch);
        watch.running.signal(Signal::KILL);
        assert_eq!(watch.running.wait().code, None);
        director.in_sync(&config).is_err()
    });
    assert!(in_the_middle, "it was killed too late each time");
    let ended = Watch::ready(director, &["--no-apply"], "").stop();
    assert!(ended.stderr.contains("a transaction was interrupted (restore"), "{ended:?}");
    director.in_sync(&config).unwrap();
}

#[test]
fn a_service_manager_hears_how_things_are() {
    let director = &Director::alone();
    let mut watch = Watch::ready(director, &["--no-apply", "--interval", "0.5"], "");
    assert_eq!(watch.heard, ["READY=1\nSTATUS=nothing was applied yet, in sync"]);
    watch.hear("WATCHDOG=1");
    director.apply(WEB_AND_MAIL);
    watch.hear("STATUS=generation 1 in sync");
    watch.hear("WATCHDOG=1");
    director.flush_ruleset();
    let said = watch.hear("in sync, 1 repair, last ");
    let time = said.strip_prefix("STATUS=generation 1 in sync, 1 repair, last ").unwrap();
    assert!(time.len() == "14:02:11Z".len() && time.ends_with('Z'), "{time}");
    watch.running.signal(Signal::INT);
    watch.hear("STOPPING=1");
    assert_eq!(watch.running.wait().code, Some(0));
}

/// The lock of who writes to the kernel of this director, waited for.
fn take_lock(director: &Director) -> Lock {
    let (run, state) = (Path::new("/run/fwmarkctl"), Path::new("/var/lib/fwmarkctl"));
    director.run(|| Lock::take(run, state, "a test", |_| true).unwrap())
}

#[test]
fn somebody_who_changes_it_again_and_again_is_met_with_patience() {
    let director = &Director::alone();
    let mut watch = Watch::ready(director, ears(), WEB_AND_MAIL);
    let goes_on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begin = Instant::now();
            while goes_on.load(Ordering::SeqCst) && begin.elapsed() < 2 * PATIENCE {
                // Not in the middle of a repair, which it would undo before that has seen
                // its own work. It fails while there is nothing to remove.
                drop(take_lock(director));
                director.try_to_lose_mark(("172.18.100.7", 443));
            }
        });
        // Three at once, then one after each wait; a wait seen late is shorter.
        let (wait, repairs) = loop {
            let said = watch.hear("STATUS=generation 1 differs, next repair in ");
            let number = |at| said.split(' ').nth(at).unwrap().parse::<usize>().unwrap();
            if number(6) >= 2 {
                break (number(6), number(8));
            }
        };
        assert!(repairs <= 3 + wait, "{repairs} repairs before a wait of {wait} s");
        goes_on.store(false, Ordering::SeqCst);
    });
    watch.hear("STATUS=generation 1 in sync, ");
    director.in_sync(WEB_AND_MAIL).unwrap();
    let said = watch.stop().stderr;
    assert!(said.contains("the watch backs off, next repair in "), "{said}");
}

#[test]
fn what_cannot_be_repaired_is_told_once_and_tried_again() {
    let director = &Director::alone();
    let mut watch = Watch::ready(director, &["--interval", "0.2"], WEB_AND_MAIL);
    // Nobody knows any more that the services are ours: it is a conflict.
    director.run(|| std::fs::remove_dir_all("/run/fwmarkctl").unwrap());
    director.flush_ruleset();
    watch.hear("STATUS=generation 1 not repaired: ");
    watch.turn_round();
    watch.turn_round();
    director.command("ipvsadm").arg("-C").ok();
    watch.hear("STATUS=generation 1 in sync, 1 repair,");
    director.in_sync(WEB_AND_MAIL).unwrap();
    let said = watch.stop().stderr;
    assert_eq!(said.matches("error: ").count(), 1, "{said}");
    assert!(said.contains("group mail: the service fwmark 25 ipv4 exists and is not ours"));
}

#[test]
fn a_lock_that_somebody_has_is_waited_for_with_open_ears() {
    let director = &Director::alone();
    let lock = take_lock(director);
    let watch = Watch::begin(director, &[], WEB_AND_MAIL);
    watch.takes_signals();
    watch.running.signal(Signal::TERM);
    let ended = watch.running.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(director.ruleset(), "");
    drop(lock);

    let mut watch = Watch::ready(director, &[], WEB_AND_MAIL);
    let lock = take_lock(director);
    director.flush_ruleset();
    let flushed = director.ruleset();
    watch.turn_round();
    assert_eq!(director.ruleset(), flushed, "what is half done by others is not drift");
    drop(lock);
    repaired(director);
    watch.stop();
}

#[test]
fn a_start_that_fails_ends_as_an_apply_does() {
    let director = &Director::alone();
    for (config, code) in [("[group.web]\nvip = 1", 2), (WEB_AND_MAIL, 2)] {
        director.ipvsadm("-A -f 25 -s wlc");
        let ended = Watch::begin(director, &[], config).running.wait();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        director.command("ipvsadm").arg("-C").ok();
    }
    assert_eq!(director.ruleset(), "");
}

#[test]
fn each_event_is_a_line_of_json() {
    let director = &Director::alone();
    let mut watch = Watch::ready(director, &["-o", "json"], WEB_AND_MAIL);
    director.flush_ruleset();
    watch.hear("1 repair");
    watch.running.signal(Signal::HUP);
    watch.hear("READY=1");
    Watch::write(&Watch::file(watch.folder.path()), "[group.web]");
    watch.running.signal(Signal::HUP);
    watch.hear("READY=1");
    let ended = watch.stop();
    assert_eq!(ended.stderr, "");
    let lines: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["started", "repaired", "reloaded", "failed", "stopped"]);
    for line in &lines {
        assert_eq!((&line["format"], &line["generation"]), (&1.into(), &1.into()), "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(lines[0]["summary"]["add"], 9);
    assert_eq!(lines[1]["changes"].as_array().unwrap().len(), 5);
    assert_eq!(lines[2]["changes"].as_array().unwrap().len(), 0);
    assert_eq!(lines[3]["error"]["kind"], "config");
    assert_eq!(lines[4]["signal"], "SIGTERM");
}
