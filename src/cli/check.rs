//! `check`: is the configuration right? Touches no kernel.

use serde_json::json;

use super::Context;
use super::output::FORMAT;
use crate::error::{Error, Exit};

pub(super) fn run(context: &mut Context) -> Result<Exit, Error> {
    let (config, compiled) = context.compile_unseen()?;
    let groups = &config.groups;
    let enabled = groups.iter().filter(|group| group.enabled).count();
    let (rules, services) = (compiled.state.marking.len(), compiled.state.services.len());
    context.output.json(&json!({
        "format": FORMAT,
        "valid": true,
        "groups": groups.len(),
        "enabled": enabled,
        "mark_rules": rules,
        "services": services,
        "warnings": config.warnings,
    }))?;
    let count = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    let disabled = match groups.len() - enabled {
        0 => String::new(),
        n => format!(" ({n} disabled)"),
    };
    context.output.text(&format!(
        "Valid: {}{disabled}, {}, {}.\n",
        count(groups.len(), "group"),
        count(rules, "mark rule"),
        count(services, "service"),
    ))?;
    Ok(Exit::Done)
}
