//! The VIPs: whether packets for them come to input at all.

use std::net::IpAddr;

use crate::model::{Family, Prefix};
use crate::preflight::codes::Code;
use crate::preflight::finding::{Finding, Report, Severity};
use crate::preflight::scene::{Route, Scene};
use crate::preflight::subject::{APPLY, Flow, Traffic};

pub(super) fn check(scene: &Scene, report: &mut Report) {
    for traffic in &scene.subject.groups {
        for flow in &traffic.flows {
            local(scene, report, traffic, flow);
            if flow.family() == Family::Ipv4 && flow.destination.is_host() {
                silent(scene, report, traffic, flow.vip());
                reverse_path(scene, report, traffic, flow.vip());
            }
        }
    }
}

/// A packet that is routed elsewhere never comes to input.
fn local(scene: &Scene, report: &mut Report, traffic: &Traffic, flow: &Flow) {
    let vip = flow.vip();
    let mark = flow.mark.map_or(0, crate::model::Mark::get);
    let Some(route) = scene.route(vip, mark).filter(|route| **route != Route::Local) else {
        return;
    };
    // An `ip rule` on the mark took it away: that is said already.
    if scene.route(vip, 0) == Some(&Route::Local) {
        return;
    }
    let family = if flow.family() == Family::Ipv4 { "ip" } else { "ip -6" };
    let device = scene.entrance(vip).map_or("DEVICE", |link| link.name.as_str());
    let by_apply = scene.subject.makes_local(flow);
    let remedy = if by_apply {
        APPLY.to_owned()
    } else if flow.destination.is_host() {
        let bits = flow.family().bits();
        let deprecated = if flow.family() == Family::Ipv6 { " preferred_lft 0 nodad" } else { "" };
        format!("{family} address add {vip}/{bits} dev {device}{deprecated}")
    } else {
        format!("{family} route add local {} dev lo", flow.destination)
    };
    let goes = match route {
        Route::Out { index, gateway, .. } => {
            let via = gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
            format!("its packets are routed out by {}{via}", scene.link_name(*index))
        }
        Route::None | Route::Local => "there is no route for its packets".to_owned(),
    };
    report.add(Finding {
        code: Code::VipNotLocal,
        severity: Severity::Stops,
        on_real_server: Vec::new(),
        groups: traffic.group(),
        what: format!("{} is no address of this machine: {goes}", flow.destination),
        why: if by_apply {
            "IPVS takes packets at input, and only what is local comes there; the configuration \
             makes it local"
        } else {
            "IPVS takes packets at input, and only what is local comes there; where keepalived \
             brings the VIP, this machine is not the master now"
        }
        .to_owned(),
        remedy: vec![remedy],
    });
}

/// A VIP in a network of ours is asked for by ARP. One that is on another device than the
/// question comes by is kept silent about with `arp_ignore` (`arp_ignore`, `net/ipv4/arp.c`),
/// as real servers need it and a director does not.
fn silent(scene: &Scene, report: &mut Report, traffic: &Traffic, vip: IpAddr) {
    let Some(own) = scene.address(vip) else { return };
    let networks = scene.addresses.iter().filter(|address| {
        address.network().is_some_and(|network| network.contains(&Prefix::host(vip)))
    });
    for network in networks {
        let Some(link) = scene.link(network.index).filter(|link| link.speaks_arp && link.is_up)
        else {
            continue;
        };
        let ignore = scene.of_device(&link.name, "arp_ignore").unwrap_or(0);
        let elsewhere = own.index != link.index;
        let is_silent = match ignore {
            1 | 2 => elsewhere,
            8 => true,
            _ => false,
        };
        if !is_silent {
            continue;
        }
        let device = link.name.replace('.', "/");
        report.add(Finding {
            code: Code::VipSilent,
            severity: Severity::Stops,
            on_real_server: Vec::new(),
            groups: traffic.group(),
            what: format!(
                "nobody answers by ARP for {vip}: it is on {}, and arp_ignore is {ignore} on {}",
                scene.link_name(own.index),
                link.name
            ),
            why: "clients and routers on that network find no machine that has the VIP; these \
                  are the settings of a real server, not of a director"
                .to_owned(),
            remedy: vec![
                "sysctl -w net.ipv4.conf.all.arp_ignore=0".to_owned(),
                format!("sysctl -w net.ipv4.conf.{device}.arp_ignore=0"),
            ],
        });
    }
}

/// A strict filter drops what comes by another device than the answer would go.
fn reverse_path(scene: &Scene, report: &mut Report, traffic: &Traffic, vip: IpAddr) {
    let Some(link) = scene.entrance(vip) else { return };
    if scene.of_device(&link.name, "rp_filter") != Some(1) {
        return;
    }
    let default = scene.defaults.get(&Family::Ipv4).copied();
    if default == Some(link.index) {
        return;
    }
    let leads = match default {
        Some(index) => format!("the default route leads to {}", scene.link_name(index)),
        None => "there is no default route".to_owned(),
    };
    let device = link.name.replace('.', "/");
    report.add(Finding {
        code: Code::ReversePath,
        severity: Severity::MayStop,
        on_real_server: Vec::new(),
        groups: traffic.group(),
        what: format!(
            "rp_filter is strict on {}, by which {vip} is reached, and {leads}",
            link.name
        ),
        why: format!(
            "packets of clients that are not in a network of {} are dropped before anything \
             marks them; under direct routing and tunnels no answer comes by here anyway",
            link.name
        ),
        // Loose: the kernel takes the greater of this and of what is set for all devices.
        remedy: vec![scene.subject.set(&format!("net.ipv4.conf.{device}.rp_filter"), 2)],
    });
}

#[cfg(test)]
mod tests {
    use crate::model::Family;
    use crate::preflight::checks::invented::{
        VIP, codes, leads, machine, on, out, pending, remedy,
    };
    use crate::preflight::scene::Route;

    #[test]
    fn a_vip_that_is_not_local_stops_its_group() {
        let mut scene = machine();
        for mark in [0, 10] {
            leads(&mut scene, VIP, mark, out(2, None));
        }
        scene.addresses.pop();
        assert_eq!(codes(&scene), ["D0401 stops web"]);
        assert_eq!(remedy(&scene), "ip address add 172.18.100.7/32 dev front");
        leads(&mut scene, VIP, 10, Route::None);
        assert_eq!(codes(&scene), ["D0401 stops web"]);
    }

    #[test]
    fn a_vip_that_an_apply_makes_local_is_mended_by_it() {
        for (setting, mends) in [
            ("local-route 172.18.100.0/28", true),
            ("rule ipv4 fwmark 0xa", true),
            ("rule ipv4 to 172.18.100.7", true),
            ("address 172.18.100.7 on front", true),
            ("local-route 172.18.100.8/29", false),
            ("rule ipv6 fwmark 0xa", false),
            ("rule ipv4 fwmark 0x4c560000/0xffff0000", false),
            ("address 172.18.100.8 on front", false),
            ("sysctl net.ipv4.ip_forward", false),
        ] {
            let mut scene = machine();
            for mark in [0, 10] {
                leads(&mut scene, VIP, mark, out(2, None));
            }
            pending(&mut scene, setting, "present");
            assert_eq!(codes(&scene), ["D0401 stops web"], "{setting}");
            assert_eq!(remedy(&scene) == "fwmarkctl apply", mends, "{setting}");
        }
    }

    #[test]
    fn a_prefix_becomes_a_local_route() {
        let mut scene = machine();
        let flow = &mut scene.subject.groups[0].flows[0];
        flow.destination = "172.18.100.8/29".parse().expect("a prefix");
        for mark in [0, 10] {
            leads(&mut scene, "172.18.100.9", mark, out(2, None));
        }
        assert_eq!(remedy(&scene), "ip route add local 172.18.100.8/29 dev lo");
    }

    #[test]
    fn a_vip_on_another_device_behind_arp_ignore_is_silent() {
        let mut scene = machine();
        for device in ["all", "front", "back"] {
            scene.sysctls.insert(format!("net.ipv4.conf.{device}.arp_ignore"), 0);
        }
        *scene.addresses.last_mut().expect("the VIP") = on(1, VIP, 32);
        assert!(codes(&scene).is_empty());
        scene.sysctls.insert("net.ipv4.conf.all.arp_ignore".to_owned(), 1);
        assert_eq!(codes(&scene), ["D0402 stops web"]);
        // On the device itself it is spoken for, and in no network of ours nobody asks.
        *scene.addresses.last_mut().expect("the VIP") = on(2, VIP, 32);
        assert!(codes(&scene).is_empty());
        *scene.addresses.last_mut().expect("the VIP") = on(1, VIP, 32);
        scene.addresses[0].length = 32;
        assert!(codes(&scene).is_empty());
    }

    #[test]
    fn a_strict_filter_matters_where_the_default_route_leads_elsewhere() {
        let mut scene = machine();
        scene.sysctls.insert("net.ipv4.conf.front.rp_filter".to_owned(), 0);
        scene.sysctls.insert("net.ipv4.conf.all.rp_filter".to_owned(), 1);
        assert!(codes(&scene).is_empty());
        scene.defaults.insert(Family::Ipv4, 3);
        assert_eq!(codes(&scene), ["D0404 may-stop web"]);
        assert_eq!(remedy(&scene), "sysctl -w net.ipv4.conf.front.rp_filter=2");
        scene.defaults.clear();
        assert_eq!(codes(&scene), ["D0404 may-stop web"]);
        // The greater of both is taken.
        scene.sysctls.insert("net.ipv4.conf.front.rp_filter".to_owned(), 2);
        assert!(codes(&scene).is_empty());
    }
}
