//! Changes disturb nothing that they do not concern: while fwmarkctl applies each kind of
//! change, back and forth, connections that go on are asked all the time and new ones keep
//! coming, in both families.
//!
//! What a change does concern is asserted too. IPVS finds a connection that it has by its
//! addresses, whatever mark its packets carry: it goes on when only marks change. When its
//! real server goes, or the service with its mark, it falls silent without a reset, and
//! goes on if they come back.

mod groups;
mod moves;
mod ranges;
mod repairs;
mod watchful;

use crate::lab::{Failure, Line};
use crate::scene::Fwmarkctl;
use groups::{Group, MAIL, SHOP, Scene, WEB, config, everybody, mail, shop, web};

/// The web without rs3, or with it at `weight`.
fn rs3(weight: Option<u32>) -> Group {
    Group { weights: [Some(1), Some(1), weight], ..web() }
}

/// The web's connections to rs3.
fn webs_rs3(line: &Line) -> bool {
    line.to(&WEB) && line.server.as_deref() == Some("rs3")
}

/// When a server goes without having been drained, a handshake that is on its way to it
/// stands still with it, and nobody is refused.
#[test]
fn a_server_is_drained_removed_and_added_and_only_its_own_connections_notice() {
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        let others = |line: &Line| !webs_rs3(line);
        for _ in 0..2 {
            // Drained, it keeps the connections that it has.
            scene.change(&[rs3(Some(0)), mail()], everybody);
            scene.change(&[rs3(None), mail()], others);
            scene.change(&[web(), mail()], others);
            scene.survived("a server drained, removed, added", webs_rs3);
        }
        scene.unnoticed("a server drained, removed, added", others);

        let new = |line: &Line| line.to(&WEB) && !line.is_talk();
        for _ in 0..2 {
            scene.change(&[rs3(None), mail()], others);
            scene.change(&[web(), mail()], others);
        }
        scene.survived("a server removed at once", |line| webs_rs3(line) || new(line));
        scene.unnoticed("a server removed at once", |line| others(line) && !new(line));
    });
}

#[test]
fn another_weight_or_persistence_or_name_is_noticed_by_nobody() {
    let with = |persistence| Group { persistence, ..web() };
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        for changed in [
            Group { weights: [Some(1), Some(7), Some(3)], ..web() },
            with("persistence = \"pfwmc\""),
            with("persistence = { mode = \"pfwmc\", timeout = \"10m\" }"),
            with("persistence = { mode = \"pfwmc\", netmask = 24, netmask6 = 64 }"),
            Group { name: "www", ..with("persistence = \"pfwmc\"") },
            web(),
        ] {
            scene.change(&[changed, mail()], everybody);
        }
        scene.unnoticed("weight, timeout, netmask, name", everybody);
    });
}

/// The kernel takes the scheduler from the service, waits for an RCU period, and gives it
/// the other: the plan says so.
#[test]
fn another_scheduler_refuses_new_connections_of_its_service_alone_as_the_plan_says() {
    let wlc = Group { scheduler: "wlc", ..web() };
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        let its_new_ones = |line: &Line| line.to(&WEB) && !line.is_talk();
        let others = |line: &Line| !its_new_ones(line);
        let plan = scene.lab.director().with(&["plan"], &config(&[wlc.clone(), mail()])).ok();
        for family in ["ipv4", "ipv6"] {
            let note = format!("note: fwmark 10 {family}: new connections are refused for some");
            assert!(plan.contains(&note), "{plan}");
        }
        for _ in 0..2 {
            scene.change(&[wlc.clone(), mail()], others);
            scene.change(&[web(), mail()], others);
        }
        scene.unnoticed("another scheduler", others);
        scene.refused_at_worst("another scheduler", its_new_ones);
    });
}

/// New connections to what goes are refused. Those that stand go on: their real server
/// is still there, and IPVS knows them.
#[test]
fn ports_and_vips_come_and_go_beside_those_that_stay() {
    let full = Group { vips: &[7, 8], ..web() };
    let ports = |ports| Group { ports, ..full.clone() };
    let second = ["172.18.100.8:80", "[2001:db8:18:100::8]:80"];
    Scene::play(&[full.clone(), shop()], &[&WEB, &second, &SHOP], |scene| {
        let comes_and_goes = |line: &Line| line.to(&[WEB[1], WEB[3]]) || line.to(&second);
        let stays = |line: &Line| line.is_talk() || !comes_and_goes(line);
        for changed in [
            ports(&["80/tcp", "443/tcp", "8443/tcp"]),
            ports(&["80/tcp"]),
            ports(&["80/tcp", "443/tcp", "9000-9100/tcp"]),
            web(),
            Group { vips: &[7, 9, 10], ..ports(&["80/tcp", "8000-8100/udp"]) },
            full.clone(),
        ] {
            scene.change(&[changed, shop()], stays);
        }
        scene.unnoticed("ports and VIPs", stays);
        scene.traffic.each_answers(1, everybody);
        let refused = scene.traffic.seen(|line| !stays(line));
        assert!(refused.failures.iter().any(|(_, why)| *why == Failure::Refused), "{refused}");
    });
}

/// Both marks have a service while the marks switch. The old one goes then, and with it
/// the connections that it had.
#[test]
fn another_mark_refuses_nobody_and_silences_the_groups_own_connections_alone() {
    let other = Group { mark: Some(11), ..web() };
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        let own = |line: &Line| line.to(&WEB) && line.is_talk();
        let new = |line: &Line| line.to(&WEB) && !line.is_talk();
        let others = |line: &Line| !line.to(&WEB);
        for _ in 0..2 {
            let told = scene.change(&[other.clone(), mail()], |line| !own(line));
            let note = "note: established connections of group web fall silent: its mark changes";
            assert_eq!(told.matches(note).count(), 1, "{told}");
            let before = scene.traffic.seen(own).talks.1;
            scene.traffic.each_answers(5, others);
            assert_eq!(scene.traffic.seen(own).talks.1, before, "they are silent");
            scene.change(&[web(), mail()], |line| !own(line));
            scene.survived("another mark", own);
        }
        scene.survived("another mark, new connections", new);
        scene.unnoticed("another mark", others);
    });
}

/// Services of both kinds exist while the marks switch. The old ones go then, and with
/// them the connections that they had.
#[test]
fn a_group_goes_by_address_and_back_and_nobody_new_is_refused() {
    let plain = Group { mark: None, ..web() };
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        let own = |line: &Line| line.to(&WEB) && line.is_talk();
        let new = |line: &Line| line.to(&WEB) && !line.is_talk();
        let others = |line: &Line| !line.to(&WEB);
        for _ in 0..2 {
            for (group, way) in [(plain.clone(), "address"), (web(), "mark")] {
                let told = scene.change(&[group, mail()], |line| !own(line));
                let note = format!(
                    "note: established connections of group web fall silent: it goes by {way}"
                );
                assert_eq!(told.matches(&note).count(), 1, "{told}");
            }
            scene.survived("by address and back", own);
        }
        scene.survived("by address and back, new connections", new);
        scene.unnoticed("by address and back", others);
    });
}

/// The kernel takes its hooks away when a family has no service left, and connections are
/// reset: so there must be one at each time.
#[test]
fn groups_go_one_after_another_and_the_last_one_never_notices() {
    let lab = Scene::lab();
    let group = |name| match name {
        "web" => (web(), &WEB as &[&str]),
        "mail" => (mail(), &MAIL as &[&str]),
        _ => (shop(), &SHOP as &[&str]),
    };
    for order in [["web", "mail", "shop"], ["shop", "web", "mail"], ["mail", "shop", "web"]] {
        let [first, second, last] = order.map(group);
        let all = [first.0, second.0, last.0];
        Scene::play_in(&lab, &all, &[last.1], |scene| {
            scene.change(&all[1..], everybody);
            scene.change(&all[2..], everybody);
            scene.change(&all, everybody);
            scene.unnoticed(&format!("removed in the order {order:?}"), everybody);
        });
    }
}

#[test]
fn groups_are_swapped_at_once_beside_one_that_stays() {
    Scene::play(&[web(), mail()], &[&WEB, &MAIL], |scene| {
        let stays = |line: &Line| line.to(&WEB);
        for _ in 0..2 {
            scene.change(&[web(), shop()], stays);
            scene.change(&[web(), mail()], stays);
        }
        scene.unnoticed("swapped at once", stays);
        scene.survived("swapped at once", |line| line.to(&MAIL) && line.is_talk());
    });
}

/// It takes the VIP and the port over, and there is no other service.
#[test]
fn the_only_group_gives_way_to_another_and_nobody_is_refused_or_reset() {
    let post = Group { name: "post", mark: Some(26), ..mail() };
    Scene::play(&[mail()], &[&MAIL], |scene| {
        for _ in 0..2 {
            scene.change(std::slice::from_ref(&post), |line| !line.is_talk());
            scene.change(&[mail()], |line| !line.is_talk());
        }
        scene.survived("the only group", everybody);
    });
}
