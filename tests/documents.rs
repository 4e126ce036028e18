//! The pages and their pictures: links lead somewhere, pictures are sound SVG.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod xml;

use clap::Parser;
use clap::error::ErrorKind;
use fwmarkctl::cli::args::Arguments;
use xml::elements;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a folder with an extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut found: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = [files(".", "md"), files("docs", "md"), files("docs/decisions", "md")].concat();
    pages.push("examples/README.md".into());
    pages
}

/// The headings of a page as the targets that its readers' software makes of them.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let mut anchors = BTreeSet::new();
    for line in page.lines() {
        fenced ^= line.starts_with("```");
        let title = line.trim_start_matches('#');
        if fenced || title.len() == line.len() {
            continue;
        }
        let kept = title.trim().to_lowercase();
        let kept =
            kept.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        anchors.insert(kept.collect::<String>().replace(' ', "-"));
    }
    anchors
}

/// The targets of the links and pictures of a page, those in code left out.
fn links(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    let targets = text.flat_map(|text| text.split("](").skip(1));
    targets.filter_map(|rest| rest.split([')', ' ', '\n']).next()).collect()
}

#[test]
fn every_link_of_a_page_leads_somewhere() {
    let mut count = 0;
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().expect("a folder").join(file),
            };
            assert!(target.exists(), "{}: {link} leads nowhere", page.display());
            assert!(
                anchor.is_empty() || anchors(&read(&target)).contains(anchor),
                "{}: {link} is no heading there",
                page.display()
            );
            count += 1;
        }
    }
    assert!(count > 60, "only {count} links were found");
}

/// What stands in a text, beside the blocks that the kernel ring runs.
#[test]
fn commands_within_sentences_are_commands() {
    let mut count = 0;
    for page in pages().into_iter().chain(["rules/README.md".into()]) {
        for command in read(&page).split('`').filter(|span| span.starts_with("fwmarkctl ")) {
            let words = command.split(['|', '>', '…', '[', '\n']).next().unwrap_or_default();
            let parsed =
                Arguments::try_parse_from(words.replace("ADDRESS", "10.0.0.1").split_whitespace());
            let wrong = parsed.err().filter(|error| {
                // The sentence is about the command, and leaves out what it takes.
                !matches!(
                    error.kind(),
                    ErrorKind::MissingRequiredArgument
                        | ErrorKind::DisplayHelp
                        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                )
            });
            assert!(wrong.is_none(), "{}: {command}: {wrong:?}", page.display());
            count += 1;
        }
    }
    assert!(count > 40, "only {count} commands were found");
}

#[test]
fn every_example_is_named_where_the_examples_are_listed() {
    let page = read("examples/README.md");
    let listed: BTreeSet<_> = links(&page).into_iter().map(str::to_owned).collect();
    for example in files("examples", "toml") {
        let name = example.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(listed.contains(&name), "{name} is not in examples/README.md");
        let text = read(&example);
        let told = text.split_once('\n').is_some_and(|(_, rest)| rest.starts_with("# "));
        assert!(told, "{name} does not say what it is for");
    }
}

#[test]
fn each_picture_is_well_formed_and_says_what_it_shows() {
    for (name, shown) in [
        ("dr", &["…:01 → …:11", "→ 172.18.100.7:443", "203.0.113.9:40000"][..]),
        ("nat", &["172.18.100.11:443", "172.18.100.7:443", "default route"]),
        ("tun", &["→ 172.18.100.11", "→ 172.18.100.7:443", "tunl0"]),
        ("fullnat", &["172.18.100.1:40000", "172.18.100.11:443", "203.0.113.9:40000"]),
    ] {
        let picture = read(format!("docs/pictures/{name}.svg"));
        let elements = elements(&picture).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert_eq!(elements[..3], ["svg", "title", "desc"], "{name}");
        assert!(
            picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox="),
            "{name}"
        );
        // Its own light ground, for a page may be dark.
        assert!(
            elements.contains(&"rect".to_owned()) && picture.contains("class=\"card\""),
            "{name}"
        );
        // Nothing from elsewhere: a page shows it as an image, which loads nothing.
        assert_eq!(picture.matches("http").count(), 1, "{name}");
        for part in shown.iter().chain(&["172.18.100.12", ">client<", ">director<"]) {
            assert!(picture.contains(part), "{name} does not show {part}");
        }
        let used = read("docs/forwarding.md");
        assert!(used.contains(&format!("(pictures/{name}.svg)")), "{name} is on no page");
    }
}

#[test]
fn what_is_not_well_formed_is_noticed() {
    for (broken, why) in [
        ("<svg><g></svg>", "closes"),
        ("<svg>", "not closed"),
        ("<svg width=1/>", "no value"),
        ("<svg a=\"1\" a=\"2\"/>", "twice"),
        ("<svg>a & b</svg>", "not escaped"),
        ("<svg>1 > 0</svg>", "out of place"),
        ("text<svg/>", "out of place"),
    ] {
        let error = elements(broken).expect_err(broken);
        assert!(error.contains(why), "{broken}: {error}");
    }
    assert_eq!(elements("<svg a=\"1\"><g/>text</svg>\n"), Ok(vec!["svg".into(), "g".into()]));
}
