//! Services of others that are in the way of ours, and sync daemons.

use std::collections::BTreeSet;

use crate::model::Family;
use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::Scene;
use crate::preflight::subject::Traffic;
use crate::state::ServiceKey;

pub(super) fn check(scene: &Scene, report: &mut Report) {
    for traffic in &scene.subject.groups {
        for (key, _) in &traffic.services {
            if scene.ipvs.services.contains(key) && !scene.ipvs.ours.contains(key) {
                report.add(on_ours(traffic, key));
            }
        }
        for key in scene.ipvs.services.difference(&scene.ipvs.ours) {
            address(report, traffic, key);
        }
        sync(scene, report, traffic);
    }
}

fn delete(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Mark { mark, family: Family::Ipv4 } => format!("ipvsadm -D -f {}", mark.get()),
        ServiceKey::Mark { mark, family: Family::Ipv6 } => {
            format!("ipvsadm -D -f {} -6", mark.get())
        }
        ServiceKey::Address { address, protocol, port } => {
            let option = match protocol.as_str() {
                "udp" => "-u",
                "sctp" => "--sctp-service",
                _ => "-t",
            };
            let place = std::net::SocketAddr::new(*address, *port);
            format!("ipvsadm -D {option} {place}")
        }
    }
}

fn on_ours(traffic: &Traffic, key: &ServiceKey) -> Finding {
    Finding {
        code: Code::ForeignService,
        severity: Severity::Stops,
        on_real_server: Vec::new(),
        groups: traffic.group(),
        what: format!("the service {key} was made by somebody else"),
        why: "packets of the group go to its real servers, and an apply is refused while it is \
              there; take it over with `fwmarkctl apply --adopt`, or remove it and apply"
            .to_owned(),
        remedy: vec!["fwmarkctl apply --adopt".to_owned(), delete(key)],
    }
}

/// A service on an address of ours is only looked for where no mark is found.
fn address(report: &mut Report, traffic: &Traffic, key: &ServiceKey) {
    let ServiceKey::Address { address, protocol, port } = *key else { return };
    let shadowed = traffic.flows.iter().any(|flow| {
        flow.mark.is_some()
            && flow.protocol == protocol
            && flow.destination.contains(&crate::model::Prefix::host(address))
            && (port == 0 || flow.ports.first() <= port && port <= flow.ports.last())
    });
    if shadowed {
        report.add(Finding {
            code: Code::ForeignAddress,
            severity: Severity::Note,
            on_real_server: Vec::new(),
            groups: traffic.group(),
            what: format!("the service {key} of somebody else is on a VIP and port of the group"),
            why: "IPVS looks for marks first: this service gets nothing while the group's packets \
                  are marked, and all of it when they are not"
                .to_owned(),
            remedy: vec![delete(key)],
        });
    }
}

/// The kernel refuses the one while there is the other (`ip_vs_genl_new_daemon`,
/// `ip_vs_add_dest`).
fn sync(scene: &Scene, report: &mut Report, traffic: &Traffic) {
    let Some(daemon) = scene.ipvs.daemons.first() else { return };
    let mixed: BTreeSet<_> = traffic
        .destinations()
        .filter(|(key, destination)| key.family() != Family::of(destination.key.address))
        .map(|(_, destination)| destination.key.address)
        .collect();
    let Some(server) = mixed.first() else { return };
    report.add(Finding {
        code: Code::SyncAndMixedFamilies,
        severity: Severity::Stops,
        on_real_server: Vec::new(),
        groups: traffic.group(),
        what: format!(
            "a sync daemon runs ({daemon}), and {server} is of another family than the VIP"
        ),
        why: "IPVS takes no such real server while a sync daemon runs, as its messages have no \
              room for two families"
            .to_owned(),
        remedy: vec![format!("ipvsadm --stop-daemon {daemon}")],
    });
}

#[cfg(test)]
mod tests {
    use crate::model::Tunnel;
    use crate::preflight::checks::invented::{codes, forward, ip, leads, machine, out, remedy};
    use crate::preflight::finding::Severity;
    use crate::state::Method;

    #[test]
    fn a_service_that_the_ledger_does_not_name_is_in_the_way() {
        let mut scene = machine();
        scene.ipvs.ours.clear();
        assert_eq!(codes(&scene), ["D0601 stops web"]);
        let report = crate::preflight::examine(&scene);
        assert_eq!(report.findings[0].remedy, ["fwmarkctl apply --adopt", "ipvsadm -D -f 10"]);
    }

    #[test]
    fn a_service_by_address_is_shadowed() {
        let mut scene = machine();
        scene.ipvs.services.insert("tcp 172.18.100.7:81".parse().expect("a key"));
        assert!(codes(&scene).is_empty());
        scene.ipvs.services.insert("tcp 172.18.100.7:80".parse().expect("a key"));
        assert_eq!(codes(&scene), ["D0602 note web"]);
        assert_eq!(remedy(&scene), "ipvsadm -D -t 172.18.100.7:80");
    }

    #[test]
    fn a_sync_daemon_and_mixed_families_exclude_each_other() {
        let mut scene = machine();
        forward(&mut scene, Method::Tunnel(Tunnel::Ipip));
        let server = &mut scene.subject.groups[0].services[0].1.destinations[0];
        server.key.address = ip("2001:db8::11");
        leads(&mut scene, "2001:db8::11", 0, out(3, None));
        scene.links[2].mtu = 9000;
        assert!(codes(&scene).is_empty());
        scene.ipvs.daemons.push("master");
        assert_eq!(codes(&scene), ["D0603 stops web"]);
        let report = crate::preflight::examine(&scene);
        assert!(report.stops() && report.findings[0].severity == Severity::Stops);
    }
}
