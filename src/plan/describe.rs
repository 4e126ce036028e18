//! A plan in words: one line for each thing that changes, for people and for JSON.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ChainChange, EntryChange, FrameChange, LedgerChange, Plan, ServiceChange, SettingChange,
    SourceChange,
};
use crate::model::{GroupName, Marker};
use crate::state::{ROUTE_TABLE, RULE_PRIORITY, SettingKey, SourceEntry};

/// When a change happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the marks switch.
    Stage,
    /// With the marks.
    Switch,
    /// After the marks switched.
    Retire,
}

/// What kind of change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It did not exist.
    Add,
    /// It becomes something else.
    Change,
    /// It goes.
    Remove,
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Object {
    /// Which packets get which mark.
    MarkRule,
    /// A virtual service.
    Service,
    /// A real server of a service.
    RealServer,
    /// Whose address a real server sees.
    NatRule,
    /// A kernel parameter.
    Sysctl,
    /// One of IPVS's timeouts.
    Timeout,
    /// A route or a routing rule that makes VIPs local.
    Route,
    /// An address of the director.
    Address,
    /// A synchronisation daemon.
    SyncDaemon,
}

impl Object {
    /// Whether it belongs to the director and to no group.
    pub fn is_setting(self) -> bool {
        !matches!(self, Self::MarkRule | Self::NatRule | Self::Service | Self::RealServer)
    }

    fn of(key: &SettingKey) -> Self {
        match key {
            SettingKey::Sysctl(_) => Self::Sysctl,
            SettingKey::Timeout(_) => Self::Timeout,
            SettingKey::LocalRoute(_) | SettingKey::Rule(_) => Self::Route,
            SettingKey::Address { .. } => Self::Address,
            SettingKey::SyncDaemon(_) => Self::SyncDaemon,
        }
    }
}

/// The key of the line that says that all marks move to another marker.
const ALL_MARKS: &str = "all marks";

/// The key of the line that says that they get another form.
const FORM: &str = "form of the marks";

/// One change, as `plan` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ChangeLine {
    /// When.
    pub phase: Phase,
    /// What kind.
    pub action: Action,
    /// Of what.
    pub object: Object,
    /// Whose; `None` where nothing says so.
    pub group: Option<GroupName>,
    /// Which: `172.18.100.7:80/tcp`, `fwmark 10 ipv4`, `fwmark 10 ipv4 172.18.100.11`.
    pub key: String,
    /// What it was.
    pub before: Option<String>,
    /// What it becomes.
    pub after: Option<String>,
}

/// How many changes there are of each kind.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Summary {
    /// New things.
    pub add: usize,
    /// Things that become something else.
    pub change: usize,
    /// Things that go.
    pub remove: usize,
}

impl Summary {
    /// Counts lines.
    pub fn of(lines: &[ChangeLine]) -> Self {
        lines.iter().map(|line| line.action).collect()
    }
}

impl FromIterator<Action> for Summary {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        let mut summary = Self::default();
        for action in actions {
            match action {
                Action::Add => summary.add += 1,
                Action::Change => summary.change += 1,
                Action::Remove => summary.remove += 1,
            }
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to add, {} to change, {} to remove", self.add, self.change, self.remove)
    }
}

impl Plan {
    /// The lines of the plan, in the order in which they are carried out.
    pub fn lines(&self) -> Vec<ChangeLine> {
        let mut lines: Vec<_> =
            self.equip.iter().map(|change| setting_line(Phase::Stage, change)).collect();
        lines.extend(self.stage.iter().map(|change| self.service_line(Phase::Stage, change)));
        lines.extend(self.moving_lines());
        lines.extend(self.frame_lines());
        lines.extend(self.chain_lines());
        lines.extend(self.entry_lines());
        lines.extend(self.source_lines());
        lines.extend(self.leftover_lines());
        lines.extend(self.ledger_lines());
        lines.extend(self.retire.iter().map(|change| self.service_line(Phase::Retire, change)));
        lines.extend(self.strip.iter().map(|change| setting_line(Phase::Retire, change)));
        lines
    }

    /// How many lines there are of each kind, without the words.
    pub fn summary(&self) -> Summary {
        let services = self.stage.iter().chain(&self.retire).map(ServiceChange::action);
        let entries = self.switch.entries.iter();
        let entries = entries.map(|change| action(change.before.is_some(), change.after.is_some()));
        let repairs = self.repairs().map(|_| Action::Change);
        let leftovers = self.leftovers().map(|_| Action::Remove);
        let settings = self.equip.iter().chain(&self.strip);
        let settings =
            settings.map(|change| action(change.before.is_some(), change.after.is_some()));
        let sources = self.switch.sources.iter();
        let sources = sources.map(|change| action(change.before.is_some(), change.after.is_some()));
        services
            .chain(settings)
            .chain(self.moving_lines().map(|line| line.action))
            .chain(self.chain_lines().map(|line| line.action))
            .chain(sources)
            .chain(entries)
            .chain(repairs)
            .chain(leftovers)
            .chain(
                self.lone_ledger_changes()
                    .map(|change| action(change.before.is_some(), change.after.is_some())),
            )
            .collect()
    }

    fn service_line(&self, phase: Phase, change: &ServiceChange) -> ChangeLine {
        let service = change.service();
        let (before, after) = match change {
            ServiceChange::AddService(_, after) => (None, Some(after.to_string())),
            ServiceChange::EditService { before, after, .. } => {
                (Some(before.to_string()), Some(after.to_string()))
            }
            ServiceChange::RemoveService(_, before) => (Some(before.to_string()), None),
            ServiceChange::AddDestination(_, after) => (None, Some(after.to_string())),
            ServiceChange::EditDestination { before, after, .. } => {
                (Some(before.to_string()), Some(after.to_string()))
            }
            ServiceChange::RemoveDestination(_, before) => (Some(before.to_string()), None),
        };
        let action = change.action();
        let (object, key) = match change.destination() {
            None => (Object::Service, service.to_string()),
            Some(destination) => (Object::RealServer, format!("{service} {destination}")),
        };
        let group = self.groups.get(&service).cloned();
        ChangeLine { phase, action, object, group, key, before, after }
    }

    /// What was found damaged, and is repaired.
    fn repairs(&self) -> impl Iterator<Item = &String> {
        let repaired =
            matches!(self.switch.frame, FrameChange::RewriteRules | FrameChange::Rebuild);
        self.damage.iter().filter(move |_| repaired)
    }

    /// What was found damaged. That a table is made or goes says its entries.
    fn frame_lines(&self) -> impl Iterator<Item = ChangeLine> + '_ {
        self.repairs().map(|found| ChangeLine {
            phase: Phase::Switch,
            action: Action::Change,
            object: Object::MarkRule,
            group: None,
            key: self.place().to_owned(),
            before: Some(found.clone()),
            after: Some("as fwmarkctl makes it".to_owned()),
        })
    }

    /// Where the marks are, in the words of those who look there.
    fn place(&self) -> &'static str {
        match self.marker {
            Marker::Nftables => "table inet fwmarkctl",
            Marker::Iptables(_) => "chains FWMARKCTL",
        }
    }

    /// Marks that move from one marker to another, or get another form.
    fn moving_lines(&self) -> impl Iterator<Item = ChangeLine> + '_ {
        let line = |action, key: &str, before: String, after: Option<String>| ChangeLine {
            phase: Phase::Switch,
            action,
            object: Object::MarkRule,
            group: None,
            key: key.to_owned(),
            before: Some(before),
            after,
        };
        let copied = self.moving.copy.is_some();
        let left = self.moving.leave.iter().enumerate().map(move |(place, marker)| {
            if copied && place == 0 {
                let (before, after) = (marker.to_string(), self.marker.to_string());
                line(Action::Change, ALL_MARKS, before, Some(after))
            } else {
                let before = format!("what {marker} has of ours");
                line(Action::Remove, &format!("marks of {marker}"), before, None)
            }
        });
        let form = self.form_before.map(|before| {
            let after = self.switch.form.to_string();
            line(Action::Change, FORM, before.to_string(), Some(after))
        });
        left.chain(form)
    }

    /// The optional chains that come or go.
    fn chain_lines(&self) -> impl Iterator<Item = ChangeLine> {
        let ChainChange { before, after } = self.switch.chains;
        let line = |object, name: &str, what: &str, before: bool, after: bool| {
            (before != after).then(|| ChangeLine {
                phase: Phase::Switch,
                action: action(before, after),
                object,
                group: None,
                key: format!("chain {name}"),
                before: before.then(|| what.to_owned()),
                after: after.then(|| what.to_owned()),
            })
        };
        let defragment = "has fragments put together before they are marked";
        let output = "marks what the director itself sends";
        let postrouting = "replaces the addresses of clients";
        [
            line(Object::MarkRule, "defragment", defragment, before.defragment, after.defragment),
            line(Object::MarkRule, "output", output, before.output, after.output),
            line(
                Object::NatRule,
                "postrouting",
                postrouting,
                before.postrouting,
                after.postrouting,
            ),
        ]
        .into_iter()
        .flatten()
    }

    fn source_lines(&self) -> impl Iterator<Item = ChangeLine> + '_ {
        self.switch.sources.iter().map(|SourceChange { key, before, after }| {
            let group = |entry: &Option<SourceEntry>| entry.as_ref()?.group.clone();
            let renamed = before.is_some() && after.is_some() && group(before) != group(after);
            let show = |entry: &SourceEntry| match &entry.group {
                Some(group) if renamed => format!("{} ({group})", entry.source),
                None if renamed => format!("{} (no group)", entry.source),
                _ => entry.source.to_string(),
            };
            ChangeLine {
                phase: Phase::Switch,
                action: action(before.is_some(), after.is_some()),
                object: Object::NatRule,
                group: group(after).or_else(|| group(before)),
                key: key.to_string(),
                before: before.as_ref().map(show),
                after: after.as_ref().map(show),
            }
        })
    }

    fn entry_lines(&self) -> impl Iterator<Item = ChangeLine> + '_ {
        self.switch.entries.iter().map(|change| {
            let group = |entry: &Option<crate::state::MarkEntry>| {
                entry.as_ref().and_then(|entry| entry.group.clone())
            };
            let renamed = change.before.is_some()
                && change.after.is_some()
                && group(&change.before) != group(&change.after);
            let show = |entry: &crate::state::MarkEntry| match &entry.group {
                Some(group) if renamed => format!("{entry} ({group})"),
                None if renamed => format!("{entry} (no group)"),
                _ => entry.to_string(),
            };
            ChangeLine {
                phase: Phase::Switch,
                action: action(change.before.is_some(), change.after.is_some()),
                object: Object::MarkRule,
                group: group(&change.after).or_else(|| group(&change.before)),
                key: change.key.to_string(),
                before: change.before.as_ref().map(show),
                after: change.after.as_ref().map(show),
            }
        })
    }

    /// What the shadow maps hold and need not: it is taken out in the switch, or before it
    /// where the switch has a shadow of its own.
    fn leftovers(&self) -> impl Iterator<Item = &EntryChange> {
        let changes = self.shadow.changes.iter().chain(&self.switch.shadow);
        changes.filter(|change| change.before.is_some())
    }

    fn leftover_lines(&self) -> impl Iterator<Item = ChangeLine> + '_ {
        self.leftovers().map(|change| ChangeLine {
            phase: Phase::Switch,
            action: Action::Remove,
            object: Object::MarkRule,
            group: change.before.as_ref().and_then(|entry| entry.group.clone()),
            key: change.key.to_string(),
            before: change.before.as_ref().map(|entry| {
                format!("{entry} in the shadow map, left by a switch that was interrupted")
            }),
            after: None,
        })
    }

    fn lone_ledger_changes(&self) -> impl Iterator<Item = &LedgerChange> {
        let changed: BTreeSet<_> =
            self.stage.iter().chain(&self.retire).map(ServiceChange::service).collect();
        self.switch.ledger.iter().filter(move |change| !changed.contains(&change.key))
    }

    /// The ledger follows the services; a line of its own has only what changes in it
    /// while its service stays as it is.
    fn ledger_lines(&self) -> impl Iterator<Item = ChangeLine> + '_ {
        self.lone_ledger_changes().map(|change| ChangeLine {
            phase: Phase::Switch,
            action: action(change.before.is_some(), change.after.is_some()),
            object: Object::Service,
            group: self.groups.get(&change.key).cloned(),
            key: change.key.to_string(),
            before: change
                .before
                .as_ref()
                .map(|entry| format!("recorded as {}", entry.to_comment())),
            after: change.after.as_ref().map(|entry| format!("recorded as {}", entry.to_comment())),
        })
    }
}

/// The value of a setting for people.
fn shown(key: &SettingKey, value: &str) -> String {
    match key {
        SettingKey::LocalRoute(_) => format!("local, in table {ROUTE_TABLE}"),
        SettingKey::Rule(_) => format!("lookup {ROUTE_TABLE}, priority {RULE_PRIORITY}"),
        SettingKey::Timeout(_) => format!("{value} s"),
        _ => value.to_owned(),
    }
}

impl ChangeLine {
    /// Whether it is where all marks are, or in which form: a change of no group.
    pub fn is_of_all_marks(&self) -> bool {
        self.object == Object::MarkRule && [ALL_MARKS, FORM].contains(&self.key.as_str())
    }

    /// A setting that is so, as if it were added.
    pub fn of_setting(key: &SettingKey, value: &str) -> Self {
        let change =
            SettingChange { key: key.clone(), before: None, after: Some(value.to_owned()) };
        setting_line(Phase::Stage, &change)
    }
}

fn setting_line(phase: Phase, change: &SettingChange) -> ChangeLine {
    let SettingChange { key, before, after } = change;
    let shown = |value: &Option<String>| value.as_ref().map(|value| shown(key, value));
    ChangeLine {
        phase,
        action: action(before.is_some(), after.is_some()),
        object: Object::of(key),
        group: None,
        key: key.name(),
        before: shown(before),
        after: shown(after),
    }
}

impl ServiceChange {
    /// What kind of change it is.
    fn action(&self) -> Action {
        match self {
            Self::AddService(..) | Self::AddDestination(..) => Action::Add,
            Self::EditService { .. } | Self::EditDestination { .. } => Action::Change,
            Self::RemoveService(..) | Self::RemoveDestination(..) => Action::Remove,
        }
    }
}

fn action(before: bool, after: bool) -> Action {
    match (before, after) {
        (false, _) => Action::Add,
        (true, true) => Action::Change,
        (true, false) => Action::Remove,
    }
}
