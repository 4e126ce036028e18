//! `completions`: generated from the definitions that also read the command line.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::Context;
use super::args::Arguments;
use crate::error::{Error, Exit};

pub(super) fn run(context: &mut Context, shell: Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "fwmarkctl", &mut script);
    context.output.raw(&script)?;
    Ok(Exit::Done)
}
