//! The counter-proof: the same traffic, asked the same question, notices what a change by
//! hand does.

use std::time::Instant;

use super::groups::{Group, MAIL, Scene, WEB, everybody, figures, mail, web};
use crate::lab::{Failure, Line, Marks, Seen};

/// What the lines saw, who must have been disturbed.
fn noticed(scene: &Scene<'_>, what: &str, by: impl Fn(&Line) -> bool) -> Seen {
    let seen = scene.traffic.undisturbed(by).expect_err("nobody noticed anything");
    figures(what, &seen);
    seen
}

fn was(seen: &Seen, how: &Failure) -> bool {
    seen.failures.iter().any(|(_, why)| why == how)
}

#[test]
fn a_service_made_anew_by_hand_is_noticed() {
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        let own = |line: &Line| line.to(&WEB[..2]);
        let before = scene.lab.director().ipvsadm_save();
        let of_web = |line: &&str| {
            line.contains("-f 10 ") && !line.contains("-6") && !line.contains("[2001")
        };
        let lines: Vec<_> = before.lines().filter(of_web).collect();
        for _ in 0..3 {
            scene.traffic.each_answers(2, everybody);
            scene.lab.director().command("ipvsadm").args(["-D", "-f", "10"]).ok();
            scene.lab.director().ipvsadm(&(lines.join("\n") + "\n"));
        }
        scene.traffic.each_answers(2, everybody);
        assert!(was(&noticed(scene, "made anew by hand", own), &Failure::Refused));
        scene.unnoticed("made anew by hand", |line| !own(line));
    });
}

#[test]
fn marks_removed_for_a_moment_are_noticed() {
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        for _ in 0..3 {
            scene.traffic.each_answers(2, everybody);
            scene.lab.director().lose_mark_for_a_moment(("172.18.100.7", 80), 10);
        }
        scene.traffic.each_answers(2, everybody);
        // One rule of iptables marks both ports, and was deleted whole.
        let ports = if Marks::of_this_run().in_rules() { 2 } else { 1 };
        let own = |line: &Line| line.to(&WEB[..ports]) && !line.is_talk();
        assert!(was(&noticed(scene, "a mark removed for a moment", own), &Failure::Refused));
        scene.unnoticed("a mark removed for a moment", |line| !own(line));
    });
}

#[test]
fn a_standstill_and_a_family_without_services_are_noticed() {
    let mail = Group { weights: [Some(1), Some(1), None], ..mail() };
    Scene::play(&[web(), mail], &[&WEB, &MAIL], |scene| {
        let its = |line: &Line| line.to(&WEB[..2]) && line.server.as_deref() == Some("rs3");
        let server = ["-f", "10", "-r", "172.18.100.13:0"];
        let ipvsadm = |args: &[&str]| scene.lab.director().command("ipvsadm").args(args).ok();
        ipvsadm(&[&["-d"], &server as &[&str]].concat());
        while scene.traffic.seen(its).stall.as_millis() < 1000 {
            scene.traffic.each_answers(1, |line| line.to(&MAIL));
        }
        ipvsadm(&[&["-a"], &server as &[&str], &["-g"]].concat());
        scene.traffic.each_answers(1, its);
        let seen = noticed(scene, "a standstill", its);
        assert_eq!(seen.failures, []);

        let now = Instant::now();
        ipvsadm(&["-C"]);
        scene.traffic.each_fails(now, Line::is_talk);
        assert!(was(&noticed(scene, "no services", Line::is_talk), &Failure::Reset));
    });
}
