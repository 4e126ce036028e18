//! What `status` shows on a terminal: 80 columns, colours that say nothing that the words do
//! not, and at the end, where a reader's eye is, how things are.

use std::collections::{BTreeMap, BTreeSet};

use super::director::Settings;
use super::servers::{self, wrapped};
use super::{Entry, Moves};
use crate::backend::{ActivityTable, Count};
use crate::cli::output::{Output, Tone};
use crate::cli::stats::Reading;
use crate::model::{GroupName, Mark, Prefix};
use crate::state::{MarkKey, SourceEntry};
use crate::units::human;

/// How many groups are named in a sentence.
const NAMED: usize = 4;

/// All that is shown.
pub(super) struct Screen<'a> {
    pub(super) output: &'a Output,
    pub(super) entries: &'a BTreeMap<Option<GroupName>, Entry<'a>>,
    pub(super) activity: &'a ActivityTable,
    pub(super) in_sync: Option<bool>,
    pub(super) generation: Option<u64>,
    /// Where all marks are, and where an apply has them.
    pub(super) moves: Moves,
    /// Whether somebody wants to know more of these groups.
    pub(super) in_depth: bool,
    /// What was counted then.
    pub(super) counted: Option<&'a Reading>,
}

impl Screen<'_> {
    /// The groups, and how things are.
    pub(super) fn text(&self, director: &Settings) -> String {
        let groups = self.entries.iter();
        let groups: String = groups.map(|(name, entry)| self.group(name.as_ref(), entry)).collect();
        groups + &self.sum() + &self.verdict(director)
    }

    fn group(&self, name: Option<&GroupName>, entry: &Entry<'_>) -> String {
        let shown = self.output.paint(Tone::Heading, shown(name));
        let mut text = format!("{shown}  {}\n", self.state(entry));
        if self.in_depth {
            if let Some(origin) = entry.origin {
                text += &format!("  defined in {}:{}\n", origin.file, origin.line);
            }
            text += &self.listeners_in_depth(name, entry);
        } else {
            text += &listeners(entry);
        }
        for (key, service) in &entry.services {
            let counted = self.counted.and_then(|counted| counted.of(name, *key));
            text += &servers::table(
                *key,
                service,
                &|server| self.activity.get(&(*key, server.key)).copied().unwrap_or_default(),
                counted.and_then(|counted| counted.scheduled.as_ref()),
                self.output,
            );
        }
        for (key, SourceEntry { source, .. }) in &entry.sources {
            text += &format!("  fullnat to {key}: {source}\n");
        }
        for line in &entry.changes {
            let sentence = crate::cli::plan::sentence(line);
            for line in wrapped("  !", sentence.split(' ')) {
                text += &format!("{}\n", self.output.paint(Tone::Warning, line));
            }
        }
        text + "\n"
    }

    fn state(&self, entry: &Entry<'_>) -> String {
        let paint = |tone, text: &str| self.output.paint(tone, text);
        match (entry.config, self.in_sync) {
            _ if entry.is_in_the_way() => {
                paint(Tone::Bad, "not ours, and in the way: apply refuses it")
            }
            (Some(group), _) if !group.enabled && entry.changes.is_empty() => {
                paint(Tone::Faint, "disabled")
            }
            (_, None) => String::new(),
            _ if entry.changes.is_empty() && entry.moves(self.moves) => {
                paint(Tone::Warning, "moves with all marks")
            }
            _ if entry.changes.is_empty() => paint(Tone::Good, "in sync"),
            (None, _) => paint(Tone::Warning, "not configured"),
            _ => paint(Tone::Warning, &format!("differs ({})", entry.changes.len())),
        }
    }

    /// Each listener with its mark and what it counted.
    fn listeners_in_depth(&self, name: Option<&GroupName>, entry: &Entry<'_>) -> String {
        let services = self.counted.and_then(|counted| counted.groups.get(&name.cloned()));
        let marked = services.into_iter().flatten().filter_map(|(_, it)| it.marked.as_ref());
        let counts: BTreeMap<_, Count> = marked
            .flat_map(|marked| marked.entries.iter().map(|(key, count)| (*key, *count)))
            .collect();
        let listener = |(key, mark): &(&MarkKey, Option<Mark>)| {
            let left = format!("  {}  {}/{}", key.destination, key.ports, key.protocol);
            // A large mark is shown in hexadecimal anyway.
            let mark = match mark.map(Mark::get) {
                None => "no mark".to_owned(),
                Some(small @ ..0x1_0000) => format!("mark {small} ({small:#x})"),
                Some(large) => format!("mark {large:#x}"),
            };
            let count = counts.get(key).copied().unwrap_or_default();
            let count = self.output.paint(Tone::Faint, format!("{} packets", human(count.packets)));
            servers::line(&left, &format!("{mark:<24}{count}")) + "\n"
        };
        entry.rules.iter().map(listener).collect()
    }

    /// How much there is.
    fn sum(&self) -> String {
        let (mut servers, mut drained) = (BTreeSet::new(), BTreeSet::new());
        let mut active = 0;
        for (name, entry) in self.entries {
            for (key, service) in &entry.services {
                for server in &service.destinations {
                    let of = if server.weight == 0 { &mut drained } else { &mut servers };
                    of.insert((name, server.key));
                    let now = self.activity.get(&(*key, server.key)).copied().unwrap_or_default();
                    active += u64::from(now.active);
                }
            }
        }
        if servers.is_empty() && drained.is_empty() {
            return String::new();
        }
        drained.retain(|server| !servers.contains(server));
        let mut text = count(self.entries.keys().flatten().count(), "group");
        text += &format!(", {}", count(servers.len() + drained.len(), "real server"));
        if !drained.is_empty() {
            text += &format!(" ({} drained)", drained.len());
        }
        text + &format!(
            ", {}.\n",
            count(usize::try_from(active).unwrap_or(usize::MAX), "active connection")
        )
    }

    fn verdict(&self, director: &Settings) -> String {
        let nothing =
            if self.entries.is_empty() { "This director holds nothing of ours.\n" } else { "" };
        let generation = self.generation.map_or_else(|| "none".to_owned(), |n| n.to_string());
        let state = match self.in_sync {
            Some(true) => self.output.paint(Tone::Good, "in sync with the configuration"),
            Some(false) => {
                let differs = self.output.paint(Tone::Warning, "differs from the configuration");
                format!("{differs}{}", self.what_differs(director))
            }
            None => "no configuration to compare with".to_owned(),
        };
        let moves = self.moves.map_or_else(String::new, |(from, to)| {
            format!("All marks are with {from}; an apply moves them to {to}.\n")
        });
        let remedy = match self.in_sync {
            Some(false) => "`fwmarkctl plan` shows what `fwmarkctl apply` would change.\n",
            _ => "",
        };
        format!("{nothing}{moves}Generation {generation}, {state}.\n{remedy}")
    }

    /// Who; nothing where it is none of those that are shown.
    fn what_differs(&self, director: &Settings) -> String {
        let differs =
            |(_, entry): &(_, &Entry<'_>)| !entry.changes.is_empty() || entry.is_in_the_way();
        let mut names: Vec<_> =
            self.entries.iter().filter(differs).map(|(name, _)| shown(name.as_ref())).collect();
        if director.differ() {
            names.push(director.what_differs());
        }
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        match (names.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => format!(": {}", names.join(", ")),
            (false, more) => format!(": {} and {more} more", names.join(", ")),
        }
    }
}

fn shown(name: Option<&GroupName>) -> &str {
    name.map_or("(no group)", GroupName::as_str)
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The VIPs, and the ports that share a mark there.
fn listeners(entry: &Entry<'_>) -> String {
    let mut listeners: BTreeMap<(Prefix, Option<Mark>), Vec<String>> = BTreeMap::new();
    for (key, mark) in &entry.rules {
        let ports = format!("{}/{}", key.ports, key.protocol);
        listeners.entry((key.destination, *mark)).or_default().push(ports);
    }
    let widest =
        |texts: &mut dyn Iterator<Item = String>| texts.map(|it| it.len()).max().unwrap_or(0);
    let mark =
        |mark: Option<Mark>| mark.map_or_else(|| "no mark".to_owned(), |it| format!("mark {it}"));
    let vips = widest(&mut listeners.keys().map(|(vip, _)| vip.to_string()));
    let marks = widest(&mut listeners.keys().map(|(_, it)| mark(*it)));
    let mut text = String::new();
    for ((vip, it), ports) in &listeners {
        let head = format!("  {:<vips$}  {:<marks$} ", vip.to_string(), mark(*it));
        text += &(wrapped(&head, ports.iter().map(String::as_str)).join("\n") + "\n");
    }
    text
}
