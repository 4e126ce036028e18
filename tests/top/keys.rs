//! What keys do.

use std::time::Instant;

use fwmarkctl::top::{Action, Key, Screen, Verb};

use crate::invented::{UNICODE, busy, heading, picture, screen};

fn press(screen: &mut Screen, text: &str) -> Option<Action> {
    let mut action = None;
    for letter in text.chars() {
        action = screen.press(match letter {
            '\n' => Key::Enter,
            '\u{1b}' => Key::Escape,
            '\u{8}' => Key::Backspace,
            letter => Key::Letter(letter),
        });
    }
    action
}

/// The first words of the lines of the table.
fn names(screen: &mut Screen) -> Vec<String> {
    let shown = picture(screen, (80, 24), UNICODE);
    let lines = shown.lines().skip(2).take_while(|line| !line.is_empty());
    let word =
        |line: &str| line.trim_start_matches('>').split_whitespace().next().map(str::to_owned);
    lines.filter_map(word).collect()
}

/// The line that is selected.
fn selected(screen: &mut Screen) -> String {
    let shown = picture(screen, (80, 24), UNICODE);
    let line = shown.lines().find(|line| line.starts_with("> ")).expect("one is selected");
    line[2..].split_whitespace().next().expect("a name").to_owned()
}

/// The line that tells or asks.
fn told(screen: &mut Screen) -> String {
    let shown = picture(screen, (80, 24), UNICODE);
    shown.lines().rev().nth(1).expect("a line").to_owned()
}

const DNS: &str = "dns";
const ALL: [&str; 8] = [
    DNS,
    "mail",
    "172.18.100.11",
    "172.18.100.12:2525",
    "web",
    "172.18.100.11",
    "172.18.100.12",
    "2001:db8:18:100::11",
];

#[test]
fn groups_and_their_servers_are_sorted_by_name_connections_and_rate() {
    let mut screen = screen();
    assert_eq!(names(&mut screen), ALL);
    press(&mut screen, "s");
    let by_connections = [
        "web",
        "172.18.100.12",
        "172.18.100.11",
        "2001:db8:18:100::11",
        "mail",
        "172.18.100.11",
        "172.18.100.12:2525",
        DNS,
    ];
    assert_eq!(names(&mut screen), by_connections);
    press(&mut screen, "s");
    let shown = names(&mut screen);
    assert_eq!(shown[..3], ["web", "172.18.100.11", "172.18.100.12"], "it grows faster");
    press(&mut screen, "s");
    assert_eq!(names(&mut screen), ALL);
    press(&mut screen, "i");
    let inverted = [
        "web",
        "2001:db8:18:100::11",
        "172.18.100.12",
        "172.18.100.11",
        "mail",
        "172.18.100.12:2525",
        "172.18.100.11",
        DNS,
    ];
    assert_eq!(names(&mut screen), inverted);
}

#[test]
fn a_text_filters_groups_servers_and_services() {
    let mut screen = screen();
    press(&mut screen, "/WEB");
    assert_eq!(told(&mut screen), "/WEB_");
    assert_eq!(names(&mut screen).len(), 4, "a group comes with its servers");
    press(&mut screen, "\u{8}\u{8}\u{8}100.12");
    assert_eq!(names(&mut screen), ["mail", "172.18.100.12:2525", "web", "172.18.100.12"]);
    press(&mut screen, "\n");
    let shown = picture(&mut screen, (80, 24), UNICODE);
    assert!(shown.lines().next().is_some_and(|line| line.contains("/100.12")), "{shown}");
    // Another text is left with what was before it.
    press(&mut screen, "/mark 25\u{1b}");
    assert_eq!(names(&mut screen).len(), 4);
    press(&mut screen, "\u{1b}");
    assert_eq!(names(&mut screen), ALL);
    press(&mut screen, "/mark 25");
    assert_eq!(names(&mut screen), ["mail", "172.18.100.11", "172.18.100.12:2525"]);
    press(&mut screen, "0");
    assert!(picture(&mut screen, (80, 24), UNICODE).contains("Nothing has this text"));
    assert_eq!(press(&mut screen, "\nd"), None, "there is no line to drain");
}

#[test]
fn the_selected_line_stays_when_the_order_changes() {
    let mut screen = screen();
    assert_eq!(selected(&mut screen), DNS);
    press(&mut screen, "jj");
    screen.press(Key::Down);
    assert_eq!(selected(&mut screen), "172.18.100.12:2525");
    press(&mut screen, "s");
    assert_eq!(selected(&mut screen), "172.18.100.12:2525");
    screen.add(busy(Instant::now(), 9));
    assert_eq!(selected(&mut screen), "172.18.100.12:2525");
    screen.press(Key::End);
    assert_eq!(selected(&mut screen), DNS);
    screen.press(Key::Down);
    press(&mut screen, "k");
    assert_eq!(selected(&mut screen), "172.18.100.12:2525");
    screen.press(Key::Home);
    screen.press(Key::Up);
    assert_eq!(selected(&mut screen), "web");
}

#[test]
fn lines_that_do_not_fit_come_into_view() {
    let mut screen = screen();
    let small = (60, 8);
    let lines = |screen: &mut Screen| {
        let shown = picture(screen, small, UNICODE);
        shown.lines().skip(2).take(4).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(lines(&mut screen)[0].starts_with("> dns"));
    assert!(picture(&mut screen, small, UNICODE).ends_with(" 1 of 8\n"));
    screen.press(Key::PageDown);
    let shown = lines(&mut screen);
    assert!(shown[3].starts_with("> web"), "{shown:?}");
    assert!(shown[0].contains("  mail"), "{shown:?}");
    screen.press(Key::End);
    assert!(lines(&mut screen)[3].contains("2001:db8"));
    press(&mut screen, "k");
    let shown = lines(&mut screen);
    assert!(shown[2].starts_with(">   172.18.100.12"), "the others stay: {shown:?}");
    screen.press(Key::PageUp);
    screen.press(Key::PageUp);
    assert!(lines(&mut screen)[0].starts_with("> dns"));
}

#[test]
fn nothing_but_a_yes_drains_and_restores() {
    let mut screen = screen();
    assert_eq!(press(&mut screen, "d"), None);
    assert_eq!(told(&mut screen), "Select a real server first, with the arrows.");
    press(&mut screen, "jj");
    for no in ["n", "\n", "\u{1b}", "q", "j", " "] {
        assert_eq!(press(&mut screen, "d"), None);
        assert_eq!(told(&mut screen), "Drain 172.18.100.11 of mail? [y/N]");
        assert_eq!(press(&mut screen, no), None);
        assert_eq!(told(&mut screen), "Nothing was changed.");
    }
    press(&mut screen, "r");
    assert_eq!(told(&mut screen), "Restore 172.18.100.11 of mail? [y/N]");
    // Another order under way changes nothing of what was asked.
    screen.add(busy(Instant::now(), 9));
    let Some(Action::Change(ask)) = press(&mut screen, "y") else { panic!("it is to be done") };
    assert_eq!((ask.verb, ask.group.as_str()), (Verb::Restore, "mail"));
    assert_eq!(ask.server.to_string(), "172.18.100.11");
    assert_eq!(told(&mut screen), "Restoring 172.18.100.11 of mail ...");
    assert_eq!(screen.busy(), Some(&ask));

    // One thing after another.
    assert_eq!(press(&mut screen, "jd"), None);
    assert_eq!(press(&mut screen, "y"), None);
    screen.done(&Ok("172.18.100.11 of group mail has the weight 3 again.".to_owned()));
    assert_eq!(told(&mut screen), "172.18.100.11 of group mail has the weight 3 again.");
    assert_eq!(screen.busy(), None);
    let Some(Action::Change(ask)) = press(&mut screen, "dY") else { panic!("it is to be done") };
    assert_eq!(ask.server.to_string(), "172.18.100.12:2525");
    screen.done(&Err("it is the last one".to_owned()));
    assert_eq!(told(&mut screen), "error: it is the last one");
}

#[test]
fn a_group_that_is_none_has_nobody_to_drain() {
    let mut sample = busy(Instant::now(), 1);
    let services = sample.groups.remove(&"mail".parse().ok()).expect("there");
    sample.groups.insert(None, services);
    let mut screen = Screen::new(heading(), sample);
    press(&mut screen, "j");
    assert_eq!(selected(&mut screen), "172.18.100.11");
    assert_eq!(press(&mut screen, "d"), None);
    assert_eq!(told(&mut screen), "It is in no group: no file says what it is.");
}

#[test]
fn p_pauses_and_goes_on_with_a_sample() {
    let mut screen = screen();
    assert_eq!(press(&mut screen, "p"), None);
    assert!(screen.is_paused());
    assert!(picture(&mut screen, (80, 24), UNICODE).contains("PAUSED"));
    assert_eq!(press(&mut screen, "p"), Some(Action::Sample));
    assert!(!screen.is_paused());
}

#[test]
fn q_quits_unless_it_is_a_letter_of_a_text_and_ctrl_c_always() {
    assert_eq!(press(&mut screen(), "q"), Some(Action::Quit));
    assert_eq!(press(&mut screen(), "/q"), None);
    for before in ["", "/text", "jjd", "?"] {
        let mut screen = screen();
        press(&mut screen, before);
        assert_eq!(screen.press(Key::Interrupt), Some(Action::Quit), "{before}");
    }
}

#[test]
fn any_key_leaves_the_help() {
    let mut screen = screen();
    press(&mut screen, "?");
    assert!(picture(&mut screen, (80, 24), UNICODE).contains("Any key goes back."));
    assert_eq!(press(&mut screen, "q"), None);
    assert_eq!(names(&mut screen), ALL);
}
