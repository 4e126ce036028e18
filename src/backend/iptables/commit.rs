//! A switch: what each family becomes, in the order in which it has to be.
//!
//! A table of a family is exchanged in one instant. There are two families, and the table
//! nat beside the table mangle, so the order makes the difference: sources are there before
//! the marks that need them, and go after these; sets are filled before the chains look into
//! them; IPv6 is tried out before IPv4 is exchanged, and when it is refused all the same,
//! IPv4 is put back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::decode::{Meaning, meaning};
use super::program::Programs;
use super::read::{Found, Jumps, set_error};
use super::sets;
use crate::backend::ipset::{Ipset, IpsetError, SetFound};
use crate::backend::{Count, MarkCounts, NetfilterError};
use crate::model::{Family, Form, Variant};
use crate::render::iptables::{
    Bank, Chains, LEDGER, MARKS, RuleText, SOURCES, SetRole, chains, involves, output_jump,
    postrouting_jump, prerouting_jump,
};
use crate::state::{MarkRuleset, SourceKey};

/// How long the kernel is given to let go of sets that no rule uses any more, and how often
/// it is asked meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

/// What one family becomes.
struct Step {
    programs: Programs,
    /// The table nat with what it needs before and after, and the table mangle.
    forth: String,
    /// What undoes that: the table mangle, then the table nat.
    back: [String; 2],
    /// The table nat without what is not needed any more; nothing where it is that already.
    last: String,
    /// The built-in chains out of which the last jump goes; nothing where they stay.
    hooks: String,
}

/// Makes `next` of what was found.
///
/// # Errors
/// [`NetfilterError`]; nothing has changed but for [`NetfilterError::Halved`].
pub(super) fn commit(
    variant: Variant,
    found: &Found,
    next: &MarkRuleset,
) -> Result<(), NetfilterError> {
    let banks = next_banks(found, next).map_err(set_error)?;
    if let Err(error) = fill(found, next, &banks) {
        empty_next(&banks);
        return Err(set_error(error));
    }
    let counts = Counts { marks: &found.value.counts, sources: &found.source_counts };
    let steps: Vec<Step> = Family::BOTH
        .into_iter()
        .filter_map(|family| {
            let bank = banks.get(&family).copied().unwrap_or_default();
            step(Programs { variant, family }, found, next, bank, counts)
        })
        .collect();
    let committed = carry_out(&steps);
    if committed.is_ok() {
        steps.iter().for_each(unhook);
    }
    match &committed {
        Ok(()) => found.banks.iter().for_each(|(family, bank)| leave(*family, *bank)),
        // What is changed in part may look into them.
        Err(error) if !error.is_uncertain() => empty_next(&banks),
        Err(_) => {}
    }
    committed
}

fn carry_out(steps: &[Step]) -> Result<(), NetfilterError> {
    // What the second family's program does not understand is found before the first one's
    // table is exchanged.
    for step in steps.iter().skip(1) {
        step.programs.restore(&step.forth, true)?;
    }
    for (place, step) in steps.iter().enumerate() {
        let Err(error) = step.programs.restore(&step.forth, false) else { continue };
        // It may have exchanged the table nat before the table mangle was refused. Where it
        // has not, there is nothing to undo, and this is refused too.
        if !step.back[1].is_empty() {
            drop(step.programs.restore(&step.back[1], false));
        }
        for done in steps[..place].iter().rev() {
            if let Err(second) = done.programs.restore(&done.back.concat(), false) {
                return Err(NetfilterError::Halved(format!("{error}; and {second}")));
            }
        }
        return Err(error);
    }
    for step in steps.iter().filter(|step| !step.last.is_empty()) {
        let left = step.programs.restore(&step.last, false);
        left.map_err(|error| NetfilterError::Halved(error.to_string()))?;
    }
    Ok(())
}

/// What rules have counted, which they keep.
#[derive(Clone, Copy)]
struct Counts<'a> {
    marks: &'a MarkCounts,
    sources: &'a BTreeMap<SourceKey, Count>,
}

impl Counts<'_> {
    fn of(self, rule: &RuleText, family: Family) -> Count {
        let count = match meaning(rule, family) {
            Some(Meaning::Marks(keys, _)) => keys.first().and_then(|key| self.marks.get(key)),
            Some(Meaning::Replaces { mark, server, .. }) => {
                self.sources.get(&SourceKey { mark, server })
            }
            _ => None,
        };
        count.copied().unwrap_or_default()
    }
}

/// The step of one family; its rules look into the sets of `bank`.
fn step(
    programs: Programs,
    found: &Found,
    next: &MarkRuleset,
    bank: Bank,
    counts: Counts<'_>,
) -> Option<Step> {
    let family = programs.family;
    let bank_before = found.banks.get(&family).copied().unwrap_or_default();
    let there = found.families.get(&family).cloned().unwrap_or_default();
    let wanted = involves(next, family).then(|| chains(next, family, bank));
    if !there.is_there() && wanted.is_none() {
        return None;
    }
    let ruleset = found.ruleset();
    let before = involves(ruleset, family).then(|| chains(ruleset, family, bank_before));
    // New sources beside the old ones, until nothing is marked for these any more.
    let mut both = MarkRuleset { sources: ruleset.sources.clone(), ..next.clone() };
    both.sources.extend(next.sources.iter().map(|(key, entry)| (*key, entry.clone())));
    let both = chains(&both, family, bank);
    let text = Text { family, counts };
    let (mut forth, mut undo_nat, mut last) = (String::new(), String::new(), String::new());
    let none = Chains::default();
    let old = before.as_ref().unwrap_or(&none);
    let new = wanted.as_ref().unwrap_or(&none);
    if both.sources != old.sources || there.has_nat() && there.jumps.postrouting.len() != 1 {
        text.nat(&mut forth, &both.sources, &there.jumps.postrouting, there.has_nat());
        text.nat(&mut undo_nat, &old.sources, &Jumps::to(&both).postrouting, true);
    }
    if both.sources != new.sources || both.sources.is_empty() && there.has_nat() {
        let jumps = Jumps::to(&both).postrouting;
        let jumps = if both.sources.is_empty() { &there.jumps.postrouting } else { &jumps };
        text.nat(&mut last, &new.sources, jumps, true);
    }
    text.mangle(&mut forth, wanted.as_ref(), &there.jumps, there.has_mangle());
    let jumps = wanted.as_ref().map(Jumps::to).unwrap_or_default();
    let old = before.filter(|_| there.has_mangle());
    let mut undo = String::new();
    text.mangle(&mut undo, old.as_ref(), &jumps, wanted.is_some());
    let stays = |(table, chain): &(&str, &str)| match (*table, *chain) {
        ("nat", _) => !new.sources.is_empty(),
        (_, "OUTPUT") => new.output,
        _ => wanted.is_some(),
    };
    let leaves = there.only_ours.iter().filter(|hook| !stays(hook));
    let mut hooks = String::new();
    leaves.for_each(|(table, chain)| line(&mut hooks, &format!("*{table}\n-X {chain}\nCOMMIT")));
    Some(Step { programs, forth, back: [undo, undo_nat], last, hooks })
}

/// Takes the built-in chains away that only we used: in the variant of nf_tables they are
/// made by the first rule, and stay at their hooks after the last one; that of the table nat
/// has every connection tracked. A chain that somebody has begun to use meanwhile is refused,
/// and stays.
fn unhook(step: &Step) {
    if step.programs.variant == Variant::Nft
        && !step.hooks.is_empty()
        && let Err(error) = step.programs.restore(&step.hooks, false)
    {
        tracing::debug!(%error, "a built-in chain stays");
    }
}

/// How tables are written.
#[derive(Clone, Copy)]
struct Text<'a> {
    family: Family,
    counts: Counts<'a>,
}

impl Text<'_> {
    /// The table mangle with these chains, or without any of ours.
    fn mangle(self, text: &mut String, wanted: Option<&Chains>, jumps: &Jumps, there: bool) {
        if wanted.is_none() && !there {
            return;
        }
        line(text, "*mangle");
        let target = wanted.map(Jumps::to).unwrap_or_default();
        self.leave(text, "PREROUTING", &jumps.prerouting, &target.prerouting);
        self.leave(text, "OUTPUT", &jumps.output, &target.output);
        line(text, &format!(":{MARKS} - [0:0]\n:{LEDGER} - [0:0]"));
        match wanted {
            None => line(text, &format!("-X {MARKS}\n-X {LEDGER}")),
            Some(chains) => {
                self.rules(text, MARKS, &chains.marks);
                self.rules(text, LEDGER, &chains.ledger);
                self.join(text, "PREROUTING", &jumps.prerouting, &prerouting_jump());
                if chains.output {
                    self.join(text, "OUTPUT", &jumps.output, &output_jump());
                }
            }
        }
        line(text, "COMMIT");
    }

    /// The table nat with these sources, or without any of ours.
    fn nat(self, text: &mut String, sources: &[RuleText], jumps: &[RuleText], there: bool) {
        if sources.is_empty() && !there {
            return;
        }
        line(text, "*nat");
        let target = if sources.is_empty() { Vec::new() } else { vec![postrouting_jump()] };
        self.leave(text, "POSTROUTING", jumps, &target);
        line(text, &format!(":{SOURCES} - [0:0]"));
        if sources.is_empty() {
            line(text, &format!("-X {SOURCES}"));
        } else {
            self.rules(text, SOURCES, sources);
            self.join(text, "POSTROUTING", jumps, &postrouting_jump());
        }
        line(text, "COMMIT");
    }

    fn rules(self, text: &mut String, chain: &str, rules: &[RuleText]) {
        for rule in rules {
            let Count { packets, bytes } = self.counts.of(rule, self.family);
            line(text, &format!("[{packets}:{bytes}] -A {chain} {rule}"));
        }
    }

    /// Removes the jumps that are not wanted; the first of those that are stays where it is.
    fn leave(self, text: &mut String, chain: &str, jumps: &[RuleText], wanted: &[RuleText]) {
        let mut wanted: Vec<_> = wanted.iter().map(|rule| meaning(rule, self.family)).collect();
        for jump in jumps {
            let found = meaning(jump, self.family);
            match wanted.iter().position(|wanted| *wanted == found) {
                Some(place) => drop(wanted.remove(place)),
                None => line(text, &format!("-D {chain} {jump}")),
            }
        }
    }

    /// Adds a jump behind the rules of others, where there is none.
    fn join(self, text: &mut String, chain: &str, jumps: &[RuleText], jump: &RuleText) {
        let wanted = meaning(jump, self.family);
        if !jumps.iter().any(|found| meaning(found, self.family) == wanted) {
            line(text, &format!("-A {chain} {jump}"));
        }
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The bank that each family's sets are made in: that which nobody looks into. The sets of a
/// network namespace are those of both variants, so where the chains of this one look into
/// none, the other variant's may, as long as marks move from there.
fn next_banks(found: &Found, next: &MarkRuleset) -> Result<BTreeMap<Family, Bank>, IpsetError> {
    if next.form != Form::Sets || next.is_absent() {
        return Ok(BTreeMap::new());
    }
    let mut ipset = Ipset::open()?;
    let families = Family::BOTH.into_iter().filter(|family| involves(next, *family));
    let bank = |family| match found.banks.get(&family) {
        Some(bank) => Ok((family, bank.other())),
        None => Ok((family, unused(&mut ipset, family)?)),
    };
    families.map(bank).collect()
}

/// A bank that nobody looks into. Where somebody looks into both, the one that is told of
/// when it cannot be filled.
fn unused(ipset: &mut Ipset, family: Family) -> Result<Bank, IpsetError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for bank in Bank::BOTH {
            if headers(ipset, family, bank)?.iter().all(|set| set.references == 0) {
                return Ok(bank);
            }
        }
        if Instant::now() >= deadline {
            return Ok(Bank::default());
        }
        std::thread::sleep(PAUSE);
    }
}

/// Makes the sets that nothing looks into yet.
fn fill(
    found: &Found,
    next: &MarkRuleset,
    banks: &BTreeMap<Family, Bank>,
) -> Result<(), IpsetError> {
    if banks.is_empty() {
        return Ok(());
    }
    let mut ipset = Ipset::open()?;
    for (family, bank) in banks.iter().map(|(family, bank)| (*family, *bank)) {
        leave(family, bank);
        for left in headers(&mut ipset, family, bank)? {
            ipset.destroy(&left.name)?;
        }
        for (definition, members) in
            sets::of_entries(&next.entries, &found.value.counts, family, bank)
        {
            ipset.create(&definition)?;
            ipset.add(&definition, &members)?;
        }
    }
    Ok(())
}

/// Removes what was filled and is not looked into.
fn empty_next(banks: &BTreeMap<Family, Bank>) {
    for (family, bank) in banks {
        empty(*family, *bank);
    }
}

/// Removes the sets of a bank that nothing uses. Those that cannot be removed now are
/// removed before the bank is filled again.
pub(super) fn empty(family: Family, bank: Bank) {
    match remove(family, bank) {
        Ok(used) if used.is_empty() => {}
        Ok(used) => tracing::debug!(?used, "sets are in use"),
        Err(error) => tracing::debug!(%error, "sets are left"),
    }
}

/// Removes the sets of a bank that has just been left. nf_tables lets go of what a rule
/// used only when no CPU can be looking at the rule any more, in its own time
/// (`nf_tables_trans_destroy_work`, `net/netfilter/nf_tables_api.c`).
fn leave(family: Family, bank: Bank) {
    let deadline = Instant::now() + PATIENCE;
    let used = loop {
        match remove(family, bank) {
            Ok(used) if used.is_empty() => return,
            Ok(_) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Ok(used) => break used,
            Err(error) => return tracing::debug!(%error, "sets are left"),
        }
    };
    let names = used.join(", ");
    tracing::warn!(
        "{names} cannot be removed: a rule that is not ours looks into it (iptables-save, \
         nft list ruleset)"
    );
}

/// The sets of a family that are left because something uses them.
fn remove(family: Family, bank: Bank) -> Result<Vec<String>, IpsetError> {
    let mut ipset = Ipset::open()?;
    let (free, used): (Vec<_>, Vec<_>) =
        headers(&mut ipset, family, bank)?.into_iter().partition(|set| set.references == 0);
    free.iter().try_for_each(|set| ipset.destroy(&set.name))?;
    Ok(used.into_iter().map(|set| set.name).collect())
}

/// The sets of a bank that are a family's.
fn headers(ipset: &mut Ipset, family: Family, bank: Bank) -> Result<Vec<SetFound>, IpsetError> {
    let mut headers = ipset.headers(bank.prefix())?;
    headers.retain(|set| SetRole::named(&set.name, family).is_some());
    Ok(headers)
}
