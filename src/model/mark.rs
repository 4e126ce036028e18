//! Firewall marks: `skb->mark`, which IPVS compares whole.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

/// A firewall mark. Never 0: to netfilter 0 is "no mark", and IPVS takes a service on
/// mark 0 for the address service TCP 0.0.0.0:0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(NonZeroU32);

/// Why a text or number is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMark {
    /// Mark 0.
    #[error("mark 0 means \"not marked\" to the kernel")]
    Zero,
    /// A number above 32 bits.
    #[error("mark {0} does not fit into 32 bits")]
    TooLarge(String),
    /// Something else.
    #[error("'{0}' is not a mark: a decimal number, or a hexadecimal one with 0x")]
    NotANumber(String),
    /// A range that ends before it begins.
    #[error("the mark range {first}-{last} ends before it begins")]
    Reversed {
        /// The first mark as written.
        first: Mark,
        /// The last mark as written.
        last: Mark,
    },
}

impl Mark {
    /// The mark of a number; none for 0.
    pub fn new(value: u32) -> Option<Self> {
        NonZeroU32::new(value).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let (digits, radix) = hex.map_or((text, 10), |digits| (digits, 16));
        if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
            return Err(InvalidMark::NotANumber(text.to_owned()));
        }
        let value = u32::from_str_radix(digits, radix)
            .map_err(|_| InvalidMark::TooLarge(text.to_owned()))?;
        Self::new(value).ok_or(InvalidMark::Zero)
    }
}

impl fmt::Display for Mark {
    /// Decimal below 65536, as people write small marks; hexadecimal above.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.get() < 0x1_0000 {
            write!(f, "{}", self.get())
        } else {
            write!(f, "{:#x}", self.get())
        }
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Mark {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.get())
    }
}

impl schemars::JsonSchema for Mark {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mark".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A mark, whole.",
            "type": "integer",
            "minimum": 1,
            "maximum": u32::MAX,
        })
    }
}

/// The marks from first to last, both inclusive: where automatic marks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkRange {
    first: Mark,
    last: Mark,
}

impl MarkRange {
    /// `0x4c560000-0x4c56ffff` ("LV" in ASCII): 65,536 marks that nobody else is
    /// likely to use.
    pub const DEFAULT: Self = Self {
        first: Mark(NonZeroU32::new(0x4c56_0000).expect("not 0")),
        last: Mark(NonZeroU32::new(0x4c56_ffff).expect("not 0")),
    };

    /// The first mark.
    pub fn first(self) -> Mark {
        self.first
    }

    /// The last mark.
    pub fn last(self) -> Mark {
        self.last
    }

    /// How many marks there are.
    pub fn size(self) -> u64 {
        u64::from(self.last.get()) - u64::from(self.first.get()) + 1
    }

    /// The mark at `offset`, counted round the range.
    pub fn at(self, offset: u64) -> Mark {
        let step = u32::try_from(offset % self.size()).unwrap_or(0);
        Mark::new(self.first.get() + step).unwrap_or(self.first)
    }

    /// Whether `mark` is one of the range.
    pub fn contains(self, mark: Mark) -> bool {
        (self.first..=self.last).contains(&mark)
    }
}

impl FromStr for MarkRange {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last): (Mark, Mark) = (first.trim().parse()?, last.trim().parse()?);
        if last < first {
            return Err(InvalidMark::Reversed { first, last });
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for MarkRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_decimal_or_hexadecimal() {
        for (text, value) in [("10", 10), ("0xa", 10), ("0XA", 10), ("4294967295", u32::MAX)] {
            assert_eq!(text.parse::<Mark>().expect(text).get(), value);
        }
        assert_eq!("0".parse::<Mark>(), Err(InvalidMark::Zero));
        assert_eq!("4294967296".parse::<Mark>(), Err(InvalidMark::TooLarge("4294967296".into())));
        for text in ["", "0x", "-1", "ten", "1 0", "0xg", "+5"] {
            assert_eq!(text.parse::<Mark>(), Err(InvalidMark::NotANumber(text.into())));
        }
    }

    #[test]
    fn a_range_counts_round_its_end() {
        let range: MarkRange = "0x10-0x13".parse().expect("a range");
        assert_eq!(range.size(), 4);
        assert_eq!(range.at(5).get(), 0x11);
        assert!("20-10".parse::<MarkRange>().is_err());
    }
}
