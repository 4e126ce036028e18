//! Clear: all that is ours goes when it was meant, and nothing else.

use crate::lab::{CLIENT, Failure, Lab};
use crate::scene::{Fwmarkctl, WEB, WEB_AND_MAIL, web_and_mail};

#[test]
fn clear_removes_all_that_is_ours() {
    let lab = web_and_mail();
    let (code, document) = lab.director().json(&["clear", "--yes"], "");
    assert_eq!((code, &document["summary"]["remove"]), (0, &5.into()), "{document:#}");
    let (rules, services) = (lab.director().ruleset(), lab.director().ipvsadm_save());
    assert_eq!((rules.as_str(), services.as_str()), ("", ""));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Err(Failure::Refused));

    let again = lab.director().fwmarkctl(&["clear", "--yes"]).ok();
    assert!(again.starts_with("Nothing to remove"), "{again}");
    let status = lab.director().fwmarkctl(&["status"]).ok();
    assert!(status.contains("holds nothing of ours"), "{status}");
}

#[test]
fn clear_that_nobody_confirms_removes_nothing() {
    let lab = web_and_mail();
    let before = lab.director().dump();
    for program in [
        lab.director().fwmarkctl(&["clear"]),
        // Not even an answer will do where there is no terminal to give it on.
        lab.director().fwmarkctl(&["clear"]).stdin("y\n"),
    ] {
        let ended = program.run();
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("clear --yes"), "{}", ended.stderr);
    }
    assert_eq!(lab.director().dump(), before);
    assert!(lab.client().tcp(CLIENT, WEB).is_ok());
}

#[test]
fn what_was_cleared_comes_back_with_the_marks_that_it_had() {
    let lab = Lab::dr();
    let automatic = WEB_AND_MAIL.replace("mark = 10\n", "").replace("mark = 25\n", "");
    lab.director().apply(&automatic);
    let before = lab.director().ipvsadm_save();
    lab.director().fwmarkctl(&["clear", "--yes"]).ok();
    assert_ne!(lab.director().ipvsadm_save(), before);
    lab.director().apply(&automatic);
    assert_eq!(lab.director().ipvsadm_save(), before);
}
