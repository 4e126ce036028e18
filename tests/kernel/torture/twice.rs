//! A recovery dies too, at each of its calls in turn; the next one leads to the same end.

use super::configs::configs;
use super::every_call::{Transition, apply};
use super::machine::{End, Machine};

/// The command dies at `call`, the recovery at each of its calls; `back` leads back where
/// the end is the state after. How many deaths of the recovery there were.
fn die_twice(machine: &Machine, there: Transition<'_>, back: Transition<'_>, call: u64) -> u64 {
    for second in 1.. {
        let first = machine.dying_at(call, there.command, there.config);
        assert_eq!(first, End::Died, "{:?} at {call}", there.command);
        assert!(machine.is_interrupted(), "{:?} at {call} leaves no intent", there.command);
        let end = machine.dying_at(second, &["recover"], "");
        let word = machine.recover();
        let states = [there.before, there.after];
        let found = machine.which(states);
        let whole = found.is_some_and(|at| machine.head_is(states[at]));
        assert!(
            whole && machine.trial().is_none(),
            "{:?} died at {call}, recovery at {second}, then '{word}', the state is {found:?}\n{}",
            there.command,
            machine.show(&states)
        );
        if found == Some(1) {
            machine.ok(back.command, back.config);
            assert!(machine.holds(there.before), "{:?}", back.command);
        }
        if let End::Lived(_) = end {
            return second - 1;
        }
    }
    unreachable!("a recovery ends")
}

/// How many calls a command makes; `back` leads back.
fn calls(machine: &Machine, there: Transition<'_>, back: Transition<'_>) -> u64 {
    let End::Lived(calls) = machine.dying_at(u64::MAX, there.command, there.config) else {
        panic!("it was not to die")
    };
    machine.ok(back.command, back.config);
    calls
}

#[test]
fn a_recovery_that_dies_at_any_call_is_begun_again() {
    let machine = Machine::new();
    let row: Vec<_> = configs(4).take(2).collect();
    machine.ok(&["apply"], &row[0].text);
    let (there, back) = (apply(&row[0], &row[1]), apply(&row[1], &row[0]));
    let all = calls(&machine, there, back);
    let mut deaths = 0;
    // Before, at and behind the switch, and when nearly all is done.
    for call in [all / 3, all / 2, all * 2 / 3, all - 1] {
        deaths += die_twice(&machine, there, back, call);
    }
    println!("torture: recovery: {deaths} deaths after 4 others");
}

#[test]
fn a_recovery_of_a_trial_that_dies_at_any_call_is_begun_again() {
    let machine = Machine::new();
    let row: Vec<_> = configs(5).take(2).collect();
    machine.ok(&["apply"], &row[0].text);
    let trial =
        Transition { command: &["apply", "--confirm-within", "1h"], ..apply(&row[0], &row[1]) };
    let back = Transition { command: &["rollback"], config: "", ..apply(&row[1], &row[0]) };
    let all = calls(&machine, trial, back);
    let mut deaths = 0;
    for call in [all / 2, all * 3 / 4] {
        deaths += die_twice(&machine, trial, back, call);
    }
    println!("torture: recovery of a trial: {deaths} deaths after 2 others");
}
