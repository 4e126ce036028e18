//! Somebody damages what marks, and an apply repairs it.

use std::time::Instant;

use super::groups::{MAIL, SHOP, Scene, WEB, everybody, figures, interval_note, mail, shop, web};
use crate::lab::{Director, Line};

/// Rules are written again in one batch.
#[test]
fn a_damaged_chain_goes_on_marking_while_it_is_repaired() {
    let groups = [web(), mail(), shop()];
    Scene::play(&groups, &[&WEB, &MAIL, &SHOP], |scene| {
        for _ in 0..2 {
            scene.lab.director().drop_in_chain(22);
            scene.change(&groups, everybody);
        }
        scene.unnoticed("rules written again", everybody);
    });
}

/// When the table is made anew, in one batch too, the interval maps are empty for a moment,
/// as the plan says.
#[test]
fn a_table_goes_on_marking_while_it_is_made_anew() {
    let groups = [web(), mail(), shop()];
    Scene::play(&groups, &[&WEB, &MAIL, &SHOP], |scene| {
        let of_ranges = |line: &Line| line.to(&SHOP) && !line.is_talk();
        let others = |line: &Line| !of_ranges(line);
        for damage in [
            "add chain inet fwmarkctl foreign",
            "add map inet fwmarkctl foreign { type ipv4_addr : mark; }",
        ] {
            scene.lab.director().nft(damage);
            let told = scene.change(&groups, others);
            assert!(told.contains(&interval_note("shop")), "{told}");
        }
        scene.unnoticed("a table rebuilt", others);
        scene.refused_at_worst("a table rebuilt", of_ranges);
    });
}

/// From the damage on, new connections are refused, and from the switch on they are not:
/// nobody is refused who was answered before, but for the damage itself.
#[test]
fn marks_that_are_gone_come_back_at_once_and_connections_never_notice() {
    let groups = [web(), mail(), shop()];
    Scene::play(&groups, &[&WEB, &MAIL, &SHOP], |scene| {
        let new = |line: &Line| !line.is_talk();
        let damages = [
            Director::flush_chain,
            Director::unhook,
            Director::put_to_sleep,
            Director::lose_our_rules,
        ];
        for damage in damages {
            let now = Instant::now();
            damage(scene.lab.director());
            scene.traffic.each_fails(now, new);
            scene.change(&groups, Line::is_talk);
            scene.traffic.each_answers(3, new);
        }
        scene.unnoticed("marks gone", Line::is_talk);
        let lines = WEB.len() + MAIL.len() + SHOP.len();
        assert_eq!(scene.traffic.relapses(new), damages.len() * lines);
        figures("marks gone, new connections", &scene.traffic.seen(new));
    });
}
