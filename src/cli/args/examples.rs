//! What each command is used for, as it is typed: the end of its help, and its part of the
//! manual page.

/// A command by its whole name, and how it is called.
type Examples = (&'static str, &'static [&'static str]);

/// Those of all commands.
pub(super) const EXAMPLES: &[Examples] = &[
    ("check", &["fwmarkctl check", "fwmarkctl -c web.toml check"]),
    (
        "compile",
        &[
            "fwmarkctl compile --format nft | nft -f -",
            "fwmarkctl compile --format ipvsadm | ipvsadm -R",
        ],
    ),
    (
        "plan",
        &[
            "fwmarkctl plan",
            "fwmarkctl -o json plan --detailed-exitcode",
            "fwmarkctl plan --applied --detailed-exitcode",
        ],
    ),
    ("apply", &["fwmarkctl apply", "fwmarkctl apply --confirm-within 60s"]),
    ("watch", &["fwmarkctl watch", "fwmarkctl watch --no-apply --interval 1"]),
    ("confirm", &["fwmarkctl apply --confirm-within 60s", "fwmarkctl confirm"]),
    ("rollback", &["fwmarkctl rollback", "fwmarkctl rollback 12"]),
    (
        "replace",
        &["fwmarkctl replace new.toml --dry-run", "fwmarkctl replace --purge --apply <all.json"],
    ),
    (
        "history",
        &["fwmarkctl history", "fwmarkctl history show 12", "fwmarkctl history diff 11 12"],
    ),
    ("history show", &["fwmarkctl history show 12"]),
    ("history diff", &["fwmarkctl history diff 11 12"]),
    ("recover", &["fwmarkctl recover"]),
    ("status", &["fwmarkctl status web", "fwmarkctl status --check"]),
    ("stats", &["fwmarkctl stats web --exact", "fwmarkctl stats --rate --watch 2"]),
    ("zero", &["fwmarkctl zero web"]),
    (
        "connections",
        &[
            "fwmarkctl connections web --client 192.0.2.0/24",
            "fwmarkctl connections --real 172.18.100.11 --state established",
        ],
    ),
    ("clear", &["fwmarkctl clear", "fwmarkctl clear --yes"]),
    ("group", &["fwmarkctl group list", "fwmarkctl group set web --port 80,443 --apply"]),
    ("group list", &["fwmarkctl group list"]),
    ("group show", &["fwmarkctl group show web"]),
    (
        "group add",
        &[
            "fwmarkctl group add web --vip 172.18.100.7 --port 80,443 --mark 10 \\",
            "  --persistence pfwmc:300 --real 172.18.100.11 --real 172.18.100.12,weight=2",
        ],
    ),
    (
        "group set",
        &[
            "fwmarkctl group set web --port 80,443,443/udp --dry-run",
            "fwmarkctl group set web --unset persistence --apply",
        ],
    ),
    (
        "group put",
        &["fwmarkctl group put web web.json --dry-run", "fwmarkctl group put web <web.toml"],
    ),
    ("group remove", &["fwmarkctl group remove web --apply"]),
    ("group enable", &["fwmarkctl group enable web --apply"]),
    ("group disable", &["fwmarkctl group disable web --apply"]),
    (
        "real",
        &[
            "fwmarkctl real add web 172.18.100.13 --apply",
            "fwmarkctl real drain web 172.18.100.13 --remove",
        ],
    ),
    ("real add", &["fwmarkctl real add web 172.18.100.13 172.18.100.14,weight=2 --apply"]),
    ("real set", &["fwmarkctl real set web 172.18.100.12 weight=3 --apply"]),
    ("real remove", &["fwmarkctl real remove web 172.18.100.13 --apply"]),
    ("real drain", &["fwmarkctl real drain web 172.18.100.12 --timeout 30m"]),
    ("real restore", &["fwmarkctl real restore web 172.18.100.12"]),
    ("realserver", &["fwmarkctl realserver up", "fwmarkctl realserver status --check"]),
    (
        "realserver up",
        &[
            "fwmarkctl realserver up --dry-run",
            "fwmarkctl realserver up --vip 172.18.100.7 --method tun",
        ],
    ),
    ("realserver down", &["fwmarkctl realserver down"]),
    ("realserver status", &["fwmarkctl realserver status --check"]),
    ("preset", &["fwmarkctl preset list", "fwmarkctl preset show http3"]),
    ("preset list", &["fwmarkctl preset list"]),
    ("preset show", &["fwmarkctl preset show http3"]),
    ("export", &["fwmarkctl export >now.toml"]),
    ("doctor", &["fwmarkctl doctor web"]),
    (
        "import",
        &[
            "fwmarkctl import ipvsadm ipvs.rules iptables rules.v4 rules.v6",
            "ipvsadm -Sn | fwmarkctl import ipvsadm - nft ruleset.json",
        ],
    ),
    (
        "explain",
        &[
            "fwmarkctl explain E0213",
            "fwmarkctl explain 203.0.113.5:40000 172.18.100.7:443/tcp",
            "fwmarkctl explain 2001:db8:9::5 [2001:db8::7]:443/udp",
        ],
    ),
    ("top", &["fwmarkctl top", "fwmarkctl top web mail --interval 5"]),
    (
        "graph",
        &[
            "fwmarkctl graph >groups.svg",
            "fwmarkctl graph --live web >web.svg",
            "fwmarkctl graph --format dot | dot -Tpdf >groups.pdf",
        ],
    ),
    (
        "schema",
        &[
            "fwmarkctl schema             list them",
            "fwmarkctl schema config      of fwmarkctl.toml and groups.d/*.toml",
            "fwmarkctl schema real drain  of `fwmarkctl -o json real drain`",
            "fwmarkctl schema error       of what stands for an error",
        ],
    ),
    ("man", &["fwmarkctl man | man -l -", "fwmarkctl man fwmarkctl.toml | man -l -"]),
    ("completions", &["fwmarkctl completions bash >/etc/bash_completion.d/fwmarkctl"]),
];
