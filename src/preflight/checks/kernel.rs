//! What the kernel has to have: IPVS, schedulers, engines, and loopback up.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::GroupName;
use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::Scene;

pub(super) fn check(scene: &Scene, report: &mut Report) {
    ipvs(scene, report);
    modules(scene, report);
    loopback(scene, report);
}

fn ipvs(scene: &Scene, report: &mut Report) {
    if scene.ipvs.is_loaded || scene.modules.has("ip_vs") != Some(false) {
        return;
    }
    report.add(Finding {
        code: Code::NoIpvs,
        severity: Severity::Stops,
        on_real_server: Vec::new(),
        groups: BTreeSet::new(),
        what: format!("the kernel {} has no module ip_vs", scene.modules.release),
        why: "without IPVS nothing is scheduled".to_owned(),
        remedy: vec!["apt-get install linux-image-amd64".to_owned(), "modprobe ip_vs".to_owned()],
    });
}

/// Schedulers and persistence engines are modules of their own, loaded when they are used.
fn modules(scene: &Scene, report: &mut Report) {
    let mut wanted: BTreeMap<(Code, String), BTreeSet<GroupName>> = BTreeMap::new();
    for traffic in &scene.subject.groups {
        for (_, service) in &traffic.services {
            let mut need = |code, name: String| {
                wanted.entry((code, name)).or_default().extend(traffic.name.clone());
            };
            need(Code::NoScheduler, service.scheduler.to_string());
            if let Some(engine) = service.engine {
                need(Code::NoEngine, engine.to_string());
            }
        }
    }
    for ((code, name), groups) in wanted {
        let (kind, module) = match code {
            Code::NoScheduler => ("scheduler", format!("ip_vs_{name}")),
            _ => ("persistence engine", format!("ip_vs_pe_{name}")),
        };
        if scene.modules.has(&module) != Some(false) {
            continue;
        }
        report.add(Finding {
            code,
            severity: Severity::Stops,
            on_real_server: Vec::new(),
            groups,
            what: format!("the kernel {} has no {kind} {name}", scene.modules.release),
            why: format!("there is no module {module}, and an apply is refused without it"),
            // Another one: what there is.
            remedy: vec![format!(
                "ls /lib/modules/{}/kernel/net/netfilter/ipvs",
                scene.modules.release
            )],
        });
    }
}

fn loopback(scene: &Scene, report: &mut Report) {
    let is_down = scene.links.iter().any(|link| link.is_loopback && !link.is_up);
    if is_down {
        report.add(Finding {
            code: Code::LoopbackDown,
            severity: Severity::Stops,
            on_real_server: Vec::new(),
            groups: BTreeSet::new(),
            what: "the device lo is down".to_owned(),
            why: "IPVS takes no real server then: every one is an invalid argument".to_owned(),
            remedy: vec!["ip link set lo up".to_owned()],
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::preflight::checks::invented::{codes, machine};

    #[test]
    fn a_scheduler_without_a_module_stops_its_group() {
        let mut scene = machine();
        assert!(codes(&scene).is_empty(), "{:?}", codes(&scene));
        scene.modules.present.remove("ip_vs_rr");
        // Without a list nobody knows what can be loaded.
        assert!(codes(&scene).is_empty());
        scene.modules.loadable = Some(["ip_vs_wlc".to_owned()].into());
        assert_eq!(codes(&scene), ["D0102 stops web"]);
    }

    #[test]
    fn a_kernel_without_ipvs_and_a_loopback_that_is_down_stop_all() {
        let mut scene = machine();
        scene.ipvs.is_loaded = false;
        scene.modules.present.clear();
        scene.modules.loadable = Some(["ip_vs_rr".to_owned()].into());
        scene.links[0].is_up = false;
        assert_eq!(codes(&scene), ["D0101 stops", "D0104 stops"]);
    }

    #[test]
    fn an_engine_without_a_module_is_named() {
        let mut scene = machine();
        scene.subject.groups[0].services[0].1.engine = "sip".parse().ok();
        scene.modules.loadable = Some(std::collections::BTreeSet::new());
        assert_eq!(codes(&scene), ["D0103 stops web"]);
    }
}
