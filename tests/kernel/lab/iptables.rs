//! iptables and ipset by hand, as a lab's verbs need them.

use super::{Director, Marks, Program};

/// The families of iptables, by what stands in the names of its programs.
pub(super) const FAMILIES: [&str; 2] = ["", "6"];

/// Our chains: the marks, the ledger, and what replaces sources.
pub(super) const CHAIN: &str = "FWMARKCTL";
pub(super) const LEDGER: &str = "FWMARKCTL-LEDGER";
pub(super) const SNAT: &str = "FWMARKCTL-SNAT";

/// One TCP port of a VIP, of IPv4.
pub(crate) type At<'a> = (&'a str, u16);

impl Director {
    /// `iptables-nft`, `ip6tables-legacy-save` and so on.
    pub(super) fn iptables(&self, variant: &str, family: &str, what: &str) -> Program<'_> {
        self.command(&format!("ip{family}tables-{variant}{what}"))
    }

    /// What iptables-save prints, with the family and the table before each line, without
    /// what is there by itself: empty tables and chains of the kernel that accept.
    pub(super) fn chains(&self, variant: &str, family: &str, with_counters: bool) -> String {
        let saved = self.iptables(variant, family, "-save").arg("-c").ok();
        let mut table = "";
        let mut lines = String::new();
        for line in saved.lines() {
            if let Some(name) = line.strip_prefix('*') {
                table = name;
            } else if let Some(chain) = line.strip_prefix(':') {
                let (chain, policy) = chain.split_once(' ').unwrap();
                let policy = policy.split(' ').next().unwrap();
                if policy != "ACCEPT" {
                    lines += &format!("ip{family} {table} :{chain} {policy}\n");
                }
            } else if let Some((counters, rule)) = line.split_once("] ") {
                let counters = if with_counters { &format!("{counters}] ") } else { "" };
                lines += &format!("ip{family} {table} {counters}{rule}\n");
            }
        }
        lines
    }

    /// Loads lines of iptables-restore beside what is there, for IPv4, where the run is one
    /// of iptables.
    pub(crate) fn restore_chains(&self, lines: &str) {
        if let Marks::Iptables { variant, .. } = Marks::of_this_run() {
            self.iptables(variant, "", "-restore").arg("--noflush").stdin(lines).ok();
        }
    }

    /// The chains and rules of iptables that are not ours, with their counters.
    pub(crate) fn foreign_chains(&self) -> String {
        let Marks::Iptables { variant, .. } = Marks::of_this_run() else { return String::new() };
        let chains = FAMILIES.map(|family| self.chains(variant, family, true)).concat();
        chains.lines().filter(|line| !line.contains(CHAIN)).collect::<Vec<_>>().join("\n")
    }

    /// Where in the chain of everybody's hook our rule is, of how many.
    pub(crate) fn place_in_chain(&self) -> Option<(usize, usize)> {
        let Marks::Iptables { variant, .. } = Marks::of_this_run() else { return None };
        let chains = self.chains(variant, "", false);
        let hook = || chains.lines().filter(|line| line.starts_with("ip mangle -A PREROUTING "));
        let place = hook().position(|line| line.contains(CHAIN));
        Some((place.expect("our chain is hooked"), hook().count()))
    }

    pub(super) fn lose_jumps(&self, table: &str, hook: &str) {
        for family in FAMILIES {
            self.lose_jumps_of(family, table, hook);
        }
    }

    /// Deletes the rules of `hook` that lead to a chain of ours.
    pub(super) fn lose_jumps_of(&self, family: &str, table: &str, hook: &str) {
        let Marks::Iptables { variant, .. } = Marks::of_this_run() else { unreachable!() };
        let of_hook = format!("ip{family} {table} -A {hook} ");
        let chains = self.chains(variant, family, false);
        let jumps = chains
            .lines()
            .filter(|line| line.starts_with(&of_hook) && line.contains(&format!(" -j {CHAIN}")));
        for jump in jumps {
            self.edit(family, table, &format!("-D {}\n", jump.split_once(" -A ").unwrap().1));
        }
    }

    /// Empties a chain of ours, in the families that have it.
    pub(super) fn flush(&self, chain: &str) {
        let Marks::Iptables { variant, .. } = Marks::of_this_run() else { unreachable!() };
        for family in FAMILIES {
            if self.chains(variant, family, false).contains(&format!(" mangle :{chain} -\n")) {
                self.edit(family, "mangle", &format!("-F {chain}\n"));
            }
        }
    }

    /// Lines of iptables-restore for one table.
    pub(super) fn edit(&self, family: &str, table: &str, lines: &str) {
        let Marks::Iptables { variant, .. } = Marks::of_this_run() else { unreachable!() };
        if !lines.is_empty() {
            let restore = self.iptables(variant, family, "-restore").arg("--noflush");
            restore.stdin(&format!("*{table}\n{lines}COMMIT\n")).ok();
        }
    }

    /// The rule that marks a port, from the name of its chain on.
    pub(super) fn rule_of(&self, variant: &str, (vip, port): At<'_>) -> Option<String> {
        let prefix = format!("ip mangle -A {CHAIN} -d {vip}/32 ");
        let chains = self.chains(variant, "", false);
        let has_port = |line: &&str| {
            let mut words = line.split([' ', ',']);
            words.any(|word| word == port.to_string())
        };
        let mut ours = chains.lines().filter(|line| line.starts_with(&prefix));
        ours.find(has_port).map(|line| line.trim_start_matches("ip mangle -A ").to_owned())
    }

    /// The set that marks a port, and what it calls it.
    pub(super) fn member_of(&self, (vip, port): At<'_>) -> Option<(String, String)> {
        let member = format!("{vip},tcp:{port}");
        let saved = self.command("ipset").arg("save").ok();
        let mut lines = saved.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let line = lines.find(|words| {
            words[0] == "add" && words[1].starts_with("fwmarkctl-") && words[2] == member
        });
        line.map(|words| (words[1].to_owned(), member))
    }

    pub(super) fn add_member(&self, set: &str, member: &str, mark: u32) {
        let mark = format!("{mark:#x}");
        self.command("ipset").args(["-exist", "add", set, member, "skbmark", &mark]).ok();
    }
}
