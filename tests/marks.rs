//! Marks are stable: affinity is keyed on the mark, so nothing but its own group's name
//! may move it.

mod longer;

use std::collections::{BTreeMap, BTreeSet};

use fwmarkctl::compile::{CompileError, Past, compile};
use fwmarkctl::config::{Config, Options, Sources, load};
use fwmarkctl::model::{DirectorSettings, Mark, MarkRange};
use fwmarkctl::state::MarkBook;
use proptest::prelude::*;

/// A config of groups without marks, in the given order; those of `disabled` rest.
fn config(names: &[String], disabled: &BTreeSet<String>) -> Config {
    let group = |(at, name): (usize, &String)| {
        let (high, low) = (at / 250, at % 250 + 1);
        format!(
            "[group.{name}]\nenabled = {}\nvips = [\"10.0.{high}.{low}\"]\nports = [\"80/tcp\"]\n\
             real = [\"10.1.0.1\"]\n",
            !disabled.contains(name)
        )
    };
    let text: String = names.iter().enumerate().map(group).collect();
    load(Sources::text(text), &Options::default()).expect("a valid config")
}

fn marks(names: &[String], history: &MarkBook) -> MarkBook {
    let groups = config(names, &BTreeSet::new()).groups;
    compile(&groups, &DirectorSettings::default(), Past::of(history)).expect("marks enough").marks
}

fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a-z][a-z0-9]{0,6}", 1..60)
        .prop_map(|names| names.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn by_name(book: &MarkBook) -> BTreeMap<String, Mark> {
    book.0.iter().map(|(holder, mark)| (holder.to_string(), *mark)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: longer::cases(64), failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn every_director_of_a_fleet_chooses_the_same(names in names()) {
        let mut other_order = names.clone();
        other_order.reverse();
        let history = MarkBook::default();
        let chosen = marks(&names, &history);
        prop_assert_eq!(&chosen, &marks(&other_order, &history));
        let different: BTreeSet<_> = chosen.0.values().collect();
        prop_assert_eq!(different.len(), names.len(), "no mark twice");
    }

    #[test]
    fn an_applied_group_keeps_its_mark_whatever_comes_and_goes(
        before in names(),
        after in names(),
    ) {
        let history = marks(&before, &MarkBook::default());
        let (old, new) = (by_name(&history), by_name(&marks(&after, &history)));
        for (name, mark) in &new {
            if let Some(kept) = old.get(name) {
                prop_assert_eq!(kept, mark, "{}", name);
            }
        }
    }
}

#[test]
fn a_disabled_group_keeps_its_mark() {
    let names: Vec<_> = ["web", "mail"].map(String::from).into();
    let all = config(&names, &BTreeSet::new());
    let resting = config(&names, &["web".to_owned()].into());
    let compile = |config: &Config| {
        compile(&config.groups, &config.director, Past::of(&MarkBook::default()))
            .expect("marks enough")
    };
    assert_eq!(compile(&all).marks, compile(&resting).marks);
    assert_eq!(compile(&resting).state.services.len(), 1);
}

/// Groups of one VIP each, by names and VIPs.
fn groups(named: &[(&str, &str)]) -> Config {
    let group = |(name, vip): &(&str, &str)| {
        format!(
            "[group.{name}]\nvips = [\"{vip}\"]\nports = [\"80\", \"443\"]\nreal = [\"10.1.0.1\"]\n"
        )
    };
    let text: String = named.iter().map(group).collect();
    load(Sources::text(text), &Options::default()).expect("a valid config")
}

#[test]
fn a_renamed_group_keeps_its_mark() {
    let before = groups(&[("web", "10.0.0.1"), ("mail", "10.0.0.2"), ("dns", "10.0.0.3")]);
    let first = compile(&before.groups, &before.director, Past::of(&MarkBook::default()));
    let first = first.expect("marks enough");
    let old = by_name(&first.marks);
    let marking = || first.state.marking.clone();
    let past = Past { marks: &first.marks, marking: &marking };
    let after = |named: &[(&str, &str)]| {
        let config = groups(named);
        by_name(&compile(&config.groups, &config.director, past).expect("marks enough").marks)
    };
    let renamed = after(&[("shop", "10.0.0.1"), ("mail", "10.0.0.2"), ("dns", "10.0.0.3")]);
    assert_eq!(renamed["shop"], old["web"]);
    assert_eq!((renamed["mail"], renamed["dns"]), (old["mail"], old["dns"]));
    let swapped = after(&[("post", "10.0.0.2"), ("shop", "10.0.0.1"), ("dns", "10.0.0.3")]);
    assert_eq!((swapped["shop"], swapped["post"]), (old["web"], old["mail"]));
    // Who is still there keeps its mark, whatever VIP it has now.
    let moved = after(&[("web", "10.0.0.9"), ("new", "10.0.0.1")]);
    assert_eq!(moved["web"], old["web"]);
    assert_ne!(moved["new"], old["web"]);
    // A new group elsewhere is not the one that went.
    assert_ne!(after(&[("new", "10.0.0.9")])["new"], old["web"]);
}

#[test]
fn a_group_by_address_holds_no_mark() {
    let text = "[group.web]\nvia=\"address\"\npersistence=\"ppc\"\nvips=[\"10.0.0.1\"]\n\
                ports=[80,443]\nreal=[\"10.1.0.1\"]\n\
                [group.off]\nvia=\"address\"\nenabled=false\nvips=[\"10.0.0.1\"]\nports=[80]\n\
                real=[\"10.1.0.1\"]\n";
    let config = load(Sources::text(text), &Options::default()).expect("a valid config");
    let none = MarkBook::default();
    let marks = "1-1".parse().expect("a range");
    let director = DirectorSettings { marks, ..DirectorSettings::default() };
    let compiled = compile(&config.groups, &director, Past::of(&none));
    let compiled = compiled.expect("no mark is wanted");
    assert_eq!((compiled.marks, compiled.state.marking.len()), (none, 0));
    assert_eq!(compiled.state.services.len(), 2);
}

#[test]
fn a_fixed_mark_takes_precedence_over_a_remembered_one() {
    let range: MarkRange = "100-101".parse().expect("a range");
    let text = "[group.a]\nvips=[\"10.0.0.1\"]\nports=[\"80/tcp\"]\nreal=[\"10.1.0.1\"]\n\
                [group.b]\nmark=100\nvips=[\"10.0.0.2\"]\nports=[\"80/tcp\"]\nreal=[\"10.1.0.1\"]\n";
    let config = load(Sources::text(text), &Options::default()).expect("a valid config");
    let remembered =
        |mark| MarkBook([("a".parse().expect("a holder"), Mark::new(mark).expect("not 0"))].into());
    let chosen = |history: &MarkBook| {
        let director = DirectorSettings { marks: range, ..DirectorSettings::default() };
        let compiled = compile(&config.groups, &director, Past::of(history)).expect("marks enough");
        by_name(&compiled.marks)["a"].get()
    };
    assert_eq!(chosen(&remembered(101)), 101);
    assert_eq!(chosen(&remembered(100)), 101, "100 is b's by its own word");
    assert_eq!(chosen(&remembered(7)), 101, "7 is outside of the range");
}

#[test]
fn a_range_that_is_too_small_is_an_error_and_a_full_one_is_not() {
    let range: MarkRange = "100-102".parse().expect("a range");
    let names: Vec<_> = ["a", "b", "c", "d"].map(String::from).into();
    let assign = |names: &[String]| {
        let groups = config(names, &BTreeSet::new()).groups;
        let director = DirectorSettings { marks: range, ..DirectorSettings::default() };
        compile(&groups, &director, Past::of(&MarkBook::default()))
    };
    assert!(assign(&names[..3]).is_ok());
    assert_eq!(assign(&names).expect_err("too few"), CompileError::MarksExhausted { range });
}

/// The marks that the first release chose: a later one must choose the same.
#[test]
fn the_choice_never_changes_between_releases() {
    let chosen = marks(&["web".to_owned(), "mail".to_owned()], &MarkBook::default());
    let shown: Vec<_> = chosen.0.iter().map(|(holder, mark)| format!("{holder} {mark}")).collect();
    assert_eq!(shown, ["mail 0x4c563dce", "web 0x4c56e53b"]);
}
