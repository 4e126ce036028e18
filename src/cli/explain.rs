//! `explain CODE`: an error of the configuration, with an example and its remedy.

use serde_json::json;

use super::Context;
use super::output::FORMAT;
use crate::config::Code;
use crate::error::{Error, Exit};

pub(super) fn run(context: &mut Context, code: &str) -> Result<Exit, Error> {
    let Some(found) = Code::find(code) else {
        return Err(Error::Usage {
            message: format!("there is no error '{code}'"),
            hint: Some("the code stands in brackets behind the word error: E0213".to_owned()),
        });
    };
    let explanation = found.explanation();
    if context.output.is_json() {
        context.output.json(&json!({
            "format": FORMAT,
            "code": found.as_str(),
            "explanation": explanation,
        }))?;
    } else {
        context.output.raw(format!("{}\n", explanation.trim_end()).as_bytes())?;
    }
    Ok(Exit::Done)
}
