//! Units that take away what is ours: they start with a flush.

use std::collections::BTreeSet;

use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::{Flush, Scene};

pub(super) fn check(scene: &Scene, report: &mut Report) {
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
}
