//! The presets: what ships, what an administrator adds, and what `preset` shows of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use fwmarkctl::config::Code::{InvalidName, InvalidPort, NoPorts, UnknownKey};
use fwmarkctl::config::{self, Look, Options, Presets, Sources};
use fwmarkctl::model::Listener;
use serde_json::Value;

fn fwmarkctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fwmarkctl")).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn json(arguments: &[&str]) -> Value {
    let output = fwmarkctl(&[&["-o", "json"], arguments].concat());
    serde_json::from_slice(&output.stdout).expect("a document")
}

fn ports(name: &str) -> Vec<String> {
    let presets = Presets::shipped();
    presets.get(name).expect(name).ports.iter().map(ToString::to_string).collect()
}

#[test]
fn each_preset_loads_in_a_group_and_means_its_ports() {
    for (name, preset) in Presets::shipped().iter() {
        let group = format!(
            "[group.a]\nvips = [\"192.0.2.1\"]\nservices = [\"{name}\"]\nreal = [\"192.0.2.2\"]\n"
        );
        let config = config::load(Sources::text(group), &Options::default())
            .unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let listeners: BTreeSet<Listener> = config.groups[0].listeners.iter().collect();
        assert_eq!(listeners, preset.ports.iter().copied().collect(), "{name}");
    }
}

#[test]
fn each_preset_is_one_line_and_names_an_rfc_a_registry_or_a_manual() {
    for (name, preset) in Presets::shipped().iter() {
        assert!(!preset.description.is_empty() && preset.description.len() <= 90, "{name}");
        assert!(!preset.description.contains('\n') && !preset.description.ends_with('.'), "{name}");
        let known = ["RFC ", "IANA ", "documentation"];
        assert!(known.iter().any(|word| preset.source.contains(word)), "{name}: {}", preset.source);
        assert_eq!(preset.file, None, "{name}");
        assert!(preset.text.contains("ports = ["), "{name}");
    }
}

#[test]
fn what_people_bind_together_is_there() {
    assert_eq!(ports("web"), ["80/tcp", "443/tcp"]);
    assert_eq!(ports("http3"), ["443/tcp", "443/udp"]);
    assert_eq!(ports("ftp"), ["21/tcp", "49152-65535/tcp"]);
    assert_eq!(ports("rtp"), ["16384-32767/udp"]);
    let parts = ["smtp", "submission", "imap", "imaps", "pop3", "pop3s"];
    assert_eq!(ports("mail"), parts.map(ports).concat());
}

#[test]
fn list_shows_every_preset_with_its_ports() {
    let output = fwmarkctl(&["preset", "list"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let listed: Vec<_> = text(&output.stdout).lines().collect();
    for (name, preset) in Presets::shipped().iter() {
        let line = listed.iter().find(|line| line.split(' ').next() == Some(name)).expect(name);
        assert!(line.contains(&preset.ports[0].to_string()), "{line}");
        assert!(line.contains(&preset.description), "{line}");
    }
    let document = json(&["preset", "list"]);
    assert_eq!(document["format"], 1);
    let all = document["presets"].as_array().expect("a list");
    assert!(all.len() >= 50, "{}", all.len());
    let http3 = all.iter().find(|preset| preset["name"] == "http3").expect("http3");
    assert_eq!(http3["ports"], serde_json::json!(["443/tcp", "443/udp"]));
    assert_eq!(http3["source"], "RFC 9114");
    assert_eq!(http3["file"], Value::Null);
}

#[test]
fn show_tells_ports_source_origin_and_the_toml() {
    let output = fwmarkctl(&["preset", "show", "sip"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("sip  Calls"), "{shown}");
    for line in ["ports   5060/tcp, 5060/udp, 5061/tcp", "source  RFC 3261", "from    fwmarkctl"] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    let toml = std::fs::read_to_string("rules/presets/sip.toml").expect("the file");
    assert!(shown.ends_with(&toml), "{shown}");

    let document = json(&["preset", "show", "sip"]);
    assert_eq!((&document["format"], &document["name"]), (&1.into(), &"sip".into()));
    assert_eq!(document["toml"], toml);
}

#[test]
fn a_preset_that_there_is_not_is_refused_with_the_nearest() {
    for (name, hint) in [("htpp3", "did you mean 'http3'?"), ("teleport", "preset list")] {
        let output = fwmarkctl(&["preset", "show", name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        let said = text(&output.stderr);
        assert!(said.contains(&format!("there is no preset '{name}'")), "{said}");
        assert!(said.contains(hint), "{said}");
        let document = json(&["preset", "show", name]);
        assert_eq!(document["error"]["kind"], "usage");
        assert!(document["error"]["hint"].as_str().is_some_and(|found| found.contains(hint)));
    }
}

#[test]
fn presets_of_a_folder_come_with_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    write("till.toml", "# Ours.\nports = [\"9000-9010/udp\"]\n");
    write("http.toml", "description = \"Ours\"\nports = [\"8080\"]\n");
    let presets = Presets::load(Some(folder.path()), 1000).expect("sound files");
    let file = |name: &str| presets.get(name).and_then(|preset| preset.file.clone());
    assert!(file("till").is_some_and(|file| file.ends_with("till.toml")));
    assert!(file("http").is_some_and(|file| file.ends_with("http.toml")));
    assert_eq!(file("https"), None);
    assert_eq!(presets.get("till").expect("till").text, "# Ours.\nports = [\"9000-9010/udp\"]\n");
    assert_eq!(presets.names().count(), Presets::shipped().names().count() + 1);
    let without = Presets::load(Some(Path::new("/nonexistent")), 1000).expect("no folder");
    assert_eq!(without, Presets::shipped());
}

#[test]
fn every_mistake_in_a_folder_of_presets_is_shown_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("writable");
    };
    write("a.toml", "description = \"Tills\"\nport = [\"80\"]\n");
    write("b.toml", "sourc = \"RFC 1\"\nports = [\"99999/tcp\"]\n");
    write("c d.toml", "ports = [\"80\"]\n");
    let errors = Presets::load(Some(folder.path()), 1000).expect_err("mistakes");
    let codes: Vec<_> = errors.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [NoPorts, UnknownKey, UnknownKey, InvalidPort, InvalidName], "{errors}");
    let shown = errors.render(Look::PLAIN);
    for part in ["a.toml:2:1", "did you mean 'ports'?", "b.toml:1:1", "did you mean 'source'?"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
