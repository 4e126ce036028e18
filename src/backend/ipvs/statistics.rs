//! IPVS's counters as they come with services and destinations.

use netlink_packet_core::NlasIterator;

use super::convert::{malformed, missing};
use crate::backend::{Statistics, Traffic};
use crate::netlink::NetlinkError;

/// The same counters in the two widths in which the kernel sends them: the packets of the
/// narrow ones (`IPVS_*_ATTR_STATS`) begin anew at 2^32, and kernels before 4.1 have no
/// others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) narrow: Option<Statistics>,
    pub(super) wide: Option<Statistics>,
}

impl Counted {
    /// The wide ones where there are any.
    pub(super) fn best(self) -> Statistics {
        self.wide.or(self.narrow).unwrap_or_default()
    }
}

/// Reads `IPVS_STATS_ATTR_*` (`linux/ip_vs.h`), numbers of 4 or of 8 bytes.
pub(super) fn read(attributes: &[u8]) -> Result<Option<Statistics>, NetlinkError> {
    let mut numbers = [0; 11];
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute.map_err(|error| malformed(&error))?;
        let Some(number) = numbers.get_mut(usize::from(attribute.kind())) else { continue };
        let value = attribute.value();
        *number = match (value.first_chunk(), value.first_chunk()) {
            (Some(wide), _) => u64::from_ne_bytes(*wide),
            (None, Some(narrow)) => u64::from(u32::from_ne_bytes(*narrow)),
            (None, None) => return Err(missing("the end of a counter")),
        };
    }
    // Five totals from attribute 1 on, and five estimates behind them.
    let traffic = |first: usize| Traffic {
        connections: numbers[first],
        packets_in: numbers[first + 1],
        packets_out: numbers[first + 2],
        bytes_in: numbers[first + 3],
        bytes_out: numbers[first + 4],
    };
    Ok(Some(Statistics { total: traffic(1), estimate: traffic(6) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = u16::try_from(value.len() + 4).expect("short");
        [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat()
    }

    /// Packets in the narrow form are 4 bytes, bytes are 8 even there.
    #[test]
    fn both_widths_are_read_and_the_wide_one_counts() {
        let wide: Vec<u8> =
            (1..=10).flat_map(|n| attribute(n, &(u64::from(n) << 40).to_ne_bytes())).collect();
        let wide = read(&wide).expect("readable");
        let narrow: Vec<u8> = (1..=10)
            .flat_map(|n| match n {
                4 | 5 => attribute(n, &u64::from(n).to_ne_bytes()),
                _ => attribute(n, &u32::from(n).to_ne_bytes()),
            })
            .collect();
        let narrow = read(&narrow).expect("readable");
        let expected =
            Traffic { connections: 1, packets_in: 2, packets_out: 3, bytes_in: 4, bytes_out: 5 };
        assert_eq!(narrow.map(|narrow| narrow.total), Some(expected));
        assert_eq!(Counted { narrow, wide: None }.best().estimate.bytes_out, 10);
        assert_eq!(Counted { narrow, wide }.best().total.bytes_out, 5 << 40);
        assert_eq!(Counted::default().best(), Statistics::default());
    }

    #[test]
    fn a_counter_that_is_cut_short_is_an_error_and_an_unknown_one_is_left_out() {
        assert!(read(&attribute(2, &[1, 2])).is_err());
        let newer = read(&attribute(40, &[1; 8])).expect("readable");
        assert_eq!(newer, Some(Statistics::default()));
    }
}
