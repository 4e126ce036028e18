//! The program that is released, killed at random moments.

use std::os::fd::AsRawFd;
use std::process;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fwmarkctl::transaction::network_namespace;
use rustix::process::Signal;

use super::configs::{configs, numbers, set};
use super::machine::{Machine, RUN};
use crate::lab::{Marks, copy_in_memory};

/// What the kills hit.
#[derive(Debug, Default)]
struct Hits {
    /// Nothing was written, or nothing but what no recovery needs.
    before: u32,
    /// An intent was on disk: it was undone.
    undone: u32,
    /// The same: it was finished.
    finished: u32,
    /// It was done, or had ended by itself.
    after: u32,
}

#[test]
fn an_apply_that_is_killed_at_any_moment_is_undone_or_finished() {
    let released = std::env::var("FWMARKCTL_RELEASE")
        .expect("FWMARKCTL_RELEASE names the program that is released; see `make torture`");
    let copy = copy_in_memory(&released);
    let program = format!("/proc/{}/fd/{}", process::id(), copy.as_raw_fd());
    let machine = Machine::new();
    let run = |args: &[&str], config: &str| {
        let command = machine.director.command(&program).args(["-c", "-", "-o", "json"]);
        command.args(args).stdin(&Marks::in_config(config))
    };
    let mut row = configs(12);
    let mut held = row.next().unwrap();
    run(&["apply", "--yes"], &held.text).ok();
    let began = Instant::now();
    let measured = 6;
    for config in row.by_ref().take(measured) {
        run(&["apply", "--yes"], &config.text).ok();
        held = config;
    }
    let typical = began.elapsed() / u32::try_from(measured).unwrap();
    // Kills come up to so much later. The machine may be busier soon than it was just now,
    // so this follows what they hit.
    let mut spans = [typical, typical / 2];

    let rounds: u32 = set("FWMARKCTL_TORTURE_ROUNDS", 200);
    let mut hits = Hits::default();
    let mut late = 0;
    for (round, (wanted, moment)) in (0..rounds).zip(row.zip(numbers(13, 10_000))) {
        if wanted.state == held.state {
            late += 1;
            continue;
        }
        // Half of them from the start on; the others from where it has the lock, for the
        // way there takes the longest and writes nothing.
        let span = &mut spans[round as usize % 2];
        let holder = lock_holder(&machine);
        let apply = run(&["apply", "--yes"], &wanted.text).spawn();
        if round % 2 == 1 {
            let deadline = Instant::now() + Duration::from_secs(60);
            while lock_holder(&machine) == holder {
                assert!(Instant::now() < deadline, "nobody takes the lock");
                std::thread::yield_now();
            }
        }
        let killed_after = *span * moment / 10_000;
        sleep(killed_after);
        apply.signal(Signal::KILL);
        drop(apply.wait());
        let interrupted = machine.is_interrupted();
        let recovered: serde_json::Value =
            serde_json::from_str(&run(&["recover"], "").ok()).unwrap();
        let found = machine.which([&held.state, &wanted.state]);
        let word = recovered["recovered"].as_str().unwrap();
        match (word, found, interrupted) {
            ("nothing", Some(0), false) => {
                hits.before += 1;
                if moment > 5_000 {
                    *span = *span * 11 / 10;
                }
            }
            ("undone", Some(0), true) => hits.undone += 1,
            ("finished", Some(1), true) => hits.finished += 1,
            ("nothing", Some(1), false) => {
                hits.after += 1;
                *span = *span * 19 / 20;
            }
            _ => panic!(
                "round {round}, killed after {killed_after:?}: '{word}', intent: {interrupted}, state: {found:?}\n\
                 from\n{}to\n{}{}",
                held.text,
                wanted.text,
                machine.show(&[&held.state, &wanted.state])
            ),
        }
        // Now and then the next one is let alone; else it is the one that is killed next.
        if round % 8 == 0 {
            run(&["apply", "--yes"], &wanted.text).ok();
            assert_eq!(machine.which([&wanted.state]), Some(0), "round {round}: the next apply");
        }
        if found == Some(1) || round % 8 == 0 {
            held = wanted;
        }
        assert!(machine.head_is(&held.state), "round {round}: the head is another state");
    }
    let all = rounds - late;
    println!(
        "torture: {all} random kills of applies that take {typical:?}: {hits:?}; {:?}",
        began.elapsed()
    );
    let middle = hits.undone + hits.finished;
    assert!(middle * 10 >= all, "kills that never hit the middle prove nothing: {hits:?}");
}

/// Who had the lock last, as it says itself.
fn lock_holder(machine: &Machine) -> String {
    machine.director.run(|| {
        let path = format!("{RUN}/lock-{}", network_namespace().unwrap());
        std::fs::read_to_string(path).unwrap()
    })
}
