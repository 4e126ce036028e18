//! An apply that is killed in the middle: what it left is known for ours, and the next
//! apply ends what it began.

use rustix::process::Signal;

use crate::lab::Director;
use crate::scene::{Fwmarkctl, many};

/// At least so many services are there; a listing misses some while others edit theirs.
pub(crate) fn services(director: &Director) -> usize {
    // Of this thread's namespace; /proc/net is that of the process.
    let table = director.run(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs").unwrap());
    table.lines().filter(|line| line.starts_with("FWM")).count()
}

#[test]
fn the_next_apply_ends_what_a_killed_one_began() {
    let config = many();
    for first in [1, 200, 390] {
        let director = Director::alone();
        let apply = director.with(&["apply"], &config).spawn();
        while services(&director) < first {
            std::thread::yield_now();
        }
        apply.signal(Signal::KILL);
        drop(apply.wait());
        assert!(services(&director) > 0, "it was killed before it began");

        director.apply(&config);
        director.in_sync(&config).unwrap();
        director.fwmarkctl(&["clear", "--yes"]).ok();
        assert_eq!((services(&director), director.ruleset().as_str()), (0, ""));
    }
}
