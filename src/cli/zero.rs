//! `zero`: counting begins anew, on both sides.

use std::collections::BTreeSet;

use super::groups::Selection;
use super::output::{Format, Output};
use super::{Context, record_error};
use crate::backend::KernelDirector;
use crate::backend::ipvs::KernelIpvs;
use crate::error::{Error, Exit};
use crate::transaction::Cause;

/// What counts from zero.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    format: Format,
    zeroed: Zeroed,
}

/// How many of each.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Zeroed {
    mark_rules: usize,
    services: usize,
}

pub(super) fn run(context: &mut Context, names: &[String], no_wait: bool) -> Result<Exit, Error> {
    let session = context.session("zero", no_wait)?;
    let counted = KernelDirector::new().counted_marking().map_err(Cause::from)?;
    let selection = Selection::new(names, &counted.ruleset)?;
    let ledger = &counted.ruleset.ledger.services;
    let mut services: BTreeSet<_> = ledger
        .iter()
        .filter(|(_, entry)| selection.has(entry.group.as_ref()))
        .map(|(key, _)| *key)
        .collect();
    if selection.is_everything() {
        services.extend(session.run().owned().services);
    }
    // Only ours, by name: IPVS takes a request without a service for all of them.
    KernelIpvs::new().zero(&services).map_err(Cause::from)?;

    let unreadable = record_error("read what `zero` remembers");
    let mut remembered = session.zero_file().read().map_err(unreadable)?;
    let entries = &counted.ruleset.entries;
    remembered.retain(|key, _| entries.contains_key(key));
    let wanted = counted.counts.iter().filter(|(key, _)| {
        entries.get(key).is_some_and(|entry| selection.has(entry.group.as_ref()))
    });
    let mut marks = 0;
    for (key, count) in wanted {
        remembered.insert(*key, *count);
        marks += 1;
    }
    session.zero_file().write(&remembered).map_err(record_error("write what `zero` remembers"))?;
    drop(session);
    Output::after_the_fact(show(&mut context.output, marks, services.len()));
    Ok(Exit::Done)
}

fn show(output: &mut Output, marks: usize, services: usize) -> Result<(), Error> {
    output.json(&Document { format: Format, zeroed: Zeroed { mark_rules: marks, services } })?;
    output.text(&format!(
        "Counting from zero: {marks} mark rule{}, {services} service{}.\n",
        if marks == 1 { "" } else { "s" },
        if services == 1 { "" } else { "s" },
    ))
}
