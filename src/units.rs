//! Numbers as people read them: thousands by k, M, G, three digits, cut and not rounded.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// A number with a unit: `999`, `1.23k`, `45.6M`. The base is 1000, not 1024.
pub fn human(number: u64) -> String {
    let mut unit = 1_u64;
    for letter in ['k', 'M', 'G', 'T', 'P', 'E'] {
        let thousand = unit * 1000;
        if number < thousand {
            break;
        }
        if number / thousand < 1000 || letter == 'E' {
            let (whole, rest) = (number / thousand, number % thousand);
            return match whole {
                0..10 => format!("{whole}.{:02}{letter}", rest / (thousand / 100)),
                10..100 => format!("{whole}.{}{letter}", rest / (thousand / 10)),
                _ => format!("{whole}{letter}"),
            };
        }
        unit = thousand;
    }
    number.to_string()
}

/// How many came each second, in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, schemars::JsonSchema)]
#[schemars(transparent)]
pub struct Rate(#[schemars(with = "f64")] u64);

impl Rate {
    /// The rate between two counts. A count that went down began anew: there is none.
    pub fn between(before: u64, now: u64, time: Duration) -> Option<Self> {
        let tenths = u128::from(now.checked_sub(before)?) * 10_000_000_000;
        let tenths = tenths.checked_div(time.as_nanos())?;
        Some(Self(u64::try_from(tenths).unwrap_or(u64::MAX)))
    }

    /// The rate in tenths, for who compares or draws it.
    pub fn tenths(self) -> u64 {
        self.0
    }

    /// A rate in whole numbers.
    pub fn whole(per_second: u64) -> Self {
        Self(per_second.saturating_mul(10))
    }

    /// As people read it: a tenth counts below a thousand.
    pub fn show(self, exact: bool) -> String {
        if exact || self.0 < 10_000 {
            format!("{}.{}", self.0 / 10, self.0 % 10)
        } else {
            human(self.0 / 10)
        }
    }
}

impl std::iter::Sum for Rate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        Self(rates.fold(0, |sum, rate| sum.saturating_add(rate.0)))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[expect(clippy::cast_precision_loss, reason = "nobody measures 2^53 tenths a second")]
        let tenths = self.0 as f64;
        serializer.serialize_f64(tenths / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_are_cut() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1.00k"),
            (1999, "1.99k"),
            (12_345, "12.3k"),
            (999_999, "999k"),
            (1_000_000, "1.00M"),
            (1_234_567_890, "1.23G"),
            (5_000_000_000_000, "5.00T"),
            (76_000_000_000_000_000, "76.0P"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(human(number), text, "{number}");
        }
    }

    #[test]
    fn a_rate_is_of_the_time_that_passed() {
        let second = Duration::from_secs(1);
        let rate = |before, now, time| Rate::between(before, now, time).map(|rate| rate.0);
        assert_eq!(rate(5, 15, second), Some(100));
        assert_eq!(rate(5, 15, Duration::from_millis(2500)), Some(40));
        assert_eq!(rate(5, 6, second * 3), Some(3));
        assert_eq!(rate(0, u64::MAX, Duration::from_nanos(1)), Some(u64::MAX));
        assert_eq!(rate(5, 4, second), None, "it began anew");
        assert_eq!(rate(5, 6, Duration::ZERO), None);
    }

    #[test]
    fn rates_show_tenths_where_they_matter() {
        assert_eq!(Rate(123).show(false), "12.3");
        assert_eq!(Rate(9999).show(false), "999.9");
        assert_eq!(Rate(123_456).show(false), "12.3k");
        assert_eq!(Rate(123_456).show(true), "12345.6");
        assert_eq!(serde_json::to_string(&Rate(123)).expect("JSON"), "12.3");
        assert_eq!(Rate::whole(7), Rate(70));
        assert_eq!([Rate(70), Rate(5)].into_iter().sum::<Rate>().tenths(), 75);
    }
}
