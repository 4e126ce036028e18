//! `[director]` from the settings of a state.

use std::collections::BTreeSet;

use super::lost::{Lost, Reason};
use crate::model::{
    BackendKind, DeviceName, DirectorSettings, Form, Group, Mark, MarkChoice, MarkRange, Marker,
    Prefix, Sync, SyncChannel, SyncRole, Sysctl, VipPlace,
};
use crate::state::{DirectorState, Selector, SettingKey, Settings, classic_rules};

/// What the configuration says of the machine, that these groups and this state are one.
pub(super) fn read(
    state: &DirectorState,
    groups: &[Group],
    lost: &mut Vec<Lost>,
) -> DirectorSettings {
    let mut director = marker(state);
    director.local_traffic = state.local_traffic;
    sysctls(&state.settings, groups, &mut director, lost);
    timeouts(&state.settings, &mut director, lost);
    sync(&state.settings, &mut director, lost);
    let said = place(&state.settings, groups, &mut director);
    let is_place = |key: &&SettingKey| {
        use SettingKey::{Address, LocalRoute, Rule};
        matches!(key, LocalRoute(_) | Rule(_) | Address { .. })
    };
    for key in state.settings.keys().filter(is_place).filter(|key| !said.contains(key)) {
        lost.push(Lost::of_setting(Reason::Setting(key.clone())));
    }
    director
}

/// What writes the marks, and the bound by which it has the form that it has.
fn marker(state: &DirectorState) -> DirectorSettings {
    let mut director = DirectorSettings::default();
    let Marker::Iptables(variant) = state.marker else { return director };
    director.backend = BackendKind::Iptables;
    director.variant = Some(variant);
    let rules = classic_rules(&state.marking).len();
    if director.form(|| rules) != state.form {
        director.max_rules = match state.form {
            Form::Sets => 0,
            Form::Rules => u32::try_from(rules).unwrap_or(u32::MAX),
        };
    }
    director
}

/// The parameters but for those that follow from the groups.
fn sysctls(
    settings: &Settings,
    groups: &[Group],
    director: &mut DirectorSettings,
    lost: &mut Vec<Lost>,
) {
    let needed: BTreeSet<Sysctl> = groups.iter().flat_map(Group::needed_sysctls).collect();
    for (key, value) in settings {
        let SettingKey::Sysctl(sysctl) = key else { continue };
        // Only this one may be something else than what the groups would have.
        let may_differ = sysctl.ipvs_name() == Some("expire_quiescent_template");
        if !needed.contains(sysctl) || (value != "1" && may_differ) {
            director.sysctls.insert(sysctl.clone(), value.clone());
        } else if value != "1" {
            let (sysctl, value) = (sysctl.clone(), value.clone());
            lost.push(Lost::of_setting(Reason::Sysctl { sysctl, value }));
        }
    }
}

fn timeouts(settings: &Settings, director: &mut DirectorSettings, lost: &mut Vec<Lost>) {
    for (key, value) in settings {
        let SettingKey::Timeout(timeout) = key else { continue };
        match value.parse::<u32>() {
            Ok(seconds) if (1..=crate::model::MAX_TIMEOUT).contains(&seconds) => {
                director.timeouts.insert(*timeout, seconds);
            }
            _ => lost.push(unsaid(key, value)),
        }
    }
}

fn sync(settings: &Settings, director: &mut DirectorSettings, lost: &mut Vec<Lost>) {
    for role in SyncRole::BOTH {
        let key = SettingKey::SyncDaemon(role);
        let Some(value) = settings.get(&key) else { continue };
        match (value.parse::<SyncChannel>(), &mut director.sync) {
            (Ok(channel), None) => director.sync = Some(Sync { roles: vec![role], channel }),
            (Ok(channel), Some(sync)) if sync.channel == channel => sync.roles.push(role),
            _ => lost.push(unsaid(&key, value)),
        }
    }
}

fn unsaid(key: &SettingKey, value: &str) -> Lost {
    Lost::of_setting(Reason::Value { key: key.clone(), value: value.to_owned() })
}

/// Who sees to it that VIPs are local; the answer is the settings that follow from it.
fn place(
    settings: &Settings,
    groups: &[Group],
    director: &mut DirectorSettings,
) -> BTreeSet<SettingKey> {
    let vips: BTreeSet<Prefix> = groups.iter().flat_map(|group| &group.vips).copied().collect();
    if vips.is_empty() {
        return BTreeSet::new();
    }
    if vips.iter().all(|vip| settings.contains_key(&SettingKey::LocalRoute(*vip))) {
        director.vips = VipPlace::Route;
        let (range, said) = ranges(settings, groups);
        director.marks = range;
        return said;
    }
    let devices: BTreeSet<&DeviceName> = settings
        .keys()
        .filter_map(|key| match key {
            SettingKey::Address { device, .. } => Some(device),
            _ => None,
        })
        .collect();
    for device in devices {
        let address = |vip: &Prefix| {
            let (address, device) = (vip.address(), device.clone());
            SettingKey::Address { address, device }
        };
        let all: BTreeSet<_> = vips.iter().map(address).collect();
        let hosts = vips.iter().all(Prefix::is_host);
        if hosts && all.iter().all(|key| settings.contains_key(key)) {
            director.vips = VipPlace::Bind(device.clone());
            return all;
        }
    }
    BTreeSet::new()
}

/// The range of automatic marks from which the routing rules follow best, and all settings
/// that follow with it.
fn ranges(settings: &Settings, groups: &[Group]) -> (MarkRange, BTreeSet<SettingKey>) {
    let is_routing =
        |key: &&SettingKey| matches!(key, SettingKey::LocalRoute(_) | SettingKey::Rule(_));
    let there: BTreeSet<_> = settings.keys().filter(is_routing).cloned().collect();
    let mut best: Option<(usize, MarkRange, BTreeSet<SettingKey>)> = None;
    for range in candidates(settings, groups) {
        let of = |group: &Group| SettingKey::of_routing(&group.vips, &marks(group), range);
        let said: BTreeSet<_> = groups.iter().flat_map(of).collect();
        let missed = said.symmetric_difference(&there).count();
        if best.as_ref().is_none_or(|(least, ..)| missed < *least) {
            best = Some((missed, range, said));
        }
        if missed == 0 {
            break;
        }
    }
    best.map_or_else(|| (MarkRange::DEFAULT, there), |(_, range, said)| (range, said))
}

/// The default, and what the masks say that are no group's own. At either end of a range
/// there may be a rule for one mark.
fn candidates(settings: &Settings, groups: &[Group]) -> Vec<MarkRange> {
    let own: BTreeSet<u32> = groups.iter().flat_map(marks).map(Mark::get).collect();
    let blocks: Vec<(u32, u32)> = settings
        .keys()
        .filter_map(|key| match key {
            SettingKey::Rule(Selector::Mark { mark, mask, .. }) => Some((*mark, *mask)),
            _ => None,
        })
        .filter(|(mark, mask)| *mask != u32::MAX || !own.contains(mark))
        .collect();
    let mut found = vec![MarkRange::DEFAULT];
    let first = blocks.iter().map(|(mark, _)| *mark).min();
    let last = blocks.iter().map(|(mark, mask)| mark | !mask).max();
    let (Some(first), Some(last)) = (first, last) else { return found };
    for (first, last) in [
        (Some(first), Some(last)),
        (first.checked_sub(1), Some(last)),
        (Some(first), last.checked_add(1)),
        (first.checked_sub(1), last.checked_add(1)),
    ] {
        let mark = |number: Option<u32>| number.and_then(Mark::new);
        if let (Some(first), Some(last)) = (mark(first), mark(last)) {
            found.extend(format!("{first}-{last}").parse::<MarkRange>().ok());
        }
    }
    found
}

fn marks(group: &Group) -> Vec<Mark> {
    match &group.marks {
        MarkChoice::Automatic => Vec::new(),
        MarkChoice::Fixed(mark) => vec![*mark],
        MarkChoice::PerListener(marks) => marks.values().copied().collect(),
    }
}
