use std::fs;

use super::*;
use crate::plan::Summary;
use crate::state::{DirectorState, Fingerprint};
use crate::transaction::{Author, Purpose};

fn author() -> Author {
    Author { user: "root".to_owned(), host: "lb1".to_owned(), process: 1 }
}

fn state(port: u16) -> DirectorState {
    let text = format!(
        r#"{{"marking":[{{"to":"192.0.2.1","protocol":"tcp","ports":"{port}","mark":10}}],"services":[]}}"#
    );
    serde_json::from_str(&text).expect("a state")
}

fn save(history: &History, number: u64) {
    let state = state(u16::try_from(number).expect("small"));
    let header = Header {
        number,
        time: now(),
        purpose: Purpose::Apply,
        author: author(),
        boot: "b".to_owned(),
        config: None,
        before: history.head().expect("readable"),
        summary: Summary::default(),
        state: Fingerprint::of_state(&state).to_string(),
    };
    let state = serde_json::to_vec(&state).expect("JSON");
    history.save(&header, &MarkBook::default(), &state).expect("writable");
}

fn end(history: &History, number: u64, purpose: Purpose, ending: Ending) {
    history.record(number, purpose, ending, &author()).expect("writable");
}

#[test]
fn a_generation_comes_back_as_it_was_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::new(&folder.path().join("deep/state"));
    assert_eq!(history.head().expect("readable"), None);
    assert_eq!(history.numbers().expect("readable"), [0; 0]);
    assert!(matches!(history.read(1), Err(Unreadable::Missing(1))));
    save(&history, 1);
    assert_eq!(history.head().expect("readable"), None, "saved is not yet applied");
    history.set_head(1).expect("writable");
    assert_eq!(history.head().expect("readable"), Some(1));
    assert_eq!(history.read(1).expect("readable").state, state(1));
}

#[test]
fn the_oldest_go_beyond_the_bound_but_never_the_one_that_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::new(folder.path());
    save(&history, 1);
    history.set_head(1).expect("writable");
    for number in 2..=60 {
        save(&history, number);
    }
    history.prune().expect("removable");
    let numbers = history.numbers().expect("readable");
    assert_eq!((numbers.len(), numbers[0], numbers[1]), (KEPT + 1, 1, 11));
}

#[test]
fn a_damaged_generation_is_named_and_skipped_and_never_trusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::new(folder.path());
    for number in 1..=3 {
        save(&history, number);
        end(&history, number, Purpose::Apply, Ending::Applied);
    }
    let path = folder.path().join("generations/0000000002.jsonl");
    let whole = fs::read(&path).expect("readable");
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).expect("writable");
        let error = history.read(2).expect_err("damaged").to_string();
        assert!(error.contains("generation 2") && error.contains("0000000002"), "{error}");
    }
    let before = history.before(3).expect("readable").expect("an older one");
    assert_eq!(before.header.number, 1);
}

#[test]
fn a_generation_that_was_never_reached_is_none_to_go_back_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::new(folder.path());
    for (number, purpose, ending) in [
        (1, Purpose::Apply, Ending::Applied),
        (2, Purpose::Rollback(1), Ending::Finished),
        (3, Purpose::Apply, Ending::Restored),
        (4, Purpose::Apply, Ending::Undone),
        (5, Purpose::Trial, Ending::Applied),
        (6, Purpose::Apply, Ending::Applied),
    ] {
        save(&history, number);
        end(&history, number, purpose, ending);
    }
    let before = |number| history.before(number).expect("readable").map(|g| g.header.number);
    assert_eq!((before(6), before(2), before(1)), (Some(2), Some(1), None));
    // What was a trial all the same, whatever was done to it meanwhile.
    end(&history, 5, Purpose::Restore, Ending::Applied);
    end(&history, 5, Purpose::Expire(5), Ending::Applied);
    assert_eq!(before(6), Some(2));
    end(&history, 5, Purpose::Confirm, Ending::Applied);
    assert_eq!(before(6), Some(5), "once it is confirmed");
}

#[test]
fn without_its_line_in_the_audit_the_next_one_says_what_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::new(folder.path());
    for number in 1..=4 {
        save(&history, number);
        // The third never counted.
        if number != 3 {
            history.set_head(number).expect("writable");
        }
    }
    let before = |number| history.before(number).expect("readable").map(|g| g.header.number);
    assert_eq!((before(4), before(2), before(1)), (Some(2), Some(1), None));
}

#[test]
fn the_audit_goes_on_behind_a_torn_line_and_in_a_second_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let history = History::new(folder.path());
    end(&history, 1, Purpose::Apply, Ending::Applied);
    let path = folder.path().join("audit.jsonl");
    let line = fs::read(&path).expect("readable");
    fs::write(&path, [&line[..], &line[..20]].concat()).expect("writable");
    end(&history, 2, Purpose::Apply, Ending::Restored);
    let endings = |number| history.events()[&number].iter().map(|e| e.ending).collect::<Vec<_>>();
    assert_eq!(endings(1), [Ending::Applied]);
    assert_eq!(endings(2), [Ending::Restored]);
    fs::write(&path, line.repeat((1 << 20) / line.len() + 1)).expect("writable");
    end(&history, 3, Purpose::Apply, Ending::Finished);
    end(&history, 3, Purpose::Apply, Ending::Applied);
    assert_eq!(endings(3), [Ending::Finished, Ending::Applied]);
    assert!(fs::metadata(&path).expect("there").len() < 1000);
}
