//! Groups that come and go, and their real servers.

use std::path::PathBuf;

use super::super::*;
use super::{HEAD, OPTIONS, open, read_again, told};
use crate::config::{Instead, Options, Sources, load};
use crate::model::GroupName;

const REAL: &str = "real = [\"172.18.100.11\", \"172.18.100.12\"]\n";
const MAIL: &str =
    "[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\nreal = [\"172.18.100.11\"]\n";

#[track_caller]
fn removed(before: &str, after: &str) {
    let (_folder, mut edit, _) = open(before);
    edit.remove_group().unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(edit.text(), after);
}

#[test]
fn a_group_goes_with_the_comment_right_above_it() {
    let head = "# All of it.\n\n";
    let web = format!("# The web.\n{HEAD}{REAL}# end\n");
    removed(
        &format!("{head}{web}\n\n{MAIL}"),
        &format!("{head}# end\n\n\n{MAIL}").replacen("\n\n#", "\n#", 1),
    );
    removed(&format!("{MAIL}\n{HEAD}{REAL}"), MAIL);
    removed(&format!("\u{feff}{HEAD}{REAL}\n\n{MAIL}"), &format!("\u{feff}{MAIL}"));
    removed(&format!("{HEAD}{REAL}"), "");
    // Parts of it stand apart.
    let tunnel = "[group.web.persistence]\nmode = \"pfwmc\"\n";
    removed(&format!("{HEAD}{REAL}\n{MAIL}\n# p\n{tunnel}"), MAIL);
    // Between braces, and with dots.
    let inner = "vips = [\"172.18.100.7\"], ports = [80], real = [\"172.18.100.11\"]";
    let dotted =
        "mail.vips = [\"172.18.100.8\"]\nmail.ports = [25]\nmail.real = [\"172.18.100.11\"]\n";
    removed(&format!("[group]\nweb = {{ {inner} }}\n{dotted}"), &format!("[group]\n{dotted}"));
    removed(
        &format!(
            "[group]\nweb.vips = [\"172.18.100.7\"]\n{dotted}web.ports = [80]\nweb.real = ['10.0.0.1']\n"
        ),
        &format!("[group]\n{dotted}"),
    );
    removed(&format!("group = {{ web = {{ {inner} }} }}\n"), "group = {  }\n");
}

#[test]
fn the_excerpt_is_the_group_alone() {
    let web = format!("# The web.\n{HEAD}{REAL}");
    let (_folder, edit, _) = open(&format!("# All.\n\n{web}\n{MAIL}"));
    assert_eq!(edit.excerpt(), web);
}

fn servers(list: &[&str]) -> Vec<NewServer> {
    list.iter().map(|text| text.parse().expect("a server")).collect()
}

#[track_caller]
fn grown(before: &str, after: &str) {
    let (_folder, mut edit, group) = open(before);
    let new = servers(&["172.18.100.13", "172.18.100.14,weight=2"]);
    edit.add_real_servers(&new).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(edit.text(), after);
    assert_eq!(read_again(&edit).expect("valid").real_servers.len(), group.real_servers.len() + 2);
}

#[test]
fn a_new_server_is_written_as_the_last_one_is() {
    let new = "\"172.18.100.13\", { address = \"172.18.100.14\", weight = 2 }";
    grown(
        &format!("{HEAD}{REAL}"),
        &format!("{HEAD}real = [\"172.18.100.11\", \"172.18.100.12\", {new}]\n"),
    );
    let lines =
        |end: &str| format!("{HEAD}real = [\n  \"172.18.100.11\", # one\n  \"172.18.100.12\"{end}");
    let more = "  \"172.18.100.13\",\n  { address = \"172.18.100.14\", weight = 2 }";
    grown(&lines(" # two\n]\n"), &lines(&format!(", # two\n{more}\n]\n")));
    grown(&lines(", # two\n]\n"), &lines(&format!(", # two\n{more},\n]\n")));
    grown(&lines("]\n"), &lines(&format!(",\n{more}]\n")));
    let table = |address: &str| format!("[[group.web.real]]\naddress = \"{address}\"\n");
    let one = table("172.18.100.11");
    let two = "[[group.web.real]]\naddress = \"172.18.100.13\"\n";
    let three = "[[group.web.real]]\naddress = \"172.18.100.14\"\nweight  = 2\n";
    grown(&format!("{HEAD}\n{one}\n{MAIL}"), &format!("{HEAD}\n{one}\n{two}\n{three}\n{MAIL}"));
    grown(&format!("{HEAD}{one}{MAIL}"), &format!("{HEAD}{one}{two}{three}{MAIL}"));
    let crlf = format!("{HEAD}\n{one}").replace('\n', "\r\n");
    let wanted = format!("{HEAD}\n{one}\n{two}\n{three}").replace('\n', "\r\n");
    grown(&crlf, &wanted);
    grown(crlf.trim_end(), &wanted);
}

#[test]
fn keys_of_a_server_are_set_and_taken_out_in_each_layout() {
    let change = |before: &str, after: &str| {
        let (_folder, mut edit, group) = open(&format!("{HEAD}{before}"));
        let setting = |text: &str| text.parse::<ServerSetting>().expect("a pair");
        let server = &group.real_servers[0];
        edit.set_of_server(server, &setting("weight=3")).expect("editable");
        edit.set_of_server(server, &setting("forward=tun:gue")).expect("editable");
        assert_eq!(edit.text(), format!("{HEAD}{after}"));
        assert!(edit.unset_of_server(server, "weight").expect("editable"));
        assert!(edit.unset_of_server(server, "forward").expect("editable"));
        assert!(!edit.unset_of_server(server, "forward").expect("nothing to do"));
        assert_eq!(read_again(&edit).expect("valid").real_servers[0], group.real_servers[0]);
    };
    let gue = "weight = 3, forward = { type = \"gue\" }";
    change("real = [\"10.0.0.1\"]\n", &format!("real = [{{ address = \"10.0.0.1\", {gue} }}]\n"));
    change(
        "real = [{ upper-threshold = 9, address = \"10.0.0.1\"}]\n",
        &format!("real = [{{ upper-threshold = 9, address = \"10.0.0.1\", {gue}}}]\n"),
    );
    change(
        "[[group.web.real]]\naddress = \"10.0.0.1\" # a\nupper-threshold = 9\n",
        "[[group.web.real]]\naddress = \"10.0.0.1\" # a\nweight = 3\nforward = { type = \"gue\" }\nupper-threshold = 9\n",
    );
}

#[test]
fn a_server_that_is_there_is_not_added_again() {
    let (_folder, mut edit, _) = open(&format!("{HEAD}{REAL}"));
    let refused = edit.add_real_servers(&servers(&["172.18.100.12,weight=3"])).expect_err("there");
    let (code, sentence, line, help) = told(&refused);
    assert_eq!((code, line), ("E0707", 4));
    assert_eq!(sentence, "group web: 172.18.100.12 is a real server already");
    assert!(help.contains("real set web 172.18.100.12"), "{help}");
}

fn new(files: &Files, name: &str, chosen: Option<&Path>) -> Result<Edit, ConfigErrors> {
    let name: GroupName = name.parse().expect("a name");
    let settings = [
        Setting::real(&servers(&["172.18.100.11", "172.18.100.12,weight=2"])),
        Setting::persistence("pfwmc:300").expect("a word"),
        Setting::mark("10").expect("a number"),
        Setting::ports(&["80".to_owned(), "443".to_owned()]),
        Setting::list("vips", &["172.18.100.7".to_owned()]),
    ];
    Edit::new_group(files, &name, chosen, &settings, 1000)
}

const WEB: &str = "[group.web]\nvips        = [\"172.18.100.7\"]\nports       = [\"80/tcp\", \"443/tcp\"]\nmark        = 10\npersistence = { mode = \"pfwmc\", timeout = \"300s\" }\nreal        = [\"172.18.100.11\", { address = \"172.18.100.12\", weight = 2 }]\n";

#[test]
fn a_new_group_gets_a_file_of_its_own_where_nothing_is_yet() {
    let root = tempfile::tempdir().expect("a folder");
    let files = Files::default_location(root.path());
    let edit = new(&files, "web", None).expect("possible");
    assert_eq!(edit.path(), root.path().join("etc/fwmarkctl/groups.d/web.toml"));
    assert_eq!((edit.text(), edit.before(), edit.exists()), (WEB, "", false));
    // The reader takes it, though neither the file nor its folder are there.
    let read = |edit: &Edit| {
        let instead = Some(Instead { path: edit.path(), text: edit.text(), alone: false });
        load(Sources::default_location(root.path()), &Options { instead, ..OPTIONS })
    };
    assert_eq!(read(&edit).expect("valid").groups.len(), 1);
    let main = root.path().join("etc/fwmarkctl/fwmarkctl.toml");
    let edit = new(&files, "web", Some(&main)).expect("possible");
    assert_eq!((edit.path(), read(&edit).expect("valid").groups.len()), (main.as_path(), 1));

    std::fs::create_dir_all(root.path().join("etc/fwmarkctl/groups.d")).expect("writable");
    std::fs::write(&main, format!("{MAIL}# end")).expect("writable");
    let edit = new(&files, "web", Some(&main)).expect("possible");
    assert_eq!(edit.text(), format!("{MAIL}# end\n\n{WEB}"));
    let other = root.path().join("etc/fwmarkctl/groups.d/other.toml");
    let edit = new(&files, "web", Some(&other)).expect("possible");
    assert_eq!((edit.path(), read(&edit).expect("valid").groups.len()), (other.as_path(), 2));
}

#[test]
fn a_new_group_that_has_no_place_is_refused() {
    let root = tempfile::tempdir().expect("a folder");
    let path = |name: &str| root.path().join(name);
    std::fs::write(path("one.toml"), WEB.replace('\n', "\r\n")).expect("writable");
    std::fs::write(path("two.toml"), MAIL).expect("writable");
    let named = |names: &[&str]| Files::Named(names.iter().map(|name| path(name)).collect());
    let code = |result: Result<Edit, ConfigErrors>| told(&result.expect_err("refused"));

    let (there, sentence, line, _) = code(new(&named(&["two.toml", "one.toml"]), "web", None));
    assert_eq!((there, line), ("E0706", 1));
    assert_eq!(sentence, "there is a group 'web' already");
    let (several, _, _, help) = code(new(&named(&["one.toml", "two.toml"]), "www", None));
    assert!(several == "E0708" && help.contains("--file FILE"), "{help}");
    let (stranger, sentence, ..) =
        code(new(&named(&["one.toml"]), "www", Some(&path("three.toml"))));
    assert!(stranger == "E0708" && sentence.contains("three.toml"), "{sentence}");
    assert_eq!(code(new(&Files::Named(Vec::new()), "www", None)).0, "E0704");
    let files = Files::default_location(root.path());
    for wrong in ["one.toml", "etc/fwmarkctl/groups.d/web.conf", "etc/fwmarkctl/groups.d/.w.toml"] {
        assert_eq!(code(new(&files, "www", Some(&path(wrong)))).0, "E0708", "{wrong}");
    }

    // In the way of the file that it names, as any file does: at its end, with its line ends.
    let chosen: PathBuf = root.path().join("./one.toml");
    let edit = new(&named(&["one.toml", "two.toml"]), "www", Some(&chosen)).expect("possible");
    assert_eq!(edit.path(), path("one.toml"));
    let both = format!("{WEB}\n{}", WEB.replace("web]", "www]")).replace('\n', "\r\n");
    assert_eq!(edit.text(), both);
}
