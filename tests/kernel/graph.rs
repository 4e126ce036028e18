//! `graph --live`: how busy real servers are, as the kernel counts it.

use crate::lab::CLIENT;
use crate::scene::{Fwmarkctl, MAIL, WEB_AND_MAIL, until, web_and_mail};

#[test]
fn a_picture_shows_the_connections_of_each_real_server() {
    let lab = web_and_mail();
    let director = lab.director();
    let graph = |args: &[&str]| {
        let args = [&["graph", "--format", "dot"], args].concat();
        let (code, document) = director.json(&args, WEB_AND_MAIL);
        assert_eq!((code, &document["language"]), (0, &"dot".into()), "{document:#}");
        document["text"].as_str().unwrap().to_owned()
    };
    // Round-robin: one for each of the two, and a third.
    let _open: Vec<_> = (0..3).map(|_| lab.client().connect(CLIENT, MAIL).unwrap()).collect();
    until("all are established", || {
        let text = graph(&["--live", "mail"]);
        text.contains("2 active, 0 inactive: 67 %") && text.contains("1 active, 0 inactive: 33 %")
    });
    assert!(graph(&["--live", "web"]).contains("0 active, 0 inactive: 0 %"));
    // Without being asked it does not look.
    assert!(!graph(&[]).contains("active"));
    // What the kernel does not hold has no connections.
    director.fwmarkctl(&["clear", "--yes"]).ok();
    assert!(graph(&["--live", "mail"]).contains("0 active, 0 inactive: 0 %"));
}
