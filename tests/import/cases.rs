//! Golden folders: in each of tests/import/cases the files, `command`, and what they became:
//! `groups.toml` and `told`. `UPDATE_GOLDEN=1` writes these anew.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn fwmarkctl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fwmarkctl"))
        .current_dir(folder)
        .args(["--state-dir", "/nonexistent"])
        .args(arguments)
        .output()
        .expect("the program runs")
}

pub(crate) fn folders() -> Vec<PathBuf> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import/cases");
    let entries = std::fs::read_dir(home).expect("the cases");
    let mut folders: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    folders.sort();
    folders
}

#[test]
fn dumps_become_what_they_became_before() {
    let mut differences = Vec::new();
    for folder in folders() {
        let command = std::fs::read_to_string(folder.join("command")).expect("a command");
        let arguments: Vec<_> =
            std::iter::once("import").chain(command.split_whitespace()).collect();
        let output = fwmarkctl(&folder, &arguments);
        let told = String::from_utf8(output.stderr).expect("text");
        let told = format!("{told}exit {}\n", output.status.code().expect("an exit"));
        let toml = String::from_utf8(output.stdout).expect("text");
        for (file, found) in [("groups.toml", &toml), ("told", &told)] {
            let file = folder.join(file);
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                std::fs::write(&file, found).expect("writable");
            } else if std::fs::read_to_string(&file).unwrap_or_default() != **found {
                differences.push(file);
            }
        }
        let check = fwmarkctl(&folder, &["-c", "groups.toml", "check"]);
        let wrong = String::from_utf8_lossy(&check.stderr).into_owned();
        assert!(check.status.success(), "{}: {wrong}", folder.display());
    }
    assert!(differences.is_empty(), "{differences:?} differ; UPDATE_GOLDEN=1 shows how");
}
