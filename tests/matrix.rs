//! The kernel ring by backend: docs/matrix.md shows what follows from the tests that there
//! are and from `tests/kernel/matrix`, by which `tests/kernel/ring` runs them and counts
//! what ran. `UPDATE_GOLDEN=1` writes the page's tables anew.

use std::fs;
use std::path::Path;

/// In the order of the page.
const BACKENDS: [&str; 5] =
    ["nftables", "iptables-nft", "iptables-nft-sets", "iptables-legacy", "iptables-legacy-sets"];

/// The tables of the page are between these lines.
const MARKERS: [&str; 2] =
    ["<!-- written by tests/matrix.rs -->\n", "<!-- the end of what is written -->"];

/// A line of `tests/kernel/matrix`.
struct Exception {
    path: String,
    backends: Vec<String>,
    why: String,
}

/// A module of the ring, or one within one.
struct Module {
    path: String,
    /// The first sentence of its documentation.
    what: String,
    tests: Vec<String>,
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn exceptions() -> Vec<Exception> {
    let text = read("tests/kernel/matrix");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let exception = |line: &str| {
        let (path, rest) = line.split_once(' ').expect("a path and more");
        let (backends, why) = rest.trim_start().split_once(' ').expect("backends and a reason");
        Exception {
            path: path.to_owned(),
            backends: backends.split(',').map(str::to_owned).collect(),
            why: why.trim().to_owned(),
        }
    };
    lines.map(exception).collect()
}

/// The modules that `main.rs` names, and theirs, with their tests.
fn modules() -> Vec<Module> {
    let mut found = Vec::new();
    for name in submodules(&read("tests/kernel/main.rs")) {
        let text = read(format!("tests/kernel/{name}.rs").replace("/lab.rs", "/lab/mod.rs"));
        for inner in submodules(&text) {
            let path = format!("tests/kernel/{name}/{inner}.rs");
            found.push(module(&format!("{name}::{inner}"), &read(path)));
        }
        found.push(module(&name, &text));
    }
    found.retain(|module| !module.tests.is_empty());
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn submodules(text: &str) -> Vec<String> {
    // These are elsewhere, and have no tests.
    const SHARED: [&str; 5] = ["configs", "loading", "longer", "states", "validity"];
    let names = text.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    names.filter(|name| !SHARED.contains(name)).map(str::to_owned).collect()
}

fn module(path: &str, text: &str) -> Module {
    let comment = text.lines().map_while(|line| line.strip_prefix("//!"));
    let comment = comment.map(str::trim).take_while(|line| !line.is_empty());
    let comment = comment.collect::<Vec<_>>().join(" ");
    let what = comment.split_once(". ").map_or(comment.as_str(), |(first, _)| first);
    let mut tests = Vec::new();
    for (line, next) in text.lines().zip(text.lines().skip(1)) {
        // A measurement is no test of the ring.
        if line == "#[test]" && !next.starts_with("#[ignore") {
            let name = next.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            tests.push(name.unwrap_or_else(|| panic!("{path}: {next}")).to_owned());
        }
    }
    Module { path: path.to_owned(), what: what.trim_end_matches('.').to_owned(), tests }
}

/// Whether a test runs with a backend: the longest path decides.
fn runs(exceptions: &[Exception], test: &str, backend: &str) -> bool {
    let about = |exception: &&Exception| {
        test == exception.path || test.starts_with(&format!("{}::", exception.path))
    };
    let exception = exceptions.iter().filter(about).max_by_key(|exception| exception.path.len());
    exception.is_none_or(|exception| exception.backends.iter().any(|name| name == backend))
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    format!("| {} |\n", cells.into_iter().collect::<Vec<_>>().join(" | "))
}

fn tables(exceptions: &[Exception]) -> String {
    let head = ["tests", "what they show"].map(str::to_owned);
    let names = BACKENDS.map(|name| name.replace("iptables-", "iptables "));
    let mut page = row(head.into_iter().chain(names));
    page += &row(["---"; 2].into_iter().chain(["---:"; 5]).map(str::to_owned));
    let mut sums = [0; 5];
    for module in modules() {
        let counts = BACKENDS.map(|backend| {
            let path = |test: &String| format!("{}::{test}", module.path);
            module.tests.iter().filter(|test| runs(exceptions, &path(test), backend)).count()
        });
        let shown = counts.map(|count| if count == 0 { "–".into() } else { count.to_string() });
        page += &row([format!("`{}`", module.path), module.what].into_iter().chain(shown));
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    let sums = sums.map(|sum| format!("**{sum}**"));
    page += &row(["**all**".to_owned(), String::new()].into_iter().chain(sums));
    page += "\nWhat does not run with each of them:\n\n";
    page += &row(["tests", "run with", "because"].map(str::to_owned));
    page += &row(["---"; 3].map(str::to_owned));
    for Exception { path, backends, why } in exceptions {
        page += &row([format!("`{path}`"), backends.join(", "), why.clone()]);
    }
    page
}

#[test]
fn the_page_shows_what_the_ring_runs() {
    let page = read("docs/matrix.md");
    let (before, rest) = page.split_once(MARKERS[0]).expect("the first marker");
    let (found, after) = rest.split_once(MARKERS[1]).expect("the second marker");
    let wanted = format!("\n{}\n", tables(&exceptions()));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let [begin, end] = MARKERS;
        fs::write("docs/matrix.md", format!("{before}{begin}{wanted}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, wanted, "UPDATE_GOLDEN=1 cargo test --test matrix");
    }
}

#[test]
fn every_exception_is_about_tests_that_there_are_and_says_why() {
    let modules = modules();
    let tests: Vec<_> = modules
        .iter()
        .flat_map(|module| module.tests.iter().map(move |test| format!("{}::{test}", module.path)))
        .collect();
    for Exception { path, backends, why } in exceptions() {
        let is_there = |test: &String| *test == path || test.starts_with(&format!("{path}::"));
        assert!(tests.iter().any(is_there), "{path}: there is no such test");
        let is_known = |name: &String| BACKENDS.contains(&name.as_str());
        assert!(backends.iter().all(is_known), "{path}: {backends:?}");
        assert!(backends.len() < BACKENDS.len(), "{path} is no exception");
        assert!(why.len() > 10, "{path}: why?");
    }
}

/// A test that the page does not count would not be missed.
#[test]
fn a_test_is_found_by_the_line_before_it() {
    for module in modules() {
        let file = format!("tests/kernel/{}.rs", module.path.replace("::", "/"));
        let text = read(file);
        let attributes = text.matches("#[test]").count() - text.matches("#[ignore").count();
        assert_eq!(attributes, module.tests.len(), "{}", module.path);
    }
}
