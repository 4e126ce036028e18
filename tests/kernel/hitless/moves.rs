//! Marks that move from one backend to another, and from rules into sets, under traffic:
//! connections go on, nobody new is refused, and nothing of the old backend stays.

use std::collections::BTreeSet;

use super::groups::{Group, MAIL, SHOP, Scene, WEB, config, everybody, figures, mail, shop, web};
use crate::lab::{Director, Failure};
use crate::scene::Fwmarkctl;

/// From each to each but for the forms, which share what they are written with.
const WAY: [(&str, &str); 9] = [
    ("nftables", ""),
    ("iptables-nft", "rules"),
    ("iptables-legacy", "rules"),
    ("nftables", ""),
    ("iptables-legacy", "sets"),
    ("iptables-legacy", "rules"),
    ("iptables-nft", "sets"),
    ("iptables-nft", "rules"),
    ("nftables", ""),
];

/// A configuration of these groups for a backend.
fn by((backend, form): (&str, &str), groups: &[Group]) -> String {
    let bound = if form == "sets" { 0 } else { 100 };
    let director = match backend.strip_prefix("iptables-") {
        None => String::new(),
        Some(variant) => format!(
            "[director]\nbackend = \"iptables\"\nvariant = \"{variant}\"\nmax-rules = {bound}\n"
        ),
    };
    director + &config(groups)
}

/// Which backends have anything of ours.
fn backends(director: &Director) -> Vec<&'static str> {
    let save = |variant: &str| {
        let of = |tables: &str| director.command(&format!("{tables}-{variant}-save")).ok();
        of("iptables") + &of("ip6tables")
    };
    let found = [
        ("nftables", director.nft_ruleset().contains("table inet fwmarkctl")),
        ("iptables-nft", save("nft").contains("FWMARKCTL")),
        ("iptables-legacy", save("legacy").contains("FWMARKCTL")),
        ("sets", director.command("ipset").args(["list", "-n"]).ok().contains("fwmarkctl")),
    ];
    found.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

#[test]
fn marks_move_between_backends_and_nobody_notices() {
    let groups = [web(), mail(), shop()];
    Scene::play(&groups, &[&WEB, &MAIL, &SHOP], |scene| {
        let director = scene.lab.director();
        for (from, to) in WAY.iter().zip(&WAY[1..]) {
            scene.traffic.each_answers(2, everybody);
            let told = director.apply(&by(*to, &groups));
            let what = if from.0 == to.0 { "form of the marks" } else { "all marks" };
            assert!(told.contains(what), "{told}");
            let expected = [to.0].into_iter().chain((to.1 == "sets").then_some("sets"));
            assert_eq!(backends(director), expected.collect::<Vec<_>>());
            assert_eq!(director.in_sync(&by(*to, &groups)), Ok(()));
        }
        scene.traffic.each_answers(2, everybody);
        scene.unnoticed("marks that move between backends", everybody);
    });
}

/// The banks of sets that are there.
fn banks(director: &Director) -> Vec<&'static str> {
    let sets = director.command("ipset").args(["list", "-n"]).ok();
    ["a", "b"].into_iter().filter(|bank| sets.contains(&format!("fwmarkctl-{bank}-"))).collect()
}

/// Both variants have the same two banks of sets, and whichever the one looks into is not
/// there for the other.
#[test]
fn sets_move_between_the_variants_from_either_bank() {
    let (few, many) = ([web()], [web(), mail()]);
    Scene::rush(&few, &WEB, |scene| {
        let director = scene.lab.director();
        let (nft, legacy) = ("iptables-nft", "iptables-legacy");
        let mut moved = BTreeSet::new();
        let mut before = "nftables";
        // A change of the groups leads from bank to bank, a move to the same one again.
        for (variant, groups) in [
            (nft, &few[..]),
            (legacy, &few),
            (legacy, &many),
            (nft, &many),
            (legacy, &many),
            (legacy, &few),
            (nft, &few),
        ] {
            if variant != before {
                moved.insert((before, banks(director)));
            }
            let ended = director.with(&["apply"], &by((variant, "sets"), groups)).run();
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(!ended.stderr.contains("cannot be removed"), "{ended:?}");
            assert_eq!(backends(director), [variant, "sets"]);
            scene.traffic.each_answers(1, everybody);
            before = variant;
        }
        let from = |variant, bank| (variant, vec![bank]);
        let all = [from(legacy, "a"), from(legacy, "b"), from(nft, "a"), from(nft, "b")];
        moved.remove(&("nftables", Vec::new()));
        assert_eq!(moved, all.into());
        let seen = scene.traffic.seen(everybody);
        figures("sets that move between the variants", &seen);
        let loud: Vec<_> =
            seen.failures.iter().filter(|(_, why)| *why != Failure::Timeout).collect();
        assert!(loud.is_empty(), "{loud:?}");
    });
}

/// A group that comes with the move is one more change of it.
#[test]
fn a_move_that_changes_marks_too_refuses_nobody() {
    let few = [web()];
    let all = [web(), Group { mark: Some(11), ..mail() }];
    Scene::rush(&few, &WEB, |scene| {
        let director = scene.lab.director();
        for (place, to) in WAY[1..].iter().enumerate() {
            scene.traffic.each_answers(1, everybody);
            director.apply(&by(*to, if place % 2 == 0 { &all } else { &few }));
        }
        scene.traffic.each_answers(1, everybody);
        let seen = scene.traffic.seen(everybody);
        figures("marks that move and change", &seen);
        let loud: Vec<_> =
            seen.failures.iter().filter(|(_, why)| *why != Failure::Timeout).collect();
        assert!(loud.is_empty(), "{loud:?}");
    });
}

/// What `rollback` and `clear` find is where the last apply left it.
#[test]
fn a_rollback_goes_back_to_the_backend_before() {
    let director = Director::alone();
    let groups = [web(), mail()];
    for way in [("nftables", ""), ("iptables-legacy", "sets"), ("iptables-nft", "rules")] {
        director.apply(&by(way, &groups));
    }
    director.with(&["rollback", "2"], "").ok();
    assert_eq!(backends(&director), ["iptables-legacy", "sets"]);
    director.with(&["rollback", "1"], "").ok();
    assert_eq!(backends(&director), ["nftables"]);
    director.with(&["rollback", "3"], "").ok();
    director.with(&["clear", "--yes"], "").ok();
    assert_eq!(backends(&director), [""; 0]);
    assert_eq!(director.ipvsadm_save(), "");
}
