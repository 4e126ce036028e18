//! The machine that a director is on: kernel parameters by `/proc/sys`, routing and
//! addresses by rtnetlink, timeouts and synchronisation by IPVS's generic netlink.

mod place;
mod sysctl;

use std::collections::BTreeSet;

use self::place::Places;
use super::ipvs::Control;
use super::{Machine, MachineError};
use crate::plan::SettingChange;
use crate::state::{SettingKey, Settings};

/// The machine, as it looks in the network namespace of the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct KernelMachine;

impl KernelMachine {
    /// The machine; nothing is opened yet.
    pub const fn new() -> Self {
        Self
    }
}

impl Machine for KernelMachine {
    fn observe(&self, keys: &BTreeSet<&SettingKey>) -> Result<Settings, MachineError> {
        let mut found = Settings::new();
        // IPVS's parameters exist when its module does.
        let mut control =
            if keys.iter().any(|key| is_of_ipvs(key)) { Some(Control::open()?) } else { None };
        let mut places = Places::default();
        for &key in keys {
            let value = match key {
                SettingKey::Sysctl(sysctl) => sysctl::read(sysctl)?,
                SettingKey::Timeout(timeout) => match &mut control {
                    Some(control) => control.timeout(*timeout)?.map(|value| value.to_string()),
                    None => None,
                },
                SettingKey::SyncDaemon(role) => match &mut control {
                    Some(control) => control.daemon(*role)?.map(|channel| channel.to_string()),
                    None => None,
                },
                SettingKey::LocalRoute(_) | SettingKey::Rule(_) | SettingKey::Address { .. } => {
                    places.find(key)?
                }
            };
            found.extend(value.map(|value| (key.clone(), value)));
        }
        Ok(found)
    }

    fn apply(&self, changes: &[SettingChange]) -> Result<(), MachineError> {
        let mut places = Places::default();
        for change in changes {
            let after = change.after.as_deref();
            match &change.key {
                SettingKey::Sysctl(sysctl) => sysctl::write(sysctl, change)?,
                SettingKey::Timeout(timeout) => {
                    if let Some(seconds) = after.and_then(|value| value.parse().ok()) {
                        Control::open()?.set_timeout(*timeout, seconds, change)?;
                    }
                }
                SettingKey::SyncDaemon(role) => match after.map(str::parse) {
                    Some(Ok(channel)) => Control::open()?.start_daemon(*role, &channel, change)?,
                    Some(Err(())) => {
                        return Err(refused(change, "it names no channel of a daemon", None));
                    }
                    None => Control::open()?.stop_daemon(*role, change)?,
                },
                SettingKey::LocalRoute(_) | SettingKey::Rule(_) | SettingKey::Address { .. } => {
                    places.change(change)?;
                }
            }
        }
        Ok(())
    }
}

fn is_of_ipvs(key: &SettingKey) -> bool {
    match key {
        SettingKey::Sysctl(sysctl) => sysctl.ipvs_name().is_some(),
        SettingKey::Timeout(_) | SettingKey::SyncDaemon(_) => true,
        _ => false,
    }
}

/// A change that was refused.
pub(super) fn refused(
    change: &SettingChange,
    reason: impl Into<String>,
    remedy: Option<String>,
) -> MachineError {
    MachineError::Refused { change: change.to_string(), reason: reason.into(), remedy }
}
