//! What can be written on the command line of those that edit files: `group` and `real`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{WhichServer, duration};
use crate::config::{NewServer, ServerName, ServerSetting, Setting};

/// How an edit is carried out.
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent option")]
pub struct EditOptions {
    /// Apply the result; a failure puts the file back
    #[arg(long, help_heading = None, display_order = 0)]
    pub apply: bool,
    /// With --apply: return unless `confirm` comes
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "apply")]
    #[arg(help_heading = None, display_order = 0)]
    pub confirm_within: Option<Duration>,
    /// With --apply: do not ask before much goes
    #[arg(long, requires = "apply", help_heading = None, display_order = 0)]
    pub yes: bool,
    /// Show what would change; write nothing
    #[arg(long, help_heading = None, display_order = 0)]
    pub dry_run: bool,
    /// Do not wait for another fwmarkctl: exit with 5
    #[arg(long, help_heading = None, display_order = 0)]
    pub no_wait: bool,
}

/// What to do with the groups.
#[derive(Debug, Clone, Subcommand)]
pub enum GroupCommand {
    /// List them: file, VIPs, ports, number of real servers
    List,
    /// Show one: what it comes to, and the TOML that defines it
    Show {
        /// Which
        #[arg(value_name = "GROUP")]
        group: String,
    },
    /// Add one, by default in a file of its own in groups.d
    Add(Box<GroupAdd>),
    /// Set keys of one; what is not named stays
    Set(Box<GroupSet>),
    /// Make one what a document says, as TOML or JSON: what it does not name goes
    Put(GroupPut),
    /// Remove one from its file
    Remove(GroupEdit),
    /// Take one in again that was disabled
    Enable(GroupEdit),
    /// Take one out of the kernel with the next apply, and keep its definition and its mark
    Disable(GroupEdit),
}

/// A group, and how it is edited.
#[derive(Debug, Clone, Args)]
pub struct GroupEdit {
    /// Which
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// The keys of a group.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What it is")]
pub struct GroupKeys {
    /// Addresses or prefixes for clients (repeatable)
    #[arg(long = "vip", value_name = "VIP,…", value_delimiter = ',')]
    pub vips: Vec<String>,
    /// 80 (is tcp), 443/udp, 8000-8100, any (repeatable)
    #[arg(long = "port", value_name = "PORT,…", value_delimiter = ',')]
    pub ports: Vec<String>,
    /// Presets, such as http,https (repeatable)
    #[arg(long = "service", value_name = "NAME,…", value_delimiter = ',')]
    pub services: Vec<String>,
    /// Its mark: 10 or 0xa; with ppc 80/tcp=10,443/tcp=11
    #[arg(long, value_parser = Setting::mark, allow_negative_numbers = true)]
    pub mark: Option<Setting>,
    /// What its services listen to: mark or address
    #[arg(long, value_parser = Setting::via)]
    pub via: Option<Setting>,
    /// A scheduler and its flags: wlc, mh,fallback,port
    #[arg(long, value_name = "NAME", value_parser = Setting::scheduler)]
    pub scheduler: Option<Setting>,
    /// Schedule each UDP packet by itself
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "true", hide_possible_values = true)]
    pub one_packet: Option<bool>,
    /// none, ppc, pcc, pfwmc; pfwmc:300,netmask=24,netmask6=64,engine=sip
    #[arg(long, value_name = "MODE", value_parser = Setting::persistence)]
    pub persistence: Option<Setting>,
    /// dr, nat, fullnat, tun; tun:gue:PORT:csum or :remcsum, tun:gre:csum
    #[arg(long, value_name = "METHOD", value_parser = Setting::forward)]
    pub forward: Option<Setting>,
    /// With fullnat: what replaces clients' addresses
    #[arg(long, value_name = "ADDRESS", value_parser = Setting::snat)]
    pub snat: Option<Setting>,
}

impl GroupKeys {
    /// What was named, as settings.
    pub fn settings(&self) -> Vec<Setting> {
        let list = |key, items: &[String]| (!items.is_empty()).then(|| Setting::list(key, items));
        let ports = (!self.ports.is_empty()).then(|| Setting::ports(&self.ports));
        let one_packet = self.one_packet.map(|value| Setting::switch("one-packet", value));
        let words = [
            &self.mark,
            &self.via,
            &self.scheduler,
            &one_packet,
            &self.persistence,
            &self.forward,
            &self.snat,
        ];
        let lists = [list("vips", &self.vips), ports, list("services", &self.services)];
        lists.into_iter().flatten().chain(words.into_iter().flatten().cloned()).collect()
    }
}

/// A group that is added.
#[derive(Debug, Clone, Args)]
pub struct GroupAdd {
    /// Its name
    #[arg(value_name = "NAME")]
    pub group: String,
    /// Its keys
    #[command(flatten)]
    pub keys: GroupKeys,
    /// 10.0.0.1,weight=2, keys of `real add` (repeatable)
    #[arg(long = "real", value_name = "SERVER")]
    pub servers: Vec<NewServer>,
    /// Keep it out of the kernel until it is enabled
    #[arg(long)]
    pub disabled: bool,
    /// The file that it is written to, one that is read
    #[arg(long, value_name = "FILE", help_heading = None, display_order = 0)]
    pub file: Option<PathBuf>,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// A group that becomes what a document says.
#[derive(Debug, Clone, Args)]
pub struct GroupPut {
    /// Which
    #[arg(value_name = "NAME")]
    pub group: String,
    /// The document; '-' is standard input
    #[arg(value_name = "DOCUMENT", default_value = "-")]
    pub document: PathBuf,
    /// The file of a new one, one that is read
    #[arg(long, value_name = "FILE", help_heading = None, display_order = 0)]
    pub file: Option<PathBuf>,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// What the whole configuration becomes.
#[derive(Debug, Clone, Args)]
pub struct ReplaceOptions {
    /// The document; '-' is standard input
    #[arg(value_name = "DOCUMENT", default_value = "-")]
    pub document: PathBuf,
    /// Remove the files of groups.d, too
    #[arg(long, help_heading = None, display_order = 0)]
    pub purge: bool,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// Keys of a group that are set.
#[derive(Debug, Clone, Args)]
pub struct GroupSet {
    /// Which
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Its keys
    #[command(flatten)]
    pub keys: GroupKeys,
    /// Take a key out: it is the default again (repeatable)
    #[arg(long, value_name = "KEY", help_heading = None, display_order = 0)]
    pub unset: Vec<String>,
    /// Of `group add`; here others do that
    #[arg(long, hide = true, value_parser = of_real_servers)]
    pub real: Option<String>,
    /// Of `group add`; here others do that
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "true")]
    #[arg(value_parser = of_disable)]
    pub disabled: Option<String>,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// Names the commands that change the real servers of a group.
fn of_real_servers(_: &str) -> Result<String, String> {
    Err("real servers are changed by: fwmarkctl real add, set or remove".to_owned())
}

/// Names the command that disables a group.
fn of_disable(_: &str) -> Result<String, String> {
    Err("that is: fwmarkctl group disable, or enable".to_owned())
}

/// Real servers that are added to a group.
#[derive(Debug, Clone, Args)]
pub struct RealAdd {
    /// The group
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Its address, and what is not as with the others: port, weight, forward,
    /// upper-threshold, lower-threshold
    #[arg(value_name = "ADDRESS[,KEY=VALUE…]", required = true)]
    pub servers: Vec<NewServer>,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// Keys of a real server that are set.
#[derive(Debug, Clone, Args)]
pub struct RealSet {
    /// Which
    #[command(flatten)]
    pub which: WhichServer,
    /// port, weight, forward, upper-threshold or lower-threshold
    #[arg(value_name = "KEY=VALUE")]
    pub settings: Vec<ServerSetting>,
    /// Take a key out: it is the default again (repeatable)
    #[arg(long, value_name = "KEY", help_heading = None, display_order = 0)]
    pub unset: Vec<String>,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}

/// Real servers that are removed from a group.
#[derive(Debug, Clone, Args)]
pub struct RealRemove {
    /// The group
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Its address, and its port where several have it
    #[arg(value_name = "ADDRESS[:PORT]", required = true)]
    pub servers: Vec<ServerName>,
    /// How
    #[command(flatten)]
    pub how: EditOptions,
}
