//! Which marks a rule asks for and which it gives, whatever packet comes by.

use super::ruleset::{Rule, Step};
use super::xt::Match;

/// The marks that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::preflight) struct Uses {
    /// What it compares the mark with: value and mask.
    pub(in crate::preflight) asked: Vec<(u32, u32)>,
    /// What it sets the mark to.
    pub(in crate::preflight) given: Vec<u32>,
}

/// What a register holds, as far as marks go.
#[derive(Debug, Clone, Copy)]
enum Holds {
    Mark { mask: u32 },
    Value(u32),
}

/// Reads a rule for marks.
pub(in crate::preflight) fn uses(rule: &Rule) -> Uses {
    let mut uses = Uses::default();
    let mut registers: Vec<(usize, Holds)> = Vec::new();
    let word = |bytes: &[u8]| bytes.first_chunk().copied().map(u32::from_ne_bytes);
    for step in &rule.steps {
        let held = |at: usize| registers.iter().rev().find(|(to, _)| *to == at).map(|(_, h)| *h);
        match step {
            // NFT_META_MARK
            Step::Meta { key: 3, to } => registers.push((*to, Holds::Mark { mask: u32::MAX })),
            Step::Bitwise { from, to, mask, xor } => {
                match (held(*from), word(mask), word(xor)) {
                    (Some(Holds::Mark { mask: before }), Some(mask), Some(0)) => {
                        registers.push((*to, Holds::Mark { mask: before & mask }));
                    }
                    // All bits are replaced.
                    (Some(Holds::Mark { .. }), Some(0), Some(value)) => {
                        registers.push((*to, Holds::Value(value)));
                    }
                    _ => registers.retain(|(at, _)| at != to),
                }
            }
            Step::Value { to, value } => match word(value) {
                Some(value) => registers.push((*to, Holds::Value(value))),
                None => registers.retain(|(at, _)| at != to),
            },
            Step::Compare { at, operator: 0, value } => {
                if let (Some(Holds::Mark { mask }), Some(value)) = (held(*at), word(value)) {
                    uses.asked.push((value, mask));
                }
            }
            Step::SetMark { from } => {
                if let Some(Holds::Value(value)) = held(*from) {
                    uses.given.push(value);
                }
            }
            Step::ChangeMark { value, mask: u32::MAX } => uses.given.push(*value),
            Step::Test(Match::Mark { value, mask, inverted: false }) => {
                uses.asked.push((*value, *mask));
            }
            Step::Meta { to, .. }
            | Step::Ct { to, .. }
            | Step::Payload { to, .. }
            | Step::Blind { to }
            | Step::Sometimes { to } => registers.retain(|(at, _)| at != to),
            _ => {}
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(steps: Vec<Step>) -> (Vec<(u32, u32)>, Vec<u32>) {
        let uses = uses(&Rule { handle: 1, steps });
        (uses.asked, uses.given)
    }

    #[test]
    fn comparisons_and_settings_are_found_behind_masks() {
        let bytes = |value: u32| value.to_ne_bytes().to_vec();
        let (asked, given) = marks(vec![
            Step::Meta { key: 3, to: 0 },
            Step::Bitwise { from: 0, to: 0, mask: bytes(0xff), xor: bytes(0) },
            Step::Compare { at: 0, operator: 0, value: bytes(10) },
            Step::Value { to: 0, value: bytes(25) },
            Step::SetMark { from: 0 },
        ]);
        assert_eq!((asked, given), (vec![(10, 0xff)], vec![25]));
        // A register that holds something else by now.
        let (asked, given) = marks(vec![
            Step::Meta { key: 3, to: 0 },
            Step::Payload { base: 2, offset: 2, length: 2, to: 0 },
            Step::Compare { at: 0, operator: 0, value: bytes(10) },
            Step::SetMark { from: 0 },
        ]);
        assert_eq!((asked, given), (Vec::new(), Vec::new()));
    }
}
