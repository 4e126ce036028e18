//! What the lines of traffic write down, and what it comes to.

use std::fmt;
use std::time::{Duration, Instant};

use super::client::{Answer, Failure};

/// What stood still for so long was disturbed.
const STALL: Duration = Duration::from_secs(1);

/// One thread's traffic.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) target: String,
    /// Whose connection it is; `None` where each question is a new connection.
    pub(crate) server: Option<String>,
}

impl Line {
    /// Whether it goes to one of `targets`.
    pub(crate) fn to(&self, targets: &[&str]) -> bool {
        targets.contains(&self.target.as_str())
    }

    /// Whether it is a connection that goes on.
    pub(crate) fn is_talk(&self) -> bool {
        self.server.is_some()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "the connection to {server} by {}", self.target),
            None => write!(f, "a new connection to {}", self.target),
        }
    }
}

/// One question: when it was asked, how long that took, and how it ended.
pub(super) struct Question {
    pub(super) asked: Instant,
    pub(super) took: Duration,
    pub(super) answer: Answer,
}

/// All questions of one line, and since when the one waits that has no answer yet.
#[derive(Default)]
pub(super) struct Log {
    pub(super) questions: Vec<Question>,
    pub(super) waiting: Option<Instant>,
}

impl Question {
    pub(super) fn ended(&self) -> Instant {
        self.asked + self.took
    }
}

/// What some lines saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Connections that went on, and what was asked on them.
    pub(crate) talks: (usize, usize),
    /// The longest time that one of them waited for an answer.
    pub(crate) stall: Duration,
    /// New connections.
    pub(crate) requests: usize,
    /// The slowest one that was answered.
    pub(crate) slowest: Duration,
    /// What was not answered: who, and why.
    pub(crate) failures: Vec<(String, Failure)>,
}

impl Seen {
    /// Adds what `line` saw, also of the question that has no answer yet.
    pub(super) fn add(&mut self, line: &Line, Log { questions, waiting }: &Log) {
        let answered = questions.iter().filter(|question| question.answer.is_ok());
        let waiting = waiting.map_or(Duration::ZERO, |since| since.elapsed());
        let longest = answered.map(|question| question.took).max().unwrap_or_default();
        let longest = longest.max(waiting);
        if line.is_talk() {
            self.talks.0 += 1;
            self.talks.1 += questions.len();
            self.stall = self.stall.max(longest);
        } else {
            self.requests += questions.len();
            self.slowest = self.slowest.max(longest);
        }
        let failed = questions.iter().filter_map(|question| question.answer.as_ref().err());
        self.failures.extend(failed.map(|failure| (line.to_string(), failure.clone())));
    }

    /// No reset, no refusal, no standstill.
    pub(super) fn is_calm(&self) -> bool {
        self.failures.is_empty() && self.stall < STALL && self.slowest < STALL
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { talks: (talks, asked), stall, requests, slowest, failures } = self;
        write!(
            f,
            "{talks} connections asked {asked} times, longest stall {} ms; {requests} new \
             connections, the slowest {} ms; {} failures",
            stall.as_millis(),
            slowest.as_millis(),
            failures.len()
        )
    }
}
