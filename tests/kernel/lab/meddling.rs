//! What somebody does to marks of ours by hand, whatever backend holds them.

use super::iptables::{CHAIN, FAMILIES, LEDGER, SNAT};
use super::{At, Director, Marks};

/// The element of `exact4` for it.
fn element((vip, port): At<'_>) -> String {
    format!("inet fwmarkctl exact4 {{ {vip} . tcp . {port}")
}

impl Director {
    /// Removes what marks a port; with iptables' rules, the other ports of that rule too.
    pub(crate) fn lose_mark(&self, at: At<'_>) {
        assert!(self.try_to_lose_mark(at), "{at:?} has no mark");
    }

    /// The same, if it is there.
    pub(crate) fn try_to_lose_mark(&self, at: At<'_>) -> bool {
        match Marks::of_this_run() {
            Marks::Nftables => {
                let delete = format!("delete element {} }}", element(at));
                self.command("nft").arg(delete).run().code == Some(0)
            }
            Marks::Iptables { variant, sets: false } => {
                let Some(rule) = self.rule_of(variant, at) else { return false };
                let delete = format!("*mangle\n-D {rule}\nCOMMIT\n");
                let restore = self.iptables(variant, "", "-restore").arg("--noflush");
                restore.stdin(&delete).run().code == Some(0)
            }
            Marks::Iptables { sets: true, .. } => {
                let Some((set, member)) = self.member_of(at) else { return false };
                self.command("ipset").args(["del", &set, &member]).run().code == Some(0)
            }
        }
    }

    /// Removes what marks a port, which has `mark`, and brings it back at once.
    pub(crate) fn lose_mark_for_a_moment(&self, at: At<'_>, mark: u32) {
        match Marks::of_this_run() {
            Marks::Nftables => {
                self.lose_mark(at);
                self.nft(&format!("add element {} : {mark} }}", element(at)));
            }
            Marks::Iptables { variant, sets: false } => {
                let rule = self.rule_of(variant, at).unwrap();
                self.edit("", "mangle", &format!("-D {rule}\n"));
                self.edit("", "mangle", &format!("-A {rule}\n"));
            }
            Marks::Iptables { sets: true, .. } => {
                let (set, member) = self.member_of(at).unwrap();
                self.lose_mark(at);
                self.add_member(&set, &member, mark);
            }
        }
    }

    /// Gives a port that is marked another mark.
    pub(crate) fn alter_mark(&self, at: At<'_>, mark: u32) {
        match Marks::of_this_run() {
            Marks::Nftables => {
                let element = element(at);
                self.nft(&format!(
                    "delete element {element} }}\nadd element {element} : {mark} }}"
                ));
            }
            Marks::Iptables { variant, sets: false } => {
                let rule = self.rule_of(variant, at).unwrap();
                let (matches, _) = rule.split_once(" -j ").unwrap();
                let changed = format!("-D {rule}\n-A {matches} -j MARK --set-mark {mark}\n");
                self.edit("", "mangle", &changed);
            }
            Marks::Iptables { sets: true, .. } => {
                let (set, member) = self.member_of(at).unwrap();
                self.add_member(&set, &member, mark);
            }
        }
    }

    /// Marks a port that had no mark, beside `neighbour`, which has one.
    pub(crate) fn add_mark(&self, at: At<'_>, mark: u32, neighbour: At<'_>) {
        let (vip, port) = at;
        match Marks::of_this_run() {
            Marks::Nftables => self.nft(&format!("add element {} : {mark} }}", element(at))),
            Marks::Iptables { sets: false, .. } => {
                let matches = format!("-d {vip}/32 -p tcp -m tcp --dport {port}");
                let added = format!("-A {CHAIN} {matches} -j MARK --set-mark {mark}\n");
                self.edit("", "mangle", &added);
            }
            Marks::Iptables { sets: true, .. } => {
                let (set, _) = self.member_of(neighbour).unwrap();
                self.add_member(&set, &format!("{vip},tcp:{port}"), mark);
            }
        }
    }

    /// Takes the rules out of the chain that marks.
    pub(crate) fn flush_chain(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("flush chain inet fwmarkctl prerouting"),
            Marks::Iptables { .. } => self.flush(CHAIN),
        }
    }

    /// Forgets whose the services are.
    pub(crate) fn flush_ledger(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("flush chain inet fwmarkctl ledger"),
            Marks::Iptables { .. } => self.flush(LEDGER),
        }
    }

    /// Puts a rule before ours that drops packets to a port.
    pub(crate) fn drop_in_chain(&self, port: u16) {
        match Marks::of_this_run() {
            Marks::Nftables => {
                self.nft(&format!("insert rule inet fwmarkctl prerouting tcp dport {port} drop"));
            }
            Marks::Iptables { .. } => {
                let rule = format!("-I {CHAIN} -p tcp -m tcp --dport {port} -j DROP\n");
                self.edit("", "mangle", &rule);
            }
        }
    }

    /// Takes our chain away from where packets come by.
    pub(crate) fn unhook(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("delete chain inet fwmarkctl prerouting"),
            Marks::Iptables { .. } => self.lose_jumps("mangle", "PREROUTING"),
        }
    }

    /// Makes rules sleep that are all there; of iptables none can, and they go.
    pub(crate) fn put_to_sleep(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("add table inet fwmarkctl { flags dormant; }"),
            Marks::Iptables { .. } => self.flush_ruleset(),
        }
    }

    /// The same for what the director itself sends.
    pub(crate) fn unhook_own_traffic(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("flush chain inet fwmarkctl output"),
            Marks::Iptables { .. } => self.lose_jumps("mangle", "OUTPUT"),
        }
    }

    /// The same for what replaces sources.
    pub(crate) fn unhook_source_nat(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("delete chain inet fwmarkctl postrouting"),
            Marks::Iptables { .. } => self.lose_jumps("nat", "POSTROUTING"),
        }
    }

    /// Lets fragments pass as they are.
    pub(crate) fn scatter_fragments(&self) {
        match Marks::of_this_run() {
            Marks::Nftables => self.nft("delete chain inet fwmarkctl defragment"),
            Marks::Iptables { variant, .. } => {
                let chains = self.chains(variant, "", false);
                let tproxy = chains.lines().find(|line| line.contains("-j TPROXY"));
                let rule = tproxy.unwrap().trim_start_matches("ip mangle -A ");
                self.edit("", "mangle", &format!("-D {rule}\n"));
            }
        }
    }

    /// Removes all rules of everybody, as firewalls do that load theirs anew. Sets of
    /// ipset stay.
    pub(crate) fn flush_ruleset(&self) {
        match Marks::of_this_run() {
            Marks::Iptables { variant: "legacy", .. } => {
                for family in FAMILIES {
                    let names = format!("/proc/thread-self/net/ip{family}_tables_names");
                    // There is none before the first table.
                    let names = self.run(|| std::fs::read_to_string(names)).unwrap_or_default();
                    let tables = names.lines().map(|table| format!("*{table}\nCOMMIT\n"));
                    let empty: String = tables.collect();
                    self.iptables("legacy", family, "-restore").stdin(&empty).ok();
                }
            }
            // The rules of iptables-nft are among them.
            _ => self.nft("flush ruleset"),
        }
    }

    /// Removes what is ours, and all of it, with its hooks.
    pub(crate) fn lose_our_rules(&self) {
        let Marks::Iptables { variant, .. } = Marks::of_this_run() else {
            return self.nft("delete table inet fwmarkctl");
        };
        for family in FAMILIES {
            let chains = self.chains(variant, family, false);
            for (table, hooks, ours) in [
                ("mangle", &["PREROUTING", "OUTPUT"] as &[_], &[CHAIN, LEDGER] as &[_]),
                ("nat", &["POSTROUTING"], &[SNAT]),
            ] {
                let is_there = |chain: &&&str| chains.contains(&format!(" {table} :{chain} -\n"));
                let ours: Vec<_> = ours.iter().filter(is_there).collect();
                for hook in hooks {
                    self.lose_jumps_of(family, table, hook);
                }
                let flush = ours.iter().map(|chain| format!("-F {chain}\n"));
                let delete = ours.iter().map(|chain| format!("-X {chain}\n"));
                self.edit(family, table, &flush.chain(delete).collect::<String>());
            }
        }
    }

    /// What a boot leaves of rules and sets: nothing.
    pub(crate) fn forget_rules(&self) {
        self.flush_ruleset();
        if Marks::of_this_run() != Marks::Nftables {
            self.command("ipset").arg("destroy").ok();
        }
    }
}
