//! `export`: what this director holds of ours, as a configuration.

use serde_json::{Map, Value};

use super::failure::defuse;
use super::output::{Format, note};
use super::{Context, unfinished_text, write_groups};
use crate::config::comment;
use crate::error::{Error, Exit};
use crate::regroup::regroup;
use crate::state::{DirectorState, Observation, Settings};

/// Something of the kernel that the configuration does not say.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Unsaid {
    message: String,
    hint: Option<String>,
    /// Whether it is in no group; else a group has it, with a difference.
    left_out: bool,
    mark_rules: Vec<String>,
    services: Vec<String>,
}

/// The groups as the configuration has them, key by key.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Exported")]
pub(super) struct Document<'a> {
    format: Format,
    /// As `group` of `config.json`.
    groups: Value,
    /// As `director` of `config.json`.
    director: Value,
    /// What the configuration does not say.
    lost: &'a [Unsaid],
    /// The configuration.
    toml: &'a str,
}

pub(super) fn run(context: &mut Context) -> Result<Exit, Error> {
    let unfinished = context.unfinished()?;
    let observed = context.observe(&DirectorState::default())?;
    let state = ours(&observed, &context.last_settings());
    let found = regroup(&state);
    let written = write_groups(found.groups, &found.director);
    let lost = found.lost.iter().map(|lost| Unsaid {
        message: lost.reason.to_string(),
        hint: Some(lost.reason.remedy()),
        left_out: lost.reason.is_left_out(),
        mark_rules: lost.marking.iter().map(ToString::to_string).collect(),
        services: lost.services.iter().map(ToString::to_string).collect(),
    });
    let refused = written.refused.iter().map(|diagnostic| Unsaid {
        message: diagnostic.message.clone(),
        hint: diagnostic.help.clone(),
        left_out: true,
        mark_rules: Vec::new(),
        services: Vec::new(),
    });
    let unsaid: Vec<_> = lost.chain(refused).collect();
    if !context.global.quiet {
        note(&unfinished_text(&unfinished, &context.output));
        for Unsaid { message, hint, .. } in &unsaid {
            let hint = hint.as_ref().map_or(String::new(), |hint| format!("  {hint}\n"));
            note(&defuse(&format!("warning: not exported: {message}\n{hint}")));
        }
    }
    if context.output.is_json() {
        context.output.json(&document(&written.text, &unsaid))?;
    } else {
        context.output.raw(text(&written.text, &unsaid).as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The part of what was seen that is ours. Of a setting that serves what was asked for, it is
/// that which is told: a daemon shows more than anybody chose.
fn ours(observed: &Observation, asked: &Settings) -> DirectorState {
    let mut state = observed.state();
    state.services.retain(|_, service| service.recorded);
    for (key, found) in &mut state.settings {
        if let Some(asked) = asked.get(key).filter(|asked| key.is_served(asked, found)) {
            found.clone_from(asked);
        }
    }
    state
}

fn text(groups: &str, unsaid: &[Unsaid]) -> String {
    let mut text = if groups.is_empty() {
        comment("This director holds no group of ours.")
    } else {
        comment("What this director holds of ours, by `fwmarkctl export`.") + "\n" + groups
    };
    if !unsaid.is_empty() {
        text += "\n";
        text += &comment("What it holds besides, and what is not the same above:");
    }
    for Unsaid { message, hint, .. } in unsaid {
        text += &comment(message);
        text += &hint.as_ref().map_or(String::new(), |hint| comment(&format!("  {hint}")));
    }
    text
}

fn document<'a>(groups: &'a str, unsaid: &'a [Unsaid]) -> Document<'a> {
    let read: Value = toml::from_str(groups).unwrap_or_default();
    let part = |key: &str| read.get(key).cloned().unwrap_or_else(|| Map::new().into());
    Document {
        format: Format,
        groups: part("group"),
        director: part("director"),
        lost: unsaid,
        toml: groups,
    }
}
