//! A rule of our chains as what it means. The programs print another way of writing than
//! people use (`--set-xmark 0xa/0xffffffff` for `--set-mark 10`): what is compared is the
//! meaning.

use std::net::IpAddr;

use crate::model::{Family, GroupName, InvalidGroupName, Mark, PortRange, Prefix, Protocol};
use crate::render::iptables::{Bank, RuleText, SERVICE, SetRole};
use crate::state::{LedgerEntry, MarkEntry, MarkKey, Record, ServiceKey, Source};

/// What a rule of one of our chains means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// These packets get this mark.
    Marks(Vec<MarkKey>, MarkEntry),
    /// A look into a set.
    Looks(SetRole, Bank),
    /// Whose address is replaced.
    Replaces { mark: Mark, server: IpAddr, source: Source, group: Option<GroupName> },
    /// The commit record.
    Record(Record),
    /// A service that is ours.
    Service(ServiceKey, LedgerEntry),
    /// Fragments are put together.
    Defragments,
    /// A jump to a chain, from packets that have no mark or from all.
    Jump { chain: String, unmarked: bool },
}

/// The parts of a rule that ours may have.
#[derive(Debug, Default, PartialEq)]
struct Parts<'a> {
    destination: Option<Prefix>,
    protocol: Option<Protocol>,
    ports: Option<Vec<PortRange>>,
    mark: Option<u32>,
    comment: Option<&'a str>,
    target: Option<&'a str>,
    set_mark: Option<u32>,
    set: Option<(&'a str, &'a str)>,
    map_mark: bool,
    to_source: Option<IpAddr>,
    tproxy: usize,
}

/// What a rule means, or `None` where it is none that we make.
pub(super) fn meaning(rule: &RuleText, family: Family) -> Option<Meaning> {
    let parts = Parts::read(rule, family)?;
    match parts.target {
        Some("MARK") => parts.marks(),
        Some("SET") => parts.looks(family),
        Some("MASQUERADE") => parts.replaces(Source::Masquerade),
        Some("SNAT") => {
            let address = parts.to_source?;
            parts.replaces(Source::Address(address))
        }
        Some("TPROXY") => (parts.tproxy == 3).then_some(Meaning::Defragments),
        Some(chain) => {
            let unmarked = parts.mark == Some(0);
            let bare = Parts { mark: parts.mark.filter(|_| unmarked), ..Parts::default() };
            let chain = chain.to_owned();
            (Parts { target: None, ..parts } == bare).then_some(Meaning::Jump { chain, unmarked })
        }
        None => parts.ledger(),
    }
}

impl<'a> Parts<'a> {
    fn read(rule: &'a RuleText, family: Family) -> Option<Self> {
        let mut parts = Self::default();
        let mut arguments = rule.arguments().iter().map(String::as_str);
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next();
            match option {
                "-d" => parts.destination = Some(read_prefix(value()?, family)?),
                "-p" => {
                    let name = value()?;
                    let known = Protocol::ALL.into_iter().find(|known| known.as_str() == name);
                    parts.protocol = Some(known?);
                }
                // What is matched comes with an option of its own.
                "-m" => match value()? {
                    "tcp" | "udp" | "sctp" | "multiport" | "comment" | "mark" => {}
                    _ => return None,
                },
                "--dport" | "--dports" => {
                    let list: Option<Vec<_>> = value()?.split(',').map(read_ports).collect();
                    parts.ports = Some(list?);
                }
                "--mark" => parts.mark = Some(read_mark(value()?)?),
                "--comment" => parts.comment = Some(value()?),
                "-j" => parts.target = Some(value()?),
                "--set-mark" | "--set-xmark" => parts.set_mark = Some(read_mark(value()?)?),
                "--map-set" => parts.set = Some((value()?, value()?)),
                "--map-mark" => parts.map_mark = true,
                "--to-source" => parts.to_source = Some(value()?.parse().ok()?),
                "--on-port" => parts.tproxy += usize::from(value()? == "1"),
                "--on-ip" => parts.tproxy += usize::from(value()? == "127.0.0.1"),
                "--tproxy-mark" => parts.tproxy += usize::from(value()? == "0x0/0x0"),
                _ => return None,
            }
        }
        Some(parts)
    }

    /// Whose it is, if anybody's. A comment that names no group is not ours.
    fn group(&self) -> Result<Option<GroupName>, InvalidGroupName> {
        self.comment.map(str::parse).transpose()
    }

    fn marks(self) -> Option<Meaning> {
        let destination = self.destination?;
        let protocol = self.protocol?;
        let entry = MarkEntry { mark: Mark::new(self.set_mark?), group: self.group().ok()? };
        if self.mark.is_some() || self.set.is_some() {
            return None;
        }
        let ports = self.ports.unwrap_or_else(|| vec![PortRange::ANY]);
        let key = |ports| MarkKey { destination, protocol, ports };
        Some(Meaning::Marks(ports.into_iter().map(key).collect(), entry))
    }

    fn looks(self, family: Family) -> Option<Meaning> {
        let (name, dimensions) = self.set?;
        let (role, bank) = SetRole::named(name, family)?;
        let expected = Self::read_own(&role.rule(family, bank), family)?;
        let same = expected.0 == self.protocol && expected.1 == dimensions && self.map_mark;
        let bare = self.destination.is_none() && self.ports.is_none() && self.mark.is_none();
        (same && bare && self.comment.is_none()).then_some(Meaning::Looks(role, bank))
    }

    fn read_own(rule: &RuleText, family: Family) -> Option<(Option<Protocol>, String)> {
        let parts = Parts::read(rule, family)?;
        Some((parts.protocol, parts.set?.1.to_owned()))
    }

    fn replaces(self, source: Source) -> Option<Meaning> {
        let server = self.destination.filter(Prefix::is_host)?.address();
        let mark = Mark::new(self.mark?)?;
        let group = self.group().ok()?;
        (self.protocol.is_none() && self.ports.is_none()).then_some(Meaning::Replaces {
            mark,
            server,
            source,
            group,
        })
    }

    fn ledger(self) -> Option<Meaning> {
        let comment = self.comment?;
        if self.destination.is_some() || self.protocol.is_some() || self.mark.is_some() {
            return None;
        }
        let Some(service) = comment.strip_prefix(SERVICE) else {
            return Record::from_comment(comment).map(Meaning::Record);
        };
        let mut words = service.splitn(3, ' ');
        let (group, fingerprint, key) = (words.next()?, words.next()?, words.next()?);
        let key = key.parse().ok()?;
        Some(Meaning::Service(key, LedgerEntry::from_comment(&format!("{group} {fingerprint}"))))
    }
}

fn read_prefix(text: &str, family: Family) -> Option<Prefix> {
    let prefix: Prefix = text.parse().ok()?;
    (prefix.family() == family).then_some(prefix)
}

/// `80`, or `8000:8100`.
fn read_ports(text: &str) -> Option<PortRange> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    PortRange::new(first.parse().ok()?, last.parse().ok()?).ok()
}

/// A whole mark: `10`, `0xa`, `0xa/0xffffffff`.
fn read_mark(text: &str) -> Option<u32> {
    let (mark, bits) = text.split_once('/').unwrap_or((text, "0xffffffff"));
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    (number(bits)? == u32::MAX).then(|| number(mark))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::iptables::words;

    fn read(rule: &str, family: Family) -> Option<Meaning> {
        meaning(&words(rule).into_iter().collect(), family)
    }

    #[test]
    fn what_people_write_and_what_the_programs_print_mean_the_same() {
        let pairs = [
            (
                "-d 172.18.100.7/32 -p tcp -m multiport --dports 80,443 -m comment --comment web \
                 -j MARK --set-mark 10",
                "-d 172.18.100.7 -p tcp -m multiport --dports 80,443 -m comment --comment \"web\" \
                 -j MARK --set-xmark 0xa/0xffffffff",
            ),
            (
                "-d 10.0.0.0/8 -p udp -m udp --dport 5060 -j MARK --set-mark 7",
                "-d 10.0.0.0/8 -p udp -m udp --dport 5060 -j MARK --set-xmark 0x7/0xffffffff",
            ),
        ];
        for (ours, printed) in pairs {
            let ours = read(ours, Family::Ipv4);
            assert!(ours.is_some());
            assert_eq!(ours, read(printed, Family::Ipv4));
        }
    }

    #[test]
    fn what_we_never_make_means_nothing() {
        for rule in [
            "-j DROP -p tcp",
            "-s 10.0.0.1/32 -p tcp -j MARK --set-xmark 0xa/0xffffffff",
            "-d 10.0.0.1/32 -p tcp -j MARK --set-xmark 0xa/0xff",
            "-p tcp -j MARK --set-xmark 0xa/0xffffffff",
            "-p tcp ! -d 10.0.0.1/32 -j MARK --set-xmark 0xa/0xffffffff",
            "-d 10.0.0.1/32 -p icmp -j MARK --set-xmark 0xa/0xffffffff",
            "-d 2001:db8::1/128 -p tcp -j MARK --set-xmark 0xa/0xffffffff",
            "-d 10.0.0.1/32 -p tcp -m comment --comment \"Not A Group\" -j MARK --set-xmark 0xa/0xffffffff",
            "-j SET --map-set somebody-s dst,dst --map-mark",
            "-j SET --map-set fwmarkctl-a-port4 src,dst --map-mark",
            "-m comment --comment \"generation 3\"",
            "-d",
            "",
        ] {
            assert_eq!(read(rule, Family::Ipv4), None, "{rule}");
        }
    }
}
