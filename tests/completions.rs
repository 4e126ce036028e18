//! The completions in the shells themselves, which `tests/kernel/install` brings.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A folder with the program in it, and a configuration with two groups.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("fwmarkctl");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fwmarkctl"), program).expect("a link");
    let config = "[group.web]\nvips = [\"192.0.2.1\"]\nports = [\"80\"]\n\
                  real = [\"10.0.0.1\", { address = \"10.0.0.2\", port = 8080 }]\n\
                  [group.mail]\nvips = [\"192.0.2.2\"]\nports = [\"25\"]\n\
                  real = [\"2001:db8::1\", \"2001:db8::2\"]\n";
    fs::write(folder.path().join("c.toml"), config).expect("writable");
    folder
}

/// Runs a shell's script in the folder, where the program is found first.
fn shell(shell: &str, arguments: &[&str], folder: &Path) -> String {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let output = Command::new(shell)
        .args(arguments)
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env("TERM", "xterm")
        .output()
        .unwrap_or_else(|error| panic!("{shell}: {error}; tests/kernel/install brings it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{shell} says: {said}");
    String::from_utf8(output.stdout).expect("text")
}

fn script(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(name);
    path.to_str().expect("text").to_owned()
}

fn bash(line: &str) -> Vec<String> {
    let folder = folder();
    let script = format!(
        "source '{}'; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _fwmarkctl; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script("fwmarkctl.bash")
    );
    let found = shell("bash", &["--norc", "-c", &script], folder.path());
    found.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_knows_commands_options_and_live_names() {
    assert_eq!(bash("fwmarkctl real "), ["add", "set", "remove", "drain", "restore"]);
    assert_eq!(bash("fwmarkctl plan --det"), ["--detailed-exitcode"]);
    assert_eq!(bash("fwmarkctl -c c.toml status "), ["mail", "web"]);
    assert_eq!(bash("fwmarkctl -c c.toml status w"), ["web"]);
    assert_eq!(bash("fwmarkctl preset show http3"), ["http3"]);
    assert_eq!(bash("fwmarkctl -c c.toml real drain web "), ["10.0.0.1", "10.0.0.2:8080"]);
    // Bash takes a word apart at its colons, and wants what is behind the last.
    assert_eq!(bash("fwmarkctl -c c.toml real drain web 10.0.0.2:8"), ["8080"]);
    assert_eq!(bash("fwmarkctl -c c.toml real drain mail 2001:db8::"), ["1", "2"]);
    assert_eq!(bash("fwmarkctl compile --format=ipt"), ["iptables"]);
}

#[test]
fn nothing_is_said_on_the_terminal_when_names_cannot_be_read() {
    let nothing = [""; 0];
    assert_eq!(bash("fwmarkctl -c nowhere.toml status "), nothing);
    assert_eq!(bash("fwmarkctl -c / status "), nothing);
    assert_eq!(bash("fwmarkctl --state-dir /nowhere rollback "), nothing);
    assert_eq!(bash("fwmarkctl nonsense --more "), nothing);
}

#[test]
fn fish_knows_them_with_what_they_are() {
    let folder = folder();
    let fish = |line: &str| {
        let script = format!("source '{}'; complete -C '{line}'", script("fwmarkctl.fish"));
        shell("fish", &["--no-config", "-c", &script], folder.path())
    };
    assert_eq!(fish("fwmarkctl -c c.toml status "), "mail\nweb\n");
    assert_eq!(fish("fwmarkctl -c c.toml real drain mail 2001:"), "2001:db8::1\n2001:db8::2\n");
    assert_eq!(
        fish("fwmarkctl real dr"),
        "drain\tTake no new clients, and wait until those that are there have gone\n"
    );
    assert!(fish("fwmarkctl -c ").contains("c.toml"), "a file is the shell's to find");
}

#[test]
fn zsh_completes_what_is_typed() {
    let folder = folder();
    fs::copy(script("_fwmarkctl"), folder.path().join("_fwmarkctl")).expect("copied");
    // A shell on a terminal of its own, in which somebody types and presses Tab; a key then
    // writes down what stands on the line.
    let setup = "PS1= ; unsetopt beep; fpath=($PWD $fpath); autoload -Uz compinit; \
                 compinit -u -D; dump() { print -r -- \"$BUFFER\" >line; BUFFER= }; \
                 zle -N dump; bindkey ^X dump; print >ready";
    let typed = |line: &str| {
        let script = format!(
            "zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z '{setup}'; \
             repeat 500 {{ [[ -e ready ]] && break; zselect -t 2 }}; \
             zpty -w -n z '{line}'$'\\t\\x18'; repeat 500 {{ [[ -s line ]] && break; zselect -t 2 }}; \
             zpty -d z; cat line"
        );
        let script = format!("zmodload zsh/zselect; {script}");
        let found = shell("zsh", &["-f", "-c", &script], folder.path());
        for left in ["ready", "line"] {
            fs::remove_file(folder.path().join(left)).expect("it was there");
        }
        found.trim_end().to_owned()
    };
    assert_eq!(typed("fwmarkctl real dr"), "fwmarkctl real drain");
    assert_eq!(typed("fwmarkctl -c c.toml status w"), "fwmarkctl -c c.toml status web");
    assert_eq!(
        typed("fwmarkctl -c c.toml real drain web 10.0.0.2"),
        "fwmarkctl -c c.toml real drain web 10.0.0.2:8080"
    );
    assert_eq!(typed("fwmarkctl -c c.to"), "fwmarkctl -c c.toml");
}
