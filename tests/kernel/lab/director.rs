//! The director: the machine that fwmarkctl runs on.

use std::ops::Deref;

use super::{Kind, Namespace, RealServer, program::Program};

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

impl Director {
    pub(super) fn new(namespace: Namespace) -> Self {
        Self { namespace }
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The fwmarkctl of this build.
    pub(crate) fn fwmarkctl(&self, args: &[&str]) -> Program<'_> {
        self.command(env!("CARGO_BIN_EXE_fwmarkctl")).args(args)
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

    /// The virtual services as `ipvsadm -Sn` writes them.
    pub(crate) fn ipvsadm_save(&self) -> String {
        self.command("ipvsadm").arg("-Sn").ok()
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
