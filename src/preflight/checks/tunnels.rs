//! Tunnels: the address that packets travel from, and how long they grow.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{Family, Tunnel, TunnelChecksum};
use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::{Route, Scene};
use crate::preflight::subject::Traffic;
use crate::state::{Destination, Method};

/// What a client's path takes nearly everywhere (RFC 894).
const ETHERNET: u32 = 1500;

pub(super) fn check(scene: &Scene, report: &mut Report) {
    let vips: BTreeSet<IpAddr> = scene.subject.vips().into_iter().map(|(vip, _)| vip).collect();
    for traffic in &scene.subject.groups {
        for (key, destination) in traffic.destinations() {
            if let Method::Tunnel(tunnel) = destination.method {
                source(scene, report, traffic, destination, &vips);
                length(scene, report, traffic, destination, (tunnel, key.family()));
            }
        }
    }
}

/// The real server has the VIP itself, and a packet from an address of its own is none that
/// it takes. An IPv6 VIP that is not deprecated becomes the source when the routes change.
fn source(
    scene: &Scene,
    report: &mut Report,
    traffic: &Traffic,
    destination: &Destination,
    vips: &BTreeSet<IpAddr>,
) {
    let server = destination.key.address;
    let Some(Route::Out { source, .. }) = scene.route(server, 0) else { return };
    let of_family = |vip: &&IpAddr| Family::of(**vip) == Family::of(server);
    for &vip in vips.iter().filter(of_family) {
        let Some(address) = scene.address(vip) else { continue };
        let is_source = *source == Some(vip);
        if !is_source && (vip.is_ipv4() || address.is_deprecated) {
            continue;
        }
        let (device, length) = (scene.link_name(address.index), address.length);
        let (severity, what) = if is_source {
            let what = format!("tunnelled packets to real servers come from the VIP {vip}");
            (Severity::Stops, what)
        } else {
            let what = format!("the VIP {vip} can become the source of tunnelled packets");
            (Severity::MayStop, what)
        };
        report.add(Finding {
            code: Code::VipIsSource,
            severity,
            on_real_server: Vec::new(),
            groups: traffic.group(),
            what,
            why: "the real server has the VIP too, and drops packets that seem to come from \
                  itself; an IPv6 VIP on a director has to be deprecated (preferred_lft 0)"
                .to_owned(),
            remedy: vec![if vip.is_ipv6() {
                format!("ip -6 address change {vip}/{length} dev {device} preferred_lft 0")
            } else {
                format!("ip route replace {server} dev {device} src DIRECTOR-ADDRESS")
            }],
        });
    }
}

/// The bytes that a tunnel adds (RFC 2003, RFC 2473, RFC 2784; GUE: a UDP header and 4
/// bytes, 8 more with remote checksums).
fn overhead(tunnel: Tunnel, outer: Family) -> u32 {
    let ip = if outer == Family::Ipv4 { 20 } else { 40 };
    ip + match tunnel {
        Tunnel::Ipip => 0,
        Tunnel::Gre { checksum: TunnelChecksum::None } => 4,
        Tunnel::Gre { .. } => 8,
        Tunnel::Gue { checksum: TunnelChecksum::Remote, .. } => 20,
        Tunnel::Gue { .. } => 12,
    }
}

fn length(
    scene: &Scene,
    report: &mut Report,
    traffic: &Traffic,
    destination: &Destination,
    (tunnel, inner): (Tunnel, Family),
) {
    let server = destination.key.address;
    let Some(Route::Out { index, .. }) = scene.route(server, 0) else { return };
    let Some(link) = scene.link(*index) else { return };
    let room = link.mtu.saturating_sub(overhead(tunnel, Family::of(server)));
    if link.mtu == 0 || room >= ETHERNET {
        return;
    }
    // A segment leaves room for the headers of IP and TCP.
    let segment = room.saturating_sub(if inner == Family::Ipv4 { 40 } else { 60 });
    report.add(Finding {
        code: Code::TunnelMtu,
        severity: Severity::Note,
        on_real_server: vec![format!(
            "{} route change default via GATEWAY advmss {segment}",
            if inner == Family::Ipv4 { "ip" } else { "ip -6" }
        )],
        groups: traffic.group(),
        what: format!(
            "{} takes {} bytes, so that {room} are left for a client's packet in a tunnel",
            link.name, link.mtu
        ),
        why: format!(
            "longer ones are answered with \"fragmentation needed\", which some networks drop: \
             large uploads hang; let real servers ask for segments of {segment} bytes at most, \
             or enlarge the MTU between director and real servers"
        ),
        remedy: Vec::new(),
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::checks::invented::{
        SERVER, VIP, codes, forward, ip, leads, machine, on, remedy,
    };

    #[test]
    fn a_tunnel_leaves_less_room_than_a_clients_path() {
        let mut scene = machine();
        forward(&mut scene, Method::Tunnel(Tunnel::Ipip));
        assert_eq!(codes(&scene), ["D0505 note web"]);
        let report = crate::preflight::examine(&scene);
        let command = "ip route change default via GATEWAY advmss 1440";
        assert_eq!(report.findings[0].on_real_server, [command]);
        scene.links[1].mtu = 1520;
        assert!(codes(&scene).is_empty());
        forward(&mut scene, Method::Tunnel(Tunnel::Gre { checksum: TunnelChecksum::None }));
        assert_eq!(codes(&scene), ["D0505 note web"]);
    }

    #[test]
    fn the_vip_is_no_source_of_a_tunnel() {
        let mut scene = machine();
        forward(&mut scene, Method::Tunnel(Tunnel::Ipip));
        scene.links[1].mtu = 9000;
        let from = |source: &str| Route::Out { index: 2, gateway: None, source: Some(ip(source)) };
        leads(&mut scene, SERVER, 0, from("172.18.100.1"));
        assert!(codes(&scene).is_empty());
        leads(&mut scene, SERVER, 0, from(VIP));
        assert_eq!(codes(&scene), ["D0403 stops web"]);
        forward(&mut scene, Method::DirectRouting);
        assert!(codes(&scene).is_empty());
    }

    #[test]
    fn an_ipv6_vip_has_to_be_deprecated() {
        let mut scene = machine();
        let (vip, server) = ("2001:db8::7", "2001:db8::11");
        let group = &mut scene.subject.groups[0];
        group.flows[0].destination = vip.parse().expect("a prefix");
        group.services[0].1.destinations[0].key.address = ip(server);
        forward(&mut scene, Method::Tunnel(Tunnel::Ipip));
        scene.links[1].mtu = 9000;
        leads(&mut scene, vip, 0, Route::Local);
        leads(&mut scene, vip, 10, Route::Local);
        let source = Some(ip("2001:db8::1"));
        leads(&mut scene, server, 0, Route::Out { index: 2, gateway: None, source });
        scene.addresses.push(on(2, vip, 128));
        assert_eq!(codes(&scene), ["D0403 may-stop web"]);
        assert_eq!(
            remedy(&scene),
            "ip -6 address change 2001:db8::7/128 dev front preferred_lft 0"
        );
        scene.addresses.last_mut().expect("the VIP").is_deprecated = true;
        assert!(codes(&scene).is_empty());
    }
}
