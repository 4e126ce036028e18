//! Units that take away what is ours, for they start with a flush, and units that would load
//! nothing at boot.

use std::collections::BTreeSet;

use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::{Flush, Refusal, Refused, Scene};

pub(super) fn check(scene: &Scene, report: &mut Report) {
    for refused in &scene.units.refused {
        report.add(finding(scene, refused));
    }
    let both = [
        (Code::RulesetFlushed, &scene.units.flush_ruleset, "the marks"),
        (Code::IpvsFlushed, &scene.units.flush_ipvs, "the services"),
    ];
    for (code, flushes, what) in both {
        for Flush { unit, file, remedy } in flushes {
            let repaired = scene.units.watch_enabled;
            // It restores with the unit of a firewall; of IPVS it hears nothing.
            let restored = scene.units.restore_enabled && code == Code::RulesetFlushed;
            let served = repaired || restored;
            let watch =
                (!served).then(|| "systemctl enable --now fwmarkctl-watch.service".to_owned());
            report.add(Finding {
                code,
                severity: if served { Severity::Note } else { Severity::MayStop },
                on_real_server: Vec::new(),
                groups: BTreeSet::new(),
                what: format!("{unit} takes {what} away when it starts, stops or reloads ({file})"),
                why: if repaired {
                    "the watch brings ours back within seconds; new connections of that moment fail"
                } else if restored {
                    "fwmarkctl.service brings ours back at the next start or reload of it; while it \
                     is stopped nobody marks"
                } else {
                    "nothing brings ours back by itself: the watch is not enabled"
                }
                .to_owned(),
                remedy: remedy.clone().into_iter().chain(watch).collect(),
            });
        }
    }
}

/// A saved ruleset that would be refused. What brings back our marks at boot does not bring
/// back the firewall.
fn finding(scene: &Scene, refused: &Refused) -> Finding {
    let Refused { unit, file, line, why } = refused;
    let is_restored = scene.units.restore_enabled || scene.units.watch_enabled;
    let (what, why, mut remedy) = match why {
        Refusal::FormerKeys { can_be_cut, is_ours_alone } => {
            let cut = format!("sed -i '/^table inet fwmarkctl {{/,/^}}/d' {file}");
            let anew =
                format!("fwmarkctl compile --format nft > {file}.new && mv {file}.new {file}");
            (
                "holds our table as an earlier version made it",
                "nft 1.0.6 writes for `meta l4proto` in the key of an interval map what some \
                 kernels refuse, Linux 6.12.117 among them; then nothing of the file is loaded, \
                 no firewall and no marks"
                    .to_owned(),
                if *is_ours_alone {
                    vec![anew]
                } else {
                    can_be_cut.then_some(cut).into_iter().collect()
                },
            )
        }
        Refusal::NoSet { set, sets } => (
            "holds our rules that look into sets",
            format!(
                "the set {set} is not there at boot ({sets} does not make it); then nothing of \
                 the file is loaded, no firewall and no marks"
            ),
            vec![format!("sed -i /FWMARKCTL/d {file}")],
        ),
    };
    // What a shell would read otherwise is not for a command.
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+@".contains(letter);
    if !file.chars().all(is_plain) {
        remedy.clear();
    }
    let takes_out = remedy.iter().any(|command| command.starts_with("sed"));
    if takes_out && !is_restored {
        remedy.push("systemctl enable fwmarkctl.service".to_owned());
    }
    Finding {
        code: Code::SavedRefused,
        severity: Severity::MayStop,
        on_real_server: Vec::new(),
        groups: BTreeSet::new(),
        what: format!("{file}, which {unit} loads at boot, {what} (line {line})"),
        why,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::checks::invented::{codes, machine, remedy};

    #[test]
    fn a_flush_may_stop_until_the_watch_is_there() {
        let mut scene = machine();
        scene.units.flush_ruleset.push(Flush {
            unit: "nftables.service".to_owned(),
            file: "/etc/nftables.conf".to_owned(),
            remedy: None,
        });
        assert_eq!(codes(&scene), ["D0701 may-stop"]);
        assert_eq!(remedy(&scene), "systemctl enable --now fwmarkctl-watch.service");
        scene.units.watch_enabled = true;
        assert_eq!(codes(&scene), ["D0701 note"]);
        scene.units.watch_enabled = false;
        scene.units.restore_enabled = true;
        assert_eq!(codes(&scene), ["D0701 note"]);
        let flush = scene.units.flush_ruleset.remove(0);
        scene.units.flush_ipvs.push(flush);
        assert_eq!(codes(&scene), ["D0702 may-stop"]);
    }

    fn refused(file: &str, why: Refusal) -> Refused {
        Refused { unit: "nftables.service".to_owned(), file: file.to_owned(), line: 7, why }
    }

    #[test]
    fn a_saved_table_of_an_earlier_version_is_cut_out_or_written_anew() {
        let mut scene = machine();
        let keys = |can_be_cut, is_ours_alone| Refusal::FormerKeys { can_be_cut, is_ours_alone };
        scene.units.refused = vec![refused("/etc/nftables.conf", keys(true, false))];
        assert_eq!(codes(&scene), ["D0703 may-stop"]);
        let cut = "sed -i '/^table inet fwmarkctl {/,/^}/d' /etc/nftables.conf";
        let report = crate::preflight::checks::examine(&scene);
        assert_eq!(report.findings[0].remedy, [cut, "systemctl enable fwmarkctl.service"]);
        assert!(
            report.findings[0].what.contains("/etc/nftables.conf")
                && report.findings[0].what.contains("(line 7)")
        );
        scene.units.restore_enabled = true;
        assert_eq!(remedy(&scene), cut);
        scene.units.refused = vec![refused("/etc/nftables/fwmarkctl.nft", keys(true, true))];
        assert_eq!(
            remedy(&scene),
            "fwmarkctl compile --format nft > /etc/nftables/fwmarkctl.nft.new && \
             mv /etc/nftables/fwmarkctl.nft.new /etc/nftables/fwmarkctl.nft"
        );
        // Neither a table that no line parts from others nor a strange name has a command.
        for (file, can_be_cut) in [("/etc/nftables.conf", false), ("/etc/a b;c", true)] {
            scene.units.refused = vec![refused(file, keys(can_be_cut, false))];
            assert!(crate::preflight::checks::examine(&scene).findings[0].remedy.is_empty());
        }
    }

    #[test]
    fn saved_rules_that_need_sets_are_taken_out() {
        let mut scene = machine();
        scene.units.watch_enabled = true;
        let (set, sets) = ("fwmarkctl-a-port4".to_owned(), "/etc/iptables/ipsets".to_owned());
        scene.units.refused = vec![refused("/etc/iptables/rules.v4", Refusal::NoSet { set, sets })];
        assert_eq!(codes(&scene), ["D0703 may-stop"]);
        assert_eq!(remedy(&scene), "sed -i /FWMARKCTL/d /etc/iptables/rules.v4");
    }
}
