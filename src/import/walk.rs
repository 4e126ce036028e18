//! The way of a packet through chains: which marks it is given, and by which rules.
//!
//! iptables and nftables differ in their words and not in this. A rule that marks says
//! something of a packet only together with the rules that lead to it, and with those
//! before it that let packets go.

use std::collections::BTreeMap;

use super::found::Overwrite;
use super::matches::{MAX_KEYS, Matches};
use super::{Claim, Imported, Path, Place};
use crate::model::{Family, GroupName, Mark};
use crate::state::MarkKey;

/// Jumps in jumps; the kernel's own bound (`NFT_JUMP_STACK_SIZE`, `nf_tables.h`).
pub(super) const MAX_DEPTH: usize = 16;

/// Rules that are looked at, and rules that let packets go: chains that call each other
/// twice double at each step, and nobody writes so many by hand.
pub(super) const MAX_RULES: usize = 400_000;
const MAX_EXITS: usize = 256;

/// What a rule does with what it matches.
#[derive(Debug, Clone)]
pub(super) enum Action {
    /// Gives it this mark, whole.
    Mark(u32),
    /// Gives each case its mark: a look-up in a map.
    Marks(Vec<Case>),
    /// Writes its mark in a way that a group cannot; a sentence.
    Writes(String),
    /// Goes on in another chain, and comes back.
    Jump(String),
    /// Goes on in another chain, and does not come back.
    Goto(String),
    /// Lets it go: no more rules of this hook.
    Accept,
    /// Back to where the chain was called.
    Return,
}

/// What a map holds for some packets.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) matches: Matches,
    pub(super) mark: u32,
    pub(super) name: Option<GroupName>,
}

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) matches: Matches,
    pub(super) actions: Vec<Action>,
    pub(super) name: Option<GroupName>,
    pub(super) place: Place,
}

/// Chains by their names.
pub(super) type Chains = BTreeMap<String, Vec<Rule>>;

/// Where a chain that begins a way is called.
#[derive(Debug, Clone)]
pub(super) enum Hook {
    /// Where marks are turned.
    Turned(Path),
    /// Where they are told.
    Told {
        /// The name of the place.
        place: String,
        /// Whose packets come there afterwards, with the marks that they were given.
        behind: Option<Path>,
    },
}

/// Follows packets of a family, or of both, through `first` and the chains that it calls.
pub(super) fn walk(
    chains: &Chains,
    first: &str,
    (hook, family): (&Hook, Option<Family>),
    found: &mut Imported,
) {
    found.next_chain();
    let mut walker = Walker { chains, hook, found, exits: Vec::new(), yields: false, seen: 0 };
    walker.chain(first, &Matches { family, ..Matches::default() }, 0);
}

/// Packets that are let go before the end.
struct Exit {
    matches: Matches,
    place: Place,
}

struct Walker<'w> {
    chains: &'w Chains,
    hook: &'w Hook,
    found: &'w mut Imported,
    exits: Vec<Exit>,
    /// Whether packets with a mark were let go.
    yields: bool,
    seen: usize,
}

impl Walker<'_> {
    fn chain(&mut self, name: &str, before: &Matches, depth: usize) {
        let Some(rules) = self.chains.get(name) else { return };
        let mut returns = Vec::new();
        for rule in rules {
            self.seen += 1;
            if self.seen == MAX_RULES {
                let sentence = "here the rules are too many: what follows is not looked at";
                self.found.not_turned(rule.place.clone(), sentence);
            }
            if self.seen >= MAX_RULES {
                return;
            }
            self.rule(rule, before, depth, &mut returns);
        }
        // Who returned goes on behind the call.
        self.exits.retain(|exit| !returns.contains(&exit.place));
    }

    fn rule(&mut self, rule: &Rule, before: &Matches, depth: usize, returns: &mut Vec<Place>) {
        let matches = before.and(&rule.matches);
        let ends = rule.actions.iter().any(|it| matches!(it, Action::Accept | Action::Return));
        let mut marked = false;
        for action in &rule.actions {
            match action {
                Action::Mark(mark) => {
                    marked = true;
                    let named = (*mark, rule.name.as_ref(), ends);
                    if let Err(sentence) = self.mark(rule, &matches, named) {
                        self.tell(rule, sentence);
                        self.overwrite(rule, &matches, Some(*mark));
                    }
                }
                Action::Marks(cases) => {
                    marked = true;
                    self.map(rule, &matches, cases, ends);
                }
                Action::Writes(sentence) => {
                    self.tell(rule, sentence.clone());
                    self.overwrite(rule, &matches, None);
                }
                Action::Jump(chain) | Action::Goto(chain) if depth < MAX_DEPTH => {
                    self.chain(chain, &matches, depth + 1);
                    if matches!(action, Action::Goto(_)) {
                        self.exit(rule, &matches);
                        returns.push(rule.place.clone());
                    }
                }
                Action::Jump(_) | Action::Goto(_) => {
                    self.tell(rule, "its jumps are too deep".to_owned());
                }
                // Who was marked and let go is in the claim.
                Action::Accept | Action::Return if marked => {}
                Action::Accept => self.exit(rule, &matches),
                Action::Return => {
                    self.exit(rule, &matches);
                    if depth > 0 {
                        returns.push(rule.place.clone());
                    }
                }
            }
        }
    }

    fn exit(&mut self, rule: &Rule, matches: &Matches) {
        if matches.is_every_marked() {
            self.yields = true;
        } else if self.exits.len() < MAX_EXITS {
            self.exits.push(Exit { matches: matches.clone(), place: rule.place.clone() });
        } else {
            let sentence = "too many rules before it let packets go: it is not looked at";
            self.found.not_turned(rule.place.clone(), sentence);
        }
    }

    /// What is wrong with many entries of a map is said once.
    fn map(&mut self, rule: &Rule, matches: &Matches, cases: &[Case], last: bool) {
        let mut refused = Vec::new();
        for case in cases {
            let name = case.name.as_ref().or(rule.name.as_ref());
            let mark = (case.mark, name, last);
            let matches = matches.and(&case.matches);
            if let Err(sentence) = self.mark(rule, &matches, mark) {
                refused.push(sentence);
                self.overwrite(rule, &matches, Some(case.mark));
            }
        }
        let more = refused.len().saturating_sub(1);
        if let Some(first) = refused.into_iter().next() {
            let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
            self.tell(rule, format!("{first}{more}"));
        }
    }

    fn mark(
        &mut self,
        rule: &Rule,
        matches: &Matches,
        (mark, name, last): (u32, Option<&GroupName>, bool),
    ) -> Result<(), String> {
        let path = match self.hook {
            Hook::Turned(path) => *path,
            Hook::Told { place, .. } => {
                return Err(format!(
                    "it marks in {place}; groups mark what arrives, in PREROUTING of mangle"
                ));
            }
        };
        let keys = matches.keys()?;
        let mark = Mark::new(mark);
        let mark = mark.ok_or("it sets mark 0, which takes away what rules before it gave")?;
        let exit = |key: &MarkKey| self.exits.iter().find(|exit| exit.matches.may_meet(key));
        if let Some(exit) = keys.iter().find_map(exit) {
            return Err(format!("{} lets go of packets that it would mark", exit.place));
        }
        if self.found.claims.len() + keys.len() > MAX_KEYS {
            return Err("there are more marks than a director can hold".to_owned());
        }
        for key in keys {
            self.found.claim(Claim {
                key,
                mark,
                path,
                yields: self.yields || matches.unmarked,
                last,
                name: name.cloned(),
                place: rule.place.clone(),
            });
        }
        Ok(())
    }

    /// A rule that is told may still change the marks of those before it, unless it leaves
    /// packets alone that have one.
    fn overwrite(&mut self, rule: &Rule, matches: &Matches, mark: Option<u32>) {
        if self.yields || matches.unmarked {
            return;
        }
        let (path, behind_all) = match self.hook {
            Hook::Turned(path) => (*path, false),
            Hook::Told { behind: Some(path), .. } => (*path, true),
            Hook::Told { behind: None, .. } => return,
        };
        let (matches, place) = (matches.clone(), rule.place.clone());
        self.found.overwrite(Overwrite { matches, mark, path, place }, behind_all);
    }

    fn tell(&mut self, rule: &Rule, sentence: String) {
        self.found.not_turned(rule.place.clone(), sentence);
    }
}
