//! `ipvsadm -S` and `-Sn`, and scripts of `ipvsadm` lines (ipvsadm(8)).
//!
//! A dump has one line for each service and each real server. Names of ports are known,
//! names of hosts are not: who wants them asks a resolver, which a reader of files must not.

mod options;
mod service;

use std::collections::BTreeMap;

use super::{Document, ImportError, Imported, Place, words};
use crate::model::{MAX_TIMEOUT, Timeout};
use crate::state::{Destination, ServiceKey, SettingKey, VirtualService};
use options::{Options, Verb};

/// Reads a dump.
///
/// # Errors
/// [`ImportError::NotThat`] where it is the text of something else.
pub(super) fn read(document: &Document, found: &mut Imported) -> Result<(), ImportError> {
    let mut table = Table::default();
    let mut first_other = None;
    for (place, line) in document.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(options) = options(line) {
            table.take(options, place, found);
        } else {
            first_other.get_or_insert((place.clone(), line));
            found.not_turned(place, "this is no line of ipvsadm");
        }
    }
    if let Some((place, line)) = first_other
        && let Some(what) = something_else(line, table.any)
    {
        let (kind, what) = ("a dump of ipvsadm -Sn", what.to_owned());
        return Err(ImportError::NotThat { place, kind, what });
    }
    table.hand_over(found);
    Ok(())
}

/// What a text is that has a line which no dump has; `any` is whether another line is one of
/// ipvsadm, as those of iptables, too, begin with `-A`.
fn something_else(line: &str, any: bool) -> Option<&'static str> {
    if line.starts_with("IP Virtual Server") || line.starts_with("Prot ") {
        Some("this is a list of ipvsadm -L; give the output of ipvsadm -Sn")
    } else if line.starts_with(['*', ':']) {
        Some("this is of iptables-save; say: import iptables FILE")
    } else if any {
        None
    } else {
        Some("its lines begin with an option, such as -A -f 10 -s rr")
    }
}

/// The words behind the name of the program, which a script has and a dump has not.
fn options(line: &str) -> Option<Vec<String>> {
    let mut words = words::split(line)?;
    let program = words.first()?.rsplit('/').next()?;
    if program == "ipvsadm" {
        words.remove(0);
    }
    let end = words.iter().position(|word| word.starts_with('#')).unwrap_or(words.len());
    words.truncate(end);
    // A list has "-> ADDRESS:PORT".
    words.first().is_some_and(|word| word.starts_with('-') && word != "->").then_some(words)
}

/// The services as far as they are known.
#[derive(Default)]
struct Table {
    services: BTreeMap<ServiceKey, (VirtualService, Place)>,
    /// Whether there was a line of ipvsadm.
    any: bool,
}

impl Table {
    fn take(&mut self, words: Vec<String>, place: Place, found: &mut Imported) {
        self.any = true;
        let refused = match Options::read(words) {
            Ok(options) => match options.verb.clone() {
                Verb::AddService => self.add_service(&options, &place),
                Verb::AddServer => self.add_server(&options),
                // Before the first service it is what a script begins with.
                Verb::Clear if self.services.is_empty() => Ok(()),
                Verb::Nothing => Ok(()),
                Verb::Clear => Err("a flush behind services; a dump holds none".to_owned()),
                Verb::Other(what) => {
                    Err(format!("{what} is not read; a dump holds only -A and -a"))
                }
                Verb::Timeouts(times) => timeouts(&times, found),
                Verb::Daemon => {
                    Err("synchronisation belongs into [director.sync], and is not turned"
                        .to_owned())
                }
            },
            Err(refused) => Err(refused),
        };
        if let Err(sentence) = refused {
            found.not_turned(place, sentence);
        }
    }

    fn add_service(&mut self, options: &Options, place: &Place) -> Result<(), String> {
        let (key, service) = service::service(options)?;
        if let Some((_, before)) = self.services.get(&key) {
            return Err(format!("the service {key} was told before, at {before}"));
        }
        self.services.insert(key, (service, place.clone()));
        Ok(())
    }

    fn add_server(&mut self, options: &Options) -> Result<(), String> {
        let (key, destination) = service::server(options)?;
        let Some((service, _)) = self.services.get_mut(&key) else {
            return Err(format!("no line before it makes the service {key}"));
        };
        insert(service, destination)
            .map_err(|()| format!("{} was told before for the service {key}", destination.key))
    }

    fn hand_over(self, found: &mut Imported) {
        for (key, (service, place)) in self.services {
            found.service(key, service, place);
        }
    }
}

/// `--set TCP TCP-FIN UDP`, in seconds; 0 leaves one as it is (ipvsadm(8)).
fn timeouts(times: &[String], found: &mut Imported) -> Result<(), String> {
    let seconds: Vec<u32> = times.iter().filter_map(|time| time.parse().ok()).collect();
    if seconds.len() != 3 || times.len() != 3 || seconds.iter().any(|it| *it > MAX_TIMEOUT) {
        return Err(format!("--set takes three times of 0 to {MAX_TIMEOUT} s"));
    }
    for (timeout, seconds) in Timeout::ALL.into_iter().zip(seconds).filter(|(_, it)| *it != 0) {
        found.settings.insert(SettingKey::Timeout(timeout), seconds.to_string());
    }
    Ok(())
}

/// Puts a destination where it belongs in the order; an error where it is there.
fn insert(service: &mut VirtualService, destination: Destination) -> Result<(), ()> {
    match service.destinations.binary_search_by_key(&destination.key, |known| known.key) {
        Ok(_) => Err(()),
        Err(at) => {
            service.destinations.insert(at, destination);
            Ok(())
        }
    }
}
