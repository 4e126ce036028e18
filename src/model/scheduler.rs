//! Schedulers and their flags.

use std::fmt;

use super::KernelName;

/// The schedulers of the mainline kernel (`net/netfilter/ipvs/ip_vs_*.c`, Linux 6.1).
pub const KNOWN_SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos"];

/// A scheduler's flag. The three bits mean what the scheduler makes of them:
/// `IP_VS_SVC_F_SCHED1..3` in `linux/ip_vs.h`, names as in ipvsadm(8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchedulerFlag {
    /// `flag-1`; of `sh` and `mh` it is `fallback`: pass over servers of weight 0.
    Flag1,
    /// `flag-2`; of `sh` and `mh` it is `port`: hash the source port too.
    Flag2,
    /// `flag-3`.
    Flag3,
}

impl SchedulerFlag {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Flag1, Self::Flag2, Self::Flag3];

    /// The name that it has beside a scheduler, as ipvsadm(8) prints it.
    pub fn name_with(self, scheduler: &str) -> &'static str {
        match (scheduler, self) {
            ("sh", Self::Flag1) => "sh-fallback",
            ("sh", Self::Flag2) => "sh-port",
            ("mh", Self::Flag1) => "mh-fallback",
            ("mh", Self::Flag2) => "mh-port",
            (_, Self::Flag1) => "flag-1",
            (_, Self::Flag2) => "flag-2",
            (_, Self::Flag3) => "flag-3",
        }
    }
}

/// A scheduler with its flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduler {
    name: KernelName,
    flags: Vec<SchedulerFlag>,
}

/// Why a scheduler and its flags do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScheduler {
    /// A flag that does not exist.
    #[error("'{0}' is not a scheduler flag")]
    UnknownFlag(String),
    /// A flag of another scheduler.
    #[error("the flag '{flag}' belongs to {of}, not to the scheduler {scheduler}")]
    ForeignFlag {
        /// The flag as written.
        flag: String,
        /// The schedulers that have it.
        of: &'static str,
        /// The scheduler that was named.
        scheduler: KernelName,
    },
}

impl Scheduler {
    /// A scheduler without flags.
    pub fn plain(name: KernelName) -> Self {
        Self { name, flags: Vec::new() }
    }

    /// A scheduler with flags, given by their names: `fallback` and `port` (of `sh` and
    /// `mh`), the same with the scheduler in front (`sh-port`), or `flag-1` to `flag-3`.
    ///
    /// # Errors
    /// A flag that does not exist or that belongs to another scheduler.
    pub fn with_flags<'a>(
        name: KernelName,
        flags: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidScheduler> {
        let mut parsed =
            flags.into_iter().map(|flag| parse_flag(name, flag)).collect::<Result<Vec<_>, _>>()?;
        parsed.sort_unstable();
        parsed.dedup();
        Ok(Self { name, flags: parsed })
    }

    /// The name that the kernel knows.
    pub fn name(&self) -> KernelName {
        self.name
    }

    /// The flags, sorted.
    pub fn flags(&self) -> &[SchedulerFlag] {
        &self.flags
    }
}

fn parse_flag(scheduler: KernelName, flag: &str) -> Result<SchedulerFlag, InvalidScheduler> {
    let of_hash = |parsed: SchedulerFlag, of: &'static str, fits: bool| {
        if fits {
            Ok(parsed)
        } else {
            Err(InvalidScheduler::ForeignFlag { flag: flag.to_owned(), of, scheduler })
        }
    };
    let name = scheduler.as_str();
    match flag {
        "flag-1" => Ok(SchedulerFlag::Flag1),
        "flag-2" => Ok(SchedulerFlag::Flag2),
        "flag-3" => Ok(SchedulerFlag::Flag3),
        "fallback" => of_hash(SchedulerFlag::Flag1, "sh and mh", matches!(name, "sh" | "mh")),
        "port" => of_hash(SchedulerFlag::Flag2, "sh and mh", matches!(name, "sh" | "mh")),
        "sh-fallback" => of_hash(SchedulerFlag::Flag1, "sh", name == "sh"),
        "sh-port" => of_hash(SchedulerFlag::Flag2, "sh", name == "sh"),
        "mh-fallback" => of_hash(SchedulerFlag::Flag1, "mh", name == "mh"),
        "mh-port" => of_hash(SchedulerFlag::Flag2, "mh", name == "mh"),
        other => Err(InvalidScheduler::UnknownFlag(other.to_owned())),
    }
}

impl fmt::Display for SchedulerFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name_with(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, flags: &[&str]) -> Result<Vec<SchedulerFlag>, InvalidScheduler> {
        Scheduler::with_flags(name.parse().expect(name), flags.iter().copied())
            .map(|scheduler| scheduler.flags().to_vec())
    }

    #[test]
    fn fallback_and_port_are_the_first_two_bits_of_the_hash_schedulers() {
        let both = Ok(vec![SchedulerFlag::Flag1, SchedulerFlag::Flag2]);
        assert_eq!(with("mh", &["port", "fallback"]), both);
        assert_eq!(with("sh", &["sh-fallback", "sh-port", "flag-1"]), both);
    }

    /// What is shown can be written into a configuration.
    #[test]
    fn the_name_of_a_flag_means_the_flag() {
        for scheduler in super::super::KNOWN_SCHEDULERS {
            for flag in SchedulerFlag::ALL {
                assert_eq!(with(scheduler, &[flag.name_with(scheduler)]), Ok(vec![flag]));
            }
        }
        assert_eq!(SchedulerFlag::Flag1.name_with("mh"), "mh-fallback");
        assert_eq!(SchedulerFlag::Flag3.name_with("sh"), "flag-3");
    }

    #[test]
    fn flags_of_another_scheduler_are_refused() {
        assert!(matches!(with("rr", &["port"]), Err(InvalidScheduler::ForeignFlag { .. })));
        assert!(matches!(with("sh", &["mh-port"]), Err(InvalidScheduler::ForeignFlag { .. })));
        assert!(matches!(with("sh", &["ports"]), Err(InvalidScheduler::UnknownFlag(_))));
    }
}
