//! The direction of imports (docs/architecture.md): a module sees only what is below it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What each module of the library may import of ours.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("model", &[][..]),
        ("netlink", &[][..]),
        ("fail_points", &[][..]),
        ("units", &[][..]),
        ("state", &["model"][..]),
        ("plan", &["model", "state"][..]),
        ("backend", &["model", "state", "plan", "render", "netlink", "fail_points"][..]),
        ("transaction", &["model", "state", "plan", "backend", "fail_points"][..]),
        ("operation", &["model", "state", "plan", "backend", "transaction"][..]),
        ("real_server", &["model", "netlink", "transaction"][..]),
        ("preflight", &["model", "netlink", "state", "render"][..]),
        ("journey", &["model", "state", "backend"][..]),
        ("top", &["model", "state", "backend", "units"][..]),
        ("config", &["model"][..]),
        ("compile", &["model", "state"][..]),
        ("regroup", &["model", "state"][..]),
        ("render", &["model", "state"][..]),
        ("import", &["model", "state", "regroup"][..]),
    ])
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules of ours that a source file names by `crate::`.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    text.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[test]
fn imports_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut checked = 0;
    for file in files {
        let inner = file.strip_prefix(&src).expect("below src");
        let first = inner.components().next().expect("a component").as_os_str();
        let module = Path::new(first).file_stem().expect("a name").to_string_lossy().into_owned();
        let Some(allowed) = allowed().get(module.as_str()).copied() else { continue };
        let text = std::fs::read_to_string(&file).expect("readable");
        for import in imports(&text).filter(|import| *import != module) {
            let module_exists =
                src.join(import).is_dir() || src.join(format!("{import}.rs")).is_file();
            assert!(
                allowed.contains(&import) || !module_exists,
                "{}: {module} must not see {import}",
                inner.display()
            );
        }
        checked += 1;
    }
    assert!(checked > 20, "only {checked} files were found");
}

#[test]
fn every_module_is_named_here() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // The top: free to see everything.
    let free = ["cli", "main", "lib", "error"];
    for entry in std::fs::read_dir(src).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(
            free.contains(&name.as_str()) || allowed().contains_key(name.as_str()),
            "{name} has no place in the house"
        );
    }
}

#[test]
fn unsafe_code_is_in_one_file() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let may = file.ends_with("backend/nftables/map.rs");
        assert!(may || !text.contains("allow(unsafe_code)"), "{}", file.display());
        if may {
            let blocks = text.matches("unsafe {").count() + text.matches("unsafe impl").count();
            let reasons = text.matches("// SAFETY:").count();
            assert!(reasons >= blocks, "{reasons} reasons for {blocks} unsafe blocks");
        }
    }
}
