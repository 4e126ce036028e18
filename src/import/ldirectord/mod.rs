//! ldirectord.cf (ldirectord(8)), as ldirectord 4.12 reads it.
//!
//! A virtual service is a line that begins at the margin, and lines behind it that four
//! spaces or a tab put below it. ldirectord ends at its first mistake; here each of them is
//! told. Names of hosts are not looked up, and health is nothing that a group has.

mod real;
mod service;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::notes::{Notes, shown};
use super::{Document, ImportError, Imported, Place};
use crate::state::ServiceKey;
use service::{MAX_REAL_SERVERS, Virtual};

/// Reads a configuration.
///
/// # Errors
/// [`ImportError::NotThat`] where it has no line of ldirectord's.
pub fn read(document: &Document, found: &mut Imported) -> Result<(), ImportError> {
    let mut reader = Reader::default();
    for (place, line) in document.lines() {
        let line = line.trim_end();
        if line.trim_start().starts_with('#') {
            continue;
        }
        match below(line) {
            Some(inner) => reader.inner(inner, &place),
            None => reader.outer(line, &place),
        }
    }
    reader.end_service();
    if let (Some((place, line)), false) = (&reader.first_other, reader.any) {
        let (place, kind) = (place.clone(), "a configuration of ldirectord");
        let what = format!("it has no word '{}'", shown(line));
        return Err(ImportError::NotThat { place, kind, what });
    }
    reader.notes.tell(found);
    for (key, service, place) in reader.services {
        found.service(key, service, place);
    }
    Ok(())
}

/// What a line says that stands below another: behind four spaces, of which a tab is worth
/// as many, and without its comment.
fn below(line: &str) -> Option<&str> {
    let inner = line.trim_start_matches([' ', '\t']);
    let margin = &line[..line.len() - inner.len()];
    let width: usize = margin.chars().map(|letter| if letter == '\t' { 4 } else { 1 }).sum();
    let inner = inner.split_once('#').map_or(inner, |(inner, _)| inner).trim_end();
    (width >= 4 && !inner.is_empty()).then_some(inner)
}

/// `key = value`.
fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    Some((key.trim_end(), value.trim()))
}

#[derive(Default)]
struct Reader {
    services: Vec<(ServiceKey, crate::state::VirtualService, Place)>,
    seen: BTreeMap<ServiceKey, Place>,
    real_servers: usize,
    open: Option<Virtual>,
    notes: Notes,
    any: bool,
    first_other: Option<(Place, String)>,
}

impl Reader {
    fn outer(&mut self, line: &str, place: &Place) {
        self.end_service();
        if line.trim().is_empty() {
            return;
        }
        if line.starts_with([' ', '\t']) {
            let what = "this line has neither the margin nor four spaces before it: \
                        ldirectord ends here";
            return self.notes.one(place, what);
        }
        let (key, value) = pair(line).unwrap_or((line, ""));
        self.any |= key.starts_with("virtual") || is_global(key);
        match key {
            "virtual" | "virtual6" => match Virtual::read(key, value, place) {
                Ok(service) => self.open = Some(service),
                Err(why) => {
                    self.notes.one(place, format!("this service is left out: {why}"));
                    self.open = Some(Virtual::unread(place));
                }
            },
            "fallback" | "fallback6" | "fallbackcommand" => {
                let what = "a fallback is not turned: nobody steps in when all others are dead";
                self.notes.some("fallback", place, what);
            }
            _ if is_global(key) => {}
            other => {
                self.first_other.get_or_insert((place.clone(), other.to_owned()));
                self.notes.one(place, format!("ldirectord has no word '{}'", shown(other)));
            }
        }
    }

    fn inner(&mut self, inner: &str, place: &Place) {
        let Some(service) = &mut self.open else {
            let what = "this line stands below no service: ldirectord ends here";
            return self.notes.one(place, what);
        };
        match pair(inner) {
            Some((key, value)) => service.take(key, value, place, &mut self.notes),
            None => self.notes.one(place, format!("'{}' is no word with a value", shown(inner))),
        }
    }

    /// Keeps the service whose lines are at an end.
    fn end_service(&mut self) {
        let Some(open) = self.open.take() else { return };
        let place = open.place.clone();
        let Some((key, service)) = open.finish(&mut self.notes) else { return };
        self.real_servers += service.destinations.len();
        if let Some(first) = self.seen.get(&key) {
            let what = format!("{key} is that of {first} again: ldirectord ends here");
            self.notes.one(&place, what);
        } else if self.real_servers > MAX_REAL_SERVERS {
            let what = format!("more than {MAX_REAL_SERVERS} real servers: the rest is left out");
            self.notes.some("full", &place, what);
        } else {
            self.seen.insert(key, place.clone());
            self.services.push((key, service, place));
        }
    }
}

/// The words that are for ldirectord and its checks, and for no service.
fn is_global(key: &str) -> bool {
    const WORDS: [&str; 23] = [
        "autoreload",
        "callback",
        "checkcount",
        "checkinterval",
        "checktimeout",
        "cleanstop",
        "emailalert",
        "emailalertfreq",
        "emailalertfrom",
        "emailalertstatus",
        "execute",
        "failurecount",
        "fallback",
        "fallback6",
        "fallbackcommand",
        "fork",
        "logfile",
        "maintenancedir",
        "negotiatetimeout",
        "quiescent",
        "readdquiescent",
        "smtp",
        "supervised",
    ];
    WORDS.contains(&key)
}
