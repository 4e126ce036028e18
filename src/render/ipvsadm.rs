//! Text for `ipvsadm -R` (ipvsadm(8)).

use std::net::SocketAddr;

use crate::model::{Family, Protocol, SchedulerFlag, Tunnel, TunnelChecksum};
use crate::state::{
    Destination, DirectorState, Method, Netmask, ServiceFlags, ServiceKey, VirtualService,
};

/// The scheduling half of a state, one line for each service and each real server.
pub fn ipvsadm(state: &DirectorState) -> String {
    let mut text = String::new();
    for (key, service) in &state.services {
        let name = service_name(*key);
        text.push_str(&service_line(&name, *key, service));
        for destination in &service.destinations {
            text.push_str(&destination_line(&name, destination));
        }
    }
    text
}

fn service_name(key: ServiceKey) -> String {
    match key {
        ServiceKey::Mark { mark, family: Family::Ipv4 } => format!("-f {}", mark.get()),
        ServiceKey::Mark { mark, family: Family::Ipv6 } => format!("-f {} -6", mark.get()),
        ServiceKey::Address { address, protocol, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
            };
            format!("{option} {}", SocketAddr::new(address, port))
        }
    }
}

fn service_line(name: &str, key: ServiceKey, service: &VirtualService) -> String {
    let mut line = format!("-A {name} -s {}", service.scheduler);
    let flags: Vec<_> = [SchedulerFlag::Flag1, SchedulerFlag::Flag2, SchedulerFlag::Flag3]
        .into_iter()
        .filter(|&flag| service.flags.contains(flag.into()))
        .map(|flag| flag.to_string())
        .collect();
    if !flags.is_empty() {
        line += &format!(" -b {}", flags.join(","));
    }
    if service.flags.contains(ServiceFlags::PERSISTENT) {
        line += &format!(" -p {}", service.timeout);
        if service.netmask != Netmask::host(key.family()) {
            line += &format!(" -M {}", service.netmask.display(key.family()));
        }
    }
    if let Some(engine) = service.engine {
        line += &format!(" --pe {engine}");
    }
    if service.flags.contains(ServiceFlags::ONE_PACKET) {
        line += " -o";
    }
    line + "\n"
}

fn destination_line(name: &str, destination: &Destination) -> String {
    let server = match (destination.key.address, destination.key.port) {
        (std::net::IpAddr::V4(v4), port) => format!("{v4}:{port}"),
        (std::net::IpAddr::V6(v6), port) => format!("[{v6}]:{port}"),
    };
    let mut line = format!("-a {name} -r {server} {}", method(destination.method));
    line += &format!(" -w {}", destination.weight);
    if destination.upper_threshold != 0 || destination.lower_threshold != 0 {
        line += &format!(" -x {} -y {}", destination.upper_threshold, destination.lower_threshold);
    }
    line + "\n"
}

fn method(method: Method) -> String {
    let mut text = String::from(match method {
        Method::Nat => "-m",
        Method::Tunnel(_) => "-i",
        // The kernel makes "local" of any method by itself.
        Method::DirectRouting | Method::LocalNode | Method::Other(_) => "-g",
    });
    let (kind, checksum) = match method {
        Method::Tunnel(Tunnel::Gue { port, checksum }) => {
            (format!(" --tun-type gue --tun-port {port}"), checksum)
        }
        Method::Tunnel(Tunnel::Gre { checksum }) => (" --tun-type gre".to_owned(), checksum),
        _ => return text,
    };
    text += &kind;
    text += match checksum {
        TunnelChecksum::None => " --tun-nocsum",
        TunnelChecksum::Checksum => " --tun-csum",
        TunnelChecksum::Remote => " --tun-remcsum",
    };
    text
}
