//! Rules as nft and iptables-nft write them.

use super::{WEB, codes, found, mend, nft, on_a_director, run};

/// Each ruleset, and what is found in it. All that stops is gone after the remedies.
fn each(cases: &[(&str, &[&str])]) {
    for (ruleset, expected) in cases {
        run("nft flush ruleset");
        nft(ruleset);
        let report = found(WEB);
        assert_eq!(codes(&report), *expected, "{ruleset}\n{:#?}", report.findings);
        if !expected.is_empty() {
            let left = mend(WEB);
            assert!(codes(&left).is_empty(), "{ruleset}\n{:#?}", left.findings);
        }
    }
}

fn input(rules: &str, policy: &str) -> String {
    format!(
        "table inet firewall {{
            set admins {{ type ipv4_addr; flags interval; elements = {{ 10.0.0.0/8 }} }}
            set open {{ type inet_service; flags interval; elements = {{ 80-90, 443 }} }}
            set pairs {{ type ipv4_addr . inet_service; flags interval;
                         elements = {{ 172.18.100.0/24 . 80-443 }} }}
            set seen {{ type ipv4_addr; flags dynamic, timeout; timeout 1m; }}
            chain user {{ tcp dport 80 accept; }}
            chain input {{
                type filter hook input priority filter; policy {policy};
                {rules}
            }}
        }}"
    )
}

#[test]
fn what_no_rule_accepts_is_dropped_by_the_policy() {
    on_a_director(|| {
        let drops = |rules: &str| input(rules, "drop");
        each(&[
            (&drops(""), &["D0201"]),
            (
                &drops("iif lo accept; ct state established,related accept; tcp dport 22 accept"),
                &["D0201"],
            ),
            (
                &drops(
                    "ct state vmap { established : accept, invalid : drop }; tcp dport 22 accept",
                ),
                &["D0201", "D0202"],
            ),
            (&drops("tcp dport { 80, 443 } accept"), &[]),
            (&drops("tcp dport @open accept"), &[]),
            (&drops("tcp dport { 22, 81-442 } accept"), &["D0201"]),
            (&drops("ip daddr . tcp dport @pairs accept; meta nfproto ipv6 accept"), &[]),
            (&drops("tcp dport != 22 accept"), &[]),
            (&drops("tcp dport 79-444 accept"), &[]),
            (&drops("meta mark 10 accept"), &[]),
            (&drops("meta mark & 0xff == 10 accept"), &[]),
            (&drops("iifname \"front\" accept"), &[]),
            (&drops("iifname \"fro*\" accept"), &[]),
            (&drops("iifname \"back\" accept"), &["D0201"]),
            (&drops("fib daddr type local accept"), &[]),
            (&drops("ip daddr 172.18.0.0/16 accept; ip6 daddr 2001:db8::/32 accept"), &[]),
            (&drops("jump user; tcp dport 443 accept"), &[]),
            (&drops("goto user"), &["D0201"]),
            (&drops("tcp dport vmap { 80 : goto user, 443 : accept }"), &[]),
            // Only for some clients.
            (&drops("ip saddr @admins accept"), &["D0201", "D0201?"]),
        ]);
    });
}

#[test]
fn what_a_rule_drops_is_named_by_its_handle() {
    on_a_director(|| {
        let accepts = |rules: &str| input(rules, "accept");
        each(&[
            (&accepts(""), &[]),
            (&accepts("tcp dport 80 reject with tcp reset"), &["D0201"]),
            (&accepts("ct state invalid drop"), &["D0202"]),
            (
                &accepts("ct state vmap { established : accept, invalid : drop, new : accept }"),
                &["D0202"],
            ),
            (&accepts("tcp flags & (fin|syn|rst|ack) != syn ct state new drop"), &["D0202"]),
            // These keep some clients out, or too many.
            (&accepts("ip saddr @admins drop; ip saddr @seen drop"), &[]),
            (&accepts("limit rate over 5/second drop"), &[]),
            // As firewalld writes it.
            (
                &accepts(
                    "ct state { established, related } accept; ct status dnat accept; \
                     iifname lo accept; ct state invalid drop; \
                     iifname front tcp dport { 80, 443 } accept; reject with icmpx admin-prohibited",
                ),
                &["D0202"],
            ),
            (
                &accepts(
                    "ct status dnat accept; iifname lo accept; meta mark & 0xf0 == 0 goto user; \
                     reject with icmpx admin-prohibited",
                ),
                &[],
            ),
            (&accepts("ct status dnat accept; tcp dport 443 reject with tcp reset"), &["D0201"]),
            (&accepts("tcp dport 80 add @seen { ip saddr limit rate over 5/second } drop"), &[]),
        ]);
        run("nft flush ruleset");
        nft(&accepts("tcp dport 80 drop"));
        let finding = &found(WEB).findings[0];
        assert!(finding.what.contains("handle"), "{}", finding.what);
        assert!(finding.what.contains("172.18.100.7:80/tcp and 1 more"), "{}", finding.what);
        assert_eq!(finding.remedy, ["nft insert rule inet firewall input meta mark 10 accept"]);
    });
}

#[test]
fn hooks_before_ours_know_the_packets_by_their_address() {
    on_a_director(|| {
        let raw = |rules: &str| {
            format!(
                "table ip early {{
                    chain pre {{
                        type filter hook prerouting priority raw;
                        {rules}
                    }}
                }}"
            )
        };
        each(&[
            (&raw("tcp dport 80 drop"), &["D0201"]),
            (&raw("meta mark set 7"), &[]),
            // Conntrack never sees them, so that they are not INVALID later.
            (
                &format!(
                    "{}\n{}",
                    raw("notrack"),
                    input("meta nfproto ipv6 accept; ct state invalid drop", "accept")
                ),
                &[],
            ),
        ]);
        run("nft flush ruleset");
        nft(&raw("tcp dport 80 drop"));
        assert_eq!(
            found(WEB).findings[0].remedy,
            ["nft insert rule ip early pre ip daddr 172.18.100.7 tcp dport 80 accept"]
        );
    });
}

#[test]
fn a_mark_that_is_changed_after_ours_is_seen_and_one_before_is_not() {
    on_a_director(|| {
        let chain = |hook: &str, priority: &str, rules: &str| {
            format!(
                "table inet other {{
                    chain c {{
                        type filter hook {hook} priority {priority};
                        {rules}
                    }}
                }}"
            )
        };
        each(&[
            (&chain("prerouting", "-149", "meta mark set 7"), &["D0301"]),
            (&chain("prerouting", "-151", "meta mark set 7"), &[]),
            (&chain("input", "97", "meta mark set meta mark | 0x100"), &["D0301"]),
            (&chain("input", "99", "meta mark set 7"), &[]),
            (&chain("prerouting", "0", "tcp dport 80 meta mark set ct mark"), &["D0301?"]),
            (&chain("prerouting", "0", "udp dport 53 meta mark set 7"), &[]),
            (&chain("prerouting", "0", "meta mark 0 meta mark set 7"), &[]),
            (&chain("prerouting", "dstnat", "ip saddr 10.0.0.0/8 meta mark set 7"), &["D0301?"]),
        ]);
    });
}

/// Made before us, at our priority: called behind us, for the later one is called first.
#[test]
fn at_our_priority_the_earlier_table_has_the_last_word() {
    on_a_director(|| {
        let other = "table inet other {
            chain c {
                type filter hook prerouting priority mangle; meta mark set 7;
            }
        }";
        let ours = "table inet fwmarkctl {
            chain prerouting {
                type filter hook prerouting priority mangle; tcp dport 80 meta mark set 10;
            }
        }";
        nft(other);
        nft(ours);
        let report = found(WEB);
        let first = codes(&report);
        assert!(first == ["D0301"] || first == ["D0301?"], "{:#?}", report.findings);
        run("nft flush ruleset");
        nft(ours);
        nft(other);
        let second = codes(&found(WEB));
        assert!(second.is_empty(), "{second:?}");
    });
}

#[test]
fn iptables_nft_is_read_and_mended_in_its_own_words() {
    on_a_director(|| {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["-P INPUT DROP"], &["D0201"]),
            (&["-A INPUT -m addrtype ! --dst-type LOCAL -j ACCEPT", "-P INPUT DROP"], &["D0201"]),
            (
                &[
                    "-A INPUT -m addrtype --dst-type LOCAL -p tcp --dport 443 -j ACCEPT",
                    "-P INPUT DROP",
                ],
                &["D0201"],
            ),
            (&["-A INPUT -m conntrack --ctstate INVALID -j DROP"], &["D0202"]),
            (&["-A INPUT -p tcp -m multiport --dports 22,80:90 -j REJECT"], &["D0201"]),
            (&["-A INPUT -p tcp -m comment --comment x -m state --state NEW -j DROP"], &["D0201"]),
            (&["-t mangle -A INPUT -p tcp --dport 80 -j MARK --set-mark 7"], &["D0301"]),
            (
                &[
                    "-P INPUT DROP",
                    "-A INPUT -i lo -j ACCEPT",
                    "-A INPUT -p tcp --syn --dport 80 -m conntrack --ctstate NEW -j ACCEPT",
                    "-A INPUT -p tcp --dport 443 -j ACCEPT",
                ],
                &["D0202"],
            ),
        ];
        let v4 =
            WEB.replace(", \"2001:db8:18:100::7\"", "").replace(", \"2001:db8:18:100::11\"", "");
        for (lines, expected) in cases {
            run("nft flush ruleset");
            for line in lines {
                run(&format!("iptables-nft {line}"));
            }
            let report = found(&v4);
            assert_eq!(codes(&report), expected, "{lines:?}\n{:#?}", report.findings);
            let command = &report.findings[0].remedy[0];
            assert!(command.starts_with("iptables-nft -t "), "{command}");
            let left = mend(&v4);
            assert!(codes(&left).is_empty(), "{lines:?}\n{:#?}", left.findings);
        }
    });
}

#[test]
fn output_and_forward_are_looked_at_too() {
    on_a_director(|| {
        let hook = |hook: &str| {
            format!(
                "table inet firewall {{
                    chain {hook} {{
                        type filter hook {hook} priority filter; policy drop;
                        ct state established,related accept
                    }}
                }}"
            )
        };
        nft(&hook("output"));
        assert_eq!(codes(&found(WEB)), ["D0203"]);
        assert!(codes(&mend(WEB)).is_empty());
        run("nft flush ruleset");
        nft(&hook("forward"));
        assert!(codes(&found(WEB)).is_empty());
        let nat = WEB.replace("scheduler", "forward = \"nat\"\nscheduler");
        let report = found(&nat);
        // The servers are in the network of the VIPs, which is said as well.
        assert!(codes(&report).contains(&"D0204".to_owned()), "{:#?}", report.findings);
    });
}
