//! What netfilter holds on a director, in the words of the tools that belong to the
//! backend of this run.

use super::iptables::FAMILIES;
use super::{Director, Marks};

impl Director {
    /// What was made in netfilter, by anybody; empty when nobody made anything.
    pub(crate) fn ruleset(&self) -> String {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft_ruleset(),
            Marks::Iptables { variant, .. } => {
                let sets = self.command("ipset").args(["list", "-n"]).ok();
                FAMILIES.map(|family| self.chains(variant, family, false)).concat() + &sets
            }
        }
    }

    /// The same with counters, and with handles where there are any: as long as it stays
    /// the same nobody has written anything.
    pub(crate) fn ruleset_in_detail(&self) -> String {
        let nft = || self.command("nft").args(["-a", "list", "ruleset"]).ok();
        match Marks::of_this_run() {
            Marks::Nftables => nft(),
            Marks::Iptables { variant, .. } => {
                let chains = FAMILIES.map(|family| self.chains(variant, family, true)).concat();
                // Handles; iptables-save does not know them.
                let rules = if variant == "nft" { nft() } else { String::new() };
                chains + &rules + &self.command("ipset").args(["-s", "save"]).ok()
            }
        }
    }

    /// What the director itself sends is marked too.
    pub(crate) fn marks_its_own_traffic(&self) -> bool {
        let rules = self.ruleset();
        match Marks::of_this_run() {
            Marks::Nftables => rules.contains("chain output"),
            Marks::Iptables { .. } => rules.contains("mangle -A OUTPUT "),
        }
    }

    /// Source addresses are replaced: full NAT.
    pub(crate) fn replaces_sources(&self) -> bool {
        let rules = self.ruleset();
        match Marks::of_this_run() {
            Marks::Nftables => rules.contains("chain postrouting"),
            Marks::Iptables { .. } => rules.contains("nat -A POSTROUTING "),
        }
    }
}
