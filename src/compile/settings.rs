//! What the director needs beside marks and services.

use crate::model::{DirectorSettings, Group, Mark, VipPlace};
use crate::state::{PRESENT, SettingKey, Settings};

/// The settings that the configuration names, and those that enabled groups need. `marks`
/// are those of a group.
pub(super) fn needed<'g>(
    groups: impl Iterator<Item = &'g Group>,
    director: &DirectorSettings,
    marks: impl Fn(&Group) -> Vec<Mark>,
) -> Settings {
    let mut settings = Settings::new();
    for group in groups {
        for sysctl in group.needed_sysctls() {
            settings.insert(SettingKey::Sysctl(sysctl), "1".to_owned());
        }
        match &director.vips {
            VipPlace::Local => {}
            VipPlace::Route => {
                let needed = SettingKey::of_routing(&group.vips, &marks(group), director.marks);
                settings.extend(needed.into_iter().map(|key| (key, PRESENT.to_owned())));
            }
            VipPlace::Bind(device) => {
                for vip in &group.vips {
                    let (address, device) = (vip.address(), device.clone());
                    let key = SettingKey::Address { address, device };
                    settings.insert(key, PRESENT.to_owned());
                }
            }
        }
    }
    let sysctls = director.sysctls.iter();
    settings
        .extend(sysctls.map(|(sysctl, value)| (SettingKey::Sysctl(sysctl.clone()), value.clone())));
    let timeouts = director.timeouts.iter();
    settings.extend(timeouts.map(|(of, value)| (SettingKey::Timeout(*of), value.to_string())));
    if let Some(sync) = &director.sync {
        let channel = sync.channel.to_string();
        let roles = sync.roles.iter();
        settings.extend(roles.map(|role| (SettingKey::SyncDaemon(*role), channel.clone())));
    }
    settings
}
