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

/// The folder of the system, made anew for this director alone.
#[test]
fn a_new_group_gets_a_file_of_its_own_that_goes_with_it() {
    let director = Director::alone();
    director.run(|| {
        fs::create_dir_all("/etc/fwmarkctl").unwrap();
        let flags = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", "/etc/fwmarkctl", "tmpfs", flags, None).unwrap();
    });
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
