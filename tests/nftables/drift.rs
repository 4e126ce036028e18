//! What others do to our table is seen, and mended.

use fwmarkctl::backend::Frame;

use super::*;

/// Makes our table, lets nft(8) run commands on it, and reads it back.
fn after(commands: &str) -> MarkRuleset {
    let change = MarkSwitch { frame: FrameChange::Rebuild, ..creation(&sample()) };
    switch(&change).expect("rebuilt");
    assert_eq!(observe().value.frame, Frame::Intact);
    nft_file(commands);
    observe().value
}

fn damaged(commands: &str) -> Vec<String> {
    match after(commands).frame {
        Frame::Damaged(sentences) => sentences,
        other => panic!("{commands}: {other:?}"),
    }
}

fn rules_differ(commands: &str) -> Vec<String> {
    match after(commands).frame {
        Frame::RulesDiffer(sentences) => sentences,
        other => panic!("{commands}: {other:?}"),
    }
}

const TABLE: &str = "inet fwmarkctl";

#[test]
fn foreign_and_missing_rules_are_seen_and_written_again() {
    in_namespace(|| {
        let repair = || {
            let change = MarkSwitch {
                frame: FrameChange::RewriteRules,
                record: Some(record(3)),
                ..MarkSwitch::default()
            };
            switch(&change).expect("rewritten");
            let found = observe().value;
            assert_eq!(found.frame, Frame::Intact);
            assert_eq!((found.entries, found.ledger.services), sample());
            assert_eq!(found.ledger.record, Some(record(3)));
        };
        let found = rules_differ(&format!("insert rule {TABLE} prerouting tcp dport 22 accept"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("rule 1 of the chain prerouting (handle "), "{found:?}");
        repair();

        let found = rules_differ(&format!("flush chain {TABLE} prerouting"));
        assert_eq!(found, ["the chain prerouting has no rules"]);
        repair();

        let found = rules_differ(&format!(
            "flush chain {TABLE} prerouting
             add rule {TABLE} prerouting meta mark set ip daddr . meta l4proto map @host4 accept
             add rule {TABLE} prerouting meta mark set ip daddr . meta l4proto map @host4"
        ));
        assert_eq!(found.len(), 7, "{found:?}");
        assert!(found[0].contains("rule 2 ") && found[0].contains("which looks up host4"));
        assert!(found.contains(&"the rule that leads to marking6 is missing".to_owned()));
        repair();

        let found = rules_differ(&format!(
            "flush chain {TABLE} tcp6
             insert rule {TABLE} udp4 accept
             flush chain {TABLE} marking6
             add rule {TABLE} marking6 meta l4proto tcp goto tcp4"
        ));
        assert_eq!(found.len(), 7, "{found:?}");
        assert!(found[0].starts_with("rule 1 of the chain udp4 (handle "), "{found:?}");
        assert_eq!(found[1], "the chain tcp6 has no rules");
        assert!(found[2].starts_with("rule 1 of the chain marking6 (handle "), "{found:?}");
        assert_eq!(found[3], "the rule that looks up host6 is missing");
        repair();
    });
}

#[test]
fn rules_in_another_order_or_twice_are_seen() {
    in_namespace(|| {
        let host = "meta mark set ip daddr . meta l4proto map @host4 accept";
        let found = rules_differ(&format!("add rule {TABLE} prerouting {host}"));
        assert_eq!(found, ["the rule that looks up host4 stands 2 times"]);

        after("");
        let listing = nft(&["-a", "list", "chain", "inet", "fwmarkctl", "prerouting"]);
        let line = listing.lines().find(|line| line.contains("@host4")).expect("the rule");
        let handle = line.rsplit(' ').next().expect("a handle");
        nft(&["delete", "rule", "inet", "fwmarkctl", "prerouting", "handle", handle]);
        nft_file(&format!("add rule {TABLE} prerouting {host}"));
        let expected = "the rules of the chain prerouting are in another order".to_owned();
        assert_eq!(observe().value.frame, Frame::RulesDiffer(vec![expected]));
    });
}

#[test]
fn a_comment_on_our_rule_and_a_moved_counter_are_no_difference() {
    in_namespace(|| {
        let listing = || nft(&["list", "chain", "inet", "fwmarkctl", "prerouting"]);
        after("");
        let commented = listing().replace("@host4 accept", "@host4 accept comment \"fine\"");
        nft_file(&format!("flush chain {TABLE} prerouting\n{commented}"));
        assert!(listing().contains("\"fine\""));
        assert_eq!(observe().value.frame, Frame::Intact);
    });
}

#[test]
fn a_ledger_without_a_record_is_seen_and_written_again() {
    in_namespace(|| {
        for (command, sentence) in [
            ("flush chain inet fwmarkctl ledger", "the chain ledger has no commit record"),
            (
                "add rule inet fwmarkctl ledger counter",
                "the chain ledger has 2 rules instead of one",
            ),
            (
                "flush chain inet fwmarkctl ledger
                 add rule inet fwmarkctl ledger counter comment \"generation x\"",
                "the rule of the chain ledger is no commit record",
            ),
        ] {
            let found = after(command);
            assert_eq!(found.frame, Frame::RulesDiffer(vec![sentence.to_owned()]));
            assert_eq!(found.ledger.record, None);
            assert_eq!((found.entries, found.ledger.services), sample());
            let change = MarkSwitch {
                frame: FrameChange::RewriteRules,
                record: Some(record(3)),
                ..MarkSwitch::default()
            };
            switch(&change).expect("rewritten");
            let found = observe().value;
            assert_eq!((found.frame, found.ledger.record), (Frame::Intact, Some(record(3))));
        }
    });
}

#[test]
fn changed_entries_are_seen_as_entries() {
    in_namespace(|| {
        let found = after(&format!("delete element {TABLE} exact4 {{ 192.0.2.1 . tcp . 80 }}"));
        let mut wanted = sample().0;
        wanted.remove(&key("192.0.2.1", Protocol::Tcp, ports(80, 80)));
        assert_eq!((found.frame, found.entries), (Frame::Intact, wanted));

        let found = after(&format!(
            "add element {TABLE} host4 {{ 192.0.2.9 . udp comment \"Not a name\" : 0 }}
             add element {TABLE} range6_tcp {{ 2001:db8:9::/48 . 80 : 5 }}"
        ));
        let nameless = MarkEntry { mark: None, group: None };
        let udp = key("192.0.2.9", Protocol::Udp, PortRange::ANY);
        let net = key("2001:db8:9::/48", Protocol::Tcp, ports(80, 80));
        assert_eq!(found.frame, Frame::Intact);
        assert_eq!(found.entries.get(&udp), Some(&nameless));
        assert_eq!(found.entries.get(&net).and_then(|entry| entry.mark), Mark::new(5));
    });
}

/// They are left there by a switch that was interrupted.
#[test]
fn entries_of_the_shadow_maps_are_seen_apart_from_those_that_count() {
    in_namespace(|| {
        let found = after(&format!(
            "add element {TABLE} shadow4_sctp {{ 192.0.2.3 . 8000-8090 comment \"old\" : 7 }}
             add element {TABLE} shadow6_udp {{ 2001:db8::2 . 0-65535 : 8 }}"
        ));
        assert_eq!((found.frame, found.entries), (Frame::Intact, sample().0));
        let range = key("192.0.2.3", Protocol::Sctp, ports(8000, 8090));
        let host = key("2001:db8::2", Protocol::Udp, PortRange::ANY);
        let nameless = MarkEntry { mark: Mark::new(8), group: None };
        let shadow = Marking::from([(range, entry(7, "old")), (host, nameless)]);
        assert_eq!(found.shadow, shadow);
        switch(&Shadow::lift(&shadow)).expect("emptied");
        assert_eq!(observe().value.shadow, Marking::new());
        let odd =
            damaged(&format!("add element {TABLE} shadow4_tcp {{ 10.0.0.1-10.0.0.2 . 80 : 1 }}"));
        assert_eq!(odd, ["shadow4_tcp holds 10.0.0.1-10.0.0.2, which is not a prefix"]);
    });
}

#[test]
fn entries_that_are_none_of_ours_are_sentences() {
    in_namespace(|| {
        for (set, element, sentence) in [
            (
                "exact4",
                "192.0.2.1 . icmp . 80 : 1",
                "exact4 holds 192.0.2.1 with protocol 1, which IPVS does not schedule",
            ),
            (
                "range4_tcp",
                "10.0.0.1-10.0.0.2 . 80 : 1",
                "range4_tcp holds 10.0.0.1-10.0.0.2, which is not a prefix",
            ),
            (
                "range4_udp",
                "10.0.0.0/24 . 0-80 : 1",
                "range4_udp holds 10.0.0.0/24 with ports that do not exist: port 0 does not exist",
            ),
            (
                "range6_tcp",
                "2001:db8::5 . 80 : 1",
                "range6_tcp holds [2001:db8::5]:80/tcp, which belongs into exact6",
            ),
            ("services", "0 . ipv4", "services holds a service of mark 0"),
            ("services", "5 . 7", "services holds a service of mark 5 and the family 7"),
        ] {
            let found = damaged(&format!("add element {TABLE} {set} {{ {element} }}"));
            assert_eq!(found, [sentence]);
        }
        let found = damaged(&format!("add element {TABLE} exact4 {{ * : 5 }}"));
        assert_eq!(found, ["exact4 holds an entry without a key (a catch-all)"]);
    });
}

#[test]
fn a_hundred_odd_entries_are_not_a_hundred_sentences() {
    in_namespace(|| {
        let many: Vec<_> = (0..100).map(|host| format!("10.0.0.{host} . icmp : 1")).collect();
        let found = damaged(&format!("add element {TABLE} host4 {{ {} }}", many.join(",")));
        assert_eq!(found.len(), 6);
        assert_eq!(found[5], "95 more entries cannot be read");
    });
}

#[test]
fn foreign_objects_in_our_table_are_damage() {
    in_namespace(|| {
        for (command, sentence) in [
            ("add chain inet fwmarkctl theirs", "the chain theirs is not ours"),
            ("add set inet fwmarkctl theirs { type mark; }", "the set theirs is not ours"),
            ("add counter inet fwmarkctl theirs", "the object theirs is not ours"),
            (
                "add table inet fwmarkctl { flags dormant; }",
                "the table is dormant: its chains are not called",
            ),
        ] {
            assert_eq!(damaged(command), [sentence], "{command}");
        }
        // A rule with a set of its own is a foreign rule, and no more.
        let anonymous = "add rule inet fwmarkctl prerouting tcp dport { 22, 23 } accept";
        assert_eq!(rules_differ(anonymous).len(), 1);
    });
}

/// Our table as nft(8) lists it, with one text replaced by another.
fn altered(from: &str, to: &str) -> Vec<String> {
    let change = MarkSwitch { frame: FrameChange::Rebuild, ..creation(&sample()) };
    switch(&change).expect("rebuilt");
    // Not what the entries counted: nft takes that only of a map that says that they do.
    let listing = nft(&["list", "table", "inet", "fwmarkctl"]);
    let listing = listing.replace(" counter packets 0 bytes 0", "");
    assert!(listing.contains(from), "{from} is not in {listing}");
    nft_file(&format!("delete table {TABLE}\n{}", listing.replacen(from, to, 1)));
    match observe().value.frame {
        Frame::Damaged(sentences) => sentences,
        other => panic!("{from} → {to}: {other:?}"),
    }
}

#[test]
fn a_frame_of_another_shape_is_damage() {
    in_namespace(|| {
        for (from, to, sentence) in [
            (
                "priority mangle",
                "priority mangle + 1",
                "the chain prerouting has the priority -149 instead of -150",
            ),
            ("hook prerouting", "hook input", "the chain prerouting is not called before routing"),
            ("policy accept", "policy drop", "the policy of the chain prerouting is not accept"),
            (
                "type filter hook prerouting priority mangle; policy accept;",
                "",
                "the chain prerouting has no hook",
            ),
            (
                "chain ledger {",
                "chain ledger { type filter hook input priority 0;",
                "the chain ledger has a hook",
            ),
            (
                "map host4 {\n\t\ttype ipv4_addr . inet_proto : mark",
                "map host4 {\n\t\ttype ipv4_addr . inet_proto : mark; size 100;",
                "host4 holds at most 100 entries",
            ),
            (
                "map host4 {\n\t\ttype ipv4_addr . inet_proto : mark",
                "map host4 {\n\t\ttype ipv4_addr . inet_proto : mark; flags timeout;",
                "host4 has the flags 0x18 instead of 0x8",
            ),
            (
                "map host4 {\n\t\ttype ipv4_addr . inet_proto : mark\n\t\tcounter",
                "map host4 {\n\t\ttype ipv4_addr . inet_proto : mark",
                "the entries of host4 do not count packets",
            ),
            (
                "map shadow6_udp {",
                "map shadow6_udp {\n\t\tlimit rate 5/second;",
                "the entries of shadow6_udp limit or track packets",
            ),
            (
                "map shadow4_tcp {",
                "map shadow4_tcp { counter;",
                "the entries of shadow4_tcp count packets",
            ),
        ] {
            assert_eq!(altered(from, to), [sentence], "{from} → {to}");
        }
    });
}

#[test]
fn missing_maps_and_chains_are_damage_and_a_rebuild_mends_them() {
    in_namespace(|| {
        let found = damaged(&format!(
            "flush chain {TABLE} prerouting
             flush chain {TABLE} tcp4
             flush chain {TABLE} tcp6
             delete map {TABLE} range6_tcp
             delete map {TABLE} shadow4_tcp
             delete set {TABLE} services
             delete chain {TABLE} prerouting
             delete chain {TABLE} tcp4"
        ));
        assert_eq!(
            found,
            [
                "the chain prerouting is missing",
                "the chain tcp4 is missing",
                "range6_tcp is missing",
                "shadow4_tcp is missing",
                "services is missing",
                "the chain prerouting has no rules",
                "the chain tcp4 has no rules",
                "the chain tcp6 has no rules"
            ]
        );
        let change = MarkSwitch { frame: FrameChange::Rebuild, ..creation(&sample()) };
        switch(&change).expect("rebuilt");
        let found = observe().value;
        assert_eq!((found.frame, found.entries), (Frame::Intact, sample().0));
    });
}
