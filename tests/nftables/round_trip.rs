//! What is written reads back.

use fwmarkctl::backend::Frame;
use fwmarkctl::state::Ledger;
use proptest::collection::btree_map;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

#[test]
fn a_new_table_reads_back_intact_with_its_entries_and_ledger() {
    in_namespace(|| {
        assert_eq!(observe().value, MarkRuleset::default());
        let wanted = sample();
        switch(&creation(&wanted)).expect("created");
        let found = observe().value;
        assert_eq!(found.frame, Frame::Intact);
        assert_eq!(found.entries, wanted.0);
        assert_eq!(found.ledger.services, wanted.1);
        assert_eq!(found.ledger.record, Some(record(1)));
    });
}

#[test]
fn a_table_without_entries_reads_back_as_such() {
    in_namespace(|| {
        let record = Some(record(1));
        let change = MarkSwitch { frame: FrameChange::Create, record, ..MarkSwitch::default() };
        switch(&change).expect("created");
        let ledger = Ledger { record: change.record, ..Ledger::default() };
        let wanted = MarkRuleset { frame: Frame::Intact, ledger, ..MarkRuleset::default() };
        assert_eq!(observe().value, wanted);
    });
}

#[test]
fn a_change_of_mark_or_comment_and_the_record_is_one_batch_of_elements() {
    in_namespace(|| {
        let before = sample();
        switch(&creation(&before)).expect("created");
        let handles = |text: String| -> Vec<String> {
            let objects = ["table", "map", "set", "chain", "\t\tmeta"];
            let of_frame = |line: &&str| {
                objects
                    .iter()
                    .any(|object| line.trim_start_matches('\t').starts_with(object.trim()))
            };
            text.lines().filter(of_frame).map(str::to_owned).collect()
        };
        let frame = handles(nft(&["-a", "list", "table", "inet", "fwmarkctl"]));
        assert!(frame.len() > 14, "{frame:?}");

        let mut after = before.clone();
        after.0.insert(key("192.0.2.1", Protocol::Tcp, ports(80, 80)), entry(99, "web"));
        after.0.insert(key("198.51.100.0/24", Protocol::Tcp, ports(53, 53)), entry(12, "renamed"));
        after.0.remove(&key("2001:db8::2", Protocol::Udp, PortRange::ANY));
        let (service, _) = after.1.pop_first().expect("a service");
        after.1.insert(service, LedgerEntry::from_comment("web ffffffffffffffff"));
        switch(&between(&before, &after)).expect("switched");

        let found = observe().value;
        assert_eq!((found.entries, found.ledger.services), after);
        assert_eq!(found.ledger.record, Some(record(2)));
        assert_eq!(found.frame, Frame::Intact);
        assert_eq!(frame, handles(nft(&["-a", "list", "table", "inet", "fwmarkctl"])));
    });
}

#[test]
fn a_switch_without_a_record_leaves_the_one_that_is_there() {
    in_namespace(|| {
        let before = sample();
        switch(&creation(&before)).expect("created");
        let nothing = (Marking::new(), Services::new());
        switch(&MarkSwitch { record: None, ..between(&before, &nothing) }).expect("emptied");
        let found = observe().value;
        assert_eq!(found.frame, Frame::Intact);
        assert!(found.entries.is_empty() && found.ledger.services.is_empty());
        assert_eq!(found.ledger.record, Some(record(1)));
    });
}

#[test]
fn removal_leaves_nothing() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let change = MarkSwitch { frame: FrameChange::Remove, ..MarkSwitch::default() };
        switch(&change).expect("removed");
        assert_eq!(observe().value, MarkRuleset::default());
        assert_eq!(nft(&["list", "ruleset"]), "");
    });
}

#[test]
fn a_rebuild_works_on_something_and_on_nothing() {
    in_namespace(|| {
        let wanted = sample();
        let rebuild = MarkSwitch { frame: FrameChange::Rebuild, ..creation(&wanted) };
        for _ in 0..2 {
            switch(&rebuild).expect("rebuilt");
            let found = observe().value;
            assert_eq!((&found.frame, found.entries), (&Frame::Intact, wanted.0.clone()));
        }
    });
}

#[test]
fn fifty_thousand_entries_are_one_transaction() {
    in_namespace(|| {
        let marking: Marking = (0..50_000_u32)
            .map(|number| {
                let [_, a, b, c] = number.to_be_bytes();
                let port = u16::try_from(1 + number % 1000).expect("small");
                let address = format!("10.{a}.{b}.{c}");
                (key(&address, Protocol::Tcp, ports(port, port)), entry(number + 1, "many"))
            })
            .collect();
        let wanted = (marking, Services::new());
        let before = observe().generation;
        let change = creation(&wanted);
        switch(&change).expect("created");
        let found = observe();
        assert_eq!(found.generation.0, before.0 + 1);
        assert_eq!(found.value.frame, Frame::Intact);
        assert!(found.value.entries == wanted.0, "{} entries", found.value.entries.len());
    });
}

/// An entry of any kind; no two overlap that are not equal, because each has its own
/// prefix of 24 (or 64) bits and port ranges that do not meet.
fn any_key() -> impl Strategy<Value = MarkKey> {
    let host_ports = prop_oneof![
        (1_u16..=u16::MAX).prop_map(|port| ports(port, port)),
        Just(PortRange::ANY),
        (0_u16..60).prop_map(|block| ports(block * 1000 + 1, block * 1000 + 900)),
    ];
    let net_ports = prop_oneof![
        (0_u16..60).prop_map(|block| ports(block * 1000 + 950, block * 1000 + 950)),
        (0_u16..60).prop_map(|block| ports(block * 1000 + 1, block * 1000 + 900)),
    ];
    let whole = Just(PortRange::ANY);
    let place =
        prop_oneof![(Just(0_u8), host_ports), (Just(1_u8), net_ports), (Just(2_u8), whole),];
    (any::<bool>(), 0_u8..30, 0_u8..3, place).prop_map(|(six, net, protocol, (kind, ports))| {
        let destination = match (six, kind) {
            (false, 0) => format!("10.0.{net}.7"),
            (false, 1) => format!("10.1.{net}.0/24"),
            (false, _) => format!("10.2.{net}.64/26"),
            (true, 0) => format!("2001:db8:0:{net:x}::7"),
            (true, 1) => format!("2001:db8:1:{net:x}::/64"),
            (true, _) => format!("2001:db8:2:{net:x}::/65"),
        };
        key(&destination, Protocol::ALL[usize::from(protocol)], ports)
    })
}

fn any_state() -> impl Strategy<Value = (Marking, Services)> {
    let group = prop_oneof![Just("web"), Just("a-b_c.d"), Just("0"), Just("NOT A NAME")];
    let mark = prop_oneof![1_u32..50, any::<u32>()];
    let marking = btree_map(
        any_key(),
        (mark, group.clone()).prop_map(|(mark, group)| entry(mark, group)),
        0..300,
    );
    let by_mark = (1_u32..200, any::<bool>()).prop_map(|(mark, six)| ServiceKey::Mark {
        mark: Mark::new(mark).expect("not 0"),
        family: Family::BOTH[usize::from(six)],
    });
    let by_address =
        (0_u8..50, any::<bool>(), 0_u16..3, 0_usize..3).prop_map(|(host, six, port, protocol)| {
            let text = if six { format!("2001:db8::{host:x}") } else { format!("192.0.2.{host}") };
            ServiceKey::Address {
                address: text.parse().expect("an address"),
                protocol: Protocol::ALL[protocol],
                port,
            }
        });
    let service = prop_oneof![by_mark, by_address];
    let ledger = (group, any::<u64>())
        .prop_map(|(group, number)| LedgerEntry::from_comment(&format!("{group} {number:016x}")));
    (marking, btree_map(service, ledger, 0..100))
}

#[test]
fn any_state_and_any_way_to_another_read_back() {
    in_namespace(|| {
        let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
        let result = runner.run(&(any_state(), any_state(), any_state()), |states| {
            let (first, second, third) = states;
            let create = MarkSwitch { frame: FrameChange::Rebuild, ..creation(&first) };
            let rules = MarkSwitch { frame: FrameChange::RewriteRules, ..between(&second, &third) };
            for (change, wanted) in
                [(create, &first), (between(&first, &second), &second), (rules, &third)]
            {
                switch(&change).map_err(|error| TestCaseError::fail(error.to_string()))?;
                let found = observe().value;
                prop_assert_eq!(found.frame, Frame::Intact);
                prop_assert_eq!(&found.entries, &wanted.0);
                prop_assert_eq!(&found.ledger.services, &wanted.1);
                prop_assert_eq!(found.ledger.record, change.record);
            }
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    });
}

#[test]
fn a_reader_among_writers_sees_one_state_or_the_other() {
    in_namespace(|| {
        let state = |mark: u32| -> (Marking, Services) {
            let entries = (0..2000_u16).map(|number| {
                let address = format!("10.{mark}.{}.{}", number / 250, number % 250);
                (key(&address, Protocol::Tcp, ports(80, 80)), entry(mark, "web"))
            });
            (entries.collect(), Services::new())
        };
        let (one, other) = (state(1), state(2));
        switch(&creation(&one)).expect("created");
        let (there, back) = (between(&one, &other), between(&other, &one));
        // A thread has the namespace of the thread that starts it.
        let writer = std::thread::spawn(move || {
            for _ in 0..40 {
                for change in [&there, &back] {
                    switch(change).expect("the only writer");
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
        });
        let mut seen = [0, 0];
        while !writer.is_finished() {
            // A reader may give up, but never tell what was not.
            let Ok(found) = Nftables::new().observe() else { continue };
            let which = [&one, &other].iter().position(|state| state.0 == found.value.entries);
            seen[which.expect("one of the two states")] += 1;
            assert_eq!(found.value.frame, Frame::Intact);
        }
        writer.join().expect("the writer ends well");
        assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    });
}
