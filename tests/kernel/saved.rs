//! A saved ruleset that a boot would not load is found, and after what the doctor says it
//! loads. `systemctl enable` is left out: there is no systemd.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, mount};
use serde_json::Value;

use crate::lab::Director;
use crate::loading;
use crate::scene::Fwmarkctl;

const EARLIER: &str = include_str!("../loading/earlier.toml");
const FIREWALL: &str =
    "table inet firewall {\n\tchain input {\n\t\ttype filter hook input priority filter;\n\t}\n}\n";

/// An `/etc` of its own with an enabled unit.
fn etc(director: &Director, unit: &str, files: &[(&str, &str)]) {
    director.run(|| {
        mount("lab", "/etc", "tmpfs", MountFlags::empty(), None).unwrap();
        let link = format!("systemd/system/sysinit.target.wants/{unit}");
        for (file, text) in files.iter().chain([&(link.as_str(), "")]) {
            let path = Path::new("/etc").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    });
}

/// What the doctor says of saved rulesets.
fn found(director: &Director, config: &str) -> Vec<Value> {
    let (_, document) = director.json(&["doctor"], config);
    let all = document["findings"].as_array().unwrap();
    all.iter().filter(|finding| finding["code"] == "D0703").cloned().collect()
}

/// Runs the first command of a finding, as a shell would.
fn run_remedy(director: &Director, finding: &Value) {
    let command = finding["remedy"][0].as_str().unwrap();
    director.command("sh").args(["-c", command]).ok();
}

#[test]
fn a_saved_table_of_an_earlier_version_is_found_and_taken_out() {
    let saved = format!("flush ruleset\n{FIREWALL}{}", include_str!("../loading/earlier.nft"));
    let director = Director::alone();
    etc(&director, "nftables.service", &[("nftables.conf", &saved)]);
    director.apply(EARLIER);
    let [finding] = &found(&director, EARLIER)[..] else { panic!("not found, or twice") };
    let line = saved.lines().position(|line| line.contains("map @range4")).unwrap() + 1;
    let what = finding["what"].as_str().unwrap();
    assert!(what.starts_with("/etc/nftables.conf, which nftables.service loads"), "{what}");
    assert!(what.ends_with(&format!("(line {line})")), "{what}");
    // Where the kernel refuses that line, it refuses the whole file.
    let boot = Director::alone();
    for program in loading::programs() {
        boot.run(|| loading::load(&program, "")).unwrap();
        let loaded = boot.run(|| loading::load(&program, &saved));
        // By the same program: nft 1.0.6 dies of listing a map that nft 1.1.3 loaded.
        let listed = boot.run(|| loading::list(&program));
        assert_eq!(listed.contains("inet firewall"), loaded.is_ok(), "{loaded:?}");
        boot.run(|| loading::load(&program, "")).unwrap();
    }

    run_remedy(&director, finding);
    assert_eq!(found(&director, EARLIER), Vec::<Value>::new());
    let rest = director.run(|| fs::read_to_string("/etc/nftables.conf")).unwrap();
    assert!(rest.contains(FIREWALL) && !rest.contains("map "), "{rest}");
    for program in loading::programs() {
        boot.run(|| loading::load(&program, &rest)).unwrap();
    }

    // What is saved now is fine as it is.
    let now = format!("flush ruleset\n{FIREWALL}{}", director.nft_ruleset());
    director.run(|| fs::write("/etc/nftables.conf", &now)).unwrap();
    assert_eq!(found(&director, EARLIER), Vec::<Value>::new());
}

#[test]
fn a_file_of_our_table_alone_is_written_anew() {
    let director = Director::alone();
    let saved = include_str!("../loading/earlier.nft");
    let files = [
        ("nftables.conf", "include \"/etc/nftables/*.nft\"\n"),
        ("nftables/fwmarkctl.nft", saved),
        ("fwmarkctl/fwmarkctl.toml", EARLIER),
    ];
    etc(&director, "nftables.service", &files);
    let [finding] = &found(&director, EARLIER)[..] else { panic!("not found, or twice") };
    let program = Director::program();
    let command = finding["remedy"][0].as_str().unwrap().replacen("fwmarkctl", &program, 1);
    director.command("sh").args(["-c", &command]).ok();
    assert_eq!(found(&director, EARLIER), Vec::<Value>::new());
    let now = director.run(|| fs::read_to_string("/etc/nftables/fwmarkctl.nft")).unwrap();
    for loader in loading::programs() {
        director.run(|| loading::load(&loader, &now)).unwrap();
    }
}

#[test]
fn saved_rules_whose_sets_are_not_there_are_found_and_taken_out() {
    let config =
        format!("[director]\nbackend = \"iptables\"\nvariant = \"nft\"\nmax-rules = 0\n{EARLIER}");
    let director = Director::alone();
    director.fwmarkctl(&["-c", "-", "apply"]).stdin(&config).ok();
    let doctor = || {
        let text = director.fwmarkctl(&["-c", "-", "-o", "json", "doctor"]).stdin(&config).run();
        let document: Value = serde_json::from_str(&text.stdout).unwrap();
        let all = document["findings"].as_array().unwrap();
        all.iter().filter(|finding| finding["code"] == "D0703").cloned().collect::<Vec<_>>()
    };
    let saved = director.command("iptables-nft-save").args(["-t", "mangle"]).ok();
    let sets = director.command("ipset").args(["save"]).ok();
    etc(&director, "netfilter-persistent.service", &[("iptables/rules.v4", &saved)]);
    let [finding] = &doctor()[..] else { panic!("not found, or twice: {saved}") };
    assert!(finding["why"].as_str().unwrap().contains("the set fwmarkctl-"), "{finding}");
    // It is as the doctor says: nothing is loaded, but behind the sets.
    let restore = |boot: &Director, text: &str| {
        boot.command("iptables-nft-restore").stdin(text).run().code == Some(0)
    };
    assert!(!restore(&Director::alone(), &saved));
    director.run(|| fs::write("/etc/iptables/ipsets", &sets)).unwrap();
    assert!(doctor().is_empty());
    let boot = Director::alone();
    boot.command("ipset").args(["restore"]).stdin(&sets).ok();
    assert!(restore(&boot, &saved));

    director.run(|| fs::remove_file("/etc/iptables/ipsets")).unwrap();
    run_remedy(&director, finding);
    assert!(doctor().is_empty());
    let rest = director.run(|| fs::read_to_string("/etc/iptables/rules.v4")).unwrap();
    assert!(rest.contains("*mangle") && restore(&Director::alone(), &rest), "{rest}");
}
