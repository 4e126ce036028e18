//! A director as it never was, at several moments.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fwmarkctl::backend::{
    Activity, Count, DestinationStatistics, ServiceStatistics, Statistics, Traffic,
};
use fwmarkctl::state::{DestinationKey, MarkKey};
use fwmarkctl::top::{Counted, Groups, Heading, Look, Sample, Screen, Waiting, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// How often the director is sampled.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

/// What a terminal shows that knows everything but colours.
pub(crate) const UNICODE: Look = Look { unicode: true, colour: false };

pub(crate) fn heading() -> Heading {
    Heading { host: "lb1".to_owned(), interval: INTERVAL }
}

/// A moment without groups.
pub(crate) fn empty(at: Instant, step: u32) -> Sample {
    Sample {
        at: at + INTERVAL * step,
        clock: format!("12:00:{:02}Z", 2 * step),
        generation: Some(12),
        groups: Groups::new(),
        waiting: None,
        unfinished: None,
    }
}

/// What was counted when `connections` connections of ten packets had come.
fn counted(connections: u64) -> Statistics {
    let total = Traffic {
        connections,
        packets_in: connections * 10,
        packets_out: 0,
        bytes_in: connections * 4000,
        bytes_out: 0,
    };
    Statistics { total, estimate: Traffic::default() }
}

/// A real server with its weight, its active connections, and all that ever came.
type Server<'a> = (&'a str, u32, u32, u64);

/// A service of real servers.
pub(crate) fn scheduled(servers: &[Server<'_>]) -> ServiceStatistics {
    let destinations = servers.iter().map(|(place, weight, active, connections)| {
        let (address, port) = place.split_once('#').unwrap_or((place, "0"));
        let key = DestinationKey {
            address: address.parse().expect("an address"),
            port: port.parse().expect("a port"),
        };
        let activity = Activity { active: *active, inactive: active * 3, persistent: 0 };
        (
            key,
            DestinationStatistics { weight: *weight, activity, statistics: counted(*connections) },
        )
    });
    ServiceStatistics {
        service: counted(servers.iter().map(|(.., connections)| connections).sum()),
        destinations: destinations.collect(),
    }
}

/// An entry that marked packets.
pub(crate) fn entry(vip: &str, port: u16, packets: u64) -> (MarkKey, Count) {
    let key = MarkKey {
        destination: vip.parse().expect("a prefix"),
        protocol: fwmarkctl::model::Protocol::Tcp,
        ports: port.to_string().parse().expect("a port"),
    };
    (key, Count { packets, bytes: packets * 400 })
}

/// Three groups: one with traffic that grows, one that is quiet and has a drained server,
/// one whose service somebody removed.
pub(crate) fn busy(at: Instant, step: u32) -> Sample {
    let mut sample = empty(at, step);
    let step = u64::from(step);
    let active = u32::try_from(step).expect("small") * 10;
    let (first, second) = (step * step * 10, step * 40);
    let web = Counted {
        marked: BTreeMap::from([
            entry("172.18.100.7", 80, first * 10),
            entry("172.18.100.7", 443, second * 10),
        ]),
        scheduled: Some(scheduled(&[
            ("172.18.100.11", 1, active, first),
            ("172.18.100.12", 3, 12_345, second),
        ])),
    };
    let six = Counted {
        marked: BTreeMap::from([entry("2001:db8:18:100::7", 80, 0)]),
        scheduled: Some(scheduled(&[("2001:db8:18:100::11", 1, 0, 0)])),
    };
    let mail = Counted {
        marked: BTreeMap::from([entry("172.18.100.8", 25, 500)]),
        scheduled: Some(scheduled(&[
            ("172.18.100.11", 0, 2, 50),
            ("172.18.100.12#2525", 1, 1, 50),
        ])),
    };
    let gone = Counted { marked: BTreeMap::from([entry("172.18.100.9", 53, 7)]), scheduled: None };
    for (group, key, counted) in [
        ("web", "fwmark 10 ipv4", web),
        ("web", "fwmark 10 ipv6", six),
        ("mail", "fwmark 25 ipv4", mail),
        ("dns", "fwmark 53 ipv4", gone),
    ] {
        let services = sample.groups.entry(group.parse().ok()).or_default();
        services.insert(key.parse().expect("a service"), counted);
    }
    sample
}

/// A trial that waits.
pub(crate) const TRIAL: Waiting = Waiting { generation: 13, left: Duration::from_secs(42) };

/// The busy director after some samples.
pub(crate) fn screen() -> Screen {
    let at = Instant::now();
    let mut screen = Screen::new(heading(), busy(at, 0));
    for step in 1..9 {
        screen.add(busy(at, step));
    }
    screen
}

/// What a terminal of this size shows.
pub(crate) fn picture(screen: &mut Screen, size: (u16, u16), look: Look) -> String {
    picture_at(screen, size, look, Instant::now())
}

/// The same at a moment.
pub(crate) fn picture_at(
    screen: &mut Screen,
    (width, height): (u16, u16),
    look: Look,
    now: Instant,
) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let drawn = terminal.draw(|frame| draw(frame, screen, now, look)).expect("drawn");
    let lines = drawn.buffer.content.chunks(usize::from(width).max(1));
    let mut text = String::new();
    for line in lines {
        let line: String = line.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
