//! `schema`: the JSON Schemas of the configuration and of what commands print.

mod documents;

use super::Context;
use super::output::Format;
use crate::config;
use crate::error::{Error, Exit};

/// The names of all schemas.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once("config").chain(documents::names())
}

/// What there are schemas of.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Schemas")]
pub(super) struct List {
    format: Format,
    /// With one of these names the command prints the schema itself.
    schemas: Vec<&'static str>,
}

pub(super) fn run(context: &mut Context, of: &[String]) -> Result<Exit, Error> {
    let output = &mut context.output;
    if of.is_empty() {
        let schemas: Vec<_> = names().collect();
        if output.is_json() {
            output.json(&List { format: Format, schemas })?;
        } else {
            output.raw(format!("{}\n", schemas.join("\n")).as_bytes())?;
        }
        return Ok(Exit::Done);
    }
    let name = of.join(" ");
    let schema = match name.as_str() {
        "config" => Some(config::json_schema()),
        name => documents::schema(name),
    };
    let schema = schema.ok_or_else(|| Error::Usage {
        message: format!("there is no schema of '{name}'"),
        hint: Some("`fwmarkctl schema` lists them".to_owned()),
    })?;
    let mut text =
        serde_json::to_vec_pretty(&schema).map_err(|error| Error::Output(error.into()))?;
    text.push(b'\n');
    output.raw(&text)?;
    Ok(Exit::Done)
}
