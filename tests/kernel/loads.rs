//! nft(8) of each Debian loads our table on this kernel (see `tests/loading`), and a
//! director goes on with the table that an earlier version made.

use std::path::Path;

use crate::lab::{CLIENT, Director, Lab};
use crate::loading;
use crate::scene::{Fwmarkctl, until};

#[test]
fn what_nft_lists_of_our_table_nft_loads_and_it_is_ours() {
    Director::alone().run(loading::what_is_listed_is_loaded_and_ours);
}

#[test]
fn what_compile_prints_nft_loads_and_it_is_ours() {
    Director::alone().run(loading::what_is_compiled_is_loaded_and_ours);
}

/// `nft list ruleset >/etc/nftables.conf`, and nftables.service at the next boot.
#[test]
fn a_saved_ruleset_brings_back_the_marks_of_an_apply() {
    let config = include_str!("../loading/earlier.toml");
    for lister in loading::programs() {
        for loader in loading::programs() {
            let director = Director::alone();
            director.apply(config);
            let saved = director.run(|| loading::list(&lister));
            director.forget_rules();
            assert!(director.in_sync(config).is_err());
            director.run(|| loading::load(&loader, &saved)).unwrap();
            director.in_sync(config).unwrap();
            assert_eq!(director.generation(), Some(1));
        }
    }
}

const WEB: &str = "172.18.100.7:80";
const GAMES: &str = "172.18.100.8:8050";

/// A lab that an earlier version applied `earlier.toml` to: services, history and record
/// are ours, and the table is as that version made it.
fn earlier(config: &str) -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443, 8050]);
    let director = lab.director();
    director.apply(config);
    let ledger =
        director.command("nft").args(["list", "chain", "inet", "fwmarkctl", "ledger"]).ok();
    let record = ledger.lines().find(|line| line.contains("comment")).unwrap().trim().to_owned();
    let record = record.replace(" packets 0 bytes 0", "");
    let table = include_str!("../loading/earlier.nft");
    let text = format!("{table}\nadd rule inet fwmarkctl ledger {record}\n");
    // On some kernels only a newer nft loads that table.
    let mut loaded = loading::programs().into_iter().map(|program| {
        let load = |program: &Path| director.run(|| loading::load(program, &text));
        load(&program)
    });
    loaded.find(Result::is_ok).expect("some nft loads a table of an earlier version").unwrap();
    lab
}

/// What `plan` says of the table: one sentence.
fn one_sentence(director: &Director, config: &str) {
    let (code, plan) = director.json(&["plan"], config);
    let told: Vec<_> = plan["changes"].as_array().unwrap().iter().collect();
    let damages: Vec<_> = told
        .iter()
        .filter_map(|line| line["before"].as_str())
        .filter(|before| before.contains("earlier version"))
        .collect();
    assert_eq!((code, damages.len()), (0, 1), "{plan:#}");
    // No more than the sentence, and what the new table holds.
    let text = director.with(&["plan"], config).ok();
    assert!(!text.contains("is missing") && !text.contains("not ours"), "{text}");
}

#[test]
fn an_apply_makes_the_table_of_an_earlier_version_anew_under_its_connections() {
    let config = include_str!("../loading/earlier.toml");
    let lab = earlier(config);
    let (director, client) = (lab.director(), lab.client());
    let mut talks = [WEB, GAMES].map(|target| client.connect(CLIENT, target).unwrap());
    let before = director.ipvsadm_save();
    one_sentence(director, config);
    assert_eq!(director.generation(), Some(1));
    // It marks as it did, so that the doctor has nothing to say of it.
    let (_, doctor) = director.json(&["doctor"], config);
    assert!(!doctor.to_string().contains("D0306"), "{doctor:#}");
    let status = director.with(&["status", "--check"], config).run();
    assert_eq!(status.code, Some(3), "{status:?}");

    let told = director.apply(config);
    director.in_sync(config).unwrap_or_else(|differs| panic!("{told}\n{differs}"));
    assert_eq!(director.ipvsadm_save(), before);
    for (talk, target) in talks.iter_mut().zip([WEB, GAMES]) {
        assert_eq!(talk.ask(), Ok(talk.server.clone()));
        client.tcp(CLIENT, target).unwrap();
    }
}

#[test]
fn a_rollback_a_recovery_and_a_clear_know_the_table_of_an_earlier_version() {
    let config = include_str!("../loading/earlier.toml");
    let lab = earlier(config);
    let (director, client) = (lab.director(), lab.client());
    let other = config.replace("mark      = 20", "mark      = 21");
    director.apply(&other);
    director.in_sync(&other).unwrap();
    director.fwmarkctl(&["rollback", "1"]).ok();
    director.in_sync(config).unwrap();
    client.tcp(CLIENT, GAMES).unwrap();

    let lab = earlier(config);
    let director = lab.director();
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert_eq!((director.ruleset().trim(), director.ipvsadm_save().as_str()), ("", ""));
}

#[test]
fn a_watch_makes_the_table_of_an_earlier_version_anew() {
    let config = include_str!("../loading/earlier.toml");
    let lab = earlier(config);
    let (director, client) = (lab.director(), lab.client());
    let mut talk = client.connect(CLIENT, GAMES).unwrap();
    let before = director.ipvsadm_save();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fwmarkctl.toml");
    std::fs::write(&file, config).unwrap();
    let watch = director.fwmarkctl(&["-c", file.to_str().unwrap(), "watch", "--no-apply"]).spawn();
    until("the watch makes it anew", || director.in_sync(config).is_ok());
    assert_eq!(director.ipvsadm_save(), before);
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    client.tcp(CLIENT, GAMES).unwrap();
    drop(watch);
}
