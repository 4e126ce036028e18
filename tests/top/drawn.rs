//! What is drawn.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fwmarkctl::top::{Key, Look, Sample, Screen, plain};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};

use crate::invented::{
    INTERVAL, TRIAL, UNICODE, busy, empty, heading, picture, picture_at, screen,
};

fn golden(name: &str, found: &str) {
    let file = PathBuf::from(format!("tests/top/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(file, found).expect("writable");
        return;
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(wanted, found, "{} differs; UPDATE_GOLDEN=1 shows how", file.display());
}

#[test]
fn screens_are_as_they_were() {
    for (name, size) in [("80x24", (80, 24)), ("60x15", (60, 15)), ("120x40", (120, 40))] {
        golden(name, &picture(&mut screen(), size, UNICODE));
        golden(&format!("{name}-ascii"), &picture(&mut screen(), size, Look::PLAIN));
    }
    let mut shown = screen();
    shown.press(Key::Letter('m'));
    shown.press(Key::Letter('s'));
    golden("entries", &picture(&mut shown, (80, 24), UNICODE));
    shown.press(Key::Letter('?'));
    golden("help", &picture(&mut shown, (60, 15), UNICODE));
    golden("plain", &plain(&screen(), Instant::now(), 80));
}

#[test]
fn a_director_without_groups_says_so() {
    let mut screen =
        Screen::new(heading(), Sample { generation: None, ..empty(Instant::now(), 0) });
    golden("empty", &picture(&mut screen, (80, 24), UNICODE));
    let text = plain(&screen, Instant::now(), 80);
    assert!(text.contains("This director holds nothing of ours."), "{text}");
}

#[test]
fn before_the_second_sample_there_are_no_rates() {
    let mut screen = Screen::new(heading(), busy(Instant::now(), 3));
    let shown = picture(&mut screen, (80, 24), UNICODE);
    let line = shown.lines().find(|line| line.contains("172.18.100.12 ")).expect("there");
    assert!(line.split_whitespace().filter(|word| *word == "-").count() == 3, "{shown}");
}

#[test]
fn an_error_is_told_and_what_was_read_before_stays() {
    let mut shown = screen();
    shown.fail(
        "cannot read the marks: the kernel refused it (operation not permitted); \
         run it as root, or with CAP_NET_ADMIN",
    );
    golden("error", &picture(&mut shown, (60, 15), UNICODE));
    shown.add(busy(Instant::now(), 9));
    assert!(!picture(&mut shown, (60, 15), UNICODE).contains("error"), "it is over");
}

#[test]
fn a_trial_is_counted_down_between_two_samples() {
    let at = Instant::now();
    let mut screen = Screen::new(heading(), Sample { waiting: Some(TRIAL), ..busy(at, 0) });
    assert!(screen.counts_down());
    for (seconds, told) in [
        (0, "Generation 13 waits for `fwmarkctl confirm`: 0:42 left."),
        (40, "Generation 13 waits for `fwmarkctl confirm`: 0:02 left."),
        (43, "Generation 13 was not confirmed in time: the state before returns."),
    ] {
        let now = at + Duration::from_secs(seconds);
        let shown = picture_at(&mut screen, (80, 24), UNICODE, now);
        assert_eq!(shown.lines().nth(1), Some(told), "{shown}");
        assert!(plain(&screen, now, 80).contains(told));
    }
    golden("trial", &picture_at(&mut screen, (80, 24), UNICODE, at));
}

#[test]
fn what_began_anew_counts_as_nothing() {
    let at = Instant::now();
    let mut screen = Screen::new(heading(), busy(at, 5));
    let zeroed = Sample { at: at + INTERVAL * 6, ..busy(at, 1) };
    screen.add(zeroed);
    let shown = picture(&mut screen, (80, 24), UNICODE);
    let line = shown.lines().find(|line| line.contains("172.18.100.12 ")).expect("there");
    assert!(line.contains(" 0.0 "), "{shown}");
}

#[test]
fn no_size_is_too_small_to_draw() {
    for width in 0..90 {
        for height in 0..30 {
            for key in ['?', '/', 'd'] {
                let mut screen = Screen::new(
                    heading(),
                    Sample { waiting: Some(TRIAL), ..busy(Instant::now(), 1) },
                );
                screen.press(Key::Down);
                screen.press(Key::Down);
                screen.press(Key::Letter(key));
                screen.fail("something that is too long for one line of any terminal of ours");
                picture(&mut screen, (width, height), UNICODE);
            }
        }
    }
    let shown = picture(&mut screen(), (29, 6), UNICODE);
    assert!(shown.starts_with("The terminal is too small."), "{shown}");
}

#[test]
fn nothing_but_ascii_is_drawn_where_no_more_can_be_shown() {
    for size in [(80, 24), (120, 40)] {
        let shown = picture(&mut screen(), size, Look::PLAIN);
        assert!(shown.is_ascii(), "{shown}");
        assert!(shown.contains('@'), "with pictures: {shown}");
    }
}

/// Who sees no colours, or none of ours, reads the same.
#[test]
fn colours_carry_no_meaning_alone() {
    let colours = |look: Look| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        let mut screen = screen();
        let drawn = terminal
            .draw(|frame| fwmarkctl::top::draw(frame, &mut screen, Instant::now(), look))
            .expect("drawn");
        let cells = &drawn.buffer.content;
        let text: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        let coloured = cells.iter().filter(|cell| cell.fg != Color::Reset).count();
        let reversed = cells.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED));
        (text, coloured, reversed)
    };
    let (text, coloured, reversed) = colours(Look { unicode: true, colour: true });
    let (plain, none, still) = colours(UNICODE);
    assert_eq!((&text, none), (&plain, 0));
    assert!(coloured > 0 && reversed && still, "{coloured}");
    for meaning in ["drained", "! no service", "> dns"] {
        assert!(text.contains(meaning), "{text}");
    }
}
