//! A director that does not exist, with one group that gets through: what the tests of the
//! checks spoil.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::examine;
use crate::model::{Family, GroupName, Mark, PortRange, Protocol};
use crate::preflight::filter::Ruleset;
use crate::preflight::scene::{Ipvs, Link, Modules, OnLink, Question, Route, Scene};
use crate::preflight::subject::{Flow, Subject, Traffic};
use crate::state::{
    Destination, DestinationKey, Method, Netmask, ServiceFlags, ServiceKey, VirtualService,
};

pub(in crate::preflight) const VIP: &str = "172.18.100.7";
pub(in crate::preflight) const SERVER: &str = "172.18.100.11";

pub(in crate::preflight) fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

pub(in crate::preflight) fn mark() -> Mark {
    Mark::new(10).expect("not 0")
}

fn link(index: u32, name: &str) -> Link {
    let is_loopback = name == "lo";
    Link {
        index,
        name: name.to_owned(),
        is_up: true,
        is_loopback,
        speaks_arp: !is_loopback,
        mtu: 1500,
    }
}

pub(in crate::preflight) fn on(index: u32, text: &str, length: u8) -> OnLink {
    OnLink { index, ip: ip(text), length, is_deprecated: false }
}

/// A director with lo (1), front (2) and back (3); the group web, by direct routing.
pub(in crate::preflight) fn machine() -> Scene {
    let key = ServiceKey::Mark { mark: mark(), family: Family::Ipv4 };
    let destination = Destination {
        key: DestinationKey { address: ip(SERVER), port: 0 },
        method: Method::DirectRouting,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    };
    let service = VirtualService {
        group: "web".parse().ok(),
        recorded: true,
        scheduler: "rr".parse().expect("a name"),
        flags: ServiceFlags::default(),
        timeout: 0,
        netmask: Netmask::host(Family::Ipv4),
        engine: None,
        destinations: vec![destination],
    };
    let flow = Flow {
        destination: VIP.parse().expect("a prefix"),
        protocol: Protocol::Tcp,
        ports: PortRange::single(80).expect("a port"),
        mark: Some(mark()),
    };
    let traffic = Traffic {
        name: "web".parse().ok(),
        flows: vec![flow],
        services: vec![(key, service)],
        full_nat: false,
    };
    let mut scene = Scene {
        subject: Subject { groups: vec![traffic], ..Subject::default() },
        links: vec![link(1, "lo"), link(2, "front"), link(3, "back")],
        addresses: vec![on(2, "172.18.100.1", 24), on(3, "10.20.0.1", 24), on(2, VIP, 32)],
        defaults: [(Family::Ipv4, 2)].into(),
        ruleset: Some(Ruleset::default()),
        ipvs: Ipvs {
            is_loaded: true,
            services: [key].into(),
            ours: [key].into(),
            daemons: Vec::new(),
        },
        modules: Modules {
            release: "6.1".to_owned(),
            present: ["ip_vs", "ip_vs_rr"].map(str::to_owned).into(),
            loadable: None,
        },
        ..Scene::default()
    };
    leads(&mut scene, VIP, 0, Route::Local);
    leads(&mut scene, VIP, 10, Route::Local);
    leads(&mut scene, SERVER, 0, out(2, None));
    scene
}

pub(in crate::preflight) fn out(index: u32, gateway: Option<&str>) -> Route {
    Route::Out { index, gateway: gateway.map(ip), source: None }
}

pub(in crate::preflight) fn leads(scene: &mut Scene, to: &str, mark: u32, route: Route) {
    scene.routes.insert(Question { destination: ip(to), mark }, route);
}

pub(in crate::preflight) fn forward(scene: &mut Scene, method: Method) {
    scene.subject.groups[0].services[0].1.destinations[0].method = method;
}

/// The next apply would set this: `sysctl net.ipv4.ip_forward`.
pub(in crate::preflight) fn pending(scene: &mut Scene, setting: &str, value: &str) {
    scene.subject.pending.insert(setting.parse().expect(setting), value.to_owned());
}

/// Each finding as its code, severity and groups.
pub(in crate::preflight) fn codes(scene: &Scene) -> Vec<String> {
    let report = examine(scene);
    let all = report.findings.iter().map(|finding| {
        let groups: BTreeSet<_> = finding.groups.iter().map(GroupName::as_str).collect();
        let severity = serde_json::to_value(finding.severity).expect("a word");
        let words = [finding.code.as_str(), severity.as_str().unwrap_or_default()];
        words.into_iter().chain(groups).collect::<Vec<_>>().join(" ")
    });
    all.collect()
}

/// The first remedy of the only finding.
pub(in crate::preflight) fn remedy(scene: &Scene) -> String {
    let report = examine(scene);
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    report.findings[0].remedy[0].clone()
}
