//! Changes: one touches what differs, in the order stage, switch, retire, and nothing
//! else: the other group's connections and counters go on.

use serde_json::Value;

use crate::lab::{CLIENT, Director, Failure, Lab, client_v4};
use crate::scene::{Fwmarkctl, MAIL, WEB, WEB_AND_MAIL, servers, service, web_and_mail};

/// Applies a change of the group web while a client talks to mail: mail's connection,
/// counters and service stay as they are. The lab is for what the caller asks then.
fn changes_web_alone(after: &str) -> Lab {
    let lab = web_and_mail();
    let mut talks = [(); 2].map(|()| lab.client().connect(CLIENT, MAIL).unwrap());
    let before = service(&lab.director().settled_counters(), "FWM  25");
    lab.director().apply(after);
    assert_eq!(service(&lab.director().counters(), "FWM  25"), before);
    for talk in &mut talks {
        assert_eq!(talk.ask(), Ok(talk.server.clone()));
    }
    lab.director().in_sync(after).unwrap();
    lab
}

/// [`WEB_AND_MAIL`] with another list of real servers for the web.
fn with_real(list: &str) -> String {
    let old = r#"real = ["172.18.100.11", "172.18.100.12"]"#;
    WEB_AND_MAIL.replacen(old, &format!("real = {list}"), 1)
}

/// Who answers eight new clients of the web.
fn web_servers(lab: &Lab) -> Vec<String> {
    let mut all = servers(8, |number| lab.client().tcp(client_v4(10 + number).as_str(), WEB));
    all.sort();
    all.dedup();
    all
}

#[test]
fn another_weight_keeps_established_connections() {
    let lab = web_and_mail();
    let mut talks =
        [0, 1].map(|client| lab.client().connect(client_v4(client).as_str(), WEB).unwrap());
    let drained = with_real(r#"["172.18.100.11", { address = "172.18.100.12", weight = 0 }]"#);
    lab.director().apply(&drained);
    for talk in &mut talks {
        assert_eq!(talk.ask(), Ok(talk.server.clone()));
    }
    assert_eq!(web_servers(&lab), ["rs1"], "new clients");
    lab.director().in_sync(&drained).unwrap();
}

#[test]
fn a_server_comes_without_disturbing_another_group() {
    let lab = changes_web_alone(&with_real(
        r#"["172.18.100.11", "172.18.100.12", { address = "172.18.100.1", weight = 1 }]"#,
    ));
    lab.serve_tcp_on_director(&[80]);
    assert_eq!(web_servers(&lab), ["director", "rs1", "rs2"]);
}

#[test]
fn a_server_goes_without_disturbing_another_group() {
    let lab = changes_web_alone(&with_real(r#"["172.18.100.12"]"#));
    assert_eq!(web_servers(&lab), ["rs2"]);
}

#[test]
fn a_group_that_is_removed_or_disabled_is_refused_and_the_other_goes_on() {
    let mail = &WEB_AND_MAIL[WEB_AND_MAIL.find("[group.mail]").unwrap()..];
    let disabled = WEB_AND_MAIL.replacen("mark = 10", "mark = 10\nenabled = false", 1);
    for config in [mail, &disabled] {
        let lab = changes_web_alone(config);
        assert_eq!(lab.client().tcp(CLIENT, WEB), Err(Failure::Refused));
        assert!(!lab.director().ipvsadm_save().contains("-f 10 "));
        lab.director().apply(WEB_AND_MAIL);
        assert_eq!(web_servers(&lab), ["rs1", "rs2"], "it comes back");
    }
}

#[test]
fn a_renamed_group_keeps_its_mark_and_its_connections() {
    let lab = web_and_mail();
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    let before = lab.director().settled_counters();
    let renamed = WEB_AND_MAIL.replace("group.web", "group.shop");
    lab.director().apply(&renamed);
    assert_eq!(lab.director().counters(), before, "IPVS does not know names");
    let [rules, _] = lab.director().dump();
    assert!(rules.contains("shop") && !rules.contains("web"), "{rules}");
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Ok(talk.server.clone()), "its affinity");
    lab.director().in_sync(&renamed).unwrap();
}

#[test]
fn an_automatic_mark_stays_when_a_group_is_put_before_it() {
    let lab = web_and_mail();
    let automatic = WEB_AND_MAIL.replace("mark = 10\n", "").replace("mark = 25\n", "");
    let marks = |director: &Director, config: &str| -> Vec<(String, Value)> {
        let (_, document) = director.json(&["compile"], config);
        let marks = document["marks"].as_array().unwrap().iter();
        marks.map(|entry| (entry["group"].to_string(), entry["mark"].clone())).collect()
    };
    lab.director().apply(&automatic);
    let mut talk = lab.client().connect(CLIENT, WEB).unwrap();
    let before = marks(lab.director(), &automatic);
    let more = r#"
        [group.a-new-one]
        vips = ["172.18.100.7"]
        ports = ["8080/tcp"]
        real = ["172.18.100.11"]
    "#;
    let inserted = format!("{more}{automatic}");
    lab.director().apply(&inserted);
    let after = marks(lab.director(), &inserted);
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|mark| after.contains(mark)), "{before:?} {after:?}");
    assert_eq!(talk.ask(), Ok(talk.server.clone()));
    assert_eq!(lab.client().tcp(CLIENT, WEB), Ok(talk.server.clone()), "its affinity");
}

#[test]
fn a_plan_and_its_apply_tell_the_same_changes_in_the_order_of_their_phases() {
    let director = Director::alone();
    director.apply(WEB_AND_MAIL);
    let after = with_real(r#"[{ address = "172.18.100.11", weight = 3 }, "172.18.100.13"]"#)
        .replace("25/tcp", "26/tcp")
        .replace("mark = 25", "mark = 26");
    let (_, plan) = director.json(&["plan"], &after);
    let (code, applied) = director.json(&["apply"], &after);
    assert_eq!((code, &applied["in_sync"]), (0, &Value::Bool(false)));
    assert_eq!(plan["changes"], applied["changes"]);
    assert_eq!((&plan["generation"], &applied["generation"]), (&1.into(), &2.into()));
    assert_eq!(applied["summary"], serde_json::json!({ "add": 5, "change": 1, "remove": 3 }));

    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let told: Vec<_> = applied["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let words = ["phase", "action", "object", "group", "key", "before", "after"];
            words.map(|word| text(&change[word])).join(" | ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "stage | change | real-server | web | fwmark 10 ipv4 172.18.100.11 | dr weight 1 | dr weight 3",
            "stage | add | real-server | web | fwmark 10 ipv4 172.18.100.13 | - | dr weight 1",
            "stage | add | service | mail | fwmark 26 ipv4 | - | rr",
            "stage | add | real-server | mail | fwmark 26 ipv4 172.18.100.11 | - | dr weight 1",
            "stage | add | real-server | mail | fwmark 26 ipv4 172.18.100.12 | - | dr weight 1",
            "switch | add | mark-rule | mail | 172.18.100.8:26/tcp | - | mark 26",
            "switch | remove | mark-rule | mail | 172.18.100.8:25/tcp | mark 25 | -",
            "retire | remove | real-server | web | fwmark 10 ipv4 172.18.100.12 | dr weight 1 | -",
            "retire | remove | service | mail | fwmark 25 ipv4 | rr | -",
        ]
    );
}
