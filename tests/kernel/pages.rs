//! The pages tell the truth: each command line of README.md, docs/ and examples/ runs as
//! its reader would run it, and prints what the page says.

mod reading;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, mount};
use rustix::process::Signal;

use self::reading::{Block, Step, blocks, difference};
use crate::lab::{CLIENT, Director, Kind, Lab, Namespace, Program, client_v4};
use crate::scene::until;

const PAGES: [&str; 20] = [
    "README.md",
    "docs/ansible.md",
    "docs/architecture.md",
    "docs/choosing.md",
    "docs/config.md",
    "docs/doctor.md",
    "docs/errors.md",
    "docs/forwarding.md",
    "docs/guarantees.md",
    "docs/guide.md",
    "docs/ha.md",
    "docs/import.md",
    "docs/install.md",
    "docs/json.md",
    "docs/known-issues.md",
    "docs/neighbours.md",
    "docs/performance.md",
    "docs/persistence.md",
    "docs/schedulers.md",
    "docs/upgrade.md",
];

/// What is not ours to run here, by how it begins, and why.
const NOT_HERE: [(&str, &str); 12] = [
    ("ansible-", "tests/ansible builds the collection, and plays it against a director"),
    ("make ", "this test is a part of it"),
    ("ip address add 172.18.100.7/32 dev eth0", "a device of the reader; the lab has others"),
    ("modprobe ", "the lab's kernel has it loaded"),
    ("kill ", "take_over_keepalived does it to a keepalived that runs"),
    ("nft delete table ip keepalived_ipvs", "take_over_keepalived does it"),
    ("systemctl ", "tests/packages has a service manager; the lab has none"),
    ("apt-get ", "tests/packages does it by dpkg"),
    ("dnf ", "tests/packages does it by rpm"),
    ("install ", "a folder of the whole machine; tests/packages has the packages do it"),
    ("printf '%s\\n' ip_tables", "the kernel of the lab has them loaded"),
    ("ipvsadm -Sn >", "the scene of this block makes these files"),
];

const FILE: &str = "/etc/fwmarkctl/fwmarkctl.toml";

/// Folders that a page writes to or reads from, which here are below /run, of one machine.
const ELSEWHERE: [&str; 6] = [
    "/root/",
    "/etc/bash_completion.d/",
    "/usr/local/share/zsh/site-functions/",
    "/etc/fish/completions/",
    "/etc/keepalived/",
    "/etc/ha.d/",
];

/// A machine on which the commands of a block run.
struct Reader<'a> {
    machine: &'a Namespace,
}

impl<'a> Reader<'a> {
    /// With `fwmarkctl` in its path, folders of its own, and `config` in the usual file.
    fn at(machine: &'a Namespace, config: &str) -> Self {
        machine.run(|| {
            // Made for what is mounted on it, and empty outside of this machine.
            fs::create_dir_all("/etc/fwmarkctl").unwrap();
            mount("lab", "/etc/fwmarkctl", "tmpfs", MountFlags::empty(), None).unwrap();
            fs::create_dir_all("/run/bin").unwrap();
            symlink(Director::program(), "/run/bin/fwmarkctl").unwrap();
            fs::create_dir_all("/run/here").unwrap();
            for folder in ELSEWHERE {
                fs::create_dir_all(moved(folder)).unwrap();
            }
        });
        let reader = Self { machine };
        reader.write(FILE, config);
        reader
    }

    fn write(&self, path: &str, text: &str) {
        let path = moved(path);
        self.machine.run(|| fs::write(&path, text).unwrap());
    }

    /// A shell that runs a command line.
    fn shell(&self, command: &str) -> Program<'a> {
        let line = format!("cd {} && {{ {}\n}} 2>&1", folder(command), moved(command));
        let shell = self.machine.command("sh").args(["-c", &line]).env("LC_ALL", "C.UTF-8");
        shell.env("PATH", "/run/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    }

    /// What a command line prints, and how it ends.
    fn run(&self, command: &str) -> (i32, String) {
        let ended = self.shell(command).run();
        (ended.code.unwrap(), ended.stdout)
    }
}

/// The shipped examples are found from the top of the sources.
fn folder(command: &str) -> &'static str {
    if command.contains("examples/") { env!("CARGO_MANIFEST_DIR") } else { "/run/here" }
}

fn moved(text: &str) -> String {
    ELSEWHERE.iter().fold(text.to_owned(), |text, folder| {
        text.replace(folder, &format!("/run/elsewhere{folder}"))
    })
}

/// The steps of a block that are to be run.
fn ours(block: &Block) -> Vec<&Step> {
    let is_here = |step: &&Step| !NOT_HERE.iter().any(|(not, _)| step.command.starts_with(not));
    block.steps.iter().filter(is_here).collect()
}

/// The block of `page` whose first command begins so.
fn block(page: &str, first: &str) -> Block {
    let mut found = blocks(page);
    let place = found
        .iter()
        .position(|block| ours(block).first().is_some_and(|step| step.command.starts_with(first)));
    found.swap_remove(place.unwrap_or_else(|| panic!("{page} has no block that begins {first}")))
}

/// Runs the block, and compares what the page shows. Where its numbers are counts, other
/// numbers will do, and it is asked again until all has been counted.
fn tell(reader: &Reader<'_>, block: &Block, counts: bool, codes: &[i32]) {
    for (number, step) in ours(block).into_iter().enumerate() {
        let expected = codes.get(number).copied().unwrap_or(0);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (code, printed) = reader.run(&step.command);
            let told = format!("{}: {}: exit {code}\n{printed}", block.place, step.command);
            assert_eq!(code, expected, "{told}");
            if step.shown.is_empty() {
                break;
            }
            match difference(&step.shown, &printed, counts) {
                None => break,
                Some(difference) if !counts || Instant::now() > deadline => {
                    panic!("{told}\n{difference}")
                }
                Some(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

/// The director of the guide: its group is applied.
fn applied<'a>(lab: &'a Lab, config: &str) -> Reader<'a> {
    let reader = Reader::at(lab.director().namespace(), config);
    let (code, printed) = reader.run("fwmarkctl apply");
    assert_eq!(code, 0, "{printed}");
    reader
}

fn lab() -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[80, 443]);
    lab
}

/// The group that the guide writes in its fourth section.
fn guide() -> String {
    block("docs/guide.md", "fwmarkctl check").config
}

/// Whoever writes another command line gives it a scene here, or says why it has none.
#[test]
fn every_command_line_of_the_pages_has_its_scene() {
    let scenes = include_str!("pages.rs");
    let mut told = 0;
    for page in PAGES.into_iter().chain(["examples/README.md"]) {
        for block in blocks(page) {
            let Some(first) = ours(&block).first().map(|step| step.command.clone()) else {
                continue;
            };
            told += ours(&block).len();
            let has_scene = page == "docs/errors.md"
                || scenes.lines().any(|line| {
                    let named = line.split_once(&format!("block(\"{page}\", \""));
                    let named = named.and_then(|(_, rest)| rest.split_once('"'));
                    named.is_some_and(|(named, _)| first.starts_with(named))
                });
            assert!(has_scene, "{}: no scene runs {first:?}", block.place);
        }
    }
    assert!(told > 50, "only {told} command lines were found");
    let listed: BTreeSet<_> =
        PAGES.into_iter().filter_map(|page| page.strip_prefix("docs/")).collect();
    let folder = fs::read_dir(format!("{}/docs", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for name in folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
        // What a test writes has no commands of its own.
        let is_page = std::path::Path::new(&name).extension().is_some_and(|it| it == "md");
        let is_page = is_page && name != "matrix.md";
        assert!(!is_page || listed.contains(name.as_str()), "docs/{name} is not among the pages");
    }
}

#[test]
fn the_readme_plans_and_applies() {
    let director = Director::alone();
    let block = block("README.md", "fwmarkctl plan");
    tell(&Reader::at(director.namespace(), &block.config), &block, false, &[]);
}

#[test]
fn the_guide_prepares_a_real_server() {
    let lab = Lab::bare(&[Kind::Dr]);
    let block = block("docs/guide.md", "fwmarkctl realserver");
    tell(&Reader::at(lab.real_servers()[0].namespace(), &guide()), &block, false, &[]);
}

#[test]
fn the_guide_checks_and_applies() {
    let director = Director::alone();
    let block = block("docs/guide.md", "fwmarkctl check");
    tell(&Reader::at(director.namespace(), &block.config), &block, false, &[]);
}

#[test]
fn the_guide_shows_the_status() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    let _open: Vec<_> = (0..3)
        .map(|client| lab.client().connect(client_v4(client).as_str(), "172.18.100.7:443").unwrap())
        .collect();
    reader.run(
        "ipvsadm -Sn | sed -n '/-r 172.18.100.12/s/^-a/-e/p' | sed 's/-w .*/-w 0/' | ipvsadm -R",
    );
    tell(&reader, &block("docs/guide.md", "fwmarkctl status"), true, &[]);
}

#[test]
fn the_guide_asks_the_doctor() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    lab.director().nft(
        "table inet filter { chain input { type filter hook input priority 0; policy drop;\n\
         tcp dport 80 accept; }; }",
    );
    tell(&reader, &block("docs/guide.md", "fwmarkctl doctor"), false, &[3]);
}

/// Groups with so many real servers each.
fn groups(servers: &[usize]) -> String {
    let group = |(number, servers): (usize, &usize)| {
        let real: Vec<_> = (0..*servers).map(|server| format!("\"172.18.2.{server}\"")).collect();
        let real = real.join(", ");
        format!(
            "[group.g{number}]\nvips = [\"172.18.1.{number}\"]\nports = [80]\nreal = [{real}]\n"
        )
    };
    servers.iter().enumerate().map(group).collect()
}

#[test]
fn the_guide_is_asked_before_much_goes() {
    let director = Director::alone();
    let reader = Reader::at(director.namespace(), &groups(&[2, 4, 4, 4]));
    assert_eq!(reader.run("fwmarkctl apply").0, 0);
    reader.write("/run/here/other.toml", &groups(&[2]));
    let mut block = block("docs/guide.md", "fwmarkctl -c other.toml apply");
    let on_a_terminal = block.steps.remove(0);
    tell(&reader, &block, false, &[2]);
    let shell = reader.shell(&on_a_terminal.command).env("NO_COLOR", "1");
    let (asked, mut terminal) = shell.spawn_on_terminal();
    for line in &on_a_terminal.shown[1..] {
        terminal.wait_for(line);
    }
    terminal.type_in("n\n");
    assert_eq!(asked.wait().code, Some(2));
}

#[test]
fn the_guide_lets_commands_edit_the_file() {
    let lab = lab();
    let reader = Reader::at(lab.director().namespace(), "# our groups\n");
    tell(&reader, &block("docs/guide.md", "fwmarkctl group add"), false, &[]);
    let lab = self::lab();
    let reader = Reader::at(lab.director().namespace(), &guide());
    tell(&reader, &block("docs/guide.md", "fwmarkctl real drain"), false, &[]);
    tell(&reader, &block("docs/guide.md", "echo '{"), false, &[]);
}

#[test]
fn the_guide_tries_and_goes_back() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    reader.write(FILE, &guide().replace("weight  = 2", "weight  = 3"));
    assert_eq!(reader.run("fwmarkctl apply").0, 0);
    reader.write(FILE, &guide().replace("\"wlc\"", "\"rr\""));
    tell(&reader, &block("docs/guide.md", "fwmarkctl apply --confirm-within"), false, &[]);
    tell(&reader, &block("docs/guide.md", "fwmarkctl history"), true, &[]);
}

#[test]
fn the_guide_explains_a_packet() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    // To the server with the greater weight; which then gets none.
    let server = lab.client().tcp(CLIENT, "172.18.100.7:443").unwrap();
    assert_eq!(server, "rs2");
    reader.run(
        "ipvsadm -Sn | sed -n '/-r 172.18.100.12/s/^-a/-e/p' | sed 's/-w .*/-w 0/' | ipvsadm -R",
    );
    tell(&reader, &block("docs/guide.md", "fwmarkctl explain"), true, &[]);
}

#[test]
fn the_guide_watches() {
    let lab = lab();
    let block = block("docs/guide.md", "fwmarkctl watch");
    let readme = blocks("README.md").swap_remove(1).config;
    let reader = Reader::at(lab.director().namespace(), &readme);
    let log = "/run/here/log";
    let running = reader.shell(&format!("exec {} >{log} 2>&1", block.steps[0].command)).spawn();
    let said = || reader.machine.run(|| fs::read_to_string(log).unwrap_or_default());
    until("it watches", || said().contains("watching generation 1"));
    lab.director().nft("flush map inet fwmarkctl exact4");
    until("it repairs", || said().contains("repaired") && said().ends_with('\n'));
    running.signal(Signal::TERM);
    assert_eq!(running.wait().code, Some(0));
    let said = said();
    if let Some(difference) = difference(&block.steps[0].shown, &said, true) {
        panic!("{}: {difference}\nof\n{said}", block.place);
    }
}

#[test]
fn the_guide_counts_and_lists_connections() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    let client = lab.client().connect(CLIENT, "172.18.100.7:80").unwrap();
    tell(&reader, &block("docs/guide.md", "fwmarkctl connections"), true, &[]);
    drop(client);
    tell(&reader, &block("docs/guide.md", "fwmarkctl stats"), true, &[]);
}

#[test]
fn the_guide_exports_draws_and_completes() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    for first in ["fwmarkctl export", "fwmarkctl graph", "fwmarkctl completions"] {
        let block = match first {
            "fwmarkctl export" => block("docs/guide.md", "fwmarkctl export"),
            "fwmarkctl graph" => block("docs/guide.md", "fwmarkctl graph"),
            _ => block("docs/guide.md", "fwmarkctl completions"),
        };
        tell(&reader, &block, false, &[]);
    }
}

#[test]
fn an_upgrade_looks_and_changes_nothing() {
    let lab = lab();
    let reader = applied(&lab, &guide());
    tell(&reader, &block("docs/upgrade.md", "fwmarkctl status --check"), false, &[]);
    tell(&reader, &block("docs/upgrade.md", "fwmarkctl check"), false, &[]);
    tell(&reader, &block("docs/upgrade.md", "fwmarkctl completions"), false, &[]);
}

#[test]
fn a_director_of_ipvsadm_and_iptables_is_imported() {
    let director = Director::alone();
    let reader = Reader::at(director.namespace(), "");
    let made = "ipvsadm -A -f 10 -s rr -p 300; ipvsadm -a -f 10 -r 172.18.100.11 -g\n\
                ipvsadm -A -f 20 -s wlc; ipvsadm -a -f 20 -r 172.18.100.12 -g\n\
                ipvsadm -A -t 172.18.100.9:25 -s rr; ipvsadm -a -t 172.18.100.9:25 -r 172.18.100.12 -g\n\
                iptables -t mangle -A PREROUTING -d 172.18.100.7 -p tcp --dport 80 -j MARK --set-mark 10\n\
                iptables -t mangle -A PREROUTING -d 172.18.100.7 -p tcp --dport 443 -j MARK --set-mark 10\n\
                iptables -t mangle -A PREROUTING -d 172.18.100.8 -p tcp --dport 80 -j MARK --set-mark 20\n\
                iptables -t mangle -A PREROUTING -i eth0 -d 172.18.100.8 -p tcp --dport 443 -j MARK --set-mark 20\n\
                ipvsadm -Sn > ipvs.rules; iptables-save > rules.v4; ip6tables-save > rules.v6";
    assert_eq!(reader.run(made), (0, String::new()));
    tell(&reader, &block("docs/import.md", "fwmarkctl import ipvsadm"), true, &[3]);
}

#[test]
fn keepalived_and_ldirectord_are_imported() {
    let director = Director::alone();
    let reader = Reader::at(director.namespace(), "");
    reader.write(
        "/etc/keepalived/keepalived.conf",
        "virtual_server 172.18.100.7 80 {\n lvs_sched rr\n lvs_method DR\n protocol TCP\n\
         real_server 172.18.100.11 80 {\n weight 1\n }\n}\n",
    );
    reader.write(
        "/etc/ha.d/ldirectord.cf",
        "virtual=172.18.100.8:80\n\treal=172.18.100.12:80 gate\n\tscheduler=rr\n\tprotocol=tcp\n",
    );
    let imported = blocks("docs/import.md");
    let imported = imported.iter().filter(|block| {
        let first = ours(block).first().map(|step| step.command.as_str()).unwrap_or_default();
        first.starts_with("fwmarkctl import keepalived")
            || first.starts_with("fwmarkctl import ldirectord")
    });
    // block("docs/import.md", "fwmarkctl import keepalived") twice, and
    // block("docs/import.md", "fwmarkctl import ldirectord").
    for block in imported {
        tell(&reader, block, false, &[]);
    }
}

#[test]
fn json_goes_to_jq_and_examples_are_checked() {
    let director = Director::alone();
    let reader = Reader::at(director.namespace(), &guide());
    tell(&reader, &block("docs/json.md", "fwmarkctl -o json"), false, &[]);
    tell(&reader, &block("examples/README.md", "fwmarkctl -c examples/"), false, &[]);
}

/// Each command that the page of errors shows ends with that error.
#[test]
fn commands_that_err_err_so() {
    let director = Director::alone();
    let config = guide();
    let reader = Reader::at(director.namespace(), &config);
    let more = config.replace("group.web", "group.mail").replace(".100.7", ".100.8");
    reader.write("/run/here/one.toml", &config.replace("group.web", "group.shop"));
    reader.write("/run/here/two.toml", &more);
    reader.write("/run/here/twelve-groups.toml", &groups(&[1; 12]));
    reader.write("/run/here/only-one-of-twelve-groups.toml", &groups(&[1]));
    assert_eq!(reader.run("fwmarkctl -c twelve-groups.toml apply").0, 0);
    for block in blocks("docs/errors.md") {
        let (code, _) = block.heading.split_once(':').unwrap();
        for step in ours(&block) {
            let (ended, printed) = reader.run(&step.command);
            assert!(
                ended == 2 && printed.contains(&format!("error[{code}]")),
                "{}: {}: {ended}\n{printed}",
                block.place,
                step.command
            );
        }
    }
}
