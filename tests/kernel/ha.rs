//! Two directors and what ships for them, below packaging/ha/: keepalived moves the VIPs,
//! clients go on with what the other director knows, and Pacemaker's agent tells the truth.

use std::fmt::Display;
use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{iter, thread};

use rustix::mount::{MountFlags, mount};
use rustix::process::Signal;

use crate::lab::{
    Client, Connection, Director, Ended, Kind, Lab, Namespace, Program, RealServer, Running,
    client_v4,
};
use crate::scene::{Fwmarkctl, MAIL, WEB_AND_MAIL, list, reboot, the_one_server, web_and_mail};

const WEB: [&str; 2] = ["172.18.100.7:80", "172.18.100.7:443"];

/// Returns when it has become so. VRRP has waits of its own, and an emulated machine under
/// load starts what keepalived runs slowly.
fn until<T: Display>(what: impl Fn() -> T, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !is_so() {
        assert!(Instant::now() < deadline, "it never happens: {}", what());
        thread::sleep(Duration::from_millis(50));
    }
}

fn shipped(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "packaging/ha", name].iter().collect()
}

/// The same for both directors, with a mark that each chooses by itself.
fn config(lab: &Lab) -> String {
    format!(
        "[director.sync]\nrole = \"both\"\ninterface = \"back\"\n\
         [group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\", \"443/tcp\"]\n\
         scheduler = \"rr\"\npersistence = \"pfwmc\"\nreal = {}\n",
        list(lab, &[RealServer::v4])
    )
}

/// Where a machine has fwmarkctl: keepalived looks at who may write to what it runs.
const FWMARKCTL: &str = "/run/bin/fwmarkctl";

/// What keepalived runs there as its notify script.
const NOTIFY: &str = "/run/bin/keepalived-notify";

/// Where it writes down that a notice has ended, and how.
const NOTICES: &str = "/run/notices";

fn provide_fwmarkctl(machine: &Namespace) {
    let notify = shipped("keepalived-notify");
    let noted = format!("\"{}\" \"$@\"\necho \"$3 $?\" >>{NOTICES}\n", notify.display());
    let wrapped = format!("exec {} \"$@\"\n", Director::program());
    machine.run(|| {
        fs::create_dir_all("/run/bin").unwrap();
        for (path, commands) in [(FWMARKCTL, wrapped), (NOTIFY, noted)] {
            fs::write(path, format!("#!/bin/sh\n{commands}")).unwrap();
        }
        for path in ["/run", "/run/bin", FWMARKCTL, NOTIFY] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
    });
}

/// A keepalived on a director, with the sample that ships.
struct Keepalived<'a> {
    director: &'a Director,
    program: Running,
}

impl<'a> Keepalived<'a> {
    /// The sample with the lab's device and programs.
    fn start(director: &'a Director) -> Self {
        let mut here = fs::read_to_string(shipped("keepalived.conf")).unwrap();
        for (shipped, here_it_is) in [
            ("eth0", "front"),
            // An emulated machine under load.
            ("timeout 10", "timeout 60"),
            ("/usr/sbin/fwmarkctl", FWMARKCTL),
            ("/usr/lib/fwmarkctl/keepalived-notify", NOTIFY),
        ] {
            assert!(here.contains(shipped), "{shipped}");
            here = here.replace(shipped, here_it_is);
        }
        provide_fwmarkctl(director);
        director.run(|| fs::write("/run/keepalived.conf", here).unwrap());
        Self::start_with(director, "/run/keepalived.conf")
    }

    /// With a file of that machine.
    fn start_with(director: &'a Director, file: &str) -> Self {
        director.run(|| {
            for file in ["/run/keepalived.log", NOTICES] {
                fs::write(file, "").unwrap();
            }
        });
        let command = format!(
            "exec keepalived --vrrp --dont-fork --log-console -f {file} -p /run/k.pid \
             -r /run/v.pid >/run/keepalived.log 2>&1"
        );
        let program = director.command("sh").args(["-c", &command]);
        Self { director, program: program.env("FWMARKCTL", FWMARKCTL).spawn() }
    }

    fn log(&self) -> String {
        self.director.run(|| fs::read_to_string("/run/keepalived.log").unwrap())
    }

    /// Returns when these notices have ended well: until then one may find what a test does,
    /// and mend it.
    fn until_noticed(&self, states: &[&str]) {
        let notices = || self.director.run(|| fs::read_to_string(NOTICES).unwrap());
        let ended = |state: &&str| notices().contains(&format!("{state} 0\n"));
        until(|| format!("{states:?} in {}", notices()), || states.iter().all(ended));
    }

    fn until_it_says(&self, words: &str) {
        until(|| format!("{words} in\n{}", self.log()), || self.log().contains(words));
    }
}

/// How many of the two VIPs a director has: one while they move.
fn vips(director: &Director) -> usize {
    let addresses = director.command("ip").args(["-o", "addr", "show", "dev", "front"]).ok();
    let vips = ["172.18.100.7/32", "2001:db8:18:100::7/128"];
    vips.into_iter().filter(|vip| addresses.contains(vip)).count()
}

fn has_vips(director: &Director) -> bool {
    vips(director) == 2
}

fn has_none(director: &Director) -> bool {
    vips(director) == 0
}

/// Whether a director knows a connection and the client that it is from.
fn knows(director: &Director, connection: &Connection) -> bool {
    let table = director.run(|| fs::read_to_string("/proc/thread-self/net/ip_vs_conn").unwrap());
    let client = connection.local();
    let IpAddr::V4(address) = client.ip() else { panic!("{client} is not of IPv4") };
    let address = u32::from(address);
    table.contains(&format!("TCP {address:08X} {:04X} ", client.port()))
        && table.contains(&format!("IP  {address:08X} 0000 "))
}

/// Connections from these clients that `other` knows: a director tells of one with its
/// third packet (`vs.sync_threshold`).
fn talks(
    client: Client<'_>,
    numbers: std::ops::Range<usize>,
    other: &Director,
) -> Vec<(usize, Connection)> {
    let talk = |number| {
        let mut talk = client.connect(client_v4(number).as_str(), WEB[0]).unwrap();
        (0..3).for_each(|_| drop(talk.ask().unwrap()));
        until(|| "the other director knows it", || knows(other, &talk));
        (number, talk)
    };
    numbers.map(talk).collect()
}

/// Connections go on, and so does who is known by persistence, on both ports.
fn all_go_on(client: Client<'_>, talks: &mut [(usize, Connection)]) {
    for (number, talk) in talks.iter_mut() {
        let server = talk.server.clone();
        assert_eq!(talk.ask(), Ok(server.clone()), "the connection of client {number}");
        assert_eq!(the_one_server(client, &client_v4(*number), &WEB), server, "client {number}");
    }
}

/// Stopped, and cut off; there, and back again.
#[test]
fn the_backup_takes_over_and_clients_go_on() {
    let lab = Lab::of(&[Kind::Dr; 3]);
    lab.serve_tcp(&[80, 443]);
    let client = lab.client().patience(Duration::from_secs(20));
    let (first, second) = (lab.director(), &lab.second_director());
    first.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front");
    let config = config(&lab);
    first.apply(&config);
    second.apply(&config);
    let one = Keepalived::start(first);
    until(|| format!("the first has the VIPs {}", one.log()), || has_vips(first));
    let other = Keepalived::start(second);
    other.until_it_says("Entering BACKUP STATE");
    let mut open = talks(client, 0..3, second);

    one.program.signal(Signal::TERM);
    assert_eq!(one.program.wait().code, Some(0));
    until(|| "the second has the VIPs", || has_vips(second));
    assert!(has_none(first));
    all_go_on(client, &mut open);
    open.extend(talks(client, 3..5, first));

    // Who returns takes nothing.
    let one = Keepalived::start(first);
    one.until_it_says("Entering BACKUP STATE");
    assert!(has_vips(second) && has_none(first));
    second.ip("link set front down\nlink set back down");
    until(|| "the first has the VIPs again", || has_vips(first));
    all_go_on(client, &mut open);
    let newcomer = talks(client, 5..6, first);
    assert_eq!(newcomer.len(), 1);
    first.in_sync(&config).unwrap();
}

/// Nothing but VRRP's priority moves them; who has mended itself does not get them back.
#[test]
fn a_director_that_does_not_hold_what_was_applied_gives_the_vips_away() {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443]);
    let client = lab.client().patience(Duration::from_secs(20));
    let (first, second) = (lab.director(), &lab.second_director());
    first.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front");
    let config = config(&lab);
    first.apply(&config);
    second.apply(&config);
    let one = Keepalived::start(first);
    until(|| format!("the first has the VIPs {}", one.log()), || has_vips(first));
    let other = Keepalived::start(second);
    other.until_it_says("Entering BACKUP STATE");
    one.until_noticed(&["BACKUP", "MASTER"]);

    first.ipvsadm("-C");
    until(|| "the second has the VIPs", || has_vips(second) && has_none(first));
    assert!(client.tcp(client_v4(0).as_str(), WEB[0]).is_ok());
    // The notice that it is the backup now has brought its services back.
    one.until_it_says("Changing effective priority from 50 to 100");
    first.in_sync(&config).unwrap();
    assert!(has_vips(second) && has_none(first));
}

fn notify(director: &Director, state: &str) -> Ended {
    director
        .command(shipped("keepalived-notify").to_str().unwrap())
        .args(["INSTANCE", "vips", state, "100"])
        .env("FWMARKCTL", &Director::program())
        .env("FWMARKCTL_TRIES", "1")
        .run()
}

#[test]
fn a_notice_brings_back_what_was_applied_and_takes_nothing_away() {
    let director = Director::alone();
    let ended = notify(&director, "MASTER");
    assert_eq!(ended.code, Some(1), "nothing was applied: {ended:?}");
    assert!(ended.stderr.contains("Nothing to restore"), "{ended:?}");
    director.apply(WEB_AND_MAIL);
    let before = director.dump();
    for state in ["MASTER", "BACKUP", "FAULT", "STOP"] {
        let ended = notify(&director, state);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(director.dump(), before, "{state} changes nothing");
    }
    for state in ["BACKUP", "MASTER"] {
        reboot_or_flush(&director, state);
        assert_eq!(notify(&director, "STOP").code, Some(0));
        assert!(director.in_sync(WEB_AND_MAIL).is_err());
        let ended = notify(&director, state);
        assert!(ended.stderr.contains("was brought back"), "{ended:?}");
        director.in_sync(WEB_AND_MAIL).unwrap();
    }
    // An edit that nobody applied is nothing that a failover brings in, and a trial goes on.
    let other = WEB_AND_MAIL.replace("mark = 25", "mark = 26");
    director.with(&["apply", "--confirm-within", "1h"], &other).ok();
    let tried = director.dump();
    assert_eq!(notify(&director, "MASTER").code, Some(0));
    assert_eq!(director.dump(), tried);
    director.fwmarkctl(&["confirm"]).ok();
    assert_eq!(notify(&director, "DANCING").code, Some(2));
}

/// Each way to lose it.
fn reboot_or_flush(director: &Director, state: &str) {
    if state == "MASTER" { reboot(director) } else { director.flush_ruleset() }
}

/// Debian's package, unpacked by tests/kernel/resource-agents.
fn agents(file: &str) -> String {
    format!("{}/target/tools/resource-agents/usr/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// A program with the environment that Pacemaker gives agents.
fn cluster<'a>(director: &'a Director, program: &str) -> Program<'a> {
    let root = agents("lib/ocf");
    let program = director.command(program).env("OCF_ROOT", &root);
    program.env("OCF_RESKEY_program", &Director::program())
}

fn agent(director: &Director, action: &str) -> i32 {
    let agent = cluster(director, shipped("director").to_str().unwrap());
    let ended = agent.env("OCF_RESOURCE_INSTANCE", "lvs").arg(action).run();
    ended.code.unwrap()
}

const SUCCESS: i32 = 0;
const GENERIC: i32 = 1;
const UNIMPLEMENTED: i32 = 3;
const INSTALLED: i32 = 5;
const NOT_RUNNING: i32 = 7;

#[test]
fn the_agent_of_pacemaker_starts_watches_and_lets_go() {
    let lab = web_and_mail();
    let director = lab.director();
    let fresh = Director::alone();
    for director in [director, &fresh] {
        director.run(|| fs::create_dir_all("/run/resource-agents").unwrap());
    }
    for (action, code) in [
        ("validate-all", INSTALLED),
        ("monitor", NOT_RUNNING),
        ("start", INSTALLED),
        ("stop", SUCCESS),
    ] {
        assert_eq!(agent(&fresh, action), code, "{action} where nothing was applied");
    }
    let mut talk = lab.client().connect(client_v4(0).as_str(), MAIL).unwrap();
    let before = director.dump();
    assert_eq!(agent(director, "monitor"), NOT_RUNNING);
    assert_eq!(agent(director, "start"), SUCCESS);
    assert_eq!(agent(director, "monitor"), SUCCESS);
    assert_eq!(director.dump(), before, "it was there already");
    assert_eq!(agent(director, "promote"), UNIMPLEMENTED);

    director.ipvsadm("-D -f 10");
    assert_eq!(agent(director, "monitor"), GENERIC);
    assert_eq!(agent(director, "start"), SUCCESS);
    assert_eq!(agent(director, "monitor"), SUCCESS);
    director.in_sync(WEB_AND_MAIL).unwrap();

    let other = WEB_AND_MAIL.replace("mark = 10", "mark = 11");
    director.with(&["apply", "--confirm-within", "1h"], &other).ok();
    for action in ["monitor", "start"] {
        assert_eq!(agent(director, action), SUCCESS, "{action} while a trial waits");
    }
    director.fwmarkctl(&["confirm"]).ok();
    let before = director.dump();
    assert_eq!(agent(director, "stop"), SUCCESS);
    assert_eq!(agent(director, "monitor"), NOT_RUNNING);
    assert_eq!(director.dump(), before, "nothing is taken away");
    assert_eq!(talk.ask(), Ok(talk.server.clone()));

    reboot(director);
    assert_eq!(agent(director, "start"), SUCCESS);
    director.in_sync(&other).unwrap();
}

#[test]
fn ocf_tester_has_nothing_to_say_against_the_agent() {
    let director = Director::alone();
    director.run(|| fs::create_dir_all("/run/resource-agents").unwrap());
    director.apply(WEB_AND_MAIL);
    let agent = shipped("director");
    let tester = cluster(&director, &agents("sbin/ocf-tester"));
    let ended = tester.args(["-n", "lvs", agent.to_str().unwrap()]).run();
    assert!(ended.stdout.contains("passed all tests"), "{ended:?}");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A file of the repository.
fn source(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), path].iter().collect()
}

/// Ansible on a machine of its own, with the roles, the playbook and the inventory as they
/// ship.
struct Controller<'a> {
    lab: &'a Lab,
    folder: tempfile::TempDir,
    inventory: String,
}

impl<'a> Controller<'a> {
    fn new(lab: &'a Lab) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let collections = folder.path().join("ansible_collections/fwmarkctl");
        fs::create_dir_all(&collections).unwrap();
        symlink(source("ansible"), collections.join("lvs")).unwrap();
        let shipped = source("ansible/playbooks/inventory/cluster.yml");
        let inventory = fs::read_to_string(shipped).unwrap();
        let inventory = inventory.replace("eth0", "front").replace("eth1", "back");
        Self { lab, folder, inventory }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A host of the inventory is this machine, on which nobody has configured anything.
    /// What Ansible runs there is Python, which enters the machine.
    fn manages(&mut self, name: &str, machine: &Namespace) {
        provide_fwmarkctl(machine);
        machine.run(|| {
            for folder in ["/etc/fwmarkctl", "/etc/keepalived"] {
                fs::create_dir_all(folder).unwrap();
                mount("lab", folder, "tmpfs", MountFlags::empty(), None).unwrap();
            }
        });
        let python = self.path(name);
        let entrance = machine.entrance();
        let enter = format!("#!/bin/sh\nexec nsenter {entrance} /usr/bin/python3 \"$@\"\n");
        fs::write(&python, enter).unwrap();
        fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
        let host = format!("        {name}.example.org:\n");
        assert!(self.inventory.contains(&host), "{name}");
        let variables = [("connection", "local"), ("python_interpreter", python.as_str())];
        let variables = variables.map(|(key, value)| format!("          ansible_{key}: {value}\n"));
        self.inventory = self.inventory.replace(&host, &(host.clone() + &variables.concat()));
    }

    /// Runs the playbook as often as it is named, and answers with what is said. Playbooks
    /// of one run share what takes long here: the making of what is sent to machines.
    fn play(&self, options: &[&str], times: usize) -> String {
        fs::write(self.path("inventory.yml"), &self.inventory).unwrap();
        // Said as JSON: else each value is a text.
        let here = serde_json::json!({
            "director_packages": [],
            "director_services": false,
            "director_program": FWMARKCTL,
            "director_notify": NOTIFY,
            "director_check_timeout": 60,
            "real_server_services": false,
            "real_server_program": FWMARKCTL,
        });
        // A virtual environment with ansible-core.
        let ansible = std::env::var("FWMARKCTL_ANSIBLE").expect("that of tests/ansible/tools");
        let program = format!("{ansible}/bin/ansible-playbook");
        let machine = self.lab.client().namespace();
        let play = machine.command(&program).args(["-i", &self.path("inventory.yml")]);
        play.args(["-e", &here.to_string()])
            .args(options)
            .args(iter::repeat_n("fwmarkctl.lvs.cluster", times))
            .env("ANSIBLE_COLLECTIONS_PATH", &self.path(""))
            .env("ANSIBLE_HOME", &self.path("home"))
            .env("ANSIBLE_PIPELINING", "1")
            .env("LC_ALL", "C.UTF-8")
            .ok()
    }
}

/// Who changed something, as Ansible says it task by task.
fn changes(told: &str) -> usize {
    told.lines().filter(|line| line.starts_with("changed: [")).count()
}

/// From machines without a configuration to a cluster of which one director is enough.
#[test]
#[ignore = "make cluster runs it, which has Ansible"]
fn a_playbook_makes_a_cluster_and_one_director_is_enough() {
    let lab = Lab::bare(&[Kind::Dr, Kind::Dr]);
    lab.serve_tcp(&[80, 443]);
    let client = lab.client().patience(Duration::from_secs(20));
    let (first, second) = (lab.director(), &lab.second_director());
    first.ip("addr del 172.18.100.7/32 dev front\naddr del 2001:db8:18:100::7/128 dev front");
    let mut controller = Controller::new(&lab);
    let servers = lab.real_servers();
    for (name, machine) in [
        ("director1", first.namespace()),
        ("director2", second.namespace()),
        ("web1", servers[0].namespace()),
        ("web2", servers[1].namespace()),
    ] {
        controller.manages(name, machine);
    }
    let look = ["--check", "--diff", "--limit", "director1.example.org,web1.example.org"];

    // Configuration and VIPs of the real server; configuration and keepalived's of the director.
    let before = first.dump();
    let told = controller.play(&look, 1);
    assert_eq!(changes(&told), 4, "{told}");
    assert!(told.contains("+real        = [") && told.contains("real-server fwmark"), "{told}");
    assert_eq!(first.dump(), before, "it only looked");
    let files = || fs::exists("/etc/fwmarkctl/fwmarkctl.toml").unwrap();
    assert!(!first.run(files) && !servers[0].namespace().run(files), "it only looked");

    let told = controller.play(&[], 2);
    let (made, again) = told.rsplit_once("PLAY [Real servers").unwrap();
    assert_eq!((changes(made), changes(again)), (8, 0), "a second run changes nothing: {told}");
    let told = controller.play(&look, 1);
    assert_eq!(changes(&told), 0, "{told}");

    let one = Keepalived::start_with(first, "/etc/keepalived/keepalived.conf");
    let has = |director: &Director| vips(director) == 1;
    until(|| format!("the first has the VIP {}", one.log()), || has(first));
    let other = Keepalived::start_with(second, "/etc/keepalived/keepalived.conf");
    other.until_it_says("Entering BACKUP STATE");
    let mut open = talks(client, 0..3, second);
    one.program.signal(Signal::TERM);
    assert_eq!(one.program.wait().code, Some(0));
    until(|| "the second has the VIP", || has(second));
    assert!(has_none(first));
    all_go_on(client, &mut open);
}
