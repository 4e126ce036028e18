//! `graph`: the groups as a picture, from the configuration; how busy they are, from the
//! kernel.

mod dot;
mod layout;
mod mermaid;
mod picture;
mod svg;

use std::collections::BTreeSet;

use self::picture::Picture;
use super::Context;
use super::args::{GraphFormat, GraphOptions};
use super::output::Format;
use crate::backend::Ipvs;
use crate::backend::ipvs::KernelIpvs;
use crate::compile::{Compiled, Past, compile};
use crate::error::{Error, Exit};
use crate::model::{DirectorSettings, Group};
use crate::state::{DirectorState, MarkBook};
use crate::transaction::Cause;

/// A picture, as the text that another program shows.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Graph")]
pub(super) struct Document {
    format: Format,
    /// What shows it: `svg`, `mermaid` or `dot`.
    #[schemars(extend("enum" = ["svg", "mermaid", "dot"]))]
    language: &'static str,
    text: String,
}

pub(super) fn run(context: &mut Context, options: &GraphOptions) -> Result<Exit, Error> {
    let (config, compiled) = context.compile_unseen()?;
    let groups = chosen(config.groups, &options.groups)?;
    let states = states(&groups, &config.director, &compiled.marks)?;
    let activity = if options.live {
        let keys: BTreeSet<_> =
            states.iter().flat_map(|state| state.services.keys().copied()).collect();
        Some(KernelIpvs::new().activity(&keys).map_err(Cause::from)?)
    } else {
        None
    };
    let picture = Picture::of(groups.iter().zip(&states), activity.as_ref());
    let (language, text) = match options.format {
        GraphFormat::Svg => ("svg", svg::of(&picture)),
        GraphFormat::Mermaid => ("mermaid", mermaid::of(&picture)),
        GraphFormat::Dot => ("dot", dot::of(&picture)),
    };
    if context.output.is_json() {
        context.output.json(&Document { format: Format, language, text })?;
    } else {
        context.output.raw(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The groups that were asked for, in the order of the files.
fn chosen(groups: Vec<Group>, names: &[String]) -> Result<Vec<Group>, Error> {
    for name in names {
        if !groups.iter().any(|group| group.name.as_str() == name) {
            let known: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
            return Err(Error::Usage {
                message: format!("there is no group '{name}'"),
                hint: Some(format!("there are: {}", known.join(", "))),
            });
        }
    }
    let is_wanted =
        |group: &Group| names.is_empty() || names.iter().any(|name| name == group.name.as_str());
    Ok(groups.into_iter().filter(is_wanted).collect())
}

/// What each group becomes by itself: one that is disabled as it would be.
fn states(
    groups: &[Group],
    director: &DirectorSettings,
    marks: &MarkBook,
) -> Result<Vec<DirectorState>, Error> {
    let state = |group: &Group| {
        let alone = [Group { enabled: true, ..group.clone() }];
        let Compiled { state, .. } = compile(&alone, director, Past::of(marks))?;
        Ok(state)
    };
    groups.iter().map(state).collect()
}
