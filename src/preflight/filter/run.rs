//! A rule that is being run: registers of which some bytes are known, and conditions that
//! hold, do not hold, or may.

use super::packet::Byte;
use super::ruleset::{Element, Set, Target, Verdict};

/// The registers of nf_tables: 16 of four bytes.
const REGISTERS: usize = 64;

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::preflight) enum Truth {
    Yes,
    No,
    /// For some clients, or at times.
    Sometimes,
    Unknown,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

impl Truth {
    /// The opposite. What holds for a few clients only does not hold for most, and that is
    /// worth a word.
    pub(super) fn inverted_if(self, inverted: bool) -> Self {
        match (self, inverted) {
            (same, false) => same,
            (Self::Yes, true) => Self::No,
            (Self::No, true) => Self::Yes,
            (Self::Sometimes | Self::Unknown, true) => Self::Unknown,
        }
    }
}

/// How sure it is that the packet meets a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::preflight) enum Doubt {
    /// Every packet does.
    None,
    /// It depends on the client, or the moment.
    Clients,
    /// There are rules that cannot be worked out.
    Unknown,
}

/// A rule that is being run.
pub(super) struct Run {
    pub(super) doubt: Doubt,
    registers: [Byte; REGISTERS],
    pub(super) verdict: Option<Verdict>,
}

impl Run {
    /// A rule to which the packet comes with this doubt.
    pub(super) fn new(doubt: Doubt) -> Self {
        Self { doubt, registers: [Byte::Unknown; REGISTERS], verdict: None }
    }

    pub(super) fn load(&mut self, to: usize, bytes: &[Byte]) {
        // Loads fill whole registers.
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        let zeros = std::iter::repeat_n(&Byte::Known(0), padding);
        let registers = self.registers.iter_mut().skip(to);
        for (register, byte) in registers.zip(bytes.iter().chain(zeros)) {
            *register = *byte;
        }
    }

    pub(super) fn bytes(&self, at: usize, length: usize) -> Vec<Byte> {
        (at..at + length)
            .map(|at| self.registers.get(at).copied().unwrap_or(Byte::Unknown))
            .collect()
    }

    pub(super) fn bitwise(&mut self, from: usize, to: usize, mask: &[u8], xor: &[u8]) {
        let bytes: Vec<_> = self
            .bytes(from, mask.len())
            .into_iter()
            .zip(mask.iter().zip(xor))
            .map(|(byte, (mask, xor))| match byte {
                Byte::Known(value) => Byte::Known(value & mask ^ xor),
                // What is masked away is known to be.
                _ if *mask == 0 => Byte::Known(*xor),
                other => other,
            })
            .collect();
        self.load(to, &bytes);
    }

    pub(super) fn swap(&mut self, from: usize, to: usize, length: usize, size: usize) {
        let mut bytes = self.bytes(from, length);
        if size > 0 && length.is_multiple_of(size) {
            bytes.chunks_mut(size).for_each(<[Byte]>::reverse);
        }
        self.load(to, &bytes);
    }

    /// Takes a condition into account; `false` where it does not hold.
    pub(super) fn needs(&mut self, truth: Truth) -> bool {
        self.doubt = self.doubt.max(match truth {
            Truth::Yes => return true,
            Truth::No => return false,
            Truth::Sometimes => Doubt::Clients,
            Truth::Unknown => Doubt::Unknown,
        });
        true
    }

    pub(super) fn look_up(
        &mut self,
        set: Option<&Set>,
        at: usize,
        to: Option<Target>,
        inverted: bool,
    ) -> bool {
        let Some(set) = set else {
            self.unknown_data(to);
            return self.needs(Truth::Unknown);
        };
        let bytes = self.bytes(at, set.key_length);
        let (Some(key), Some(elements)) = (known(&bytes), &set.elements) else {
            let is_empty = set.elements.as_ref().is_some_and(Vec::is_empty);
            let truth = if is_empty { Truth::No } else { missing(&bytes) };
            self.unknown_data(to);
            return self.needs(truth.inverted_if(inverted));
        };
        let found = find(set, elements, &key);
        if !self.needs(Truth::from(found.is_some() != inverted)) {
            return false;
        }
        match (to, found) {
            (Some(Target::Verdict), Some(element)) => {
                self.verdict.clone_from(&element.verdict);
                false
            }
            (Some(Target::Register(to)), Some(element)) => {
                let data = element.data.clone().unwrap_or_default();
                let bytes: Vec<_> = data.into_iter().map(Byte::Known).collect();
                self.load(to, &bytes);
                true
            }
            _ => true,
        }
    }

    fn unknown_data(&mut self, to: Option<Target>) {
        if let Some(Target::Register(to)) = to {
            self.load(to, &[Byte::Unknown; 16]);
        }
    }
}

/// The element that holds a key (`nft_rbtree_lookup`, `nft_pipapo_lookup`).
fn find<'e>(set: &Set, elements: &'e [Element], key: &[u8]) -> Option<&'e Element> {
    if !set.is_interval {
        return elements.iter().find(|element| element.key == key);
    }
    let spans = |element: &&Element| {
        let Some(last) = &element.last else { return false };
        // Each part by itself: parts are whole registers.
        let parts = element.key.chunks(4).zip(last.chunks(4)).zip(key.chunks(4));
        let mut parts = parts.map(|((first, last), part)| first <= part && part <= last);
        parts.all(|inside| inside)
    };
    elements.iter().find(spans).or_else(|| {
        let below = elements.iter().filter(|e| e.last.is_none() && e.key.as_slice() <= key);
        // An interval that ends where another begins: the beginning counts.
        let nearest = below.max_by_key(|element| (element.key.clone(), !element.ends));
        nearest.filter(|element| !element.ends)
    })
}

/// The bytes, where all of them are known.
pub(super) fn known(bytes: &[Byte]) -> Option<Vec<u8>> {
    let known = |byte: &Byte| match byte {
        Byte::Known(value) => Some(*value),
        _ => None,
    };
    bytes.iter().map(known).collect()
}

/// What can be said where bytes are missing, or all there is to compare them with.
fn missing(bytes: &[Byte]) -> Truth {
    if bytes.contains(&Byte::Varies) && !bytes.contains(&Byte::Unknown) {
        Truth::Sometimes
    } else {
        Truth::Unknown
    }
}

/// `cmp` of an operator (`NFT_CMP_*`): eq, neq, lt, lte, gt, gte.
pub(super) fn compare(bytes: &[Byte], operator: u32, value: &[u8]) -> Truth {
    if let Some(bytes) = known(bytes) {
        let order = bytes.as_slice().cmp(value);
        return Truth::from(match operator {
            0 => order.is_eq(),
            1 => order.is_ne(),
            2 => order.is_lt(),
            3 => order.is_le(),
            4 => order.is_gt(),
            _ => order.is_ge(),
        });
    }
    let differs = bytes.iter().zip(value).any(|(byte, value)| match byte {
        Byte::Known(byte) => byte != value,
        _ => false,
    });
    match operator {
        0 | 1 => {
            let equal = if differs { Truth::No } else { missing(bytes) };
            equal.inverted_if(operator == 1)
        }
        _ => missing(bytes),
    }
}

/// Whether two conditions hold.
pub(super) fn both(one: Truth, other: Truth) -> Truth {
    match (one, other) {
        (Truth::No, _) | (_, Truth::No) => Truth::No,
        (Truth::Unknown, _) | (_, Truth::Unknown) => Truth::Unknown,
        (Truth::Sometimes, _) | (_, Truth::Sometimes) => Truth::Sometimes,
        _ => Truth::Yes,
    }
}
