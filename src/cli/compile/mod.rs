//! `compile`: what the configuration becomes, in the words of other tools.

mod document;

pub(super) use self::document::{RealServer, Service, Source, State, document};
use super::Context;
use super::args::CompileFormat;
use super::output::Format;
use crate::error::{Error, Exit};
use crate::model::Family;
use crate::render;
use crate::state::DirectorState;

/// What is printed: a state, or a text for a tool.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub(super) enum Answer {
    State(State),
    Text {
        format: Format,
        /// The tool that reads it.
        #[schemars(extend("enum" = ["nft", "iptables", "ip6tables", "ipvsadm"]))]
        tool: &'static str,
        text: String,
    },
}

pub(super) fn run(context: &mut Context, format: CompileFormat) -> Result<Exit, Error> {
    let (name, render): (_, fn(&DirectorState) -> String) = match format {
        CompileFormat::Nft => ("nft", render::nft),
        CompileFormat::Ipvsadm => ("ipvsadm", render::ipvsadm),
        CompileFormat::Iptables => {
            ("iptables", |state| render::iptables::iptables(state, Family::Ipv4))
        }
        CompileFormat::Ip6tables => {
            ("ip6tables", |state| render::iptables::iptables(state, Family::Ipv6))
        }
        CompileFormat::Json => {
            let document = Answer::State(document(&context.compile_unseen()?.1));
            let mut bytes = serde_json::to_vec_pretty(&document)
                .map_err(|error| Error::Output(error.into()))?;
            bytes.push(b'\n');
            context.output.raw(&bytes)?;
            return Ok(Exit::Done);
        }
    };
    let text = render(&context.compile_unseen()?.1.state);
    if context.output.is_json() {
        context.output.json(&Answer::Text { format: Format, tool: name, text })?;
    } else {
        context.output.raw(text.as_bytes())?;
    }
    Ok(Exit::Done)
}
