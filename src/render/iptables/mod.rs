//! Text for `iptables-restore` and `ip6tables-restore` (iptables-restore(8)): the chains of
//! one family that are ours, and the jumps to them. What `compile` shows is what the
//! iptables backend feeds.
//!
//! ```text
//! *mangle
//! :FWMARKCTL - [0:0]
//! :FWMARKCTL-LEDGER - [0:0]
//! -A FWMARKCTL -d 172.18.100.7/32 -p tcp -m multiport --dports 80,443 -m comment --comment web -j MARK --set-mark 10
//! -A FWMARKCTL-LEDGER -m comment --comment "generation 3 tx … state … boot …"   never called: the commit record
//! -A FWMARKCTL-LEDGER -m comment --comment "service web 0123… fwmark 10 ipv4"   … and each service that is ours
//! -A PREROUTING -j FWMARKCTL
//! -A OUTPUT -m mark --mark 0 -j FWMARKCTL                                       only for local traffic
//! COMMIT
//! *nat                                                                          only for full NAT
//! :FWMARKCTL-SNAT - [0:0]
//! -A FWMARKCTL-SNAT -d 172.18.100.11/32 -m mark --mark 10 -m comment --comment web -j MASQUERADE
//! -A POSTROUTING -j FWMARKCTL-SNAT
//! COMMIT
//! ```
//!
//! In the chain of marks the last rule that matches has the last word; it does not end the
//! way through the table, so that the rules of others behind it stay in force. The ledger
//! has the service's whole name behind its group and digest, the digest in the form of
//! [`LedgerEntry::to_comment`](crate::state::LedgerEntry::to_comment).

mod rule;
mod sets;

use std::fmt::{self, Write};
use std::net::IpAddr;

use crate::model::{Family, Form, GroupName, Mark, PortRange};
use crate::state::{
    ClassicRule, DirectorState, MarkRuleset, Marking, Observation, Source, SourceEntry, SourceKey,
    classic_rules,
};
pub use rule::{RuleText, words};
pub use sets::{Bank, MAX_PORTS_IN_SETS, SetRole, in_sets};

/// The chain that marks.
pub const MARKS: &str = "FWMARKCTL";
/// The chain that nothing calls.
pub const LEDGER: &str = "FWMARKCTL-LEDGER";
/// The chain that replaces the addresses of clients.
pub const SOURCES: &str = "FWMARKCTL-SNAT";
/// What a comment of the ledger begins with that tells of a service.
pub const SERVICE: &str = "service ";

/// The chains of one family, and who jumps to them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chains {
    /// The rules of [`MARKS`].
    pub marks: Vec<RuleText>,
    /// The rules of [`LEDGER`].
    pub ledger: Vec<RuleText>,
    /// The rules of [`SOURCES`]; without any the chain is not there.
    pub sources: Vec<RuleText>,
    /// Whether OUTPUT jumps to [`MARKS`], as PREROUTING does.
    pub output: bool,
}

/// The rule that jumps from PREROUTING to the marks.
pub fn prerouting_jump() -> RuleText {
    RuleText::new().with("-j", MARKS)
}

/// The rule that jumps from OUTPUT to the marks: what IPVS forwards has its mark already.
pub fn output_jump() -> RuleText {
    RuleText::new().with("-m", "mark").with("--mark", "0").with("-j", MARKS)
}

/// The rule that jumps from POSTROUTING to the sources.
pub fn postrouting_jump() -> RuleText {
    RuleText::new().with("-j", SOURCES)
}

/// Whether a family has anything of `ruleset`. What has no family is in that of IPv4.
pub fn involves(ruleset: &MarkRuleset, family: Family) -> bool {
    if ruleset.is_absent() {
        return false;
    }
    let has = |family: Family| {
        ruleset.entries.keys().any(|key| key.family() == family)
            || ruleset.sources.keys().any(|key| key.family() == family)
            || ruleset.ledger.services.keys().any(|key| key.family() == family)
    };
    match family {
        Family::Ipv4 => has(family) || ruleset.chains.defragment || !has(Family::Ipv6),
        Family::Ipv6 => has(family),
    }
}

/// The chains that hold what `ruleset` has of a family; `bank` names the sets of the form
/// that has some.
pub fn chains(ruleset: &MarkRuleset, family: Family, bank: Bank) -> Chains {
    let of_family = |marking: &Marking| -> Marking {
        let entries = marking.iter().filter(|(key, _)| key.family() == family);
        entries.map(|(key, entry)| (*key, entry.clone())).collect()
    };
    let mut entries = of_family(&ruleset.entries);
    let in_form = ruleset.form == Form::Sets;
    if in_form {
        entries.retain(|key, _| !in_sets(key));
    }
    let mut marks: Vec<_> = classic_rules(&entries).iter().map(mark_rule).collect();
    if in_form {
        marks.extend(SetRole::marking().map(|role| role.rule(family, bank)));
    }
    let sources = ruleset.sources.iter().filter(|(key, _)| key.family() == family);
    Chains {
        marks,
        ledger: ledger(ruleset, family),
        sources: sources.map(|(key, entry)| source_rule(*key, entry)).collect(),
        output: ruleset.chains.output,
    }
}

fn mark_rule(rule: &ClassicRule) -> RuleText {
    let destination = prefix(rule.destination.address(), rule.destination.length());
    let protocol = rule.protocol.as_str();
    let mut text = RuleText::new().with("-d", &destination).with("-p", protocol);
    let show = |ports: &PortRange| {
        let (first, last) = (ports.first(), ports.last());
        if first == last { first.to_string() } else { format!("{first}:{last}") }
    };
    text = match rule.ports.as_slice() {
        [] => text,
        [ports] => text.with("-m", protocol).with("--dport", &show(ports)),
        ports => {
            let list: Vec<_> = ports.iter().map(show).collect();
            text.with("-m", "multiport").with("--dports", &list.join(","))
        }
    };
    let mark = rule.entry.mark.map_or(0, Mark::get);
    text.comment(rule.entry.group.as_ref().map(GroupName::as_str))
        .with("-j", "MARK")
        .with("--set-mark", &mark.to_string())
}

fn source_rule(key: SourceKey, entry: &SourceEntry) -> RuleText {
    let length = if key.server.is_ipv4() { 32 } else { 128 };
    let text = RuleText::new()
        .with("-d", &prefix(key.server, length))
        .with("-m", "mark")
        .with("--mark", &key.mark.get().to_string())
        .comment(entry.group.as_ref().map(GroupName::as_str));
    match entry.source {
        Source::Masquerade => text.with("-j", "MASQUERADE"),
        Source::Address(address) => {
            text.with("-j", "SNAT").with("--to-source", &address.to_string())
        }
    }
}

/// The commit record, each service of the family, and what has the kernel put fragments
/// together: a rule with this target is enough for that, and is never met here
/// (`tproxy_tg4_check`, `net/netfilter/xt_TPROXY.c`). IPVS does so for IPv6 by itself.
fn ledger(ruleset: &MarkRuleset, family: Family) -> Vec<RuleText> {
    let record = ruleset.ledger.record.as_ref();
    let record = record.map(|record| RuleText::new().comment(Some(&record.to_comment())));
    let services = ruleset.ledger.services.iter().filter(|(key, _)| key.family() == family);
    let services = services.map(|(key, entry)| {
        let comment = format!("{SERVICE}{} {key}", entry.to_comment());
        RuleText::new().comment(Some(&comment))
    });
    let defragment = ruleset.chains.defragment && family == Family::Ipv4;
    let defragment = defragment.then(|| {
        RuleText::new()
            .with("-p", "tcp")
            .with("-j", "TPROXY")
            .with("--on-port", "1")
            .with("--on-ip", "127.0.0.1")
            .with("--tproxy-mark", "0x0/0x0")
    });
    record.into_iter().chain(services).chain(defragment).collect()
}

fn prefix(address: IpAddr, length: u8) -> String {
    format!("{address}/{length}")
}

/// The marking half of a state for the tool of one family, always as rules: such a text
/// needs nothing beside it. It replaces what our chains hold, and leaves alone all else
/// when it is loaded with `--noflush`. The jumps come a second time with a second load:
/// there is no line that says "unless it is there".
pub fn iptables(state: &DirectorState, family: Family) -> String {
    let ruleset = MarkRuleset { form: Form::Rules, ..Observation::of(state).ruleset };
    let mut text = String::new();
    if state.form == Form::Sets {
        text += what_sets_hold(&ruleset.entries, family);
    }
    match write_state(&mut text, &ruleset, family) {
        Ok(()) => text,
        Err(fmt::Error) => unreachable!("writing to a string cannot fail"),
    }
}

/// What an apply keeps of a family in sets, as a comment.
fn what_sets_hold(entries: &Marking, family: Family) -> &'static str {
    let mut of_family = entries.keys().filter(|key| key.family() == family).map(in_sets);
    match (of_family.clone().any(|is| is), of_family.any(|is| !is)) {
        (false, false) => "",
        (true, false) => {
            "# An apply keeps these marks in sets (ipset(8)), which cost a packet less than\n\
             # so many rules: [director] max-rules.\n"
        }
        (true, true) => {
            "# An apply keeps these marks in sets (ipset(8)), which cost a packet less than\n\
             # so many rules: [director] max-rules. Ranges of more than 1024 ports stay rules.\n"
        }
        (false, true) => {
            "# An apply keeps these marks as rules, though they are more than [director]\n\
             # max-rules: ranges of more than 1024 ports are in no set.\n"
        }
    }
}

fn write_state(text: &mut String, ruleset: &MarkRuleset, family: Family) -> fmt::Result {
    if !involves(ruleset, family) {
        return writeln!(text, "# nothing of {family} is marked");
    }
    let chains = chains(ruleset, family, Bank::A);
    writeln!(text, "*mangle\n:{MARKS} - [0:0]\n:{LEDGER} - [0:0]")?;
    write_rules(text, MARKS, &chains.marks)?;
    write_rules(text, LEDGER, &chains.ledger)?;
    writeln!(text, "-A PREROUTING {}", prerouting_jump())?;
    if chains.output {
        writeln!(text, "-A OUTPUT {}", output_jump())?;
    }
    writeln!(text, "COMMIT")?;
    if !chains.sources.is_empty() {
        writeln!(text, "*nat\n:{SOURCES} - [0:0]")?;
        write_rules(text, SOURCES, &chains.sources)?;
        writeln!(text, "-A POSTROUTING {}\nCOMMIT", postrouting_jump())?;
    }
    Ok(())
}

fn write_rules(text: &mut String, chain: &str, rules: &[RuleText]) -> fmt::Result {
    rules.iter().try_for_each(|rule| writeln!(text, "-A {chain} {rule}"))
}
