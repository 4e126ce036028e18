//! How long an apply takes, against `nft -f` plus `ipvsadm -R` of the same state in the
//! same run, and how much memory it needs. Groups of 2 ports and 4 real servers.
//!
//! Run through `make bench`, which finds a kernel with IPVS. Times are wall-clock times
//! of whole processes and depend on the machine; the ratio is what counts.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on shall say where")]

mod groups;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use groups::{config, namespace};
use nix::sys::resource::{UsageWho, getrusage};

const FWMARKCTL: &str = env!("CARGO_BIN_EXE_fwmarkctl");

/// What one run of a program cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    time: Duration,
    /// Peak resident memory, in KiB.
    memory: u32,
    /// Bytes sent to the kernel, where the program tells.
    sent: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, program, rest @ ..] = arguments.as_slice()
        && word == "measured"
    {
        return measured(program, rest);
    }
    let sizes: Vec<usize> = arguments.iter().filter_map(|word| word.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10, 1_000, 10_000] } else { sizes };
    println!(
        "| groups | apply | `nft -f` + `ipvsadm -R` | ratio | no change | one group | sent for one group | peak memory |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut namespaces = Vec::new();
    for size in sizes {
        // A namespace belongs to a thread; so each size has one of its own.
        namespaces.push(std::thread::spawn(move || row(size)).join().unwrap());
    }
}

/// Measures one size; the namespaces that it made are returned alive.
fn row(groups: usize) -> [File; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("config.toml"), config(groups, 1)).unwrap();
    std::fs::write(path("changed.toml"), config(groups, 7)).unwrap();
    for format in ["nft", "ipvsadm"] {
        let output = File::create(path(format)).unwrap();
        let status = Command::new(FWMARKCTL)
            .args(["--state-dir", path("state").to_str().unwrap(), "-c"])
            .arg(path("config.toml"))
            .args(["compile", "--format", format])
            .stdout(output)
            .status();
        assert!(status.unwrap().success());
    }

    let tools_namespace = namespace();
    let nft =
        run(&local("/usr/sbin/nft", folder.path()), &["-f", path("nft").to_str().unwrap()], None);
    let ipvsadm = run(&local("/usr/sbin/ipvsadm", folder.path()), &["-R"], Some(&path("ipvsadm")));
    let tools = nft.time + ipvsadm.time;

    let our_namespace = namespace();
    let fwmarkctl = local(FWMARKCTL, folder.path());
    let apply = |config: &str| {
        let (config, state) = (path(config), path("state"));
        let words = [
            "-vv",
            "--state-dir",
            state.to_str().unwrap(),
            "-q",
            "-c",
            config.to_str().unwrap(),
            "apply",
        ];
        run(&fwmarkctl, &words, None)
    };
    let whole = apply("config.toml");
    let nothing = apply("config.toml");
    let one = apply("changed.toml");
    println!(
        "| {groups} | {} | {} | {:.1} | {} | {} | {} B | {:.1} MiB |",
        seconds(whole.time),
        seconds(tools),
        tools.as_secs_f64() / whole.time.as_secs_f64(),
        seconds(nothing.time),
        seconds(one.time),
        one.sent,
        f64::from(whole.memory) / 1024.0,
    );
    [tools_namespace, our_namespace]
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// A copy of a program in memory: the emulated machine reads others anew at each start.
fn local(program: &str, folder: &Path) -> String {
    let name = Path::new(program).file_name().unwrap();
    let copy = folder.join(name).with_extension("program");
    std::fs::copy(program, &copy).unwrap();
    copy.to_str().unwrap().to_owned()
}

/// Runs a program to its end, through ourselves, so that its peak memory is its own.
fn run(program: &str, arguments: &[&str], input: Option<&Path>) -> Cost {
    let input = input.map_or_else(Stdio::null, |path: &Path| File::open(path).unwrap().into());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["measured", program])
        .args(arguments)
        .env("RUST_LOG", "fwmarkctl::backend=debug")
        .stdin(input)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    let measured = String::from_utf8(output.stdout).unwrap();
    let mut numbers = measured.split_whitespace().rev();
    let memory = numbers.next().unwrap().parse().unwrap();
    let time = Duration::from_nanos(numbers.next().unwrap().parse().unwrap());
    let sent = said
        .lines()
        .filter_map(|line| {
            line.split("sent=").nth(1)?.split_whitespace().next()?.parse::<usize>().ok()
        })
        .sum();
    Cost { time, memory, sent }
}

fn measured(program: &str, arguments: &[String]) {
    let program = PathBuf::from(program);
    let start = Instant::now();
    let status = Command::new(&program).args(arguments).status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{}: {status}", program.display());
    println!("{} {}", time.as_nanos(), getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss());
}
