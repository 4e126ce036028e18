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
            let watch =
                (!repaired).then(|| "systemctl enable --now fwmarkctl-watch.service".to_owned());
            report.add(Finding {
                code,
                severity: if repaired { Severity::Note } else { Severity::MayStop },
                on_real_server: Vec::new(),
                groups: BTreeSet::new(),
                what: format!("{unit} takes {what} away when it starts, stops or reloads ({file})"),
                why: if repaired {
                    "the watch brings ours back within seconds; new connections of that moment fail"
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
    }
}
