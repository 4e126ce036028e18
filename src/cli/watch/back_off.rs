//! Patience with somebody who changes again and again what was repaired.
//!
//! Two tools that each undo the other's work would keep a director busy, and its clients
//! between two states. So only the first repairs are made at once.

use std::time::{Duration, Instant};

/// How many repairs in a row are made at once: one reload of a firewall can be several
/// commits.
const AT_ONCE: u32 = 3;

/// The wait after the last of these; each further one doubles it.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);

/// How long nothing must have differed for the next repair to be a first one again.
const QUIET: Duration = Duration::from_secs(60);

/// How often something had to be repaired lately, and so how long the next repair waits.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    /// Repairs in a row, those that failed too.
    tries: u32,
    last: Option<Instant>,
    /// Until when something differed, or waited to be repaired.
    restless: Option<Instant>,
}

impl BackOff {
    /// Something differs: the answer is when it may be repaired, not before `now`.
    pub(super) fn due(&mut self, now: Instant) -> Instant {
        // What we ourselves waited is no quiet time.
        if self.restless.is_none_or(|then| now.saturating_duration_since(then) >= QUIET) {
            self.tries = 0;
        }
        let due = self.last.map_or(now, |last| (last + self.wait()).max(now));
        self.restless = Some(due);
        due
    }

    /// A repair was tried.
    pub(super) fn tried(&mut self, now: Instant) {
        self.tries = self.tries.saturating_add(1);
        (self.last, self.restless) = (Some(now), Some(now));
    }

    fn wait(&self) -> Duration {
        match self.tries.checked_sub(AT_ONCE) {
            None => Duration::ZERO,
            // Some 2^10 is beyond the longest already.
            Some(doublings) => (FIRST * 2_u32.pow(doublings.min(10))).min(LONGEST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: f64) -> Duration {
        Duration::from_secs_f64(number)
    }

    /// The waits of repairs that are each undone `after` that time.
    fn fight(back_off: &mut BackOff, now: &mut Instant, after: Duration, times: usize) -> Vec<u64> {
        let mut waits = Vec::new();
        for _ in 0..times {
            *now += after;
            let due = back_off.due(*now);
            waits.push((due - *now + second(0.5)).as_secs());
            *now = due;
            // Whoever wakes up looks again before it repairs.
            assert_eq!(back_off.due(*now), *now);
            back_off.tried(*now);
        }
        waits
    }

    #[test]
    fn the_first_repairs_are_made_at_once_and_then_waits_double_to_a_minute() {
        let (mut back_off, mut now) = (BackOff::default(), Instant::now());
        let waits = fight(&mut back_off, &mut now, second(0.05), 13);
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn after_a_quiet_minute_repairs_are_made_at_once_again() {
        let (mut back_off, mut now) = (BackOff::default(), Instant::now());
        fight(&mut back_off, &mut now, second(0.05), 13);
        assert_eq!(fight(&mut back_off, &mut now, second(59.0), 1), [1], "not quite");
        assert_eq!(fight(&mut back_off, &mut now, second(60.0), 4), [0, 0, 0, 0]);
        assert_eq!(fight(&mut back_off, &mut now, second(0.05), 4), [0, 0, 1, 2]);
    }

    #[test]
    fn a_repair_that_was_not_needed_any_more_counts_for_nothing() {
        let (mut back_off, now) = (BackOff::default(), Instant::now());
        for after in 0..10 {
            let now = now + second(f64::from(after));
            assert_eq!(back_off.due(now), now);
        }
    }

    #[test]
    fn a_wait_counts_from_the_last_repair() {
        let (mut back_off, mut now) = (BackOff::default(), Instant::now());
        fight(&mut back_off, &mut now, second(0.05), 6);
        assert_eq!(back_off.due(now + second(7.0)), now + second(8.0));
        assert_eq!(back_off.due(now + second(30.0)), now + second(30.0));
    }
}
