//! Output that nobody takes: a reader that has gone is no error, a full disk is one, and
//! nothing of this is a panic. What needs a kernel is tried the same way in the kernel ring.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const WEB: &str = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\", \"443/tcp\"]\n\
                   real = [\"172.18.100.11\"]\n";

/// What prints something without a kernel, one command line each.
const LINES: &[&str] = &[
    "-h",
    "--version",
    "apply --help",
    "group add -h",
    "check",
    "-o json check",
    "compile",
    "compile --format nft",
    "compile --format iptables",
    "compile --format ipvsadm",
    "group list",
    "group show web",
    "-o json group list",
    "group set web --port 81 --dry-run",
    "graph",
    "graph --format dot",
    "graph --format mermaid",
    "history",
    "preset list",
    "preset show web",
    "schema",
    "schema config",
    "man",
    "man fwmarkctl.toml",
    "completions bash",
    "completions zsh",
    "completions fish",
    "complete-words pl",
    "explain E0801",
    "-o json explain D0201",
];

/// Runs each line with a standard output of its own.
fn each(stdout: impl Fn() -> Stdio, check: impl Fn(&str, &Output)) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("web.toml");
    std::fs::write(&config, WEB).expect("writable");
    for line in LINES {
        let output = command(folder.path(), line)
            .stdout(stdout())
            .stderr(Stdio::piped())
            .output()
            .expect("the program starts");
        assert!(!text(&output.stderr).contains("panicked"), "{line}: {}", text(&output.stderr));
        check(line, &output);
    }
}

fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"));
    command.arg("--state-dir").arg(folder).arg("-c").arg(folder.join("web.toml"));
    command.args(line.split(' ')).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").expect("there").into()
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let gone = || std::io::pipe().expect("a pipe").1.into();
    each(gone, |line, output| {
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{line}");
    });
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    each(full, |line, output| {
        let said = text(&output.stderr);
        // Who presses a key is told nothing, whatever goes wrong.
        if !line.starts_with("complete-words") {
            assert!(said.contains("cannot write to standard output"), "{line}: {said}");
            assert_eq!(output.status.code(), Some(1), "{line}");
        }
    });
}

#[test]
fn a_standard_output_that_is_closed_is_nobodys_trouble() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("web.toml"), WEB).expect("writable");
    for line in LINES {
        let inner = command(folder.path(), line);
        let output = Command::new("sh")
            .args(["-c", "exec \"$@\" >&-", "sh"])
            .arg(inner.get_program())
            .args(inner.get_args())
            .output()
            .expect("a shell");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{line}");
    }
}

/// Errors, warnings and logs go there; that they are lost changes no exit code.
#[test]
fn a_standard_error_that_is_full_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("web.toml"), WEB.replace("80/tcp", "0/tcp")).expect("text");
    for (line, code) in [
        ("check", 2),
        ("-vvv check", 2),
        ("-vvv preset list", 0),
        ("aply", 2),
        ("explain E9999", 2),
        ("-vvv history", 0),
    ] {
        let output = command(folder.path(), line)
            .stdout(Stdio::null())
            .stderr(full())
            .status()
            .expect("the program starts");
        assert_eq!(output.code(), Some(code), "{line}");
    }
}
