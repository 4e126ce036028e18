//! Our table through nft(8), of this machine and of others: what it lists of our table it
//! loads again, and it loads what `compile` prints; and then the table is ours.
//!
//! `FWMARKCTL_NFT_PROGRAMS` names the programs, parted by colons; else it is the `nft` of
//! the PATH. That of Debian 13, which `tests/kernel/debian13` unpacks, is one more where it
//! is there.

#![allow(dead_code, reason = "each test program uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::fs::read_to_string;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fwmarkctl::backend::nftables::Nftables;
use fwmarkctl::backend::{Frame, MarkRuleset, Netfilter};
use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{Options, Sources, load as read_config};
use fwmarkctl::plan::{EntryChange, FrameChange, MarkSwitch, Plan};
use fwmarkctl::state::{
    DirectorState, MarkBook, MarkEntry, Marking, Observation, Record, TransactionId,
};

/// What a text of a table cannot say: who applied it.
const NO_RECORD: &str = "the chain ledger has no commit record";

pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each nft(8) that has to load our table.
pub(crate) fn programs() -> Vec<PathBuf> {
    let named = std::env::var_os("FWMARKCTL_NFT_PROGRAMS").unwrap_or("nft".into());
    let mut programs: Vec<_> = std::env::split_paths(&named).collect();
    let newer = home().join("target/tools/debian13/nft");
    if newer.exists() && !programs.contains(&newer) {
        programs.push(newer);
    }
    programs
}

/// The version and the path of a program, for the words of a failure.
pub(crate) fn named(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    format!("{} ({})", String::from_utf8_lossy(&output.stdout).trim(), program.display())
}

/// What `nft list ruleset` says in this namespace.
pub(crate) fn list(program: &Path) -> String {
    let output = Command::new(program).args(["list", "ruleset"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {}: {error}", named(program), output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Replaces the ruleset of this namespace by `text`, as a boot would; the error is what nft
/// says.
pub(crate) fn load(program: &Path, text: &str) -> Result<(), String> {
    let mut child = Command::new(program)
        .arg("-I")
        .arg(home().join("rules/nftables"))
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let whole = format!("flush ruleset\n{text}");
    child.stdin.take().unwrap().write_all(whole.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{}: {error}", named(program))) }
}

pub(crate) fn state(config: &Path) -> DirectorState {
    let config = read_config(Sources::file(config), &Options::default()).unwrap();
    let marks = MarkBook::default();
    compile(&config.groups, &config.director, Past::of(&marks)).unwrap().state
}

/// The state of which each map and set of our table holds something.
pub(crate) fn full() -> DirectorState {
    state(&home().join("tests/loading/table.toml"))
}

/// What a switch that was interrupted leaves in each of the shadow maps.
pub(crate) fn shadow(state: &DirectorState) -> Marking {
    let range = "range".parse().ok();
    let ranges = state.marking.iter().filter(|(_, entry)| entry.group == range);
    ranges.map(|(key, entry)| (*key, MarkEntry { mark: None, ..entry.clone() })).collect()
}

pub(crate) fn observe() -> MarkRuleset {
    Nftables::new().observe().unwrap().value
}

/// What leads from `found` to `state`, as far as marks go.
pub(crate) fn plan(found: &MarkRuleset, state: &DirectorState) -> Plan {
    let seen = Observation { ruleset: found.clone(), ..Observation::of(state) };
    Plan::between(&seen, state)
}

/// Makes the table of `state` by our own messages.
pub(crate) fn make(state: &DirectorState, shadow: &Marking) {
    let shadow = shadow.iter().map(|(key, entry)| EntryChange {
        key: *key,
        before: None,
        after: Some(entry.clone()),
    });
    let record = Record {
        generation: 1,
        transaction: TransactionId(1),
        boot: "0f6d8a51-25b6-4c5f-8f0e-1df3a0a3a6d1".into(),
        state: "00112233445566ff".parse().unwrap(),
    };
    let change = MarkSwitch {
        frame: FrameChange::Rebuild,
        shadow: shadow.collect(),
        record: Some(record),
        ..plan(&MarkRuleset::default(), state).switch
    };
    let nftables = Nftables::new();
    nftables.switch(&change, nftables.observe().unwrap().generation).unwrap();
}

/// What one program lists of a full table of ours another loads, and it is the same table.
pub(crate) fn what_is_listed_is_loaded_and_ours() {
    let state = full();
    let shadow = shadow(&state);
    assert_eq!(shadow.len(), 6);
    for lister in programs() {
        for loader in programs() {
            make(&state, &shadow);
            let made = observe();
            assert_eq!((&made.frame, &made.shadow), (&Frame::Intact, &shadow));
            assert!(
                Plan::between(
                    &Observation {
                        ruleset: MarkRuleset { shadow: Marking::new(), ..made.clone() },
                        ..Observation::of(&state)
                    },
                    &state
                )
                .is_empty()
            );
            load(&loader, &list(&lister)).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(observe(), made, "{} after {}", named(&loader), named(&lister));
        }
    }
}

/// What `compile` prints of every configuration in this repository, and what ships.
pub(crate) fn what_is_compiled_is_loaded_and_ours() {
    let mut configs = vec![home().join("tests/loading/table.toml")];
    for (folder, file) in [("tests/golden", Some("config.toml")), ("examples", None)] {
        let mut paths: Vec<_> = home()
            .join(folder)
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| file.map_or(path.clone(), |file| path.join(file)))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        paths.sort();
        configs.extend(paths);
    }
    assert!(configs.len() > 20, "{configs:?}");
    let programs = programs();
    for config in configs {
        let mut state = state(&config);
        state.marker = fwmarkctl::model::Marker::Nftables;
        state.form = fwmarkctl::model::Form::Rules;
        let text = fwmarkctl::render::nft(&state);
        for program in &programs {
            load(program, &text).unwrap_or_else(|why| panic!("{}: {why}", config.display()));
            ours(&state, &format!("{} by {}", config.display(), named(program)));
        }
    }
    let shop = state(&home().join("examples/http3.toml"));
    for file in ["shop.nft", "nftables.conf"] {
        let text = read_to_string(home().join("rules/nftables").join(file)).unwrap();
        for program in &programs {
            load(program, &text).unwrap_or_else(|why| panic!("{file}: {why}"));
            ours(&shop, &format!("{file} by {}", named(program)));
        }
    }
}

/// The table that is there is that of `state`, but for the record of an apply.
fn ours(state: &DirectorState, of: &str) {
    let found = observe();
    let plan = plan(&found, state);
    if state.is_empty() {
        return assert_eq!(found.frame, Frame::Absent, "{of}");
    }
    assert_eq!(found.frame, Frame::RulesDiffer(vec![NO_RECORD.to_owned()]), "{of}");
    let MarkSwitch { entries, shadow, sources, ledger, .. } = &plan.switch;
    assert!(entries.is_empty() && shadow.is_empty(), "{of}: {:?}", plan.switch);
    assert!(sources.is_empty() && ledger.is_empty(), "{of}: {:?}", plan.switch);
}
