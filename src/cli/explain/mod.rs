//! `explain CODE`: an error of the configuration or a finding of the doctor, with its
//! remedy; `explain CLIENT VIP:PORT/PROTO`: what would happen to a packet.

mod packet;

use super::Context;
use super::args::{PacketTarget, Place};
use super::output::Format;
use crate::config::Code;
use crate::error::{Error, Exit};
use crate::journey::Packet;
use crate::preflight;

/// What is explained.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Explained")]
pub(super) enum Document<'a> {
    /// An error or a finding, by its code.
    Code(CodeDocument),
    /// A packet.
    Packet(Box<packet::Document<'a>>),
}

/// What is to be known of a code.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[schemars(rename = "ExplainedCode")]
pub(super) struct CodeDocument {
    format: Format,
    /// The code as it is written.
    code: &'static str,
    /// The explanation, as Markdown.
    explanation: &'static str,
}

pub(super) fn run(
    context: &mut Context,
    subject: &str,
    target: Option<PacketTarget>,
) -> Result<Exit, Error> {
    let Some(target) = target else { return code(context, subject) };
    let client: Place = subject.parse().map_err(|what| Error::Usage {
        message: format!("'{subject}' is no client: {what}"),
        hint: Some("fwmarkctl explain 203.0.113.5:40000 172.18.100.7:443/tcp".to_owned()),
    })?;
    let packet = Packet {
        client: client.address,
        client_port: client.port,
        vip: target.address,
        port: target.port,
        protocol: target.protocol,
    };
    if packet.client.is_ipv4() != packet.vip.is_ipv4() {
        return Err(Error::Usage {
            message: format!("{} and {} are of two families", packet.client, packet.vip),
            hint: None,
        });
    }
    packet::run(context, &packet)
}

fn code(context: &mut Context, code: &str) -> Result<Exit, Error> {
    if code.parse::<Place>().is_ok() {
        return Err(Error::Usage {
            message: format!("where does the packet of {code} go?"),
            hint: Some(format!("fwmarkctl explain {code} 172.18.100.7:443/tcp")),
        });
    }
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
        let document = CodeDocument { format: Format, code: found, explanation };
        context.output.json(&Document::Code(document))?;
    } else {
        context.output.raw(format!("{}\n", explanation.trim_end()).as_bytes())?;
    }
    Ok(Exit::Done)
}
