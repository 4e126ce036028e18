//! What a failed test leaves: the state of its director, as a person would ask for it.
//!
//! It is written when a director is dropped by a test that panics, below the folder in
//! `FWMARKCTL_EVIDENCE`: a folder for each test, and in it one for each director.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Namespace;

/// The questions, and the file in which each answer goes.
const QUESTIONS: [(&str, &[&str]); 11] = [
    ("nft", &["nft", "-a", "list", "ruleset"]),
    ("ipvsadm", &["ipvsadm", "-Ln", "--stats", "--exact"]),
    ("ipvsadm-save", &["ipvsadm", "-Sn"]),
    ("connections", &["ipvsadm", "-Lnc"]),
    ("iptables-legacy", &["iptables-legacy-save", "-c"]),
    ("ip6tables-legacy", &["ip6tables-legacy-save", "-c"]),
    ("ipset", &["ipset", "list"]),
    ("addresses", &["ip", "address"]),
    ("rules", &["ip", "rule"]),
    ("routes", &["ip", "route", "show", "table", "all"]),
    ("kernel-log", &["dmesg"]),
];

/// The folders of fwmarkctl, which each director has for itself.
const FOLDERS: [&str; 3] = ["/run/fwmarkctl", "/var/lib/fwmarkctl", "/etc/fwmarkctl"];

/// Leaves what explains the failure of the test that is just panicking; otherwise nothing.
/// It must not panic itself: that would end the whole test program.
pub(super) fn leave(director: &Namespace) {
    static DIRECTORS: AtomicUsize = AtomicUsize::new(1);
    let Some(all) = std::env::var_os("FWMARKCTL_EVIDENCE").filter(|_| thread::panicking()) else {
        return;
    };
    let test = thread::current().name().unwrap_or("unnamed").replace("::", ".");
    let number = DIRECTORS.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(all).join(test).join(format!("director-{number}"));
    let left = catch_unwind(AssertUnwindSafe(|| director.run(|| collect(&folder))));
    let said = match left {
        Ok(Ok(())) => format!("the director's state is in {}", folder.display()),
        Ok(Err(error)) => format!("no evidence in {}: {error}", folder.display()),
        Err(_) => "no evidence: the director cannot be entered any more".to_owned(),
    };
    drop(writeln!(io::stderr(), "{said}"));
}

fn collect(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, words) in QUESTIONS {
        let file = File::create(folder.join(name))?;
        let answered = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stderr(file.try_clone()?)
            .stdout(file)
            .status();
        // One that is not installed is no reason to go without the others.
        if let Err(error) = answered {
            fs::write(folder.join(name), format!("{}: {error}\n", words[0]))?;
        }
    }
    for from in FOLDERS.map(Path::new).into_iter().filter(|from| from.is_dir()) {
        copy(from, &folder.join("files").join(from.strip_prefix("/").unwrap_or(from)))?;
    }
    Ok(())
}

/// Copies the plain files and folders of a folder; sockets and pipes have no contents.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
