//! The director itself: what the configuration says of the machine, beside its groups.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{Form, MarkRange, Marker, Share, Sysctl, Variant};

/// What writes the mark rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BackendKind {
    /// nftables, through netlink.
    #[default]
    Nftables,
    /// iptables, through `iptables-restore`.
    Iptables,
}

/// How many rules iptables gets for marks, where nothing else is said. A look into the sets
/// costs a packet as much as some hundred rules of iptables-legacy (docs/performance.md).
pub const DEFAULT_MAX_RULES: u32 = 100;

/// The settings of `[director]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorSettings {
    /// What writes the mark rules.
    pub backend: BackendKind,
    /// Which iptables, where the backend is iptables; `None` is the one that the machine's
    /// firewall uses.
    pub variant: Option<Variant>,
    /// How many rules iptables may get for marks; more become sets.
    pub max_rules: u32,
    /// Where automatic marks come from.
    pub marks: MarkRange,
    /// Whether what the director itself sends is marked too.
    pub local_traffic: bool,
    /// Who sees to it that the director takes packets for its VIPs.
    pub vips: VipPlace,
    /// Of what serves, more than this share goes with somebody's consent only.
    pub ask_above: Share,
    /// Kernel parameters, with the values that they get.
    pub sysctls: BTreeMap<Sysctl, String>,
    /// How long IPVS keeps connections, in seconds; what is not here stays as it is.
    pub timeouts: BTreeMap<Timeout, u32>,
    /// The synchronisation of connections with another director.
    pub sync: Option<Sync>,
}

impl DirectorSettings {
    /// What writes the marks. Where the configuration leaves it open which iptables does, and
    /// nobody has looked at the machine, it is `iptables-nft`, which is Debian's default.
    pub fn marker(&self) -> Marker {
        match self.backend {
            BackendKind::Nftables => Marker::Nftables,
            BackendKind::Iptables => Marker::Iptables(self.variant.unwrap_or(Variant::Nft)),
        }
    }

    /// In which form marks are written that take so many rules, which are counted only where
    /// that decides it.
    pub fn form(&self, rules: impl FnOnce() -> usize) -> Form {
        let is_iptables = self.backend == BackendKind::Iptables;
        if is_iptables && rules() as u64 > u64::from(self.max_rules) {
            Form::Sets
        } else {
            Form::Rules
        }
    }
}

impl Default for DirectorSettings {
    fn default() -> Self {
        Self {
            backend: BackendKind::default(),
            variant: None,
            max_rules: DEFAULT_MAX_RULES,
            marks: MarkRange::DEFAULT,
            local_traffic: false,
            vips: VipPlace::default(),
            ask_above: Share::HALF,
            sysctls: BTreeMap::new(),
            timeouts: BTreeMap::new(),
            sync: None,
        }
    }
}

/// Who sees to it that the director takes packets for its VIPs: IPVS only gets what is
/// delivered to the machine itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum VipPlace {
    /// Somebody else: keepalived, the administrator.
    #[default]
    Local,
    /// Routing: what is marked is local, without an address of the director's own.
    Route,
    /// The VIPs are addresses of this device.
    Bind(DeviceName),
}

/// How long IPVS keeps a connection that is idle, by its state (`ipvsadm --set`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timeout {
    /// TCP that is established.
    Tcp,
    /// TCP after a FIN.
    TcpFin,
    /// UDP.
    Udp,
}

impl Timeout {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::TcpFin, Self::Udp];

    /// The key in `[director.timeouts]`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::TcpFin => "tcp-fin",
            Self::Udp => "udp",
        }
    }
}

/// What a synchronisation daemon does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncRole {
    /// It sends this director's connections.
    Master,
    /// It takes another director's connections.
    Backup,
}

impl SyncRole {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Master, Self::Backup];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }
}

/// `[director.sync]`: which daemons run, and how they speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Which daemons.
    pub roles: Vec<SyncRole>,
    /// How they speak.
    pub channel: SyncChannel,
}

/// How a synchronisation daemon speaks. What is `None` the kernel chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncChannel {
    /// The device.
    pub interface: DeviceName,
    /// Which directors belong together; a backup with 0 takes those of any.
    pub id: u8,
    /// The multicast group; else 224.0.0.81.
    pub group: Option<IpAddr>,
    /// The UDP port; else 8848.
    pub port: Option<u16>,
    /// How many routers a message passes; else 1, which is none.
    pub ttl: Option<u8>,
    /// The most bytes of a message; else what the device takes.
    pub maxlen: Option<u16>,
}

impl SyncChannel {
    /// Whether a daemon that speaks like `found` speaks as this one wants it: what is
    /// left open here may be anything there.
    pub fn is_served_by(&self, found: &Self) -> bool {
        fn open<T: PartialEq + Copy>(wanted: Option<T>, found: Option<T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        self.interface == found.interface
            && self.id == found.id
            && open(self.group, found.group)
            && open(self.port, found.port)
            && open(self.ttl, found.ttl)
            // A device that takes less has the last word (`start_sync_thread`, `ip_vs_sync.c`).
            && self.maxlen.is_none_or(|most| found.maxlen.is_some_and(|bytes| bytes <= most))
    }
}

impl fmt::Display for SyncChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interface {} id {}", self.interface, self.id)?;
        for (key, value) in [
            ("group", self.group.map(|group| group.to_string())),
            ("port", self.port.map(|port| port.to_string())),
            ("ttl", self.ttl.map(|ttl| ttl.to_string())),
            ("maxlen", self.maxlen.map(|maxlen| maxlen.to_string())),
        ] {
            if let Some(value) = value {
                write!(f, " {key} {value}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for SyncChannel {
    type Err = ();

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.split(' ');
        let mut value_of = |key: &str| {
            (words.next() == Some(key)).then(|| words.next()).flatten().map(str::to_owned)
        };
        let mut channel = Self {
            interface: value_of("interface").ok_or(())?.parse().map_err(|_| ())?,
            id: value_of("id").ok_or(())?.parse().map_err(|_| ())?,
            group: None,
            port: None,
            ttl: None,
            maxlen: None,
        };
        while let Some(key) = words.next() {
            let value = words.next().ok_or(())?;
            match key {
                "group" => channel.group = Some(value.parse().map_err(|_| ())?),
                "port" => channel.port = Some(value.parse().map_err(|_| ())?),
                "ttl" => channel.ttl = Some(value.parse().map_err(|_| ())?),
                "maxlen" => channel.maxlen = Some(value.parse().map_err(|_| ())?),
                _ => return Err(()),
            }
        }
        Ok(channel)
    }
}

/// A network device's name: 1 to 15 bytes without a slash, a colon or white space
/// (`dev_valid_name`, `net/core/dev.c`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(String);

/// A text that names no network device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no network device: 1 to 15 characters, no space, slash or colon")]
pub struct InvalidDeviceName(pub String);

impl DeviceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeviceName {
    type Err = InvalidDeviceName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_odd = |letter: char| letter == '/' || letter == ':' || !letter.is_ascii_graphic();
        if text.is_empty()
            || text.len() > 15
            || text == "."
            || text == ".."
            || text.contains(is_odd)
        {
            return Err(InvalidDeviceName(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_reads_back_from_its_words() {
        for text in [
            "interface eth1 id 7",
            "interface eth1.5 id 0 group ff05::8 port 8848 ttl 2 maxlen 1400",
        ] {
            let channel: SyncChannel = text.parse().expect(text);
            assert_eq!(channel.to_string(), text);
        }
        for text in ["", "interface eth1", "interface eth1 id 256", "interface eth1 id 7 group"] {
            assert!(text.parse::<SyncChannel>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_channel_leaves_open_may_be_anything() {
        let found: SyncChannel = "interface eth1 id 7 group 224.0.0.81 port 8848 ttl 1 maxlen 1472"
            .parse()
            .expect("one");
        let serves = |text: &str| text.parse::<SyncChannel>().expect(text).is_served_by(&found);
        assert!(serves("interface eth1 id 7") && serves("interface eth1 id 7 ttl 1"));
        assert!(!serves("interface eth1 id 8") && !serves("interface eth1 id 7 ttl 2"));
    }

    #[test]
    fn devices_have_names_that_the_kernel_takes() {
        for name in ["eth0", "br-lan", "eth0.100", "a23456789012345"] {
            assert_eq!(name.parse::<DeviceName>().expect(name).as_str(), name);
        }
        for name in ["", ".", "..", "a/b", "a b", "a:1", "a234567890123456", "\u{e4}"] {
            assert!(name.parse::<DeviceName>().is_err(), "{name}");
        }
    }
}
