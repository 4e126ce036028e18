//! The table as text: which columns there is room for, and what stands in them.

use std::time::Instant;

use super::history::Point;
use super::rows::{Place, Row, Weight};
use super::screen::Screen;
use super::spark::Look;
use crate::units::human;

/// What a part of a line means. It says so by itself too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing special.
    Plain,
    /// A heading, or a group.
    Heading,
    /// Less important.
    Faint,
    /// It wants attention.
    Warning,
    /// It is wrong.
    Bad,
}

/// A column behind the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Weight,
    Active,
    ActivePast,
    Inactive,
    Connections,
    Packets,
    Bytes,
    PacketsPast,
}

/// The columns that there is room for.
pub(super) struct Columns {
    name: usize,
    /// Each with its width.
    behind: Vec<(Column, usize)>,
    look: Look,
}

/// What marks the selected line, whatever the colours.
const CURSOR: usize = 2;

impl Columns {
    /// Those of a terminal of this width.
    pub(super) fn of(width: usize, look: Look) -> Self {
        use Column::{
            Active, ActivePast, Bytes, Connections, Inactive, Packets, PacketsPast, Weight,
        };
        let (wide, full) = (width >= 110, width >= 76);
        let past = if wide { 20 } else { 8 };
        let all = [
            (Weight, 7, true),
            (Active, 6, true),
            (ActivePast, 12, wide),
            (Inactive, 6, full),
            (Connections, 6, width >= 40),
            (Packets, 6, true),
            (Bytes, 6, full),
            (PacketsPast, past, width >= 54),
        ];
        let behind = all.into_iter().filter(|(.., fits)| *fits);
        let behind: Vec<_> = behind.map(|(column, width, _)| (column, width)).collect();
        let taken: usize = behind.iter().map(|(_, width)| width + 1).sum();
        Self { name: width.saturating_sub(CURSOR + taken), behind, look }
    }

    /// The line above the lines.
    pub(super) fn heads(&self) -> String {
        let mut line = format!("{:CURSOR$}{:<width$}", "", "GROUP, REAL SERVER", width = self.name);
        for (column, width) in &self.behind {
            let head = match column {
                Column::Weight => "WEIGHT",
                Column::Active => "ACTIVE",
                Column::ActivePast => "active",
                Column::Inactive => "INACT",
                Column::Connections => "CONN/S",
                Column::Packets => "PKT/S",
                Column::Bytes => "BYTE/S",
                Column::PacketsPast => "packets",
            };
            line += &format!(" {head:>width$}");
        }
        line
    }

    /// A line in parts.
    pub(super) fn line(&self, screen: &Screen, row: &Row, selected: bool) -> Vec<(String, Tone)> {
        let is_group = matches!(row.place, Place::Group(_));
        let mut parts = vec![(if selected { "> " } else { "  " }.to_owned(), Tone::Plain)];
        parts.extend(self.name(row, is_group));
        for (column, width) in &self.behind {
            let text = self.cell(*column, *width, screen, row);
            let tone = match (column, row.weight) {
                (Column::Weight, Some(Weight::Drained)) => Tone::Warning,
                (Column::ActivePast | Column::PacketsPast, _) => Tone::Faint,
                _ if is_group => Tone::Heading,
                _ => Tone::Plain,
            };
            parts.push((format!(" {text:>width$}"), tone));
        }
        parts
    }

    fn name(&self, row: &Row, is_group: bool) -> Vec<(String, Tone)> {
        if !is_group {
            let name = self.look.cut(&format!("  {}", row.name), self.name);
            return vec![(format!("{name:<width$}", width = self.name), Tone::Plain)];
        }
        let name = self.look.cut(&row.name, self.name);
        let rest = self.name - name.chars().count();
        let (behind, tone) = match row.remark {
            Some(remark) => (remark, Tone::Bad),
            None => (row.title.as_str(), Tone::Faint),
        };
        let behind = self.look.cut(&format!("  {behind}"), rest);
        vec![(name, Tone::Heading), (format!("{behind:<rest$}"), tone)]
    }

    fn cell(&self, column: Column, width: usize, screen: &Screen, row: &Row) -> String {
        let rate = |rate: Option<crate::units::Rate>| {
            rate.map_or_else(|| "-".to_owned(), |rate| rate.show(false))
        };
        let count = |of: fn(&crate::backend::Activity) -> u32| {
            row.activity.as_ref().map_or_else(String::new, |it| human(of(it).into()))
        };
        let past = |of: fn(&Point) -> u64| self.look.spark(&screen.past(&row.place, of), width);
        match column {
            Column::Weight => match row.weight {
                None => String::new(),
                Some(Weight::Drained) => "drained".to_owned(),
                Some(Weight::Of(weight)) => weight.to_string(),
            },
            Column::Active => count(|it| it.active),
            Column::Inactive => count(|it| it.inactive),
            // A mark counts packets, not connections.
            Column::Connections | Column::ActivePast if row.activity.is_none() => String::new(),
            Column::ActivePast => past(|point| point.active),
            Column::Connections => rate(row.rates.connections),
            Column::Packets => rate(row.rates.packets),
            Column::Bytes => rate(row.rates.bytes),
            Column::PacketsPast => past(|point| point.packets),
        }
    }
}

/// The first line: what is shown, and how.
pub(super) fn title(screen: &Screen, width: usize, look: Look) -> String {
    let heading = &screen.heading;
    let generation = screen.now.generation;
    let generation = generation.map_or_else(|| "none".to_owned(), |number| number.to_string());
    let left = format!("fwmarkctl top  {}  generation {generation}", heading.host);
    let filter =
        if screen.filter.is_empty() { String::new() } else { format!("/{}  ", screen.filter) };
    let pace = if screen.is_paused {
        "PAUSED".to_owned()
    } else {
        format!("every {} s", heading.interval.as_secs_f64())
    };
    let right = format!("{filter}{}  {pace}  {}", screen.order, screen.now.clock);
    let right = look.cut(&right, width);
    let left = look.cut(&left, width.saturating_sub(right.chars().count() + 2));
    let gap = width.saturating_sub(left.chars().count() + right.chars().count());
    format!("{left}{:gap$}{right}", "")
}

/// All of it as plain lines, for a terminal that knows no more.
pub fn plain(screen: &Screen, now: Instant, width: usize) -> String {
    let look = Look::PLAIN;
    let columns = Columns::of(width, look);
    let mut lines = vec![title(screen, width, look)];
    lines.extend(screen.notices(now));
    lines.push(columns.heads());
    for row in &screen.rows {
        lines.push(columns.line(screen, row, false).into_iter().map(|(text, _)| text).collect());
    }
    if screen.rows.is_empty() {
        lines.push(empty(screen).to_owned());
    }
    let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n\n"
}

/// What is said where there are no lines.
pub(super) fn empty(screen: &Screen) -> &'static str {
    if screen.filter.is_empty() {
        "This director holds nothing of ours."
    } else {
        "Nothing has this text; Esc shows all."
    }
}
