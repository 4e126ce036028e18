//! Text of any kind: every reader comes to an end, within bounds, and without a panic.

use std::time::{Duration, Instant};

use fwmarkctl::import::{Document, Imported, Kind, read};
use proptest::prelude::*;

use crate::cases::folders;

/// Far more than any of these needs in a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Reads bytes as each kind, and makes groups of what is found.
fn survives(bytes: &[u8]) {
    let began = Instant::now();
    let Ok(document) = Document::read("any", bytes) else { return };
    for kind in Kind::ALL {
        let mut found = Imported::default();
        if read(kind, &document, &mut found).is_ok() {
            drop(found.turn());
        }
    }
    assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
}

/// The dumps of the cases.
fn dumps() -> Vec<Vec<u8>> {
    let of = |folder: std::path::PathBuf| {
        let entries = std::fs::read_dir(folder).expect("a case");
        entries.map(|entry| entry.expect("readable").path())
    };
    let mut paths: Vec<_> = folders().into_iter().flat_map(of).collect();
    paths.sort();
    let dumps: Vec<_> =
        paths.iter().map(|path| std::fs::read(path).expect("a readable dump")).collect();
    assert!(dumps.len() > 6, "only {} dumps", dumps.len());
    dumps
}

/// What is done to a dump.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize),
    Put(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    let words: Vec<&[u8]> = vec![
        b"-j",
        b" ! ",
        b"\"",
        b"\\",
        b"\n",
        b"4294967295",
        b"-1",
        b"0",
        b"::/0",
        b"65535",
        b"null",
        b"[",
        b"{",
    ];
    let word = prop_oneof![
        13 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..8),
    ];
    prop_oneof![
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), word).prop_map(|(at, word)| Change::Put(at, word)),
        (any::<usize>(), 1..200_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        let size = bytes.len().max(1);
        match change {
            Change::Cut(at) => {
                drop(bytes.drain((at % size).min(bytes.len())..bytes.len().min(at % size + 3)));
            }
            Change::Put(at, word) => drop(bytes.splice(at % size..at % size, word)),
            Change::Repeat(at, length) => {
                let from = (at % size).min(bytes.len());
                let part = bytes[from..(from + length).min(bytes.len())].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::longer::cases(256), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn raw_bytes_are_read_to_their_end(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        survives(&bytes);
    }

    #[test]
    fn printable_text_is_read_to_its_end(text in "[-*:#A-Za-z0-9 ./,!{}\\[\\]\"'\\\\=\n]{0,600}") {
        survives(text.as_bytes());
    }

    #[test]
    fn changed_dumps_are_read_to_their_end(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(any_change(), 1..12),
    ) {
        let dumps = dumps();
        survives(&changed(dumps[which.index(dumps.len())].clone(), changes));
    }
}

#[test]
fn nesting_without_end_comes_to_one() {
    survives("[".repeat(200_000).as_bytes());
    survives("{\"nftables\":".repeat(50_000).as_bytes());
    survives("a {".repeat(100_000).as_bytes());
    survives(format!("-A -f 1 {}", "-p ".repeat(100_000)).as_bytes());
}

#[test]
fn chains_that_double_at_each_jump_come_to_an_end() {
    let mut text = "*mangle\n-A PREROUTING -j c0\n".to_owned();
    for n in 0..40 {
        text += &format!("-A c{n} -j c{}\n-A c{n} -j c{}\n", n + 1, n + 1);
    }
    survives(text.as_bytes());
    let mut text = "*mangle\n".to_owned();
    for n in 0..14 {
        let jump = format!("-A c{n} -j c{}\n", n + 1);
        text += &jump.repeat(8);
    }
    text += "-A c14 -d 10.0.0.1 -j MARK --set-mark 1\n-A PREROUTING -j c0\nCOMMIT\n";
    survives(text.as_bytes());
}

#[test]
fn combinations_that_multiply_are_refused() {
    let mut text = "*mangle\n".to_owned();
    for n in 0..60_000 {
        let (a, b) = (n / 250, n % 250);
        text += &format!(
            "-A PREROUTING -d 10.{a}.{b}.0/25 -p tcp --dport {}:{} -j MARK --set-mark {}\n",
            n % 900 + 1,
            n % 900 + 300,
            n % 5 + 1
        );
        if n % 3 == 0 {
            text += &format!(
                "-A PREROUTING -d 10.0.0.0/{} -p tcp --dport {} -j MARK --set-mark 9\n",
                8 + n % 8,
                n + 1
            );
        }
    }
    survives(text.as_bytes());
    let items = |of: &str| (0..4000).map(|n| format!("{of}{n}")).collect::<Vec<_>>().join(",");
    let sets = format!(
        r#"{{"nftables":[{{"chain":{{"family":"ip","table":"t","name":"c","hook":"prerouting","prio":0}}}},{{"rule":{{"family":"ip","table":"t","chain":"c","handle":1,"expr":[{{"match":{{"op":"==","left":{{"payload":{{"protocol":"ip","field":"daddr"}}}},"right":{{"set":["10.0.0.1",{{"range":["0.0.0.1","255.255.255.254"]}}]}}}}}},{{"match":{{"op":"==","left":{{"payload":{{"protocol":"tcp","field":"dport"}}}},"right":{{"set":[{}]}}}}}},{{"mangle":{{"key":{{"meta":{{"key":"mark"}}}},"value":1}}}}]}}}}]}}"#,
        items("1")
    );
    survives(sets.as_bytes());
}
