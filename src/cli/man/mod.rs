//! `man`: the manual pages, from the definitions that also read the command line and from
//! the pages of the documentation.

mod commands;
mod markdown;
mod roff;

use super::Context;
use super::args::Page;
use super::output::Format;
use crate::error::{Error, Exit};

/// When the pages changed last in what they say; not when they were made, for they are
/// compared.
const DATE: &str = "2026-11-24";

/// A manual page.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "ManualPage")]
pub(super) struct Document {
    format: Format,
    /// Its name, with the section.
    #[schemars(extend("enum" = ["fwmarkctl.8", "fwmarkctl.toml.5"]))]
    page: &'static str,
    /// What man(1) reads.
    text: String,
}

pub(super) fn run(context: &mut Context, page: Page) -> Result<Exit, Error> {
    let (page, text) = match page {
        Page::Command => ("fwmarkctl.8", roff::tidy(&command())),
        Page::Config => ("fwmarkctl.toml.5", roff::tidy(&config())),
    };
    if context.output.is_json() {
        context.output.json(&Document { format: Format, page, text })?;
    } else {
        context.output.raw(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// fwmarkctl(8): what the page says, with the options and commands where it has them.
fn command() -> String {
    let page = include_str!("fwmarkctl.8.md");
    let mut text = roff::title("FWMARKCTL", 8, DATE);
    let (before, rest) = page.split_once("{{options}}").unwrap_or((page, ""));
    let (between, after) = rest.split_once("{{commands}}").unwrap_or((rest, ""));
    text += &markdown::to_roff(before);
    text += &commands::options();
    text += &markdown::to_roff(between);
    text += &commands::commands();
    text + &markdown::to_roff(after)
}

/// fwmarkctl.toml(5): the reference of the configuration, with examples.
fn config() -> String {
    let page = include_str!("../../../docs/config.md");
    let reference = page.split_once('\n').map_or("", |(_, rest)| rest);
    let around = include_str!("fwmarkctl.toml.5.md");
    let (before, after) = around.split_once("{{reference}}").unwrap_or((around, ""));
    let example = |text: &str| {
        // What an editor reads is for no reader.
        let lines = text.lines().filter(|line| !line.starts_with("#:schema"));
        roff::literal(&lines.collect::<Vec<_>>().join("\n"))
    };
    roff::title("FWMARKCTL.TOML", 5, DATE)
        + &markdown::to_roff(before)
        + &markdown::to_roff(reference)
        + &roff::heading("EXAMPLES")
        + &roff::paragraph("One mark ties http and https together:")
        + &example(include_str!("../../../examples/web.toml"))
        + &roff::paragraph("Both families, on the same mark:")
        + &example(include_str!("../../../examples/dual-stack.toml"))
        + &roff::paragraph("Classical services, without marks:")
        + &example(include_str!("../../../examples/via-address.toml"))
        + &markdown::to_roff(after)
}
