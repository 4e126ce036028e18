//! The doctor on this machine's own kernel: what nft(8) and iptables-nft write, and what
//! the routing tables answer, each test in a network namespace of its own. They need
//! `CAP_SYS_ADMIN` and `CAP_NET_ADMIN`, and fail without.

mod filters;
mod routing;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fwmarkctl::compile::{Past, compile};
use fwmarkctl::config::{Input, Options, load};
use fwmarkctl::preflight::{Report, Scene, Severity, Sources, Subject, examine};
use fwmarkctl::state::{DirectorState, MarkBook};

/// A group by direct routing, as the scenes here have it.
const WEB: &str = r#"
[group.web]
vips = ["172.18.100.7", "2001:db8:18:100::7"]
ports = ["80/tcp", "443/tcp"]
mark = 10
scheduler = "rr"
real = ["172.18.100.11", "2001:db8:18:100::11"]
"#;

/// Runs a test on a thread in a network namespace with a device `front` that has the VIPs.
fn on_a_director(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("these tests make network namespaces: run them as root");
        for line in [
            "link set lo up",
            "link add front type veth peer name wire",
            "link set front up",
            "link set wire up",
            "address add 172.18.100.1/24 dev front",
            "address add 172.18.100.7/32 dev front",
            "-6 address add 2001:db8:18:100::1/64 dev front nodad",
            "-6 address add 2001:db8:18:100::7/128 dev front nodad preferred_lft 0",
            "route add default via 172.18.100.254",
            "-6 route add default via 2001:db8:18:100::fe",
        ] {
            run(&format!("ip {line}"));
        }
        wait_for_the_vip();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// An address of IPv6 becomes local when its device has noticed that the cable is in, which
/// takes a moment.
fn wait_for_the_vip() {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let local = ["-6", "route", "show", "table", "local"];
        let output = Command::new("ip").args(local).output().expect("iproute2 is installed");
        let text = String::from_utf8_lossy(&output.stdout);
        if ["100::1 ", "100::7 "].iter().all(|address| text.contains(address)) {
            return;
        }
        assert!(Instant::now() < deadline, "the addresses never become local:\n{text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command as it is printed: words, no shell.
fn run(line: &str) {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a program");
    let output =
        Command::new(program).args(words).output().unwrap_or_else(|e| panic!("{line}: {e}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {error}");
}

fn nft(ruleset: &str) {
    let mut child =
        Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft");
    child.stdin.take().expect("a pipe").write_all(ruleset.as_bytes()).expect("nft reads");
    assert!(child.wait().expect("nft ends").success(), "nft refused:\n{ruleset}");
}

fn state(config: &str) -> DirectorState {
    let text = config.to_owned().into_bytes();
    let input = Input::Stdin(Box::new(std::io::Cursor::new(text)));
    let sources = fwmarkctl::config::Sources::Files(vec![input]);
    let config = load(sources, &Options::default()).expect("a valid config");
    let history = MarkBook::default();
    compile(&config.groups, &config.director, Past::of(&history)).expect("compiles").state
}

fn report(config: &str, root: &Path) -> Report {
    let subject = Subject::of(&state(config), &BTreeSet::new());
    examine(&Scene::read(subject, BTreeSet::new(), &Sources::below(root)))
}

/// Each finding as its code and severity.
fn codes(report: &Report) -> Vec<String> {
    let all = report.findings.iter().filter(|finding| finding.severity != Severity::Note);
    all.map(|finding| {
        let sure = if finding.severity == Severity::Stops { "" } else { "?" };
        format!("{}{sure}", finding.code)
    })
    .collect()
}

/// What is found on a machine without files: parameters, modules, units.
fn found(config: &str) -> Report {
    report(config, Path::new("/nowhere"))
}

/// Runs what the doctor advises, and looks again.
fn mend(config: &str) -> Report {
    for finding in found(config).findings {
        for command in &finding.remedy {
            run(command);
        }
    }
    found(config)
}

/// Who may not look is told what he was not shown; what needs no privilege is looked at.
#[test]
fn without_privilege_it_says_what_it_could_not_look_at() {
    on_a_director(|| {
        run("ip route add unreachable 172.18.100.11");
        nft("table inet t {\nchain c {\ntype filter hook input priority 0; policy drop;\n}\n}");
        let none = rustix::thread::CapabilitySet::empty();
        let sets =
            rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
        rustix::thread::set_capabilities(None, sets).expect("they can be given up");
        let report = found(WEB);
        assert_eq!(codes(&report), ["D0501"]);
        let unchecked: Vec<_> = report.unchecked.iter().map(|part| part.what.as_str()).collect();
        assert!(unchecked.contains(&"packet filters, and marks of others"), "{unchecked:?}");
        assert!(report.unchecked.iter().all(|part| !part.why.is_empty()));
    });
}
