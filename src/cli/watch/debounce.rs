//! One look for many events: whoever reloads a firewall commits several times.

use std::time::{Duration, Instant};

/// How long nothing more must be heard.
const QUIET: Duration = Duration::from_millis(30);

/// The longest wait beside somebody who never stops.
const LONGEST: Duration = Duration::from_millis(250);

/// What was heard since the last look.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    /// The first and the last.
    heard: Option<(Instant, Instant)>,
}

impl Debounce {
    /// Something was heard.
    pub(super) fn heard(&mut self, now: Instant) {
        let first = self.heard.map_or(now, |(first, _)| first);
        self.heard = Some((first, now));
    }

    /// When to look, if anything was heard.
    pub(super) fn due(&self) -> Option<Instant> {
        self.heard.map(|(first, last)| (last + QUIET).min(first + LONGEST))
    }

    /// A look begins: whatever was heard before it is seen by it.
    pub(super) fn clear(&mut self) {
        self.heard = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_event_is_looked_at_soon() {
        let (mut debounce, now) = (Debounce::default(), Instant::now());
        assert_eq!(debounce.due(), None);
        debounce.heard(now);
        assert_eq!(debounce.due(), Some(now + QUIET));
        debounce.clear();
        assert_eq!(debounce.due(), None);
    }

    #[test]
    fn events_in_a_row_are_one_look_which_is_never_late() {
        let (mut debounce, first) = (Debounce::default(), Instant::now());
        let mut last = first;
        for step in 0..100 {
            last = first + Duration::from_millis(step * 10);
            debounce.heard(last);
            let due = debounce.due().expect("something was heard");
            assert_eq!(due, (last + QUIET).min(first + LONGEST), "{step}");
        }
        assert!(last > first + LONGEST, "and so the look is overdue");
        debounce.clear();
        debounce.heard(last);
        assert_eq!(debounce.due(), Some(last + QUIET), "the next row begins anew");
    }
}
