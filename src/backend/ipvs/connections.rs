//! The table of connections, which IPVS shows as text only: `/proc/net/ip_vs_conn`
//! (`ip_vs_conn_seq_show`, `net/netfilter/ipvs/ip_vs_conn.c`). ipvsadm reads it too.
//!
//! ```text
//! Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
//! TCP AC126464 9C40 AC126407 0050 AC12640B 0050 ESTABLISHED     899
//! IP  AC126464 0000 0000000A 0000 AC12640B 0000 NONE            299
//! ```

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use crate::backend::IpvsError;
use crate::model::{Family, Mark, Protocol};

/// The table of this thread's network namespace.
pub const CONNECTIONS: &str = "/proc/thread-self/net/ip_vs_conn";

/// An address and a port, 0 where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(address) => write!(f, "{address}:{}", self.port),
            IpAddr::V6(address) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

/// A connection, or a template: what a persistent client's next connections are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionEntry {
    /// The protocol as the kernel calls it: `TCP`; `IP` for the template of a mark.
    pub protocol: Rc<str>,
    /// Who connected. A template has no port, and of the address what the netmask leaves.
    pub client: Endpoint,
    /// To what. A mark's template has the mark in the place of the address.
    pub target: Endpoint,
    /// Where it is sent.
    pub real: Endpoint,
    /// The kernel's word for its state.
    pub state: Rc<str>,
    /// How many seconds it has left when no packet comes.
    pub expires: u64,
    /// The persistence engine's name, and what it keeps.
    pub engine: Option<Box<str>>,
}

impl ConnectionEntry {
    /// Whether it is a template. The kernel does not say: a template has no client port
    /// (`ip_vs_sched_persist`, `net/netfilter/ipvs/ip_vs_core.c`). Nor has a connection
    /// that FTP's helper expects and that did not come yet.
    pub fn is_template(&self) -> bool {
        self.client.port == 0
    }

    /// The mark whose template it is.
    pub fn mark(&self) -> Option<Mark> {
        if !self.is_template() || &*self.protocol != "IP" {
            return None;
        }
        // `union nf_inet_addr`, of which the mark fills the first four bytes.
        Mark::new(match self.target.address {
            IpAddr::V4(address) => address.to_bits(),
            IpAddr::V6(address) => u32::try_from(address.to_bits() >> 96).unwrap_or(0),
        })
    }

    /// The protocol, where it is one of those that are scheduled.
    pub fn transport(&self) -> Option<Protocol> {
        let same = |known: &Protocol| known.as_str().eq_ignore_ascii_case(&self.protocol);
        Protocol::ALL.into_iter().find(same)
    }

    /// The family of the client.
    pub fn family(&self) -> Family {
        Family::of(self.client.address)
    }
}

/// Gives every entry to `each`; `load` loads IPVS when its table is not there.
pub(super) fn read(
    load: impl FnOnce() -> Result<(), IpvsError>,
    each: impl FnMut(ConnectionEntry),
) -> Result<(), IpvsError> {
    let file = match File::open(CONNECTIONS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            load()?;
            File::open(CONNECTIONS)
        }
        other => other,
    };
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => IpvsError::Unsupported,
        _ => IpvsError::Connections(error),
    })?;
    // A million lines of 90 bytes come by pages otherwise.
    read_table(BufReader::with_capacity(256 * 1024, file), each).map_err(IpvsError::Connections)
}

fn read_table(mut table: impl BufRead, mut each: impl FnMut(ConnectionEntry)) -> io::Result<()> {
    let (mut line, mut number, mut names) = (Vec::new(), 0_u64, Names::default());
    loop {
        line.clear();
        if table.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        number += 1;
        // The first line is the heading.
        if number > 1 {
            // What an engine keeps is a client's text (SIP's Call-ID), whatever that is.
            let text = String::from_utf8_lossy(&line);
            each(parse(&text, &mut names).ok_or_else(|| malformed(number, &text))?);
        }
    }
}

fn malformed(number: u64, line: &str) -> io::Error {
    let shown: String = line.trim_end().chars().take(200).flat_map(char::escape_default).collect();
    let what = format!("line {number} is no connection: '{shown}'");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The names of protocols and states, of which there are few: each is kept once.
#[derive(Default)]
struct Names(Vec<Rc<str>>);

impl Names {
    fn keep(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Rc::clone(known);
        }
        let name: Rc<str> = name.into();
        // A table in which every line has names of its own is not worth remembering.
        if self.0.len() < 256 {
            self.0.push(Rc::clone(&name));
        }
        name
    }
}

fn parse(line: &str, names: &mut Names) -> Option<ConnectionEntry> {
    let mut words = line.split_ascii_whitespace();
    let protocol = words.next()?;
    let mut endpoint = || {
        let (address, port) = (words.next()?, words.next()?);
        Some(Endpoint { address: address_of(address)?, port: hexadecimal(port, 4)? })
    };
    let (client, target, real) = (endpoint()?, endpoint()?, endpoint()?);
    let (state, expires) = (words.next()?, words.next()?.parse().ok()?);
    let engine: Vec<_> = words.collect();
    // The destination alone may be of another family, behind a tunnel.
    if client.address.is_ipv4() != target.address.is_ipv4() {
        return None;
    }
    Some(ConnectionEntry {
        protocol: names.keep(protocol),
        client,
        target,
        real,
        state: names.keep(state),
        expires,
        engine: (!engine.is_empty()).then(|| engine.join(" ").into()),
    })
}

/// `%08X` of the address as a number, or `%pI6`: eight groups of four digits.
fn address_of(text: &str) -> Option<IpAddr> {
    if !text.contains(':') {
        return hexadecimal(text, 8).map(|bits| Ipv4Addr::from_bits(bits).into());
    }
    let mut groups = [0; 8];
    let mut parts = text.split(':');
    for group in &mut groups {
        *group = hexadecimal(parts.next()?, 4)?;
    }
    parts.next().is_none().then(|| Ipv6Addr::from(groups).into())
}

/// So many hexadecimal digits.
fn hexadecimal<T: TryFrom<u32>>(text: &str, digits: usize) -> Option<T> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u32::from_str_radix(text, 16).ok())??.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str =
        "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";

    fn entries(lines: &str) -> io::Result<Vec<ConnectionEntry>> {
        let mut entries = Vec::new();
        read_table(format!("{HEADING}{lines}").as_bytes(), |entry| entries.push(entry))?;
        Ok(entries)
    }

    fn one(line: &str) -> ConnectionEntry {
        entries(line).expect("readable").pop().expect("an entry")
    }

    #[test]
    fn connections_and_templates_of_both_families_are_told_apart() {
        let entry = one("TCP AC126464 9C40 AC126407 0050 AC12640B 1F90 ESTABLISHED     899\n");
        assert_eq!(entry.client.to_string(), "172.18.100.100:40000");
        assert_eq!(entry.target.to_string(), "172.18.100.7:80");
        assert_eq!(entry.real.to_string(), "172.18.100.11:8080");
        assert_eq!((&*entry.state, entry.expires, &entry.engine), ("ESTABLISHED", 899, &None));
        assert_eq!((entry.transport(), entry.is_template()), (Some(Protocol::Tcp), false));

        let entry = one("IP  AC126464 0000 4C560001 0000 AC12640B 0000 NONE            299\n");
        assert!(entry.is_template());
        assert_eq!((entry.mark(), entry.transport()), (Mark::new(0x4c56_0001), None));

        let entry = one("IP  2001:0db8:0000:0000:0000:0000:0000:0100 0000 \
             0000:000a:0000:0000:0000:0000:0000:0000 0000 AC12640B 0000 ASSURED  7\n");
        assert_eq!((entry.mark(), entry.family()), (Mark::new(10), Family::Ipv6));
        assert_eq!(entry.client.to_string(), "[2001:db8::100]:0");
        assert_eq!(entry.real.to_string(), "172.18.100.11:0");
    }

    /// A template by address, without and with a port, and what an engine keeps.
    #[test]
    fn templates_by_address_have_no_mark_and_engines_have_data() {
        let entry = one("TCP AC126464 0000 AC126407 0000 AC12640B 0000 NONE            59\n");
        assert!(entry.is_template() && entry.mark().is_none());
        let entry =
            one("UDP AC126464 0000 AC126407 13C4 AC12640B 13C4 NONE 59 sip a1b2@example.org\n");
        assert_eq!(entry.engine.as_deref(), Some("sip a1b2@example.org"));
        let mut engine = None;
        let line = b"heading\nUDP AC126464 0000 AC126407 13C4 AC12640B 13C4 NONE 59 sip \xff\n";
        read_table(&line[..], |entry| engine = entry.engine).expect("any text is one");
        assert_eq!(engine.as_deref(), Some("sip \u{fffd}"));
        assert_eq!(
            one("IP_47 AC126464 0001 AC126407 0000 AC12640B 0000 NONE 1\n").transport(),
            None
        );
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let good = "TCP AC126464 9C40 AC126407 0050 AC12640B 0050 SYN_RECV         59";
        for bad in [
            good.replace("AC126464", "AC12646"),
            good.replace("AC126464", "+C126464"),
            good.replace("9C40", "19C40"),
            good.replace("AC126407", "2001:db8::7"),
            good.replace("AC126407", "2001:0db8:0000:0000:0000:0000:0000:0007"),
            good.replace("AC126407", "2001:0db8:0000:0000:0000:0000:0000:0007:0001"),
            good.replace("59", "soon"),
            good.replace("SYN_RECV         59", "SYN_RECV"),
            "\u{1b}[31m".to_owned(),
            String::new(),
        ] {
            let error = entries(&format!("{good}\n{bad}\n")).expect_err(&bad).to_string();
            assert!(error.starts_with("line 3 is no connection: '"), "{error}");
            assert!(error.chars().all(|letter| !letter.is_control()), "{error:?}");
        }
        assert_eq!(entries("").expect("empty"), []);
        assert!(read_table("".as_bytes(), |_| ()).is_ok());
        assert!(read_table(&b"heading\n\xff\xfe\n"[..], |_| ()).is_err(), "no text");
    }

    #[test]
    fn a_name_is_kept_once() {
        let line = "TCP AC126464 9C40 AC126407 0050 AC12640B 0050 ESTABLISHED 899\n";
        let entries = entries(&line.repeat(2)).expect("readable");
        assert!(Rc::ptr_eq(&entries[0].state, &entries[1].state));
    }
}
