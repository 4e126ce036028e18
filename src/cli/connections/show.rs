//! The listing, as tables and as JSON. Both are written piece by piece.

use std::net::IpAddr;

use serde::Serialize;

use super::{Found, Listing};
use crate::backend::ipvs::{ConnectionEntry, Endpoint};
use crate::cli::failure::defuse;
use crate::cli::output::{Format, Output, Tone};
use crate::error::Error;
use crate::model::GroupName;

/// So much text is written at once.
const PIECE: usize = 64 * 1024;

pub(super) fn show(output: &mut Output, listing: &Listing) -> Result<(), Error> {
    if output.is_json() {
        return output.json(&Document::of(listing));
    }
    let connections = listing.connections.as_deref();
    if let Some(connections) = connections {
        let heads = ["protocol", "state", "expires", "client", "virtual", "real server"];
        table(output, heads, connections, connection_cells)?;
    }
    let heads = ["template of", "state", "expires", "client", "", "real server"];
    table(output, heads, &listing.templates, template_cells)?;
    let count = |n: usize, one: &str| match n {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    let connections = connections.map_or_else(String::new, |connections| {
        format!("{}, ", count(connections.len(), "connection"))
    });
    let templates = count(listing.templates.len(), "persistence template");
    output.text(&format!("{connections}{templates}.\n"))
}

fn table(
    output: &mut Output,
    heads: [&str; 6],
    rows: &[Found],
    cells: fn(&ConnectionEntry) -> [String; 6],
) -> Result<(), Error> {
    if rows.is_empty() || output.is_silent() {
        return Ok(());
    }
    let group = |row: &Found| row.group.as_deref().map_or("-", GroupName::as_str).to_owned();
    let all = |row: &Found| {
        let [one, two, three, four, five, six] = cells(&row.connection);
        [group(row), one, two, three, four, five, six]
    };
    let heads: Vec<_> = std::iter::once("group").chain(heads).collect();
    let mut widths: Vec<_> = heads.iter().map(|head| head.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(all(row)) {
            *width = cell.len().max(*width);
        }
    }
    let line = |cells: &[String]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            line += &format!("{cell:<width$}  ");
        }
        format!("{}\n", line.trim_end())
    };
    let heads: Vec<_> = heads.into_iter().map(str::to_owned).collect();
    let mut text = output.paint(Tone::Faint, line(&heads));
    for row in rows {
        text += &line(&all(row));
        if text.len() >= PIECE {
            output.text(&text)?;
            text.clear();
        }
    }
    text.push('\n');
    output.text(&text)
}

fn connection_cells(of: &ConnectionEntry) -> [String; 6] {
    [
        of.protocol.to_ascii_lowercase(),
        of.state.to_string(),
        left(of.expires),
        of.client.to_string(),
        of.target.to_string(),
        of.real.to_string(),
    ]
}

fn template_cells(of: &ConnectionEntry) -> [String; 6] {
    let what = match (of.mark(), of.target.port) {
        (Some(mark), _) => format!("fwmark {mark}"),
        (None, 0) => format!("{} {}", of.protocol.to_ascii_lowercase(), of.target.address),
        (None, _) => format!("{} {}", of.protocol.to_ascii_lowercase(), of.target),
    };
    let real = match of.real.port {
        0 => of.real.address.to_string(),
        _ => of.real.to_string(),
    };
    // A client wrote it.
    let engine = defuse(of.engine.as_deref().unwrap_or_default());
    [what, of.state.to_string(), left(of.expires), of.client.address.to_string(), engine, real]
}

/// Minutes and seconds, as ipvsadm(8) writes them.
fn left(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// The connections, and what ties persistent clients to real servers.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Connections")]
pub(in crate::cli) struct Document<'a> {
    format: Format,
    /// Null where only templates were asked for.
    connections: Option<Vec<ConnectionRow<'a>>>,
    templates: Vec<TemplateRow<'a>>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Connection")]
struct ConnectionRow<'a> {
    group: Option<&'a GroupName>,
    protocol: String,
    /// The kernel's word for it.
    state: &'a str,
    /// Seconds.
    expires: u64,
    client: EndpointRow,
    #[serde(rename = "virtual")]
    target: EndpointRow,
    real_server: EndpointRow,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Template")]
struct TemplateRow<'a> {
    group: Option<&'a GroupName>,
    /// Of a service by mark; else protocol and `virtual` say which.
    mark: Option<u32>,
    protocol: Option<String>,
    #[serde(rename = "virtual")]
    target: Option<EndpointRow>,
    state: &'a str,
    expires: u64,
    client: IpAddr,
    real_server: EndpointRow,
    /// What the persistence engine took for the client.
    engine: Option<&'a str>,
}

#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Endpoint")]
struct EndpointRow {
    address: IpAddr,
    port: u16,
}

impl From<Endpoint> for EndpointRow {
    fn from(Endpoint { address, port }: Endpoint) -> Self {
        Self { address, port }
    }
}

impl<'a> Document<'a> {
    fn of(listing: &'a Listing) -> Self {
        let rows = |rows: &'a Vec<Found>| rows.iter().map(ConnectionRow::of).collect();
        Self {
            format: Format,
            connections: listing.connections.as_ref().map(rows),
            templates: listing.templates.iter().map(TemplateRow::of).collect(),
        }
    }
}

impl<'a> ConnectionRow<'a> {
    fn of(Found { group, connection }: &'a Found) -> Self {
        Self {
            group: group.as_deref(),
            protocol: connection.protocol.to_ascii_lowercase(),
            state: &connection.state,
            expires: connection.expires,
            client: connection.client.into(),
            target: connection.target.into(),
            real_server: connection.real.into(),
        }
    }
}

impl<'a> TemplateRow<'a> {
    fn of(Found { group, connection }: &'a Found) -> Self {
        let mark = connection.mark();
        Self {
            group: group.as_deref(),
            mark: mark.map(crate::model::Mark::get),
            protocol: mark.is_none().then(|| connection.protocol.to_ascii_lowercase()),
            target: mark.is_none().then(|| connection.target.into()),
            state: &connection.state,
            expires: connection.expires,
            client: connection.client.address,
            real_server: connection.real.into(),
            engine: connection.engine.as_deref(),
        }
    }
}
