//! The counters as a table: for each virtual service what was marked, what was scheduled,
//! and what that means where they differ.

use std::time::Duration;

use super::View;
use super::reading::Counters;
use crate::backend::{Count, Statistics, Traffic};
use crate::cli::args::StatsOptions;
use crate::cli::output::{Output, Tone};
use crate::model::GroupName;
use crate::state::ServiceKey;
use crate::units::{Rate, human};

const HEADS: [&str; 5] = ["connections", "packets in", "packets out", "bytes in", "bytes out"];

/// One line: a name, and a number in each column, which some lines do not have.
struct Row {
    name: String,
    cells: [Option<String>; 5],
    faint: bool,
}

/// What is shown at once, as text.
pub(super) fn of(view: &View<'_>, options: &StatsOptions, output: &Output) -> String {
    let table = Table { view, exact: options.exact, rate: options.rate };
    let mut text = String::new();
    for (name, services) in &view.now.groups {
        let shown = name.as_ref().map_or("(no group)", GroupName::as_str);
        for (key, counters) in services {
            let title = format!("{}  {key}", output.paint(Tone::Heading, shown));
            let rows = table.rows(name.as_ref(), *key, counters);
            write_service(&mut text, &title, &table.heads(), &rows, output);
            for (tone, remark) in table.remarks(name.as_ref(), *key, counters) {
                text += &output.paint(tone, format!("  ! {remark}\n"));
            }
            text.push('\n');
        }
    }
    if view.now.groups.is_empty() {
        text += "This director holds nothing of ours.\n";
    }
    text
}

fn write_service(
    text: &mut String,
    title: &str,
    heads: &[String; 5],
    rows: &[Row],
    output: &Output,
) {
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.cells[column].as_deref());
        cells.map(str::len).chain([heads[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..heads.len()).map(widest).collect();
    let names = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let line = |name: &str, cells: [&str; 5]| {
        let mut line = format!("{name:<names$}");
        for (cell, width) in cells.iter().zip(&widths) {
            line += &format!("  {cell:>width$}");
        }
        line + "\n"
    };
    text.push_str(&format!("{title}\n"));
    text.push_str(&output.paint(Tone::Faint, line("", heads.each_ref().map(String::as_str))));
    for row in rows {
        let line =
            line(&row.name, std::array::from_fn(|at| row.cells[at].as_deref().unwrap_or("-")));
        text.push_str(&if row.faint { output.paint(Tone::Faint, line) } else { line });
    }
}

struct Table<'a> {
    view: &'a View<'a>,
    exact: bool,
    rate: bool,
}

impl Table<'_> {
    fn heads(&self) -> [String; 5] {
        HEADS.map(|head| if self.rate { format!("{head}/s") } else { head.to_owned() })
    }

    fn rows(&self, group: Option<&GroupName>, key: ServiceKey, now: &Counters) -> Vec<Row> {
        let (before, time) = self.view.before(group, key).unzip();
        let time = time.unwrap_or_default();
        let mut rows = Vec::new();
        if let Some(marked) = &now.marked {
            let before = before.and_then(|before| before.marked.as_ref());
            let total = before.map(|before| &before.total);
            rows.push(self.marked("  marked".to_owned(), total, &marked.total, time));
            for (key, count) in marked.entries.iter().filter(|_| marked.entries.len() > 1) {
                let before = before.and_then(|before| before.entries.get(key));
                rows.push(self.marked(format!("    {key}"), before, count, time));
            }
        }
        let Some(scheduled) = &now.scheduled else { return rows };
        let before = before.and_then(|before| before.scheduled.as_ref());
        let service = before.map(|before| &before.service);
        rows.push(self.scheduled("  scheduled".to_owned(), service, &scheduled.service, time));
        if self.rate {
            let estimate = columns(&scheduled.service.estimate);
            let cells = estimate.map(|number| Some(Rate::whole(number).show(self.exact)));
            rows.push(Row { name: "  kernel's estimate".to_owned(), cells, faint: true });
        }
        for (key, server) in &scheduled.destinations {
            let before = before.and_then(|before| before.destinations.get(key));
            let before = before.map(|before| &before.statistics);
            rows.push(self.scheduled(format!("    {key}"), before, &server.statistics, time));
        }
        rows
    }

    fn marked(&self, name: String, before: Option<&Count>, now: &Count, time: Duration) -> Row {
        let cell = |of: fn(&Count) -> u64| self.number(before.map(of), of(now), time);
        let [packets, bytes] = [cell(|count| count.packets), cell(|count| count.bytes)];
        Row { name, cells: [None, packets, None, bytes, None], faint: false }
    }

    fn scheduled(
        &self,
        name: String,
        before: Option<&Statistics>,
        now: &Statistics,
        time: Duration,
    ) -> Row {
        let before = before.map(|before| columns(&before.total));
        let now = columns(&now.total);
        let cell = |at: usize| self.number(before.map(|before| before[at]), now[at], time);
        Row { name, cells: std::array::from_fn(cell), faint: false }
    }

    /// A count, or its rate; none where it began anew meanwhile.
    fn number(&self, before: Option<u64>, now: u64, time: Duration) -> Option<String> {
        if self.rate {
            return Rate::between(before?, now, time).map(|rate| rate.show(self.exact));
        }
        Some(self.count(now))
    }

    fn count(&self, number: u64) -> String {
        if self.exact { number.to_string() } else { human(number) }
    }

    /// What it means where both sides differ.
    fn remarks(
        &self,
        group: Option<&GroupName>,
        key: ServiceKey,
        now: &Counters,
    ) -> Vec<(Tone, String)> {
        let mut remarks = Vec::new();
        if now.scheduled.is_none() {
            remarks.push((
                Tone::Bad,
                format!("there is no service {key}: what is marked for it is not scheduled"),
            ));
        } else if !now.has_server() {
            let what = "no real server has a weight: new connections are refused";
            remarks.push((Tone::Warning, what.to_owned()));
        }
        match (self.view.lost(group, key), now.unscheduled()) {
            (Some(0), _) | (None, Some(0) | None) => {}
            (Some(lost), _) => remarks.push((
                Tone::Bad,
                format!(
                    "{} packets were marked and not scheduled (`fwmarkctl zero` counts anew)",
                    self.count(lost)
                ),
            )),
            (None, Some(more)) => remarks.push((
                Tone::Faint,
                format!(
                    "{} more packets were marked than scheduled; IPVS adds up every 2 s{}",
                    self.count(more),
                    if self.rate { "" } else { ", --rate tells whether they are lost" }
                ),
            )),
        }
        remarks
    }
}

fn columns(traffic: &Traffic) -> [u64; 5] {
    let Traffic { connections, packets_in, packets_out, bytes_in, bytes_out } = *traffic;
    [connections, packets_in, packets_out, bytes_in, bytes_out]
}
