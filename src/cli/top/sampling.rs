//! One sample: the counters that `stats` reads, and what `status` says is unfinished.

use super::super::Context;
use super::super::stats::{Reading, time};
use crate::error::Error;
use crate::operation::Interrupted;
use crate::top::{Counted, Sample, Waiting};

/// Reads both sides now.
///
/// # Errors
/// As `stats` has them.
pub(super) fn take(context: &Context, groups: &[String]) -> Result<Sample, Error> {
    let Reading { at, generation, groups } = Reading::take(context, groups)?;
    let unfinished = context.unfinished()?;
    let groups = groups.into_iter().map(|(name, services)| {
        let services = services.into_iter().map(|(key, counters)| {
            let marked = counters.marked.map(|marked| marked.entries).unwrap_or_default();
            (key, Counted { marked, scheduled: counters.scheduled })
        });
        (name, services.collect())
    });
    // The time of day of `2026-01-31T12:34:56Z`.
    let clock = time().split_once('T').map(|(_, time)| time.to_owned()).unwrap_or_default();
    Ok(Sample {
        at,
        clock,
        generation,
        groups: groups.collect(),
        waiting: unfinished.trial.map(|trial| Waiting {
            generation: trial.generation,
            left: trial.left().unwrap_or_default(),
        }),
        unfinished: unfinished.interrupted.map(|Interrupted { purpose, author, .. }| {
            let user = author.user;
            format!("A transaction has not ended ({purpose}, by {user}): see `fwmarkctl status`.")
        }),
    })
}

/// An error on one line, with what mends it.
pub(super) fn told(error: &Error) -> String {
    let told = match error {
        // All of them, with the text around, are for another place.
        Error::Config(errors) => errors.diagnostics.first().map_or_else(
            || error.sentence(),
            |first| match &first.help {
                Some(help) => format!("{}; {help}", first.message),
                None => first.message.clone(),
            },
        ),
        _ => match super::super::failure::hint(error) {
            Some(hint) => format!("{}; {hint}", error.sentence()),
            None => error.sentence(),
        },
    };
    let words: Vec<_> = told.split_whitespace().collect();
    super::super::failure::defuse(&words.join(" "))
}
