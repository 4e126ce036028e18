//! A director on which a process can be made to die before and after each change.

use std::collections::BTreeSet;

use super::{
    ActivityTable, CountedRuleset, Generation, Ipvs, IpvsError, Machine, MachineError, MarkRuleset,
    Netfilter, NetfilterError, Observed,
};
use crate::fail_points::call;
use crate::model::Marker;
use crate::plan::{MarkSwitch, ServiceChange, SettingChange};
use crate::state::{ServiceKey, ServiceTable, SettingKey, Settings};

/// A half of a director whose changes are fail points.
#[derive(Debug, Clone, Copy)]
pub struct FailPoints<T>(pub T);

impl<T: Netfilter> Netfilter for FailPoints<T> {
    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        self.0.observe()
    }

    fn marker(&self) -> Marker {
        self.0.marker()
    }

    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        self.0.observe_counted()
    }

    fn tidy(&self) {
        self.0.tidy();
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        call();
        let switched = self.0.switch(change, at);
        call();
        switched
    }

    fn settle(&self) {
        self.0.settle();
    }
}

impl<T: Ipvs> Ipvs for FailPoints<T> {
    fn observe(&self, keys: &BTreeSet<ServiceKey>) -> Result<ServiceTable, IpvsError> {
        self.0.observe(keys)
    }

    fn activity(&self, keys: &BTreeSet<ServiceKey>) -> Result<ActivityTable, IpvsError> {
        self.0.activity(keys)
    }

    /// One by one, for a kernel that runs a whole batch within one send lets nobody die
    /// in the middle. As in a batch, what is refused does not stop the rest.
    fn apply(&self, changes: &[ServiceChange]) -> Result<(), IpvsError> {
        let mut refused: Option<IpvsError> = None;
        for (at, change) in changes.iter().enumerate() {
            call();
            match (self.0.apply(std::slice::from_ref(change)), &mut refused) {
                (Ok(()), _) => {}
                (Err(IpvsError::Refused { .. }), Some(IpvsError::Refused { undone, .. })) => {
                    undone.push(at);
                }
                (Err(IpvsError::Refused { change, reason, remedy, .. }), _) => {
                    refused = Some(IpvsError::Refused { change, reason, remedy, undone: vec![at] });
                }
                (Err(error), _) => return Err(error),
            }
        }
        call();
        refused.map_or(Ok(()), Err)
    }
}

impl<T: Machine> Machine for FailPoints<T> {
    fn observe(&self, keys: &BTreeSet<&SettingKey>) -> Result<Settings, MachineError> {
        self.0.observe(keys)
    }

    fn apply(&self, changes: &[SettingChange]) -> Result<(), MachineError> {
        for change in changes {
            call();
            self.0.apply(std::slice::from_ref(change))?;
        }
        call();
        Ok(())
    }
}
