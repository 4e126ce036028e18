//! Edits of files that are applied at once: the file and the kernel change together, or
//! neither does.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::lab::{Director, Marks};
use crate::scene::Fwmarkctl;

const FILE: &str = "/run/groups.toml";

fn web() -> String {
    Marks::in_config(
        "# What we serve.\n[group.web]\nvips  = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nmark  = 10\n\
         real  = [\n  \"172.18.100.11\", # old\n]\n",
    )
}

/// A director with a group in a file, applied.
fn director() -> Director {
    let director = Director::alone();
    director.run(|| fs::write(FILE, web()).unwrap());
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    director
}

fn file(director: &Director) -> String {
    director.run(|| fs::read_to_string(FILE).unwrap())
}

#[test]
fn an_edit_is_applied_and_taken_back_by_the_next() {
    let director = director();
    let before = director.ipvsadm_save();
    let told = director
        .fwmarkctl(&["-c", FILE, "real", "add", "web", "172.18.100.12,weight=2", "--apply"])
        .ok();
    assert!(told.contains("Wrote /run/groups.toml") && told.contains("verified"), "{told}");
    assert!(director.ipvsadm_save().contains("-r 172.18.100.12:0 -g -w 2"));
    let grown = web().replace("# old\n", "# old\n  { address = \"172.18.100.12\", weight = 2 },\n");
    assert_eq!(file(&director), grown);
    director.in_sync(&grown).unwrap();

    let told = director
        .fwmarkctl(&["-c", FILE, "-o", "json", "real", "remove", "web", "172.18.100.12", "--apply"])
        .ok();
    let document: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(document["written"], true);
    assert_eq!(document["apply"]["changes"][0]["action"], "remove", "{document}");
    assert_eq!((file(&director), director.ipvsadm_save()), (web(), before));

    // What is in the file already is applied all the same.
    director.ipvsadm("-e -f 10 -r 172.18.100.11:0 -g -w 7\n");
    let told = director.fwmarkctl(&["-c", FILE, "group", "enable", "web", "--apply"]).ok();
    assert!(told.contains("enabled already") && told.contains("verified"), "{told}");
    director.in_sync(&web()).unwrap();
}

#[test]
fn an_apply_that_fails_leaves_file_and_kernel_as_they_were() {
    let director = director();
    // Somebody's service is on the mark of the group that is added.
    director.ipvsadm("-A -f 25 -s rr\n");
    let before = director.dump();
    let add = |file: &str| {
        director.fwmarkctl(&[
            "-c",
            file,
            "group",
            "add",
            "mail",
            "--vip=172.18.100.8",
            "--port=25",
            "--mark=25",
            "--real=172.18.100.12",
            "--apply",
        ])
    };
    let ended = add(FILE).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("/run/groups.toml is as it was"), "{ended:?}");
    assert_eq!((file(&director), director.dump()), (web(), before.clone()));
    // A file that was not there is not there again.
    let ended = add("/run/new.toml").run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(!director.run(|| fs::exists("/run/new.toml").unwrap()));
    assert_eq!(director.dump(), before);
    // An error of the reader comes before all that.
    let ended =
        director.fwmarkctl(&["-c", FILE, "group", "set", "web", "--port=0", "--apply"]).run();
    assert!(ended.code == Some(2) && ended.stderr.contains("E0204"), "{ended:?}");
    assert_eq!((file(&director), director.dump()), (web(), before));
}

#[test]
fn an_edit_is_not_applied_while_a_trial_waits() {
    let director = director();
    let trial = web().replace("172.18.100.11", "172.18.100.12");
    director.run(|| fs::write(FILE, &trial).unwrap());
    director.fwmarkctl(&["-c", FILE, "apply", "--confirm-within", "1h"]).ok();
    let ended = director.fwmarkctl(&["-c", FILE, "group", "disable", "web", "--apply"]).run();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("waits to be confirmed"), "{ended:?}");
    assert_eq!(file(&director), trial);
    director.fwmarkctl(&["rollback"]).ok();
}

/// A director that has the folder of the system for itself, made anew.
fn director_with_folder() -> Director {
    let director = Director::alone();
    director.run(|| {
        fs::create_dir_all("/etc/fwmarkctl").unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", "/etc/fwmarkctl", "tmpfs", flags, None).unwrap();
    });
    director
}

#[test]
fn a_replacement_that_the_kernel_refuses_leaves_every_file_where_it_was() {
    let director = director_with_folder();
    let group = |name: &str, mark: u32| {
        format!(
            "[group.{name}]\nvips = [\"172.18.100.7\"]\nports = [\"{mark}/tcp\"]\nmark = {mark}\n\
             real = [\"172.18.100.11\"]\n"
        )
    };
    let folder = "/etc/fwmarkctl/groups.d";
    director.run(|| {
        fs::create_dir(folder).unwrap();
        fs::write("/etc/fwmarkctl/fwmarkctl.toml", Marks::in_config(&group("web", 80))).unwrap();
        for (name, mark) in [("mail", 25), ("dns", 53)] {
            fs::write(format!("{folder}/{name}.toml"), group(name, mark)).unwrap();
        }
    });
    // Every file below /etc/fwmarkctl, hidden ones too, with its text.
    let files = || {
        let read = |folder: &str| {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let files = entries.filter(|path| path.is_file());
            let mut files: Vec<_> =
                files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
            files.sort();
            files
        };
        director.run(|| [read("/etc/fwmarkctl"), read(folder)])
    };
    director.fwmarkctl(&["apply"]).ok();
    let (before, state) = (files(), director.dump());
    let replace = |text: &str, options: &[&str]| {
        let program = director.fwmarkctl(&["replace", "--purge", "--apply"]);
        program.args(options).stdin(&Marks::in_config(text)).run()
    };
    // What the kernel lacks, and what is not ours.
    let lacking = group("web", 80).replace("mark = 80", "mark = 80\nscheduler = \"twos\"");
    let ended = replace(&lacking, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("modprobe ip_vs_twos"), "{ended:?}");
    assert_eq!((files(), director.dump()), (before.clone(), state), "{ended:?}");
    director.ipvsadm("-A -f 81 -s rr\n");
    let state = director.dump();
    let ended = replace(&group("web", 81), &["--confirm-within", "1h"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!((files(), director.dump()), (before, state), "{ended:?}");
    let ended = replace(&group("web", 80), &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(files()[1].is_empty(), "those of groups.d are gone: {:?}", files());
}

#[test]
fn a_new_group_gets_a_file_of_its_own_that_goes_with_it() {
    let director = director_with_folder();
    let main = Marks::in_config(
        "[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.12\"]\n",
    );
    director.run(|| fs::write("/etc/fwmarkctl/fwmarkctl.toml", main).unwrap());
    let told = director
        .fwmarkctl(&[
            "group",
            "add",
            "web",
            "--vip",
            "172.18.100.7",
            "--port",
            "80,443",
            "--mark",
            "10",
            "--scheduler",
            "rr",
            "--persistence",
            "pfwmc:300",
            "--real",
            "172.18.100.11",
            "--real",
            "172.18.100.12,weight=2",
            "--apply",
        ])
        .ok();
    assert!(told.contains("--- /dev/null\n"), "{told}");
    let own = "/etc/fwmarkctl/groups.d/web.toml";
    let (mode, folder) = director.run(|| {
        let mode = |path| fs::metadata(path).unwrap().mode() & 0o7777;
        (mode(own), mode("/etc/fwmarkctl/groups.d"))
    });
    assert_eq!((mode, folder), (0o600, 0o700));
    let saved = director.ipvsadm_save();
    assert!(saved.contains("-A -f 10 -s rr -p 300"), "{saved}");
    assert!(saved.contains("-r 172.18.100.12:0 -g -w 2"), "{saved}");
    let told = director.fwmarkctl(&["group", "remove", "web", "--apply"]).ok();
    assert!(told.contains(&format!("Removed {own}.")), "{told}");
    assert!(!director.run(|| fs::exists(own).unwrap()));
    assert!(!director.ipvsadm_save().contains("-A -f 10"));
}
