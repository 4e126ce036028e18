//! Small pictures of what was, and the letters that a terminal can show.

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether it may be coloured; no colour carries a meaning alone.
    pub colour: bool,
}

impl Look {
    /// ASCII without colours.
    pub const PLAIN: Self = Self { unicode: false, colour: false };

    /// What stands for the rest of a name that is too long.
    fn rest(self) -> char {
        if self.unicode { '…' } else { '~' }
    }

    /// A text that is no wider than `width`; what is ours has letters of one cell.
    pub(super) fn cut(self, text: &str, width: usize) -> String {
        if text.chars().count() <= width {
            return text.to_owned();
        }
        let kept: String = text.chars().take(width.saturating_sub(1)).collect();
        if width == 0 { kept } else { format!("{kept}{}", self.rest()) }
    }

    /// The last numbers as a picture of this width, each against the highest of them.
    /// Nothing is the lowest sign, and anything at all a higher one.
    pub(super) fn spark(self, numbers: &[u64], width: usize) -> String {
        let (nothing, signs) =
            if self.unicode { ('·', "▁▂▃▄▅▆▇█") } else { ('.', ":-=+*#%@") };
        let shown = &numbers[numbers.len().saturating_sub(width)..];
        let highest = shown.iter().copied().max().unwrap_or(0);
        let sign = |number: u64| {
            let step = (u128::from(number) * 8).div_ceil(u128::from(highest.max(1)));
            match usize::try_from(step).unwrap_or(0) {
                0 => nothing,
                step => signs.chars().nth(step - 1).unwrap_or(nothing),
            }
        };
        let picture: String = shown.iter().copied().map(sign).collect();
        format!("{picture:>width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNICODE: Look = Look { unicode: true, colour: false };

    #[test]
    fn a_picture_has_the_last_numbers_against_the_highest_of_them() {
        let numbers = [900, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(UNICODE.spark(&numbers, 9), "·▁▂▃▄▅▆▇█");
        assert_eq!(Look::PLAIN.spark(&numbers, 9), ".:-=+*#%@");
        assert_eq!(Look::PLAIN.spark(&[5, 1], 4), "  @-", "it grows from the right");
        assert_eq!(Look::PLAIN.spark(&[0, 0], 2), "..");
        assert_eq!(Look::PLAIN.spark(&[], 3), "   ");
        assert_eq!(Look::PLAIN.spark(&[u64::MAX, 1], 2), "@:", "anything is seen");
    }

    #[test]
    fn a_name_that_is_too_long_says_so() {
        assert_eq!(UNICODE.cut("172.18.100.11", 8), "172.18.…");
        assert_eq!(Look::PLAIN.cut("172.18.100.11", 8), "172.18.~");
        assert_eq!(Look::PLAIN.cut("web", 3), "web");
        assert_eq!(Look::PLAIN.cut("web", 0), "");
    }
}
