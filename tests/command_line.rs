//! The command line without a kernel: answers, errors and exit codes as a user meets them.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const WEB: &str = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\", \"443/tcp\"]\n\
                   real = [\"172.18.100.11\"]\n";

fn command(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"));
    command.arg("--state-dir").arg(state).args(arguments).env_remove("RUST_LOG");
    command
}

/// Runs the program with `config` on its standard input.
fn run(config: &[u8], arguments: &[&str]) -> Output {
    let state = tempfile::tempdir().expect("a folder");
    let mut child = command(state.path(), arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("piped");
    let config = config.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&config));
    let output = child.wait_with_output().expect("the program ends");
    // A program that refuses its arguments need not read.
    drop(writer.join().expect("no panic"));
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
}

#[test]
fn a_valid_config_is_called_valid() {
    let output = run(WEB.as_bytes(), &["-c", "-", "check"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "Valid: 1 group, 2 mark rules, 1 service.\n");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn several_files_make_one_config() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one.toml"), folder.path().join("two.toml"));
    std::fs::write(&one, WEB).expect("writable");
    std::fs::write(&two, WEB.replace("web", "two").replace(".7", ".8")).expect("writable");
    let (one, two) = (one.to_str().expect("text"), two.to_str().expect("text"));
    let output = run(b"", &["-c", one, "-c", two, "check"]);
    assert_eq!(text(&output.stdout), "Valid: 2 groups, 4 mark rules, 2 services.\n");
    // The same group twice: both places are shown.
    let output = run(b"", &["-c", one, "-c", one, "check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).matches("one.toml:1:").count() >= 2, "{}", text(&output.stderr));
}

#[test]
fn config_errors_exit_with_2_and_have_a_json_twin() {
    let wrong = WEB.replace("172.18.100.7", "172.18.100.777");
    let output = run(wrong.as_bytes(), &["-c", "-", "check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("172.18.100.777"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(":2:9"), "{}", text(&output.stderr));

    let output = run(wrong.as_bytes(), &["-c", "-", "-o", "json", "check"]);
    assert_eq!(output.status.code(), Some(2));
    let document = json(&output.stdout);
    assert_eq!(document["format"], 1);
    assert_eq!(document["error"]["kind"], "config");
    assert_eq!(document["error"]["spans"][0]["line"], 2);
}

#[test]
fn usage_errors_exit_with_2_and_have_a_json_twin() {
    let output = run(b"", &["aply"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("apply"), "{}", text(&output.stderr));
    let output = run(b"", &["-o", "json", "aply"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(json(&output.stdout)["error"]["kind"], "usage");
    for (words, message, hint) in [
        (&["plam"][..], "unrecognized subcommand 'plam'", "'plan'"),
        (&["import"], "were not provided: <FORMAT FILE>...", "usage: fwmarkctl import"),
        (&["compile", "--format", "foo"], "invalid value 'foo' for '--format", "nft, iptables"),
        (&["completions", "powersh"], "invalid value 'powersh'", "bash"),
    ] {
        let output = run(b"", &[&["-o", "json"], words].concat());
        let error = &json(&output.stdout)["error"];
        let said = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert!(said("message").contains(message), "{words:?}: {error}");
        assert!(said("hint").contains(hint), "{words:?}: {error}");
    }
}

/// What comes at a terminal of a kind.
fn at_terminal(term: Option<&str>, words: &[&str]) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let ours =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pty");
    grantpt(&ours).expect("granted");
    unlockpt(&ours).expect("unlocked");
    let name = ptsname(&ours, Vec::new()).expect("a name").into_string().expect("text");
    let theirs = std::fs::OpenOptions::new().read(true).write(true).open(name).expect("open");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"));
    command.args(words).env_remove("NO_COLOR").env_remove("TERM");
    if let Some(term) = term {
        command.env("TERM", term);
    }
    let copy = theirs.try_clone().expect("a copy");
    command.stdin(Stdio::null()).stdout(copy).stderr(theirs);
    let status = command.status().expect("the program runs");
    assert_eq!(status.code(), Some(2), "{words:?}");
    // It is all there, and nobody has the other end any more.
    drop(command);
    let mut said = Vec::new();
    let ended = std::fs::File::from(ours).read_to_end(&mut said);
    assert!(ended.is_ok() || ended.is_err_and(|error| error.raw_os_error() == Some(5)));
    text(&said).to_owned()
}

#[test]
fn a_terminal_gets_colours_when_it_knows_them_and_nobody_said_no() {
    for words in [&["frob"][..], &["check", "--nope"], &["-c", "missing.toml", "check"]] {
        assert!(at_terminal(Some("xterm"), words).contains('\x1b'), "{words:?}");
        for term in [Some("dumb"), None] {
            assert!(!at_terminal(term, words).contains('\x1b'), "{words:?} {term:?}");
        }
        let never = [&["--color", "never"], words].concat();
        assert!(!at_terminal(Some("xterm"), &never).contains('\x1b'), "{words:?}");
        let always = [&["--color=always"], words].concat();
        let output = run(b"", &always);
        assert!(text(&output.stderr).contains('\x1b'), "{words:?}");
    }
}

#[test]
fn bad_files_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty.toml"), "").expect("writable");
    std::fs::write(path("nul.toml"), b"[group.web]\0\n").expect("writable");
    std::fs::write(path("latin.toml"), b"# caf\xe9\n").expect("writable");
    std::fs::write(path("garbage.toml"), vec![b'x'; 10 << 20]).expect("writable");
    std::fs::write(path("huge.toml"), vec![b'\n'; 17 << 20]).expect("writable");
    std::fs::create_dir(path("folder.toml")).expect("writable");
    for name in ["empty", "nul", "latin", "garbage", "huge", "folder", "missing"] {
        let file = path(&format!("{name}.toml"));
        for command in ["check", "plan", "apply", "compile"] {
            let output = run(b"", &["-c", file.to_str().expect("text"), command]);
            assert_eq!(output.status.code(), Some(2), "{name} {command}");
            let said = text(&output.stderr);
            assert!(said.contains(&format!("{name}.toml")), "{name} {command}: {said}");
            assert!(said.len() < 4_000, "{name} {command}: {} bytes", said.len());
        }
    }
}

#[test]
fn a_config_of_ten_megabytes_is_read() {
    let comment = "# a line of a comment that somebody generated\n".repeat(220_000);
    assert!(comment.len() > 10_000_000);
    let output = run((comment + WEB).as_bytes(), &["-c", "-", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let group = |n: usize| {
        WEB.replace("web", &format!("g{n}")).replace("100.7", &format!("{}.{}", n / 250, n % 250))
    };
    let config = folder.path().join("many.toml");
    std::fs::write(&config, (0..5_000).map(group).collect::<String>()).expect("writable");
    let config = config.to_str().expect("text");
    let mut child = command(folder.path(), &["-c", config, "compile", "--format", "nft"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut first = [0; 10];
    child.stdout.take().expect("piped").read_exact(&mut first).expect("some output");
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn clear_without_a_terminal_wants_to_be_told() {
    let output = run(b"y\n", &["clear"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--yes"), "{}", text(&output.stderr));
}

#[test]
fn escape_sequences_of_arguments_do_not_reach_the_terminal() {
    for arguments in [&["explain", "\u{1b}[31mred"][..], &["\u{1b}[31mred"]] {
        let output = run(b"", arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(!output.stderr.contains(&0x1b), "{}", text(&output.stderr));
    }
}

#[test]
fn top_says_what_to_use_where_it_cannot_be_seen() {
    let output = run(b"", &["top"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("top needs a terminal, and standard output is none"), "{said}");
    assert!(said.contains("`fwmarkctl status`") && said.contains("-o json stats"), "{said}");
    let output = run(b"", &["-o", "json", "top"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(json(&output.stdout)["error"]["message"], "top is for people and has no JSON");
}

#[test]
fn times_and_places_that_make_no_sense_are_refused() {
    for (arguments, reason) in [
        (&["stats", "--watch", "1"] as &[&str], "between 2 and 3600 seconds: IPVS adds up"),
        (&["stats", "--watch", "soon"], "between 2 and 3600 seconds"),
        (&["stats", "--watch", "1e9"], "between 2 and 3600 seconds"),
        (&["connections", "--real", "rs1"], "an address, such as 10.0.0.1, 10.0.0.1:80 or"),
        (&["connections", "--real", "2001:db8::1:80000"], "an address, such as"),
        (&["connections", "--real", "10.0.0.1:70000"], "an address, such as"),
        (&["connections", "--client", "10.0.0.0/33"], "is not a prefix length"),
        (&["top", "--interval", "0.5"], "between 2 and 3600 seconds"),
        (&["zero", "--all"], "unexpected argument '--all'"),
    ] {
        let output = run(b"", arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(reason), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_finding_of_the_doctor_is_explained_like_an_error() {
    let output = run(b"", &["explain", "d0301"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("### D0301"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("**Remedy:**"));
    let output = run(b"", &["explain", "D9999"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_doctor_refuses_a_config_with_mistakes_and_groups_that_do_not_exist() {
    let wrong = WEB.replace("80/tcp", "0/tcp");
    let output = run(wrong.as_bytes(), &["-c", "-", "-o", "json", "doctor"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(json(&output.stdout)["error"]["kind"], "config");
    let output = run(WEB.as_bytes(), &["-c", "-", "doctor", "mail"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no group 'mail'"), "{}", text(&output.stderr));
}

/// Before anybody asks for a kernel, or a privilege.
#[test]
fn a_drain_that_makes_no_sense_is_refused_at_once() {
    let drain = |config: &str, group: &str, server: &str| {
        let output =
            run(WEB.as_bytes(), &["-c", config, "-o", "json", "real", "drain", group, server]);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        json(&output.stdout)["error"]["errors"][0]["code"].as_str().map(str::to_owned)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.toml");
    std::fs::write(&file, WEB).expect("writable");
    let file = file.to_str().expect("text");
    assert_eq!(drain(file, "wbe", "172.18.100.11").as_deref(), Some("E0701"));
    assert_eq!(drain(file, "web", "172.18.100.12").as_deref(), Some("E0702"));
    assert_eq!(drain("-", "web", "172.18.100.11").as_deref(), Some("E0704"));
    assert_eq!(drain(file, "web", "web1.example.org"), None, "no address: a usage error");
    assert_eq!(std::fs::read_to_string(file).expect("readable"), WEB);
}
