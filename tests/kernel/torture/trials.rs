//! A trial, its confirmation and its end, which die at every call. What waits to be
//! confirmed holds back what only the state before has; so a trial has a state of its own.

use std::fs;
use std::time::Duration;

use fwmarkctl::transaction::{TrialFile, network_namespace};
use rustix::process::{Pid, Signal, kill_process};

use super::configs::{Config, configs};
use super::every_call::Tally;
use super::machine::{End, Machine, RUN, boot};

const TRIAL: [&str; 3] = ["apply", "--confirm-within", "1h"];

/// Two configurations, of which the first is applied.
fn start(seed: u8) -> (Machine, [Config; 2]) {
    let machine = Machine::new();
    let [from, to] = configs(seed).take(2).collect::<Vec<_>>().try_into().unwrap();
    machine.ok(&["apply"], &from.text);
    (machine, [from, to])
}

/// Dies at `call`; false when it does not make so many.
fn dies(machine: &Machine, call: u64, args: &[&str], config: &str, tally: &mut Tally) -> bool {
    let end = machine.dying_at(call, args, config);
    if end != End::Died {
        assert_eq!(end, End::Lived(call - 1), "{args:?}");
        return false;
    }
    tally.deaths += 1;
    tally.interrupted += u64::from(machine.is_interrupted());
    if call.is_multiple_of(3) {
        machine.status_tells();
    }
    true
}

/// What a director with or without a trial has to hold, by what it says of itself.
#[derive(Debug, PartialEq, Eq)]
enum Holds {
    /// The first configuration, and no trial.
    Before,
    /// The second one and what is held back, and a trial.
    Trial,
    /// The second one, confirmed.
    After,
}

fn holds(machine: &Machine, from: &Config, to: &Config) -> Result<Holds, String> {
    let tried = to.state.holding_back(&from.state);
    let trial = machine.trial();
    // A trial may hold back nothing; then its file and the head tell it from its end.
    let [before, during, after] = [&from.state, &tried, &to.state].map(|s| machine.holds(s));
    match trial {
        Some(_) if during && machine.head_is(&from.state) => Ok(Holds::Trial),
        None if before && machine.head_is(&from.state) => Ok(Holds::Before),
        None if after && machine.head_is(&to.state) => Ok(Holds::After),
        trial => Err(format!(
            "before: {before}, tried: {during}, after: {after}, trial: {trial:?}\n{}",
            machine.show(&[&from.state, &tried, &to.state])
        )),
    }
}

/// The same, after a death at `call`.
fn expect(machine: &Machine, [from, to]: &[Config; 2], call: u64, word: &str) -> Holds {
    holds(machine, from, to).unwrap_or_else(|why| panic!("died at {call}, '{word}': {why}"))
}

#[test]
fn a_trial_that_dies_at_any_call_is_undone_or_waits() {
    let (machine, configs) = start(6);
    let mut tally = Tally::begin();
    for call in 1.. {
        if !dies(&machine, call, &TRIAL, &configs[1].text, &mut tally) {
            break;
        }
        let interrupted = machine.is_interrupted();
        let word = machine.recover();
        match (expect(&machine, &configs, call, &word), interrupted) {
            (Holds::Before, _) => tally.undone += u64::from(interrupted),
            (Holds::Trial, false) => {
                tally.finished += 1;
                machine.ok(&["rollback"], "");
            }
            (other, _) => panic!("died at {call}: {other:?}"),
        }
    }
    assert_eq!(holds(&machine, &configs[0], &configs[1]), Ok(Holds::Trial));
    machine.ok(&["confirm"], "");
    assert_eq!(holds(&machine, &configs[0], &configs[1]), Ok(Holds::After));
    tally.report("trial");
}

#[test]
fn a_confirmation_that_dies_at_any_call_is_none_or_is_finished() {
    let (machine, configs) = start(7);
    let mut tally = Tally::begin();
    for call in 1.. {
        machine.ok(&TRIAL, &configs[1].text);
        if !dies(&machine, call, &["confirm"], "", &mut tally) {
            break;
        }
        let word = machine.recover();
        match expect(&machine, &configs, call, &word) {
            Holds::After => tally.finished += 1,
            Holds::Trial => {
                tally.undone += 1;
                machine.ok(&["confirm"], "");
            }
            Holds::Before => panic!("died at {call}: a confirmation undid a trial"),
        }
        machine.ok(&["apply"], &configs[0].text);
    }
    assert_eq!(holds(&machine, &configs[0], &configs[1]), Ok(Holds::After));
    tally.report("confirm");
}

#[test]
fn a_return_that_dies_at_any_call_is_none_or_is_finished() {
    let (machine, configs) = start(8);
    let mut tally = Tally::begin();
    for call in 1.. {
        if machine.trial().is_none() {
            machine.ok(&TRIAL, &configs[1].text);
            // It would end what died, and be quicker than the questions here.
            kill_watcher(&machine);
        }
        if !dies(&machine, call, &["rollback"], "", &mut tally) {
            break;
        }
        let word = machine.recover();
        match expect(&machine, &configs, call, &word) {
            Holds::Before => tally.finished += 1,
            Holds::Trial => tally.undone += 1,
            Holds::After => panic!("died at {call}: a return confirmed a trial"),
        }
    }
    assert_eq!(holds(&machine, &configs[0], &configs[1]), Ok(Holds::Before));
    tally.report("return of a trial");
}

#[test]
fn an_expired_trial_whose_end_dies_at_any_call_ends() {
    let (machine, configs) = start(9);
    let mut tally = Tally::begin();
    for call in 1.. {
        machine.ok(&TRIAL, &configs[1].text);
        kill_watcher(&machine);
        expire(&machine);
        if !dies(&machine, call, &["recover"], "", &mut tally) {
            break;
        }
        let word = machine.recover();
        let end = expect(&machine, &configs, call, &word);
        assert_eq!(end, Holds::Before, "died at {call}: '{word}'");
        tally.finished += 1;
    }
    assert_eq!(holds(&machine, &configs[0], &configs[1]), Ok(Holds::Before));
    tally.report("end of a trial");
}

/// Nobody watches over the trial any more.
fn kill_watcher(machine: &Machine) {
    let watchers = machine.director.run(watchers);
    assert_eq!(watchers.len(), 1, "one process watches over a trial");
    for watcher in watchers {
        kill_process(watcher, Signal::KILL).unwrap();
        // A process that was killed has no command line any more.
        while fs::read(format!("/proc/{watcher}/cmdline")).is_ok_and(|words| !words.is_empty()) {
            std::thread::yield_now();
        }
    }
}

/// The deadline of the trial has passed.
fn expire(machine: &Machine) {
    machine.director.run(|| {
        let file = TrialFile::new(RUN.as_ref(), &boot()).unwrap();
        let mut trial = file.find().unwrap().unwrap();
        trial.deadline = Duration::ZERO;
        file.write(&trial).unwrap();
    });
}

/// Who watches over a trial in this thread's network namespace.
fn watchers() -> Vec<Pid> {
    let here = network_namespace().unwrap();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let number: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let words = fs::read_to_string(format!("/proc/{number}/cmdline")).ok()?;
        let namespace = fs::metadata(format!("/proc/{number}/ns/net")).ok()?;
        let watches = words.contains("await-confirmation")
            && std::os::unix::fs::MetadataExt::ino(&namespace) == here;
        watches.then(|| Pid::from_raw(number)).flatten()
    });
    processes.collect()
}
