//! What the director needs beside marks and services.

use crate::model::{DirectorSettings, Family, Group, Mark, MarkRange, VipPlace};
use crate::state::{PRESENT, Selector, SettingKey, Settings, covering};

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
            VipPlace::Route => route(&mut settings, group, &marks(group), director.marks),
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

/// What is marked looks into a table where the VIPs are local. One rule stands for all
/// automatic marks, however many groups there are; a service by address has no mark, and
/// its packets are known by their destination.
fn route(settings: &mut Settings, group: &Group, marks: &[Mark], range: MarkRange) {
    let mut add = |key| drop(settings.insert(key, PRESENT.to_owned()));
    for vip in &group.vips {
        add(SettingKey::LocalRoute(*vip));
        if marks.is_empty() {
            add(SettingKey::Rule(Selector::To(*vip)));
        }
    }
    let has_vip = |family: &Family| group.vips.iter().any(|vip| vip.family() == *family);
    for family in Family::BOTH.into_iter().filter(has_vip) {
        for mark in marks {
            let blocks = if range.contains(*mark) {
                covering(range.first(), range.last())
            } else {
                covering(*mark, *mark)
            };
            for (mark, mask) in blocks {
                add(SettingKey::Rule(Selector::Mark { family, mark, mask }));
            }
        }
    }
}
