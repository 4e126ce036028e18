//! `top` on a terminal: what it shows of real traffic, what its keys do to a director, and
//! the terminal as it was when it ends.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::termios::tcgetattr;

use crate::lab::{Director, Lab, Marks, Running, Terminal};
use crate::scene::{Fwmarkctl, WEB, WEB_AND_MAIL, until};

const FILE: &str = "/run/groups.toml";
const RS1: &str = "172.18.100.11";

/// Two servers, of which the first has a weight that is worth to be kept.
const GROUP: &str = "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\"]\nmark = 10\n\
                     scheduler = \"wrr\"\n\
                     real = [{ address = \"172.18.100.11\", weight = 3 }, \"172.18.100.12\"]\n";

/// A lab whose director has a group in a file, applied.
fn lab() -> Lab {
    let lab = Lab::dr();
    lab.serve_tcp(&[80]);
    lab.director().run(|| fs::write(FILE, Marks::in_config(GROUP)).unwrap());
    lab.director().fwmarkctl(&["-c", FILE, "apply"]).ok();
    lab
}

/// `fwmarkctl top` on a terminal of 80 columns and 24 lines, and what is seen there.
struct Top {
    running: Running,
    terminal: Terminal,
    /// A terminal that obeys what is written to it.
    seen: vt100::Parser,
    /// All that was written.
    bytes: Vec<u8>,
}

impl Top {
    fn start(director: &Director, term: &str) -> Self {
        let top = director.fwmarkctl(&["-c", FILE, "top", "web"]);
        let (running, terminal) =
            top.env("TERM", term).env("LC_ALL", "C.UTF-8").spawn_on_terminal();
        Self {
            running,
            terminal,
            seen: vt100::Parser::new(24.try_into().unwrap(), 80.try_into().unwrap(), 0),
            bytes: Vec::new(),
        }
    }

    /// Takes in what is written; whether there is more to come.
    fn read(&mut self) -> bool {
        let Some(bytes) = self.terminal.read() else { return false };
        self.seen.process(&bytes);
        self.bytes.extend(bytes);
        true
    }

    fn screen(&self) -> String {
        self.seen.screen().contents()
    }

    /// Returns when the screen is so: it is drawn anew every two seconds.
    fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !is_so(&self.screen()) {
            assert!(Instant::now() < deadline, "never {what}:\n{}", self.screen());
            assert!(self.read(), "it ended before {what}:\n{}", self.screen());
        }
    }

    fn until_it_says(&mut self, text: &str) {
        // Long texts go on in the next line.
        let joined = |screen: &str| screen.split_whitespace().collect::<Vec<_>>().join(" ");
        self.until(text, |screen| joined(screen).contains(text));
    }

    /// Selects the first real server.
    fn select(&mut self) {
        self.terminal.type_in("j");
        self.until("it is selected", |screen| screen.contains(&format!("\n>   {RS1} ")));
    }

    /// Waits for its end, which leaves the terminal as it was.
    fn end(mut self, code: i32) -> String {
        while self.read() {}
        let screen = self.seen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor(), "{screen:?}");
        let after = tcgetattr(self.terminal.side()).unwrap();
        let before = self.terminal.settings();
        assert_eq!(format!("{:?}", before.local_modes), format!("{:?}", after.local_modes));
        assert_eq!(format!("{:?}", before.input_modes), format!("{:?}", after.input_modes));
        assert_eq!(format!("{:?}", before.output_modes), format!("{:?}", after.output_modes));
        assert_eq!(self.running.wait().code, Some(code));
        self.seen.screen().contents()
    }
}

/// A number in the line of a real server.
fn number(screen: &str, server: &str, column: usize) -> Option<f64> {
    let line = screen.lines().find(|line| line.contains(&format!("   {server} ")))?;
    line.trim_start_matches('>').split_whitespace().nth(column)?.parse().ok()
}

/// Address, weight, active, inactive, and then these.
const CONNECTIONS: usize = 4;
const PACKETS: usize = 5;

fn file(director: &Director) -> String {
    director.run(|| fs::read_to_string(FILE).unwrap())
}

#[test]
fn traffic_is_seen_and_a_real_server_drained_and_restored() {
    let lab = lab();
    let director = lab.director();
    let before = file(director);
    lab.beside_traffic(&[], &[WEB], |_| {
        let mut top = Top::start(director, "xterm-256color");
        top.until("the group", |screen| screen.contains("web  fwmark 10"));
        for server in [RS1, "172.18.100.12"] {
            top.until("rates of both servers", |screen| {
                number(screen, server, PACKETS) > Some(0.0)
                    && number(screen, server, CONNECTIONS) > Some(0.0)
            });
        }
        top.until("a picture of what was", |screen| screen.contains('█'));
        top.select();

        // The answer is no unless it is yes.
        top.terminal.type_in("d");
        top.until_it_says("Drain 172.18.100.11 of web? [y/N]");
        top.terminal.type_in("\r");
        top.until_it_says("Nothing was changed.");
        assert_eq!(file(director), before);

        top.terminal.type_in("dy");
        top.until_it_says("172.18.100.11 of group web takes no new clients; left there:");
        assert!(file(director).contains("weight = 0"), "{}", file(director));
        assert!(director.ipvsadm_save().contains("-r 172.18.100.11:0 -g -w 0"));
        top.until("the drained one", |screen| screen.contains("172.18.100.11            drained"));
        top.until("no more new ones", |screen| number(screen, RS1, CONNECTIONS) == Some(0.0));

        // The other one is the last.
        top.terminal.type_in("jdy");
        top.until_it_says("error: group web: without 172.18.100.12 no real server takes new");
        assert!(director.ipvsadm_save().contains("-r 172.18.100.12:0 -g -w 1"));

        top.terminal.type_in("kry");
        top.until_it_says("172.18.100.11 of group web has the weight 3 again, as in generation 1.");
        assert_eq!(file(director), before);
        top.until("new ones again", |screen| number(screen, RS1, CONNECTIONS) > Some(0.0));
        top.terminal.type_in("q");
        top.end(0);
    });
}

#[test]
fn a_trial_is_counted_down_and_nothing_is_changed_meanwhile() {
    let lab = lab();
    let director = lab.director();
    director.fwmarkctl(&["-c", FILE, "apply"]).ok();
    director.run(|| {
        fs::write(FILE, Marks::in_config(GROUP).replace("weight = 3", "weight = 4")).unwrap();
    });
    director.fwmarkctl(&["-c", FILE, "apply", "--confirm-within", "1h"]).ok();
    let mut top = Top::start(director, "xterm");
    top.until_it_says("Generation 2 waits for `fwmarkctl confirm`: 59:");
    let shown = top.screen();
    top.until("it counts down", |screen| screen.lines().nth(1) != shown.lines().nth(1));
    top.select();
    top.terminal.type_in("dy");
    top.until_it_says("error: generation 2 waits to be confirmed, for another");
    director.fwmarkctl(&["confirm"]).ok();
    top.until("nothing waits", |screen| !screen.contains("waits for"));
    // A group that goes leaves what was seen, and is told.
    director.apply(&WEB_AND_MAIL.replace("group.web", "group.www"));
    top.until_it_says("error: there is no group 'web' in the kernel");
    top.terminal.type_in("\u{3}");
    top.end(0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let lab = lab();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut top = Top::start(lab.director(), "xterm");
        top.until_it_says("fwmark 10");
        assert!(top.seen.screen().alternate_screen());
        // The beginning of a key that never comes whole keeps nobody waiting.
        top.terminal.type_in("\u{1b}[");
        top.running.signal(signal);
        top.end(0);
    }
}

/// Who ends it in the middle of a change waits for its end, and is told of it.
#[test]
fn a_change_that_was_begun_ends_before_the_program() {
    let lab = lab();
    let director = lab.director();
    let mut top = Top::start(director, "xterm");
    top.until_it_says("fwmark 10");
    top.select();
    top.terminal.type_in("dyq");
    let shown = top.end(0);
    assert!(shown.contains("takes no new clients"), "{shown}");
    assert!(file(director).contains("weight = 0"));
    director.fwmarkctl(&["-c", FILE, "plan", "--detailed-exitcode"]).ok();
}

#[test]
fn a_terminal_that_knows_no_more_gets_tables() {
    let lab = lab();
    let mut top = Top::start(lab.director(), "dumb");
    let tables = |top: &Top| String::from_utf8_lossy(&top.bytes).matches("GROUP, REAL").count();
    until("two tables", || top.read() && tables(&top) > 1);
    assert!(top.bytes.is_ascii() && !top.bytes.contains(&0x1b), "{}", top.screen());
    assert!(top.screen().contains("    172.18.100.12                  1"), "{}", top.screen());
    top.running.signal(Signal::INT);
    top.end(0);
}
