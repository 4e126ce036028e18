//! The options of a line as a service or a real server.

use std::net::{IpAddr, Ipv4Addr};

use super::options::{Listens, Options};
use crate::import::words;
use crate::model::{
    Family, KernelName, MAX_THRESHOLD, MAX_TIMEOUT, MAX_WEIGHT, Mark, Scheduler, Tunnel,
    TunnelChecksum,
};
use crate::state::{
    Destination, DestinationKey, Method, Netmask, ServiceFlags, ServiceKey, VirtualService,
};

/// What `-p` without a time is (ipvsadm(8)).
const DEFAULT_TIMEOUT: u32 = 360;

/// The service of an `-A` line, without real servers.
pub(super) fn service(options: &Options) -> Result<(ServiceKey, VirtualService), String> {
    let key = key(options)?;
    let family = key.family();
    let (scheduler, mut flags) = scheduler(options)?;
    let mut timeout = 0;
    if let Some(time) = &options.persistent {
        flags = flags.with(ServiceFlags::PERSISTENT);
        timeout = match time {
            None => DEFAULT_TIMEOUT,
            Some(text) => match text.parse() {
                Ok(seconds) if (1..=MAX_TIMEOUT).contains(&seconds) => seconds,
                _ => {
                    return Err(format!(
                        "a persistence of '{text}' s is beyond 1 to {MAX_TIMEOUT}"
                    ));
                }
            },
        };
    }
    if options.one_packet {
        flags = flags.with(ServiceFlags::ONE_PACKET);
    }
    let netmask = match options.value("--netmask") {
        None => Netmask::host(family),
        Some(text) => netmask(text, family)
            .ok_or_else(|| format!("'{text}' is no netmask of {family} without holes"))?,
    };
    let service = VirtualService {
        group: None,
        recorded: false,
        scheduler,
        flags,
        timeout,
        netmask,
        engine: options.value("--pe").map(kernel_name).transpose()?,
        destinations: Vec::new(),
    };
    Ok((key, service))
}

/// The real server of an `-a` line, and whose it is.
pub(super) fn server(options: &Options) -> Result<(ServiceKey, Destination), String> {
    let key = key(options)?;
    let text = options.value("--real-server").ok_or("it names no real server (-r)")?;
    let (address, port) = place(text)?;
    let port = match (port, key) {
        (Some(port), _) | (None, ServiceKey::Address { port, .. }) => port,
        (None, ServiceKey::Mark { .. }) => 0,
    };
    let number = |option: &str, default: u32, most: u32| match options.value(option) {
        None => Ok(default),
        Some(text) => match text.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(format!("{option} {text} is beyond 0 to {most}")),
        },
    };
    let destination = Destination {
        key: DestinationKey { address, port },
        method: method(options)?,
        weight: number("--weight", 1, MAX_WEIGHT)?,
        upper_threshold: number("--u-threshold", 0, MAX_THRESHOLD)?,
        lower_threshold: number("--l-threshold", 0, MAX_THRESHOLD)?,
    };
    Ok((key, destination))
}

fn key(options: &Options) -> Result<ServiceKey, String> {
    match options.listens.as_ref().ok_or("it names no service (-t, -u, --sctp-service or -f)")? {
        Listens::Mark(text) => {
            let number = words::number(text).ok_or_else(|| format!("'{text}' is no mark"))?;
            let mark = Mark::new(number);
            let mark = mark.ok_or("mark 0 means \"not marked\", and cannot be a group's")?;
            let family = if options.ipv6 { Family::Ipv6 } else { Family::Ipv4 };
            Ok(ServiceKey::Mark { mark, family })
        }
        Listens::To(protocol, text) => {
            let (address, port) = place(text)?;
            let port = port.unwrap_or(0);
            Ok(ServiceKey::Address { address, protocol: *protocol, port })
        }
    }
}

/// `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`; the port may be a name.
fn place(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    if let Ok(address) = text.parse() {
        return Ok((address, None));
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let address = host.parse().map_err(|_| {
        format!("'{host}' is a name, and names are not looked up: give the output of ipvsadm -Sn")
    })?;
    let number = |name: &str| {
        words::port(name).ok_or_else(|| {
            format!("'{name}' is no port that is known here: give the output of ipvsadm -Sn")
        })
    };
    Ok((address, port.map(number).transpose()?))
}

fn scheduler(options: &Options) -> Result<(KernelName, ServiceFlags), String> {
    let name = kernel_name(options.value("--scheduler").unwrap_or("wlc"))?;
    let names = options.value("--sched-flags").unwrap_or_default();
    let names = names.split(',').filter(|name| !name.is_empty());
    let scheduler = Scheduler::with_flags(name, names).map_err(|error| error.to_string())?;
    let flags = scheduler.flags().iter().map(|&flag| ServiceFlags::from(flag));
    Ok((name, flags.fold(ServiceFlags::default(), ServiceFlags::with)))
}

fn kernel_name(text: &str) -> Result<KernelName, String> {
    text.parse().map_err(|error: crate::model::InvalidKernelName| error.to_string())
}

/// A mask for IPv4, a length for IPv6.
fn netmask(text: &str, family: Family) -> Option<Netmask> {
    let length = match family {
        Family::Ipv4 => {
            let bits = text.parse::<Ipv4Addr>().ok()?.to_bits();
            let length = bits.leading_ones();
            (bits.count_ones() == length).then(|| u8::try_from(length).ok())??
        }
        Family::Ipv6 => text.parse().ok()?,
    };
    (1..=family.bits()).contains(&length).then(|| Netmask::from_length(family, length))
}

fn method(options: &Options) -> Result<Method, String> {
    match options.method {
        'm' => return Ok(Method::Nat),
        'i' => {}
        _ => return Ok(Method::DirectRouting),
    }
    let checksum = match options.value("checksum") {
        Some("--tun-csum") => TunnelChecksum::Checksum,
        Some("--tun-remcsum") => TunnelChecksum::Remote,
        _ => TunnelChecksum::None,
    };
    let tunnel = match options.value("--tun-type").unwrap_or("ipip") {
        "ipip" => Tunnel::Ipip,
        "gre" => Tunnel::Gre { checksum },
        "gue" => {
            let text = options.value("--tun-port").ok_or("a tunnel by gue needs --tun-port")?;
            let port = text.parse().ok().filter(|port| *port != 0);
            let port = port.ok_or_else(|| format!("'{text}' is no port"))?;
            Tunnel::Gue { port, checksum }
        }
        other => return Err(format!("'{other}' is no kind of tunnel: ipip, gue or gre")),
    };
    Ok(Method::Tunnel(tunnel))
}
