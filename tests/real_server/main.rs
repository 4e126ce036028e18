//! `fwmarkctl realserver` on this machine's own kernel: each test in a network namespace
//! of its own, in which iproute2 looks at what was made. They need `CAP_SYS_ADMIN` and
//! `CAP_NET_ADMIN`, and fail without. Tunnels are in the kernel ring, for not every kernel
//! has them.

mod choice;
mod down;
mod fails;
mod status;
mod up;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A VIP as `--vip` takes it, and another one.
const VIP: &str = "172.18.100.7";
const OTHER: &str = "172.18.100.8";

/// The parameters that hide a VIP, in the order in which they are set.
const SILENCE: [&str; 4] =
    ["all.arp_ignore", "all.arp_announce", "lo.arp_ignore", "lo.arp_announce"];

/// A machine: a network namespace with `lo` and one network device that are up, and a
/// state directory.
struct Machine {
    state: TempDir,
}

/// How a run ended.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs a test on a thread in a network namespace of its own.
fn on_a_machine(test: impl FnOnce(&Machine) + Send + 'static) {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("these tests make network namespaces: run them as root");
        let machine = Machine { state: tempfile::tempdir().expect("a folder") };
        ip("link set lo up");
        ip("link add front type bridge");
        ip("link set front up");
        for name in ["all.rp_filter", "all.arp_ignore", "all.arp_announce"] {
            set_sysctl(name, 0);
        }
        test(&machine);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

impl Machine {
    /// `fwmarkctl realserver ARGUMENTS`, given in one string.
    fn realserver(&self, arguments: &str) -> Ended {
        let words: Vec<_> = arguments.split_whitespace().collect();
        self.fwmarkctl(&[&["realserver"], &words[..]].concat())
    }

    fn fwmarkctl(&self, arguments: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"))
            .arg("--state-dir")
            .arg(self.state.path())
            .arg("--run-dir")
            .arg(self.state.path().join("run"))
            .args(arguments)
            .env_remove("RUST_LOG")
            .output()
            .expect("the program runs");
        ended(output)
    }

    /// The same, which has to succeed; the answer is what it printed.
    fn ok(&self, arguments: &str) -> String {
        let Ended { code, stdout, stderr } = self.realserver(arguments);
        assert_eq!(code, 0, "{arguments}: {stdout}{stderr}");
        stdout
    }

    fn record(&self) -> std::path::PathBuf {
        self.state.path().join("realserver.json")
    }

    /// A config in a file, whose path is the answer.
    fn config(&self, text: &str) -> String {
        let path = self.state.path().join("groups.toml");
        std::fs::write(&path, text).expect("writable");
        path.to_str().expect("text").to_owned()
    }
}

fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().expect("it was not killed"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// What ip(8) prints for a command, which has to succeed.
fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip");
    let ended = ended(output);
    assert_eq!(ended.code, 0, "ip {arguments}: {}", ended.stderr);
    ended.stdout
}

fn sysctl_path(name: &str) -> std::path::PathBuf {
    Path::new("/proc/sys/net/ipv4/conf").join(name.replace('.', "/"))
}

/// A parameter of `net.ipv4.conf`.
fn sysctl(name: &str) -> u32 {
    let text = std::fs::read_to_string(sysctl_path(name)).expect(name);
    text.trim().parse().expect(name)
}

fn set_sysctl(name: &str, value: u32) {
    std::fs::write(sysctl_path(name), value.to_string()).expect(name);
}

fn silence() -> [u32; 4] {
    SILENCE.map(sysctl)
}

/// Whether lo has an address.
fn on_lo(address: &str) -> bool {
    ip("-o addr show dev lo").split_whitespace().any(|word| {
        word.split_once('/')
            .is_some_and(|(on, bits)| on == address && ["32", "128"].contains(&bits))
    })
}

/// All that ip(8) knows of addresses and local routes, and the parameters.
fn everything() -> String {
    let listings = ["-o addr show", "route show table local", "-6 route show table local"].map(ip);
    format!("{}{:?}", listings.concat(), silence())
}

#[test]
fn the_unit_runs_what_the_program_knows() {
    use clap::Parser;
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = home.join("packaging/systemd/fwmarkctl-realserver.service");
    let unit = std::fs::read_to_string(unit).expect("the unit");
    let commands = unit.lines().filter_map(|line| line.strip_prefix("Exec")?.split_once('='));
    let commands: Vec<_> = commands.map(|(_, command)| command).collect();
    assert_eq!(commands.len(), 3);
    for command in commands {
        let words = command.split_whitespace();
        assert!(fwmarkctl::cli::args::Arguments::try_parse_from(words).is_ok(), "{command}");
    }
}
