//! Our table and the one that nft(8) makes are the same to both.

use std::path::Path;

use fwmarkctl::backend::Frame;

use super::*;

/// The table as it would be written by hand, with an entry of each kind; [`sample`] is
/// the same.
const BY_HAND: &str = r#"
table inet fwmarkctl {
  map exact4 {
    type ipv4_addr . inet_proto . inet_service : mark
    counter
    elements = { 192.0.2.1 . tcp . 80 comment "web" : 10, 192.0.2.1 . tcp . 443 comment "web" : 10 }
  }
  map exact6 {
    type ipv6_addr . inet_proto . inet_service : mark
    counter
    elements = { 2001:db8::1 . tcp . 80 comment "web" : 10 }
  }
  map host4 {
    type ipv4_addr . inet_proto : mark
    counter
    elements = { 192.0.2.2 . udp comment "dns" : 11 }
  }
  map host6 {
    type ipv6_addr . inet_proto : mark
    counter
    elements = { 2001:db8::2 . udp comment "dns" : 11 }
  }
  map range4_tcp {
    type ipv4_addr . inet_service : mark
    flags interval
    counter
    elements = { 198.51.100.0/24 . 53 comment "net" : 12 }
  }
  map range4_udp {
    type ipv4_addr . inet_service : mark
    flags interval
    counter
    elements = { 203.0.113.0/28 . 0-65535 comment "all.of_it" : 13 }
  }
  map range4_sctp {
    type ipv4_addr . inet_service : mark
    flags interval
    counter
    elements = { 192.0.2.3 . 8000-8100 comment "range" : 0x4c560001 }
  }
  map range6_tcp {
    type ipv6_addr . inet_service : mark
    flags interval
    counter
    elements = { 2001:db8:1::/48 . 1-1000 comment "six" : 0xffffffff }
  }
  map range6_udp {
    type ipv6_addr . inet_service : mark
    flags interval
    counter
  }
  map range6_sctp {
    type ipv6_addr . inet_service : mark
    flags interval
    counter
  }
  map shadow4_tcp {
    type ipv4_addr . inet_service : mark
    flags interval
  }
  map shadow4_udp {
    type ipv4_addr . inet_service : mark
    flags interval
  }
  map shadow4_sctp {
    type ipv4_addr . inet_service : mark
    flags interval
  }
  map shadow6_tcp {
    type ipv6_addr . inet_service : mark
    flags interval
  }
  map shadow6_udp {
    type ipv6_addr . inet_service : mark
    flags interval
  }
  map shadow6_sctp {
    type ipv6_addr . inet_service : mark
    flags interval
  }
  set services {
    type mark . nf_proto
    elements = {
      10 . ipv4 comment "web 0123456789abcdef", 10 . ipv6 comment "web 0123456789abcdee",
      11 . ipv4 comment "dns 0000000000000001", 0xffffffff . ipv6 comment "six",
    }
  }
  set services4 {
    type ipv4_addr . inet_proto . inet_service
    elements = {
      192.0.2.9 . tcp . 80 comment "plain 0000000000000002",
      192.0.2.9 . udp . 0 comment "plain 0000000000000003",
    }
  }
  set services6 {
    type ipv6_addr . inet_proto . inet_service
    elements = { 2001:db8::9 . tcp . 80 comment "plain" }
  }
  set masquerade4 {
    type mark . ipv4_addr
  }
  set masquerade6 {
    type mark . ipv6_addr
  }
  map source4 {
    type mark . ipv4_addr : ipv4_addr
  }
  map source6 {
    type mark . ipv6_addr : ipv6_addr
  }
  chain ledger {
    counter comment "generation 1 tx 0123456789abcdef state 00112233445566ff boot 0f6d8a51-25b6-4c5f-8f0e-1df3a0a3a6d1"
  }
  chain tcp4 {
    meta mark set ip daddr . th dport map @range4_tcp accept
    meta mark set ip daddr . th dport map @shadow4_tcp accept
  }
  chain udp4 {
    meta mark set ip daddr . th dport map @range4_udp accept
    meta mark set ip daddr . th dport map @shadow4_udp accept
  }
  chain sctp4 {
    meta mark set ip daddr . th dport map @range4_sctp accept
    meta mark set ip daddr . th dport map @shadow4_sctp accept
  }
  chain tcp6 {
    meta mark set ip6 daddr . th dport map @range6_tcp accept
    meta mark set ip6 daddr . th dport map @shadow6_tcp accept
  }
  chain udp6 {
    meta mark set ip6 daddr . th dport map @range6_udp accept
    meta mark set ip6 daddr . th dport map @shadow6_udp accept
  }
  chain sctp6 {
    meta mark set ip6 daddr . th dport map @range6_sctp accept
    meta mark set ip6 daddr . th dport map @shadow6_sctp accept
  }
  chain marking6 {
    meta mark set ip6 daddr . meta l4proto map @host6 accept
    meta l4proto tcp goto tcp6
    meta l4proto udp goto udp6
    meta l4proto sctp goto sctp6
  }
  chain prerouting {
    type filter hook prerouting priority mangle; policy accept;
    meta mark set ip daddr . meta l4proto . th dport map @exact4 accept
    meta mark set ip6 daddr . meta l4proto . th dport map @exact6 accept
    meta nfproto ipv6 goto marking6
    meta mark set ip daddr . meta l4proto map @host4 accept
    meta l4proto tcp goto tcp4
    meta l4proto udp goto udp4
    meta l4proto sctp goto sctp4
  }
}
"#;

#[test]
fn a_table_that_nft_made_is_intact_and_has_the_same_entries() {
    in_namespace(|| {
        nft_file(BY_HAND);
        let found = observe().value;
        assert_eq!(found.frame, Frame::Intact);
        let wanted = sample();
        assert_eq!(found.entries, wanted.0);
        assert_eq!(found.ledger.services, wanted.1);
        assert_eq!(found.ledger.record, Some(record(1)));
    });
}

#[test]
fn a_table_that_nft_made_is_changed_by_element_like_ours() {
    in_namespace(|| {
        nft_file(BY_HAND);
        let nothing = (Marking::new(), Services::new());
        switch(&between(&sample(), &nothing)).expect("emptied");
        assert!(observe().value.entries.is_empty());
        switch(&between(&nothing, &sample())).expect("filled");
        assert_eq!(observe().value.entries, sample().0);
    });
}

#[test]
fn nft_lists_our_table_like_its_own() {
    in_namespace(|| {
        nft_file(BY_HAND);
        let theirs = nft(&["list", "ruleset"]);
        nft(&["flush", "ruleset"]);
        switch(&creation(&sample())).expect("created");
        let ours = nft(&["list", "ruleset"]);
        assert_eq!(sorted(&ours), sorted(&theirs));
        for line in [
            r#"192.0.2.1 . tcp . 80 counter packets 0 bytes 0 comment "web" : 0x0000000a"#,
            r#"192.0.2.3 . 8000-8100 counter packets 0 bytes 0 comment "range" : 0x4c560001"#,
            r#"203.0.113.0/28 . 0-65535 counter packets 0 bytes 0 comment "all.of_it" : 0x0000000d"#,
            r#"2001:db8::2 . udp counter packets 0 bytes 0 comment "dns" : 0x0000000b"#,
            r#"0x0000000a . ipv4 comment "web 0123456789abcdef""#,
            r#"comment "generation 1 tx 0123456789abcdef state 00112233445566ff boot"#,
            "type filter hook prerouting priority mangle; policy accept;",
            "meta mark set ip6 daddr . th dport map @range6_tcp accept",
            "meta l4proto sctp goto sctp6",
        ] {
            assert!(ours.contains(line), "{line} is not in\n{ours}");
        }
        // And nft takes what it printed.
        nft(&["flush", "ruleset"]);
        nft_file(&ours);
        assert_eq!(observe().value.frame, Frame::Intact);
        assert_eq!(observe().value.entries, sample().0);
    });
}

#[test]
fn the_json_listing_has_the_parts_of_our_keys() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        let listing: serde_json::Value =
            serde_json::from_str(&nft(&["-j", "list", "ruleset"])).expect("JSON");
        let objects = listing["nftables"].as_array().expect("objects");
        let of = |name: &str| {
            let found = objects.iter().find(|object| object["map"]["name"] == name);
            found.unwrap_or_else(|| panic!("no {name} in {listing}"))["map"].clone()
        };
        assert_eq!(
            of("exact6")["elem"].to_string(),
            r#"[[{"elem":{"comment":"web","counter":{"bytes":0,"packets":0},"val":{"concat":["2001:db8::1","tcp",80]}}},10]]"#
        );
        assert_eq!(of("range6_tcp")["flags"].to_string(), r#"["interval"]"#);
        let range = of("range6_tcp")["elem"][0][0]["elem"]["val"].to_string();
        assert_eq!(
            range,
            r#"{"concat":[{"prefix":{"addr":"2001:db8:1::","len":48}},{"range":[1,1000]}]}"#
        );
    });
}

#[test]
fn our_expressions_are_those_of_each_nft() {
    // Handles differ, and nft 1.0.6 has an expression that swaps nothing.
    fn expressions(program: &Path) -> Vec<String> {
        let mut list = Command::new(program);
        let output = list.args(["--debug=netlink", "list", "table", "inet", "fwmarkctl"]).output();
        let listing = String::from_utf8(output.expect("it runs").stdout).expect("text");
        let mut lines: Vec<String> = listing.lines().map(str::to_owned).collect();
        lines.retain(|line| line.starts_with("  [") && !line.contains("byteorder"));
        lines
    }
    in_namespace(move || {
        for program in loading::programs() {
            loading::load(&program, BY_HAND).expect("loaded");
            let theirs = expressions(&program);
            assert!(theirs.len() >= 136, "{theirs:?}");
            nft(&["flush", "ruleset"]);
            switch(&creation(&sample())).expect("created");
            assert_eq!(expressions(&program), theirs, "{}", program.display());
            nft(&["flush", "ruleset"]);
        }
    });
}

#[test]
fn another_table_stays_as_it_is_with_its_counters() {
    in_namespace(|| {
        nft_file(
            r#"
            table inet somebody {
              counter hits { packets 7 bytes 700; }
              map exact4 {
                type ipv4_addr . inet_proto . inet_service : mark
                elements = { 192.0.2.1 . tcp . 80 comment "web" : 77 }
              }
              chain prerouting {
                type filter hook prerouting priority mangle - 1
                counter packets 3 bytes 300 meta mark set 0x5
              }
            }
            table ip fwmarkctl {
              set services {
                type mark
                elements = { 5 }
              }
              chain ledger { accept; }
            }
            "#,
        );
        let listing = || {
            ["inet somebody", "ip fwmarkctl"].map(|table| {
                let (family, name) = table.split_once(' ').expect("two words");
                nft(&["-a", "list", "table", family, name])
            })
        };
        let before = listing();
        assert_eq!(observe().value, MarkRuleset::default());
        let nothing = (Marking::new(), Services::new());
        switch(&creation(&sample())).expect("created");
        assert_eq!(observe().value.frame, Frame::Intact);
        switch(&between(&sample(), &nothing)).expect("emptied");
        for frame in [FrameChange::RewriteRules, FrameChange::Rebuild, FrameChange::Remove] {
            switch(&MarkSwitch { frame, ..MarkSwitch::default() }).expect("switched");
        }
        assert_eq!(listing(), before);
    });
}
