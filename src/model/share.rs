//! A share of something, in percent.

use std::fmt;
use std::str::FromStr;

/// A share, from nothing to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u8);

impl Share {
    /// None of it.
    pub const NONE: Self = Self(0);
    /// One half of it.
    pub const HALF: Self = Self(50);

    /// So many percent; `None` beyond 100.
    pub fn new(percent: i128) -> Option<Self> {
        u8::try_from(percent).ok().filter(|percent| *percent <= 100).map(Self)
    }

    /// Whether `part` of `whole` is more than this.
    pub fn is_exceeded(self, part: usize, whole: usize) -> bool {
        part.saturating_mul(100) > whole.saturating_mul(self.0.into())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A text that is no share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no share: 0% to 100%")]
pub struct InvalidShare(pub String);

impl FromStr for Share {
    type Err = InvalidShare;

    /// Reads `50%`, or `50`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.trim_end_matches(' ');
        let digits = digits.strip_suffix('%').unwrap_or(digits).trim();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let percent = digits.parse().ok().filter(|_| is_number);
        percent.and_then(Self::new).ok_or_else(|| InvalidShare(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_with_and_without_its_sign() {
        for (text, shown) in [("50%", "50%"), ("0", "0%"), (" 100 % ", "100%"), ("007%", "7%")] {
            assert_eq!(text.parse::<Share>().map(|share| share.to_string()).as_deref(), Ok(shown));
        }
        for text in ["", "%", "101%", "-1%", "+1", "half", "50%%", "0.5"] {
            assert_eq!(text.parse::<Share>(), Err(InvalidShare(text.to_owned())));
        }
        assert_eq!((Share::new(101), Share::new(-1)), (None, None));
    }

    #[test]
    fn exactly_the_share_is_not_more_than_it() {
        assert!(!Share::HALF.is_exceeded(1, 2));
        assert!(Share::HALF.is_exceeded(2, 3));
        assert!(Share::NONE.is_exceeded(1, usize::MAX));
        assert!(!Share(100).is_exceeded(usize::MAX, usize::MAX));
        assert!(!Share::NONE.is_exceeded(0, 0));
    }
}
