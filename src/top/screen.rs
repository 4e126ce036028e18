//! The screen as it stands: the last samples, what somebody chose, what a key does.

use std::time::{Duration, Instant};

use super::filter;
use super::history::{History, Point};
use super::key::{Action, Ask, Key, Verb};
use super::order::Order;
use super::rows::{Block, Place, Row, rows};
use super::sample::Sample;
use super::selection::Selection;

/// What does not change while it is shown.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The name of the director.
    pub host: String,
    /// How often it is sampled.
    pub interval: Duration,
}

/// What keys mean now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// They move and command.
    Table,
    /// They are the text to filter by; it was another one before.
    Filter { before: String },
    /// They answer.
    Question(Ask),
    /// Any of them ends the help.
    Help,
}

/// The screen.
#[derive(Debug)]
pub struct Screen {
    pub(super) heading: Heading,
    pub(super) now: Sample,
    pub(super) mode: Mode,
    pub(super) order: Order,
    pub(super) filter: String,
    pub(super) is_paused: bool,
    pub(super) selection: Selection,
    pub(super) rows: Vec<Row>,
    /// What an answer or a key brought; it goes with the next key.
    told: Option<String>,
    /// Why the last sample could not be taken.
    trouble: Option<String>,
    /// What is being done.
    busy: Option<Ask>,
    shows_entries: bool,
    blocks: Vec<Block>,
    history: History,
}

impl Screen {
    /// The screen of a first sample.
    pub fn new(heading: Heading, now: Sample) -> Self {
        let blocks = rows(&now, None);
        let mut screen = Self {
            heading,
            now,
            mode: Mode::Table,
            order: Order::default(),
            filter: String::new(),
            is_paused: false,
            selection: Selection::default(),
            rows: Vec::new(),
            told: None,
            trouble: None,
            busy: None,
            shows_entries: false,
            blocks,
            history: History::default(),
        };
        screen.arrange();
        screen
    }

    /// Takes a later sample in.
    pub fn add(&mut self, sample: Sample) {
        self.blocks = rows(&sample, Some(&self.now));
        self.history.add(&self.blocks);
        self.now = sample;
        self.trouble = None;
        self.arrange();
    }

    /// No sample could be taken: what is shown is old.
    pub fn fail(&mut self, why: &str) {
        self.trouble = Some(format!("error: {why}"));
    }

    /// What was asked for has ended, and how.
    pub fn done(&mut self, how: &Result<String, String>) {
        self.busy = None;
        self.told = Some(match how {
            Ok(what) => what.clone(),
            Err(why) => format!("error: {why}"),
        });
    }

    /// Whether no sample is to be taken.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// What is being done, where something is.
    pub fn busy(&self) -> Option<&Ask> {
        self.busy.as_ref()
    }

    /// Whether what is shown changes with the time alone.
    pub fn counts_down(&self) -> bool {
        self.now.waiting.is_some_and(|waiting| !waiting.left.is_zero())
    }

    /// What stands above the table: what waits, what has not ended, and why what is shown
    /// is old.
    pub(super) fn notices(&self, now: Instant) -> Vec<String> {
        let waits = [self.now.countdown(now), self.now.unfinished.clone(), self.trouble.clone()];
        waits.into_iter().flatten().collect()
    }

    /// The line below the table, and whether it is an error.
    pub(super) fn line(&self) -> (String, bool) {
        let told = match (&self.mode, &self.busy) {
            (Mode::Question(ask), _) => return (ask.question(), false),
            (Mode::Filter { .. }, _) => return (format!("/{}_", self.filter), false),
            (_, Some(ask)) => return (ask.under_way(), false),
            _ => self.told.as_ref(),
        };
        told.map_or_else(Default::default, |told| (told.clone(), told.starts_with("error: ")))
    }

    /// What a line showed before.
    pub(super) fn past(&self, place: &Place, measure: fn(&Point) -> u64) -> Vec<u64> {
        self.history.of(place, measure)
    }

    /// Does what a key means; the answer is what else is to be done.
    pub fn press(&mut self, key: Key) -> Option<Action> {
        if key == Key::Interrupt {
            return Some(Action::Quit);
        }
        self.told = None;
        match std::mem::replace(&mut self.mode, Mode::Table) {
            Mode::Table => return self.command(key),
            Mode::Help => {}
            Mode::Filter { before } => self.type_filter(key, before),
            Mode::Question(ask) => {
                if matches!(key, Key::Letter('y' | 'Y')) {
                    self.busy = Some(ask.clone());
                    return Some(Action::Change(ask));
                }
                self.told = Some("Nothing was changed.".to_owned());
            }
        }
        None
    }

    fn command(&mut self, key: Key) -> Option<Action> {
        let Self { selection, rows, .. } = self;
        match key {
            Key::Up | Key::Letter('k') => selection.up(1, rows),
            Key::Down | Key::Letter('j') => selection.down(1, rows),
            Key::PageUp => selection.up(selection.page(), rows),
            Key::PageDown => selection.down(selection.page(), rows),
            Key::Home => selection.go(0, rows),
            Key::End => selection.go(usize::MAX, rows),
            Key::Letter('q') => return Some(Action::Quit),
            Key::Letter('?' | 'h') => self.mode = Mode::Help,
            Key::Letter('/') => self.mode = Mode::Filter { before: self.filter.clone() },
            Key::Letter('d') => self.ask(Verb::Drain),
            Key::Letter('r') => self.ask(Verb::Restore),
            Key::Letter('p') => {
                self.is_paused = !self.is_paused;
                return (!self.is_paused).then_some(Action::Sample);
            }
            Key::Letter('s') => self.order.by = self.order.by.next(),
            Key::Letter('i') => self.order.inverted = !self.order.inverted,
            Key::Letter('m') => self.shows_entries = !self.shows_entries,
            Key::Escape => self.filter.clear(),
            Key::Letter(_) | Key::Enter | Key::Backspace | Key::Interrupt => return None,
        }
        self.arrange();
        None
    }

    fn type_filter(&mut self, key: Key, before: String) {
        match key {
            Key::Enter => return,
            Key::Escape => {
                self.filter = before;
                self.arrange();
                return;
            }
            Key::Letter(letter) => self.filter.push(letter),
            Key::Backspace => drop(self.filter.pop()),
            _ => {}
        }
        self.mode = Mode::Filter { before };
        self.arrange();
    }

    /// Asks before the selected real server is changed.
    fn ask(&mut self, verb: Verb) {
        let row = self.selection.row(&self.rows);
        let told = match row.map(|row| &row.place) {
            _ if self.busy.is_some() => "The change before has not ended yet.",
            Some(Place::Server(Some(group), server)) => {
                let (group, server) = (group.clone(), *server);
                self.mode = Mode::Question(Ask { verb, group, server });
                return;
            }
            Some(Place::Server(None, _)) => "It is in no group: no file says what it is.",
            _ => "Select a real server first, with the arrows.",
        };
        self.told = Some(told.to_owned());
    }

    /// Makes the lines anew.
    fn arrange(&mut self) {
        let mut blocks = self.blocks.clone();
        filter::keep(&mut blocks, &self.filter);
        self.order.arrange(&mut blocks);
        let mut rows = Vec::with_capacity(self.rows.len());
        for Block { group, entries, servers } in blocks {
            rows.push(group);
            if self.shows_entries {
                rows.extend(entries);
            }
            rows.extend(servers);
        }
        self.rows = rows;
        self.selection.settle(&self.rows);
    }
}
