//! The checks, each a function of the scene alone.

mod accept;
mod drops;
mod filters;
#[cfg(test)]
mod filters_tests;
#[cfg(test)]
mod invented;
mod ipvs;
mod kernel;
mod marks;
mod real_servers;
mod tunnels;
mod units;
mod vips;

use super::finding::Report;
use super::scene::Scene;

/// What a check looks at, and the check.
type Check = (&'static str, fn(&Scene, &mut Report));

/// Every check.
const CHECKS: [Check; 8] = [
    ("kernel modules and loopback", kernel::check),
    ("packet filters", filters::check),
    ("marks of others", marks::check),
    ("VIPs", vips::check),
    ("real servers", real_servers::check),
    ("tunnels", tunnels::check),
    ("IPVS services and sync daemons", ipvs::check),
    ("units that flush, and saved rulesets", units::check),
];

/// Looks at everything.
pub fn examine(scene: &Scene) -> Report {
    let mut report = Report { unchecked: scene.unchecked.clone(), ..Report::default() };
    for (name, check) in CHECKS {
        check(scene, &mut report);
        report.checked.push(name);
    }
    report.findings.sort_by_key(|finding| (finding.severity, finding.code));
    report
}
