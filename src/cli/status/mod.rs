//! `status`: what the director does now, group by group.

mod director;
mod document;
mod servers;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::output::Format;
use super::stats::Reading;
use super::{Context, Interrupted, Pending, unfinished_text};
use crate::backend::Ipvs;
use crate::backend::ipvs::KernelIpvs;
use crate::config::Origin;
use crate::error::{Error, Exit};
use crate::model::{Group, GroupName, Mark, Marker};
use crate::plan::{ChangeLine, Plan};
use crate::state::{
    DirectorState, MarkKey, Observation, ServiceKey, SourceEntry, SourceKey, VirtualService,
};
use crate::transaction::Cause;
use director::Settings;
pub(super) use document::Document;
use text::Screen;

/// What is shown of one group; `None` is what the kernel holds of no group.
#[derive(Default)]
struct Entry<'a> {
    config: Option<&'a Group>,
    /// Where it is configured.
    origin: Option<&'a Origin>,
    marks: BTreeSet<u32>,
    /// What is marked, and how.
    rules: Vec<(&'a MarkKey, Option<Mark>)>,
    services: Vec<(ServiceKey, &'a VirtualService)>,
    sources: Vec<(&'a SourceKey, &'a SourceEntry)>,
    changes: Vec<ChangeLine>,
}

/// From the marker that has all marks to that of the configuration.
type Moves = Option<(Marker, Marker)>;

impl Entry<'_> {
    /// Whether its marks move with all marks.
    fn moves(&self, moves: Moves) -> bool {
        moves.is_some() && !self.rules.is_empty()
    }

    /// Whether it is somebody else's service on one of our marks.
    fn is_in_the_way(&self) -> bool {
        self.services.iter().any(|(_, service)| !service.recorded)
    }
}

pub(super) fn run(context: &mut Context, only: &[String], check: bool) -> Result<Exit, Error> {
    // Without any configuration there is still a kernel to look at.
    let configured =
        check || !context.global.config.is_empty() || Path::new("/etc/fwmarkctl").exists();
    let (groups, desired): (Vec<_>, _) = if configured {
        let (config, compiled) = context.load_and_compile()?;
        (config.groups.into_iter().zip(config.origins).collect(), Some(compiled.state))
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
    let generation = observed.record().map(|record| record.generation);
    // The backend that marks may be another one than the configuration names.
    let holder = observed.holder();
    let holder = (!holder.1.is_absent()).then_some(holder.0);
    let moves = holder.filter(|holder| in_sync.is_some() && *holder != observed.marker);
    let moves = moves.map(|from| (from, observed.marker));
    if context.output.is_json() {
        let document = Document {
            format: Format,
            in_sync,
            generation,
            marker: holder.map(Marker::name),
            groups: document::groups(&entries, &activity, in_sync, moves),
            director: only.is_empty().then_some(settings),
            pending: Pending::of(&unfinished),
            interrupted: Interrupted::of(&unfinished),
        };
        context.output.json(&document)?;
    } else {
        let in_depth = !only.is_empty();
        let counted = if in_depth { counted(context, &entries)? } else { None };
        let screen = Screen {
            output: &context.output,
            entries: &entries,
            activity: &activity,
            in_sync,
            generation,
            moves,
            in_depth,
            counted: counted.as_ref(),
        };
        let director = if in_depth { String::new() } else { settings.text(&context.output) };
        let text =
            director + &screen.text(&settings) + &unfinished_text(&unfinished, &context.output);
        context.output.text(&text)?;
    }
    Ok(if check && in_sync == Some(false) { Exit::Differs } else { Exit::Done })
}

/// What was counted of the groups that the kernel has.
fn counted(
    context: &Context,
    entries: &BTreeMap<Option<GroupName>, Entry<'_>>,
) -> Result<Option<Reading>, Error> {
    let is_there = |entry: &Entry<'_>| entry.services.iter().any(|(_, service)| service.recorded);
    let there = entries.iter().filter(|(_, entry)| is_there(entry));
    let names: Vec<_> = there.filter_map(|(name, _)| Some(name.as_ref()?.to_string())).collect();
    // Without a name, all groups would be counted.
    if names.is_empty() { Ok(None) } else { Reading::take(context, &names).map(Some) }
}

/// Whether a change belongs to the director and to no group.
fn is_of_director(line: &ChangeLine) -> bool {
    line.object.is_setting() || line.is_of_all_marks()
}

fn entries<'a>(
    groups: &'a [(Group, Origin)],
    observed: &'a Observation,
    plan: Option<&Plan>,
) -> BTreeMap<Option<GroupName>, Entry<'a>> {
    let mut entries: BTreeMap<Option<GroupName>, Entry<'a>> = BTreeMap::new();
    for (group, origin) in groups {
        let shown = entries.entry(Some(group.name.clone())).or_default();
        (shown.config, shown.origin) = (Some(group), Some(origin));
    }
    let (_, ruleset) = observed.holder();
    for (key, entry) in &ruleset.entries {
        let shown = entries.entry(entry.group.clone()).or_default();
        shown.rules.push((key, entry.mark));
        shown.marks.extend(entry.mark.map(Mark::get));
    }
    for (key, service) in &observed.services {
        let shown = entries.entry(service.group.clone()).or_default();
        shown.services.push((*key, service));
    }
    for source in &ruleset.sources {
        entries.entry(source.1.group.clone()).or_default().sources.push(source);
    }
    let lines = plan.map(Plan::lines).unwrap_or_default();
    for line in lines.into_iter().filter(|line| !is_of_director(line)) {
        entries.entry(line.group.clone()).or_default().changes.push(line);
    }
    entries
}
