//! A packet's way through the chains of a hook. It is no emulation of netfilter: what a
//! rule does is yes or no where that follows from what is known, and else it is said to be
//! doubtful, with the reason for the doubt.

use super::packet::{Byte, CtState, Packet};
use super::ruleset::{Chain, ChainId, Hook, PRIORITY_OF_OURS, Rule, Ruleset, Step, Verdict};
use super::run::{Doubt, Run, Truth, both, compare, known};

/// How many jumps deep a packet is followed; the kernel allows 16 (`NFT_JUMP_STACK_SIZE`).
const DEPTH: usize = 16;

/// IPVS takes packets at input at 98 or 99 (`ip_vs_ops4`, `net/netfilter/ipvs/ip_vs_core.c`).
const IPVS_AT_INPUT: i32 = 98;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::preflight) enum Kind {
    /// It is dropped or rejected.
    Dropped,
    /// It goes elsewhere: another destination, or to a program.
    Diverted,
    /// It gets another mark than ours, after ours.
    Marked(Option<u32>),
    /// It leaves the chain that calls ours before it comes there.
    Missed,
}

/// Something that happens to the packet, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::preflight) struct Event {
    pub(in crate::preflight) kind: Kind,
    pub(in crate::preflight) doubt: Doubt,
    /// The base chain.
    pub(in crate::preflight) base: ChainId,
    pub(in crate::preflight) hook: Hook,
    pub(in crate::preflight) priority: i32,
    /// The chain of the rule.
    pub(in crate::preflight) chain: ChainId,
    /// The rule; `None` is the policy.
    pub(in crate::preflight) handle: Option<u64>,
    /// Whether the packet had our mark there.
    pub(in crate::preflight) marked: bool,
}

/// Sends `packet` through `hooks`. Our own chain gives it `mark` where it is, or would be:
/// a chain that is made anew is called before others of its priority.
pub(in crate::preflight) fn walk(
    ruleset: &Ruleset,
    mut packet: Packet,
    hooks: &[Hook],
    mark: Option<u32>,
) -> Vec<Event> {
    // What does not come in by prerouting has its mark already, or will never have one.
    let marked = hooks.first() != Some(&Hook::Prerouting);
    let mut walk = Walk {
        ruleset,
        mark,
        marked,
        doubt: Doubt::None,
        is_tie: false,
        calls_ours: false,
        events: Vec::new(),
    };
    if marked {
        packet.mark = mark.or(packet.mark);
    }
    for &hook in hooks {
        if !walk.hook(hook, &mut packet) {
            break;
        }
    }
    walk.events
}

struct Walk<'a> {
    ruleset: &'a Ruleset,
    mark: Option<u32>,
    marked: bool,
    doubt: Doubt,
    /// Whether this chain may come before ours: same priority, and nobody tells.
    is_tie: bool,
    /// Whether this chain is the one that calls ours: the table of iptables at prerouting.
    calls_ours: bool,
    events: Vec<Event>,
}

/// How a chain ends.
enum End {
    Through,
    Accepted,
    Gone,
}

/// Where the packet is.
struct Place<'a> {
    base: &'a ChainId,
    hook: Hook,
    priority: i32,
    chain: &'a ChainId,
}

impl Walk<'_> {
    /// Whether the packet goes on.
    fn hook(&mut self, hook: Hook, packet: &mut Packet) -> bool {
        let chains = self.ruleset.hooked(hook, packet.family);
        let ours = chains.iter().any(|(chain, _)| chain.id.is_ours() || jumps_to_ours(chain));
        for (chain, base) in chains {
            if hook == Hook::Input && base.priority >= IPVS_AT_INPUT {
                break;
            }
            if hook == Hook::Prerouting && !ours && base.priority >= PRIORITY_OF_OURS {
                self.give_mark(packet);
            }
            if chain.id.is_ours() {
                if hook == Hook::Prerouting {
                    self.give_mark(packet);
                }
                continue;
            }
            let place = Place { base: &chain.id, hook, priority: base.priority, chain: &chain.id };
            self.doubt = Doubt::None;
            self.is_tie = ours
                && hook == Hook::Prerouting
                && base.priority == PRIORITY_OF_OURS
                && chain.order.is_none()
                && !jumps_to_ours(chain);
            self.calls_ours = hook == Hook::Prerouting && jumps_to_ours(chain);
            match self.chain(chain, &place, packet, Doubt::None, DEPTH) {
                End::Gone => return false,
                End::Through if base.drops => {
                    self.event(Kind::Dropped, self.doubt, &place, None);
                    if self.doubt == Doubt::None {
                        return false;
                    }
                }
                End::Accepted | End::Through => {}
            }
        }
        if hook == Hook::Prerouting {
            self.give_mark(packet);
        }
        true
    }

    fn give_mark(&mut self, packet: &mut Packet) {
        if !self.marked {
            self.marked = true;
            packet.mark = self.mark.or(packet.mark);
        }
    }

    fn event(&mut self, kind: Kind, doubt: Doubt, place: &Place<'_>, handle: Option<u64>) {
        self.events.push(Event {
            kind,
            doubt,
            base: place.base.clone(),
            hook: place.hook,
            priority: place.priority,
            chain: place.chain.clone(),
            handle,
            marked: self.marked && self.mark.is_some(),
        });
    }

    /// Notes that a rule ends the base chain. Where ours would have been called behind it,
    /// the packet goes on without a mark.
    fn ends(&mut self, doubt: Doubt, place: &Place<'_>, handle: u64) {
        // Some clients are left out: that is its purpose.
        if self.calls_ours && !self.marked && self.mark.is_some() && doubt != Doubt::Clients {
            self.event(Kind::Missed, doubt, place, Some(handle));
        }
    }

    /// Through the rules of a chain; `here` is how doubtful it is that the packet comes
    /// there. What is doubtful never ends the way.
    fn chain(
        &mut self,
        chain: &Chain,
        place: &Place<'_>,
        packet: &mut Packet,
        mut here: Doubt,
        depth: usize,
    ) -> End {
        for rule in &chain.rules {
            let mut run = Run::new(here);
            for step in &rule.steps {
                if !self.step(step, &mut run, place, packet, rule) {
                    break;
                }
            }
            let Some(verdict) = run.verdict else { continue };
            let sure = run.doubt == Doubt::None;
            match verdict {
                // Some clients are kept out, or too many packets: that is its purpose.
                Verdict::Drop | Verdict::Divert if run.doubt == Doubt::Clients => {}
                Verdict::Drop | Verdict::Divert => {
                    let is_drop = verdict == Verdict::Drop;
                    let kind = if is_drop { Kind::Dropped } else { Kind::Diverted };
                    self.event(kind, self.doubt.max(run.doubt), place, Some(rule.handle));
                    if sure {
                        return End::Gone;
                    }
                }
                // The program may give it back.
                Verdict::Queue => {
                    self.event(Kind::Diverted, Doubt::Unknown, place, Some(rule.handle));
                }
                Verdict::Accept => {
                    self.ends(run.doubt, place, rule.handle);
                    if sure {
                        return End::Accepted;
                    }
                    self.doubt = self.doubt.max(run.doubt);
                }
                Verdict::Return => {
                    // In a chain that was jumped to it leads back.
                    if place.chain == place.base {
                        self.ends(run.doubt, place, rule.handle);
                    }
                    if sure {
                        return End::Through;
                    }
                    here = here.max(run.doubt);
                }
                Verdict::Jump(ref name) | Verdict::Goto(ref name) => {
                    let id = chain.id.sibling(name);
                    let target = self.ruleset.chain(&id).filter(|_| depth > 0);
                    let Some(target) = target else {
                        self.doubt = Doubt::Unknown;
                        continue;
                    };
                    if id.is_ours() {
                        if place.hook == Hook::Prerouting {
                            self.give_mark(packet);
                        }
                        continue;
                    }
                    let inner = Place { chain: &target.id, ..*place };
                    match self.chain(target, &inner, packet, run.doubt, depth - 1) {
                        End::Through => {}
                        end => return end,
                    }
                    if matches!(verdict, Verdict::Goto(_)) && place.chain == place.base {
                        self.ends(run.doubt, place, rule.handle);
                    }
                    match verdict {
                        Verdict::Goto(_) if sure => return End::Through,
                        Verdict::Goto(_) => here = here.max(run.doubt),
                        _ => {}
                    }
                }
            }
        }
        End::Through
    }

    /// Runs one step; `false` where the rule does not match.
    fn step(
        &mut self,
        step: &Step,
        run: &mut Run,
        place: &Place<'_>,
        packet: &mut Packet,
        rule: &Rule,
    ) -> bool {
        match step {
            Step::Meta { key, to } => run.load(*to, &packet.meta(*key)),
            Step::Ct { key, to } => run.load(*to, &packet.ct(*key)),
            Step::Payload { base, offset, length, to } => {
                run.load(*to, &packet.payload(*base, *offset, *length));
            }
            Step::DestinationType { to } => {
                // RTN_LOCAL and RTN_UNICAST.
                let kind: u32 = if packet.is_local { 2 } else { 1 };
                run.load(*to, &kind.to_ne_bytes().map(Byte::Known));
            }
            Step::Sometimes { to } => run.load(*to, &[Byte::Varies; 16]),
            Step::Blind { to } => run.load(*to, &[Byte::Unknown; 16]),
            Step::Value { to, value } => {
                let bytes: Vec<_> = value.iter().copied().map(Byte::Known).collect();
                run.load(*to, &bytes);
            }
            Step::Bitwise { from, to, mask, xor } => run.bitwise(*from, *to, mask, xor),
            Step::Swap { from, to, length, size } => run.swap(*from, *to, *length, *size),
            Step::Compare { at, operator, value } => {
                return run.needs(compare(&run.bytes(*at, value.len()), *operator, value));
            }
            Step::Range { at, inverted, first, last } => {
                let bytes = run.bytes(*at, first.len());
                let within = both(compare(&bytes, 5, first), compare(&bytes, 3, last));
                return run.needs(within.inverted_if(*inverted));
            }
            Step::Lookup { set, at, to, inverted } => {
                let set = self.ruleset.set(place.chain, set);
                return run.look_up(set, *at, *to, *inverted);
            }
            Step::SetMark { from } => {
                let bytes = run.bytes(*from, 4);
                let value = known(&bytes)
                    .and_then(|bytes| bytes.first_chunk().copied())
                    .map(u32::from_ne_bytes);
                self.set_mark(value, run.doubt, place, packet, rule);
            }
            Step::ChangeMark { value, mask } => {
                let value = packet.mark.map(|mark| mark & !mask ^ value);
                self.set_mark(value, run.doubt, place, packet, rule);
            }
            Step::GuessMark => self.set_mark(None, run.doubt, place, packet, rule),
            Step::Test(test) => return run.needs(test.matches(packet)),
            Step::Untrack if run.doubt == Doubt::None => packet.state = Some(CtState::Untracked),
            Step::Untrack => packet.state = None,
            Step::Limit => return run.needs(Truth::Sometimes),
            Step::Verdict(verdict) => {
                run.verdict = Some(verdict.clone());
                return false;
            }
            Step::Nothing => {}
            Step::Unknown(_) => return run.needs(Truth::Unknown),
        }
        true
    }

    fn set_mark(
        &mut self,
        value: Option<u32>,
        doubt: Doubt,
        place: &Place<'_>,
        packet: &mut Packet,
        rule: &Rule,
    ) {
        if value.is_some() && value == packet.mark {
            return;
        }
        let doubt = self.doubt.max(doubt);
        if self.marked && self.mark.is_some() {
            // What is not known may be our own mark, as conntrack saved it.
            let guess = value.is_none() || self.is_tie;
            let doubt = if guess { Doubt::Unknown } else { doubt };
            self.event(Kind::Marked(value), doubt, place, Some(rule.handle));
            // One finding is enough: go on as if it were mended.
            return;
        }
        packet.mark = if doubt == Doubt::None { value } else { None };
    }
}

/// The number of the rule by which a chain of iptables calls the one that marks for us.
pub(in crate::preflight) fn jump_to_ours(chain: &Chain) -> Option<usize> {
    let jumps = |step: &Step| matches!(step, Step::Verdict(Verdict::Jump(name)) if chain.id.sibling(name).is_ours());
    chain.rules.iter().position(|rule| rule.steps.iter().any(jumps)).map(|place| place + 1)
}

/// Whether a chain of iptables calls the one that marks for us.
fn jumps_to_ours(chain: &Chain) -> bool {
    jump_to_ours(chain).is_some()
}
