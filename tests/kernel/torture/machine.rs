//! A director whose processes die, and the questions that are asked afterwards.

use std::path::Path;

use fwmarkctl::backend::KernelDirector;
use fwmarkctl::plan::Plan;
use fwmarkctl::state::{DirectorState, Fingerprint, Ownership};
use fwmarkctl::transaction::{Found, History, RunJournal, Trial, TrialFile, observe};

use super::foreign::{self, Dump};
use crate::lab::{Director, Ended};
use crate::scene::Fwmarkctl;

/// Where the program keeps what a reboot forgets; each director has its own.
pub(crate) const RUN: &str = "/run/fwmarkctl";

/// A director beside somebody else's rules and services.
pub(crate) struct Machine {
    pub(crate) director: Director,
    /// What others hold from the beginning.
    foreign: Dump,
}

/// How a process ended that was to die.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As was meant.
    Died,
    /// It made only so many calls.
    Lived(u64),
    /// The same; it failed, and the state from before stands.
    Refused(u64),
}

pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

impl Machine {
    pub(crate) fn new() -> Self {
        let director = Director::alone();
        foreign::load(&director);
        let foreign = director.run(foreign::read);
        assert_eq!(foreign.services.len(), foreign::HOW_MANY);
        Self { director, foreign }
    }

    /// Runs a command that has to succeed.
    pub(crate) fn ok(&self, args: &[&str], config: &str) -> String {
        self.director.with(args, config).ok()
    }

    /// Runs a command that dies at its `call`-th call, if it makes so many.
    pub(crate) fn dying_at(&self, call: u64, args: &[&str], config: &str) -> End {
        let at = call.to_string();
        let ended = self.director.with(args, config).env("FWMARKCTL_DIE_AT", &at).run();
        match ended.code {
            None => End::Died,
            Some(0) => End::Lived(calls(&ended)),
            Some(1) => End::Refused(calls(&ended)),
            Some(code) => {
                panic!("{args:?}, to die at {call}, ended with {code}\n{ended:?}\n{config}")
            }
        }
    }

    /// Whether an intent is on disk.
    pub(crate) fn is_interrupted(&self) -> bool {
        let found = self.director.run(|| RunJournal::new(Path::new(RUN), &boot())?.find());
        match found.unwrap() {
            Found::Nothing => false,
            Found::Interrupted(_) => true,
            Found::Useless(why) => panic!("the intent is useless: {why}"),
        }
    }

    /// `status` tells of an unfinished transaction when there is one, and only then.
    pub(crate) fn status_tells(&self) {
        let status = self.director.fwmarkctl(&["status"]).ok();
        assert_eq!(status.contains("has not ended"), self.is_interrupted(), "{status}");
    }

    /// The trial that waits, or is over and waits to end.
    pub(crate) fn trial(&self) -> Option<Trial> {
        self.director.run(|| TrialFile::new(Path::new(RUN), &boot())?.find()).unwrap()
    }

    /// `recover`; the answer is the word for what it did.
    pub(crate) fn recover(&self) -> String {
        let ended = self.director.fwmarkctl(&["-o", "json", "recover"]).run();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!self.is_interrupted(), "a recovery leaves nothing to recover");
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        document["recovered"].as_str().unwrap().to_owned()
    }

    /// Which of `states` the kernel holds, with no service besides but those of others.
    /// What others hold is as it was, whatever ours is.
    pub(crate) fn which<const N: usize>(&self, states: [&DirectorState; N]) -> Option<usize> {
        let services = self.services_of_ours();
        states
            .iter()
            .position(|state| state.services.len() == services && self.plan(state).is_empty())
    }

    /// What would lead to `state`.
    fn plan(&self, state: &DirectorState) -> Plan {
        self.director.run(|| {
            let seen =
                KernelDirector::new().with(|kernel| observe(kernel, state, &Ownership::default()));
            Plan::between(&seen.unwrap(), state)
        })
    }

    /// The same for one.
    pub(crate) fn holds(&self, state: &DirectorState) -> bool {
        self.which([state]).is_some()
    }

    /// How many services there are beside those of others. These, and their rules, are
    /// byte for byte what they were at the beginning.
    pub(crate) fn services_of_ours(&self) -> usize {
        let now = self.director.run(foreign::read);
        assert!(now.rules == self.foreign.rules, "somebody else's rules have changed");
        let stayed = |service: &Vec<u8>| now.services.contains(service);
        assert!(self.foreign.services.iter().all(stayed), "somebody else's services have changed");
        now.services.len() - self.foreign.services.len()
    }

    /// The fingerprint of the state that a reboot would bring back.
    pub(crate) fn head(&self) -> String {
        self.director.run(|| {
            let history = History::new(Path::new("/var/lib/fwmarkctl"));
            let nothing = Fingerprint::of_state(&DirectorState::default()).to_string();
            history.head().unwrap().map_or(nothing, |head| history.header(head).unwrap().state)
        })
    }

    /// A reboot would bring back `state`.
    pub(crate) fn head_is(&self, state: &DirectorState) -> bool {
        self.head() == Fingerprint::of_state(state).to_string()
    }

    /// Shows what there is, and how it differs from each of `states`, for somebody who has
    /// to find out why.
    pub(crate) fn show(&self, states: &[&DirectorState]) -> String {
        let [rules, services] = self.director.dump();
        let history = self.director.fwmarkctl(&["history"]).ok();
        let plans: Vec<_> = states.iter().map(|state| self.plan(state)).collect();
        let count = self.services_of_ours();
        format!("{rules}\n{services}\n{history}\n{count} services are ours\n{plans:#?}")
    }
}

/// The calls that a process made, as it says at its end.
fn calls(ended: &Ended) -> u64 {
    let line = ended.stderr.lines().find_map(|line| line.strip_prefix("fail points: "));
    let number = line.and_then(|line| line.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("fwmarkctl was built without its fail points: {ended:?}"))
}
