//! Port ranges that change under a rush of new connections. The kernel shows what is new in
//! an interval map a moment after it hides what was there: without the shadow of the switch
//! some of them are refused. How long the moment is, is chance; so each change is made often.

use super::groups::{Group, SHOP, Scene, everybody, figures, shop};
use crate::lab::Failure;

/// Applies the groups in turn, again and again. Nobody is refused, and no plan says so.
/// Without the shadow, 5 to 9 of 16 changes of name or mark refused somebody, and 2 of 16
/// that grew or shrank.
fn nobody_is_refused(scene_name: &str, turns: &[Group], changes: usize) {
    Scene::rush(&turns[..1], &SHOP, |scene| {
        let mut bad = 0;
        let mut failed = 0;
        for group in turns.iter().cycle().skip(1).take(changes) {
            let told = scene.change(std::slice::from_ref(group), everybody);
            assert!(!told.contains("may be refused"), "{told}");
            let now = scene.traffic.seen(everybody).failures.len();
            bad += usize::from(now > failed);
            failed = now;
        }
        let seen = scene.traffic.seen(everybody);
        figures(&format!("{scene_name}, {bad} of {changes} changes noticed"), &seen);
        // A request on its way when its service goes with its mark falls silent.
        let loud = seen.failures.iter().filter(|(_, why)| *why != Failure::Timeout);
        assert_eq!(loud.count(), 0, "{scene_name}: {seen}");
    });
}

#[test]
fn a_renamed_group_of_port_ranges_refuses_nobody() {
    nobody_is_refused("a range renamed", &[shop(), Group { name: "store", ..shop() }], 16);
}

#[test]
fn another_mark_for_a_group_of_port_ranges_refuses_nobody() {
    nobody_is_refused(
        "a range with another mark",
        &[shop(), Group { mark: Some(31), ..shop() }],
        16,
    );
}

/// Also when it grows out of a single port, which is in a hash map.
#[test]
fn a_port_range_that_grows_or_shrinks_refuses_nobody() {
    let ports = |ports| Group { ports, ..shop() };
    let turns = [
        ports(&["8000-8100/tcp"]),
        ports(&["8000-8200/tcp"]),
        ports(&["8080/tcp"]),
        ports(&["8080-8090/tcp"]),
    ];
    nobody_is_refused("a range that grows and shrinks", &turns, 32);
}
