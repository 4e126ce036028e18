//! What `realserver` prints as JSON.

use std::collections::BTreeSet;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use super::Selection;
use crate::cli::output::Format;
use crate::model::GroupName;
use crate::real_server::{
    Chosen, Deed, Gateway, Neighbours, Outcome, Plan, Row, Setting, Status, Useless, Vip,
};

/// For what; all null where nothing was chosen.
#[derive(Serialize, JsonSchema)]
struct For<'a> {
    groups: Option<&'a [GroupName]>,
    /// By what the groups were chosen.
    chosen: Option<Chosen>,
    vips: Option<&'a BTreeSet<Vip>>,
    /// What an administrator should know.
    notes: Option<&'a [String]>,
}

/// What was done, or would be.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Prepared")]
pub(in crate::cli) struct Done<'a> {
    format: Format,
    #[serde(flatten)]
    of: For<'a>,
    /// Whether there was anything to do.
    changed: bool,
    /// Whether nothing was changed, for only the steps were asked for.
    dry_run: bool,
    steps: Vec<Step>,
    #[serde(flatten)]
    rest: Option<Rest<'a>>,
}

/// What only those know who did it: a dry run leaves it out.
#[derive(Serialize, JsonSchema)]
struct Rest<'a> {
    /// What could not be undone; left out of a dry run.
    left: Vec<Left<'a>>,
    /// Why what was recorded says nothing of this kernel; left out of a dry run.
    record_was: Option<Useless>,
    /// Whether answers go through the director; left out of a dry run.
    gateway: Option<&'a Gateway>,
}

/// One step.
#[derive(Serialize, JsonSchema)]
struct Step {
    action: Action,
    /// In words.
    setting: String,
    detail: Setting,
    /// The value of a kernel parameter before.
    previous: Option<u32>,
}

/// What is done to a setting.
#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Deed")]
enum Action {
    Make,
    Undo,
}

/// What could not be undone.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotUndone")]
struct Left<'a> {
    setting: String,
    why: &'a str,
}

/// How ready a machine is.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Readiness<'a> {
    format: Format,
    #[serde(flatten)]
    of: For<'a>,
    ready: bool,
    /// How much is missing.
    missing: usize,
    settings: Vec<Found>,
    /// The devices on which clients and directors ask by ARP.
    devices: &'a [Neighbours],
    /// VIPs on a device where ARP is answered for them.
    elsewhere: Vec<Elsewhere<'a>>,
    /// What is ours, and not wanted any more.
    surplus: Vec<String>,
    gateway: Option<&'a Gateway>,
    /// What is to be said of the record.
    record: Option<&'a str>,
}

/// A setting, and whether it is so.
#[derive(Serialize, JsonSchema)]
struct Found {
    /// In words.
    setting: String,
    detail: Setting,
    present: bool,
    /// Whether it was made so by us.
    ours: bool,
    /// The value of a kernel parameter.
    value: Option<u32>,
}

/// A VIP where it should not be.
#[derive(Serialize, JsonSchema)]
struct Elsewhere<'a> {
    vip: &'a IpAddr,
    device: &'a str,
}

impl<'a> For<'a> {
    fn of(selection: Option<&'a Selection>) -> Self {
        let choice = selection.and_then(|selection| selection.choice.as_ref());
        Self {
            groups: choice.map(|choice| choice.groups.as_slice()),
            chosen: choice.map(|choice| choice.by),
            vips: selection.map(|selection| &selection.vips),
            notes: choice.map(|choice| choice.notes.as_slice()),
        }
    }
}

impl<'a> Done<'a> {
    /// What would be done.
    pub(super) fn planned(selection: Option<&'a Selection>, plan: &Plan) -> Self {
        let steps = steps(&plan.make, &plan.undo);
        let (changed, of) = (!steps.is_empty(), For::of(selection));
        Self { format: Format, of, changed, dry_run: true, steps, rest: None }
    }

    /// What was done.
    pub(super) fn of(
        selection: Option<&'a Selection>,
        outcome: &'a Outcome,
        gateway: Option<&'a Gateway>,
    ) -> Self {
        let Outcome { made, undone, left, useless } = outcome;
        let steps = steps(made, undone);
        let (changed, of) = (!steps.is_empty(), For::of(selection));
        let left = left.iter().map(|(setting, why)| Left { setting: setting.to_string(), why });
        let rest = Some(Rest { left: left.collect(), record_was: *useless, gateway });
        Self { format: Format, of, changed, dry_run: false, steps, rest }
    }
}

fn steps(made: &[Deed], undone: &[Deed]) -> Vec<Step> {
    let step = |action| {
        move |deed: &Deed| Step {
            action,
            setting: deed.setting.to_string(),
            detail: deed.setting,
            previous: deed.previous,
        }
    };
    made.iter().map(step(Action::Make)).chain(undone.iter().map(step(Action::Undo))).collect()
}

impl<'a> Readiness<'a> {
    /// How ready a machine is for what was chosen.
    pub(super) fn of(
        selection: Option<&'a Selection>,
        status: &'a Status,
        record: Option<&'a str>,
    ) -> Self {
        let found = |row: &Row| Found {
            setting: row.setting.to_string(),
            detail: row.setting,
            present: row.present,
            ours: row.ours,
            value: row.value,
        };
        let elsewhere = status.elsewhere.iter().map(|(vip, device)| Elsewhere { vip, device });
        Self {
            format: Format,
            of: For::of(selection),
            ready: status.missing() == 0,
            missing: status.missing(),
            settings: status.settings.iter().map(found).collect(),
            devices: &status.neighbours,
            elsewhere: elsewhere.collect(),
            surplus: status.surplus.iter().map(ToString::to_string).collect(),
            gateway: status.gateway.as_ref(),
            record,
        }
    }
}
