//! `group show`: what a group comes to, and the TOML that says so. Touches no kernel.

use super::super::failure::defuse;
use super::super::output::{Format, Tone};
use super::super::{Context, effective_uid};
use super::document::{Resolved, Shown};
use super::list::ports;
use crate::config::Edit;
use crate::error::{Error, Exit};
use crate::model::{Forwarding, Group, MarkChoice, Persistence, RealServer, Tunnel, Via};

pub(super) fn run(context: &mut Context, name: &str) -> Result<Exit, Error> {
    let config = context.load()?;
    let index = config.groups.iter().position(|group| group.name.as_str() == name);
    let origin = index.and_then(|index| config.origins.get(index));
    // Standard input can be read once, and has no text to show by now.
    let toml = match origin {
        Some(origin) if origin.path.is_none() => None,
        _ => Some(Edit::of_group(&config, name, effective_uid())?.0.excerpt()),
    };
    let (Some(index), Some(origin)) = (index, origin) else { return Ok(Exit::Done) };
    let group = &config.groups[index];
    let output = &mut context.output;
    if output.is_json() {
        output.json(&Shown {
            format: Format,
            file: origin.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
            line: origin.line,
            group: Resolved::of(group),
            toml,
        })?;
        return Ok(Exit::Done);
    }
    let rows = rows(group);
    let width = rows.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut text = output.paint(Tone::Heading, &group.name) + "\n";
    for (key, value) in rows {
        text += &format!("  {key:width$}  {}\n", defuse(&value));
    }
    let place = format!("{}:{}", origin.file, origin.line);
    text += &format!("\n{}\n", output.paint(Tone::Faint, format!("# {}", defuse(&place))));
    if let Some(toml) = toml {
        text += &toml.lines().map(|line| defuse(line) + "\n").collect::<String>();
    }
    output.text(&text)?;
    Ok(Exit::Done)
}

/// What the group comes to, with what nobody had to say.
fn rows(group: &Group) -> Vec<(&'static str, String)> {
    let vips: Vec<_> = group.vips.iter().map(ToString::to_string).collect();
    let persistence = group.persistence.as_ref();
    let mut rows = vec![
        ("enabled", if group.enabled { "yes" } else { "no" }.to_owned()),
        ("VIPs", vips.join(", ")),
        ("ports", ports(group).join(", ")),
        ("marks", marks(group)),
        ("via", via(group).to_owned()),
        ("scheduler", scheduler(group)),
        ("persistence", persistence.map_or("none".to_owned(), stays)),
    ];
    if !group.snat.is_empty() {
        let addresses: Vec<_> = group.snat.iter().map(ToString::to_string).collect();
        rows.push(("snat", addresses.join(", ")));
    }
    let server = |server: &RealServer| ("real server", served(server));
    rows.extend(group.real_servers.iter().map(server));
    rows
}

fn marks(group: &Group) -> String {
    match &group.marks {
        _ if group.via == Via::Address => "none".to_owned(),
        MarkChoice::Automatic => "automatic".to_owned(),
        MarkChoice::Fixed(mark) => mark.to_string(),
        MarkChoice::PerListener(marks) => {
            let chosen = marks.iter().map(|(listener, mark)| format!("{listener} = {mark}"));
            let mut parts: Vec<_> = chosen.collect();
            if marks.len() < group.listeners.iter().count() {
                parts.push("automatic, one for each port".to_owned());
            }
            parts.join(", ")
        }
    }
}

pub(super) fn flags(group: &Group) -> Vec<&'static str> {
    let name = group.scheduler.name();
    group.scheduler.flags().iter().map(|flag| flag.name_with(name.as_str())).collect()
}

fn scheduler(group: &Group) -> String {
    let name = group.scheduler.name();
    let mut words = vec![name.as_str()];
    words.extend(flags(group));
    words.extend(group.one_packet.then_some("one-packet"));
    words.join(" ")
}

pub(super) fn via(group: &Group) -> &'static str {
    match group.via {
        Via::Mark => "mark",
        Via::Address => "address",
    }
}

fn stays(persistence: &Persistence) -> String {
    let usual = Persistence::new(persistence.mode);
    let mut text = format!("{}, {} s", persistence.mode, persistence.timeout());
    if persistence.netmask() != usual.netmask() {
        text += &format!(", IPv4 /{}", persistence.netmask());
    }
    if persistence.netmask6() != usual.netmask6() {
        text += &format!(", IPv6 /{}", persistence.netmask6());
    }
    if let Some(engine) = &persistence.engine {
        text += &format!(", {engine}");
    }
    text
}

fn served(server: &RealServer) -> String {
    let port = server.port.map_or_else(String::new, |port| format!(", port {port}"));
    let mut text = format!(
        "{}{port}, weight {}, {}",
        server.address,
        server.weight,
        method(server.forwarding)
    );
    for (key, bound) in [("upper", server.upper_threshold), ("lower", server.lower_threshold)] {
        if bound != 0 {
            text += &format!(", {key} threshold {bound}");
        }
    }
    text
}

pub(super) fn method(forwarding: Forwarding) -> String {
    match forwarding {
        Forwarding::Tunnel(Tunnel::Gue { port, .. }) => format!("tun (gue to port {port})"),
        Forwarding::Tunnel(Tunnel::Gre { .. }) => "tun (gre)".to_owned(),
        other => other.to_string(),
    }
}
