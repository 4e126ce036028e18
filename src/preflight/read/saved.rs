//! Saved rulesets that a boot would load, and whether it would: their text is read, and no
//! program is asked (docs/decisions/0039).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::files::is_enabled;
use super::script::Script;
use crate::preflight::scene::{Refusal, Refused};

/// More than this of a file is not read.
const MOST: u64 = 16 << 20;
/// How many files one loads with `include` at most; nft's own bound is 16 deep.
const MOST_FILES: usize = 256;

/// What each unit loads with nft(8).
const NFT: [(&str, &[&str]); 1] =
    [("nftables.service", &["etc/nftables.conf", "etc/sysconfig/nftables.conf"])];

/// What each unit loads with iptables-restore(8), and where the sets are that are made
/// before: Debian's netfilter-persistent, and iptables-services and ipset-service of others.
const IPTABLES: [(&str, &[&str], &str); 3] = [
    (
        "netfilter-persistent.service",
        &["etc/iptables/rules.v4", "etc/iptables/rules.v6"],
        "etc/iptables/ipsets",
    ),
    ("iptables.service", &["etc/sysconfig/iptables"], "etc/sysconfig/ipset"),
    ("ip6tables.service", &["etc/sysconfig/ip6tables"], "etc/sysconfig/ipset"),
];

/// The saved rulesets that would be refused. What cannot be read is told to `unread`.
pub(super) fn refused(root: &Path, unread: &mut dyn FnMut(&str, String)) -> Vec<Refused> {
    let mut found = Vec::new();
    for (unit, files) in NFT {
        if is_enabled(root, unit) {
            let mut reader = Reader { root, unread, seen: BTreeSet::new() };
            for file in files {
                found.extend(reader.nft(unit, Path::new(file)));
            }
        }
    }
    for (unit, files, sets) in IPTABLES {
        if is_enabled(root, unit) {
            let mut reader = Reader { root, unread, seen: BTreeSet::new() };
            found.extend(files.iter().filter_map(|file| reader.iptables(unit, file, sets)));
        }
    }
    found
}

struct Reader<'a> {
    root: &'a Path,
    unread: &'a mut dyn FnMut(&str, String),
    /// What was read already: a file may include itself.
    seen: BTreeSet<PathBuf>,
}

impl Reader<'_> {
    /// The first thing in a file for nft(8), or in one that it includes.
    fn nft(&mut self, unit: &str, file: &Path) -> Option<Refused> {
        let mut open = vec![file.to_owned()];
        let mut found = None;
        while let Some(file) = open.pop() {
            if self.seen.contains(&file) {
                continue;
            }
            if self.seen.len() >= MOST_FILES {
                let why = format!("more than {MOST_FILES} files are included");
                (self.unread)(&shown(&file), why);
                break;
            }
            self.seen.insert(file.clone());
            let Some(text) = self.text(&file) else { continue };
            let script = Script::read(&text);
            if let (Some(line), None) = (script.former_lookup, &found) {
                let can_be_cut = script.has_plain_table;
                let why = Refusal::FormerKeys { can_be_cut, is_ours_alone: script.is_ours_alone };
                found = Some(Refused { unit: unit.to_owned(), file: shown(&file), line, why });
            }
            let folder = file.parent().unwrap_or(Path::new(""));
            open.extend(script.includes.iter().flat_map(|path| self.included(folder, path)));
        }
        found
    }

    /// The files of an `include`: by their whole path, or in the folder of the file that
    /// includes them or in `/etc` (nft(8)). Only in the last part stars are understood.
    fn included(&self, folder: &Path, path: &str) -> Vec<PathBuf> {
        let bases = match path.strip_prefix('/') {
            Some(path) => vec![PathBuf::from(path)],
            None => vec![folder.join(path), Path::new("etc").join(path)],
        };
        let mut found = Vec::new();
        for base in bases {
            let (Some(folder), Some(pattern)) = (base.parent(), base.file_name()) else { continue };
            let pattern = pattern.to_string_lossy();
            if !pattern.contains('*') {
                found.push(base);
                continue;
            }
            let Ok(entries) = self.root.join(folder).read_dir() else { continue };
            let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
            let mut names: Vec<_> =
                names.filter(|name| is_like(&name.to_string_lossy(), &pattern)).collect();
            names.sort();
            found.extend(names.into_iter().map(|name| folder.join(name)));
        }
        found
    }

    /// The first rule of ours for iptables-restore(8) that looks into a set of ours which
    /// nothing makes before.
    fn iptables(&mut self, unit: &str, file: &str, sets: &str) -> Option<Refused> {
        let text = self.text(Path::new(file))?;
        let mut made = None;
        let (line, set) = (1..).zip(text.lines()).find_map(|(number, line)| {
            let set = set_of(line)?;
            let made = made.get_or_insert_with(|| self.text(Path::new(sets)).unwrap_or_default());
            let create = format!("create {set} ");
            (!made.lines().any(|line| line.starts_with(&create))).then_some((number, set))
        })?;
        let why = Refusal::NoSet { set: set.escape_debug().to_string(), sets: format!("/{sets}") };
        Some(Refused { unit: unit.to_owned(), file: shown(Path::new(file)), line, why })
    }

    /// A file's text, with a mark in place of what is no UTF-8; `None` where there is none.
    fn text(&mut self, file: &Path) -> Option<String> {
        let path = self.root.join(file);
        let read = || -> std::io::Result<Vec<u8>> {
            // A pipe would be waited for.
            if !path.metadata()?.is_file() {
                return Err(std::io::Error::other("it is no regular file"));
            }
            let mut bytes = Vec::new();
            File::open(&path)?.take(MOST + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > MOST {
                return Err(std::io::Error::other("it is larger than 16 MiB"));
            }
            Ok(bytes)
        };
        match read() {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                None
            }
            Err(error) => {
                (self.unread)(&format!("the saved ruleset {}", shown(file)), error.to_string());
                None
            }
        }
    }
}

/// A path below the root as it is on the machine.
fn shown(file: &Path) -> String {
    format!("/{}", file.to_string_lossy().escape_debug())
}

/// The set of ours that a line of iptables-save(8) looks into.
fn set_of(line: &str) -> Option<&str> {
    let mut words = line.split_ascii_whitespace();
    words.find(|word| ["--map-set", "--match-set"].contains(word))?;
    words.next().filter(|set| set.starts_with("fwmarkctl-"))
}

/// Whether a name is of a pattern whose stars stand for any text.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const FORMER: &str = include_str!("../../../tests/loading/earlier.nft");

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn with(unit: &str) -> Self {
            let machine = Self(tempfile::tempdir().expect("a folder"));
            machine.write(&format!("etc/systemd/system/sysinit.target.wants/{unit}"), "");
            machine
        }

        fn write(&self, file: &str, text: impl AsRef<[u8]>) {
            let path = self.0.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        }

        /// File, line and unit of each, and what was not read.
        fn refused(&self) -> (Vec<String>, Vec<String>) {
            let mut unread = Vec::new();
            let found =
                refused(self.0.path(), &mut |what, why| unread.push(format!("{what}: {why}")));
            let of = |refused: &Refused| format!("{}:{}", refused.file, refused.line);
            (found.iter().map(of).collect(), unread)
        }
    }

    fn nothing() -> (Vec<String>, Vec<String>) {
        (Vec::new(), Vec::new())
    }

    #[test]
    fn a_table_of_an_earlier_version_is_found_in_what_an_enabled_unit_loads() {
        let machine = Machine::with("nftables.service");
        assert_eq!(machine.refused(), nothing());
        machine.write("etc/nftables.conf", format!("flush ruleset\n{FORMER}"));
        let (found, unread) = machine.refused();
        let line = FORMER.lines().position(|line| line.contains("map @range4")).expect("a rule");
        assert_eq!((found, unread), (vec![format!("/etc/nftables.conf:{}", line + 2)], vec![]));
        // As it is made now it loads everywhere.
        let now = include_str!("../../../rules/nftables/shop.nft");
        machine.write("etc/nftables.conf", now);
        assert_eq!(machine.refused(), nothing());
        // What no unit loads stops nothing.
        let disabled = Machine::with("other.service");
        disabled.write("etc/nftables.conf", FORMER);
        assert_eq!(disabled.refused(), nothing());
    }

    #[test]
    fn included_files_are_read_each_once() {
        let machine = Machine::with("nftables.service");
        machine.write(
            "etc/sysconfig/nftables.conf",
            "include \"/etc/nftables/*.nft\"\ninclude \"gone.nft\"\ninclude \"nftables.conf\"\n",
        );
        machine.write("etc/nftables/a.nft", "include \"./a.nft\"\ninclude \"/etc/nftables/*\"\n");
        assert_eq!(machine.refused(), nothing());
        machine.write("etc/nftables/b.nft", FORMER);
        let (found, _) = machine.refused();
        assert!(found[0].starts_with("/etc/nftables/b.nft:"), "{found:?}");
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_a_sentence_and_what_is_no_text_is_nothing() {
        let machine = Machine::with("nftables.service");
        machine.write("etc/nftables.conf", [b"table \xff\xfe { \"".as_slice(), &[0; 999]].concat());
        assert_eq!(machine.refused(), nothing());
        let path = machine.0.path().join("etc/nftables.conf");
        File::create(&path).and_then(|file| file.set_len(MOST + 1)).expect("made");
        let large = "the saved ruleset /etc/nftables.conf: it is larger than 16 MiB";
        assert_eq!(machine.refused(), (vec![], vec![large.to_owned()]));
        fs::remove_file(&path).and_then(|()| fs::create_dir(&path)).expect("a folder");
        let (_, unread) = machine.refused();
        assert_eq!(unread, ["the saved ruleset /etc/nftables.conf: it is no regular file"]);
    }

    #[test]
    fn rules_that_look_into_sets_of_ours_need_these_before() {
        let machine = Machine::with("netfilter-persistent.service");
        let rule = "-A FWMARKCTL -j SET --map-set fwmarkctl-a-port4 dst,dst --map-mark";
        let of_others = "-A INPUT -m set --match-set blocked src -j DROP";
        machine.write("etc/iptables/rules.v4", format!("*mangle\n{of_others}\n{rule}\nCOMMIT\n"));
        machine.write("etc/iptables/rules.v6", "*mangle\nCOMMIT\n");
        assert_eq!(machine.refused(), (vec!["/etc/iptables/rules.v4:3".to_owned()], vec![]));
        machine.write("etc/iptables/ipsets", "create fwmarkctl-a-port40 hash:ip,port\n");
        assert_eq!(machine.refused().0.len(), 1);
        machine.write("etc/iptables/ipsets", "create fwmarkctl-a-port4 hash:ip,port\n");
        assert_eq!(machine.refused(), nothing());
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (name, pattern, is) in [
            ("a.nft", "*.nft", true),
            ("a.nft", "*", true),
            ("a.nft.bak", "*.nft", false),
            ("main.nft", "m*n.n*t", true),
            ("a", "a*a", false),
            ("b.nft", "a*.nft", false),
        ] {
            assert_eq!(is_like(name, pattern), is, "{name} of {pattern}");
        }
    }
}
