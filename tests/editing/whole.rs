//! `group put` and `replace`: what a document says, and nothing else.

use std::fs;

use serde_json::json;

use super::{Files, MAIL, WEB};

#[test]
fn a_group_becomes_what_a_document_says_and_then_stays_so() {
    let files = Files::new();
    let document = r#"{"vips": ["172.18.100.7"], "ports": [80], "persistence": null,
        "real": [{"address": "172.18.100.12", "weight": 2}, {"address": "172.18.100.13"}]}"#;
    fs::write(files.path("web.json"), document).expect("writable");
    let (code, told) = files.json(&["group", "put", "web", "web.json"]);
    assert_eq!((code, &told["group"], &told["written"]), (Some(0), &json!("web"), &json!(true)));
    let names = told["changes"].as_array().expect("a list").iter().map(|it| it["name"].clone());
    let wanted = ["ports", "172.18.100.13", "172.18.100.11", "172.18.100.12"];
    assert_eq!(names.collect::<Vec<_>>(), wanted.map(|name| json!(name)));
    let text = WEB.replace(", \"443/tcp\"", "").replace(
        "\"172.18.100.11\", \"172.18.100.12\"",
        "{ address = \"172.18.100.12\", weight = 2 }, \"172.18.100.13\"",
    );
    assert_eq!(files.text(), format!("{text}\n{MAIL}"));
    let (code, told) = files.json(&["group", "put", "web", "web.json"]);
    assert_eq!((code, &told["diff"], &told["changes"]), (Some(0), &json!(""), &json!([])));
}

#[test]
fn a_group_that_is_not_there_is_added_and_one_with_mistakes_is_not_written() {
    let files = Files::new();
    let before = files.text();
    let document = "vips = [\"172.18.100.9\"]\nports = [\"53/udp\"]\nreal = [\"172.18.100.11\"]\n";
    fs::write(files.path("dns.toml"), format!("{document}scheduler = \"wlcx\"\n"))
        .expect("writable");
    assert!(files.refused(&["group", "put", "dns", "dns.toml"]).contains("E0213"));
    fs::write(files.path("dns.toml"), format!("{document}vip = 1\n")).expect("writable");
    let refused = files.refused(&["group", "put", "dns", "dns.toml"]);
    assert!(refused.contains("no key 'vip'") && refused.contains("vips"), "{refused}");
    fs::write(files.path("dns.toml"), "{\"vips\": [").expect("writable");
    assert!(files.refused(&["group", "put", "dns", "dns.toml"]).contains("no JSON"));
    assert_eq!(files.text(), before);
    fs::write(files.path("dns.toml"), document).expect("writable");
    let text = files.done(&["group", "put", "dns", "dns.toml"]);
    assert!(text.starts_with(&before) && text.ends_with("[group.dns]\nvips  = [\"172.18.100.9\"]\nports = [\"53/udp\"]\nreal  = [\"172.18.100.11\"]\n"), "{text}");
}

#[test]
fn a_file_is_replaced_by_toml_as_it_is_and_by_json_where_it_says_something_else() {
    let files = Files::new();
    fs::write(files.path("new.toml"), format!("# mine\n{MAIL}")).expect("writable");
    let (code, told) = files.json(&["replace", "new.toml"]);
    assert_eq!((code, &told["group"]), (Some(0), &json!(null)));
    assert_eq!(told["changes"], json!([{ "action": "remove", "object": "group", "name": "web" }]));
    assert_eq!(files.text(), format!("# mine\n{MAIL}"));

    let mail = json!({ "vips": ["172.18.100.8"], "ports": ["25/tcp"], "real": ["172.18.100.11"] });
    let same = json!({ "group": { "mail": mail } }).to_string();
    fs::write(files.path("new.json"), &same).expect("writable");
    assert_eq!(files.done(&["replace", "new.json"]), format!("# mine\n{MAIL}"), "it says the same");
    fs::write(files.path("new.json"), same.replace("25/tcp", "26/tcp")).expect("writable");
    let text = files.done(&["replace", "new.json"]);
    assert!(!text.contains("mine") && text.contains("26/tcp"), "{text}");

    let before = files.text();
    fs::write(files.path("new.toml"), "[group.web]\nvips = 1\n").expect("writable");
    assert!(files.refused(&["replace", "new.toml"]).contains("error[E"));
    assert_eq!(files.text(), before);
    fs::write(files.path("other.toml"), WEB).expect("writable");
    let told = files.run(&["-c", "other.toml", "replace", "new.json"]);
    assert_eq!(told.code, Some(2), "which of two files is not said");
}
