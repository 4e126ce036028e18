//! What can be written on the command line. Reading it has no side effects.

mod edit;
mod examples;
mod help;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::ServerName;
use crate::model::{BackendKind, Prefix, Protocol, Share};

pub use edit::{
    EditOptions, GroupAdd, GroupCommand, GroupEdit, GroupKeys, GroupPut, GroupSet, RealAdd,
    RealRemove, RealSet, ReplaceOptions,
};
pub use help::{definitions, read};

/// Firewall marks and IPVS virtual services as one thing.
#[derive(Debug, Parser)]
#[command(name = "fwmarkctl", version, disable_help_subcommand = true)]
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
    /// Read this file, not /etc/fwmarkctl ('-' is standard input; repeatable)
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

impl From<Backend> for BackendKind {
    fn from(backend: Backend) -> Self {
        match backend {
            Backend::Nftables => Self::Nftables,
            Backend::Iptables => Self::Iptables,
        }
    }
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
    Compile {
        /// For which tool: nft, ipvsadm, iptables, ip6tables, or json for programs
        #[arg(long, value_name = "FORMAT", default_value = "json", hide_possible_values = true)]
        format: CompileFormat,
    },
    /// Show what an apply would change; write nothing
    Plan(PlanOptions),
    /// Make the kernel hold what the configuration says, as one transaction
    #[command(after_help = "Exit codes: 0 done or in sync, 1 failed, the state before stands, \
                            2 nothing was\ntried, 4 neither done nor undone, 5 another one is at \
                            work")]
    Apply(ApplyOptions),
    /// Apply, then stay and repair what others change, as it happens
    #[command(
        after_help = "SIGHUP applies the configuration anew; SIGTERM and SIGINT end the watch.\n\
                            What is repaired is the last generation: the watch follows an apply or a\n\
                            rollback by somebody else."
    )]
    Watch(WatchOptions),
    /// Keep what `apply --confirm-within` tries
    Confirm {
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// Return to an earlier generation; while a trial waits, to the state before it
    Rollback {
        /// Which; without a number the one before, whose state is another
        #[arg(value_name = "GENERATION")]
        generation: Option<u64>,
        /// Show what would change; change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// List the generations: what was applied, when, by whom, how it ended
    History {
        /// What to show instead of the list
        #[command(subcommand)]
        what: Option<HistoryCommand>,
    },
    /// Finish or undo an interrupted transaction; every command that writes does it first
    Recover {
        /// Forget the interrupted transaction or trial, and leave the kernel as it is
        #[arg(long)]
        abandon: bool,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// Wait for the end of a trial, and return to the state before when nobody confirms it
    #[command(hide = true)]
    AwaitConfirmation,
    /// Show the groups: marks, services, real servers, connections
    Status {
        /// Only these groups
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
        /// Exit with 3 when the kernel differs from the configuration
        #[arg(long)]
        check: bool,
    },
    /// Show what was marked and what was scheduled, side by side, with rates
    #[command(after_help = "IPVS adds up its counters every 2 seconds; marks count at once.")]
    Stats(StatsOptions),
    /// Watch the groups live on a terminal; drain and restore real servers
    #[command(after_help = "? shows the keys. A terminal that knows no more (TERM=dumb) gets a \
                            table each time,\nand Ctrl-C ends it. For programs there is \
                            `fwmarkctl -o json stats --rate --watch 2`.")]
    Top(TopOptions),
    /// Count from zero: marks, services and real servers of the groups
    Zero {
        /// Only these groups
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// List the connections of IPVS, and the templates of persistent clients
    Connections(ConnectionsOptions),
    /// Remove all that is ours from the kernel, and nothing else
    Clear {
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Show what would go; change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// Make the main file what a document says, as TOML or JSON, all of it
    Replace(ReplaceOptions),
    /// Show the groups of the configuration, and edit them in their files
    #[command(subcommand)]
    Group(GroupCommand),
    /// Edit the real servers of a group; drain one, or give it clients again
    #[command(subcommand)]
    Real(RealCommand),
    /// Prepare a real server, on that machine: VIPs, ARP, tunnel device
    #[command(subcommand, name = "realserver")]
    RealServer(RealServerCommand),
    /// The named services that `services` takes; needs no privilege
    #[command(subcommand)]
    Preset(PresetCommand),
    /// Print what this director holds of ours as a configuration; read none
    #[command(
        after_help = "What a configuration cannot say is told on standard error, and as comments."
    )]
    Export,
    /// Look for what on this director would stop traffic, and say what mends it
    #[command(after_help = "Exit codes: 0 nothing stops traffic, 3 something does")]
    Doctor {
        /// Only these groups
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Make groups of what other tools hold, as TOML; say what is in no group, and why
    #[command(after_help = "Before its files stands the format: ipvsadm (ipvsadm -Sn), iptables \
                            (iptables-save),\nnft (nft -j list ruleset), keepalived, ldirectord; \
                            '-' is standard input.\n\
                            Exit codes: 0 all was turned, 2 a file cannot be read, 3 something \
                            was not turned")]
    Import {
        /// Formats, each before its files
        #[arg(value_name = "FORMAT FILE", required = true)]
        files: Vec<String>,
    },
    /// Explain what would happen to a packet here and now, or an error's or a finding's code
    #[command(
        after_help = "Exit codes for a packet: 0 a real server gets it, 3 it is refused or lost"
    )]
    Explain {
        /// An error's code, such as E0213, a finding's, such as D0201, or a packet's client
        #[arg(value_name = "CODE|CLIENT[:PORT]")]
        subject: String,
        /// Where the client's packet goes; without a protocol it is tcp
        #[arg(value_name = "VIP:PORT/PROTO")]
        target: Option<PacketTarget>,
    },
    /// Draw the groups: VIPs and ports, marks, virtual services, real servers
    Graph(GraphOptions),
    /// Print the JSON Schema of the configuration, or of what a command prints with -o json
    Schema {
        /// config, error, or a command
        #[arg(value_name = "NAME")]
        of: Vec<String>,
    },
    /// Print a manual page
    Man {
        /// fwmarkctl, or fwmarkctl.toml for the configuration
        #[arg(value_name = "PAGE", default_value = "fwmarkctl", hide_possible_values = true)]
        page: Page,
    },
    /// Print the completions of a shell
    Completions {
        /// Of which shell: bash, zsh or fish
        #[arg(value_name = "SHELL", hide_possible_values = true)]
        shell: Shell,
    },
    /// Say what could stand in the place of the last word; the scripts of the shells ask
    #[command(hide = true)]
    CompleteWords {
        /// The words behind the program's name
        #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// What to compare with the kernel.
#[derive(Debug, Clone, Args)]
pub struct PlanOptions {
    /// Exit with 3 when something would change
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// Show what `apply --adopt` would change
    #[arg(long)]
    pub adopt: bool,
    /// Compare with what was applied last; read no configuration
    #[arg(long)]
    pub applied: bool,
}

/// How to apply.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent option")]
pub struct ApplyOptions {
    /// Return to the state before unless `confirm` comes within
    /// this time (60s, 5m, at most 24h)
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "boot")]
    pub confirm_within: Option<Duration>,
    /// Restore the last confirmed generation, as a boot does
    #[arg(long)]
    pub boot: bool,
    /// Take over services of somebody else on our marks
    #[arg(long)]
    pub adopt: bool,
    /// Do not ask before much goes out of service
    #[arg(long)]
    pub yes: bool,
    /// Ask above this share, such as 80%, whatever is configured
    #[arg(long, value_name = "SHARE", conflicts_with = "yes")]
    pub ask_above: Option<Share>,
    /// Do not wait for another fwmarkctl: exit with 5
    #[arg(long)]
    pub no_wait: bool,
}

/// What to do with a real server of a group.
#[derive(Debug, Clone, Subcommand)]
pub enum RealCommand {
    /// Add real servers to a group, in its file
    Add(RealAdd),
    /// Set keys of a real server, in its file
    Set(RealSet),
    /// Remove real servers from a group, in its file; `drain --remove` waits for their clients
    Remove(RealRemove),
    /// Take no new clients, and wait until those that are there have gone
    #[command(
        after_help = "Sets its weight to 0 in the file, applies that, and waits. Ctrl-C ends the\n\
                            waiting and nothing else; the same command goes on with it.\n\
                            Exit codes: 0 drained, 1 connections are left, 2 nothing was tried"
    )]
    Drain(DrainOptions),
    /// Give it the weight back that it had before it was drained
    Restore {
        /// The real server
        #[command(flatten)]
        which: WhichServer,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
}

/// A real server of a group.
#[derive(Debug, Clone, Args)]
pub struct WhichServer {
    /// The group
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Its address, and its port where several have it
    #[arg(value_name = "ADDRESS[:PORT]")]
    pub server: ServerName,
}

/// How to drain.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent option")]
pub struct DrainOptions {
    /// The real server
    #[command(flatten)]
    pub which: WhichServer,
    /// How long to wait (60s, 5m, at most 24h)
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub timeout: Duration,
    /// Remove it from its group when it is drained
    #[arg(long)]
    pub remove: bool,
    /// Drain even the last one; remove when the time is over
    #[arg(long)]
    pub force: bool,
    /// Do not wait for the clients that it has
    #[arg(long, conflicts_with = "remove")]
    pub detach: bool,
    /// Do not wait for another fwmarkctl: exit with 5
    #[arg(long)]
    pub no_wait: bool,
}

/// What to show of the presets.
#[derive(Debug, Clone, Subcommand)]
pub enum PresetCommand {
    /// List them: name, ports, description
    List,
    /// Show one: ports, where they are assigned, and the TOML that defines it
    Show {
        /// Which
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// What to do on a real server.
#[derive(Debug, Clone, Subcommand)]
pub enum RealServerCommand {
    /// Make this machine take packets for the VIPs, and keep silent about them
    Up {
        /// For what
        #[command(flatten)]
        which: RealServerOptions,
        /// Show the steps; change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// Undo what `up` did, and nothing else
    Down {
        /// Show the steps; change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do not wait for another fwmarkctl: exit with 5
        #[arg(long)]
        no_wait: bool,
    },
    /// Show each VIP, parameter and device, and whether it is as it should be
    Status {
        /// For what
        #[command(flatten)]
        which: RealServerOptions,
        /// Exit with 3 when something is missing
        #[arg(long)]
        check: bool,
    },
}

/// For which VIPs a real server is prepared, and how.
#[derive(Debug, Clone, Args)]
pub struct RealServerOptions {
    /// A VIP, instead of those of the configuration, which is not read (repeatable)
    #[arg(long = "vip", value_name = "ADDRESS")]
    pub vips: Vec<Prefix>,
    /// Only this group, instead of those with an address of this machine (repeatable)
    #[arg(long = "group", value_name = "NAME", conflicts_with = "vips")]
    pub groups: Vec<String>,
    /// How packets come: dr, tun or nat; without it as the groups say, else dr
    #[arg(long, value_name = "METHOD", hide_possible_values = true)]
    pub method: Option<RealServerMethod>,
    /// With nat: the director, which has to be the default route
    #[arg(long, value_name = "ADDRESS")]
    pub director: Option<IpAddr>,
}

/// How packets come to a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RealServerMethod {
    /// Direct routing
    Dr,
    /// IP in IP
    Tun,
    /// Address translation
    Nat,
}

/// How to watch.
#[derive(Debug, Clone, Args)]
pub struct WatchOptions {
    /// How often to look at IPVS, which tells nobody when it changes (0.1 to 3600)
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = interval)]
    pub interval: Duration,
    /// Begin with what was applied last, whatever the configuration says
    #[arg(long)]
    pub no_apply: bool,
}

/// What to show of the counters, and how.
#[derive(Debug, Clone, Args)]
pub struct StatsOptions {
    /// Only these groups
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Show what came each second, measured over 2 seconds or the time of --watch, instead
    /// of totals
    #[arg(long)]
    pub rate: bool,
    /// Show it again and again (2 to 3600)
    #[arg(long, value_name = "SECONDS", value_parser = pause)]
    pub watch: Option<Duration>,
    /// Show whole numbers instead of k, M, G (thousands)
    #[arg(long)]
    pub exact: bool,
}

/// What to watch live.
#[derive(Debug, Clone, Args)]
pub struct TopOptions {
    /// Only these groups
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// How often to read the counters (2 to 3600)
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = pause)]
    pub interval: Duration,
}

/// Which connections to list.
#[derive(Debug, Clone, Args)]
pub struct ConnectionsOptions {
    /// Only these groups
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Only those of this client or network
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<Prefix>,
    /// Only those to this real server, or to one port of it
    #[arg(long, value_name = "ADDRESS[:PORT]", value_parser = Place::from_str)]
    pub real: Option<Place>,
    /// Only those in this state, by the kernel's word for it, such as established
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only templates: what ties persistent clients to real servers
    #[arg(long)]
    pub templates: bool,
}

/// How to draw.
#[derive(Debug, Clone, Args)]
pub struct GraphOptions {
    /// Only these groups
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// In which language: svg for browsers, mermaid for wikis, dot for Graphviz
    #[arg(long, value_name = "FORMAT", default_value = "svg", hide_possible_values = true)]
    pub format: GraphFormat,
    /// Show how many connections each real server has; needs the kernel
    #[arg(long)]
    pub live: bool,
}

/// A manual page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// The command, in section 8
    #[value(name = "fwmarkctl")]
    Command,
    /// The configuration, in section 5
    #[value(name = "fwmarkctl.toml")]
    Config,
}

/// A shell that completes what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// The GNU shell
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly one
    Fish,
}

/// In which language to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// One file that a browser shows
    Svg,
    /// For wikis and forges
    Mermaid,
    /// For Graphviz
    Dot,
}

/// An address, and a port where one is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: Option<u16>,
}

/// What to show of the history.
#[derive(Debug, Clone, Subcommand)]
pub enum HistoryCommand {
    /// Show one generation with its state
    Show {
        /// Which
        #[arg(value_name = "GENERATION")]
        generation: u64,
    },
    /// Show what differs between two generations
    Diff {
        /// From which
        #[arg(value_name = "FROM")]
        from: u64,
        /// To which
        #[arg(value_name = "TO")]
        to: u64,
    },
}

/// Reads a time: `60s`, `5m`, `1h`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (text, "s"),
    };
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("a number with s, m or h, such as 60s".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "a number with s, m or h, such as 60s")?;
    match number.checked_mul(factor) {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("between 1s and 24h".to_owned()),
    }
}

/// Reads a number of seconds, of which parts may be given: `5`, `0.5`.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, such as 5")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(interval) if (0.1..=3600.0).contains(&seconds) => Ok(interval),
        _ => Err("between 0.1 and 3600 seconds".to_owned()),
    }
}

/// Reads a number of seconds that IPVS's counters allow.
fn pause(text: &str) -> Result<Duration, String> {
    let outside = "between 2 and 3600 seconds: IPVS adds up its counters every 2";
    interval(text).ok().filter(|pause| pause.as_secs() >= 2).ok_or_else(|| outside.to_owned())
}

/// Reads an address with or without a port: `10.0.0.1`, `10.0.0.1:80`, `[2001:db8::1]:80`.
impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self { address, port: None });
        }
        let place: SocketAddr = text
            .parse()
            .map_err(|_| "an address, such as 10.0.0.1, 10.0.0.1:80 or [2001:db8::1]:80")?;
        Ok(Self { address: place.ip(), port: Some(place.port()) })
    }
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketTarget {
    /// The address.
    pub address: IpAddr,
    /// The port; not 0.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

impl FromStr for PacketTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "an address, a port and a protocol, such as 172.18.100.7:443/tcp or \
                     [2001:db8::7]:443/udp";
        let (place, protocol) = match text.rsplit_once('/') {
            Some((place, name)) => {
                let known = Protocol::ALL.into_iter().find(|known| known.as_str() == name);
                (place, known.ok_or("the protocol is one of tcp, udp, sctp")?)
            }
            None => (text, Protocol::Tcp),
        };
        let place: SocketAddr = place.parse().map_err(|_| wrong)?;
        if place.port() == 0 {
            return Err("port 0 is none".to_owned());
        }
        Ok(Self { address: place.ip(), port: place.port(), protocol })
    }
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
