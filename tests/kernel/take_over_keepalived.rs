//! A director that keepalived set up is taken over without one lost connection: import,
//! apply with `--adopt`, and only then keepalived is ended, without a chance to take its
//! services with it.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{Client, Director, Lab, Running, client_v4};
use crate::scene::{Fwmarkctl, the_one_server, until};

/// The web on two ports of one VIP, with clients that stay; mail on the other.
const CONFIG: &str = "
virtual_server_group web {
    172.18.100.7 80
    172.18.100.7 443
}
virtual_server group web {
    lvs_sched rr
    lvs_method DR
    persistence_timeout 300
    protocol TCP
    real_server 172.18.100.11 {
    }
    real_server 172.18.100.12 {
    }
}
virtual_server 172.18.100.8 25 {
    lvs_sched rr
    lvs_method DR
    protocol TCP
    real_server 172.18.100.11 25 {
    }
    real_server 172.18.100.12 25 {
    }
}
";

/// What it says where keepalived is to give the groups marks of its own.
const WITH_MARKS: &str = "global_defs {\n    nftables_ipvs\n}\n";

const WEB: [&str; 2] = ["172.18.100.7:80", "172.18.100.7:443"];
const MAIL: &str = "172.18.100.8:25";

/// A keepalived that runs, and its process that keeps the services.
struct Keepalived {
    program: Running,
    checker: Pid,
}

impl Keepalived {
    /// Starts it on the director; its files are in that machine's own /run.
    fn start(director: &Director, config: &str) -> Self {
        let wanted = config.matches("real_server").count();
        director.run(|| fs::write("/run/keepalived.conf", config).unwrap());
        let program = director
            .command("keepalived")
            .args(["--check", "--dont-fork", "--log-console", "-f", "/run/keepalived.conf"])
            .args(["-p", "/run/k.pid", "-c", "/run/c.pid", "-r", "/run/v.pid"])
            .spawn();
        until("keepalived makes its services", || {
            director.ipvsadm_save().matches("-a ").count() >= wanted
        });
        Self { program, checker: checker(director) }
    }

    /// Ends it so that it cannot remove anything: stopped, a process of it neither hears
    /// that the other has ended nor starts it anew.
    fn end(self) {
        self.program.signal(Signal::STOP);
        kill_process(self.checker, Signal::STOP).unwrap();
        self.program.signal(Signal::KILL);
        kill_process(self.checker, Signal::KILL).unwrap();
        self.program.wait();
    }
}

/// The process that keeps the services.
fn checker(director: &Director) -> Pid {
    let number = director.run(|| fs::read_to_string("/run/c.pid").unwrap());
    Pid::from_raw(number.trim().parse().unwrap()).unwrap()
}

/// What `import` makes of the file that keepalived was started with.
fn imported(director: &Director) -> String {
    let ended = director.fwmarkctl(&["import", "keepalived", "/run/keepalived.conf"]).run();
    // 3 where something is told, as of marks that are counted.
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
    ended.stdout
}

/// Clients that stay, each with the server that it has.
fn residents(client: Client<'_>) -> Vec<(String, String)> {
    let resident = |number| {
        let source = client_v4(number);
        let server = the_one_server(client, &source, &WEB[..1]);
        (source, server)
    };
    (10..16).map(resident).collect()
}

/// Both halves of what the director of `lab` holds are taken over beside traffic; `end` is
/// what becomes of keepalived.
fn take_over(config: &str, marked: bool, end: impl FnOnce(&Director, Keepalived)) {
    let lab = Lab::dr();
    lab.serve_tcp(&[25, 80, 443]);
    let director = lab.director();
    let keepalived = Keepalived::start(director, config);
    let residents = residents(lab.client());
    let services = director.ipvsadm_save();
    let ours = imported(director);
    director.with(&["check"], &ours).ok();
    lab.beside_traffic(&[WEB[0], WEB[1], MAIL], &[WEB[0], MAIL], |traffic| {
        traffic.each_answers(5, |_| true);
        let (code, plan) = director.json(&["plan", "--adopt"], &ours);
        assert_eq!(code, 0, "{plan}");
        let (code, applied) = director.json(&["apply", "--adopt"], &ours);
        assert_eq!(code, 0, "{applied}");
        // What IPVS holds is what is wanted: not one service or real server is touched. They
        // are written down as ours, and marked as they are marked already.
        let changes = applied["changes"].as_array().unwrap();
        assert!(changes.iter().all(|change| change["phase"] == "switch"), "{changes:?}");
        let rules = changes.iter().filter(|change| change["object"] == "mark-rule").count();
        assert_eq!(rules, if marked { WEB.len() } else { 0 }, "{changes:?}");
        assert_eq!(plan["changes"], applied["changes"]);
        traffic.each_answers(5, |_| true);
        end(director, keepalived);
        traffic.each_answers(5, |_| true);
        let seen = traffic.seen(|_| true);
        assert!(seen.failures.is_empty(), "{seen}: {:?}", seen.failures);
    });
    assert_eq!(director.ipvsadm_save(), services);
    director.in_sync(&ours).unwrap();
    for (source, server) in residents {
        let targets = if marked { &WEB[..] } else { &WEB[..1] };
        assert_eq!(the_one_server(lab.client(), &source, targets), server, "{source}");
    }
    let tables = director.command("nft").args(["list", "tables"]).ok();
    assert!(!tables.contains("keepalived"), "{tables}");
}

#[test]
fn a_director_with_marks_of_keepalived_is_taken_over_and_nobody_notices() {
    let config = WITH_MARKS.to_owned() + CONFIG;
    take_over(&config, true, |director, keepalived| {
        keepalived.end();
        director.nft("delete table ip keepalived_ipvs");
    });
}

#[test]
fn a_director_without_marks_is_taken_over_and_nobody_notices() {
    take_over(CONFIG, false, |_, keepalived| keepalived.end());
}

/// keepalived goes on, with VRRP: it reads a configuration without virtual servers while
/// the process that would remove them is stopped, and gets another one when that is killed.
#[test]
fn keepalived_goes_on_without_its_services() {
    let config = WITH_MARKS.to_owned() + CONFIG;
    take_over(&config, true, |director, keepalived| {
        director.run(|| fs::write("/run/keepalived.conf", "global_defs {\n}\n").unwrap());
        // Of signals that wait the kernel hands over SIGHUP before SIGCHLD, and keepalived
        // reads the file at once.
        kill_process(keepalived.checker, Signal::STOP).unwrap();
        keepalived.program.signal(Signal::HUP);
        kill_process(keepalived.checker, Signal::KILL).unwrap();
        director.nft("delete table ip keepalived_ipvs");
        until("keepalived has another checker", || checker(director) != keepalived.checker);
        let last = director.ipvsadm_save();
        keepalived.program.signal(Signal::TERM);
        let ended = keepalived.program.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(director.ipvsadm_save(), last);
    });
}
