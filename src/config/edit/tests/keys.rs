//! Keys of a group in each layout that TOML has for them.

use super::super::*;
use super::{HEAD, open, read_again};

fn scheduler() -> Setting {
    Setting::scheduler("rr").expect("a word")
}

fn ports(list: &[&str]) -> Setting {
    Setting::ports(&list.iter().map(|port| (*port).to_owned()).collect::<Vec<_>>())
}

/// What a file becomes by a setting; the reader takes it.
#[track_caller]
fn becomes(before: &str, setting: &Setting, after: &str) {
    let (_folder, mut edit, _) = open(before);
    edit.set(setting).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(edit.text(), after);
    read_again(&edit).expect("valid");
}

#[track_caller]
fn without(before: &str, key: &str, after: &str) {
    let (_folder, mut edit, _) = open(before);
    assert!(edit.unset(key).unwrap_or_else(|why| panic!("{why}")));
    assert_eq!(edit.text(), after);
    read_again(&edit).expect("valid");
    assert!(!edit.unset(key).expect("nothing to do"));
}

const REAL: &str = "real = [\"172.18.100.11\"]\n";

#[test]
fn a_value_is_replaced_and_its_comment_stays() {
    let text = format!("{HEAD}scheduler='wlc' # who\n{REAL}");
    becomes(&text, &scheduler(), &text.replace("'wlc'", "\"rr\""));
    becomes(&text, &Setting::scheduler("wlc").expect("a word"), &text);
    without(&text, "scheduler", &text.replace("scheduler='wlc' # who\n", ""));
}

/// What is not named stays, and what says so already is not written anew.
#[test]
fn a_value_of_parts_is_changed_part_by_part() {
    let table = "[group.web.persistence]\n# why: sessions\nmode = \"pfwmc\"  # by mark\n\
                 netmask = 24    # NAT pools\ntimeout = \"10m\" # agreed\n";
    let text = format!("{HEAD}{REAL}\n{table}");
    let set = |short: &str| Setting::persistence(short).expect("splits");
    becomes(&text, &set("pfwmc:5m"), &text.replace("\"10m\"", "\"5m\""));
    becomes(&text, &set("ppc"), &text.replace("\"pfwmc\"", "\"ppc\""));
    for same in ["pfwmc", "pfwmc:600", "pfwmc:10m,netmask=24"] {
        becomes(&text, &set(same), &text);
    }
    let more = text
        .replace("netmask = 24", "netmask = 16")
        .replace("# agreed\n", "# agreed\nnetmask6 = 64\n");
    let (_folder, mut edit, _) = open(&text);
    edit.set(&set("pfwmc,netmask=16,netmask6=64")).expect("editable");
    assert_eq!(edit.text().lines().count(), more.lines().count(), "{}", edit.text());
    assert!(edit.text().contains("netmask = 16    # NAT pools\n"), "{}", edit.text());

    let braces = format!("{HEAD}persistence = {{ mode = \"pfwmc\" , timeout = \"10m\" }}\n{REAL}");
    becomes(&braces, &set("pfwmc:600"), &braces);
    becomes(&braces, &set("pfwmc:300"), &braces.replace("\"10m\"", "\"300s\""));
    let dotted =
        format!("{HEAD}persistence.mode = \"pfwmc\"\npersistence.timeout = 60 # s\n{REAL}");
    becomes(&dotted, &set("pfwmc:1m"), &dotted);
    becomes(&dotted, &set("pfwmc:5m"), &dotted.replace("= 60", "= \"5m\""));

    let flags = "[group.web.scheduler]\nname = \"mh\" # hash\nflags = [\"fallback\"] # why\n";
    let text = format!("{HEAD}{REAL}\n{flags}");
    let both = Setting::scheduler("mh,fallback,port").expect("splits");
    becomes(&text, &both, &text.replace("[\"fallback\"]", "[\"fallback\", \"port\"]"));
    let mark = format!("{HEAD}mark=\"0x0A\"\n{REAL}");
    becomes(&mark, &Setting::mark("10").expect("a number"), &mark);
}

#[test]
fn a_new_key_stands_where_a_person_would_write_it() {
    let text = format!(
        "# web\n{HEAD}# who serves\n{REAL}\n[group.mail]\nvips=['172.18.100.8']\nports=['25']\n{REAL}"
    );
    let ports = "ports = [\"80/tcp\"]\n";
    becomes(&text, &scheduler(), &text.replacen(ports, &format!("{ports}scheduler = \"rr\"\n"), 1));
    let (head, tail) = text.split_at(text.find("\n[group.mail]").expect("there"));
    becomes(&text, &Setting::switch("enabled", false), &format!("{head}enabled = false\n{tail}"));
    // Before the first that is there: below the header.
    let text = "  [group.web]   # web\n  ports = [80]\n  real = [\"172.18.100.11\"]\n  vips = [\"172.18.100.7\"]\n";
    becomes(text, &scheduler(), &text.replace("[80]\n", "[80]\n  scheduler = \"rr\"\n"));
}

#[test]
fn equals_signs_stay_below_each_other() {
    let text = "[group.web]\nvips      = [\"172.18.100.7\"]\nports     = [80]\nreal      = [\"172.18.100.11\"]\n";
    becomes(text, &scheduler(), &text.replace("[80]\n", "[80]\nscheduler = \"rr\"\n"));
    let longer = Setting::persistence("pcc").expect("a word");
    let (_folder, mut edit, _) = open(text);
    edit.set(&longer).expect("editable");
    assert!(edit.text().contains("\npersistence = \"pcc\"\n"), "{}", edit.text());
    let tight = "[group.web]\nvips=[\"172.18.100.7\"]\nports=[80]\nreal=[\"172.18.100.11\"]\n";
    becomes(tight, &scheduler(), &tight.replace("[80]\n", "[80]\nscheduler=\"rr\"\n"));
}

#[test]
fn line_ends_and_a_byte_order_mark_stay() {
    let text = format!("\u{feff}{HEAD}{REAL}").replace('\n', "\r\n");
    let wanted = text.replace("\r\nreal", "\r\nscheduler = \"rr\"\r\nreal");
    becomes(&text, &scheduler(), &wanted);
    without(&wanted, "scheduler", &text);
    // The last line has no end, and gets one.
    let text = format!("{HEAD}{}", REAL.trim_end());
    becomes(&text, &Setting::switch("enabled", true), &format!("{text}\nenabled = true"));
    without(&format!("{text}\nenabled = true"), "enabled", &format!("{text}\n"));
}

#[test]
fn keys_with_dots_and_tables_in_braces() {
    let text = "\u{feff}group.web.vips = [\"172.18.100.7\"]\ngroup.web.ports = [80]\ngroup.web.real = [\"172.18.100.11\"]\n";
    becomes(text, &scheduler(), &text.replace("[80]\n", "[80]\ngroup.web.scheduler = \"rr\"\n"));
    let text = "[group]\nweb.vips = [\"172.18.100.7\"]\nweb.ports = [80]\nmail.vips = [\"172.18.100.8\"]\nmail.ports = [25]\nmail.real = [\"172.18.100.11\"]\nweb.real = [\"172.18.100.11\"]\n";
    becomes(text, &scheduler(), &text.replace("[80]\n", "[80]\nweb.scheduler = \"rr\"\n"));
    let text = "group = { web = { vips = [\"172.18.100.7\"], ports = [80], real = [\"172.18.100.11\"] } }\n";
    let wanted = text.replace("[80],", "[80], scheduler = \"rr\",");
    becomes(text, &scheduler(), &wanted);
    becomes(&wanted, &Setting::scheduler("wrr").expect("a word"), &wanted.replace("rr", "wrr"));
    without(&wanted, "scheduler", text);
    let text = "[group]\nweb = { real = [\"172.18.100.11\"], vips = [\"172.18.100.7\"], ports = [80] } # one\n";
    let pcc = Setting::persistence("pfwmc").expect("a word");
    becomes(text, &pcc, &text.replace("[80] }", "[80], persistence = \"pfwmc\" }"));
    without(
        "[group]\nweb = { enabled = true, vips = [\"172.18.100.7\"], ports = [80], real = [\"172.18.100.11\"] }\n",
        "enabled",
        "[group]\nweb = { vips = [\"172.18.100.7\"], ports = [80], real = [\"172.18.100.11\"] }\n",
    );
}

#[test]
fn a_table_of_its_own_becomes_a_value_and_goes() {
    let mail =
        "\n[group.mail]\nvips = [\"172.18.100.8\"]\nports = [25]\nreal = [\"172.18.100.11\"]\n";
    let text = format!("{HEAD}{REAL}\n# stay\n[group.web.persistence]\nmode = \"pcc\"\n{mail}")
        .replace("ports = [\"80/tcp\"]\n", "");
    let none = Setting::persistence("none").expect("a word");
    let bare = format!("{HEAD}{REAL}{mail}").replace("ports = [\"80/tcp\"]\n", "ports = [80]\n");
    let (_folder, mut edit, _) = open(&text);
    edit.set(&none).expect("editable");
    edit.set(&ports(&["80"])).expect("editable");
    let wanted = bare.replace(
        "real = [\"172.18.100.11\"]\n\n",
        "persistence = \"none\"\nreal = [\"172.18.100.11\"]\n\n",
    );
    assert_eq!(edit.text(), wanted.replace("[80]", "[\"80/tcp\"]"));
    // The same with keys that have dots.
    let text = format!("{HEAD}persistence.mode = \"pfwmc\"\npersistence.timeout = 60\n{REAL}");
    without(&text, "persistence", &format!("{HEAD}{REAL}"));
    becomes(&text, &none, &format!("{HEAD}persistence = \"none\"\n{REAL}"));
}

#[test]
fn items_of_a_list_that_stay_keep_their_place_and_comments() {
    let list = "ports = [ # all\n  80,          # http\n  \"443/tcp\", # https\n\n  # games\n  \"27015/udp\"\n]\n";
    let text = format!("[group.web]\nvips = [\"172.18.100.7\"]\n{list}{REAL}");
    let wanted = text
        .replace("  \"443/tcp\", # https\n", "")
        .replace("\"27015/udp\"\n", "\"27015/udp\",\n  \"8080/tcp\"\n");
    becomes(&text, &ports(&["8080", "27015/udp", "80/tcp", "8080"]), &wanted);
    becomes(&text, &ports(&["443", "27015/udp", "80"]), &text);
    // Nothing stays: a new list.
    becomes(&text, &ports(&["53/udp"]), &text.replace(list, "ports = [\"53/udp\"]\n"));
    let one_line = format!("{HEAD}{REAL}");
    becomes(
        &one_line,
        &ports(&["80", "443"]),
        &one_line.replace("[\"80/tcp\"]", "[\"80/tcp\", \"443/tcp\"]"),
    );
    let list = |text: &str| Setting::list("services", &[text.to_owned(), "ssh".to_owned()]);
    becomes(
        &format!("{HEAD}services = ['dns',]\n{REAL}"),
        &list("dns"),
        &format!("{HEAD}services = ['dns', \"ssh\",]\n{REAL}"),
    );
}
