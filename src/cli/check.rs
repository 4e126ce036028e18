//! `check`: is the configuration right? Touches no kernel.

use super::Context;
use super::output::Format;
use crate::config::Diagnostic;
use crate::error::{Error, Exit};

/// A configuration that is right.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    format: Format,
    /// Always true: what is wrong is an error.
    #[schemars(extend("const" = true))]
    valid: bool,
    /// How many groups there are.
    groups: usize,
    /// How many of them are enabled.
    enabled: usize,
    /// How many entries mark packets.
    mark_rules: usize,
    /// How many virtual services there are.
    services: usize,
    warnings: Vec<Diagnostic>,
}

pub(super) fn run(context: &mut Context) -> Result<Exit, Error> {
    let (config, compiled) = context.compile_unseen()?;
    let groups = &config.groups;
    let enabled = groups.iter().filter(|group| group.enabled).count();
    let (rules, services) = (compiled.state.marking.len(), compiled.state.services.len());
    context.output.json(&Document {
        format: Format,
        valid: true,
        groups: groups.len(),
        enabled,
        mark_rules: rules,
        services,
        warnings: config.warnings,
    })?;
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
