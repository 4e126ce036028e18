//! `explain CLIENT VIP:PORT/PROTO`: what would happen to that packet here and now.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::ipvs::{ConnectionEntry, KernelIpvs};
use crate::backend::{ActivityTable, Ipvs, IpvsError};
use crate::cli::Context;
use crate::cli::output::{Format, Output, Tone};
use crate::cli::real::lingering::known_clients_expire;
use crate::error::{Error, Exit};
use crate::journey::{Candidate, End, Facts, Journey, Packet, Stage, Step};
use crate::model::{GroupName, PortRange, Prefix};
use crate::preflight::{Code, Finding, Scene, Severity, Sources, Subject, Unchecked, examine};
use crate::state::{DirectorState, MarkKey, Observation, ServiceKey, ServiceTable};
use crate::transaction::Cause;

/// What would happen to a packet.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ExplainedPacket")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    /// From whom to where: `203.0.113.5:40000 -> 172.18.100.7:443/tcp`.
    packet: String,
    #[serde(flatten)]
    journey: &'a Journey,
    /// What on this machine stops it, or may.
    findings: &'a [Finding],
    /// What could not be looked at.
    unchecked: &'a [Unchecked],
}

pub(super) fn run(context: &mut Context, packet: &Packet) -> Result<Exit, Error> {
    let observed = context.observe(&DirectorState::default())?;
    let (mut services, activity) = services(packet, &observed)?;
    for (key, service) in &mut services {
        // Whose it is the ledger knows.
        if let Some(known) = observed.services.get(key) {
            (service.group, service.recorded) = (known.group.clone(), known.recorded);
        }
    }
    let mut entries = Vec::new();
    if !services.is_empty() {
        let keep = |entry: ConnectionEntry| {
            if entry.is_template() || entry.client.address == packet.client {
                entries.push(entry);
            }
        };
        KernelIpvs::new().connections(keep).map_err(Cause::from)?;
    }
    let facts = Facts {
        ruleset: &observed.ruleset,
        services: &services,
        activity: &activity,
        entries: &entries,
        quiescent_expire: known_clients_expire(),
    };
    let mut journey = Journey::of(packet, facts);
    let report = examined(packet, &observed, &services, &journey);
    let is_missed =
        |finding: &Finding| finding.code == Code::MarkMissed && finding.severity == Severity::Stops;
    if report.0.iter().any(is_missed) {
        journey.misses_its_mark();
    }
    let stops = report.0.iter().any(|finding| finding.severity == Severity::Stops);
    if context.output.is_json() {
        let document = Document {
            format: Format,
            packet: packet.to_string(),
            journey: &journey,
            findings: &report.0,
            unchecked: &report.1,
        };
        context.output.json(&super::Document::Packet(Box::new(document)))?;
    } else {
        let text = text(packet, &journey, &report.0, &report.1, &context.output);
        context.output.text(&text)?;
    }
    let arrives = journey.end == End::Forwarded && !stops;
    Ok(if arrives { Exit::Done } else { Exit::Differs })
}

/// The services that may take the packet, with what their servers do.
fn services(
    packet: &Packet,
    observed: &Observation,
) -> Result<(ServiceTable, ActivityTable), Error> {
    let mark = packet.entry(&observed.ruleset).and_then(|(_, entry)| entry.mark);
    let keys: BTreeSet<ServiceKey> = packet.services(mark).collect();
    let ipvs = KernelIpvs::new();
    let found = match ipvs.observe(&keys) {
        // Without IPVS there is nobody who takes it.
        Err(IpvsError::Unsupported) => return Ok(Default::default()),
        found => found.map_err(Cause::from)?,
    };
    let activity = ipvs.activity(&found.keys().copied().collect()).map_err(Cause::from)?;
    Ok((found, activity))
}

/// What the doctor finds of this packet alone: what stops it, or may.
fn examined(
    packet: &Packet,
    observed: &Observation,
    services: &ServiceTable,
    journey: &Journey,
) -> (Vec<Finding>, Vec<Unchecked>) {
    if journey.end != End::Forwarded {
        return Default::default();
    }
    let mut state = DirectorState::default();
    if let Some((key, entry)) = packet.entry(&observed.ruleset) {
        let own = MarkKey {
            destination: Prefix::host(packet.vip),
            protocol: packet.protocol,
            ports: PortRange::single(packet.port).unwrap_or(key.ports),
        };
        state.marking.insert(own, entry.clone());
    }
    let taken = services.iter().filter(|(key, _)| Some(key.to_string()) == journey.service);
    state.services.extend(taken.map(|(key, service)| (*key, service.clone())));
    for service in state.services.values_mut() {
        service.group.clone_from(&journey.group);
    }
    let replaced = !observed.ruleset.sources.is_empty();
    let full_nat: BTreeSet<GroupName> =
        journey.group.iter().filter(|_| replaced).cloned().collect();
    let ours = observed.services.iter().filter(|(_, service)| service.recorded);
    let ours = ours.map(|(key, _)| *key).collect();
    let subject = Subject::of(&state, &full_nat)
        .marked_by(&observed.ruleset.frame)
        .sent_by(packet.client, packet.client_port);
    let scene = Scene::read(subject, ours, &Sources::default());
    let mut report = examine(&scene);
    report.findings.retain(|Finding { code, severity, .. }| {
        let is_of_mark = matches!(code, Code::MarkMissed | Code::MarkerDamaged);
        *severity != Severity::Note && !(is_of_mark && journey.is_known)
    });
    (report.findings, report.unchecked)
}

fn text(
    packet: &Packet,
    journey: &Journey,
    findings: &[Finding],
    unchecked: &[Unchecked],
    output: &Output,
) -> String {
    let mut text = format!("{}\n\n", output.paint(Tone::Heading, packet));
    for Step { stage, message } in &journey.steps {
        text += &step(&stage.to_string(), Tone::Heading, message, output);
        if *stage == Stage::Service {
            journey.real_servers.iter().for_each(|it| text += &candidate(it, output));
        }
    }
    for Finding { code, severity, what, why, remedy, on_real_server, .. } in findings {
        let (word, tone) = match severity {
            Severity::Stops => ("stops", Tone::Bad),
            Severity::MayStop | Severity::Note => ("may stop", Tone::Warning),
        };
        text += &step(word, tone, &format!("{what} ({code}): {why}"), output);
        let there = on_real_server.iter().map(|command| ("on the real server: ", command));
        for (place, command) in there.chain(remedy.iter().map(|command| ("", command))) {
            text += &format!("{:INDENT$}{place}{command}\n", "");
        }
    }
    for Unchecked { what, why } in unchecked {
        text += &step("unchecked", Tone::Warning, &format!("{what}: {why}"), output);
    }
    let stops = findings.iter().any(|finding| finding.severity == Severity::Stops);
    let (tone, end) = match (journey.end, &journey.chosen[..]) {
        (End::Forwarded, _) if stops => {
            (Tone::Bad, "It does not get through: see what stops it.".to_owned())
        }
        (End::Forwarded, [one]) => (Tone::Good, format!("It goes to {one}.")),
        (End::Forwarded, many) => (Tone::Good, format!("It goes to one of {}.", many.join(", "))),
        (End::Refused, _) => (Tone::Bad, "Nobody gets it: the client is refused.".to_owned()),
        (End::NotBalanced, _) => (Tone::Bad, "It is not balanced.".to_owned()),
    };
    text + &format!("\n{}\n", output.paint(tone, end))
}

/// Where the sentences begin, and where they have to end.
const INDENT: usize = 11;
const WIDTH: usize = 79;

/// A step's sentence in lines, behind its name.
fn step(name: &str, tone: Tone, sentence: &str, output: &Output) -> String {
    let mut text = output.paint(tone, name) + &" ".repeat(INDENT.saturating_sub(name.len()));
    let mut column = INDENT;
    for (place, word) in sentence.split(' ').enumerate() {
        let length = word.chars().count();
        if place > 0 && column + 1 + length > WIDTH {
            text += &format!("\n{:INDENT$}", "");
            column = INDENT;
        } else if place > 0 {
            text.push(' ');
            column += 1;
        }
        text += word;
        column += length;
    }
    text + "\n"
}

fn candidate(it: &Candidate, output: &Output) -> String {
    let Candidate { server, weight, active, inactive, passed_over, .. } = it;
    let line =
        format!("{:INDENT$}{server}  weight {weight}, {active} active, {inactive} inactive", "");
    match passed_over {
        None => line + "\n",
        Some(why) => {
            let why = output.paint(Tone::Warning, format!("passed over: {why}"));
            format!("{line}\n{:INDENT$}  {why}\n", "")
        }
    }
}
