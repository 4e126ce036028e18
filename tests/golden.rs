//! Golden folders: a config, and what it becomes. `UPDATE_GOLDEN=1` writes them anew.
//!
//! In each folder of tests/golden: `config.toml`; `nft`, `iptables`, `ip6tables` and
//! `ipvsadm`, the text for these tools; `compile.json`; `plan.json`, what leads from `before.toml` (or from nothing) to
//! the config. The shell completions are compared in the same way.

use std::path::{Path, PathBuf};
use std::process::Command;

use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{Options, Sources, load};
use fwmarkctl::plan::Plan;
use fwmarkctl::state::{DirectorState, MarkBook, Observation};

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares `found` with the file, or writes it when asked to.
fn compare(file: &Path, found: &str, differences: &mut Vec<PathBuf>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, found).expect("writable");
        return;
    }
    let wanted = std::fs::read_to_string(file).unwrap_or_default();
    if wanted != found {
        differences.push(file.to_owned());
    }
}

fn fwmarkctl(arguments: &[&str]) -> String {
    let state = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"))
        .arg("--state-dir")
        .arg(state.path())
        .args(arguments)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn state(config: &Path) -> DirectorState {
    let config = load(Sources::file(config), &Options::default()).expect("a valid config");
    let marks = MarkBook::default();
    compile(&config.groups, &config.director, Past::of(&marks)).expect("marks enough").state
}

#[test]
fn configs_become_what_they_became_before() {
    let mut differences = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(home().join("tests/golden"))
        .expect("the golden folders")
        .map(|entry| entry.expect("readable").path())
        .collect();
    folders.sort();
    assert!(folders.len() >= 8);
    for folder in folders {
        let config = folder.join("config.toml");
        for format in ["nft", "iptables", "ip6tables", "ipvsadm", "json"] {
            let file = if format == "json" { "compile.json" } else { format };
            let arguments = ["-c", config.to_str().expect("text"), "compile", "--format", format];
            compare(&folder.join(file), &fwmarkctl(&arguments), &mut differences);
        }
        let before = folder.join("before.toml");
        let before = if before.exists() { state(&before) } else { DirectorState::default() };
        let plan = Plan::between(&Observation::of(&before), &state(&config));
        let mut lines = serde_json::to_string_pretty(&plan.lines()).expect("JSON");
        lines.push('\n');
        compare(&folder.join("plan.json"), &lines, &mut differences);
    }
    assert!(differences.is_empty(), "{differences:?} differ; UPDATE_GOLDEN=1 shows how");
}

/// What ships for firewalls and is made from an example.
const SHIPPED: [(&str, &str); 3] = [
    ("nft", "nftables/shop.nft"),
    ("iptables", "iptables/shop.v4"),
    ("ip6tables", "iptables/shop.v6"),
];

#[test]
fn the_shipped_rules_are_those_of_the_example_that_they_name() {
    let mut differences = Vec::new();
    let example = home().join("examples/http3.toml");
    for (format, file) in SHIPPED {
        let arguments = ["-c", example.to_str().expect("text"), "compile", "--format", format];
        compare(&home().join("rules").join(file), &fwmarkctl(&arguments), &mut differences);
    }
    assert!(differences.is_empty(), "{differences:?} differ; UPDATE_GOLDEN=1 shows how");
}

#[test]
fn the_shipped_filters_accept_the_range_of_automatic_marks() {
    let range = fwmarkctl::model::MarkRange::DEFAULT.to_string();
    let masked = range.split('-').next().expect("a mark").to_owned() + "/0xffff0000";
    let rules = [
        ("nftables/accept.nft", &range),
        ("iptables/accept.rules", &masked),
        ("shorewall/rules", &masked),
        ("README.md", &range),
        ("README.md", &masked),
    ];
    for (file, marks) in rules {
        let text = std::fs::read_to_string(home().join("rules").join(file)).expect("readable");
        assert!(text.contains(marks.as_str()), "{marks} is not in {file}");
    }
}

#[test]
fn the_shipped_manual_pages_are_those_of_the_program() {
    let mut differences = Vec::new();
    for (page, file) in [("fwmarkctl", "fwmarkctl.8"), ("fwmarkctl.toml", "fwmarkctl.toml.5")] {
        compare(&home().join("man").join(file), &fwmarkctl(&["man", page]), &mut differences);
    }
    assert!(differences.is_empty(), "{differences:?} differ; UPDATE_GOLDEN=1 shows how");
}

#[test]
fn the_shipped_completions_are_those_of_the_program() {
    let mut differences = Vec::new();
    for (shell, file) in
        [("bash", "fwmarkctl.bash"), ("zsh", "_fwmarkctl"), ("fish", "fwmarkctl.fish")]
    {
        let file = home().join("completions").join(file);
        compare(&file, &fwmarkctl(&["completions", shell]), &mut differences);
    }
    assert!(differences.is_empty(), "{differences:?} differ; UPDATE_GOLDEN=1 shows how");
}
