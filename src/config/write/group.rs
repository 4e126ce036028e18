//! One `[group.NAME]`.

use crate::model::{
    Forwarding, Group, Listeners, Mark, MarkChoice, Mode, Persistence, RealServer, Scheduler,
    Tunnel, TunnelChecksum, Via,
};

use super::super::forwarding::GUE_PORT;
use super::super::scheduler::DEFAULT as DEFAULT_SCHEDULER;
use super::table::{Table, inline, quoted, time};

/// The order in which the keys of a group are written: what clients see, how they are dealt,
/// who serves them.
pub(in crate::config) const ORDER: &[&str] = &[
    "vips",
    "ports",
    "services",
    "mark",
    "marks",
    "via",
    "scheduler",
    "one-packet",
    "persistence",
    "forward",
    "snat",
    "real",
    "enabled",
];

/// The table of a group.
pub(super) fn table(group: &Group) -> String {
    let mut table = Table::new(&["group", group.name.as_str()]);
    table.set_list("vips", group.vips.iter().map(quoted).collect());
    let mode = group.persistence.as_ref().map(|persistence| persistence.mode);
    match &group.listeners {
        Listeners::Any if mode == Some(Mode::Pcc) => {}
        Listeners::Any => table.set_list("ports", vec![quoted("any")]),
        Listeners::Ports(ports) => {
            table.set_list("ports", ports.iter().map(quoted).collect());
        }
    }
    match &group.marks {
        MarkChoice::Automatic => {}
        MarkChoice::Fixed(chosen) => table.set("mark", mark(*chosen)),
        MarkChoice::PerListener(marks) if marks.is_empty() => {}
        MarkChoice::PerListener(marks) => {
            let names: Vec<_> = marks.keys().map(ToString::to_string).collect();
            let rows = names.iter().zip(marks.values());
            let rows: Vec<_> = rows.map(|(name, chosen)| (name.as_str(), mark(*chosen))).collect();
            table.set("marks", inline(&rows));
        }
    }
    if group.via == Via::Address {
        table.set("via", quoted("address"));
    }
    if let Some(scheduler) = scheduler(&group.scheduler) {
        table.set("scheduler", scheduler);
    }
    if group.one_packet {
        table.set("one-packet", true);
    }
    if let Some(kept) = &group.persistence {
        table.set("persistence", persistence(kept));
    }
    let usual = usual(&group.real_servers);
    if usual != Forwarding::default() {
        table.set("forward", forward(usual));
    }
    match group.snat.as_slice() {
        [] => {}
        [only] => table.set("snat", quoted(only)),
        several => table.set_list("snat", several.iter().map(quoted).collect()),
    }
    let servers = group.real_servers.iter().map(|server| real_server(server, usual));
    table.set_list("real", servers.collect());
    if !group.enabled {
        table.set("enabled", false);
    }
    table.text()
}

/// A number, as people write those of their size.
fn mark(mark: Mark) -> String {
    let text = mark.to_string();
    if text.starts_with("0x") { quoted(text) } else { text }
}

/// The scheduler; none where it is the one without a word.
fn scheduler(scheduler: &Scheduler) -> Option<String> {
    let name = scheduler.name();
    if scheduler.flags().is_empty() {
        return (name.as_str() != DEFAULT_SCHEDULER).then(|| quoted(name));
    }
    let flag = |flag: &crate::model::SchedulerFlag| {
        let long = flag.name_with(name.as_str());
        // Beside the scheduler the short name is enough.
        let short = long.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('-'));
        quoted(short.unwrap_or(long))
    };
    let flags: Vec<_> = scheduler.flags().iter().map(flag).collect();
    Some(inline(&[("name", quoted(name)), ("flags", format!("[{}]", flags.join(", ")))]))
}

fn persistence(persistence: &Persistence) -> String {
    let mode = quoted(persistence.mode);
    let usual = Persistence::new(persistence.mode);
    if *persistence == usual {
        return mode;
    }
    let mut rows = vec![("mode", mode)];
    if persistence.timeout() != usual.timeout() {
        rows.push(("timeout", time(persistence.timeout())));
    }
    if persistence.netmask() != usual.netmask() {
        rows.push(("netmask", persistence.netmask().to_string()));
    }
    if persistence.netmask6() != usual.netmask6() {
        rows.push(("netmask6", persistence.netmask6().to_string()));
    }
    if let Some(engine) = persistence.engine {
        rows.push(("engine", quoted(engine)));
    }
    inline(&rows)
}

/// How most real servers are reached; of several that are as many, the first's.
fn usual(servers: &[RealServer]) -> Forwarding {
    let count = |forwarding| servers.iter().filter(|it| it.forwarding == forwarding).count();
    let mut most = (0, Forwarding::default());
    for server in servers {
        // More than half have it: nobody else can have more.
        if 2 * most.0 > servers.len() {
            break;
        }
        let counted = count(server.forwarding);
        if counted > most.0 {
            most = (counted, server.forwarding);
        }
    }
    most.1
}

fn forward(forwarding: Forwarding) -> String {
    let tunnel = |kind: &str, port: Option<u16>, checksum: TunnelChecksum| {
        let mut rows = vec![("type", quoted(kind))];
        rows.extend(port.map(|port| ("port", port.to_string())));
        match checksum {
            TunnelChecksum::None => {}
            TunnelChecksum::Checksum => rows.push(("checksum", quoted("csum"))),
            TunnelChecksum::Remote => rows.push(("checksum", quoted("remcsum"))),
        }
        inline(&rows)
    };
    match forwarding {
        Forwarding::Tunnel(Tunnel::Gue { port, checksum }) => {
            tunnel("gue", Some(port).filter(|port| *port != GUE_PORT), checksum)
        }
        Forwarding::Tunnel(Tunnel::Gre { checksum }) => tunnel("gre", None, checksum),
        other => quoted(other.as_str()),
    }
}

/// An address alone where there is nothing else to say.
fn real_server(server: &RealServer, usual: Forwarding) -> String {
    let mut rows = vec![("address", quoted(server.address))];
    rows.extend(server.port.map(|port| ("port", port.to_string())));
    if server.weight != 1 {
        rows.push(("weight", server.weight.to_string()));
    }
    if server.forwarding != usual {
        rows.push(("forward", forward(server.forwarding)));
    }
    for (key, bound) in
        [("upper-threshold", server.upper_threshold), ("lower-threshold", server.lower_threshold)]
    {
        if bound != 0 {
            rows.push((key, bound.to_string()));
        }
    }
    match rows.as_slice() {
        [(_, address)] => address.clone(),
        rows => inline(rows),
    }
}
