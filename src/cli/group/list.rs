//! `group list`: the groups, and where they are defined. Touches no kernel.

use super::super::Context;
use super::super::failure::defuse;
use super::super::output::{Format, Tone};
use crate::error::{Error, Exit};
use crate::model::{Group, GroupName, Listeners, Prefix};

/// The groups of the configuration.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Groups")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    groups: Vec<Listed<'a>>,
}

/// A group, and where it is defined.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Listed<'a> {
    name: &'a GroupName,
    /// The file; null where it was standard input.
    file: Option<String>,
    line: usize,
    enabled: bool,
    vips: &'a [Prefix],
    /// With those of its presets.
    ports: Vec<String>,
    /// How many.
    real_servers: usize,
}

pub(super) fn run(context: &mut Context) -> Result<Exit, Error> {
    let config = context.load()?;
    let all = config.groups.iter().zip(&config.origins);
    if context.output.is_json() {
        let groups = all.map(|(group, origin)| Listed {
            name: &group.name,
            file: origin.path_text(),
            line: origin.line,
            enabled: group.enabled,
            vips: &group.vips,
            ports: ports(group),
            real_servers: group.real_servers.len(),
        });
        context.output.json(&Document { format: Format, groups: groups.collect() })?;
        return Ok(Exit::Done);
    }
    let mut rows =
        vec![["group", "enabled", "VIPs", "ports", "servers", "file"].map(str::to_owned)];
    for (group, origin) in all {
        let vips: Vec<_> = group.vips.iter().map(ToString::to_string).collect();
        rows.push([
            group.name.to_string(),
            if group.enabled { "yes" } else { "no" }.to_owned(),
            few(&vips),
            few(&ports(group)),
            group.real_servers.len().to_string(),
            format!("{}:{}", origin.file, origin.line),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        let line = defuse(&(cells.collect::<String>() + &row[5]));
        let tone = (number == 0).then_some(Tone::Faint);
        let line = tone.map_or(line.clone(), |tone| context.output.paint(tone, &line));
        text += &format!("{line}\n");
    }
    context.output.text(&text)?;
    Ok(Exit::Done)
}

/// What a group listens on, presets resolved.
pub(super) fn ports(group: &Group) -> Vec<String> {
    match &group.listeners {
        Listeners::Any => vec!["any".to_owned()],
        Listeners::Ports(ports) => ports.iter().map(ToString::to_string).collect(),
    }
}

/// The first two, and how many more.
fn few(items: &[String]) -> String {
    let more = items.len().saturating_sub(2);
    let shown = items.iter().take(2).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} +{more}") }
}
