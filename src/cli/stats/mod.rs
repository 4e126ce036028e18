//! `stats`: what was marked and what was scheduled, side by side.
//!
//! Marks count at once, IPVS adds up what its processors counted every two seconds
//! (`net/netfilter/ipvs/ip_vs_est.c`). So rates are measured over two seconds or more,
//! over which the kernel's sum moves; and that packets are lost, marked and never
//! scheduled, is said only of those that were marked long enough ago to be in the sum.

mod document;
mod reading;
mod table;

pub(super) use self::document::{Document, time};
pub(super) use self::reading::Reading;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::Context;
use super::args::StatsOptions;
use super::output::note;
use crate::error::{Error, Exit};

/// Over how long a rate is measured when nobody says: the time in which IPVS adds up.
const MEASURE: Duration = Duration::from_secs(2);

/// What was marked so long ago is in IPVS's count, if it was scheduled at all.
const SETTLED: Duration = Duration::from_millis(2500);

/// What is shown at once.
struct View<'a> {
    now: &'a Reading,
    /// An earlier reading, from which rates are measured.
    before: Option<&'a Reading>,
    /// A reading of which IPVS has added up everything, and one later than it: by them it
    /// is known what was lost.
    settled: Option<(&'a Reading, &'a Reading)>,
}

pub(super) fn run(context: &mut Context, options: &StatsOptions) -> Result<Exit, Error> {
    if !options.rate && options.watch.is_none() {
        let now = Reading::take(context, &options.groups)?;
        show(context, options, &View { now: &now, before: None, settled: None })?;
        return Ok(Exit::Done);
    }
    // Before anything is read: a signal ends the waiting, and nothing else.
    let signals = context.signals()?;
    let interval = options.watch.unwrap_or(MEASURE);
    let mut readings = vec![Reading::take(context, &options.groups)?];
    if !options.rate {
        show(context, options, &View { now: &readings[0], before: None, settled: None })?;
    }
    loop {
        let last = readings.last().map_or_else(Instant::now, |reading| reading.at);
        if let Some(signal) = signals.wait_until(last + interval) {
            return Ok(stopped(options, signal));
        }
        readings.push(reread(context, options)?);
        let [.., before, now] = readings.as_slice() else { continue };
        let (mut later, is_sure) = (None, !now.doubts(before));
        if options.watch.is_none() && !is_sure {
            if let Some(signal) = signals.wait_until(before.at + SETTLED) {
                return Ok(stopped(options, signal));
            }
            later = Some(reread(context, options)?);
        }
        let later = later.as_ref().unwrap_or(now);
        let has_settled = |old: &&Reading| later.at.duration_since(old.at) >= SETTLED;
        let settled = readings.iter().rev().find(has_settled).or(is_sure.then_some(before));
        let settled = settled.map(|old| (old, later));
        show(context, options, &View { now, before: Some(before), settled })?;
        if options.watch.is_none() {
            return Ok(Exit::Done);
        }
        // With the shortest interval the one before the last has settled.
        readings.drain(..readings.len().saturating_sub(2));
    }
}

/// Reads again; a group that has gone meanwhile is no mistake of who asked for it.
fn reread(context: &Context, options: &StatsOptions) -> Result<Reading, Error> {
    match Reading::take(context, &options.groups) {
        Err(Error::Usage { message, .. }) => Err(Error::Usage {
            message: format!("{message} any more"),
            hint: Some("fwmarkctl history".to_owned()),
        }),
        other => other,
    }
}

/// A watch is ended by a signal; a measurement that was cut short has no answer.
fn stopped(options: &StatsOptions, signal: &str) -> Exit {
    if options.watch.is_some() {
        return Exit::Done;
    }
    note(&format!("{signal}: nothing was measured\n"));
    Exit::Failed
}

fn show(context: &mut Context, options: &StatsOptions, view: &View<'_>) -> Result<(), Error> {
    let output = &mut context.output;
    match (output.is_json(), options.watch) {
        (true, None) => output.json(&document::of(view)),
        (true, Some(_)) => output.json_line(&document::of(view)),
        (false, None) => output.text(&table::of(view, options, output)),
        (false, Some(_)) => {
            // Home, and away with what was there.
            let clear = if std::io::stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            let text = table::of(view, options, output);
            output.text(&format!("{clear}{}\n{text}", document::time()))
        }
    }
}
