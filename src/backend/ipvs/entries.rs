//! The kernel's list of connections, line by line (`/proc/net/ip_vs_conn`,
//! `ip_vs_conn_seq_show` in `net/netfilter/ipvs/ip_vs_conn.c`). There is no netlink
//! message for it.

use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A connection, or a persistence template, whose client port is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'l> {
    /// `TCP`, `UDP`, `SCTP`; `IP` for the template of a mark.
    pub protocol: &'l str,
    /// The client's port.
    pub client_port: u16,
    /// What the client connects to; for the template of a mark the mark as an address.
    pub virtual_address: IpAddr,
    /// Its port.
    pub virtual_port: u16,
    /// The real server.
    pub server: IpAddr,
    /// Its port.
    pub server_port: u16,
    /// In the kernel's word: `ESTABLISHED`, `SYN_RECV`, `UDP`.
    pub state: &'l str,
}

impl Entry<'_> {
    /// Whether it is no connection, but where those of a known client go.
    pub fn is_template(&self) -> bool {
        self.client_port == 0
    }

    /// The mark of a template of a mark (`ip_vs_sched_persist`: the address is the mark,
    /// for IPv6 in its first 32 bits).
    pub fn template_mark(&self) -> Option<u32> {
        match self.virtual_address {
            _ if self.protocol != "IP" || !self.is_template() => None,
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(address) => u32::try_from(address.to_bits() >> 96).ok(),
        }
    }
}

/// Reads a list, and shows each entry.
///
/// # Errors
/// What the file system says. Lines that are no entries are passed over.
pub fn each_entry(mut list: impl BufRead, mut show: impl FnMut(&Entry<'_>)) -> io::Result<()> {
    let mut line = String::new();
    while list.read_line(&mut line)? > 0 {
        if let Some(entry) = entry(&line) {
            show(&entry);
        }
        line.clear();
    }
    Ok(())
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let mut words = line.split_ascii_whitespace();
    let mut word = || words.next();
    let protocol = word()?;
    word()?;
    let client_port = port(word()?)?;
    let (virtual_address, virtual_port) = (address(word()?)?, port(word()?)?);
    let (server, server_port) = (address(word()?)?, port(word()?)?);
    let state = word()?;
    Some(Entry { protocol, client_port, virtual_address, virtual_port, server, server_port, state })
}

fn port(text: &str) -> Option<u16> {
    u16::from_str_radix(text, 16).ok()
}

/// `AC12640B`, or IPv6 as everywhere.
fn address(text: &str) -> Option<IpAddr> {
    if text.len() == 8 && !text.contains(':') {
        return Some(Ipv4Addr::from_bits(u32::from_str_radix(text, 16).ok()?).into());
    }
    text.trim_matches(['[', ']']).parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Linux 6.1 prints it.
    const LIST: &str = "\
Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP AC126464 9C42 AC126407 0050 AC12640B 0050 ESTABLISHED     899
IP  AC126464 0000 0000000A 0000 AC12640B 0000 NONE            299
UDP 2001:0db8:0018:0100:0000:0000:0000:0100 C350 2001:0db8:0018:0100:0000:0000:0000:0007 01BB 2001:0db8:0018:0100:0000:0000:0000:0011 01BB UDP             299
IP  2001:0db8:0018:0100:0000:0000:0000:0100 0000 0000:000a:0000:0000:0000:0000:0000:0000 0000 AC12640B 0000 NONE            299
";

    #[test]
    fn connections_and_templates_are_told_apart() {
        let mut seen = Vec::new();
        each_entry(LIST.as_bytes(), |entry| {
            seen.push((entry.server.to_string(), entry.state.to_owned(), entry.template_mark()));
        })
        .expect("readable");
        let entry = |server: &str, state: &str, mark| (server.to_owned(), state.to_owned(), mark);
        assert_eq!(
            seen,
            [
                entry("172.18.100.11", "ESTABLISHED", None),
                entry("172.18.100.11", "NONE", Some(10)),
                entry("2001:db8:18:100::11", "UDP", None),
                entry("172.18.100.11", "NONE", Some(10)),
            ]
        );
    }
}
