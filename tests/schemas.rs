//! The JSON Schemas in `schemas/`: they are the program's, what it prints is valid by them,
//! and the configurations that it takes are. `UPDATE_GOLDEN=1` writes them anew.

mod validity;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const WEB: &str = "examples/web.toml";

fn fwmarkctl(arguments: &[&str]) -> String {
    let state = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"))
        .arg("--state-dir")
        .arg(state.path())
        .arg("--run-dir")
        .arg(state.path())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    String::from_utf8(output.stdout).expect("text")
}

fn names() -> Vec<String> {
    let names: Vec<_> = fwmarkctl(&["schema"]).lines().map(str::to_owned).collect();
    assert!(names.len() > 25, "{names:?}");
    names
}

#[test]
fn the_shipped_schemas_are_those_of_the_program() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differ = Vec::new();
    for name in names() {
        let words: Vec<_> = ["schema"].into_iter().chain(name.split(' ')).collect();
        let (file, schema) = (validity::file(&name), fwmarkctl(&words));
        if update {
            fs::write(&file, schema).expect("writable");
        } else if fs::read_to_string(&file).unwrap_or_default() != schema {
            differ.push(file);
        }
    }
    assert!(differ.is_empty(), "{differ:?} differ; UPDATE_GOLDEN=1 shows how");
    let shipped = fs::read_dir("schemas").expect("a folder").count();
    assert_eq!(shipped, names().len(), "a schema that nothing has");
}

#[test]
fn every_schema_is_described_in_the_page() {
    let page = fs::read_to_string("docs/json.md").expect("the page");
    for name in names() {
        assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/json.md");
    }
}

/// Runs a command with `-o json` and checks what it prints.
fn checked(arguments: &[&str]) -> Value {
    let arguments: Vec<_> = ["-o", "json"].iter().chain(arguments).copied().collect();
    let printed = fwmarkctl(&arguments);
    let owned: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    validity::check(&owned, &printed);
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

#[test]
fn what_needs_no_kernel_prints_what_its_schema_says() {
    for arguments in [
        &["-c", WEB, "check"][..],
        &["-c", WEB, "compile"],
        &["-c", "examples/fullnat.toml", "compile"],
        &["-c", "examples/via-address.toml", "compile"],
        &["-c", "examples/settings.toml", "compile"],
        &["-c", WEB, "compile", "--format", "nft"],
        &["completions", "bash"],
        &["explain", "E0213"],
        &["explain", "D0201"],
        &["history"],
        &["import", "ipvsadm", "tests/import/cases/nft/ipvs.rules"],
        &["preset", "list"],
        &["preset", "show", "ftp"],
        &["schema"],
    ] {
        assert!(checked(arguments).get("error").is_none(), "{arguments:?}");
    }
}

#[test]
fn errors_are_as_their_schema_says() {
    for arguments in [
        &["-c", "tests/config_errors/everything-at-once.toml", "check"][..],
        &["-c", "nowhere.toml", "check"],
        &["explain", "E9999"],
        &["history", "show", "7"],
        &["import", "ipvsadm", "nowhere"],
        &["preset", "show", "nothing"],
        &["schema", "nothing"],
        &["aply"],
    ] {
        let error = checked(arguments);
        assert_eq!(error["format"], 1, "{arguments:?}");
        assert!(error["error"]["message"].is_string(), "{arguments:?}");
    }
}

#[test]
fn a_document_with_another_shape_is_not_valid() {
    let good = checked(&["-c", WEB, "check"]);
    for (key, value) in [("groups", json!("1")), ("format", json!(2)), ("more", json!(0))] {
        let mut bad = good.clone();
        bad[key] = value;
        let wrong = validity::validate("check", &bad).expect_err("it has another shape");
        assert!(wrong.contains(key) || wrong.contains("additionalProperties"), "{wrong}");
    }
    let mut bad = good;
    bad.as_object_mut().expect("an object").remove("valid");
    validity::validate("check", &bad).expect_err("a key is missing");
}

/// A configuration as a schema sees it; what is no TOML is of no shape.
fn config(path: &Path) -> Option<Value> {
    let text = fs::read_to_string(path).ok()?;
    toml::from_str::<toml::Table>(&text).ok().map(|table| json!(table))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(path.to_str().expect("text")));
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_configuration_that_is_right_is_valid_by_the_schema() {
    let mut count = 0;
    for path in [files("examples"), files("tests/golden")].concat() {
        let config = config(&path).unwrap_or_else(|| panic!("{} is no TOML", path.display()));
        if let Err(wrong) = validity::validate("config", &config) {
            panic!("{}: {wrong}", path.display());
        }
        count += 1;
    }
    assert!(count > 35, "only {count} were found");
}

#[test]
fn the_examples_name_the_schema() {
    for example in files("examples") {
        let text = fs::read_to_string(&example).expect("readable");
        let first = "#:schema /usr/share/fwmarkctl/schemas/config.json\n";
        assert!(text.starts_with(first), "{}", example.display());
    }
}

/// The mistakes that are in the shape, by which an editor underlines them.
const BY_SHAPE: &[&str] = &[
    "ask-above",
    "ask-above-type",
    "backend-unknown",
    "forward-unknown",
    "group-as-array",
    "group-is-no-table",
    "mark-range-text",
    "max-rules-negative",
    "missing-keys",
    "names",
    "no-real-servers",
    "no-vips",
    "persistence-engine",
    "persistence-mode",
    "persistence-netmask",
    "ports-invalid",
    "real-port-invalid",
    "single-bracket-real",
    "sysctl-no-number",
    "sysctl-no-table",
    "timeouts-unknown",
    "tunnel-invalid",
    "unknown-keys",
    "unknown-keys-below",
    "vips-unknown",
    "weights",
    "wrong-types",
    "wrong-types-below",
    "wrong-types-in-lists",
];

#[test]
fn mistakes_of_shape_are_not_valid_by_the_schema() {
    let mut valid = Vec::new();
    for name in BY_SHAPE {
        let path = PathBuf::from(format!("tests/config_errors/{name}.toml"));
        let config = config(&path).unwrap_or_else(|| panic!("{name} is no TOML"));
        match validity::validate("config", &config) {
            Ok(()) => valid.push(*name),
            Err(wrong) => assert!(wrong.contains("config.json"), "{wrong}"),
        }
    }
    assert!(valid.is_empty(), "{valid:?}");
}
