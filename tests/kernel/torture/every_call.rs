//! A process dies at each of its calls in turn: each change of the kernel, each write to
//! disk. Then `recover` leads to the state before or to the state after.

use std::time::Instant;

use fwmarkctl::plan::Plan;
use fwmarkctl::state::{DirectorState, Observation};

use super::configs::{Config, configs};
use super::machine::{End, Machine};
use crate::lab::Marks;

/// A command that leads from one state to another.
#[derive(Clone, Copy)]
pub(crate) struct Transition<'a> {
    pub(crate) command: &'a [&'a str],
    /// What is on the command's standard input.
    pub(crate) config: &'a str,
    pub(crate) before: &'a DirectorState,
    pub(crate) after: &'a DirectorState,
}

/// An apply of `to` where `from` is applied.
pub(crate) fn apply<'a>(from: &'a Config, to: &'a Config) -> Transition<'a> {
    Transition { command: &["apply"], config: &to.text, before: &from.state, after: &to.state }
}

/// How the deaths of a transition ended.
#[derive(Debug)]
pub(crate) struct Tally {
    /// When it began.
    since: Instant,
    /// How many deaths there were: the number of calls.
    pub(crate) deaths: u64,
    /// How many of them left an intent.
    pub(crate) interrupted: u64,
    pub(crate) undone: u64,
    pub(crate) finished: u64,
}

impl Tally {
    pub(crate) fn begin() -> Self {
        Self { since: Instant::now(), deaths: 0, interrupted: 0, undone: 0, finished: 0 }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.deaths += other.deaths;
        self.interrupted += other.interrupted;
        self.undone += other.undone;
        self.finished += other.finished;
    }

    /// Says how much was tried.
    pub(crate) fn report(&self, what: &str) {
        let Self { since, deaths, interrupted, undone, finished } = self;
        println!(
            "torture: {what}: {deaths} deaths, {interrupted} left an intent, \
             {undone} undone, {finished} finished, in {} s",
            since.elapsed().as_secs()
        );
    }
}

/// A transition whose next process dies at its `call`-th call.
struct Dying<'a> {
    transition: Transition<'a>,
    call: u64,
    /// Whether it was let live in the end.
    over: bool,
    tally: Tally,
}

/// Dies at every call of `there`, and of `back`, which leads back again; recovers each
/// time. A death that is finished leads to where the other one begins, so that nothing has
/// to be put back.
pub(crate) fn die_both_ways(
    machine: &Machine,
    there: Transition<'_>,
    back: Transition<'_>,
) -> [Tally; 2] {
    let dying = |transition| Dying { transition, call: 1, over: false, tally: Tally::begin() };
    let mut ways = [dying(there), dying(back)];
    let mut at = 0;
    while !(ways[0].over && ways[1].over) {
        if ways[at].die_and_recover(machine) {
            at = 1 - at;
        }
    }
    for Dying { transition, tally, .. } in &ways {
        // There is something before the first change, and something behind the switch.
        let sound = tally.undone > 0 && tally.finished > 0;
        assert!(sound, "{:?}: {tally:?}", transition.command);
    }
    ways.map(|way| way.tally)
}

impl Dying<'_> {
    /// One death, and what follows; whether the kernel holds the state after.
    fn die_and_recover(&mut self, machine: &Machine) -> bool {
        let Transition { command, config, after, .. } = self.transition;
        if self.over {
            machine.ok(command, config);
            return true;
        }
        let call = self.call;
        let end = machine.dying_at(call, command, config);
        self.call += 1;
        if end != End::Died {
            assert_eq!(end, End::Lived(call - 1), "{command:?}");
            assert_eq!(machine.which([after]), Some(0), "{command:?}");
            self.over = true;
            return true;
        }
        self.tally.deaths += 1;
        let interrupted = machine.is_interrupted();
        self.tally.interrupted += u64::from(interrupted);
        if call.is_multiple_of(3) {
            machine.status_tells();
        }
        let done = self.recover(machine, call, interrupted);
        self.tally.undone += u64::from(interrupted && !done);
        self.tally.finished += u64::from(interrupted && done);
        if done || !call.is_multiple_of(3) {
            return done;
        }
        // Else the one that dies next shows that a recovery leaves nothing in the way.
        machine.ok(command, config);
        assert_eq!(machine.which([after]), Some(0), "the next {command:?}");
        true
    }

    /// `recover` says what it did, and did it; whether the kernel holds the state after.
    fn recover(&self, machine: &Machine, call: u64, interrupted: bool) -> bool {
        let Transition { command, before, after, .. } = self.transition;
        let word = machine.recover();
        let states = [before, after];
        let found = machine.which(states);
        let fits = match (word.as_str(), interrupted) {
            ("undone", true) => found == Some(0),
            ("finished", true) => found == Some(1),
            ("nothing", false) => found.is_some(),
            _ => false,
        };
        assert!(
            fits && machine.head_is(states[found.unwrap()]),
            "{command:?} died at call {call}, recovery was '{word}', the state is {found:?}\n{}",
            machine.show(&states)
        );
        found == Some(1)
    }
}

#[test]
fn an_apply_that_dies_at_any_call_is_undone_or_finished() {
    let machine = Machine::new();
    let row: Vec<_> = configs(1).take(6).collect();
    machine.ok(&["apply"], &row[0].text);
    let mut all = Tally::begin();
    for pair in row.windows(2) {
        let (there, back) = (apply(&pair[0], &pair[1]), apply(&pair[1], &pair[0]));
        for tally in die_both_ways(&machine, there, back) {
            all.add(&tally);
        }
        machine.ok(there.command, there.config);
    }
    all.report("10 transitions by apply");
}

/// A range that changes is switched in three batches (`transaction/shadow.rs`), and a
/// process can die between them.
#[test]
fn a_range_that_changes_and_dies_at_any_call_is_undone_or_finished() {
    let [narrow, wide] = ["8000-8009", "8005-8019"].map(|ports| {
        Config::new(&format!(
            "[group.web]\nvips = [\"10.0.0.1\", \"10.0.1.0/29\"]\nports = [\"{ports}/tcp\"]\nmark = 1\n\
             real = [\"10.1.0.1\"]\n"
        ))
    });
    let plan = Plan::between(&Observation::of(&narrow.state), &wide.state);
    let casts_one = Marks::of_this_run() == Marks::Nftables;
    assert_eq!(!plan.shadow.entries.is_empty(), casts_one, "a shadow");
    let machine = Machine::new();
    machine.ok(&["apply"], &narrow.text);
    for tally in die_both_ways(&machine, apply(&narrow, &wide), apply(&wide, &narrow)) {
        tally.report("a range that changes");
    }
}

/// The marks are copied, go from where they were, and then become others: at each of
/// these a process can die. All forms of all backends are gone through.
#[test]
fn a_change_of_backend_that_dies_at_any_call_is_undone_or_finished() {
    let machine = Machine::new();
    let [here, there] = ["80", "8000-8009"].map(|ports| {
        format!(
            "[group.web]\nvips = [\"10.0.0.1\", \"2001:db8::1\"]\nports = [\"{ports}/tcp\"]\nmark = 1\n\
             real = [\"10.1.0.1\", \"2001:db8:9::1\"]\n"
        )
    });
    for pair in Marks::ALL.windows(2) {
        let from = Config::new(&pair[0].configured(&here));
        let to = Config::new(&pair[1].configured(&there));
        machine.ok(&["apply"], &from.text);
        let ways = die_both_ways(&machine, apply(&from, &to), apply(&to, &from));
        for (tally, to) in ways.iter().zip([pair[1], pair[0]]) {
            tally.report(&format!("to {to:?}"));
        }
    }
    machine.ok(&["clear", "--yes"], "");
    let sets = machine.director.command("ipset").args(["list", "-n"]).ok();
    assert_eq!(sets, "", "no set is left over");
}

#[test]
fn a_clear_and_a_first_apply_that_die_at_any_call_are_undone_or_finished() {
    let machine = Machine::new();
    let nothing = DirectorState::default();
    let config = configs(2).next().unwrap();
    let first = Transition { before: &nothing, ..apply(&config, &config) };
    let clear = Transition {
        command: &["clear", "--yes"],
        config: "",
        before: &config.state,
        after: &nothing,
    };
    let [first, clear] = die_both_ways(&machine, first, clear);
    first.report("first apply");
    clear.report("clear");
}

#[test]
fn a_rollback_that_dies_at_any_call_is_undone_or_finished() {
    let machine = Machine::new();
    let row: Vec<_> = configs(3).take(2).collect();
    machine.ok(&["apply"], &row[1].text);
    machine.ok(&["apply"], &row[0].text);
    let rollback = |from, to| Transition { command: &["rollback"], config: "", ..apply(from, to) };
    let (there, back) = (rollback(&row[0], &row[1]), rollback(&row[1], &row[0]));
    for tally in die_both_ways(&machine, there, back) {
        tally.report("rollback");
    }
}

/// The way back of a command that fails is a transaction too.
#[test]
fn a_refused_apply_that_dies_at_any_call_is_undone() {
    let machine = Machine::new();
    let row: Vec<_> = configs(16).take(2).collect();
    machine.ok(&["apply"], &row[0].text);
    // A scheduler that this kernel lacks, for the last of the services.
    let refused = format!(
        "{}[group.z]\nvips = [\"10.9.0.1\"]\nports = [\"99\"]\nmark = 4294967295\n\
         scheduler = \"twos\"\nreal = [\"10.9.1.1\"]\n",
        row[1].text
    );
    for command in [&["apply"][..], &["apply", "--confirm-within", "1h"]] {
        let mut tally = Tally::begin();
        for call in 1.. {
            let end = machine.dying_at(call, command, &refused);
            if end != End::Died {
                assert_eq!(end, End::Refused(call - 1), "{command:?}");
                break;
            }
            tally.deaths = call;
            tally.interrupted += u64::from(machine.is_interrupted());
            tally.undone += u64::from(machine.recover() == "undone");
            assert!(
                machine.holds(&row[0].state),
                "died at {call}\n{}",
                machine.show(&[&row[0].state])
            );
            assert!(
                machine.head_is(&row[0].state),
                "died at {call}\n{}",
                machine.show(&[&row[0].state])
            );
            assert!(machine.trial().is_none(), "died at {call}: a trial is left over");
        }
        assert!(machine.holds(&row[0].state) && machine.trial().is_none());
        assert_eq!(tally.undone, tally.interrupted);
        tally.report(&format!("refused {}", command.join(" ")));
    }
}
