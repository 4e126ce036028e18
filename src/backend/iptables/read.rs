//! Reading what is ours: the chains of both families, the sets that they look into, and
//! who jumps to them.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::Xxh3;

use super::decode::{Meaning, meaning};
use super::listing::{Listed, Listing};
use super::presence::may_hold;
use super::program::Programs;
use super::sets::Entries;
use crate::backend::ipset::{Ipset, IpsetError};
use crate::backend::{Count, CountedRuleset, Generation, MarkCounts, NetfilterError};
use crate::model::{Family, Form, Variant};
use crate::render::iptables::{
    Bank, Chains, LEDGER, MARKS, RuleText, SOURCES, SetRole, chains, involves, output_jump,
    postrouting_jump, prerouting_jump,
};
use crate::state::{Frame, MarkRuleset, SourceEntry, SourceKey};

/// How often it is read again when it looks as if somebody changed it meanwhile.
const ATTEMPTS: usize = 10;

/// The jumps to our chains, as they were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Jumps {
    pub(super) prerouting: Vec<RuleText>,
    pub(super) output: Vec<RuleText>,
    pub(super) postrouting: Vec<RuleText>,
}

impl Jumps {
    /// Those that lead to `chains`.
    pub(super) fn to(chains: &Chains) -> Self {
        Self {
            prerouting: vec![prerouting_jump()],
            output: if chains.output { vec![output_jump()] } else { Vec::new() },
            postrouting: if chains.sources.is_empty() {
                Vec::new()
            } else {
                vec![postrouting_jump()]
            },
        }
    }

    /// Whether they mean the same.
    fn agree(&self, other: &Self, family: Family) -> bool {
        let meanings = |jumps: &[RuleText]| -> Vec<_> {
            jumps.iter().map(|rule| meaning(rule, family)).collect()
        };
        meanings(&self.prerouting) == meanings(&other.prerouting)
            && meanings(&self.output) == meanings(&other.output)
            && meanings(&self.postrouting) == meanings(&other.postrouting)
    }
}

/// A rule of one of our chains, and what it means, if anything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Understood {
    listed: Listed,
    meaning: Option<Meaning>,
}

/// What a family has of ours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FamilyFound {
    /// The chain of marks; `None` where it is not there.
    marks: Option<Vec<Understood>>,
    ledger: Option<Vec<Understood>>,
    sources: Option<Vec<Understood>>,
    pub(super) jumps: Jumps,
    /// The tables and built-in chains where nothing is but jumps to ours.
    pub(super) only_ours: Vec<(&'static str, &'static str)>,
}

impl FamilyFound {
    /// Whether there is anything.
    pub(super) fn is_there(&self) -> bool {
        self.has_mangle() || self.has_nat()
    }

    /// Whether the table mangle has anything.
    pub(super) fn has_mangle(&self) -> bool {
        self.marks.is_some() || self.ledger.is_some()
    }

    /// Whether the table nat has anything.
    pub(super) fn has_nat(&self) -> bool {
        self.sources.is_some()
    }

    fn read(variant: Variant, family: Family) -> Result<Self, NetfilterError> {
        let programs = Programs { variant, family };
        let listing = |table| -> Result<Listing, NetfilterError> {
            if !may_hold(variant, family, table)? {
                return Ok(Listing::default());
            }
            Ok(Listing::read(&programs.save(table)?, table))
        };
        let (mangle, nat) = (listing("mangle")?, listing("nat")?);
        let understood = |listed: &Listed| Understood {
            listed: listed.clone(),
            meaning: meaning(&listed.rule, family),
        };
        let chain = |listing: &Listing, name| -> Option<Vec<Understood>> {
            Some(listing.chain(name)?.iter().map(understood).collect())
        };
        let jumps = |listing: &Listing, from: &str, to: &str| -> Vec<RuleText> {
            let rules = listing.chain(from).unwrap_or_default().iter().map(|it| &it.rule);
            rules.filter(|rule| leads_to(rule, to)).cloned().collect()
        };
        let jumps = Jumps {
            prerouting: jumps(&mangle, "PREROUTING", MARKS),
            output: jumps(&mangle, "OUTPUT", MARKS),
            postrouting: jumps(&nat, "POSTROUTING", SOURCES),
        };
        let hooks = [
            (&mangle, "mangle", "PREROUTING", &jumps.prerouting),
            (&mangle, "mangle", "OUTPUT", &jumps.output),
            (&nat, "nat", "POSTROUTING", &jumps.postrouting),
        ];
        let only_ours = hooks
            .into_iter()
            .filter(|(listing, _, chain, jumps)| {
                !jumps.is_empty() && listing.has_only(chain, jumps)
            })
            .map(|(_, table, chain, _)| (table, chain))
            .collect();
        Ok(Self {
            marks: chain(&mangle, MARKS),
            ledger: chain(&mangle, LEDGER),
            sources: chain(&nat, SOURCES),
            jumps,
            only_ours,
        })
    }

    fn chains(&self) -> impl Iterator<Item = (&'static str, &[Understood])> {
        [(MARKS, &self.marks), (LEDGER, &self.ledger), (SOURCES, &self.sources)]
            .into_iter()
            .filter_map(|(name, rules)| Some((name, rules.as_deref()?)))
    }
}

fn leads_to(rule: &RuleText, chain: &str) -> bool {
    rule.arguments().windows(2).any(|pair| pair[0] == "-j" && pair[1] == chain)
}

/// What there is of ours.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) value: CountedRuleset,
    pub(super) generation: Generation,
    /// What each family has.
    pub(super) families: BTreeMap<Family, FamilyFound>,
    /// Which sets the chains of a family look into, where they do. Who is killed between
    /// the families leaves each at another bank.
    pub(super) banks: BTreeMap<Family, Bank>,
    /// What the rules counted that replace addresses.
    pub(super) source_counts: BTreeMap<SourceKey, Count>,
}

impl Found {
    pub(super) fn ruleset(&self) -> &MarkRuleset {
        &self.value.ruleset
    }

    /// Reads it, and reads it again when somebody seems to have written under way: tables,
    /// families and sets are read one after another, each as it is at its moment. What is
    /// found twice in the same way is so.
    ///
    /// # Errors
    /// [`NetfilterError`].
    pub(super) fn read(variant: Variant) -> Result<Self, NetfilterError> {
        let mut last = Self::read_once(variant);
        for attempt in 2..=ATTEMPTS {
            if last.as_ref().is_ok_and(Self::is_whole) {
                break;
            }
            tracing::debug!(attempt, "a part is missing, or cannot be read: read again");
            let again = Self::read_once(variant);
            let is_so = match (&last, &again) {
                (Ok(last), Ok(again)) => last.generation == again.generation,
                (Err(last), Err(again)) => last.to_string() == again.to_string(),
                _ => false,
            };
            last = again;
            if is_so {
                break;
            }
        }
        last
    }

    fn is_whole(&self) -> bool {
        matches!(self.ruleset().frame, Frame::Intact | Frame::Absent)
    }

    fn read_once(variant: Variant) -> Result<Self, NetfilterError> {
        let mut families = BTreeMap::new();
        for family in Family::BOTH {
            let found = FamilyFound::read(variant, family)?;
            if found.is_there() {
                families.insert(family, found);
            }
        }
        let mut reading = Reading::default();
        for (family, found) in &families {
            reading.take(*family, found);
        }
        reading.look_into_sets()?;
        Ok(reading.judge(families))
    }
}

/// What is put together of the chains.
#[derive(Default)]
struct Reading {
    ruleset: MarkRuleset,
    counts: MarkCounts,
    source_counts: BTreeMap<SourceKey, Count>,
    looks: Vec<(Family, SetRole, Bank)>,
    odd: Vec<String>,
    digest: Xxh3,
}

impl Reading {
    fn take(&mut self, family: Family, found: &FamilyFound) {
        self.ruleset.chains.output |= !found.jumps.output.is_empty();
        self.ruleset.chains.postrouting |= found.has_nat();
        for jump in [&found.jumps.prerouting, &found.jumps.output, &found.jumps.postrouting]
            .into_iter()
            .flatten()
        {
            self.digest.update(format!("{family} {jump}\n").as_bytes());
        }
        for (chain, rules) in found.chains() {
            self.digest.update(format!("{family} {chain}\n").as_bytes());
            for understood in rules {
                let rule = &understood.listed.rule;
                self.digest.update(format!("{rule}\n").as_bytes());
                if !self.take_rule(family, chain, understood) {
                    self.odd
                        .push(format!("a rule of {family} that is not ours: -A {chain} {rule}"));
                }
            }
        }
    }

    /// Takes what a rule means; `false` where it means nothing in its chain.
    fn take_rule(&mut self, family: Family, chain: &str, rule: &Understood) -> bool {
        let Understood { listed, meaning } = rule;
        let ledger = &mut self.ruleset.ledger;
        match (chain, meaning.clone()) {
            (MARKS, Some(Meaning::Marks(keys, entry))) => {
                // The rule counts for all of its entries: its first one stands for them.
                for (place, key) in keys.into_iter().enumerate() {
                    let count = if place == 0 { listed.count } else { Count::default() };
                    self.counts.insert(key, count);
                    self.ruleset.entries.insert(key, entry.clone());
                }
            }
            (MARKS, Some(Meaning::Looks(set, bank))) => self.looks.push((family, set, bank)),
            (LEDGER, Some(Meaning::Record(record))) => {
                // Where the families tell of two commits, that of IPv4 is the later one.
                ledger.record.get_or_insert(record);
            }
            (LEDGER, Some(Meaning::Service(key, entry))) => {
                ledger.services.insert(key, entry);
            }
            (LEDGER, Some(Meaning::Defragments)) => self.ruleset.chains.defragment = true,
            (SOURCES, Some(Meaning::Replaces { mark, server, source, group })) => {
                let key = SourceKey { mark, server };
                self.source_counts.insert(key, listed.count);
                self.ruleset.sources.insert(key, SourceEntry { source, group });
            }
            _ => return false,
        }
        true
    }

    fn look_into_sets(&mut self) -> Result<(), NetfilterError> {
        if self.looks.is_empty() {
            return Ok(());
        }
        self.ruleset.form = Form::Sets;
        let sets = Ipset::open().and_then(|mut ipset| ipset.list(Bank::PREFIX));
        let sets = sets.map_err(set_error)?;
        let mut entries = Entries::default();
        for (family, role, of_bank) in &self.looks {
            let name = role.name(*family, *of_bank);
            match sets.iter().find(|set| set.name == name) {
                Some(set) => entries.take(*role, set),
                None => self.odd.push(format!("the set {name} is not there")),
            }
        }
        for (key, entry) in &entries.marking {
            self.digest.update(format!("{key} {entry} {:?}\n", entry.group).as_bytes());
        }
        self.odd.append(&mut entries.odd);
        for sentence in &self.odd {
            self.digest.update(sentence.as_bytes());
        }
        self.ruleset.entries.append(&mut entries.marking);
        self.counts.append(&mut entries.counts);
        Ok(())
    }

    /// Compares what there is with what we would make of it.
    fn judge(mut self, families: BTreeMap<Family, FamilyFound>) -> Found {
        let banks: BTreeMap<_, _> =
            self.looks.iter().rev().map(|(family, _, bank)| (*family, *bank)).collect();
        if !families.is_empty() {
            self.ruleset.frame = Frame::Intact;
            for family in Family::BOTH {
                let bank = banks.get(&family).copied().unwrap_or_default();
                self.compare(family, families.get(&family), bank);
            }
            if !self.odd.is_empty() {
                self.ruleset.frame = Frame::RulesDiffer(self.odd);
            }
        }
        let digest = self.digest.digest();
        // Two halves of 64 good bits; 0 means "any" elsewhere.
        let generation = u32::try_from((digest ^ (digest >> 32)) & 0xffff_ffff).unwrap_or(1).max(1);
        Found {
            value: CountedRuleset { ruleset: self.ruleset, counts: self.counts },
            generation: Generation(generation),
            families,
            banks,
            source_counts: self.source_counts,
        }
    }

    fn compare(&mut self, family: Family, found: Option<&FamilyFound>, bank: Bank) {
        let wanted = involves(&self.ruleset, family).then(|| chains(&self.ruleset, family, bank));
        let (wanted, found) = match (wanted, found) {
            (None, None) => return,
            (Some(wanted), Some(found)) => (wanted, found),
            (Some(_), None) => {
                self.odd.push(format!("the chains of {family} are not there"));
                return;
            }
            (None, Some(_)) => {
                self.odd.push(format!("chains of {family} that nothing needs"));
                return;
            }
        };
        let sources = (!wanted.sources.is_empty()).then_some(&wanted.sources);
        for (name, wanted, found) in [
            (MARKS, Some(&wanted.marks), &found.marks),
            (LEDGER, Some(&wanted.ledger), &found.ledger),
            (SOURCES, sources, &found.sources),
        ] {
            let is_so = match (wanted, found) {
                (None, None) => true,
                (Some(wanted), Some(found)) => {
                    let wanted = wanted.iter().map(|rule| meaning(rule, family));
                    wanted.eq(found.iter().map(|rule| rule.meaning.clone()))
                }
                _ => false,
            };
            if !is_so && self.odd.is_empty() {
                self.odd.push(match found {
                    None => format!("the chain {name} of {family} is not there"),
                    Some(_) => format!(
                        "the rules of the chain {name} of {family} are not as they were made"
                    ),
                });
            }
        }
        if !found.jumps.agree(&Jumps::to(&wanted), family) {
            self.odd.push(format!("the jumps to our chains of {family} are not as they were made"));
        }
    }
}

pub(super) fn set_error(error: IpsetError) -> NetfilterError {
    match error {
        IpsetError::Privilege => NetfilterError::PrivilegeOf("ipset".to_owned()),
        IpsetError::Netlink(error) => error.into(),
        IpsetError::Unsupported(why) => NetfilterError::Missing(format!(
            "this kernel has no ipset: {why}; or keep to rules with a higher max-rules"
        )),
        IpsetError::InUse(name) => NetfilterError::Refused {
            object: format!("the set {name}"),
            reason: "a rule that is not ours looks into it, and it cannot be made anew \
                     (iptables-save and nft list ruleset show which)"
                .to_owned(),
        },
        error => NetfilterError::Refused {
            object: "a set of marks".to_owned(),
            reason: error.to_string(),
        },
    }
}
