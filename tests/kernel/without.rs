//! A kernel that lacks a half: `tests/kernel/run` takes away the module that
//! `FWMARKCTL_VM_WITHOUT` names, and this program is run on what is left. Run by hand
//! without it, it has nothing to say.
#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = r#"
[group.web]
vips = ["172.18.100.7"]
ports = ["80/tcp", "443/tcp"]
real = ["172.18.100.11"]
"#;

/// The module that is not there, and what an error calls what it is.
fn missing() -> Option<(&'static str, &'static str)> {
    match std::env::var("FWMARKCTL_VM_WITHOUT").as_deref() {
        Ok("ip_vs") => Some(("ip_vs", "this kernel has no IPVS")),
        Ok("nf_tables") => Some(("nf_tables", "this kernel has no nf_tables")),
        _ => None,
    }
}

/// Runs fwmarkctl with a configuration and the state folder of `folder`.
fn fwmarkctl_in(folder: &Path, config: &str, args: &[&str]) -> Output {
    let file = folder.join("web.toml");
    fs::write(&file, config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_fwmarkctl"))
        .args(["--config".as_ref(), file.as_os_str()])
        .args(["--state-dir".as_ref(), folder.join("state").as_os_str()])
        .args(args)
        .output()
        .unwrap()
}

/// Runs it with a state folder of its own, of which it says whether there is anything in it
/// afterwards.
fn fwmarkctl(args: &[&str]) -> (Output, bool) {
    let folder = tempfile::tempdir().unwrap();
    let output = fwmarkctl_in(folder.path(), CONFIG, args);
    // The lock's file holds nothing to remember.
    let remembers = |entry: fs::DirEntry| entry.file_name() != "lock";
    let remembered = fs::read_dir(folder.path().join("state"))
        .is_ok_and(|mut entries| entries.any(|entry| remembers(entry.unwrap())));
    (output, remembered)
}

/// What the half that is there holds.
fn other_half() -> String {
    let output = match missing() {
        Some(("ip_vs", _)) => Command::new("nft").args(["list", "ruleset"]).output(),
        _ => Command::new("ipvsadm").arg("-Sn").output(),
    };
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_needs_the_kernel_names_the_module_and_changes_nothing() {
    let Some((module, sentence)) = missing() else { return };
    let mut commands = vec![&["apply"] as &[&str], &["plan"], &["status"]];
    // Without nf_tables there are no connections of ours, unless iptables marks them.
    commands.extend((module == "ip_vs").then_some(&["connections"] as &[&str]));
    for args in commands {
        let (output, remembered) = fwmarkctl(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with(&format!("error: {sentence}")), "{args:?}: {said}");
        assert!(said.contains(&format!("help: modprobe {module}\n")), "{args:?}: {said}");
        assert!(!remembered, "{args:?} wrote into the state folder");
        assert_eq!(other_half(), "", "{args:?} changed the other half");
    }
}

#[test]
fn what_only_reads_the_configuration_works() {
    for args in [&["check"] as &[&str], &["compile", "--format", "nft"]] {
        let (output, _) = fwmarkctl(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
}

/// Old directors have iptables, and nothing of nf_tables.
#[test]
fn a_director_of_iptables_needs_no_nf_tables() {
    let Some(("nf_tables", _)) = missing() else { return };
    // Of this thread, and of what it starts.
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[director]\nbackend = \"iptables\"\n{CONFIG}");
    let run = |args: &[&str]| {
        let output = fwmarkctl_in(folder.path(), &config, args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let marks = || {
        let saved = Command::new("iptables-legacy-save").args(["-t", "mangle"]).output().unwrap();
        String::from_utf8(saved.stdout).unwrap()
    };
    run(&["apply"]);
    assert!(marks().contains("-A FWMARKCTL -d 172.18.100.7/32 "), "{}", marks());
    assert_ne!(other_half(), "");
    for args in [&["plan", "--detailed-exitcode"] as &[&str], &["status", "--check"], &["stats"]] {
        run(args);
    }
    assert!(run(&["export"]).contains("[group.web]"));
    run(&["clear", "--yes"]);
    assert!(!marks().contains("FWMARKCTL"), "{}", marks());
    assert_eq!(other_half(), "");
}
