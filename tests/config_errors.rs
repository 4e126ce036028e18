//! Every mistake in a configuration, and exactly what the user sees of it.
//!
//! Each `tests/config_errors/NAME.toml`, and each folder `NAME` as a whole (its `etc`
//! as the default location, else its files in order), has what it prints beside it:
//! `NAME.stderr` and `NAME.json`. `UPDATE_GOLDEN=1 cargo test --test config_errors`
//! writes them anew; read each of them then.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use fwmarkctl::config::{self, Config, ConfigErrors, Input, Look, Options, Sources};

/// Somebody who is not root, so that the mode of files in a checkout does not matter.
const OPTIONS: Options<'_> =
    Options { effective_uid: 1000, presets: None, extra_schedulers: &[], instead: None };

fn folder() -> PathBuf {
    // Relative, for the golden files show it; cargo runs tests in the package's folder.
    PathBuf::from("tests/config_errors")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// Loads a case: a file, a folder of files, or a folder with `etc/fwmarkctl` in it.
fn load(case: &Path) -> Result<Config, ConfigErrors> {
    let sources = if case.join("etc").is_dir() {
        Sources::default_location(case)
    } else if case.is_dir() {
        Sources::Files(sorted(case).into_iter().map(Input::File).collect())
    } else {
        Sources::file(case)
    };
    let presets = case.join("etc/fwmarkctl/presets");
    let presets = presets.is_dir().then_some(presets.as_path());
    config::load(sources, &Options { presets, ..OPTIONS })
}

fn cases() -> Vec<PathBuf> {
    let is_case = |path: &PathBuf| path.is_dir() || path.extension().is_some_and(|it| it == "toml");
    let cases: Vec<_> = sorted(&folder()).into_iter().filter(is_case).collect();
    assert!(cases.len() > 50, "the cases are gone");
    cases
}

fn compare(path: &Path, seen: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, seen).expect("a golden file can be written");
    } else if fs::read_to_string(path).unwrap_or_default() != seen {
        wrong.push(format!("--- {}\n{seen}", path.display()));
    }
}

#[test]
fn every_mistake_is_shown_as_the_golden_files_show_it() {
    let mut wrong = Vec::new();
    for case in cases() {
        let Err(errors) = load(&case) else { panic!("{} is no mistake", case.display()) };
        let json = serde_json::to_string_pretty(&errors).expect("JSON") + "\n";
        compare(&case.with_extension("stderr"), &errors.render(Look::PLAIN), &mut wrong);
        compare(&case.with_extension("json"), &json, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 accepts this", wrong.join("\n"));
}

/// What people and accidents put into configurations.
const SPLICES: [&str; 28] = [
    "[group.web]\n",
    "[[group.web.real]]\n",
    "[director]\n",
    "vips",
    "ports",
    "= [",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    ",",
    ".",
    "0",
    "-1",
    "99999999999",
    "\n",
    "\r\n",
    "#",
    "é",
    "\u{202e}",
    "\u{1b}",
    "\\u0000",
    "true",
    "1979-05-27",
    "any",
    "/tcp",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_damaged_configuration_gets_an_answer_fit_to_be_shown(
        example in prop::sample::select(vec!["web", "nat", "ppc", "ranges", "tunnel", "dual-stack"]),
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0..30usize, 0..SPLICES.len()), 1..6),
    ) {
        let path = format!("examples/{example}.toml");
        let mut text: Vec<char> = fs::read_to_string(path).expect("an example").chars().collect();
        for (at, removed, splice) in damages {
            let at = at.index(text.len() + 1);
            let end = (at + removed).min(text.len());
            text.splice(at..end, SPLICES[splice].chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = config::load(Sources::text(text.as_str()), &OPTIONS) {
            prop_assert!(!errors.diagnostics.is_empty());
            let shown = errors.render(Look::PLAIN);
            let bad = shown.chars().find(|shown| shown.is_control() && *shown != '\n');
            prop_assert_eq!(bad, None, "{}", shown);
            for label in errors.diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels) {
                let inside = label.span().is_none_or(|span| text.get(span).is_some());
                prop_assert!(inside, "{:?}", label);
            }
        }
    }
}
