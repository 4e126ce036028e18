//! What `iptables-legacy-save` and `ip6tables-legacy-save` write, as chains and rules.

use super::packet::flags;
use super::ruleset::{Base, Chain, ChainId, Hook, Origin, Rule, Step, Verdict};
use super::xt::{Match, Side, state_bit, target};
use crate::model::{Family, Prefix, Protocol};
use crate::render::iptables::words;

/// Reads the tables of one family.
pub(in crate::preflight) fn parse(family: Family, text: &str) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
        } else if let Some(rest) = line.strip_prefix(':') {
            let mut parts = rest.split_whitespace();
            let (Some(name), Some(policy)) = (parts.next(), parts.next()) else { continue };
            let id =
                ChainId { origin: Origin::Legacy(family), table: table.clone(), name: name.into() };
            let base = base(&table, name, policy);
            chains.push(Chain { id, base, rules: Vec::new(), order: None, table: None });
        } else if let Some(rest) = line.strip_prefix("-A ") {
            let words = words(rest);
            let of_rule = |chain: &&mut Chain| {
                chain.id.table == table && Some(&chain.id.name) == words.first()
            };
            if let Some(chain) = chains.iter_mut().find(of_rule) {
                let handle = chain.rules.len() as u64 + 1;
                chain.rules.push(Rule { handle, steps: rule(&words[1..]) });
            }
        }
    }
    chains
}

/// Where a built-in chain is called (`NF_IP_PRI_*`, `linux/netfilter_ipv4.h`).
fn base(table: &str, chain: &str, policy: &str) -> Option<Base> {
    let hook = match chain {
        "PREROUTING" => Hook::Prerouting,
        "INPUT" => Hook::Input,
        "FORWARD" => Hook::Forward,
        "OUTPUT" => Hook::Output,
        "POSTROUTING" => Hook::Postrouting,
        _ => return None,
    };
    let priority = match (table, hook) {
        ("raw", _) => -300,
        ("mangle", _) => -150,
        ("nat", Hook::Prerouting | Hook::Output) => -100,
        ("nat", _) => 100,
        ("security", _) => 50,
        _ => 0,
    };
    Some(Base { hook, priority, drops: policy == "DROP", kind: "filter".to_owned() })
}

/// The options of a rule; what is not known makes it doubtful.
fn rule(words: &[String]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut inverted = false;
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(option) = words.next() {
        if option == "!" {
            inverted = true;
            continue;
        }
        let mut value = || words.next().unwrap_or_default();
        let step = match option {
            "-m" | "--comment" => {
                value();
                Step::Nothing
            }
            "-p" => protocol(value(), inverted),
            "-s" | "-d" => address(option == "-s", value(), inverted),
            "-i" | "-o" => {
                let name = value();
                let (name, prefix) = match name.strip_suffix('+') {
                    Some(start) => (start, true),
                    None => (name, false),
                };
                let name = name.to_owned();
                Step::Test(Match::Device { arrives: option == "-i", name, prefix, inverted })
            }
            "--dport" | "--dports" => ports(value(), Side::Destination, inverted),
            "--sport" | "--sports" => ports(value(), Side::Source, inverted),
            "--ports" => ports(value(), Side::Either, inverted),
            "--tcp-flags" => {
                let (mask, set) = (tcp_flags(value()), tcp_flags(value()));
                Step::Test(Match::Flags { mask, set, inverted })
            }
            "--ctstate" | "--state" => {
                let bits = value().split(',').map(state_bit).fold(0, |all, bit| all | bit);
                Step::Test(Match::State { bits, inverted })
            }
            "--mark" => mark(value(), inverted),
            "--dst-type" if value() == "LOCAL" => Step::Test(Match::LocalDestination { inverted }),
            "--set-xmark" | "--set-mark" => number(value())
                .map_or(Step::GuessMark, |(value, mask)| Step::ChangeMark { value, mask }),
            "--restore-mark" => Step::GuessMark,
            "--save-mark" => Step::Nothing,
            "-j" => match value() {
                // Their options say what becomes of the mark.
                "MARK" | "CONNMARK" => Step::Nothing,
                name => {
                    steps.push(jump(name, words.next()));
                    // What is behind it are options of the target.
                    return steps;
                }
            },
            "-g" => Step::Verdict(Verdict::Goto(value().to_owned())),
            "--limit" => {
                value();
                Step::Limit
            }
            other => Step::Unknown(other.to_owned()),
        };
        inverted = false;
        // Words of an option that is not known are no options of their own.
        if matches!(step, Step::Unknown(_)) {
            while words.peek().is_some_and(|word| !word.starts_with('-') && *word != "!") {
                words.next();
            }
        }
        steps.push(step);
    }
    steps
}

/// What `-j` leads to; `option` is the first of the target.
fn jump(name: &str, option: Option<&str>) -> Step {
    match target(name) {
        Step::Unknown(_) if name == "CT" && option == Some("--notrack") => Step::Untrack,
        Step::Unknown(_) if !is_target(name) => Step::Verdict(Verdict::Jump(name.to_owned())),
        step => step,
    }
}

/// Targets are written in capitals, as chains may be: these are targets that do nothing
/// that is known here.
fn is_target(name: &str) -> bool {
    matches!(name, "CT" | "SET" | "IDLETIMER" | "RATEEST" | "TEE" | "SYNPROXY" | "HMARK")
}

fn protocol(name: &str, inverted: bool) -> Step {
    let number = match name {
        "all" => return Step::Nothing,
        "icmp" => Some(1),
        "ipv6-icmp" => Some(58),
        _ => name.parse().ok().or_else(|| name.parse::<Protocol>().ok().map(Protocol::number)),
    };
    number.map_or_else(
        || Step::Unknown(format!("-p {name}")),
        |number| Step::Test(Match::Protocol { number, inverted }),
    )
}

fn address(source: bool, text: &str, inverted: bool) -> Step {
    match text.parse::<Prefix>() {
        Ok(prefix) => Step::Test(Match::Address { source, prefix, inverted }),
        Err(_) => Step::Unknown(text.to_owned()),
    }
}

fn ports(text: &str, of: Side, inverted: bool) -> Step {
    let range = |text: &str| -> Option<(u16, u16)> {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        let first = if first.is_empty() { 0 } else { first.parse().ok()? };
        let last = if last.is_empty() { u16::MAX } else { last.parse().ok()? };
        Some((first, last))
    };
    match text.split(',').map(range).collect() {
        Some(ranges) => Step::Test(Match::Ports { ranges, of, inverted }),
        None => Step::Unknown(text.to_owned()),
    }
}

fn tcp_flags(names: &str) -> u8 {
    names.split(',').fold(0, |all, name| {
        all | match name {
            "FIN" => flags::FIN,
            "SYN" => flags::SYN,
            "RST" => 0x04,
            "PSH" => 0x08,
            "ACK" => flags::ACK,
            "URG" => 0x20,
            "ALL" => 0x3f,
            _ => 0,
        }
    })
}

fn mark(text: &str, inverted: bool) -> Step {
    match number(text) {
        Some((value, mask)) => Step::Test(Match::Mark { value, mask, inverted }),
        None => Step::Unknown(text.to_owned()),
    }
}

/// A number with a mask, in either base.
fn number(text: &str) -> Option<(u32, u32)> {
    let parse = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let (value, mask) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    Some((parse(value)?, parse(mask)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "\
# Generated by iptables-save
*filter
:INPUT DROP [0:0]
:OURS - [0:0]
-A INPUT -s 10.0.0.0/8 -i eth+ -p tcp -m multiport --dports 80,443,8000:8100 -j ACCEPT
-A INPUT ! -i lo -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m comment --comment \"a b\" -g OURS
-A OURS -m conntrack --ctstate INVALID -j REJECT --reject-with icmp-port-unreachable
-A OURS -m recent --rcheck --seconds 60 -j OTHER
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p udp -m mark ! --mark 0x1/0xff -j MARK --set-xmark 0x2/0xffffffff
COMMIT
";

    #[test]
    fn tables_chains_and_rules_are_found() {
        let chains = parse(Family::Ipv4, SAVED);
        let names: Vec<_> = chains.iter().map(|chain| chain.id.to_string()).collect();
        assert_eq!(
            names,
            [
                "chain INPUT of iptables-legacy's table filter",
                "chain OURS of iptables-legacy's table filter",
                "chain PREROUTING of iptables-legacy's table mangle"
            ]
        );
        assert!(chains[0].base.as_ref().is_some_and(|base| base.drops && base.priority == 0));
        assert_eq!(chains[0].rules[0].steps.last(), Some(&Step::Verdict(Verdict::Accept)));
        let ranges = vec![(80, 80), (443, 443), (8000, 8100)];
        let ports = Match::Ports { ranges, of: Side::Destination, inverted: false };
        assert!(chains[0].rules[0].steps.contains(&Step::Test(ports)));
        assert_eq!(
            chains[0].rules[1].steps.last(),
            Some(&Step::Verdict(Verdict::Goto("OURS".into())))
        );
        let flags = Match::Flags { mask: 0x17, set: 0x02, inverted: false };
        assert!(chains[0].rules[1].steps.contains(&Step::Test(flags)));
        assert!(chains[1].rules[0].steps.contains(&Step::Verdict(Verdict::Drop)));
        let unknown = |step: &Step| matches!(step, Step::Unknown(_));
        assert!(chains[1].rules[1].steps.iter().any(unknown));
        assert!(chains[2].rules[0].steps.contains(&Step::ChangeMark { value: 2, mask: u32::MAX }));
    }

    #[test]
    fn nonsense_is_no_panic() {
        for line in ["-A", "-A INPUT !", ":INPUT", "*", "-A INPUT -p", "-A INPUT --comment \"x"] {
            drop(parse(Family::Ipv6, &format!("*filter\n:INPUT DROP [0:0]\n{line}\n")));
        }
    }
}
