//! What gives packets their marks in this run of the ring, and how a configuration asks
//! for it. One run has one backend; `tests/kernel/matrix` says which tests it has.

use std::sync::OnceLock;

/// The name of the environment variable that chooses.
const VARIABLE: &str = "FWMARKCTL_TEST_MARKS";

/// A backend that marks, in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Maps of our own table.
    Nftables,
    /// Chains of our own among those of iptables.
    Iptables {
        /// "nft" or "legacy", as in the names of its programs.
        variant: &'static str,
        /// Entries in sets of ipset, and not rules one after another.
        sets: bool,
    },
}

impl Marks {
    /// Those of this run.
    pub(crate) fn of_this_run() -> Self {
        static CHOSEN: OnceLock<Marks> = OnceLock::new();
        let of = |variant, sets| Self::Iptables { variant, sets };
        *CHOSEN.get_or_init(|| match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("nftables") => Self::Nftables,
            Ok("iptables-nft") => of("nft", false),
            Ok("iptables-nft-sets") => of("nft", true),
            Ok("iptables-legacy") => of("legacy", false),
            Ok("iptables-legacy-sets") => of("legacy", true),
            Ok(other) => panic!("{VARIABLE}={other}: there is no such backend"),
        })
    }

    /// All of them, each of which has little in common with its neighbours.
    pub(crate) const ALL: [Self; 5] = [
        Self::Nftables,
        Self::Iptables { variant: "legacy", sets: true },
        Self::Iptables { variant: "nft", sets: false },
        Self::Iptables { variant: "legacy", sets: false },
        Self::Iptables { variant: "nft", sets: true },
    ];

    /// Whether one rule marks several ports.
    pub(crate) fn in_rules(self) -> bool {
        matches!(self, Self::Iptables { sets: false, .. })
    }

    /// What `[director]` says to have them.
    fn keys(self) -> String {
        match self {
            Self::Nftables => String::from("backend = \"nftables\"\n"),
            Self::Iptables { variant, sets } => {
                let bound = if sets { 0 } else { 10_000 };
                format!("backend = \"iptables\"\nvariant = \"{variant}\"\nmax-rules = {bound}\n")
            }
        }
    }

    /// `config`, so that it asks for those of this run, unless it asks for some by itself.
    pub(crate) fn in_config(config: &str) -> String {
        match Self::of_this_run() {
            // The default.
            Self::Nftables => config.to_owned(),
            marks @ Self::Iptables { .. } => marks.configured(config),
        }
    }

    /// `config`, so that it asks for them, unless it asks for some by itself. A table
    /// `[director]` that it has gets the keys as well; else there is one at the end, where
    /// it moves no line of the others.
    pub(crate) fn configured(self, config: &str) -> String {
        let is_backend =
            |line: &str| line.split('=').next().is_some_and(|key| key.trim() == "backend");
        if config.lines().any(is_backend) {
            return config.to_owned();
        }
        let keys = self.keys();
        let has_table = config.lines().any(|line| line.trim() == "[director]");
        if !has_table {
            return format!("{config}\n[director]\n{keys}");
        }
        let more = |line: &str| match line.trim() {
            "[director]" => format!("{line}\n{keys}"),
            _ => format!("{line}\n"),
        };
        config.lines().map(more).collect()
    }
}
