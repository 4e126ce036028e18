//! `preset`: the named services that groups can listen on. Reads no configuration, and
//! touches no kernel.

use std::path::Path;

use super::args::PresetCommand;
use super::failure::defuse;
use super::output::{Format, Tone};
use super::{Context, PRESETS, effective_uid};
use crate::config::{Preset, Presets};
use crate::error::{Error, Exit};

/// How wide the column of ports is; one with more pushes its description to the right.
const PORTS: usize = 32;

/// All presets.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct All<'a> {
    format: Format,
    presets: Vec<Row<'a>>,
}

/// One of them, whole.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct One<'a> {
    format: Format,
    #[serde(flatten)]
    row: Row<'a>,
    /// The TOML that defines it.
    toml: &'a str,
}

/// What is listed of a preset.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "Preset")]
struct Row<'a> {
    name: &'a str,
    description: &'a str,
    /// Where its ports are assigned.
    source: &'a str,
    /// Such as `80/tcp`.
    ports: Vec<String>,
    /// The file of an administrator that it is in; null where it ships.
    file: Option<&'a str>,
    /// Whether it stands in for one that ships.
    replaces_shipped: bool,
}

pub(super) fn run(context: &mut Context, what: &PresetCommand) -> Result<Exit, Error> {
    let user = effective_uid();
    let presets = Presets::load(Some(Path::new(PRESETS)), user)?;
    match what {
        PresetCommand::List => list(context, &presets)?,
        PresetCommand::Show { name } => show(context, &presets, name)?,
    }
    Ok(Exit::Done)
}

fn list(context: &mut Context, presets: &Presets) -> Result<(), Error> {
    let output = &mut context.output;
    if output.is_json() {
        let presets = presets.iter().map(|(name, preset)| row(name, preset)).collect();
        return output.json(&All { format: Format, presets });
    }
    let names = presets.names().map(str::len).max().unwrap_or_default();
    let mut text = String::new();
    for (name, preset) in presets.iter() {
        // A path of an administrator tells these from those that ship.
        let file = preset.file.as_ref().map(|file| format!("  [{file}]")).unwrap_or_default();
        let name = output.paint(Tone::Heading, format_args!("{name:names$}"));
        let line = format!("{:PORTS$}  {}{file}", listening(preset), preset.description);
        text += &format!("{name}  {}\n", defuse(line.trim_end()));
    }
    output.raw(text.as_bytes())
}

fn show(context: &mut Context, presets: &Presets, name: &str) -> Result<(), Error> {
    let Some(preset) = presets.get(name) else {
        let hint = match presets.nearest(name) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "`fwmarkctl preset list` shows them all".to_owned(),
        };
        let message = format!("there is no preset '{name}'");
        return Err(Error::Usage { message, hint: Some(hint) });
    };
    let output = &mut context.output;
    if output.is_json() {
        return output.json(&One { format: Format, row: row(name, preset), toml: &preset.text });
    }
    let text = format!(
        "{}  {}\nports   {}\nsource  {}\nfrom    {}\n\n{}\n",
        output.paint(Tone::Heading, name),
        defuse(&preset.description),
        listening(preset),
        defuse(&preset.source),
        origin(name, preset),
        defuse(preset.text.trim_end()),
    );
    output.raw(text.as_bytes())
}

fn row<'a>(name: &'a str, preset: &'a Preset) -> Row<'a> {
    Row {
        name,
        description: &preset.description,
        source: &preset.source,
        ports: preset.ports.iter().map(ToString::to_string).collect(),
        file: preset.file.as_deref(),
        replaces_shipped: preset.file.is_some() && Presets::is_shipped(name),
    }
}

fn listening(preset: &Preset) -> String {
    preset.ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whose it is.
fn origin(name: &str, preset: &Preset) -> String {
    match &preset.file {
        None => "fwmarkctl".to_owned(),
        Some(file) if Presets::is_shipped(name) => format!("{file}, instead of fwmarkctl's own"),
        Some(file) => file.clone(),
    }
}
