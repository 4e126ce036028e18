//! Traffic beside a scene: connections that go on, and requests one after another. What
//! each of them saw is written down with its time, and asked for when the scene is over.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Answer, Connection, client_v4, client_v6};
use super::seen::{Line, Log, Question, Seen};
use super::{Client, Lab};

/// The pause between two questions on a connection, and between two new connections: a
/// pace, so that the one processor of an emulated machine has time for all, and not a
/// wait for anything.
const PACE: [Duration; 2] = [Duration::from_millis(15), Duration::from_millis(25)];

/// The same where a moment of refusal is looked for, which is as short as 2 ms.
const RUSH: [Duration; 2] = [Duration::from_millis(15), Duration::from_millis(1)];

/// A request without an answer for so long is given up. Longer than what a lost packet
/// costs, which is sent again after one second at the latest.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longer than any of it takes in an emulated machine under load.
const DEADLINE: Duration = Duration::from_secs(30);

/// Traffic that runs, and its logs.
pub(crate) struct Traffic {
    lines: Vec<Line>,
    pace: [Duration; 2],
    logs: Mutex<Vec<Log>>,
    /// A log has a new entry.
    news: Condvar,
    ended: AtomicBool,
}

impl Lab {
    /// Runs `scene` while a connection to each of `talks` is asked every few milliseconds,
    /// and new connections come to each of `requests` from all clients.
    pub(crate) fn beside_traffic<T>(
        &self,
        talks: &[&str],
        requests: &[&str],
        scene: impl FnOnce(&Traffic) -> T,
    ) -> T {
        self.beside_lines(talks, requests, PACE, scene)
    }

    /// Runs `scene` while new connections rush to each of `requests`, three at a time.
    pub(crate) fn beside_rush<T>(&self, requests: &[&str], scene: impl FnOnce(&Traffic) -> T) -> T {
        self.beside_lines(&[], &requests.repeat(3), RUSH, scene)
    }

    fn beside_lines<T>(
        &self,
        talks: &[&str],
        requests: &[&str],
        pace: [Duration; 2],
        scene: impl FnOnce(&Traffic) -> T,
    ) -> T {
        let client = self.client().patience(PATIENCE);
        let open = |(number, target): (usize, &&str)| {
            let connection = client.connect(source(target, number).as_str(), target).unwrap();
            let server = Some(connection.server.clone());
            (Line { target: (*target).to_owned(), server }, connection)
        };
        let (mut lines, talks): (Vec<_>, Vec<_>) = talks.iter().enumerate().map(open).unzip();
        let line = |target: &&str| Line { target: (*target).to_owned(), server: None };
        lines.extend(requests.iter().map(line));
        let logs = Mutex::new(lines.iter().map(|_| Log::default()).collect());
        let traffic =
            Traffic { lines, pace, logs, news: Condvar::new(), ended: AtomicBool::new(false) };
        thread::scope(|scope| {
            // Also when the scene panics: the threads would go on for ever.
            let handles = talks.iter().map(Connection::patient).collect();
            let _ending = Ending { traffic: &traffic, handles };
            scope.spawn(|| client.run(|| traffic.run(client, talks)));
            scene(&traffic)
        })
    }
}

impl Traffic {
    /// All lines, each in a thread of its own, which inherits the namespace of this one.
    fn run(&self, client: Client<'_>, talks: Vec<Connection>) {
        thread::scope(|scope| {
            let first_request = talks.len();
            for (number, mut talk) in talks.into_iter().enumerate() {
                scope.spawn(move || self.ask_all_the_time(number, |_| talk.ask()));
            }
            for number in first_request..self.lines.len() {
                let target = &self.lines[number].target;
                let request = move |times| {
                    let source = source(target, number + times);
                    client.connect_inside(Some(&source), target).map(|connection| connection.server)
                };
                scope.spawn(move || self.ask_all_the_time(number, request));
            }
        });
    }

    fn ask_all_the_time(&self, number: usize, mut ask: impl FnMut(usize) -> Answer) {
        let is_talk = self.lines[number].is_talk();
        for times in 0.. {
            let asked = Instant::now();
            self.logs()[number].waiting = Some(asked);
            let answer = ask(times);
            let question = Question { asked, took: asked.elapsed(), answer };
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let broken = is_talk && question.answer.is_err();
            let mut logs = self.logs();
            logs[number].waiting = None;
            logs[number].questions.push(question);
            drop(logs);
            self.news.notify_all();
            if broken {
                return;
            }
            thread::sleep(self.pace[usize::from(!is_talk)]);
        }
    }

    fn logs(&self) -> MutexGuard<'_, Vec<Log>> {
        self.logs.lock().unwrap()
    }

    /// The places of lines in the logs.
    fn places(&self, who: impl Fn(&Line) -> bool) -> Vec<usize> {
        (0..self.lines.len()).filter(|&place| who(&self.lines[place])).collect()
    }

    /// Waits until each of these lines has ended `times` such questions since `from`.
    fn each_ends(
        &self,
        (times, from): (usize, Instant),
        who: impl Fn(&Line) -> bool,
        such: impl Fn(&Question) -> bool,
    ) {
        let places = self.places(who);
        let deadline = Instant::now() + DEADLINE;
        let ended = |log: &Log| {
            let since = log.questions.iter().rev().take_while(|question| question.ended() >= from);
            since.filter(|question| such(question)).count()
        };
        let mut logs = self.logs();
        while let Some(&place) = places.iter().find(|place| ended(&logs[**place]) < times) {
            let line = &self.lines[place];
            let last = logs[place].questions.last().map(|question| question.answer.clone());
            // A connection that is broken is asked nothing more.
            if Instant::now() > deadline || line.is_talk() && matches!(last, Some(Err(_))) {
                drop(logs);
                panic!("{line}: the last answer was {last:?}");
            }
            logs = self.news.wait_timeout(logs, DEADLINE).unwrap().0;
        }
    }

    /// Returns when each of these lines has got `times` answers to questions of now.
    pub(crate) fn each_answers(&self, times: usize, who: impl Fn(&Line) -> bool) {
        let now = Instant::now();
        let answered = |question: &Question| question.answer.is_ok() && question.asked >= now;
        self.each_ends((times, now), who, answered);
    }

    /// Returns when each of these lines has failed since `from`.
    pub(crate) fn each_fails(&self, from: Instant, who: impl Fn(&Line) -> bool) {
        self.each_ends((1, from), who, |question| question.answer.is_err());
    }

    /// How many questions of these lines were asked and answered between two instants.
    pub(crate) fn answers(&self, from: Instant, to: Instant, who: impl Fn(&Line) -> bool) -> usize {
        let logs = self.logs();
        let inside = |question: &&Question| {
            question.answer.is_ok() && question.asked >= from && question.ended() <= to
        };
        let of = |place: usize| logs[place].questions.iter().filter(inside).count();
        self.places(who).into_iter().map(of).sum()
    }

    /// Those of these lines that asked nothing between two instants, and waited for nothing.
    pub(crate) fn absent(
        &self,
        from: Instant,
        to: Instant,
        who: impl Fn(&Line) -> bool,
    ) -> Vec<String> {
        let logs = self.logs();
        let there = |question: &Question| question.asked <= to && question.ended() >= from;
        let absent = |place: &usize| {
            let log = &logs[*place];
            log.waiting.is_none_or(|since| since > to) && !log.questions.iter().any(there)
        };
        self.places(who).into_iter().filter(absent).map(|at| self.lines[at].to_string()).collect()
    }

    /// How often one of these lines failed after it had been answered.
    pub(crate) fn relapses(&self, who: impl Fn(&Line) -> bool) -> usize {
        let logs = self.logs();
        let relapse = |pair: &&[Question]| pair[0].answer.is_ok() && pair[1].answer.is_err();
        let of = |place: usize| logs[place].questions.windows(2).filter(relapse).count();
        self.places(who).into_iter().map(of).sum()
    }

    /// What these lines saw until now.
    pub(crate) fn seen(&self, who: impl Fn(&Line) -> bool) -> Seen {
        let logs = self.logs();
        let mut seen = Seen::default();
        for place in self.places(who) {
            seen.add(&self.lines[place], &logs[place]);
        }
        seen
    }

    /// Whether these lines noticed nothing: no reset, no refusal, no standstill.
    pub(crate) fn undisturbed(&self, who: impl Fn(&Line) -> bool) -> Result<Seen, Seen> {
        let seen = self.seen(who);
        if seen.is_calm() { Ok(seen) } else { Err(seen) }
    }
}

/// Ends the traffic of a scene when it is dropped.
struct Ending<'a> {
    traffic: &'a Traffic,
    handles: Vec<TcpStream>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.traffic.ended.store(true, Ordering::SeqCst);
        for handle in &self.handles {
            // A connection that is broken already needs no end.
            drop(handle.shutdown(Shutdown::Both));
        }
    }
}

/// A client's address of the target's family.
fn source(target: &str, number: usize) -> String {
    if target.starts_with('[') { client_v6(number % 20) } else { client_v4(number % 50) }
}
