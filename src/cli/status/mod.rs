//! `status`: what the director does now, group by group.

mod director;
mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Context;
use super::output::{Format, Output, Tone};
use crate::backend::ipvs::KernelIpvs;
use crate::backend::{Activity, ActivityTable, Ipvs};
use crate::error::{Error, Exit};
use crate::model::{Group, GroupName};
use crate::plan::{ChangeLine, Plan};
use crate::state::{
    DirectorState, MarkKey, Observation, ServiceKey, SourceEntry, SourceKey, VirtualService,
};
use crate::transaction::Cause;
use director::Settings;
pub(super) use document::Document;

/// What is shown of one group; `None` is what the kernel holds of no group.
#[derive(Default)]
struct Entry<'a> {
    config: Option<&'a Group>,
    marks: BTreeSet<u32>,
    rules: Vec<&'a MarkKey>,
    services: Vec<(ServiceKey, &'a VirtualService)>,
    sources: Vec<(&'a SourceKey, &'a SourceEntry)>,
    changes: Vec<ChangeLine>,
}

impl Entry<'_> {
    /// Whether it is somebody else's service on one of our marks.
    fn is_in_the_way(&self) -> bool {
        self.services.iter().any(|(_, service)| !service.recorded)
    }
}

pub(super) fn run(context: &mut Context, only: &[String], check: bool) -> Result<Exit, Error> {
    // Without any configuration there is still a kernel to look at.
    let configured =
        check || !context.global.config.is_empty() || Path::new("/etc/fwmarkctl").exists();
    let (groups, desired) = if configured {
        let (config, compiled) = context.load_and_compile()?;
        (config.groups, Some(compiled.state))
    } else {
        (Vec::new(), None)
    };
    let unfinished = context.unfinished()?;
    let desired = desired.map(|desired| unfinished.now(desired));
    let nothing = DirectorState::default();
    let observed = context.observe(desired.as_ref().unwrap_or(&nothing))?;
    let keys = observed.services.keys().copied().collect();
    let activity = KernelIpvs::new().activity(&keys).map_err(Cause::from)?;
    let plan = desired.as_ref().map(|desired| Plan::between(&observed, desired));

    let mut entries = entries(&groups, &observed, plan.as_ref());
    for name in only {
        if !entries.keys().flatten().any(|known| known.as_str() == name) {
            return Err(Error::Usage {
                message: format!(
                    "there is no group '{name}', neither configured nor in the kernel"
                ),
                hint: Some("fwmarkctl status".to_owned()),
            });
        }
    }
    if !only.is_empty() {
        entries.retain(|name, _| {
            name.as_ref().is_some_and(|name| only.iter().any(|wanted| wanted == name.as_str()))
        });
    }
    let settings = Settings::of(&observed, plan.as_ref());
    let in_sync = plan.as_ref().map(Plan::is_empty);
    let generation = observed.ruleset.ledger.record.as_ref().map(|record| record.generation);
    if context.output.is_json() {
        let document = Document {
            format: Format,
            in_sync,
            generation,
            groups: document::groups(&entries, &activity, in_sync),
            director: only.is_empty().then_some(settings),
            pending: unfinished.pending(),
            interrupted: unfinished.interrupted,
        };
        context.output.json(&document)?;
    } else {
        let director = only.is_empty().then(|| settings.text(&context.output));
        let text = director.unwrap_or_default()
            + &text(&entries, &activity, in_sync, generation, &context.output)
            + &unfinished.text(&context.output);
        context.output.text(&text)?;
    }
    Ok(if check && in_sync == Some(false) { Exit::Differs } else { Exit::Done })
}

fn entries<'a>(
    groups: &'a [Group],
    observed: &'a Observation,
    plan: Option<&Plan>,
) -> BTreeMap<Option<GroupName>, Entry<'a>> {
    let mut entries: BTreeMap<Option<GroupName>, Entry<'a>> = BTreeMap::new();
    for group in groups {
        entries.entry(Some(group.name.clone())).or_default().config = Some(group);
    }
    for (key, entry) in &observed.ruleset.entries {
        let shown = entries.entry(entry.group.clone()).or_default();
        shown.rules.push(key);
        shown.marks.extend(entry.mark.map(crate::model::Mark::get));
    }
    for (key, service) in &observed.services {
        let shown = entries.entry(service.group.clone()).or_default();
        shown.services.push((*key, service));
    }
    for source in &observed.ruleset.sources {
        entries.entry(source.1.group.clone()).or_default().sources.push(source);
    }
    let lines = plan.map(Plan::lines).unwrap_or_default();
    for line in lines.into_iter().filter(|line| !line.object.is_setting()) {
        entries.entry(line.group.clone()).or_default().changes.push(line);
    }
    entries
}

fn text(
    entries: &BTreeMap<Option<GroupName>, Entry<'_>>,
    activity: &ActivityTable,
    in_sync: Option<bool>,
    generation: Option<u64>,
    output: &Output,
) -> String {
    let mut text = String::new();
    for (name, entry) in entries {
        text += &group_text(name.as_ref(), entry, activity, in_sync, output);
    }
    let generation = generation.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let state = match in_sync {
        Some(true) => output.paint(Tone::Good, "in sync with the configuration"),
        Some(false) => output.paint(Tone::Warning, "differs from the configuration"),
        None => "no configuration to compare with".to_owned(),
    };
    if entries.is_empty() {
        text += "This director holds nothing of ours.\n";
    }
    text + &format!("Generation {generation}, {state}.\n")
}

fn group_text(
    name: Option<&GroupName>,
    entry: &Entry<'_>,
    activity: &ActivityTable,
    in_sync: Option<bool>,
    output: &Output,
) -> String {
    let name = name.map_or("(no group)", GroupName::as_str);
    let state = match (entry.config, in_sync) {
        _ if entry.is_in_the_way() => {
            output.paint(Tone::Bad, "not ours, and in the way: apply refuses it")
        }
        (Some(group), _) if !group.enabled && entry.changes.is_empty() => {
            output.paint(Tone::Faint, "disabled")
        }
        (_, None) => String::new(),
        _ if entry.changes.is_empty() => output.paint(Tone::Good, "in sync"),
        (None, _) => output.paint(Tone::Warning, "not configured"),
        _ => output.paint(Tone::Warning, format!("differs ({})", entry.changes.len())),
    };
    let mut text = format!("{}  {state}\n", output.paint(Tone::Heading, name));
    for (vip, ports) in listeners(&entry.rules) {
        text += &format!("  {vip}  {}\n", ports.join(" "));
    }
    for (key, service) in &entry.services {
        text += &format!("  {key}  {service}\n");
        text += &servers_text(*key, service, activity, output);
    }
    for (key, SourceEntry { source, .. }) in &entry.sources {
        text += &format!("  fullnat to {key}: {source}\n");
    }
    for line in &entry.changes {
        let line = format!("  ! {}\n", super::plan::sentence(line));
        text += &output.paint(Tone::Warning, line);
    }
    text + "\n"
}

/// The ports of each VIP, as people write them.
fn listeners(rules: &[&MarkKey]) -> BTreeMap<String, Vec<String>> {
    let mut listeners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in rules {
        let ports = format!("{}/{}", key.ports, key.protocol);
        listeners.entry(key.destination.to_string()).or_default().push(ports);
    }
    listeners
}

fn servers_text(
    key: ServiceKey,
    service: &VirtualService,
    activity: &ActivityTable,
    output: &Output,
) -> String {
    let total: u64 = service.destinations.iter().map(|server| u64::from(server.weight)).sum();
    let width = service.destinations.iter().map(|server| server.key.to_string().len()).max();
    let mut text = String::new();
    for server in &service.destinations {
        let Activity { active, inactive } =
            activity.get(&(key, server.key)).copied().unwrap_or_default();
        let share = (u64::from(server.weight) * 10).checked_div(total).unwrap_or(0);
        let bar: String = (0..10).map(|tenth| if tenth < share { '█' } else { '·' }).collect();
        let drained = if server.weight == 0 {
            output.paint(Tone::Warning, "  drained")
        } else {
            String::new()
        };
        text += &format!(
            "    {:<width$}  {:<4} weight {:>5} {}  active {active:>5}  inactive {inactive:>5}{drained}\n",
            server.key.to_string(),
            server.method.to_string(),
            server.weight,
            output.paint(Tone::Faint, bar),
            width = width.unwrap_or(0),
        );
    }
    text
}
