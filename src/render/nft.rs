//! Text for `nft -f` (nft(8)).

use std::fmt::{self, Display, Write};

use crate::model::{Family, Mark, PortRange, Protocol};
use crate::state::{
    DirectorState, LedgerEntry, Lookup, MarkEntry, MarkKey, ServiceKey, Source, SourceEntry,
    SourceKey,
};

/// The families, and how names of this table end for each, and how rules begin.
const FAMILIES: [(Family, char, &str); 2] =
    [(Family::Ipv4, '4', "ip daddr"), (Family::Ipv6, '6', "ip6 daddr")];

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
    write_maps(text, state)?;
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
    write_branches(text)?;
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

/// The maps of marks: whole addresses with a port, whole addresses with any port, and for
/// each protocol ranges, and a shadow map, which is empty but while marks switch.
fn write_maps(text: &mut String, state: &DirectorState) -> fmt::Result {
    let entries = |lookup: Lookup, of: Family| {
        let all = state.marking.iter();
        all.filter(move |(key, _)| key.lookup() == lookup && key.family() == of)
    };
    for (family, digit, _) in FAMILIES {
        let kind = format!("{family}_addr . inet_proto . inet_service");
        let found = entries(Lookup::Exact, family);
        write_map(text, &format!("exact{digit}"), &kind, &["counter"], found)?;
    }
    for (family, digit, _) in FAMILIES {
        let kind = format!("{family}_addr . inet_proto");
        let found = entries(Lookup::Host, family);
        write_map(text, &format!("host{digit}"), &kind, &["counter"], found)?;
    }
    for (family, digit, _) in FAMILIES {
        for protocol in Protocol::ALL {
            let (name, kind) =
                (format!("range{digit}_{protocol}"), format!("{family}_addr . inet_service"));
            let found = entries(Lookup::Range, family).filter(|(key, _)| key.protocol == protocol);
            write_map(text, &name, &kind, &["flags interval", "counter"], found)?;
        }
    }
    for (family, digit, _) in FAMILIES {
        for protocol in Protocol::ALL {
            let (name, kind) =
                (format!("shadow{digit}_{protocol}"), format!("{family}_addr . inet_service"));
            // What the shadow maps hold is on its way out, and counts nothing.
            write_map(text, &name, &kind, &["flags interval"], std::iter::empty())?;
        }
    }
    Ok(())
}

fn write_map<'a>(
    text: &mut String,
    name: &str,
    kind: &str,
    more: &[&str],
    entries: impl Iterator<Item = (&'a MarkKey, &'a MarkEntry)>,
) -> fmt::Result {
    writeln!(text, "\tmap {name} {{")?;
    writeln!(text, "\t\ttype {kind} : mark")?;
    for line in more {
        writeln!(text, "\t\t{line}")?;
    }
    write_elements(text, entries.map(|(key, entry)| element(key, entry)))?;
    writeln!(text, "\t}}\n")
}

/// The chains to which those that mark send packets on.
fn write_branches(text: &mut String) -> fmt::Result {
    for (_, digit, address) in FAMILIES {
        for protocol in Protocol::ALL {
            writeln!(text, "\tchain {protocol}{digit} {{")?;
            for kind in ["range", "shadow"] {
                let map = format!("{kind}{digit}_{protocol}");
                writeln!(text, "\t\tmeta mark set {address} . th dport map @{map} accept")?;
            }
            writeln!(text, "\t}}\n")?;
        }
    }
    writeln!(text, "\tchain marking6 {{")?;
    write_less_exact(text, '6', "ip6 daddr")?;
    writeln!(text, "\t}}\n")
}

/// The rules that mark.
fn write_marking(text: &mut String) -> fmt::Result {
    for (_, digit, address) in FAMILIES {
        let key = format!("{address} . meta l4proto . th dport");
        writeln!(text, "\t\tmeta mark set {key} map @exact{digit} accept")?;
    }
    writeln!(text, "\t\tmeta nfproto ipv6 goto marking6")?;
    write_less_exact(text, '4', "ip daddr")
}

/// The rules for what no map of addresses with ports knows.
fn write_less_exact(text: &mut String, digit: char, address: &str) -> fmt::Result {
    writeln!(text, "\t\tmeta mark set {address} . meta l4proto map @host{digit} accept")?;
    for protocol in Protocol::ALL {
        writeln!(text, "\t\tmeta l4proto {protocol} goto {protocol}{digit}")?;
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
    let key = match key.lookup() {
        Lookup::Host => format!("{destination} . {protocol}"),
        Lookup::Exact => format!("{destination} . {protocol} . {}", Ports(*ports)),
        Lookup::Range => format!("{destination} . {}", Ports(*ports)),
    };
    format!("{key}{comment} : {mark:#010x}")
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
