//! What the kernel refuses is named, and leaves nothing changed.

use fwmarkctl::backend::{Frame, Generation};

use super::*;

/// The words of a refusal, after which everything is as it was.
fn words(change: &MarkSwitch) -> (String, String) {
    let everything = || (observe(), sorted(&nft(&["-a", "list", "ruleset"])));
    let before = everything();
    let result = switch(change);
    assert_eq!(everything(), before, "a refusal changed something");
    match result {
        Err(NetfilterError::Refused { object, reason }) => (object, reason),
        other => panic!("{other:?}"),
    }
}

fn addition(key: MarkKey, entry: MarkEntry) -> EntryChange {
    EntryChange { key, before: None, after: Some(entry) }
}

#[test]
fn a_stale_generation_changes_nothing() {
    in_namespace(|| {
        let at = observe().generation;
        nft_file("add table inet somebody");
        let before = nft(&["-a", "list", "ruleset"]);
        let result = Nftables::new().switch(&creation(&sample()), at);
        assert!(matches!(result, Err(NetfilterError::StaleGeneration)), "{result:?}");
        assert_eq!(nft(&["-a", "list", "ruleset"]), before);
    });
}

#[test]
fn of_two_switches_from_one_generation_the_second_is_stale() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let seen = observe();
        let mut after = sample();
        after.0.remove(&key("192.0.2.1", Protocol::Tcp, ports(80, 80)));
        let change = between(&sample(), &after);
        Nftables::new().switch(&change, seen.generation).expect("the first");
        let once = observe();
        assert_eq!(once.value.entries, after.0);
        let result = Nftables::new().switch(&change, seen.generation);
        assert!(matches!(result, Err(NetfilterError::StaleGeneration)), "{result:?}");
        assert_eq!(observe(), once);
    });
}

#[test]
fn generation_zero_is_no_licence() {
    in_namespace(|| {
        let result = Nftables::new().switch(&creation(&sample()), Generation(0));
        assert!(matches!(result, Err(NetfilterError::StaleGeneration)), "{result:?}");
        assert_eq!(nft(&["list", "ruleset"]), "");
    });
}

#[test]
fn a_duplicate_names_itself_among_thousands() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let mut change = MarkSwitch::default();
        for number in 0..5000_u16 {
            let address = format!("10.0.{}.{}", number / 250, number % 250);
            let free = key(&address, Protocol::Tcp, ports(80, 80));
            change.entries.push(addition(free, entry(1, "web")));
        }
        let taken = key("192.0.2.1", Protocol::Tcp, ports(443, 443));
        change.entries.insert(4321, addition(taken, entry(77, "other")));
        let (object, reason) = words(&change);
        assert_eq!(object, "192.0.2.1:443/tcp → mark 77");
        assert!(reason.starts_with("it is there already"), "{reason}");
    });
}

#[test]
fn overlapping_ranges_and_missing_entries_name_themselves() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let inner = key("198.51.100.0/25", Protocol::Tcp, ports(53, 53));
        let change = MarkSwitch {
            entries: vec![addition(inner, entry(5, "other"))],
            ..MarkSwitch::default()
        };
        let (object, reason) = words(&change);
        assert_eq!(object, "198.51.100.0/25:53/tcp → mark 5");
        assert!(reason.contains("overlap"), "{reason}");

        let absent = key("2001:db8::99", Protocol::Udp, PortRange::ANY);
        let removal = EntryChange { key: absent, before: Some(entry(5, "web")), after: None };
        let (object, reason) =
            words(&MarkSwitch { entries: vec![removal], ..MarkSwitch::default() });
        assert_eq!(object, "the removal of [2001:db8::99]:any/udp");
        assert!(reason.contains("not there"), "{reason}");

        let (service, ledger) = sample().1.pop_first().expect("a service");
        let again = LedgerChange { key: service, before: None, after: Some(ledger) };
        let (object, _) = words(&MarkSwitch { ledger: vec![again], ..MarkSwitch::default() });
        assert_eq!(object, "the ledger's entry of fwmark 10 ipv4");
        let service = "tcp [2001:db8::99]:80".parse().expect("a service");
        let before = Some(LedgerEntry::from_comment("plain"));
        let absent = LedgerChange { key: service, before, after: None };
        let (object, _) = words(&MarkSwitch { ledger: vec![absent], ..MarkSwitch::default() });
        assert_eq!(object, "the removal of the ledger's entry of tcp [2001:db8::99]:80");
    });
}

#[test]
fn objects_that_are_there_already_or_missing_name_themselves() {
    in_namespace(|| {
        let removal = MarkSwitch { frame: FrameChange::Remove, ..MarkSwitch::default() };
        assert_eq!(words(&removal).0, "the removal of the table inet fwmarkctl");
        let rewrite = MarkSwitch { frame: FrameChange::RewriteRules, ..MarkSwitch::default() };
        assert_eq!(words(&rewrite).0, "the removal of the rules of prerouting");
        switch(&creation(&sample())).expect("created");
        assert_eq!(words(&creation(&sample())).0, "the table inet fwmarkctl");
    });
}

#[test]
fn what_the_ledger_has_no_place_for_is_refused_before_anything_is_sent() {
    in_namespace(|| {
        let long = Record { boot: "x".repeat(100), ..record(1) };
        let change = MarkSwitch { record: Some(long), ..creation(&sample()) };
        assert_eq!(words(&change).0, "the commit record");
    });
}

#[test]
fn thousands_of_refusals_are_still_a_refusal() {
    in_namespace(|| {
        let many: Marking = (0..40_000_u32)
            .map(|number| {
                let address = std::net::Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number));
                (key(&address.to_string(), Protocol::Tcp, ports(80, 80)), entry(number + 1, "web"))
            })
            .collect();
        let all = (many, Services::new());
        switch(&creation(&all)).expect("created");
        let nothing = (Marking::new(), Services::new());
        let before = observe();
        match switch(&MarkSwitch { record: None, ..between(&nothing, &all) }) {
            Err(NetfilterError::Refused { object, .. }) => {
                assert_eq!(object, "[2001:db8::]:80/tcp → mark 1");
            }
            other => panic!("{other:?}"),
        }
        assert!(observe() == before, "a refusal changed something");
    });
}

#[test]
fn without_privilege_it_says_so() {
    in_namespace(|| {
        let result = std::thread::spawn(|| {
            use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            set_capabilities(None, none).expect("capabilities can be dropped");
            let switched = Nftables::new().switch(&creation(&sample()), Generation(1));
            (Nftables::new().observe(), switched)
        })
        .join()
        .expect("no panic");
        assert!(matches!(result.0, Err(NetfilterError::Privilege)), "{result:?}");
        assert!(matches!(result.1, Err(NetfilterError::Privilege)), "{result:?}");
        assert_eq!(nft(&["list", "ruleset"]), "");
    });
}

#[test]
fn a_table_of_another_process_is_damage_and_its_refusal_no_lack_of_privilege() {
    in_namespace(|| {
        let mut process =
            Command::new("nft").arg("-i").stdin(Stdio::piped()).spawn().expect("nft starts");
        let pipe = process.stdin.as_mut().expect("a pipe");
        pipe.write_all(b"add table inet fwmarkctl { flags owner; }\n").expect("nft reads");
        let mut found = Frame::Absent;
        for _ in 0..100 {
            found = observe().value.frame;
            if found != Frame::Absent {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let Frame::Damaged(sentences) = found else { panic!("{found:?}") };
        assert_eq!(sentences[0], "the table belongs to another process");
        let rebuild = MarkSwitch { frame: FrameChange::Rebuild, ..creation(&sample()) };
        let result = switch(&rebuild);
        drop(process.stdin.take());
        process.wait().expect("nft ends");
        assert!(matches!(&result, Err(NetfilterError::Refused { .. })), "{result:?}");
    });
}
