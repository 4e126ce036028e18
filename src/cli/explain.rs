//! `explain CODE`: an error of the configuration or a finding of the doctor, with its
//! remedy.

use super::Context;
use super::output::Format;
use crate::config::Code;
use crate::error::{Error, Exit};
use crate::preflight;

/// What is to be known of a code.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Document {
    format: Format,
    /// The code as it is written.
    code: &'static str,
    /// The explanation, as Markdown.
    explanation: &'static str,
}

pub(super) fn run(context: &mut Context, code: &str) -> Result<Exit, Error> {
    let of_config = Code::find(code).map(|found| (found.as_str(), found.explanation()));
    let of_doctor =
        || preflight::Code::find(code).map(|found| (found.as_str(), found.explanation()));
    let Some((found, explanation)) = of_config.or_else(of_doctor) else {
        return Err(Error::Usage {
            message: format!("there is no error or finding '{code}'"),
            hint: Some("the code stands in brackets behind the word error: E0213".to_owned()),
        });
    };
    if context.output.is_json() {
        context.output.json(&Document { format: Format, code: found, explanation })?;
    } else {
        context.output.raw(format!("{}\n", explanation.trim_end()).as_bytes())?;
    }
    Ok(Exit::Done)
}
