//! What is in sync stays untouched, and what only looks writes nothing.

use serde_json::json;

use crate::lab::{CLIENT, Lab};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, web_and_mail};

#[test]
fn a_second_apply_writes_nothing_and_says_so() {
    let lab = web_and_mail();
    let mut connection = lab.client().connect(CLIENT, WEB).unwrap();
    let mut other = lab.client().connect(CLIENT, MAIL).unwrap();
    let (generation, before) = (lab.director().commits(), lab.director().dump());
    let counters = lab.director().settled_counters();

    let said = lab.director().apply(WEB_AND_MAIL);
    assert_eq!(said, "In sync: nothing to do (generation 1).\n");
    let (code, document) = lab.director().json(&["apply"], WEB_AND_MAIL);
    assert_eq!(code, 0);
    assert_eq!(
        document,
        json!({
            "format": 1,
            "in_sync": true,
            "changes": [],
            "summary": { "add": 0, "change": 0, "remove": 0 },
            "generation": 1,
        })
    );

    assert_eq!(lab.director().commits(), generation, "nothing was committed");
    assert_eq!(lab.director().dump(), before);
    assert_eq!(lab.director().counters(), counters, "nothing was reset");
    for connection in [&mut connection, &mut other] {
        assert_eq!(connection.ask(), Ok(connection.server.clone()));
    }
}

#[test]
fn another_order_and_another_spelling_are_no_change() {
    let lab = Lab::dr();
    lab.director().apply(WEB_AND_MAIL);
    let generation = lab.director().commits();
    let reworded = r#"
        group.mail = { vips = ["172.18.100.8"], ports = ["25/tcp"], mark = "0x19", scheduler = "rr", real = ["172.18.100.12", "172.18.100.11"] }

        [group.web]
        vips = ["172.18.100.7/32"]
        ports = ["443/tcp", "80/tcp"]
        mark = 10
        forward = "dr"
        scheduler = { name = "rr" }
        persistence = { mode = "pfwmc", timeout = "5m", netmask = 32 }
        real = [{ address = "172.18.100.12", weight = 1 }, "172.18.100.11"]
    "#;
    lab.director().in_sync(reworded).unwrap();
    assert!(lab.director().apply(reworded).starts_with("In sync"));
    assert_eq!(lab.director().commits(), generation);
}

#[test]
fn what_only_looks_writes_nothing() {
    let lab = web_and_mail();
    let other = WEB_AND_MAIL.replace(r#""rr""#, r#""wlc""#).replace("443", "444");
    let (generation, before) = (lab.director().commits(), lab.director().dump());
    assert!(before.iter().all(|half| !half.is_empty()), "{before:?}");
    for (args, expected) in [
        (&["check"] as &[&str], 0),
        (&["compile", "--format", "nft"], 0),
        (&["plan"], 0),
        (&["plan", "--detailed-exitcode"], 3),
        (&["status"], 0),
        (&["status", "--check"], 3),
        (&["stats"], 0),
        (&["connections"], 0),
        (&[], 0),
    ] {
        let ended = lab.director().with(args, &other).run();
        assert_eq!(ended.code, Some(expected), "{args:?}: {ended:?}");
    }
    assert_eq!(lab.director().commits(), generation);
    assert_eq!(lab.director().dump(), before);
}
