//! Many at once: applies come one after another, whoever else edits what is theirs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fwmarkctl::state::Fingerprint;
use fwmarkctl::transaction::{Header, History, Lock};

use super::configs::{Config, configs};
use super::machine::{Machine, RUN};
use crate::lab::{Ended, Running};
use crate::scene::Fwmarkctl;

const STATE: &str = "/var/lib/fwmarkctl";

/// Configurations no two of which have the same state.
fn different(part: u8, count: usize) -> Vec<Config> {
    let mut states = BTreeSet::new();
    let state = |config: &Config| Fingerprint::of_state(&config.state).to_string();
    configs(part).filter(|config| states.insert(state(config))).take(count).collect()
}

/// All generations, in order.
fn history(machine: &Machine) -> Vec<Header> {
    machine.director.run(|| {
        let history = History::new(Path::new(STATE));
        let numbers = history.numbers().unwrap();
        numbers.into_iter().map(|number| history.header(number).unwrap()).collect()
    })
}

/// Generations 1 to `count`, each from the one before it.
fn assert_serial(history: &[Header], count: usize) {
    let numbers: Vec<_> = history.iter().map(|header| header.number).collect();
    assert_eq!(numbers, (1..=u64::try_from(count).unwrap()).collect::<Vec<_>>());
    for header in history {
        let before = header.number.checked_sub(1).filter(|number| *number > 0);
        assert_eq!(header.before, before, "generation {}", header.number);
    }
}

/// Somebody edits elements and real servers of their own while `work` is done, and leaves
/// them as they were.
fn while_others_edit<T>(machine: &Machine, work: impl FnOnce() -> T) -> (T, usize) {
    let nft = ["add", "delete"].map(|verb| {
        let words = [verb, "element", "inet", "firewall", "admins", "{ 10.9.9.9 }"];
        ("nft", words.map(str::to_owned).to_vec())
    });
    let ipvsadm = [4, 3].map(|weight| {
        let line = format!("-e -f 99 -r 172.18.100.11:0 -g -w {weight} -x 200 -y 100");
        ("ipvsadm", line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    });
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let editors = [nft, ipvsadm].map(|edits| {
            let over = &over;
            scope.spawn(move || {
                let mut rounds = 0;
                while !over.load(Ordering::SeqCst) {
                    for (program, words) in &edits {
                        machine.director.command(program).args(words).ok();
                    }
                    rounds += 1;
                }
                rounds
            })
        });
        let done = work();
        over.store(true, Ordering::SeqCst);
        let rounds = editors.map(|editor| editor.join().unwrap());
        (done, rounds.iter().sum())
    })
}

#[test]
fn twenty_applies_at_once_come_one_after_another() {
    let machine = Machine::new();
    let all = different(14, 20);
    let (ends, edits) = while_others_edit(&machine, || {
        let running: Vec<_> = all
            .iter()
            .map(|config| machine.director.with(&["apply"], &config.text).spawn())
            .collect();
        running.into_iter().map(Running::wait).collect::<Vec<Ended>>()
    });
    for end in &ends {
        assert_eq!(end.code, Some(0), "{end:?}");
    }
    let history = history(&machine);
    assert_serial(&history, 20);
    let states: BTreeSet<_> = history.iter().map(|header| &header.state).collect();
    assert_eq!(states.len(), 20, "each apply has its generation");
    let held: Vec<_> = all.iter().filter(|config| machine.holds(&config.state)).collect();
    assert_eq!(held.len(), 1, "the kernel holds one of them\n{}", machine.show(&[]));
    assert!(machine.head_is(&held[0].state));
    assert!(!machine.is_interrupted());
    println!("torture: 20 applies at once beside {edits} rounds of others' edits");
}

#[test]
fn an_apply_that_does_not_wait_is_done_or_changes_nothing() {
    let machine = Machine::new();
    let all = different(15, 12);
    machine.ok(&["apply"], &all[0].text);
    let held =
        machine.director.run(|| Lock::take(RUN.as_ref(), STATE.as_ref(), "a test", |_| false));
    let refused = machine.director.with(&["apply", "--no-wait"], &all[1].text).run();
    assert_eq!(refused.code, Some(5), "{refused:?}");
    drop(held.unwrap());
    assert_serial(&history(&machine), 1);

    let (codes, _) = while_others_edit(&machine, || {
        let apply =
            |config: &Config| machine.director.with(&["apply", "--no-wait"], &config.text).spawn();
        let running: Vec<_> = all[1..].iter().map(apply).collect();
        running.into_iter().map(|running| running.wait().code.unwrap()).collect::<Vec<_>>()
    });
    let done = codes.iter().filter(|code| **code == 0).count();
    assert!(codes.iter().all(|code| [0, 5].contains(code)), "{codes:?}");
    assert!(codes.contains(&5), "nobody met anybody: {codes:?}");
    let history = history(&machine);
    assert_serial(&history, 1 + done);
    let last = &history.last().unwrap().state;
    let held: Vec<_> = all.iter().filter(|config| machine.holds(&config.state)).collect();
    assert_eq!(held.len(), 1, "the kernel holds one of them");
    assert!(machine.head_is(&held[0].state) && machine.head() == *last);
    println!("torture: of 11 applies that do not wait {done} were done");
}
