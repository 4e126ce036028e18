//! Our marks in the hands of others: rules that give them or ask for them, `ip rule`s.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::drops::named;
use crate::model::{Family, GroupName, Mark};
use crate::preflight::codes::Code;
use crate::preflight::filter::{ChainId, Origin, Step, Uses, Verdict, uses};
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::{Route, RoutingRule, Scene};
use crate::preflight::subject::{APPLY, Traffic};

pub(super) fn check(scene: &Scene, report: &mut Report) {
    damage(scene, report);
    filters(scene, report);
    let (vips, marks) = (scene.subject.vips(), scene.subject.marks());
    for rule in scene.rules.iter().filter(|rule| !rule.is_ours()) {
        for (mark, groups) in &marks {
            if mark.get() & rule.mask == rule.mark {
                routing(scene, report, rule, (*mark, groups), &vips);
            }
        }
    }
}

/// What marks is not as it was made. Which packets that concerns is not worked out.
fn damage(scene: &Scene, report: &mut Report) {
    let subject = &scene.subject;
    let is_marked = |traffic: &&Traffic| traffic.flows.iter().any(|flow| flow.mark.is_some());
    let mut marked = subject.groups.iter().filter(is_marked).peekable();
    if subject.damage.is_empty() || marked.peek().is_none() {
        return;
    }
    report.add(Finding {
        code: Code::MarkerDamaged,
        severity: Severity::Stops,
        groups: marked.filter_map(|traffic| traffic.name.clone()).collect(),
        what: format!("what marks is damaged: {}", subject.damage.join("; ")),
        why: "without their mark packets meet no virtual service of the group".to_owned(),
        remedy: vec![APPLY.to_owned()],
        on_real_server: Vec::new(),
    });
}

/// Rules of packet filters, whatever packets they are for.
fn filters(scene: &Scene, report: &mut Report) {
    let Some(ruleset) = &scene.ruleset else { return };
    let marks = scene.subject.marks();
    for chain in ruleset.chains.iter().filter(|chain| !chain.id.is_ours()) {
        for rule in &chain.rules {
            let uses = uses(rule);
            if uses == Uses::default() {
                continue;
            }
            // To let our packets pass, as the doctor itself advises, is no use of the mark.
            let accepts = rule.steps.contains(&Step::Verdict(Verdict::Accept));
            let place = named(&chain.id, rule.handle);
            for (mark, groups) in &marks {
                // A mask that leaves a few bits is a scheme of its own.
                let asked = uses.asked.contains(&(mark.get(), u32::MAX)) && !accepts;
                let (code, severity, what, why) = if uses.given.contains(&mark.get()) {
                    (
                        Code::MarkGiven,
                        Severity::MayStop,
                        format!("{place} gives packets the mark {mark}, which is ours"),
                        "IPVS takes every packet with that mark for the group's, whatever its \
                         destination",
                    )
                } else if asked {
                    (
                        Code::MarkAsked,
                        Severity::Note,
                        format!("{place} asks for the mark {mark}, which is ours"),
                        "it meets the group's packets, and what it does to them may not be meant \
                         for them",
                    )
                } else {
                    continue;
                };
                let (groups, remedy) = (groups.clone(), vec![show(&chain.id)]);
                report.add(Finding {
                    code,
                    severity,
                    groups,
                    what,
                    why: why.to_owned(),
                    remedy,
                    on_real_server: Vec::new(),
                });
            }
        }
    }
}

/// The command that shows the chain: what is meant there only its owner knows.
fn show(chain: &ChainId) -> String {
    let ChainId { origin, table, name } = chain;
    match (chain.iptables(), origin) {
        (Some(tool), _) => format!("{tool} -t {table} -S {name}"),
        (None, Origin::Nft(family)) => format!("nft -a list chain {family} {table} {name}"),
        (None, Origin::Legacy(_)) => format!("iptables-legacy -t {table} -S {name}"),
    }
}

/// A rule that makes packets local is what a VIP needs that is no local address; any other
/// has an opinion of its own. One that comes behind the table local is only worth a note.
fn routing(
    scene: &Scene,
    report: &mut Report,
    rule: &RoutingRule,
    (mark, groups): (Mark, &BTreeSet<GroupName>),
    vips: &BTreeSet<(IpAddr, Option<Mark>)>,
) {
    let is_local = |vip: IpAddr, mark: u32| scene.route(vip, mark) == Some(&Route::Local);
    let mut of_mark = vips
        .iter()
        .filter(|(vip, own)| *own == Some(mark) && Family::of(*vip) == rule.family)
        .map(|(vip, _)| (is_local(*vip, 0), is_local(*vip, mark.get())))
        .peekable();
    if of_mark.peek().is_none() {
        return;
    }
    let pairs: Vec<_> = of_mark.collect();
    if pairs.iter().all(|(without, with)| *with && !without) {
        return;
    }
    let takes_away = pairs.iter().any(|(without, with)| *without && !with);
    let (severity, why) = if takes_away {
        (
            Severity::Stops,
            "packets to the VIP are routed by it, and do not come to input, where IPVS is",
        )
    } else {
        (Severity::Note, "packets of the group are routed by it where no earlier rule does")
    };
    let RoutingRule { family, priority, action, .. } = rule;
    let selector = match rule.mask {
        u32::MAX => format!("fwmark {:#x}", rule.mark),
        bits => format!("fwmark {:#x}/{bits:#x}", rule.mark),
    };
    let tool = if *family == Family::Ipv4 { "ip" } else { "ip -6" };
    report.add(Finding {
        code: Code::RoutingRule,
        severity,
        on_real_server: Vec::new(),
        groups: groups.clone(),
        what: format!(
            "the {family} rule {selector} (priority {priority}, {action}) takes packets with our \
             mark {mark}"
        ),
        why: why.to_owned(),
        remedy: vec![format!("{tool} rule del priority {priority} {selector}")],
    });
}

#[cfg(test)]
mod tests {
    use crate::model::Family;
    use crate::preflight::checks::invented::{VIP, codes, leads, machine, out, remedy};
    use crate::preflight::filter::{Ruleset, parse};
    use crate::preflight::scene::{Route, RoutingRule};
    use crate::state::Frame;

    #[test]
    fn a_rule_that_asks_for_our_mark_is_a_note_unless_it_lets_it_pass() {
        let mut scene = machine();
        let text = "*mangle\n:POSTROUTING ACCEPT [0:0]\n\
                    -A POSTROUTING -m mark --mark 0xa -j TEE --gateway 10.0.0.1\n\
                    -A POSTROUTING -m mark --mark 0xa -j ACCEPT\n\
                    -A POSTROUTING -m mark --mark 0xa/0xff -j TEE --gateway 10.0.0.1\n";
        let chains = parse(Family::Ipv4, text);
        scene.ruleset = Some(Ruleset { chains, ..Ruleset::default() });
        assert_eq!(codes(&scene), ["D0303 note web"]);
        assert_eq!(remedy(&scene), "iptables-legacy -t mangle -S POSTROUTING");
    }

    #[test]
    fn a_routing_rule_stops_where_it_takes_the_vip_away() {
        let mut scene = machine();
        scene.rules.push(RoutingRule {
            family: Family::Ipv4,
            priority: 100,
            mark: 0xa,
            mask: u32::MAX,
            action: "lookup 100".to_owned(),
        });
        assert_eq!(codes(&scene), ["D0304 note web"]);
        leads(&mut scene, VIP, 10, out(3, None));
        assert_eq!(codes(&scene), ["D0304 stops web"]);
        assert_eq!(remedy(&scene), "ip rule del priority 100 fwmark 0xa");
        // What makes a VIP local that is no address of ours is what it needs.
        leads(&mut scene, VIP, 0, out(2, Some("172.18.100.254")));
        leads(&mut scene, VIP, 10, Route::Local);
        assert!(codes(&scene).is_empty());
        scene.rules[0].mark = 11;
        assert!(codes(&scene).is_empty());
    }

    #[test]
    fn what_marks_has_to_be_as_it_was_made() {
        let frames = [
            (Frame::Intact, false),
            (Frame::Absent, false),
            (Frame::Former, false),
            (Frame::RulesDiffer(vec!["the chain prerouting has no rules".to_owned()]), true),
            (Frame::Damaged(vec!["the chain prerouting is missing".to_owned()]), true),
        ];
        for (frame, is_found) in frames {
            let mut scene = machine();
            scene.subject = scene.subject.marked_by(&frame);
            assert_eq!(codes(&scene), ["D0306 stops web"][..usize::from(is_found)], "{frame:?}");
            if is_found {
                assert_eq!(remedy(&scene), "fwmarkctl apply");
            }
            // Services by address need no mark.
            scene.subject.groups[0].flows[0].mark = None;
            assert!(codes(&scene).iter().all(|code| !code.starts_with("D0306")));
        }
    }

    /// As `vips = "route"` in `[director]` has them.
    #[test]
    fn our_own_routing_rules_are_no_finding_where_the_vip_is_an_address_too() {
        let mut scene = machine();
        scene.rules.push(RoutingRule {
            family: Family::Ipv4,
            priority: 456,
            mark: 0xa,
            mask: u32::MAX,
            action: "lookup 19542".to_owned(),
        });
        assert!(codes(&scene).is_empty());
        scene.rules[0].action = "lookup 100".to_owned();
        assert_eq!(codes(&scene), ["D0304 note web"]);
    }
}
