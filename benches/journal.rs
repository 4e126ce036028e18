//! What the journal and the history add to an apply: the same transactions with and
//! without them, in turn, in the same run. Then their files alone, in the build folder:
//! there they are on a disk, while the run directory is in memory on every machine.
//!
//! Run through `make bench`, which finds a kernel with IPVS.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on shall say where")]

mod groups;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use fwmarkctl::backend::ipvs::KernelIpvs;
use fwmarkctl::backend::machine::KernelMachine;
use fwmarkctl::backend::nftables::Nftables;
use fwmarkctl::backend::{Director, Netfilter};
use fwmarkctl::compile::{Compiled, Past, compile};
use fwmarkctl::config::{Options, Sources, load};
use fwmarkctl::plan::Summary;
use fwmarkctl::state::{DirectorState, Fingerprint, MarkBook, Ownership, Record, TransactionId};
use fwmarkctl::transaction::{
    Aim, Author, Draft, DurableJournal, Ending, History, Identity, Intent, Journal, NoJournal,
    Purpose, RunJournal, Silent, Transaction,
};

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let sizes: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10, 10_000] } else { sizes };
    // On this machine's own disk, without a kernel that has IPVS.
    if words.iter().any(|word| word == "files") {
        return sizes.into_iter().for_each(files_only);
    }
    println!("| groups | change | apply without | with | added | its files on disk |");
    println!("|---|---|---|---|---|---|");
    let mut alive = Vec::new();
    for size in sizes {
        // A namespace belongs to a thread; so each size has one of its own.
        alive.push(std::thread::spawn(move || row(size)).join().unwrap());
    }
}

fn files_only(size: usize) {
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (one, other) = (compiled(size, 1), compiled(size, 7));
    for (where_, folder) in [("disk", disk.path()), ("memory", memory.path())] {
        let mut times: Vec<_> = (0..15).map(|_| files_alone(folder, &one, &other)).collect();
        times.sort();
        println!("{size} groups, {where_}: {:.2} ms", milliseconds(times[7]));
    }
}

fn compiled(groups: usize, weight: u32) -> Compiled {
    let config = load(Sources::text(groups::config(groups, weight)), &Options::default()).unwrap();
    compile(&config.groups, &config.director, Past::of(&MarkBook::default())).unwrap()
}

/// Measures one size; the namespaces that it made are returned alive.
fn row(size: usize) -> Vec<File> {
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (one, other) = (compiled(size, 1), compiled(size, 7));
    let nothing = Compiled { state: DirectorState::default(), marks: MarkBook::default() };
    let rounds = if size > 1000 { 3 } else { 15 };

    let mut namespaces = Vec::new();
    let mut all: [Vec<Duration>; 3] = Default::default();
    for round in 0..rounds {
        for with in [false, true] {
            // Services that were there before would make it slower, so it is a fresh one.
            namespaces.push(groups::namespace());
            let folder = memory.path().join(format!("all-{round}"));
            all[usize::from(with)].push(apply(&one, with, &folder));
        }
        all[2].push(files_alone(disk.path(), &nothing, &one));
    }
    print(size, "all of them", all);

    let mut weight: [Vec<Duration>; 3] = Default::default();
    for _ in 0..rounds {
        for with in [false, true] {
            for to in [&other, &one] {
                weight[usize::from(with)].push(apply(to, with, memory.path()));
            }
        }
        weight[2].push(files_alone(disk.path(), &one, &other));
    }
    print(size, "one weight", weight);
    namespaces
}

fn apply(to: &Compiled, with: bool, folder: &Path) -> Duration {
    let (history, run) = files(folder);
    let draft = Draft { state: &to.state, marks: &to.marks, config: None };
    let durable = DurableJournal::new(&history, &run).with_draft(draft);
    let journal: &dyn Journal = if with { &durable } else { &NoJournal };
    let start = Instant::now();
    lead_to(to, journal);
    start.elapsed()
}

/// The medians of: without, with, the files alone.
fn print(size: usize, what: &str, times: [Vec<Duration>; 3]) {
    let [without, with, alone] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let added = with.as_secs_f64() - without.as_secs_f64();
    println!(
        "| {size} | {what} | {:.1} ms | {:.1} ms | {:.1} ms ({:+.1} %) | {:.1} ms |",
        milliseconds(without),
        milliseconds(with),
        added * 1e3,
        added / without.as_secs_f64() * 100.0,
        milliseconds(alone),
    );
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The run directory is in memory on every machine; the state directory is in `folder`.
fn files(folder: &Path) -> (History, RunJournal) {
    let run = Path::new("/dev/shm/fwmarkctl-bench");
    (History::new(&folder.join("state")), RunJournal::new(run, "bench").unwrap())
}

fn lead_to(to: &Compiled, journal: &dyn Journal) {
    let (nftables, ipvs, machine) = (Nftables::new(), KernelIpvs::new(), KernelMachine::new());
    let director = Director { netfilter: &[&nftables], ipvs: &ipvs, machine: &machine };
    let identity =
        Identity { transaction: TransactionId(1), boot: "bench".into(), author: Author::default() };
    let aim = Aim::new(&to.state, Purpose::Apply);
    let outcome = Transaction::new(&director, identity, journal, &mut Silent).run(aim).unwrap();
    drop(outcome);
}

/// What an apply writes to disk, without the apply.
fn files_alone(folder: &Path, before: &Compiled, after: &Compiled) -> Duration {
    let (history, run) = files(folder);
    let draft = Draft { state: &after.state, marks: &after.marks, config: None };
    let journal = DurableJournal::new(&history, &run).with_draft(draft);
    let generation = journal.next_generation();
    let intent = Intent {
        purpose: Purpose::Apply,
        author: Author::default(),
        began_at: Nftables::new().observe().unwrap().generation,
        before: before.state.clone(),
        record_before: None,
        after: after.state.clone(),
        record: Record {
            generation,
            transaction: TransactionId(generation),
            boot: "bench".into(),
            state: Fingerprint::of_state(&after.state),
        },
        aborting: false,
        summary: Summary::default(),
    };
    let owned = Ownership { services: intent.services(), ..Ownership::default() };
    let start = Instant::now();
    journal.begin(&intent, &owned).unwrap();
    journal.commit(&intent).unwrap();
    journal.end(&intent, Ending::Applied, &owned).unwrap();
    start.elapsed()
}
