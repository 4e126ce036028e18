//! Whose address real servers see, and the chains that are there only while something
//! needs them.

use fwmarkctl::backend::Frame;
use fwmarkctl::plan::{ChainChange, SourceChange};
use fwmarkctl::state::{OptionalChains, Source, SourceEntry, SourceKey, Sources};

use super::*;

const ALL: OptionalChains = OptionalChains { defragment: true, output: true, postrouting: true };
const NONE: OptionalChains =
    OptionalChains { defragment: false, output: false, postrouting: false };

/// Both kinds in both families.
fn sources() -> Sources {
    let entry = |mark: u32, server: &str, snat: Option<&str>| {
        let key = SourceKey {
            mark: Mark::new(mark).expect("a mark"),
            server: server.parse().expect(server),
        };
        let source =
            snat.map_or(Source::Masquerade, |snat| Source::Address(snat.parse().expect(snat)));
        (key, SourceEntry { source, group: "web".parse().ok() })
    };
    Sources::from([
        entry(10, "192.0.2.11", None),
        entry(10, "2001:db8::11", None),
        entry(u32::MAX, "192.0.2.11", Some("192.0.2.5")),
        entry(0x4c56_0001, "2001:db8::12", Some("2001:db8::5")),
    ])
}

fn additions(sources: &Sources) -> Vec<SourceChange> {
    let change = |(key, entry): (&_, &SourceEntry)| SourceChange {
        key: *key,
        before: None,
        after: Some(entry.clone()),
    };
    sources.iter().map(change).collect()
}

/// The table with all chains and sources, made at once.
fn whole() -> MarkSwitch {
    MarkSwitch {
        frame: FrameChange::Rebuild,
        sources: additions(&sources()),
        chains: ChainChange { before: NONE, after: ALL },
        ..creation(&sample())
    }
}

const CHAINS: &str = r"
  chain defragment {
    type filter hook prerouting priority raw; policy accept;
    meta mark 1 meta mark 2 meta l4proto udp tproxy ip to :1
  }
  chain output {
    type route hook output priority mangle; policy accept;
    meta mark != 0 accept
    meta mark set ip daddr . meta l4proto . th dport map @exact4 accept
    meta mark set ip6 daddr . meta l4proto . th dport map @exact6 accept
    meta nfproto ipv6 goto marking6
    meta mark set ip daddr . meta l4proto map @host4 accept
    meta l4proto tcp goto tcp4
    meta l4proto udp goto udp4
    meta l4proto sctp goto sctp4
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark . ip daddr @masquerade4 masquerade
    meta mark . ip6 daddr @masquerade6 masquerade
    snat ip to meta mark . ip daddr map @source4
    snat ip6 to meta mark . ip6 daddr map @source6
  }
";

/// [`whole`] by hand, but for what [`sample`] holds.
fn by_hand() -> String {
    let element = "add element inet fwmarkctl";
    format!(
        "table inet fwmarkctl {{ {CHAINS} }}
         {element} masquerade4 {{ 10 . 192.0.2.11 comment \"web\" }}
         {element} masquerade6 {{ 10 . 2001:db8::11 comment \"web\" }}
         {element} source4 {{ 0xffffffff . 192.0.2.11 comment \"web\" : 192.0.2.5 }}
         {element} source6 {{ 0x4c560001 . 2001:db8::12 comment \"web\" : 2001:db8::5 }}"
    )
}

#[test]
fn sources_and_optional_chains_read_back_and_are_those_of_nft() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        nft_file(&by_hand());
        let theirs = nft(&["list", "ruleset"]);
        let found = observe().value;
        assert_eq!((&found.frame, found.chains), (&Frame::Intact, ALL));
        assert_eq!(found.sources, sources());
        switch(&whole()).expect("made again");
        let found = observe().value;
        assert_eq!((&found.frame, found.chains), (&Frame::Intact, ALL));
        assert_eq!((found.sources, found.entries), (sources(), sample().0));
        assert_eq!(sorted(&nft(&["list", "ruleset"])), sorted(&theirs));
    });
}

#[test]
fn chains_and_sources_come_and_go_in_one_batch_and_the_rest_stays() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let before = nft(&["-a", "list", "ruleset"]);
        let add = MarkSwitch {
            sources: additions(&sources()),
            chains: ChainChange { before: NONE, after: ALL },
            ..MarkSwitch::default()
        };
        switch(&add).expect("added");
        assert_eq!((observe().value.chains, observe().value.sources), (ALL, sources()));
        // Another source of the same server moves from one map to the other.
        let (key, entry) = sources().pop_first().expect("a source");
        let other =
            SourceEntry { source: Source::Address("192.0.2.6".parse().unwrap()), ..entry.clone() };
        let change = SourceChange { key, before: Some(entry.clone()), after: Some(other.clone()) };
        switch(&MarkSwitch { sources: vec![change], ..MarkSwitch::default() }).expect("changed");
        assert_eq!(observe().value.sources[&key], other);

        let held = observe().value.sources;
        let gone = |(key, entry): (SourceKey, SourceEntry)| SourceChange {
            key,
            before: Some(entry),
            after: None,
        };
        let remove = MarkSwitch {
            sources: held.into_iter().map(gone).collect(),
            chains: ChainChange { before: ALL, after: NONE },
            ..MarkSwitch::default()
        };
        switch(&remove).expect("removed");
        assert_eq!(nft(&["-a", "list", "ruleset"]), before);
    });
}

#[test]
fn what_others_do_to_the_optional_chains_is_seen_and_mended() {
    in_namespace(|| {
        let after = |commands: &str| {
            switch(&whole()).expect("made again");
            nft_file(commands);
            observe().value
        };
        let rewrite = MarkSwitch {
            frame: FrameChange::RewriteRules,
            chains: ChainChange { before: ALL, after: ALL },
            record: Some(record(3)),
            ..MarkSwitch::default()
        };
        for (command, sentence) in [
            ("flush chain inet fwmarkctl output", "the chain output has no rules"),
            (
                "flush chain inet fwmarkctl postrouting
                 add rule inet fwmarkctl postrouting meta mark . ip daddr @masquerade4 masquerade random",
                "rule 1 of the chain postrouting (handle ",
            ),
            (
                "add rule inet fwmarkctl postrouting snat ip to meta mark . ip daddr map @source4 persistent",
                "rule 5 of the chain postrouting (handle ",
            ),
            (
                "insert rule inet fwmarkctl output meta mark != 0 accept",
                "the rule that leaves alone what has a mark in the chain output stands 2 times",
            ),
        ] {
            let found = after(command);
            let Frame::RulesDiffer(found) = found.frame else { panic!("{command}: {found:?}") };
            assert!(found[0].starts_with(sentence), "{found:?}");
            switch(&rewrite).expect("rewritten");
            let found = observe().value;
            assert_eq!((found.frame, found.chains), (Frame::Intact, ALL));
            assert_eq!(found.sources, sources());
        }
        for (command, sentence) in [
            (
                "delete chain inet fwmarkctl output
                 add chain inet fwmarkctl output { type filter hook output priority mangle; }",
                "the chain output is not of the type route",
            ),
            (
                "delete chain inet fwmarkctl postrouting
                 add chain inet fwmarkctl postrouting { type nat hook input priority 100; }",
                "the chain postrouting is not called after routing",
            ),
            (
                "add element inet fwmarkctl source4 { 10 . 192.0.2.11 : 192.0.2.7 }",
                "source4 holds fwmark 10 192.0.2.11, which has masquerade",
            ),
        ] {
            let found = after(command);
            let Frame::Damaged(found) = found.frame else { panic!("{command}: {found:?}") };
            assert_eq!(found[0], sentence);
        }
        // One that is missing is no damage: a plan makes it.
        let found = after("delete chain inet fwmarkctl postrouting");
        assert_eq!(found.frame, Frame::Intact);
        assert_eq!(
            found.chains,
            OptionalChains { defragment: true, output: true, postrouting: false }
        );
    });
}

#[test]
fn what_the_kernel_refuses_of_sources_and_chains_is_named() {
    in_namespace(|| {
        switch(&whole()).expect("made");
        let object = |change: &MarkSwitch| match switch(change) {
            Err(NetfilterError::Refused { object, .. }) => object,
            other => panic!("{other:?}"),
        };
        let twice = additions(&sources());
        let again =
            |n: usize| MarkSwitch { sources: vec![twice[n].clone()], ..MarkSwitch::default() };
        assert_eq!(object(&again(0)), "fwmark 10 192.0.2.11 → masquerade");
        assert_eq!(object(&again(3)), "fwmark 0xffffffff 192.0.2.11 → snat 192.0.2.5");
        let chains = ChainChange { before: NONE, after: ALL };
        assert_eq!(object(&MarkSwitch { chains, ..MarkSwitch::default() }), "the chain defragment");
        nft(&["delete", "chain", "inet", "fwmarkctl", "postrouting"]);
        let chains =
            ChainChange { before: ALL, after: OptionalChains { postrouting: false, ..ALL } };
        let change = MarkSwitch { chains, ..MarkSwitch::default() };
        assert_eq!(object(&change), "the removal of the chain postrouting");
    });
}
