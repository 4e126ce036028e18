//! Every mistake in a configuration, and exactly what the user sees of it.
//!
//! Each `tests/config_errors/NAME.toml`, and each folder `NAME` as a whole (its `etc`
//! as the default location, else its files in order), has what it prints beside it:
//! `NAME.stderr` and `NAME.json`. `UPDATE_GOLDEN=1 cargo test --test config_errors`
//! writes them anew; read each of them then.

mod longer;

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

/// A group with `lines`, on ports and VIPs of its own where these name none.
fn group(lines: &str) -> String {
    let own = lines.split("[group").next().unwrap_or_default();
    let has = |key: &str| own.lines().any(|line| line.starts_with(key));
    let default = |key: &str, value: &str| if has(key) { "" } else { value }.to_owned();
    [
        "[group.web]\n".to_owned(),
        default("vips", "vips = [\"172.18.100.7\"]\n"),
        default("ports", "ports = [\"80/tcp\"]\n"),
        default("real", "real = [\"172.18.100.11\"]\n"),
        lines.to_owned(),
    ]
    .concat()
}

#[track_caller]
fn is_caught(kernel: &str, lines: &str, code: &str) {
    let text = group(lines);
    let errors = config::load(Sources::text(text.as_str()), &OPTIONS)
        .map_or_else(|errors| errors, |_| panic!("{kernel}: nobody says so\n{text}"));
    let codes: Vec<_> = errors.diagnostics.iter().map(|error| error.code.as_str()).collect();
    assert_eq!(codes, [code], "{kernel}\n{errors}");
    for error in &errors.diagnostics {
        assert!(error.help.is_some(), "{kernel}: no remedy\n{errors}");
        assert!(error.labels[0].span().is_some(), "{kernel}: no place\n{errors}");
    }
}

/// Seen on Linux 6.1. Each would run, and do something else than was written.
#[test]
fn what_the_kernel_takes_without_a_word_and_should_not_is_refused() {
    is_caught("mark 0 becomes the service TCP 0.0.0.0:0", "mark = 0", "E0210");
    let netmask = |mask| format!("persistence = {{ mode = \"pfwmc\", netmask = {mask} }}");
    is_caught("a netmask may have holes", &netmask("\"255.0.255.0\""), "E0111");
    is_caught("a netmask of 0 makes all clients one", &netmask("0"), "E0216");
    let timeout = "persistence = { mode = \"pfwmc\", timeout = 17179870 }";
    is_caught("a timeout overflows to 0", timeout, "E0215");
    is_caught("any number is a forwarding method", "forward = \"7\"", "E0116");
    let flags = |flag| format!("scheduler = {{ name = \"mh\", flags = [\"{flag}\"] }}");
    is_caught("unknown flag bits are kept", &flags("flag-4"), "E0214");
    is_caught("the flags of another scheduler are kept", &flags("sh-port"), "E0214");
    is_caught("a service may have the scheduler none", "scheduler = \"none\"", "E0213");
    let real = |fields: &str| format!("real = [{{ address = \"172.18.100.11\", {fields} }}]");
    is_caught("dr ignores a port", &real("port = 8080"), "E0306");
    let tun = real("port = 8080, forward = \"tun\"");
    is_caught("tun ignores a port", &tun, "E0306");
    let nat = real("port = 8080, forward = \"nat\"");
    let several = format!("ports = [\"80/tcp\", \"443/tcp\"]\n{nat}");
    is_caught("every port of a mark goes to the one of the real server", &several, "E0307");
    is_caught("a range of them too", &format!("ports = [\"80-90/tcp\"]\n{nat}"), "E0307");
    is_caught("weights go up to 2147483647", &real("weight = 65536"), "E0308");
    let loopback = "forward = \"nat\"\nreal = [\"127.0.0.1\"]";
    is_caught("what nat would send to loopback is dropped", loopback, "E0302");
    is_caught("0.0.0.0/8 is a real server like others", "real = [\"0.1.2.3\"]", "E0302");
    is_caught("any number is a VIP to nf_tables", "vips = [\"127.0.0.1\"]", "E0201");
}

/// The kernel has a number for each of these, and no word.
#[test]
fn what_the_kernel_refuses_is_refused_before_it_is_asked() {
    let twice = "mark = 10\n[group.mail]\nvips = [\"172.18.100.8\"]\nports = [\"25/tcp\"]\n\
                 mark = 10\nreal = [\"172.18.100.11\"]";
    is_caught("EEXIST: a service twice", twice, "E0402");
    let real = |list: &str| format!("real = [{list}]");
    let both = r#""172.18.100.11", "172.18.100.11""#;
    is_caught("EEXIST: a real server twice", &real(both), "E0303");
    is_caught("ENOENT: an unknown scheduler", "scheduler = \"wrrr\"", "E0213");
    let engine = "persistence = { mode = \"pfwmc\", engine = \"sipp\" }";
    is_caught("ENOENT: an unknown engine", engine, "E0217");
    is_caught("EINVAL: families mixed", &real("\"2001:db8::11\""), "E0304");
    let other = "vips = [\"2001:db8::7\"]\nforward = \"nat\"";
    is_caught("EINVAL: families mixed, the other way", other, "E0304");
    for address in ["224.0.0.1", "255.255.255.255", "0.0.0.0"] {
        is_caught("EINVAL: not unicast", &real(&format!("\"{address}\"")), "E0302");
    }
    for address in ["ff02::1", "fe80::1", "::", "::ffff:172.18.100.11"] {
        let v6 = format!("vips = [\"2001:db8::7\"]\nreal = [\"{address}\"]");
        is_caught("EINVAL: not unicast, or link-local", &v6, "E0302");
    }
    let thresholds = |more| format!("real = [{{ address = \"172.18.100.11\", {more} }}]");
    let crossed = thresholds("upper-threshold = 5, lower-threshold = 6");
    is_caught("ERANGE: the lower threshold above the upper one", &crossed, "E0309");
    let alone = thresholds("lower-threshold = 6");
    is_caught("ERANGE: a lower threshold alone", &alone, "E0309");
    let huge = thresholds("upper-threshold = 2147483648");
    is_caught("EINVAL: a threshold above 2147483647", &huge, "E0309");
    is_caught("ERANGE: a negative weight", &thresholds("weight = -1"), "E0308");
    let overlap = "ports = [\"80-90/tcp\"]\n[group.mail]\nvips = [\"172.18.100.7\"]\n\
                   ports = [\"85-95/tcp\"]\nreal = [\"172.18.100.11\"]";
    is_caught("EEXIST, or the first wins: intervals that overlap", overlap, "E0401");
}

#[test]
fn a_value_of_another_type_always_has_a_remedy() {
    for case in ["wrong-types", "wrong-types-below", "wrong-types-in-lists"] {
        let errors = load(&folder().join(case).with_extension("toml")).expect_err("mistakes");
        for error in &errors.diagnostics {
            assert!(error.help.is_some(), "{error:?}");
        }
    }
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
    #![proptest_config(ProptestConfig::with_cases(longer::cases(600)))]

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
