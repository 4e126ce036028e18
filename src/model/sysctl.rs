//! Kernel parameters of the network, by their names.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A parameter below `net`, as sysctl(8) writes it: `net.ipv4.vs.conntrack`. Those are the
/// ones that each network namespace has for itself. A dot within a device's name is written
/// as a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sysctl(String);

/// A text that names no parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no kernel parameter of the network, such as net.ipv4.vs.conntrack")]
pub struct InvalidSysctl(pub String);

/// What `ip_vs` has below `net.ipv4.vs`
/// (`Documentation/networking/ipvs-sysctl.rst` and `ip_vs_ctl.c` of Linux 6.18).
pub const IPVS_SYSCTLS: [&str; 34] = [
    "am_droprate",
    "amemthresh",
    "backup_only",
    "cache_bypass",
    "conn_lfactor",
    "conn_reuse_mode",
    "conntrack",
    "debug_level",
    "drop_entry",
    "drop_packet",
    "est_cpulist",
    "est_nice",
    "expire_nodest_conn",
    "expire_quiescent_template",
    "ignore_tunneled",
    "lblc_expiration",
    "lblcr_expiration",
    "nat_icmp_send",
    "pmtu_disc",
    "run_estimation",
    "schedule_icmp",
    "secure_tcp",
    "sloppy_sctp",
    "sloppy_tcp",
    "snat_reroute",
    "svc_lfactor",
    "sync_persist_mode",
    "sync_ports",
    "sync_qlen_max",
    "sync_refresh_period",
    "sync_retries",
    "sync_sock_size",
    "sync_threshold",
    "sync_version",
];

impl Sysctl {
    /// Whether packets of IPv4 are forwarded at all.
    pub fn ip_forward() -> Self {
        Self("net.ipv4.ip_forward".to_owned())
    }

    /// The same for IPv6.
    pub fn ipv6_forwarding() -> Self {
        Self("net.ipv6.conf.all.forwarding".to_owned())
    }

    /// A parameter of IPVS: one of [`IPVS_SYSCTLS`], or what another kernel has.
    pub fn of_ipvs(name: &str) -> Self {
        Self(format!("net.ipv4.vs.{name}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parameter's name within IPVS, where it is one of IPVS.
    pub fn ipvs_name(&self) -> Option<&str> {
        self.0.strip_prefix("net.ipv4.vs.")
    }

    /// Its file, which shows the network namespace of whoever opens it.
    pub fn path(&self) -> PathBuf {
        let part = |part: &str| part.replace('/', ".");
        let mut path = PathBuf::from("/proc/sys");
        path.extend(self.0.split('.').map(part));
        path
    }
}

impl FromStr for Sysctl {
    type Err = InvalidSysctl;

    /// Reads a whole name, or the short ones that the documentation of LVS uses:
    /// `ip_forward`, `vs.conntrack`. What has two names becomes the one that is used here.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = match text {
            "ip_forward" | "net.ipv4.conf.all.forwarding" => "net.ipv4.ip_forward".to_owned(),
            _ if text.starts_with("vs.") => format!("net.ipv4.{text}"),
            _ => text.to_owned(),
        };
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/@:".contains(&byte);
        let is_part = |part: &str| {
            // A slash stands for a dot, and ".." is another folder.
            let is_name = part.bytes().any(|byte| byte != b'/');
            is_name && part.bytes().all(letter)
        };
        let mut parts = name.split('.');
        if parts.next() != Some("net") || name.len() > 128 || name.split('.').count() < 3 {
            return Err(InvalidSysctl(text.to_owned()));
        }
        if !parts.all(is_part) {
            return Err(InvalidSysctl(text.to_owned()));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_those_of_the_documentation() {
        let parse = |text: &str| text.parse::<Sysctl>().expect(text);
        assert_eq!(parse("ip_forward"), Sysctl::ip_forward());
        assert_eq!(parse("net.ipv4.conf.all.forwarding"), Sysctl::ip_forward());
        assert_eq!(parse("vs.conntrack"), Sysctl::of_ipvs("conntrack"));
        assert_eq!(parse("net.ipv4.vs.conntrack").ipvs_name(), Some("conntrack"));
        let device = parse("net.ipv4.conf.eth0/100.rp_filter");
        assert!(device.path().ends_with("ipv4/conf/eth0.100/rp_filter"));
    }

    #[test]
    fn what_leads_out_of_the_network_is_refused() {
        for text in [
            "",
            "net",
            "net.ipv4",
            "kernel.panic",
            "net..ipv4.x",
            "net.ipv4.//.panic",
            "net.ipv4./.x",
            "net.ipv4.vs.con ntrack",
            "net.ipv4.vs.\u{e4}",
        ] {
            assert!(text.parse::<Sysctl>().is_err(), "{text}");
        }
    }
}
