//! The real servers: whether packets reach them, and answers come back.

use crate::model::{Family, Prefix};
use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::{Link, Route, Scene};
use crate::preflight::subject::Traffic;
use crate::state::{Destination, Method, ServiceKey};

pub(super) fn check(scene: &Scene, report: &mut Report) {
    for traffic in &scene.subject.groups {
        for (key, destination) in traffic.destinations() {
            reachable(scene, report, traffic, destination);
            if destination.method == Method::Nat {
                translated(scene, report, traffic, destination);
            }
            port(report, traffic, key, destination);
        }
        if traffic.full_nat {
            conntrack(scene, report, traffic);
        }
    }
}

fn tool(family: Family) -> &'static str {
    if family == Family::Ipv4 { "ip" } else { "ip -6" }
}

fn reachable(scene: &Scene, report: &mut Report, traffic: &Traffic, destination: &Destination) {
    let server = destination.key.address;
    let finding = |code, severity, what: String, why: &str, remedy: String| Finding {
        code,
        severity,
        on_real_server: Vec::new(),
        groups: traffic.group(),
        what,
        why: why.to_owned(),
        remedy: vec![remedy],
    };
    let family = tool(Family::of(server));
    match scene.route(server, 0) {
        Some(Route::None) => report.add(finding(
            Code::NoRoute,
            Severity::Stops,
            format!("there is no route to the real server {server}"),
            "clients that are scheduled to it are told that it cannot be reached",
            format!("{family} route add {server} dev DEVICE"),
        )),
        Some(Route::Out { index, gateway: Some(gateway), .. })
            if destination.method == Method::DirectRouting =>
        {
            report.add(finding(
                Code::BehindRouter,
                Severity::Stops,
                format!(
                    "the real server {server} is behind the router {gateway} (by {})",
                    scene.link_name(*index)
                ),
                "direct routing gives the frame the real server's MAC address and leaves the VIP in \
                 the packet: a router sends that back here, and never on",
                format!("{family} address add ADDRESS/LENGTH dev {}", scene.link_name(*index)),
            ));
        }
        Some(Route::Out { index, gateway: None, .. })
            if scene.failed_neighbours.contains(&server) =>
        {
            report.add(finding(
                Code::NoNeighbour,
                Severity::MayStop,
                format!(
                    "nobody answers for the real server {server} on {}",
                    scene.link_name(*index)
                ),
                "its address was asked for a moment ago by ARP or neighbour discovery, without an \
                 answer: it is off, or in another network",
                format!("{family} neigh del {server} dev {}", scene.link_name(*index)),
            ));
        }
        _ => {}
    }
}

/// IPVS rewrites the destination; the packet is then forwarded, and so is the answer.
fn translated(scene: &Scene, report: &mut Report, traffic: &Traffic, destination: &Destination) {
    let server = destination.key.address;
    let name = match Family::of(server) {
        Family::Ipv4 => "net.ipv4.ip_forward",
        Family::Ipv6 => "net.ipv6.conf.all.forwarding",
    };
    if scene.sysctl(name) == Some(0) {
        report.add(Finding {
            code: Code::NoForwarding,
            severity: Severity::Stops,
            on_real_server: Vec::new(),
            groups: traffic.group(),
            what: format!("{name} is 0, and the group has NAT real servers"),
            why: "the answers of real servers come here to be forwarded to the clients, and are \
                  dropped"
                .to_owned(),
            remedy: vec![scene.subject.set(name, 1)],
        });
    }
    let Some(Route::Out { index, gateway: None, source }) = scene.route(server, 0) else { return };
    if traffic.full_nat {
        return;
    }
    // Clients that are in the real server's own network get the answer around us.
    let same = |link: &Link| link.index == *index;
    let vips = traffic.flows.iter().filter(|flow| flow.family() == Family::of(server));
    for vip in vips.map(crate::preflight::subject::Flow::vip) {
        let beside = |address: &&crate::preflight::scene::OnLink| {
            address.index == *index
                && address.network().is_some_and(|network| {
                    network.contains(&Prefix::host(vip)) && network.contains(&Prefix::host(server))
                })
        };
        let shared = scene.addresses.iter().find(beside);
        let Some(address) = shared.filter(|_| scene.entrance(vip).is_some_and(same)) else {
            continue;
        };
        let director = source.unwrap_or(address.ip);
        let (tool, device) = (tool(Family::of(server)), scene.link_name(*index));
        let network = address.network().map(|network| network.to_string()).unwrap_or_default();
        report.add(Finding {
            code: Code::AnswersAround,
            severity: Severity::MayStop,
            on_real_server: vec![
                format!("{tool} route replace {director} dev DEVICE"),
                format!("{tool} route change {network} via {director} dev DEVICE"),
                format!("{tool} route replace default via {director}"),
            ],
            groups: traffic.group(),
            what: format!("the NAT real server {server} is in the network of {vip}, {network}"),
            why: "clients of that network get its answers directly, from an address that they did \
                  not ask, and refuse them; all that the real server sends has to go through the \
                  director, or forward = \"dr\" suits it better"
                .to_owned(),
            // No redirects that undo it.
            remedy: vec![
                "sysctl -w net.ipv4.conf.all.send_redirects=0".to_owned(),
                format!("sysctl -w net.ipv4.conf.{}.send_redirects=0", device.replace('.', "/")),
            ],
        });
    }
}

/// IPVS sends every port of a mark to the one of the real server.
fn port(report: &mut Report, traffic: &Traffic, key: &ServiceKey, destination: &Destination) {
    let ServiceKey::Mark { mark, family } = *key else { return };
    if destination.key.port == 0 || destination.method != Method::Nat {
        return;
    }
    let mut ports: Vec<_> = traffic
        .flows
        .iter()
        .filter(|flow| flow.mark == Some(mark) && flow.family() == family)
        .map(|flow| (flow.protocol, flow.ports))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.len() < 2 && ports.iter().all(|(_, ports)| ports.is_single()) {
        return;
    }
    report.add(Finding {
        code: Code::PortOfSeveral,
        severity: Severity::MayStop,
        on_real_server: Vec::new(),
        groups: traffic.group(),
        what: format!(
            "the real server {} has a port of its own, and the mark {mark} has several ports",
            destination.key
        ),
        why: "IPVS sends every port of a mark to that one: what is asked on the others is \
              answered by the wrong service"
            .to_owned(),
        remedy: vec![format!("fwmarkctl status {}", traffic.name())],
    });
}

fn conntrack(scene: &Scene, report: &mut Report, traffic: &Traffic) {
    let name = "net.ipv4.vs.conntrack";
    if scene.sysctl(name) == Some(0) {
        report.add(Finding {
            code: Code::NoConntrack,
            severity: Severity::Stops,
            on_real_server: Vec::new(),
            groups: traffic.group(),
            what: format!("{name} is 0, and the group has forward = \"fullnat\""),
            why:
                "without conntrack the clients' addresses are not replaced, and answers go around \
                  the director"
                    .to_owned(),
            remedy: vec![scene.subject.set(name, 1)],
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::model::PortRange;
    use crate::preflight::checks::invented::{
        SERVER, codes, forward, ip, leads, machine, out, pending, remedy,
    };
    use crate::preflight::scene::Route;
    use crate::preflight::subject::Flow;
    use crate::state::Method;

    #[test]
    fn a_router_stops_direct_routing_and_no_other_method() {
        let mut scene = machine();
        leads(&mut scene, SERVER, 0, out(3, Some("10.20.0.254")));
        assert_eq!(codes(&scene), ["D0502 stops web"]);
        forward(&mut scene, Method::Nat);
        assert!(codes(&scene).is_empty());
    }

    #[test]
    fn a_server_without_a_route_or_a_neighbour_is_named() {
        let mut scene = machine();
        scene.failed_neighbours.insert(ip(SERVER));
        assert_eq!(codes(&scene), ["D0504 may-stop web"]);
        assert_eq!(remedy(&scene), "ip neigh del 172.18.100.11 dev front");
        leads(&mut scene, SERVER, 0, Route::None);
        assert_eq!(codes(&scene), ["D0501 stops web"]);
    }

    #[test]
    fn nat_needs_forwarding_and_a_way_back() {
        let mut scene = machine();
        scene.sysctls.insert("net.ipv4.ip_forward".to_owned(), 0);
        assert!(codes(&scene).is_empty(), "direct routing forwards nothing");
        forward(&mut scene, Method::Nat);
        // The server is in the network of the VIP.
        assert_eq!(codes(&scene), ["D0405 stops web", "D0503 may-stop web"]);
        scene.sysctls.insert("net.ipv4.ip_forward".to_owned(), 1);
        assert_eq!(remedy(&scene), "sysctl -w net.ipv4.conf.all.send_redirects=0");
        scene.subject.groups[0].full_nat = true;
        assert!(codes(&scene).is_empty());
        scene.sysctls.insert("net.ipv4.vs.conntrack".to_owned(), 0);
        assert_eq!(codes(&scene), ["D0406 stops web"]);
        assert_eq!(remedy(&scene), "sysctl -w net.ipv4.vs.conntrack=1");
    }

    #[test]
    fn what_an_apply_would_set_is_mended_by_it_and_stops_until_then() {
        let mut scene = machine();
        forward(&mut scene, Method::Nat);
        scene.subject.groups[0].full_nat = true;
        for (name, code) in [("net.ipv4.ip_forward", "D0405"), ("net.ipv4.vs.conntrack", "D0406")] {
            scene.sysctls.insert(name.to_owned(), 0);
            pending(&mut scene, &format!("sysctl {name}"), "0");
            assert_eq!(remedy(&scene), format!("sysctl -w {name}=1"), "not by that value");
            pending(&mut scene, &format!("sysctl {name}"), "1");
            assert_eq!(codes(&scene), [format!("{code} stops web")]);
            assert_eq!(remedy(&scene), "fwmarkctl apply");
            scene.sysctls.insert(name.to_owned(), 1);
        }
    }

    #[test]
    fn one_port_for_several_of_a_mark_is_named() {
        let mut scene = machine();
        forward(&mut scene, Method::Nat);
        leads(&mut scene, SERVER, 0, out(3, Some("10.20.0.254")));
        let group = &mut scene.subject.groups[0];
        group.services[0].1.destinations[0].key.port = 8080;
        assert!(codes(&scene).is_empty());
        let group = &mut scene.subject.groups[0];
        let secure = PortRange::single(443).expect("a port");
        group.flows.push(Flow { ports: secure, ..group.flows[0] });
        assert_eq!(codes(&scene), ["D0506 may-stop web"]);
    }
}
