//! The keys of the format, table by table.

/// The keys that a table may have.
pub(super) struct Keys {
    /// What the table is, for messages.
    pub(super) of: &'static str,
    /// The keys.
    pub(super) names: &'static [&'static str],
    /// What other programs call things, and what to write here instead.
    pub(super) others: &'static [(&'static str, &'static str)],
}

/// The document itself.
pub(super) const DOCUMENT: Keys = Keys {
    of: "the configuration",
    names: &["director", "group"],
    others: &[
        ("virtual_server", "a group is a table of its own: [group.NAME]"),
        ("virtual_server_group", "a group is a table of its own: [group.NAME]"),
        ("global_defs", "settings of the director are in [director]"),
    ],
};

/// `[director]`.
pub(super) const DIRECTOR: Keys = Keys {
    of: "[director]",
    names: &[
        "backend",
        "variant",
        "max-rules",
        "marks",
        "local-traffic",
        "vips",
        "interface",
        "ask-above",
        "sysctl",
        "timeouts",
        "sync",
    ],
    others: &[
        ("mark", "the range of automatic marks is 'marks'"),
        ("lvs_sync_daemon", "the synchronisation of connections is [director.sync]"),
        ("lvs_timeouts", "the timeouts of connections are [director.timeouts]"),
        ("timeout", "the timeouts of connections are [director.timeouts]"),
        ("sysctls", "kernel parameters are [director.sysctl]"),
    ],
};

/// `[director.timeouts]`.
pub(super) const TIMEOUTS: Keys = Keys {
    of: "[director.timeouts]",
    names: &["tcp", "tcp-fin", "udp"],
    others: &[("tcpfin", "the timeout of TCP after a FIN is 'tcp-fin'")],
};

/// `[director.sync]`.
pub(super) const SYNC: Keys = Keys {
    of: "[director.sync]",
    names: &["role", "interface", "id", "group", "port", "ttl", "maxlen"],
    others: &[
        ("state", "what the daemon does is 'role': master, backup or both"),
        ("mcast-interface", "the device is 'interface'"),
        ("syncid", "the number of the directors that belong together is 'id'"),
        ("mcast-group", "the multicast group is 'group'"),
        ("mcast-port", "the UDP port is 'port'"),
        ("mcast-ttl", "the time to live is 'ttl'"),
        ("sync-maxlen", "the most bytes of a message are 'maxlen'"),
    ],
};

/// `[group.NAME]`.
pub(super) const GROUP: Keys = Keys {
    of: "a group",
    names: &[
        "vips",
        "ports",
        "services",
        "mark",
        "marks",
        "via",
        "persistence",
        "scheduler",
        "one-packet",
        "forward",
        "snat",
        "real",
        "enabled",
    ],
    others: &[
        ("address", "the addresses that clients connect to are 'vips'"),
        ("virtual", "the addresses that clients connect to are 'vips'"),
        ("fwmark", "the mark of a group is 'mark'"),
        ("protocol", "the protocol is part of each port: ports = [\"80/tcp\"]"),
        ("lb_algo", "the scheduler is 'scheduler'"),
        ("lvs_sched", "the scheduler is 'scheduler'"),
        ("lb_kind", "the forwarding method is 'forward': dr, nat, tun or fullnat"),
        ("lvs_method", "the forwarding method is 'forward': dr, nat, tun or fullnat"),
        ("ops", "one-packet scheduling is 'one-packet'"),
        (
            "flags",
            "flags belong to the scheduler: scheduler = { name = \"mh\", flags = [\"port\"] }",
        ),
        ("timeout", "the timeout belongs to persistence: { mode = \"pfwmc\", timeout = \"300s\" }"),
        ("netmask", "the netmask belongs to persistence: { mode = \"pfwmc\", netmask = 24 }"),
        (
            "persistence_timeout",
            "the timeout belongs to persistence: { mode = \"pfwmc\", timeout = \"300s\" }",
        ),
        ("real_server", "each real server is a [[group.NAME.real]] of its own"),
        ("realserver", "each real server is a [[group.NAME.real]] of its own"),
        ("servers", "the real servers are 'real'"),
        ("backends", "the real servers are 'real'"),
    ],
};

/// `[[group.NAME.real]]`.
pub(super) const REAL_SERVER: Keys = Keys {
    of: "a real server",
    names: &["address", "port", "weight", "forward", "upper-threshold", "lower-threshold"],
    others: &[
        ("ip", "the address of a real server is 'address'"),
        ("host", "the address of a real server is 'address'"),
        ("uthreshold", "the upper threshold is 'upper-threshold'"),
        ("lthreshold", "the lower threshold is 'lower-threshold'"),
    ],
};

/// `persistence = { … }`.
pub(super) const PERSISTENCE: Keys = Keys {
    of: "persistence",
    names: &["mode", "timeout", "netmask", "netmask6", "engine"],
    others: &[("pe", "the persistence engine is 'engine'")],
};

/// `scheduler = { … }`.
pub(super) const SCHEDULER: Keys = Keys { of: "scheduler", names: &["name", "flags"], others: &[] };

/// `forward = { … }`.
pub(super) const TUNNEL: Keys =
    Keys { of: "a tunnel", names: &["type", "port", "checksum"], others: &[] };

/// A file of presets.
pub(super) const PRESET: Keys =
    Keys { of: "a preset", names: &["description", "source", "ports"], others: &[] };

/// A key with a value that it takes, as it is written.
pub(super) fn example(key: &str) -> Option<&'static str> {
    Some(match key {
        "director" => "[director]",
        "group" => "[group.NAME]",
        "backend" => "backend = \"nftables\"",
        "variant" => "variant = \"auto\"",
        "max-rules" => "max-rules = 100",
        "local-traffic" => "local-traffic = false",
        "vips" => "vips = [\"172.18.100.7\"]",
        "ports" => "ports = [\"80/tcp\", \"443/tcp\"]",
        "services" => "services = [\"http\", \"https\"]",
        "mark" => "mark = 10",
        "marks" => "marks = { \"80/tcp\" = 80, \"443/tcp\" = 443 }",
        "via" => "via = \"mark\"",
        "persistence" => "persistence = \"pfwmc\"",
        "mode" => "mode = \"pfwmc\"",
        "timeout" => "timeout = \"300s\"",
        "netmask" => "netmask = 24",
        "netmask6" => "netmask6 = 64",
        "engine" => "engine = \"sip\"",
        "scheduler" => "scheduler = \"wlc\"",
        "name" => "name = \"mh\"",
        "flags" => "flags = [\"fallback\", \"port\"]",
        "one-packet" => "one-packet = true",
        "forward" => "forward = \"dr\"",
        "type" => "type = \"gue\"",
        "port" => "port = 8080",
        "checksum" => "checksum = \"csum\"",
        "real" => "real = [\"172.18.100.11\", { address = \"172.18.100.12\", weight = 2 }]",
        "enabled" => "enabled = false",
        "address" => "address = \"172.18.100.11\"",
        "weight" => "weight = 2",
        "upper-threshold" => "upper-threshold = 200",
        "lower-threshold" => "lower-threshold = 100",
        "description" => "description = \"The shop's tills\"",
        "snat" => "snat = \"10.20.0.5\"",
        "interface" => "interface = \"eth0\"",
        "ask-above" => "ask-above = \"50%\"",
        "sysctl" => "[sysctl]",
        "timeouts" => "[timeouts]",
        "sync" => "[sync]",
        "tcp" => "tcp = \"900s\"",
        "tcp-fin" => "tcp-fin = \"120s\"",
        "udp" => "udp = \"300s\"",
        "role" => "role = \"both\"",
        "id" => "id = 7",
        "ttl" => "ttl = 1",
        "maxlen" => "maxlen = 1472",
        "source" => "source = \"https://wiki.example.org/tills\"",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_an_example_that_is_toml() {
        let tables = [
            DOCUMENT,
            DIRECTOR,
            TIMEOUTS,
            SYNC,
            GROUP,
            REAL_SERVER,
            PERSISTENCE,
            SCHEDULER,
            TUNNEL,
            PRESET,
        ];
        for key in tables.iter().flat_map(|table| table.names) {
            let example = example(key).unwrap_or_else(|| panic!("{key} has no example"));
            assert!(example.parse::<toml::Table>().is_ok(), "{example}");
            assert!(example.trim_start_matches('[').starts_with(key), "{example}");
        }
    }
}
