//! What can be written on the command line. Reading it has no side effects.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Firewall marks and IPVS virtual services as one thing.
#[derive(Debug, Parser)]
#[command(
    name = "fwmarkctl",
    version,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        fwmarkctl check                    is the configuration right?\n  \
        fwmarkctl plan                     what would an apply change?\n  \
        fwmarkctl apply                    change it, as one transaction\n  \
        fwmarkctl -c examples/web.toml compile --format nft"
)]
pub struct Arguments {
    /// What holds for every command
    #[command(flatten)]
    pub global: Global,
    /// What to do; without a command: status
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Read this file instead of /etc/fwmarkctl ('-' is standard input; repeatable)
    #[arg(short, long = "config", value_name = "FILE", global = true)]
    pub config: Vec<PathBuf>,
    /// Where the history is kept
    #[arg(long, value_name = "DIR", global = true, default_value = "/var/lib/fwmarkctl")]
    pub state_dir: PathBuf,
    /// Where what a reboot forgets is kept
    #[arg(long, value_name = "DIR", global = true, default_value = "/run/fwmarkctl")]
    pub run_dir: PathBuf,
    /// What marks packets, whatever the configuration says: nftables or iptables
    #[arg(long, value_name = "BACKEND", global = true, hide_possible_values = true)]
    pub backend: Option<Backend>,
    /// How to print: text or json
    #[arg(short, long, value_name = "FORMAT", global = true, default_value = "text")]
    #[arg(hide_possible_values = true)]
    pub output: OutputFormat,
    /// When to colour: auto, always or never
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    #[arg(hide_possible_values = true)]
    pub color: ColorChoice,
    /// Say more on standard error (repeatable)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print nothing but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What marks packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// nftables, by netlink
    Nftables,
    /// iptables, by iptables-restore
    Iptables,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Check the configuration; touch no kernel
    Check,
    /// Print what the configuration becomes, for other tools
    #[command(after_help = "Examples:\n  fwmarkctl compile --format nft | nft -f -\n  \
                            fwmarkctl compile --format ipvsadm | ipvsadm -R")]
    Compile {
        /// For which tool: nft, ipvsadm, iptables, ip6tables, or json for programs
        #[arg(long, value_name = "FORMAT", default_value = "json", hide_possible_values = true)]
        format: CompileFormat,
    },
    /// Show what an apply would change; write nothing
    Plan {
        /// Exit with 3 when something would change
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Make the kernel hold what the configuration says, as one transaction
    #[command(after_help = "Exit codes: 0 done or in sync, 1 failed and the state from before \
                            stands,\n2 nothing was tried, 4 neither done nor undone, 5 another one is at work")]
    Apply {
        /// Take over services that somebody else made on our marks
        #[arg(long)]
        adopt: bool,
        /// Exit with 5 when another fwmarkctl is at work, instead of waiting for it
        #[arg(long)]
        no_wait: bool,
    },
    /// Show the groups: marks, services, real servers, connections
    Status {
        /// Only these groups
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
        /// Exit with 3 when the kernel differs from the configuration
        #[arg(long)]
        check: bool,
    },
    /// Remove all that is ours from the kernel, and nothing else
    Clear {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Explain an error of the configuration, with an example
    Explain {
        /// The code that an error shows in brackets, such as E0213
        #[arg(value_name = "CODE")]
        code: String,
    },
    /// Print the completions of a shell
    Completions {
        /// Of which shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
}

/// For which tool to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompileFormat {
    /// For nft -f
    Nft,
    /// For iptables-restore
    Iptables,
    /// For ip6tables-restore
    Ip6tables,
    /// For ipvsadm -R
    Ipvsadm,
    /// For programs
    Json,
}
