//! `nft -j list ruleset` (libnftables-json(5)): the chains that arriving packets meet before
//! IPVS does, in the order in which the kernel calls them.
//!
//! The answer is one line, so that a place is a table, a chain and a handle. Rules that
//! iptables-nft made are seen and not understood: their extensions are a name and nothing
//! else here.

mod field;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::walk::{Chains, Hook, walk};
use super::{Document, ImportError, Imported, Path, sources};
use crate::model::Family;

/// A table: `ip`, `ip6` or `inet`, and its name.
type TableName<'d> = (&'d str, &'d str);

/// Reads a ruleset.
///
/// # Errors
/// [`ImportError::NotThat`] where it is no JSON, or not of nft.
pub(super) fn read(document: &Document, found: &mut Imported) -> Result<(), ImportError> {
    let not_that = |line: usize, what: &str| {
        let (place, kind) = (document.line(line.max(1)), "the output of nft -j list ruleset");
        ImportError::NotThat { place, kind, what: what.to_owned() }
    };
    let text = document.text();
    let root: Value = serde_json::from_str(text).map_err(|error| {
        if text.trim_start().starts_with("table ") {
            return not_that(error.line(), "it is the text of nft list ruleset; add -j");
        }
        not_that(error.line(), &error.to_string())
    })?;
    let items = root.get("nftables").and_then(Value::as_array);
    let items = items.ok_or_else(|| not_that(1, "it has no list \"nftables\""))?;
    let ruleset = Ruleset::of(items, document);
    ruleset.hand_over(found);
    Ok(())
}

/// A chain that the kernel calls.
struct Base<'d> {
    table: TableName<'d>,
    name: &'d str,
    hook: &'d str,
    priority: i64,
}

/// The named sets and maps of a ruleset: their elements.
pub(super) type Sets<'d> = BTreeMap<(TableName<'d>, &'d str), &'d Value>;

#[derive(Default)]
struct Ruleset<'d> {
    bases: Vec<Base<'d>>,
    chains: BTreeMap<TableName<'d>, Chains>,
    masking: BTreeMap<super::Place, super::Masking>,
    /// Tables of iptables.
    foreign: BTreeSet<TableName<'d>>,
    places: BTreeMap<TableName<'d>, super::Place>,
}

impl<'d> Ruleset<'d> {
    fn of(items: &'d [Value], document: &Document) -> Self {
        let mut ruleset = Self::default();
        let mut sets = Sets::new();
        for item in items {
            for kind in ["set", "map"] {
                if let Some((table, name, body)) = object(item, kind)
                    && let Some(elements) = body.get("elem")
                {
                    sets.insert((table, name), elements);
                }
            }
            if let Some((table, name, body)) = object(item, "chain") {
                ruleset.chain(table, name, body);
            }
        }
        for item in items {
            let Some(body) = item.get("rule") else { continue };
            let word = |key: &str| body.get(key).and_then(Value::as_str);
            let (Some(family), Some(table), Some(chain)) =
                (word("family"), word("table"), word("chain"))
            else {
                continue;
            };
            let handle = body.get("handle").and_then(Value::as_u64).unwrap_or(0);
            let of = format!("table {family} {table}");
            let place = document.named(format!("{of}, chain {chain}, handle {handle}"));
            let table = (family, table);
            ruleset.places.entry(table).or_insert_with(|| document.named(of));
            let read = rule::Reader::new(table, &sets, place).read(body);
            if read.foreign {
                ruleset.foreign.insert(table);
            }
            ruleset.masking.extend(read.masks.map(|masks| (masks.place.clone(), masks)));
            let chains = ruleset.chains.entry(table).or_default();
            chains.entry(chain.to_owned()).or_default().extend(read.rules);
        }
        ruleset
    }

    fn chain(&mut self, table: TableName<'d>, name: &'d str, body: &'d Value) {
        if let Some(hook) = body.get("hook").and_then(Value::as_str) {
            let priority = body.get("prio").and_then(Value::as_i64).unwrap_or(0);
            self.bases.push(Base { table, name, hook, priority });
        }
    }

    fn hand_over(self, found: &mut Imported) {
        let Self { mut bases, chains, masking, foreign, places } = self;
        // At equal priority the chain that came later is called first.
        bases.reverse();
        bases.sort_by_key(|base| base.priority);
        let mut met = BTreeSet::new();
        for base in &bases {
            let hook = match base.hook {
                "prerouting" => Hook::Turned(Path::Arriving),
                "output" => Hook::Turned(Path::Local),
                "input" | "ingress" => Hook::Told {
                    place: format!("the hook {}", base.hook),
                    behind: (base.hook == "input").then_some(Path::Arriving),
                },
                _ => continue,
            };
            // What iptables made is for its own dump to say.
            if foreign.contains(&base.table) {
                met.insert(base.table);
            } else if let Some(chains) = chains.get(&base.table) {
                walk(chains, base.name, (&hook, family_of(base.table)), found);
            }
        }
        for place in met.iter().filter_map(|table| places.get(table)) {
            let sentence = "rules of iptables are in it, of which nft shows names only: give \
                            the output of iptables-save or ip6tables-save too";
            found.not_turned(place.clone(), sentence);
        }
        for base in bases.iter().filter(|base| base.hook == "postrouting") {
            if let Some(chains) = chains.get(&base.table)
                && !foreign.contains(&base.table)
            {
                sources::hand_over(chains, base.name, &masking, found);
            }
        }
    }
}

fn object<'d>(item: &'d Value, kind: &str) -> Option<(TableName<'d>, &'d str, &'d Value)> {
    let body = item.get(kind)?;
    let word = |key: &str| body.get(key).and_then(Value::as_str);
    Some(((word("family")?, word("table")?), word("name")?, body))
}

/// The family of a table of one.
fn family_of(table: TableName<'_>) -> Option<Family> {
    match table.0 {
        "ip" => Some(Family::Ipv4),
        "ip6" => Some(Family::Ipv6),
        _ => None,
    }
}
