//! Output that nobody takes, of commands that read or write a kernel: no panic, and what was
//! changed stays changed.

use crate::lab::Director;
use crate::scene::{Fwmarkctl, WEB_AND_MAIL};

const LOOK: &[&str] = &[
    "status",
    "plan",
    "stats",
    "stats --rate",
    "connections",
    "export",
    "doctor",
    "history",
    "history show 1",
    "graph --live",
    "explain 203.0.113.5:40000 172.18.100.7:443/tcp",
    "realserver status",
];

const CHANGE: &[&str] = &["apply", "zero", "rollback 1", "recover", "clear --yes"];

#[test]
fn nobody_reads_and_nothing_panics() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    for line in LOOK.iter().chain(CHANGE) {
        for json in ["text", "json"] {
            for place in [">/dev/full", ">&-", "| head -c 0"] {
                let shell = format!("\"$0\" -c - -o {json} {line} {place}");
                let args = ["-c", &shell, &Director::program()];
                let ended = director.command("sh").args(args).stdin(WEB_AND_MAIL).run();
                assert!(!ended.stderr.contains("panicked"), "{shell}: {ended:?}");
                let is_full = place == ">/dev/full";
                let said = ended.stderr.contains("cannot write to standard output");
                let is_lost = said && ended.code == Some(1);
                // Who has changed something has done it, whoever reads of it.
                let is_done = CHANGE.contains(line) && ended.code == Some(0);
                assert!(is_lost == is_full || is_done, "{shell}: {ended:?}");
                if is_full || line.starts_with("doctor") || line.starts_with("explain") {
                    continue;
                }
                assert_eq!(ended.code, Some(0), "{shell}: {ended:?}");
            }
        }
    }
    // What could not be told was done.
    assert_eq!(director.ipvsadm_save(), "");
}
