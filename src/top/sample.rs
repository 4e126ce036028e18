//! What was read at one moment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::backend::{Count, ServiceStatistics};
use crate::model::GroupName;
use crate::state::{MarkKey, ServiceKey};

/// The counters of both sides, by group and virtual service; of no group is what our table
/// has without a name.
pub type Groups = BTreeMap<Option<GroupName>, BTreeMap<ServiceKey, Counted>>;

/// What both sides counted at one moment, and what waits.
#[derive(Debug, Clone)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// The time of day, as people read it.
    pub clock: String,
    /// The generation that the kernel holds.
    pub generation: Option<u64>,
    /// The counters.
    pub groups: Groups,
    /// A trial that waits to be confirmed.
    pub waiting: Option<Waiting>,
    /// What else has not ended, in a sentence.
    pub unfinished: Option<String>,
}

/// What was counted of one virtual service.
#[derive(Debug, Clone, Default)]
pub struct Counted {
    /// What its mark was given to; empty for a service by address.
    pub marked: BTreeMap<MarkKey, Count>,
    /// What IPVS did with it; none when there is no such service.
    pub scheduled: Option<ServiceStatistics>,
}

/// A trial that waits to be confirmed, as it was at the time of the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The generation that is tried.
    pub generation: u64,
    /// How long there was left; nothing when the time was over.
    pub left: Duration,
}

impl Sample {
    /// How the trial is at `now`, in a sentence: the time runs on after the sample.
    pub fn countdown(&self, now: Instant) -> Option<String> {
        let Waiting { generation, left } = self.waiting?;
        let left = left.saturating_sub(now.saturating_duration_since(self.at));
        // What is left of a second is left: at 0 it is over.
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(if seconds == 0 {
            format!("Generation {generation} was not confirmed in time: the state before returns.")
        } else {
            let (minutes, rest) = (seconds / 60, seconds % 60);
            format!(
                "Generation {generation} waits for `fwmarkctl confirm`: {minutes}:{rest:02} left."
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_trial_runs_on_between_two_samples() {
        let at = Instant::now();
        let waiting = Some(Waiting { generation: 7, left: Duration::from_millis(61_500) });
        let sample = Sample {
            at,
            clock: String::new(),
            generation: None,
            groups: Groups::new(),
            waiting,
            unfinished: None,
        };
        let told = |seconds| sample.countdown(at + Duration::from_secs(seconds)).expect("a trial");
        assert_eq!(told(0), "Generation 7 waits for `fwmarkctl confirm`: 1:02 left.");
        assert_eq!(told(52), "Generation 7 waits for `fwmarkctl confirm`: 0:10 left.");
        assert_eq!(told(62), "Generation 7 was not confirmed in time: the state before returns.");
        assert_eq!(Sample { waiting: None, ..sample }.countdown(at), None);
    }
}
