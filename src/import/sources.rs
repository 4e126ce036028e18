//! Which rules that replace sources a packet meets behind routing: those of the chain at the
//! hook, and of the chains that it calls.
//!
//! Full NAT replaces the source of all that IPVS sends to a real server. A rule that only
//! some of these packets come to is something else, and is told.

use std::collections::{BTreeMap, BTreeSet};

use super::found::Masking;
use super::matches::Matches;
use super::walk::{Action, Chains, MAX_DEPTH, MAX_RULES, Rule};
use super::{Imported, Place};
use crate::model::Prefix;

/// Hands over those of `masking` that packets meet from `first` on, by their places.
pub(super) fn hand_over(
    chains: &Chains,
    first: &str,
    masking: &BTreeMap<Place, Masking>,
    found: &mut Imported,
) {
    let (exits, met) = (Vec::new(), BTreeSet::new());
    let mut walker = Walker { chains, masking, found, exits, met, seen: 0 };
    walker.chain(first, None, 0);
}

/// Packets that are let go.
#[derive(Clone)]
struct Exit<'w> {
    matches: &'w Matches,
    place: &'w Place,
}

impl Exit<'_> {
    fn may_meet(&self, destination: Option<Prefix>) -> bool {
        let Some(destination) = destination else { return true };
        let all = self.matches.destinations.as_ref();
        all.is_none_or(|all| all.iter().any(|it| it.overlaps(&destination)))
    }
}

struct Walker<'w> {
    chains: &'w Chains,
    masking: &'w BTreeMap<Place, Masking>,
    found: &'w mut Imported,
    /// Those that see no later rule of any chain.
    exits: Vec<Exit<'w>>,
    met: BTreeSet<&'w Place>,
    seen: usize,
}

impl<'w> Walker<'w> {
    /// `condition` is what not every packet meets that leads here.
    fn chain(&mut self, name: &str, condition: Option<&Place>, depth: usize) {
        let Some(rules) = self.chains.get(name) else { return };
        // Those that go back to where the chain was called.
        let mut returns = Vec::new();
        for rule in rules {
            self.seen += 1;
            if self.seen > MAX_RULES || depth > MAX_DEPTH {
                return;
            }
            self.masks(rule, condition, &returns);
            let exit = Exit { matches: &rule.matches, place: &rule.place };
            for action in &rule.actions {
                match action {
                    Action::Jump(to) | Action::Goto(to) => {
                        let is_always = rule.matches == Matches::default();
                        let condition = if is_always { condition } else { Some(&rule.place) };
                        self.chain(to, condition, depth + 1);
                        if matches!(action, Action::Goto(_)) {
                            returns.push(exit.clone());
                        }
                    }
                    Action::Accept => self.exits.push(exit.clone()),
                    Action::Return => returns.push(exit.clone()),
                    Action::Mark(_) | Action::Marks(_) | Action::Writes(_) => {}
                }
            }
        }
    }

    fn masks(&mut self, rule: &'w Rule, condition: Option<&Place>, returns: &[Exit<'w>]) {
        let Some(masking) = self.masking.get(&rule.place) else { return };
        if !self.met.insert(&rule.place) {
            return;
        }
        let mut masking = masking.clone();
        let exits = self.exits.iter().chain(returns);
        let exit = exits.clone().find(|exit| exit.may_meet(masking.destination));
        let why = condition
            .map(|place| format!("what {place} asks, which leads to it"))
            .or_else(|| exit.map(|exit| format!("packets that {} does not let go", exit.place)));
        masking.other = masking.other.or(why);
        self.found.masking.push(masking);
    }
}
