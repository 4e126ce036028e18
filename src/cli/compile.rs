//! `compile`: what the configuration becomes, in the words of other tools.

use serde_json::{Value, json};

use super::Context;
use super::args::CompileFormat;
use super::output::FORMAT;
use crate::compile::Compiled;
use crate::error::{Error, Exit};
use crate::model::Family;
use crate::render;
use crate::state::{
    Destination, DirectorState, ServiceFlags, ServiceKey, Source, SourceEntry, SourceKey,
    VirtualService,
};

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
            let document = document(&context.compile_unseen()?.1);
            let mut bytes = serde_json::to_vec_pretty(&document)
                .map_err(|error| Error::Output(error.into()))?;
            bytes.push(b'\n');
            context.output.raw(&bytes)?;
            return Ok(Exit::Done);
        }
    };
    let text = render(&context.compile_unseen()?.1.state);
    if context.output.is_json() {
        context.output.json(&json!({ "format": FORMAT, "tool": name, "text": text }))?;
    } else {
        context.output.raw(text.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// A state as a JSON document.
pub(super) fn document(compiled: &Compiled) -> Value {
    let marks: Vec<_> = compiled
        .marks
        .0
        .iter()
        .map(|(holder, mark)| {
            json!({
                "group": holder.group,
                "listener": holder.listener.map(|listener| listener.to_string()),
                "mark": mark,
            })
        })
        .collect();
    let rules: Vec<_> = compiled
        .state
        .marking
        .iter()
        .map(|(key, entry)| {
            json!({
                "destination": key.destination,
                "protocol": key.protocol,
                "ports": key.ports,
                "mark": entry.mark,
                "group": entry.group,
            })
        })
        .collect();
    let services: Vec<_> = compiled
        .state
        .services
        .iter()
        .map(|(key, service)| service_document(*key, service))
        .collect();
    let settings: Vec<_> = compiled
        .state
        .settings
        .iter()
        .map(|(key, value)| json!({ "object": key.kind(), "key": key.name(), "value": value }))
        .collect();
    let sources: Vec<_> = compiled.state.sources.iter().map(source_document).collect();
    json!({
        "format": FORMAT,
        "marks": marks,
        "mark_rules": rules,
        "services": services,
        "nat_rules": sources,
        "settings": settings,
        "local_traffic": compiled.state.local_traffic,
        "defragment": compiled.state.defragment,
    })
}

/// Whose address a real server sees, as JSON; without `snat` it is masqueraded.
pub(super) fn source_document((key, entry): (&SourceKey, &SourceEntry)) -> Value {
    let snat = match entry.source {
        Source::Masquerade => None,
        Source::Address(address) => Some(address),
    };
    json!({ "mark": key.mark, "real_server": key.server, "snat": snat, "group": entry.group })
}

/// A service as JSON.
pub(super) fn service_document(key: ServiceKey, service: &VirtualService) -> Value {
    let identity = match key {
        ServiceKey::Mark { mark, .. } => json!({ "mark": mark }),
        ServiceKey::Address { address, protocol, port } => {
            json!({ "address": address, "protocol": protocol, "port": port })
        }
    };
    let persistent = service.flags.contains(ServiceFlags::PERSISTENT);
    let mut document = json!({
        "key": key.to_string(),
        "family": key.family(),
        "group": service.group,
        "scheduler": service.scheduler,
        "flags": service.flags.bits(),
        "one_packet": service.flags.contains(ServiceFlags::ONE_PACKET),
        "timeout": persistent.then_some(service.timeout),
        "netmask": persistent.then(|| service.netmask.display(key.family())),
        "engine": service.engine,
        "real_servers": service.destinations.iter().map(destination_document).collect::<Vec<_>>(),
    });
    if let (Value::Object(document), Value::Object(identity)) = (&mut document, identity) {
        document.extend(identity);
    }
    document
}

/// A real server as JSON.
pub(super) fn destination_document(destination: &Destination) -> Value {
    json!({
        "address": destination.key.address,
        "port": destination.key.port,
        "forward": destination.method.to_string(),
        "weight": destination.weight,
        "upper_threshold": destination.upper_threshold,
        "lower_threshold": destination.lower_threshold,
    })
}
