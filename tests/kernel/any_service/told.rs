//! What `ipvsadm` says of services, as sets of options; and what it should say. Where it
//! does not tell all (ipvsadm 1.31) the expectation leaves it out:
//!
//! - marks from 2147483648 on are printed as negative numbers;
//! - `flag-3` of `sh` and `mh` is not printed, alone it leaves an empty `-b`;
//! - thresholds are not saved; `-L --thresholds` shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fwmarkctl::model::{Family, SchedulerFlag, Tunnel, TunnelChecksum};
use fwmarkctl::state::{
    Destination, DestinationKey, Method, Netmask, ServiceFlags, ServiceKey, ServiceTable,
    VirtualService,
};

/// Options with their values, such as `-s` and `rr`.
type Options = BTreeMap<String, String>;

/// A service and its real servers, by their names.
type Told = (Options, BTreeMap<String, Options>);

/// The lines of `ipvsadm -Sn`, a service with its real servers each, in the order of our
/// keys.
pub(super) fn saved(text: &str) -> Vec<Told> {
    let mut services: BTreeMap<ServiceKey, Told> = BTreeMap::new();
    for line in text.lines() {
        let mut options = options(line);
        let key = key(&options);
        if options.remove("-A").is_some() {
            services.entry(key).or_default().0 = options;
        } else {
            options.remove("-a").expect("a service or a real server");
            options.retain(|name, _| !NAMES.contains(&name.as_str()));
            let server = options.remove("-r").expect("a real server");
            services.entry(key).or_default().1.insert(server, options);
        }
    }
    services.into_values().collect()
}

/// The options that name a service.
const NAMES: [&str; 5] = ["-f", "-6", "-t", "-u", "--sctp-service"];

fn options(line: &str) -> Options {
    let mut options = Options::new();
    let mut words = line.split_whitespace().peekable();
    while let Some(option) = words.next() {
        // The value of -f may begin with a minus.
        let has_value = option == "-f" || words.peek().is_some_and(|word| !word.starts_with('-'));
        let value = if has_value { words.next().unwrap() } else { "" };
        options.insert(option.to_owned(), value.to_owned());
    }
    options
}

fn key(options: &Options) -> ServiceKey {
    if let Some(mark) = options.get("-f") {
        let mark: i64 = mark.parse().unwrap();
        let mark = if mark < 0 { mark + (1 << 32) } else { mark };
        let family = if options.contains_key("-6") { "ipv6" } else { "ipv4" };
        return format!("fwmark {mark} {family}").parse().unwrap();
    }
    let address = |option: &str, protocol: &str| {
        options.get(option).map(|place| format!("{protocol} {place}").parse().unwrap())
    };
    address("-t", "tcp")
        .or_else(|| address("-u", "udp"))
        .or_else(|| address("--sctp-service", "sctp"))
        .unwrap()
}

/// What `ipvsadm -Sn` should say of a service.
pub(super) fn as_saved(key: ServiceKey, service: &VirtualService) -> Told {
    let mut options = Options::new();
    let mut set = |name: &str, value: String| drop(options.insert(name.to_owned(), value));
    match key {
        ServiceKey::Mark { mark, family } => {
            set("-f", mark.get().cast_signed().to_string());
            if family == Family::Ipv6 {
                set("-6", String::new());
            }
        }
        ServiceKey::Address { address, protocol, port } => {
            let option = match protocol.as_str() {
                "tcp" => "-t",
                "udp" => "-u",
                _ => "--sctp-service",
            };
            set(option, place(address, port));
        }
    }
    set("-s", service.scheduler.to_string());
    let scheduler = service.scheduler.as_str();
    let flags =
        || SchedulerFlag::ALL.into_iter().filter(|flag| service.flags.contains((*flag).into()));
    if flags().next().is_some() {
        let is_told = |flag: &SchedulerFlag| {
            *flag != SchedulerFlag::Flag3 || !matches!(scheduler, "sh" | "mh")
        };
        let names: Vec<_> = flags().filter(is_told).map(|it| it.name_with(scheduler)).collect();
        set("-b", names.join(","));
    }
    if service.flags.contains(ServiceFlags::ONE_PACKET) {
        set("-o", String::new());
    }
    if service.flags.contains(ServiceFlags::PERSISTENT) {
        set("-p", service.timeout.to_string());
        if service.netmask != Netmask::host(key.family()) {
            set("-M", service.netmask.display(key.family()));
        }
    }
    if let Some(engine) = service.engine {
        set("--pe", engine.to_string());
    }
    let servers = service.destinations.iter().map(|it| (server(it.key), destination(it)));
    (options, servers.collect())
}

fn place(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

fn server(key: DestinationKey) -> String {
    place(key.address, key.port)
}

fn destination(destination: &Destination) -> Options {
    let mut options = Options::from([("-w".to_owned(), destination.weight.to_string())]);
    let mut set = |name: &str, value: &str| drop(options.insert(name.to_owned(), value.to_owned()));
    let checksum = |checksum| match checksum {
        TunnelChecksum::None => "--tun-nocsum",
        TunnelChecksum::Checksum => "--tun-csum",
        TunnelChecksum::Remote => "--tun-remcsum",
    };
    match destination.method {
        Method::DirectRouting => set("-g", ""),
        Method::Nat => set("-m", ""),
        Method::Tunnel(tunnel) => {
            set("-i", "");
            match tunnel {
                Tunnel::Ipip => set("--tun-type", "ipip"),
                Tunnel::Gue { port, checksum: sum } => {
                    set("--tun-type", "gue");
                    set("--tun-port", &port.to_string());
                    set(checksum(sum), "");
                }
                Tunnel::Gre { checksum: sum } => {
                    set("--tun-type", "gre");
                    set(checksum(sum), "");
                }
            }
        }
        other => panic!("{other} cannot be set"),
    }
    options
}

/// Real servers with their upper and lower thresholds, of all services together: which one
/// a line belongs to is told by the lines above, in another notation than elsewhere.
pub(super) fn thresholds(text: &str) -> BTreeSet<(String, String, String)> {
    let lines = text.lines().skip(3).filter_map(|line| line.trim().strip_prefix("-> "));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.map(|words| (words[0].to_owned(), words[1].to_owned(), words[2].to_owned())).collect()
}

/// The same of a table.
pub(super) fn thresholds_of(services: &ServiceTable) -> BTreeSet<(String, String, String)> {
    let servers = services.values().flat_map(|service| &service.destinations);
    servers
        .map(|it| {
            let bounds = (it.upper_threshold.to_string(), it.lower_threshold.to_string());
            (server(it.key), bounds.0, bounds.1)
        })
        .collect()
}
