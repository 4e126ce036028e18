//! The pictures of `graph`: golden files of three examples in each language, and what makes
//! them sound. `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

mod xml;

fn graph(arguments: &[&str]) -> Output {
    let state = tempfile::tempdir().expect("a folder");
    Command::new(env!("CARGO_BIN_EXE_fwmarkctl"))
        .arg("--state-dir")
        .arg(state.path())
        .args(arguments)
        .output()
        .expect("the program runs")
}

fn picture(arguments: &[&str]) -> String {
    let output = graph(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

const FORMATS: [&str; 3] = ["svg", "mermaid", "dot"];

#[test]
fn pictures_are_as_they_were() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differ = Vec::new();
    for example in ["web", "dual-stack", "ppc", "via-address", "drain"] {
        for format in FORMATS {
            let config = format!("examples/{example}.toml");
            let found = picture(&["-c", &config, "graph", "--format", format]);
            let file = PathBuf::from(format!("tests/graphs/{example}.{format}"));
            if update {
                fs::write(&file, found).expect("writable");
            } else if fs::read_to_string(&file).unwrap_or_default() != found {
                differ.push(file);
            }
        }
    }
    assert!(differ.is_empty(), "{differ:?} differ; UPDATE_GOLDEN=1 shows how");
}

/// Thirty groups, one of them disabled, one with a real server that takes no clients, one
/// with an address of its longest form and many ports.
fn thirty() -> tempfile::NamedTempFile {
    let mut config = String::new();
    for number in 1..=30 {
        config += &format!(
            "[group.g{number}]\nenabled = {}\nvips = [\"192.0.2.{number}\"{}]\n\
             ports = [{}]\npersistence = \"{}\"\nreal = [{{ address = \"10.0.0.{number}\", weight = {} }}, \"10.1.0.1\"{}]\n",
            number != 7,
            if number == 9 { ", \"2001:db8:ffff:ffff:ffff:ffff:ffff:ff00/120\"" } else { "" },
            if number == 11 {
                (1..60).map(|port| format!("\"{port}/udp\"")).collect::<Vec<_>>().join(", ")
            } else {
                "\"80/tcp\", \"443/tcp\"".to_owned()
            },
            if number % 5 == 0 { "ppc" } else { "pfwmc" },
            if number == 3 { 0 } else { number },
            if number == 9 { ", \"2001:db8:1111:2222:3333:4444:5555:6666\"" } else { "" },
        );
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(&file, config).expect("writable");
    file
}

#[test]
fn thirty_groups_are_one_sound_picture() {
    let file = thirty();
    let svg = picture(&["-c", file.path().to_str().expect("text"), "graph"]);
    let elements = xml::elements(&svg).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(elements[..3], ["svg", "title", "desc"]);
    // Nothing from elsewhere, and nothing that runs.
    assert_eq!(svg.matches("http").count(), 1);
    assert!(!elements.contains(&"script".to_owned()) && !svg.contains("@import"));
    assert!(svg.contains("prefers-color-scheme: dark"));
    assert_eq!(svg.matches("class=\"group\"").count(), 30);
    // Not by colour alone.
    assert!(svg.contains("weight 0: no new clients") && svg.contains("g7 (disabled)"));
    assert!(svg.contains("class=\"box real off\"") && svg.contains("class=\"band off\""));
}

/// The value of an attribute.
fn number(tag: &str, name: &str) -> usize {
    let rest = tag.split(&format!(" {name}=\"")).nth(1).unwrap_or_else(|| panic!("{name}: {tag}"));
    rest.split('"').next().and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{tag}"))
}

#[test]
fn no_text_leaves_its_box_and_no_box_another_one() {
    let file = thirty();
    let svg = picture(&["-c", file.path().to_str().expect("text"), "graph"]);
    let (mut boxes, mut texts) = (Vec::new(), 0);
    for line in svg.lines().map(str::trim) {
        if line.starts_with("<rect class=\"box") {
            let [x, y, width, height] =
                ["x", "y", "width", "height"].map(|name| number(line, name));
            boxes.push((x, y, x + width, y + height));
        } else if line.starts_with("<text x=") || line.starts_with("<text class=\"name\"") {
            let said = line.split('>').nth(1).expect("text").split('<').next().expect("an end");
            let (x, y) = (number(line, "x"), number(line, "y"));
            // The widest of the monospaced fonts that browsers have takes 0.602 of its size.
            let end = x + said.chars().count() * 13 * 602 / 1000;
            let &(left, top, right, bottom) = boxes.last().expect("a box before its text");
            assert!(left < x && end < right, "{said} leaves its box: {end} of {right}");
            assert!(top < y && y < bottom, "{said} is above or below its box");
            texts += 1;
        }
    }
    assert!(boxes.len() > 100 && texts > 200, "{} boxes, {texts} texts", boxes.len());
    let (width, height) = (number(&svg, "width"), number(&svg, "height"));
    for (at, one) in boxes.iter().enumerate() {
        assert!(one.2 < width && one.3 < height, "{one:?} is outside");
        for other in &boxes[at + 1..] {
            let apart =
                one.2 <= other.0 || other.2 <= one.0 || one.3 <= other.1 || other.3 <= one.1;
            assert!(apart, "{one:?} is on {other:?}");
        }
    }
}

#[test]
fn a_picture_shows_the_groups_that_were_asked_for() {
    let file = thirty();
    let config = file.path().to_str().expect("text");
    let dot = picture(&["-c", config, "graph", "--format", "dot", "g3", "g7"]);
    assert_eq!(dot.matches("subgraph").count(), 2);
    assert!(dot.contains("\"g7 (disabled)\"") && dot.contains("label=\"0\", style=dashed"));
    let output = graph(&["-c", config, "graph", "g99"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there is no group 'g99'") && said.contains("g1, "), "{said}");
}

#[test]
fn a_group_that_is_disabled_changes_no_mark_of_another() {
    // Two groups with the same name's marks would be one group: the mark that the picture
    // shows is the one that `compile` gives.
    let file = thirty();
    let config = file.path().to_str().expect("text");
    let compiled: serde_json::Value =
        serde_json::from_str(&picture(&["-c", config, "compile"])).expect("JSON");
    let dot = picture(&["-c", config, "graph", "--format", "dot"]);
    for held in compiled["marks"].as_array().expect("marks") {
        let mark = held["mark"].as_u64().expect("a mark");
        assert!(dot.contains(&format!("\"mark {mark:#x}\"")), "{held}");
    }
}
