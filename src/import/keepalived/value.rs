//! Numbers as keepalived reads them.

use std::ops::RangeInclusive;

/// A decimal number within bounds.
pub(super) fn number(text: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
    let number = text.trim_start().parse().ok()?;
    bounds.contains(&number).then_some(number)
}

/// A port; 0 where there is none, or zeroes.
pub(super) fn port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte == b'0') {
        return Some(0);
    }
    number(text, 1..=65_535).and_then(|port| u16::try_from(port).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_zeroes_is_none() {
        assert_eq!(
            [port(""), port("0"), port("00"), port("80")],
            [Some(0), Some(0), Some(0), Some(80)]
        );
        assert_eq!([port("65536"), port("http"), port("-1")], [None; 3]);
    }
}
