//! Edits of what is wrong already, and options that mean something else than is asked.

use std::fs;

use super::Files;

/// The port of the group of the web is none.
fn wrong() -> Files {
    let files = Files::new();
    let text = files.text().replace("\"443/tcp\"", "\"443/tpc\"");
    fs::write(files.path("groups.toml"), text).expect("writable");
    files
}

#[test]
fn an_edit_mends_a_file_that_does_not_check() {
    let files = wrong();
    assert_eq!(files.run(&["check"]).code, Some(2));
    let text = files.done(&["group", "set", "web", "--port", "80,443"]);
    assert!(text.contains("ports = [\"80/tcp\", \"443/tcp\"]"), "{text}");
    assert_eq!(files.run(&["check"]).code, Some(0));

    let files = wrong();
    let text = files.done(&["group", "remove", "web"]);
    assert!(!text.contains("web") && text.contains("[group.mail]"), "{text}");
}

#[test]
fn an_edit_that_leaves_a_file_wrong_shows_what_it_would_be() {
    let files = wrong();
    let told = files.refused(&["real", "add", "web", "172.18.100.13"]);
    assert!(told.contains("nothing was written: this is what groups.toml would be"), "{told}");
    assert!(told.contains("443/tpc"), "{told}");
    // Whether another file has the group is known when all can be read.
    let told = files.refused(&["group", "set", "wbe", "--mark", "7"]);
    assert!(told.contains("443/tpc") && !told.contains("nothing was written"), "{told}");
}

#[test]
fn a_mark_takes_the_place_of_marks_and_the_other_way_round() {
    let files = Files::new();
    let text = files.done(&["group", "set", "web", "--persistence", "ppc", "--mark", "80=7,443=8"]);
    assert!(text.contains("marks = { \"80/tcp\" = 7, \"443/tcp\" = 8 }"), "{text}");
    let text = files.done(&["group", "set", "web", "--persistence", "pfwmc", "--mark", "7"]);
    assert!(text.contains("mark = 7") && !text.contains("marks"), "{text}");
}

#[test]
fn not_all_real_servers_of_a_group_are_removed() {
    let files = Files::new();
    let told = files.refused(&["real", "remove", "web", "172.18.100.11", "172.18.100.12"]);
    assert!(told.contains("these are all its real servers"), "{told}");
    let text = files.done(&["real", "remove", "web", "172.18.100.11", "172.18.100.11"]);
    assert!(text.contains("real  = [\"172.18.100.12\"]"), "named twice, it goes once: {text}");
    let told = files.refused(&["real", "remove", "web", "172.18.100.12"]);
    assert!(told.contains("172.18.100.12 is the only real server"), "{told}");
}

#[test]
fn options_of_other_commands_name_these() {
    let files = Files::new();
    for (arguments, remedy) in [
        (&["group", "set", "web", "--real", "172.18.100.13"][..], "fwmarkctl real add"),
        (&["group", "set", "web", "--disabled"], "fwmarkctl group disable"),
        (&["group", "set", "web", "--unset", "vip"], "did you mean 'vips'?"),
        (&["group", "set", "web", "--mark", "-1"], "E0210"),
        (&["real", "set", "web", "172.18.100.11", "--unset", "address"], "remove it, and add"),
        (&["real", "set", "web", "172.18.100.11", "weight=1", "weight=2"], "cannot be set twice"),
        (
            &["real", "set", "web", "172.18.100.11", "weight=1", "--unset", "weight"],
            "cannot be set and taken out at once",
        ),
    ] {
        let told = files.refused(arguments);
        assert!(told.contains(remedy), "{arguments:?}: {told}");
    }
}
