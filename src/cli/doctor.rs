//! `doctor`: what on this director would stop traffic.

use std::collections::BTreeSet;
use std::path::Path;

use super::Context;
use super::output::{Format, Output, Tone};
use crate::error::{Error, Exit};
use crate::model::{Forwarding, Group, GroupName};
use crate::preflight::{Finding, Report, Scene, Severity, Sources, Subject, Unchecked, examine};
use crate::state::{DirectorState, Observation, ServiceKey, SettingKey, Settings};

/// What was found.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Examined")]
pub(super) struct Document<'a> {
    format: Format,
    #[serde(flatten)]
    report: &'a Report,
    summary: Summary,
}

/// How many findings there are of each severity.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Findings")]
struct Summary {
    stops: usize,
    may_stop: usize,
    note: usize,
}

pub(super) fn run(context: &mut Context, only: &[String]) -> Result<Exit, Error> {
    // Without any configuration there is still a kernel to look at.
    let configured = !context.global.config.is_empty()
        || crate::config::Sources::default_location(Path::new("/")).is_there();
    let desired = if configured {
        let (config, compiled) = context.load_and_compile()?;
        Some((full_nat(&config.groups), compiled.state))
    } else {
        None
    };
    // What the ledger names, and no more: to ask for other services could load IPVS.
    let settings = desired.as_ref().map(|(_, state)| places(&state.settings)).unwrap_or_default();
    let observed = context.observe(&DirectorState { settings, ..DirectorState::default() });
    let (observed, hidden) = match (observed, &desired) {
        (Ok(observed), _) => (observed, None),
        // The configuration says what has to get through.
        (Err(error), Some(_)) => (Observation::default(), Some(error.sentence())),
        (Err(error), None) => return Err(error),
    };
    let ours = ours(&observed);
    let pending =
        desired.as_ref().map(|(_, state)| pending(&state.settings, &observed)).unwrap_or_default();
    let (full_nat, state) = desired.unwrap_or_else(|| (BTreeSet::new(), observed.state()));
    let groups = chosen(&state, only)?;
    let count = state_groups(&state).len();
    let subject = Subject::of(&state, &full_nat)
        .before_an_apply_of(pending)
        .marked_by(&observed.holder().1.frame);
    let scene = Scene::read(subject, ours, &Sources::default());
    let mut report = examine(&scene);
    report
        .unchecked
        .extend(hidden.map(|why| Unchecked { what: "which services are ours".to_owned(), why }));
    if !only.is_empty() {
        report.only(&groups);
    }
    if context.output.is_json() {
        let summary = Summary {
            stops: number(&report, Severity::Stops),
            may_stop: number(&report, Severity::MayStop),
            note: number(&report, Severity::Note),
        };
        context.output.json(&Document { format: Format, report: &report, summary })?;
    } else {
        let count = if only.is_empty() { count } else { groups.len() };
        let text = text(&report, count, &context.output);
        context.output.text(&text)?;
    }
    Ok(if report.stops() { Exit::Differs } else { Exit::Done })
}

/// The groups whose clients' addresses are replaced.
fn full_nat(groups: &[Group]) -> BTreeSet<GroupName> {
    let replaces = |group: &&Group| {
        group.real_servers.iter().any(|server| server.forwarding == Forwarding::FullNat)
    };
    groups.iter().filter(replaces).map(|group| group.name.clone()).collect()
}

/// The services that are ours, by the ledger or the journal.
fn ours(observed: &Observation) -> BTreeSet<ServiceKey> {
    let recorded = observed.services.iter().filter(|(_, service)| service.recorded);
    recorded.map(|(key, _)| *key).collect()
}

/// Routes, rules and addresses, which are asked for without IPVS.
fn places(settings: &Settings) -> Settings {
    let places = settings.iter().filter(|(key, _)| match key {
        SettingKey::LocalRoute(_) | SettingKey::Rule(_) | SettingKey::Address { .. } => true,
        SettingKey::Sysctl(_) | SettingKey::Timeout(_) | SettingKey::SyncDaemon(_) => false,
    });
    places.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What an apply would set, as far as can be told: kernel parameters are not asked for
/// here, and who finds one that is wrong has read it.
fn pending(settings: &Settings, observed: &Observation) -> Settings {
    let is_so = |key: &SettingKey, wanted: &str| {
        observed.settings.get(key).is_some_and(|found| key.is_served(wanted, found))
    };
    let pending = settings.iter().filter(|(key, wanted)| !is_so(key, wanted));
    pending.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn state_groups(state: &DirectorState) -> BTreeSet<GroupName> {
    let marked = state.marking.values().filter_map(|entry| entry.group.clone());
    let served = state.services.values().filter_map(|service| service.group.clone());
    marked.chain(served).collect()
}

/// The groups that were asked for.
fn chosen(state: &DirectorState, only: &[String]) -> Result<BTreeSet<GroupName>, Error> {
    let known = state_groups(state);
    let find = |name: &String| {
        known.iter().find(|group| group.as_str() == name).cloned().ok_or_else(|| Error::Usage {
            message: format!("there is no group '{name}', neither configured nor in the kernel"),
            hint: Some("fwmarkctl status".to_owned()),
        })
    };
    only.iter().map(find).collect()
}

fn number(report: &Report, severity: Severity) -> usize {
    report.findings.iter().filter(|finding| finding.severity == severity).count()
}

fn text(report: &Report, groups: usize, output: &Output) -> String {
    let mut text: String = report.findings.iter().map(|found| finding(found, output)).collect();
    for Unchecked { what, why } in &report.unchecked {
        text += &output.paint(Tone::Warning, format!("not checked: {what}: {why}\n"));
    }
    let of_groups = match groups {
        1 => "1 group".to_owned(),
        n => format!("{n} groups"),
    };
    let [stops, may, notes] = [Severity::Stops, Severity::MayStop, Severity::Note]
        .map(|severity| number(report, severity));
    text + &match (stops, may + notes, report.unchecked.len()) {
        (0, 0, 0) => {
            let well = output.paint(Tone::Good, "Well");
            format!("{well}: nothing was found that stops traffic of {of_groups}.\n")
        }
        (0, 0, _) => format!("Nothing was found in what could be checked, of {of_groups}.\n"),
        _ => {
            let verb = if stops == 1 { "stops" } else { "stop" };
            format!("{of_groups}: {stops} {verb} traffic, {may} may, {notes} to note.\n")
        }
    }
}

fn finding(found: &Finding, output: &Output) -> String {
    let Finding { code, severity, groups, what, why, remedy, on_real_server } = found;
    let (word, tone) = match severity {
        Severity::Stops => ("stops", Tone::Bad),
        Severity::MayStop => ("may stop", Tone::Warning),
        Severity::Note => ("note", Tone::Faint),
    };
    let mut text = output.paint(tone, format!("{word} {code}"));
    for group in groups {
        text += &format!("  [{group}]");
    }
    text += &format!("  {what}\n");
    text += &format!("  why: {why}\n");
    let there = on_real_server.iter().map(|command| ("mend on the real server:", command));
    for (word, command) in there.chain(remedy.iter().map(|command| ("mend:", command))) {
        text += &format!("  {} {command}\n", output.paint(Tone::Heading, word));
    }
    text + "\n"
}
