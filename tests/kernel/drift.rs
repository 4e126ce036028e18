//! Drift: whatever somebody did to what is ours, `plan` and `status` see it, and an
//! apply repairs it.

use crate::lab::{At, CLIENT, Director, client_v4};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, servers, web_and_mail};

/// A port of the web.
const HTTPS: At<'_> = ("172.18.100.7", 443);

/// Somebody does something to the director; the repaired one serves both groups by both
/// servers again.
fn drifts(meddle: impl FnOnce(&Director)) {
    let lab = web_and_mail();
    let director = lab.director();
    director.in_sync(WEB_AND_MAIL).unwrap();
    meddle(director);
    let seen = director.in_sync(WEB_AND_MAIL).unwrap_err();
    assert!(seen.starts_with("plan ended with Some(3)"), "{seen}");
    let status = director.with(&["status", "--check"], WEB_AND_MAIL).run();
    assert_eq!(status.code, Some(3), "{status:?}");
    assert!(status.stdout.contains("differs"), "{}", status.stdout);

    assert!(director.apply(WEB_AND_MAIL).contains("Applied"));
    director.in_sync(WEB_AND_MAIL).unwrap();
    for (target, first) in [(WEB, 10), ("172.18.100.7:443", 20), (MAIL, 30)] {
        let ask = |number| lab.client().tcp(client_v4(first + number).as_str(), target);
        let mut both = servers(2, ask);
        both.sort();
        assert_eq!(both, ["rs1", "rs2"], "{target}");
    }
    let one = servers(4, |number| lab.client().tcp(CLIENT, [WEB, "172.18.100.7:443"][number % 2]));
    assert!(one.iter().all(|name| *name == one[0]), "{one:?}");
}

fn ipvsadm(args: &'static [&str]) -> impl FnOnce(&Director) {
    move |director| drop(director.command("ipvsadm").args(args).ok())
}

#[test]
fn another_weight_is_repaired() {
    drifts(ipvsadm(&["-e", "-f", "10", "-r", "172.18.100.12:0", "-g", "-w", "0"]));
}

#[test]
fn another_scheduler_and_lost_persistence_are_repaired() {
    drifts(ipvsadm(&["-E", "-f", "10", "-s", "wlc"]));
}

#[test]
fn a_deleted_real_server_is_repaired() {
    drifts(ipvsadm(&["-d", "-f", "10", "-r", "172.18.100.12:0"]));
}

#[test]
fn a_deleted_service_is_repaired() {
    drifts(ipvsadm(&["-D", "-f", "10"]));
}

#[test]
fn flushed_services_are_repaired() {
    drifts(ipvsadm(&["-C"]));
}

#[test]
fn a_deleted_entry_is_repaired() {
    drifts(|director| director.lose_mark(HTTPS));
}

#[test]
fn an_entry_with_another_mark_is_repaired() {
    drifts(|director| director.alter_mark(HTTPS, 25));
}

#[test]
fn an_entry_of_somebody_else_is_taken_out() {
    drifts(|director| director.add_mark(("172.18.100.7", 8080), 10, HTTPS));
}

#[test]
fn a_flushed_chain_is_repaired() {
    drifts(Director::flush_chain);
}

#[test]
fn a_chain_that_no_packet_comes_by_is_repaired() {
    drifts(Director::unhook);
}

#[test]
fn a_foreign_rule_in_our_chain_is_taken_out() {
    drifts(|director| director.drop_in_chain(443));
}

#[test]
fn a_flushed_ledger_is_repaired() {
    drifts(Director::flush_ledger);
}

#[test]
fn an_element_in_a_shadow_map_is_taken_out() {
    drifts(|director| {
        director.nft("add element inet fwmarkctl shadow4_tcp { 172.18.100.7 . 443 : 25 }");
    });
}

/// A firewall that reloads takes our table with it; the journal still knows the services.
#[test]
fn a_flushed_ruleset_is_repaired_without_a_lost_connection() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    let before = director.ipvsadm_save();
    director.flush_ruleset();
    assert_eq!(director.with(&["status", "--check"], WEB_AND_MAIL).run().code, Some(3));
    assert!(director.apply(WEB_AND_MAIL).contains("Applied"));
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(director.ipvsadm_save(), before);
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Ok(talk.server.clone()), "its affinity");
}

/// When the journal is gone too, nobody knows whose the services are.
#[test]
fn without_ledger_and_journal_the_services_are_a_conflict_that_adopt_ends() {
    let lab = web_and_mail();
    let director = lab.director();
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    director.flush_ruleset();
    director.run(|| std::fs::remove_dir_all("/run/fwmarkctl").unwrap());
    for args in [&["plan"] as &[&str], &["apply"]] {
        let ended = director.with(args, WEB_AND_MAIL).run();
        assert_eq!(ended.code, Some(2), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains("apply --adopt"), "{}", ended.stderr);
    }
    assert_eq!(director.with(&["status", "--check"], WEB_AND_MAIL).run().code, Some(3));
    director.with(&["apply", "--adopt"], WEB_AND_MAIL).ok();
    director.in_sync(WEB_AND_MAIL).unwrap();
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
}

#[test]
fn a_deleted_table_and_deleted_services_are_repaired_together() {
    drifts(|director| {
        director.flush_ruleset();
        director.command("ipvsadm").arg("-C").ok();
    });
}
