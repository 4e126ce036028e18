//! The director that this machine is.

use super::iptables::Iptables;
use super::ipvs::KernelIpvs;
use super::machine::KernelMachine;
use super::nftables::Nftables;
use super::{CountedRuleset, Director, Ipvs, Machine, MarkRuleset, Netfilter, NetfilterError};
use crate::model::{Marker, Variant};

/// All markers, IPVS and the machine, in the network namespace of the calling thread.
/// Nothing is open between two calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelDirector;

const MARKERS: &[&dyn Netfilter] =
    &[&Nftables::new(), &Iptables::new(Variant::Nft), &Iptables::new(Variant::Legacy)];
const IPVS: &dyn Ipvs = &KernelIpvs::new();
const MACHINE: &dyn Machine = &KernelMachine::new();

/// The same where each change is a place at which a process can be made to die.
#[cfg(feature = "fail-points")]
mod dying {
    use super::{Iptables, Ipvs, KernelIpvs, KernelMachine, Machine, Netfilter, Nftables, Variant};
    use crate::backend::fail_points::FailPoints;

    pub(super) const MARKERS: &[&dyn Netfilter] = &[
        &FailPoints(Nftables::new()),
        &FailPoints(Iptables::new(Variant::Nft)),
        &FailPoints(Iptables::new(Variant::Legacy)),
    ];
    pub(super) const IPVS: &dyn Ipvs = &FailPoints(KernelIpvs::new());
    pub(super) const MACHINE: &dyn Machine = &FailPoints(KernelMachine::new());
}

impl KernelDirector {
    /// This machine.
    pub fn new() -> Self {
        Self
    }

    /// It as a director.
    pub fn director(self) -> Director<'static> {
        Director { netfilter: MARKERS, ipvs: IPVS, machine: MACHINE }
    }

    /// It as a director on which a process can be made to die at each change.
    #[cfg(feature = "fail-points")]
    pub fn director_with_fail_points(self) -> Director<'static> {
        Director { netfilter: dying::MARKERS, ipvs: dying::IPVS, machine: dying::MACHINE }
    }

    /// Works with it.
    pub fn with<T>(&self, work: impl FnOnce(&Director<'_>) -> T) -> T {
        work(&self.director())
    }

    /// What marks now, by whichever marker.
    ///
    /// # Errors
    /// [`NetfilterError`].
    pub fn marking(&self) -> Result<MarkRuleset, NetfilterError> {
        let marking = self.with(|director| director.marking(Marker::default(), true))?;
        Ok(marking.ruleset)
    }

    /// As [`Director::tidy`].
    #[allow(clippy::redundant_closure_for_method_calls, reason = "not for any lifetime")]
    pub fn tidy(&self) {
        self.with(|director| director.tidy());
    }

    /// [`KernelDirector::marking`], with what each entry counted.
    ///
    /// # Errors
    /// [`NetfilterError`].
    #[allow(clippy::redundant_closure_for_method_calls, reason = "not for any lifetime")]
    pub fn counted_marking(&self) -> Result<CountedRuleset, NetfilterError> {
        self.with(|director| director.counted_marking())
    }
}
