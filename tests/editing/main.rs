//! `group` and `real` on the command line, without a kernel: what becomes of files, what is
//! said, and what is refused.

mod mending;
#[path = "../validity/mod.rs"]
mod validity;
mod whole;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const WEB: &str = "# The web.\n[group.web]\nvips  = [\"172.18.100.7\"]   # clients\n\
                   ports = [\"80/tcp\", \"443/tcp\"]\nreal  = [\"172.18.100.11\", \"172.18.100.12\"]\n";
const MAIL: &str =
    "[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.11\"]\n";

/// A folder with a file of two groups, and a place for state.
struct Files {
    folder: tempfile::TempDir,
}

/// What a command did.
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(files.path("groups.toml"), format!("{WEB}\n{MAIL}")).expect("writable");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path("groups.toml")).expect("readable")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fwmarkctl"));
        command
            .current_dir(self.folder.path())
            .args(["--state-dir", "state", "--run-dir", "run"])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        command
    }

    /// Runs with the file of two groups.
    fn run(&self, arguments: &[&str]) -> Told {
        self.bare(&[&["-c", "groups.toml"], arguments].concat())
    }

    fn bare(&self, arguments: &[&str]) -> Told {
        let Output { status, stdout, stderr } =
            self.command(arguments).output().expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let told = Told { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
        let words: Vec<_> = arguments.iter().map(|it| (*it).to_owned()).collect();
        validity::check(&words, &told.stdout);
        told
    }

    /// Runs what works, and answers with the file.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let told = self.run(arguments);
        assert_eq!(told.code, Some(0), "{arguments:?}: {}", told.stderr);
        self.text()
    }

    /// Runs what is refused before anything is written, and answers with what it says.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let before = self.text();
        let told = self.run(arguments);
        assert_eq!(told.code, Some(2), "{arguments:?}: {}{}", told.stdout, told.stderr);
        assert_eq!(self.text(), before, "{arguments:?}");
        assert!(!self.path("run").exists(), "{arguments:?}: no lock of the kernel is needed");
        told.stderr
    }

    fn json(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let told = self.run(&[&["-o", "json"], arguments].concat());
        let document = serde_json::from_str(&told.stdout);
        (told.code, document.unwrap_or_else(|error| panic!("{error}: {}", told.stdout)))
    }
}

const ADD: &[&str] = &[
    "group",
    "add",
    "www",
    "--vip",
    "172.18.100.9",
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
];

#[test]
fn a_group_is_added_as_a_person_would_write_it() {
    let files = Files::new();
    let www = "[group.www]\nvips        = [\"172.18.100.9\"]\nports       = [\"80/tcp\", \"443/tcp\"]\n\
               mark        = 10\nscheduler   = \"rr\"\npersistence = { mode = \"pfwmc\", timeout = \"300s\" }\n\
               real        = [\"172.18.100.11\", { address = \"172.18.100.12\", weight = 2 }]\n";
    let told = files.run(ADD);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert_eq!(files.text(), format!("{WEB}\n{MAIL}\n{www}"));
    assert!(told.stdout.contains("+mark        = 10\n"), "{}", told.stdout);
    assert!(told.stdout.contains("Wrote groups.toml.\n`fwmarkctl apply`"), "{}", told.stdout);
    assert_eq!(files.run(&["check"]).code, Some(0));

    let (code, document) = files.json(&["group", "show", "www"]);
    assert_eq!((code, &document["toml"]), (Some(0), &json!(www)));
    assert_eq!(document["group"]["persistence"]["timeout"], 300);
    assert_eq!(document["line"], 12);
}

#[test]
fn all_that_the_format_can_say_can_be_added() {
    let files = Files::new();
    let new = files.path("new.toml");
    let new = new.to_str().expect("text");
    let told = files.bare(&[
        "-c",
        new,
        "group",
        "add",
        "all",
        "--vip",
        "192.0.2.0/28,2001:db8::7",
        "--port",
        "53/udp",
        "--service",
        "https",
        "--scheduler",
        "mh,mh-fallback,port",
        "--one-packet",
        "--persistence",
        "pfwmc:5m,netmask=24,netmask6=64",
        "--forward",
        "tun:gue:6081:csum",
        "--real",
        "10.0.0.1,upper-threshold=200,lower-threshold=100",
        "--real",
        "2001:db8::11,weight=0,forward=tun",
        "--disabled",
    ]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let text = fs::read_to_string(new).expect("written");
    assert_eq!(
        text,
        "[group.all]\n\
         vips        = [\"192.0.2.0/28\", \"2001:db8::7\"]\n\
         ports       = [\"53/udp\"]\n\
         services    = [\"https\"]\n\
         scheduler   = { name = \"mh\", flags = [\"fallback\", \"port\"] }\n\
         one-packet  = true\n\
         persistence = { mode = \"pfwmc\", timeout = \"5m\", netmask = 24, netmask6 = 64 }\n\
         forward     = { type = \"gue\", port = 6081, checksum = \"csum\" }\n\
         real        = [\n    \
         { address = \"10.0.0.1\", upper-threshold = 200, lower-threshold = 100 },\n    \
         { address = \"2001:db8::11\", weight = 0, forward = \"tun\" },\n]\n\
         enabled     = false\n"
    );
    assert_eq!(fs::metadata(new).expect("there").mode() & 0o7777, 0o600);
    let told = files.bare(&[
        "-c",
        new,
        "group",
        "add",
        "ppc",
        "--vip=10.1.0.1",
        "--port=80,443",
        "--persistence=ppc",
        "--mark",
        "80=80,443/tcp=0x1bb",
        "--forward=fullnat",
        "--snat=10.0.0.9",
        "--real=10.0.0.2",
    ]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let text = fs::read_to_string(new).expect("written");
    assert!(
        text.contains("marks       = { \"80/tcp\" = 80, \"443/tcp\" = \"0x1bb\" }\n"),
        "{text}"
    );
    let told = files.bare(&[
        "-c",
        new,
        "group",
        "add",
        "classic",
        "--vip=10.1.0.2",
        "--port=80",
        "--via=address",
        "--forward=nat",
        "--real=10.0.0.3:8080",
    ]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
}

#[test]
fn a_group_that_cannot_be_added_is_refused_with_a_remedy() {
    let files = Files::new();
    let add = |name: &str, more: &[&str]| files.refused(&[&["group", "add", name], more].concat());
    assert!(add("web", &[]).contains("error[E0706]: there is a group 'web' already"));
    assert!(add("../x", &[]).contains("'../x' cannot name a group"));
    assert!(add("new", &["--file", "other.toml"]).contains("error[E0708]"));
    let said = add("new", &["--vip", "172.18.100.9", "--port", "80", "--scheduler", "wrrr"]);
    assert!(said.contains("E0213") && said.contains("did you mean 'wrr'?"), "{said}");
    assert!(said.contains("groups.toml:15:13"), "the file as it would be: {said}");
    assert!(said.contains("no real servers"), "all at once: {said}");
    // What the other groups claim.
    let said = add("new", &["--vip=172.18.100.7", "--port=443", "--real=172.18.100.11"]);
    assert!(said.contains("error[E0401]") && said.contains("web"), "{said}");
    let said = add("new", &["--real", "172.18.100.11,wieght=2"]);
    assert!(said.contains("did you mean 'weight'?"), "{said}");

    let stdin = files.bare(&["-c", "-", "group", "add", "new"]);
    assert_eq!(stdin.code, Some(2));
    assert!(stdin.stderr.contains("E0704"), "{}", stdin.stderr);
    let several = files.bare(&["-c", "groups.toml", "-c", "more.toml", "group", "add", "new"]);
    assert!(
        several.stderr.contains("E0708") && several.stderr.contains("--file"),
        "{}",
        several.stderr
    );
}

#[test]
fn keys_are_set_and_taken_out_and_nothing_else_changes() {
    let files = Files::new();
    let before = files.text();
    let set = files.done(&[
        "group",
        "set",
        "web",
        "--port",
        "80,443,443/udp",
        "--persistence",
        "pfwmc:60",
        "--one-packet",
        "--scheduler",
        "sh,port",
    ]);
    let ports = "ports = [\"80/tcp\", \"443/tcp\"";
    let more = "scheduler = { name = \"sh\", flags = [\"port\"] }\none-packet = true\n\
                persistence = { mode = \"pfwmc\", timeout = \"60s\" }\n";
    assert_eq!(
        set,
        before.replacen(&format!("{ports}]\n"), &format!("{ports}, \"443/udp\"]\n{more}"), 1)
    );
    let unset = ["--unset", "scheduler", "--unset", "one-packet", "--unset", "persistence"];
    let set = files.done(&[&["group", "set", "web", "--port", "80,443"], &unset[..]].concat());
    assert_eq!(set, before);
    let set = files.done(&["group", "set", "web", "--vip", "172.18.100.17", "--one-packet=false"]);
    assert!(set.contains("vips  = [\"172.18.100.17\"]   # clients\n"), "{set}");

    let refused = |more: &[&str]| files.refused(&[&["group", "set", "web"], more].concat());
    assert!(refused(&[]).contains("nothing to set"));
    assert!(refused(&["--unset", "prots"]).contains("did you mean 'ports'?"));
    assert!(refused(&["--unset", "colour"]).contains("the keys of a group are"));
    assert!(refused(&["--unset", "vips"]).contains("error[E0203]"));
    assert!(refused(&["--mark=1", "--unset=mark"]).contains("cannot be set and taken out"));
    assert!(refused(&["--port", "0"]).contains("error[E0204]"));
    assert!(refused(&["--persistence", "pcc"]).contains("error[E0209]"));
    assert!(files.refused(&["group", "set", "wbe", "--port=80"]).contains("error[E0701]"));
    let stdin = files.bare(&["-c", "-", "group", "set", "web", "--port=80"]);
    assert_eq!(stdin.code, Some(2));
}

#[test]
fn a_group_is_disabled_and_enabled_and_it_is_told_when_it_is_so_already() {
    let files = Files::new();
    let before = files.text();
    let disabled = before.replace("172.18.100.12\"]\n", "172.18.100.12\"]\nenabled = false\n");
    assert_eq!(files.done(&["group", "disable", "web"]), disabled);
    let told = files.run(&["group", "disable", "web"]);
    assert_eq!(told.stdout, "Group web is disabled already: nothing to write.\n");
    assert_eq!(files.done(&["group", "enable", "web"]), before);
    let (code, document) = files.json(&["group", "enable", "web"]);
    assert_eq!((code, &document["written"]), (Some(0), &json!(false)));
    assert_eq!(document["changes"], json!([]));
    assert!(files.refused(&["group", "enable", "wbe"]).contains("did you mean 'web'?"));
}

#[test]
fn a_group_is_removed_but_not_the_last_one() {
    let files = Files::new();
    assert_eq!(files.done(&["group", "remove", "web"]), MAIL);
    assert!(files.refused(&["group", "remove", "mail"]).contains("error[E0107]"));
    assert!(files.refused(&["group", "remove", "web"]).contains("error[E0701]"));
}

#[test]
fn real_servers_are_added_changed_and_removed() {
    let files = Files::new();
    let before = files.text();
    let list = "[\"172.18.100.11\", \"172.18.100.12\"]";
    let becomes = |list_after: &str| before.replacen(list, list_after, 1);
    let three =
        "[\"172.18.100.11\", \"172.18.100.12\", { address = \"172.18.100.13\", weight = 2 }]";
    assert_eq!(files.done(&["real", "add", "web", "172.18.100.13,weight=2"]), becomes(three));
    let said = files.refused(&["real", "add", "web", "172.18.100.13"]);
    assert!(said.contains("E0707") && said.contains("real set web 172.18.100.13"), "{said}");
    let set = files.done(&["real", "set", "web", "172.18.100.13", "weight=5", "upper-threshold=9"]);
    assert_eq!(set, becomes(&three.replace("weight = 2", "weight = 5, upper-threshold = 9")));
    let told = files.run(&["real", "set", "web", "172.18.100.13", "weight=5"]);
    assert!(told.stdout.contains("is so already: nothing to write"), "{}", told.stdout);
    let set = files.done(&[
        "real",
        "set",
        "web",
        "172.18.100.13",
        "--unset=weight",
        "--unset=upper-threshold",
    ]);
    assert_eq!(
        set,
        becomes("[\"172.18.100.11\", \"172.18.100.12\", { address = \"172.18.100.13\" }]")
    );
    assert_eq!(files.done(&["real", "remove", "web", "172.18.100.13"]), before);

    assert!(files.refused(&["real", "remove", "web", "172.18.100.21"]).contains("E0702"));
    let both = &["real", "remove", "web", "172.18.100.11", "172.18.100.12"];
    assert!(files.refused(both).contains("E0703"));
    assert!(files.refused(&["real", "set", "web", "172.18.100.12"]).contains("nothing to set"));
    assert!(
        files.refused(&["real", "set", "web", "172.18.100.12", "weight=70000"]).contains("E0308")
    );
    assert!(files.refused(&["real", "set", "web", "172.18.100.12", "wait=7"]).contains("weight"));
    let said = files.refused(&["real", "set", "web", "172.18.100.12", "--unset", "wieght"]);
    assert!(said.contains("did you mean 'weight'?"), "{said}");
    assert!(files.refused(&["real", "add", "web", "2001:db8::1"]).contains("E0304"));
}

/// `port` says which one it is, and can be changed all the same.
#[test]
fn a_port_of_a_real_server_is_changed_with_the_rest() {
    let files = Files::new();
    let nat = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nforward = \"nat\"\n\
               real = [{ address = \"10.0.0.1\", port = 8080 }, { address = \"10.0.0.1\", port = 8081 }]\n";
    fs::write(files.path("groups.toml"), nat).expect("writable");
    let set = files.done(&["real", "set", "web", "10.0.0.1:8080", "port=8082", "weight=2"]);
    assert_eq!(set, nat.replace("port = 8080", "port = 8082, weight = 2"));
    let set = files.done(&["real", "set", "web", "10.0.0.1,port=8082", "--unset=port", "weight=3"]);
    assert_eq!(set, nat.replace("port = 8080", "weight = 3"));
    assert!(files.refused(&["real", "remove", "mail", "10.0.0.1"]).contains("E0701"));
}

#[test]
fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let files = Files::new();
    let before = files.text();
    let told = files.run(&["group", "set", "web", "--scheduler", "rr", "--dry-run"]);
    assert_eq!(
        told.stdout,
        "--- groups.toml\n+++ groups.toml\n@@ -2,6 +2,7 @@\n [group.web]\n \
         vips  = [\"172.18.100.7\"]   # clients\n ports = [\"80/tcp\", \"443/tcp\"]\n\
         +scheduler = \"rr\"\n real  = [\"172.18.100.11\", \"172.18.100.12\"]\n \n [group.mail]\n"
    );
    assert_eq!((told.code, files.text()), (Some(0), before.clone()));
    let told =
        files.run(&["--color=always", "real", "remove", "web", "172.18.100.11", "--dry-run"]);
    assert!(told.stdout.contains("\u{1b}[31m-real  ="), "{}", told.stdout);
    assert!(told.stdout.contains("\u{1b}[32m+real  ="), "{}", told.stdout);
    let (code, document) = files.json(&["group", "remove", "web", "--dry-run"]);
    assert_eq!(
        (code, &document["written"], &document["apply"]),
        (Some(0), &json!(false), &json!(null))
    );
    assert_eq!(
        document["changes"],
        json!([{ "action": "remove", "object": "group", "name": "web" }])
    );
    assert!(document["diff"].as_str().is_some_and(|diff| diff.contains("-[group.web]\n")));
    assert_eq!(files.text(), before);
    let told = files.run(&["group", "remove", "web", "--dry-run", "--confirm-within", "60s"]);
    assert_eq!(told.code, Some(2), "a trial is one of an apply");
}

#[test]
fn an_answer_in_json_says_what_changed_and_where() {
    let files = Files::new();
    let (code, document) =
        files.json(&["group", "set", "web", "--mark", "7", "--vip", "172.18.100.7"]);
    let keys = |document: &Value| {
        document.as_object().expect("a table").keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(code, Some(0));
    assert_eq!(
        keys(&document),
        ["apply", "changes", "command", "created", "diff", "file", "format", "group", "written"]
    );
    assert_eq!((&document["format"], &document["group"]), (&json!(1), &json!("web")));
    assert_eq!(
        (&document["command"], &document["file"]),
        (&json!("group set"), &json!("groups.toml"))
    );
    assert_eq!((&document["written"], &document["created"]), (&json!(true), &json!(false)));
    assert_eq!(document["changes"], json!([{ "action": "add", "object": "key", "name": "mark" }]));
    let (_, document) = files.json(&["group", "set", "web", "--mark", "8"]);
    assert_eq!(
        document["changes"],
        json!([{ "action": "change", "object": "key", "name": "mark" }])
    );
    let (code, document) = files.json(&["group", "set", "web", "--mark", "0"]);
    assert_eq!((code, &document["error"]["errors"][0]["code"]), (Some(2), &json!("E0210")));
}

#[test]
fn owner_mode_and_link_of_a_file_stay() {
    let files = Files::new();
    let file = files.path("groups.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
    let is_root = fs::metadata(&file).expect("there").uid() == 0;
    if is_root {
        std::os::unix::fs::chown(&file, None, Some(1234)).expect("we are root");
    }
    fs::create_dir(files.path("links")).expect("writable");
    symlink("../groups.toml", files.path("links/link.toml")).expect("writable");
    let told = files.bare(&["-c", "links/link.toml", "group", "disable", "mail"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(files.path("links/link.toml").is_symlink());
    assert!(files.text().ends_with("enabled = false\n"));
    let about = fs::metadata(&file).expect("there");
    assert_eq!(about.mode() & 0o7777, 0o640);
    assert!(!is_root || about.gid() == 1234);
    let left: Vec<_> = fs::read_dir(files.folder.path()).expect("there").collect();
    assert_eq!(left.len(), 2, "nothing is left over: {left:?}");
}

#[test]
fn edits_at_the_same_time_lose_nothing() {
    let files = Files::new();
    let all: Vec<_> = (20..60)
        .map(|n| {
            let server = format!("172.18.100.{n}");
            files
                .command(&["-c", "groups.toml", "-q", "real", "add", "web", &server])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    for one in all {
        let ended = one.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    let text = files.text();
    assert!((20..60).all(|n| text.contains(&format!("\"172.18.100.{n}\""))), "{text}");
}

#[test]
fn who_may_not_wait_is_told_that_somebody_edits() {
    let files = Files::new();
    let folder = fs::File::open(files.folder.path()).expect("there");
    folder.lock().expect("free");
    let told = files.run(&["group", "disable", "web", "--no-wait"]);
    assert_eq!(told.code, Some(5), "{}", told.stderr);
    assert!(told.stderr.contains("it edits"), "{}", told.stderr);
}

#[test]
fn groups_are_listed_with_their_places() {
    let files = Files::new();
    files.done(&["group", "disable", "mail"]);
    let told = files.run(&["group", "list"]);
    assert_eq!(
        told.stdout,
        "group  enabled  VIPs          ports            servers  file\n\
         web    yes      172.18.100.7  80/tcp, 443/tcp  2        groups.toml:2\n\
         mail   no       172.18.100.8  25/tcp           1        groups.toml:7\n"
    );
    let (_, document) = files.json(&["group", "list"]);
    assert_eq!(document["groups"][1]["name"], "mail");
    assert_eq!(
        document["groups"][0],
        json!({ "name": "web", "file": "groups.toml", "line": 2, "enabled": true,
                "vips": ["172.18.100.7"], "ports": ["80/tcp", "443/tcp"], "real_servers": 2 })
    );
}

#[test]
fn a_group_is_shown_with_what_nobody_had_to_say() {
    let files = Files::new();
    let told = files.run(&["group", "show", "web"]);
    assert_eq!(
        told.stdout,
        format!(
            "web\n  enabled      yes\n  VIPs         172.18.100.7\n  ports        80/tcp, 443/tcp\n  \
             marks        automatic\n  via          mark\n  scheduler    wlc\n  persistence  none\n  \
             real server  172.18.100.11, weight 1, dr\n  real server  172.18.100.12, weight 1, dr\n\n\
             # groups.toml:2\n{WEB}"
        )
    );
    assert!(files.refused(&["group", "show", "wbe"]).contains("did you mean 'web'?"));
}

#[test]
fn every_help_fits_a_screen() {
    let files = Files::new();
    let groups = ["list", "show", "add", "set", "remove", "enable", "disable"];
    let real = ["add", "set", "remove"];
    let all = groups.map(|name| ("group", name)).into_iter().chain(real.map(|name| ("real", name)));
    for (command, name) in all {
        let told = files.bare(&[command, name, "--help"]);
        let lines = told.stdout.lines().count();
        assert!((5..=40).contains(&lines), "{command} {name}: {lines} lines\n{}", told.stdout);
    }
}
