//! The director that this machine is.

use super::iptables::Iptables;
use super::ipvs::KernelIpvs;
use super::machine::KernelMachine;
use super::nftables::Nftables;
use super::{CountedRuleset, Director, MarkRuleset, NetfilterError};
use crate::model::{Marker, Variant};

/// All markers, IPVS and the machine, in the network namespace of the calling thread.
#[derive(Debug, Clone, Copy)]
pub struct KernelDirector {
    nftables: Nftables,
    iptables: [Iptables; 2],
    ipvs: KernelIpvs,
    machine: KernelMachine,
}

impl Default for KernelDirector {
    fn default() -> Self {
        Self::new()
    }
}

impl KernelDirector {
    /// This machine.
    pub fn new() -> Self {
        Self {
            nftables: Nftables::new(),
            iptables: [Variant::Nft, Variant::Legacy].map(Iptables::new),
            ipvs: KernelIpvs::new(),
            machine: KernelMachine::new(),
        }
    }

    /// Works with it.
    pub fn with<T>(&self, work: impl FnOnce(&Director<'_>) -> T) -> T {
        let Self { nftables, iptables: [nft, legacy], ipvs, machine } = self;
        work(&Director { netfilter: &[nftables, nft, legacy], ipvs, machine })
    }

    /// Works with it, while each change of it is a place where a process can be made to die.
    #[cfg(feature = "fail-points")]
    pub fn with_fail_points<T>(&self, work: impl FnOnce(&Director<'_>) -> T) -> T {
        use super::fail_points::FailPoints;
        use super::{Ipvs, Machine, Netfilter};
        let [nft, legacy] = self.iptables.map(FailPoints);
        let (nftables, ipvs) = (FailPoints(self.nftables), FailPoints(self.ipvs));
        let machine = FailPoints(self.machine);
        let netfilter: [&dyn Netfilter; 3] = [&nftables, &nft, &legacy];
        let (ipvs, machine): (&dyn Ipvs, &dyn Machine) = (&ipvs, &machine);
        work(&Director { netfilter: &netfilter, ipvs, machine })
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
