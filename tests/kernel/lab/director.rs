//! The director: the machine that fwmarkctl runs on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::process::{self, Command};
use std::sync::OnceLock;

use super::{Kind, Namespace, RealServer, evidence, program::Program};

/// The machine that fwmarkctl runs on; what a [`Namespace`] can do, it can.
pub(crate) struct Director {
    namespace: Namespace,
}

impl Deref for Director {
    type Target = Namespace;

    fn deref(&self) -> &Namespace {
        &self.namespace
    }
}

/// A test that fails leaves what explains it.
impl Drop for Director {
    fn drop(&mut self) {
        evidence::leave(&self.namespace);
    }
}

impl Director {
    pub(super) fn new(namespace: Namespace) -> Self {
        Self { namespace }
    }

    /// A director without a network: for what is read back and not asked by
    /// clients, it is there in a tenth of a lab's time.
    pub(crate) fn alone() -> Self {
        let namespace = Namespace::new();
        // IPVS takes no real server while lo is down.
        namespace.ip("link set lo up");
        Self { namespace }
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The fwmarkctl of this build, run by somebody who has no doubts.
    pub(crate) fn fwmarkctl(&self, args: &[&str]) -> Program<'_> {
        self.unsure(args).args(Self::yes(args))
    }

    /// The same, run by somebody who wants to be asked.
    pub(crate) fn unsure(&self, args: &[&str]) -> Program<'_> {
        self.command(&Self::program()).args(args)
    }

    /// What is said with arguments that apply, whatever goes out of service.
    pub(crate) fn yes(args: &[&str]) -> &'static [&'static str] {
        let applies = args.iter().any(|arg| matches!(*arg, "apply" | "--apply"));
        if applies { &["--yes"] } else { &[] }
    }

    /// The path of the fwmarkctl of this build, for as long as this process lives; or of
    /// the one in `FWMARKCTL_PROGRAM`, where a build with other features may have taken its
    /// place.
    pub(crate) fn program() -> String {
        static COPY: OnceLock<File> = OnceLock::new();
        let copy = COPY.get_or_init(|| {
            let built = env!("CARGO_BIN_EXE_fwmarkctl");
            copy_in_memory(&std::env::var("FWMARKCTL_PROGRAM").unwrap_or(built.to_owned()))
        });
        format!("/proc/{}/fd/{}", process::id(), copy.as_raw_fd())
    }

    /// Loads rules as `nft -f` does: in one transaction.
    pub(crate) fn nft(&self, rules: &str) {
        self.command("nft").args(["-f", "-"]).stdin(rules).ok();
    }

    /// The rule set as nft prints it.
    pub(crate) fn nft_ruleset(&self) -> String {
        self.command("nft").args(["list", "ruleset"]).ok()
    }

    /// The rule set as nft's JSON, without the line on nft's own version.
    pub(crate) fn nft_ruleset_json(&self) -> Vec<serde_json::Value> {
        let text = self.command("nft").args(["-j", "list", "ruleset"]).ok();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let objects = document["nftables"].as_array().unwrap();
        objects.iter().filter(|object| object.get("metainfo").is_none()).cloned().collect()
    }

    /// Adds to the virtual services: lines as `ipvsadm -S` writes them.
    pub(crate) fn ipvsadm(&self, lines: &str) {
        self.command("ipvsadm").arg("-R").stdin(lines).ok();
    }

    /// The virtual services as `ipvsadm -Sn` writes them: twice in a row, and none twice.
    /// A dump misses some and repeats others while somebody edits theirs, be it in another
    /// network namespace.
    pub(crate) fn ipvsadm_save(&self) -> String {
        let mut last = String::from("not read");
        for _ in 0..20 {
            let next = self.command("ipvsadm").arg("-Sn").ok();
            let mut seen = BTreeSet::new();
            let mut services = next.lines().filter(|line| line.starts_with("-A "));
            if next == last && services.all(|line| seen.insert(line)) {
                return next;
            }
            last = next;
        }
        panic!("the services do not come to rest: {last}")
    }

    /// Both families' services for `mark`, round-robin over `servers`, by hand.
    pub(crate) fn balance(&self, mark: u32, servers: &[RealServer]) {
        let mut lines = format!("-A -f {mark} -s rr\n-A -f {mark} -6 -s rr\n");
        for server in servers {
            let way = Kind::ipvsadm(server.kind());
            lines += &format!("-a -f {mark} -r {}:0 {way} -w 1\n", server.v4());
            lines += &format!("-a -f {mark} -6 -r [{}]:0 {way} -w 1\n", server.v6());
        }
        self.ipvsadm(&lines);
    }
}

/// The build folder of a virtual machine is shared, and every start of a program in it
/// reads it anew: three times as long as from a copy in memory. The copy has no name, so
/// that nobody has to remove it.
pub(crate) fn copy_in_memory(program: &str) -> File {
    let name = program.replace('/', "-");
    let path = format!("/tmp/of-the-kernel-ring.{}{name}", process::id());
    // By another program: a descriptor of ours that can write, inherited by a program
    // that another test starts just now, would make the file "busy".
    let copied = Command::new("cp").args([program, &path]).status();
    assert!(copied.unwrap().success(), "{program} can't be copied to {path}");
    let copy = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    copy
}
