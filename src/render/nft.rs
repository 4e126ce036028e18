//! Text for `nft -f` (nft(8)).

use std::fmt::{self, Display, Write};

use crate::model::{Family, Mark, PortRange};
use crate::state::{
    DirectorState, LedgerEntry, Lookup, MarkEntry, MarkKey, ServiceKey, Source, SourceEntry,
    SourceKey,
};

/// The names and types of the maps, and the rule that looks each up: first whole
/// addresses with a port, then whole addresses with any port, then ranges; and the shadow
/// maps, which are empty but while marks switch.
const MAPS: [(&str, &str, &str); 8] = [
    ("exact4", "ipv4_addr . inet_proto . inet_service", "ip daddr . meta l4proto . th dport"),
    ("exact6", "ipv6_addr . inet_proto . inet_service", "ip6 daddr . meta l4proto . th dport"),
    ("host4", "ipv4_addr . inet_proto", "ip daddr . meta l4proto"),
    ("host6", "ipv6_addr . inet_proto", "ip6 daddr . meta l4proto"),
    ("range4", "ipv4_addr . inet_proto . inet_service", "ip daddr . meta l4proto . th dport"),
    ("range6", "ipv6_addr . inet_proto . inet_service", "ip6 daddr . meta l4proto . th dport"),
    ("shadow4", "ipv4_addr . inet_proto . inet_service", "ip daddr . meta l4proto . th dport"),
    ("shadow6", "ipv6_addr . inet_proto . inet_service", "ip6 daddr . meta l4proto . th dport"),
];

/// The names and types of the ledger's sets.
const LEDGER: [(&str, &str); 3] = [
    ("services", "mark . nf_proto"),
    ("services4", "ipv4_addr . inet_proto . inet_service"),
    ("services6", "ipv6_addr . inet_proto . inet_service"),
];

/// The marking half of a state as a script for `nft -f`. It replaces the table, whatever
/// is in it, in one transaction; loading it twice is loading it once.
pub fn nft(state: &DirectorState) -> String {
    let mut text = String::new();
    match write_table(&mut text, state) {
        Ok(()) => text,
        Err(fmt::Error) => unreachable!("writing to a string cannot fail"),
    }
}

fn write_table(text: &mut String, state: &DirectorState) -> fmt::Result {
    writeln!(text, "add table inet fwmarkctl")?;
    writeln!(text, "delete table inet fwmarkctl")?;
    if state.is_empty() {
        return Ok(());
    }
    writeln!(text, "table inet fwmarkctl {{")?;
    for (name, kind, _) in MAPS {
        writeln!(text, "\tmap {name} {{")?;
        writeln!(text, "\t\ttype {kind} : mark")?;
        if name.starts_with("range") || name.starts_with("shadow") {
            writeln!(text, "\t\tflags interval")?;
        }
        // What the shadow maps hold is on its way out.
        if !name.starts_with("shadow") {
            writeln!(text, "\t\tcounter")?;
        }
        let entries = state.marking.iter().filter(|(key, _)| map_of(key) == name);
        write_elements(text, entries.map(|(key, entry)| element(key, entry)))?;
        writeln!(text, "\t}}\n")?;
    }
    for (name, kind) in LEDGER {
        writeln!(text, "\tset {name} {{")?;
        writeln!(text, "\t\ttype {kind}")?;
        let entries = state.ledger_entries().filter(|(key, _)| ledger_of(*key) == name);
        write_elements(text, entries.map(|(key, entry)| ledger_element(key, &entry)))?;
        writeln!(text, "\t}}\n")?;
    }
    for (name, family) in [("masquerade4", Family::Ipv4), ("masquerade6", Family::Ipv6)] {
        writeln!(text, "\tset {name} {{")?;
        writeln!(text, "\t\ttype mark . {family}_addr")?;
        let of = |(key, entry): &(&SourceKey, &SourceEntry)| {
            entry.source == Source::Masquerade && key.family() == family
        };
        write_elements(text, state.sources.iter().filter(of).map(source_element))?;
        writeln!(text, "\t}}\n")?;
    }
    for (name, family) in [("source4", Family::Ipv4), ("source6", Family::Ipv6)] {
        writeln!(text, "\tmap {name} {{")?;
        writeln!(text, "\t\ttype mark . {family}_addr : {family}_addr")?;
        let of = |(key, entry): &(&SourceKey, &SourceEntry)| {
            entry.source != Source::Masquerade && key.family() == family
        };
        write_elements(text, state.sources.iter().filter(of).map(source_element))?;
        writeln!(text, "\t}}\n")?;
    }
    writeln!(text, "\tchain ledger {{\n\t}}\n")?;
    writeln!(text, "\tchain prerouting {{")?;
    writeln!(text, "\t\ttype filter hook prerouting priority mangle; policy accept;")?;
    write_marking(text)?;
    writeln!(text, "\t}}")?;
    if state.chains().defragment {
        writeln!(text, "\n\tchain defragment {{")?;
        writeln!(text, "\t\ttype filter hook prerouting priority raw; policy accept;")?;
        writeln!(text, "\t\tmeta mark 1 meta mark 2 meta l4proto udp tproxy ip to :1")?;
        writeln!(text, "\t}}")?;
    }
    if state.chains().output {
        writeln!(text, "\n\tchain output {{")?;
        writeln!(text, "\t\ttype route hook output priority mangle; policy accept;")?;
        writeln!(text, "\t\tmeta mark != 0 accept")?;
        write_marking(text)?;
        writeln!(text, "\t}}")?;
    }
    if state.chains().postrouting {
        writeln!(text, "\n\tchain postrouting {{")?;
        writeln!(text, "\t\ttype nat hook postrouting priority srcnat; policy accept;")?;
        writeln!(text, "\t\tmeta mark . ip daddr @masquerade4 masquerade")?;
        writeln!(text, "\t\tmeta mark . ip6 daddr @masquerade6 masquerade")?;
        writeln!(text, "\t\tsnat ip to meta mark . ip daddr map @source4")?;
        writeln!(text, "\t\tsnat ip6 to meta mark . ip6 daddr map @source6")?;
        writeln!(text, "\t}}")?;
    }
    writeln!(text, "}}")
}

/// The rules that look up the maps of marks.
fn write_marking(text: &mut String) -> fmt::Result {
    for (name, _, key) in MAPS {
        writeln!(text, "\t\tmeta mark set {key} map @{name} accept")?;
    }
    Ok(())
}

fn write_elements(text: &mut String, elements: impl Iterator<Item = String>) -> fmt::Result {
    let mut separator = "\t\telements = { ";
    let mut any = false;
    for element in elements {
        write!(text, "{separator}{element}")?;
        separator = ",\n\t\t\t     ";
        any = true;
    }
    if any { writeln!(text, " }}") } else { Ok(()) }
}

/// The map that holds `key`.
fn map_of(key: &MarkKey) -> &'static str {
    match (key.lookup(), key.family()) {
        (Lookup::Exact, Family::Ipv4) => "exact4",
        (Lookup::Exact, Family::Ipv6) => "exact6",
        (Lookup::Host, Family::Ipv4) => "host4",
        (Lookup::Host, Family::Ipv6) => "host6",
        (Lookup::Range, Family::Ipv4) => "range4",
        (Lookup::Range, Family::Ipv6) => "range6",
    }
}

/// The ledger's set that holds `key`.
fn ledger_of(key: ServiceKey) -> &'static str {
    match (key, key.family()) {
        (ServiceKey::Mark { .. }, _) => "services",
        (ServiceKey::Address { .. }, Family::Ipv4) => "services4",
        (ServiceKey::Address { .. }, Family::Ipv6) => "services6",
    }
}

fn ledger_element(key: ServiceKey, entry: &LedgerEntry) -> String {
    let key = match key {
        ServiceKey::Mark { mark, family } => format!("{:#010x} . {family}", mark.get()),
        ServiceKey::Address { address, protocol, port } => {
            format!("{address} . {protocol} . {port}")
        }
    };
    format!("{key} comment \"{}\"", entry.to_comment())
}

fn source_element((key, entry): (&SourceKey, &SourceEntry)) -> String {
    let SourceKey { mark, server } = key;
    let comment =
        entry.group.as_ref().map_or_else(String::new, |group| format!(" comment \"{group}\""));
    let value = match entry.source {
        Source::Masquerade => String::new(),
        Source::Address(address) => format!(" : {address}"),
    };
    format!("{:#010x} . {server}{comment}{value}", mark.get())
}

fn element(key: &MarkKey, entry: &MarkEntry) -> String {
    let MarkKey { destination, protocol, ports } = key;
    let mark = entry.mark.map_or(0, Mark::get);
    let comment =
        entry.group.as_ref().map_or_else(String::new, |group| format!(" comment \"{group}\""));
    if key.lookup() == Lookup::Host {
        return format!("{destination} . {protocol}{comment} : {mark:#010x}");
    }
    format!("{destination} . {protocol} . {}{comment} : {mark:#010x}", Ports(*ports))
}

/// Ports as nft takes them; "any" is a range like any other there.
struct Ports(PortRange);

impl Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_single() {
            write!(f, "{}", self.0.first())
        } else {
            write!(f, "{}-{}", self.0.first(), self.0.last())
        }
    }
}
