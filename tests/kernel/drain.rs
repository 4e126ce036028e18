//! Draining a real server: who is there goes on undisturbed, nobody new comes, and it goes
//! when the last one has gone. The file says so at each point.

use std::fs;

use rustix::process::Signal;

use crate::lab::{Connection, Director, Lab, Marks, client_v4, client_v6};
use crate::scene::{Fwmarkctl, WEB, until};

const FILE: &str = "/run/groups.toml";

/// The group web, with a comment and a weight that is worth to be kept.
fn web(more: &str) -> String {
    let config = format!(
        "# What we serve.\n[group.web]\nvips = [\"172.18.100.7\", \"2001:db8:18:100::7\"]\n\
         ports = [\"80/tcp\", \"53/udp\"]\nmark = 10\nscheduler = \"wrr\"\n{more}\
         real = [\n  {{ address = \"172.18.100.11\", weight = 3 }}, # old\n  \"172.18.100.12\",\n  \
         \"2001:db8:18:100::11\",\n  \"2001:db8:18:100::12\",\n]\n"
    );
    Marks::in_config(&config)
}

/// A lab whose director has `config` in a file, applied.
fn lab(config: &str) -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    lab.serve_udp(&[53]);
    write(lab.director(), config);
    lab.director().fwmarkctl(&["-c", FILE, "apply"]).ok();
    lab
}

/// Which wins over what the apply would set while a server has the weight 0.
const RETURN: &str = "[director.sysctl]\nvs.expire_quiescent_template = 0\n";

/// Whether the kernel deals known clients of such a server anew.
fn expires(director: &Director) -> bool {
    director.sysctl_value("net.ipv4.vs.expire_quiescent_template") == "1"
}

fn write(director: &Director, config: &str) {
    director.run(|| fs::write(FILE, config).unwrap());
}

fn file(director: &Director) -> String {
    director.run(|| fs::read_to_string(FILE).unwrap())
}

/// `fwmarkctl real ARGS` that edits the file.
macro_rules! real {
    ($director:expr, $($arg:expr),+) => {
        $director.fwmarkctl(&["-c", FILE, "real", $($arg),+])
    };
}

/// Connections of several clients, until one is at `server`.
fn connected(lab: &Lab, server: &str) -> (usize, Connection) {
    (0..20)
        .map(|client| (client, lab.client().connect(client_v4(client).as_str(), WEB).unwrap()))
        .find(|(_, connection)| connection.server == server)
        .expect("both servers take clients")
}

/// Whether `ipvsadm` shows a real server with the weight 0.
fn is_drained(director: &Director) -> bool {
    director.ipvsadm_save().contains("-r 172.18.100.11:0 -g -w 0")
}

fn until_drained(director: &Director) {
    until("the weight 0", || is_drained(director));
}

const RS1: &str = "172.18.100.11";

#[test]
fn who_is_there_goes_on_and_nobody_new_comes_until_the_last_one_has_gone() {
    let lab = lab(&web(""));
    let director = lab.director();
    let (_, mut talk) = connected(&lab, "rs1");
    let drain = real!(director, "drain", "web", RS1, "--timeout", "5m").spawn();
    until_drained(director);
    assert_eq!(file(director), web("").replace("weight = 3", "weight = 0"), "and nothing else");
    for client in 20..30 {
        assert_eq!(lab.client().tcp(client_v4(client).as_str(), WEB), Ok("rs2".to_owned()));
        assert_eq!(talk.ask(), Ok("rs1".to_owned()), "undisturbed");
    }
    // The others of the machine can work meanwhile, and change nothing about it.
    director.fwmarkctl(&["-c", FILE, "apply", "--no-wait"]).ok();
    drop(talk);
    let ended = drain.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Drained: nobody is left at 172.18.100.11"), "{ended:?}");
    assert!(ended.stderr.contains("1 active connection left"), "{ended:?}");
    assert!(is_drained(director) && !file(director).contains("weight = 3"));
}

#[test]
fn it_is_removed_when_it_is_drained_and_an_interrupted_drain_goes_on() {
    let lab = lab(&web(""));
    let director = lab.director();
    let (_, mut talk) = connected(&lab, "rs1");
    let drain = || real!(director, "drain", "web", RS1, "--remove", "--timeout", "5m");
    for signal in [Signal::INT, Signal::TERM] {
        let interrupted = drain().spawn();
        until_drained(director);
        // It is behind the transaction when others can have the lock.
        until("the waiting", || {
            let free = || director.fwmarkctl(&["recover", "--no-wait"]).run().code == Some(0);
            interrupted.waits() && free()
        });
        interrupted.signal(signal);
        let ended = interrupted.wait();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("run the same command again"), "{ended:?}");
        assert!(is_drained(director) && file(director).contains("weight = 0"), "it stays drained");
        assert_eq!(talk.ask(), Ok("rs1".to_owned()));
    }
    let again = drain().spawn();
    until("the waiting", || again.waits());
    drop(talk);
    let ended = again.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Drained and removed"), "{ended:?}");
    let gone = web("").replace("  { address = \"172.18.100.11\", weight = 3 }, # old\n", "");
    assert_eq!(file(director), gone);
    assert!(!director.ipvsadm_save().contains(RS1));
    director.in_sync(&gone).unwrap();
}

#[test]
fn when_the_time_is_over_nothing_is_dropped_unless_forced() {
    let lab = lab(&web(""));
    let director = lab.director();
    let (_, mut talk) = connected(&lab, "rs1");
    let ended = director
        .fwmarkctl(&["-c", FILE, "-o", "json", "real", "drain", "web", RS1])
        .args(["--timeout", "1s", "--remove"])
        .run();
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &document["end"]), (Some(1), &"timeout".into()), "{ended:?}");
    assert_eq!((&document["left"]["active"], &document["removed"]), (&1.into(), &false.into()));
    assert_eq!(talk.ask(), Ok("rs1".to_owned()));
    assert!(is_drained(director) && file(director).contains("weight = 0"));

    let told = real!(director, "drain", "web", RS1, "--timeout", "1s").run();
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("not drained after 1 s: 1 active connection left"), "{told:?}");

    let forced = real!(director, "drain", "web", RS1, "--timeout", "1s", "--remove", "--force");
    assert!(forced.ok().contains("as --force says"));
    assert!(!director.ipvsadm_save().contains(RS1) && !file(director).contains(RS1));
}

/// Under persistence the weight 0 alone is no drain: the apply sets what makes it one.
#[test]
fn a_known_client_goes_elsewhere_and_is_waited_for_where_it_may_return() {
    let persistent = web("persistence = \"pfwmc\"\n");
    let lab = lab(&(persistent.clone() + RETURN));
    let director = lab.director();
    let (known, talk) = connected(&lab, "rs1");
    drop(talk);
    let source = client_v4(known);
    let told = real!(director, "drain", "web", RS1, "--timeout", "2s").run();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("known client"), "{told:?}");
    assert!(told.stderr.contains("until net.ipv4.vs.expire_quiescent_template is 1"), "{told:?}");
    let mut talk = lab.client().connect(source.as_str(), WEB).unwrap();
    assert_eq!(talk.server, "rs1", "it returns");
    assert!(!expires(director));

    write(director, &persistent.replace("weight = 3", "weight = 0"));
    let drain = real!(director, "drain", "web", RS1, "--timeout", "5m").spawn();
    until("the parameter", || expires(director));
    assert_eq!(lab.client().tcp(source.as_str(), WEB), Ok("rs2".to_owned()), "dealt anew");
    assert_eq!(talk.ask(), Ok("rs1".to_owned()), "what it has goes on");
    drop(talk);
    assert_eq!(drain.wait().code, Some(0));
    real!(director, "restore", "web", RS1).ok();
    assert!(!expires(director), "as it was before");
    director.in_sync(&persistent).unwrap();
}

#[test]
fn on_a_terminal_one_line_shows_how_far_it_is() {
    let lab = lab(&web(""));
    let director = lab.director();
    let (_, talk) = connected(&lab, "rs1");
    let (drain, mut terminal) = real!(director, "drain", "web", RS1).spawn_on_terminal();
    terminal.wait_for("172.18.100.11 of group web: 1 active connection left");
    terminal.wait_for("of 600 s");
    drop(talk);
    terminal.wait_for("Drained: nobody is left");
    assert_eq!(drain.wait().code, Some(0));
}

#[test]
fn udp_and_the_other_family_are_waited_for_too() {
    let lab = lab(&(web("persistence = \"pfwmc\"\n") + RETURN));
    let director = lab.director();
    let at_rs1 = |client: &usize| {
        let (source, vip) = (client_v6(*client), "[2001:db8:18:100::7]:53");
        lab.client().udp(source.as_str(), vip) == Ok("rs1".to_owned())
    };
    assert!((0..10).any(|client| at_rs1(&client)), "both servers take clients");
    let ended = director
        .fwmarkctl(&["-c", FILE, "-o", "json", "real", "drain", "web", "2001:db8:18:100::11"])
        .args(["--timeout", "1s"])
        .run();
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let left = &document["left"];
    assert_eq!((ended.code, &document["end"]), (Some(1), &"timeout".into()), "{document}");
    assert_eq!((&left["active"], &left["other"]), (&0.into(), &1.into()), "{document}");
    assert_eq!(left["known_clients"], 1, "{document}");
}

#[test]
fn a_restored_server_has_its_weight_from_the_history() {
    let director = Director::alone();
    write(&director, &web(""));
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    real!(director, "drain", "web", RS1).ok();
    let told = real!(director, "restore", "web", RS1).ok();
    assert!(told.contains("has the weight 3 again, as in generation 1"), "{told}");
    assert_eq!(file(&director), web(""), "as it was, byte for byte");
    assert!(director.ipvsadm_save().contains("-r 172.18.100.11:0 -g -w 3"));
    let told = real!(director, "restore", "web", RS1).ok();
    assert!(told.contains("was not drained"), "{told}");

    // One that never had another weight.
    let new = web("")
        .replace("  \"172.18.100.12\",\n", "  { address = \"172.18.100.1\", weight = 0 },\n");
    write(&director, &new);
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    let told = real!(director, "restore", "web", "172.18.100.1").ok();
    assert!(told.contains("no saved generation knows another"), "{told}");
    assert_eq!(file(&director), new.replace("weight = 0", "weight = 1"));
}

#[test]
fn a_restore_ends_a_drain_that_waits() {
    let lab = lab(&web(""));
    let director = lab.director();
    let (_, talk) = connected(&lab, "rs1");
    let drain = real!(director, "drain", "web", RS1, "--remove").spawn();
    until_drained(director);
    real!(director, "restore", "web", RS1).ok();
    let ended = drain.wait();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("was given the weight 3"), "{ended:?}");
    assert_eq!(file(director), web(""));
    drop(talk);
}

#[test]
fn an_apply_that_fails_leaves_the_file_as_it_was() {
    let director = Director::alone();
    write(&director, &web(""));
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    // Another group is in the file by now, and somebody's service is on its mark.
    let mail = "[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nmark = 25\nreal = [\"172.18.100.12\"]\n";
    let both = web("") + mail;
    write(&director, &both);
    director.ipvsadm("-A -f 25 -s rr\n");
    let ended = real!(director, "drain", "web", RS1).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(file(&director), both);
    assert!(!is_drained(&director));
}

#[test]
fn the_last_one_that_takes_clients_is_not_drained_unless_forced() {
    let director = Director::alone();
    let config = web("").replace("  \"172.18.100.12\",\n", "");
    write(&director, &config);
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    let before = director.dump();
    let ended = real!(director, "drain", "web", RS1).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("error[E0703]") && ended.stderr.contains("--force"), "{ended:?}");
    assert_eq!((file(&director), director.dump()), (config.clone(), before));
    // With --remove the file would be no configuration any more, forced or not.
    let ended = real!(director, "drain", "web", RS1, "--remove", "--force").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(file(&director), config);
    real!(director, "drain", "web", RS1, "--force").ok();
    assert!(is_drained(&director));
}
