//! What would happen to a packet of a client, here and now: which entry marks it, which
//! service takes it, whether IPVS knows the client, whom the scheduler would choose, how
//! the packet gets there and its answer back; or where it is lost.
//!
//! It follows `ip_vs_in` and `ip_vs_schedule` (`net/netfilter/ipvs/ip_vs_core.c`) over what
//! was read of the kernel, and says so where only the kernel knows. What packet filters,
//! routes and parameters do to the packet is the doctor's part (`preflight`).

mod candidate;
mod known;
mod scheduling;
mod way;

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

pub use self::candidate::Candidate;
use self::known::Known;
use self::way::Way;
use crate::backend::ActivityTable;
use crate::backend::ipvs::{ConnectionEntry, Endpoint};
use crate::model::{Family, GroupName, Mark, PortRange, Prefix, Protocol};
use crate::state::{
    Destination, DestinationKey, Frame, Lookup, MarkEntry, MarkKey, MarkRuleset, ServiceFlags,
    ServiceKey, ServiceTable, SourceKey, VirtualService, entry_of_host,
};

/// A packet that a client sends: the first one of a connection, unless IPVS knows that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it.
    pub client: IpAddr,
    /// From which port; `None` is any that has no connection yet.
    pub client_port: Option<u16>,
    /// To which address.
    pub vip: IpAddr,
    /// To which port.
    pub port: u16,
    /// By which protocol.
    pub protocol: Protocol,
}

impl fmt::Display for Packet {
    /// `203.0.113.5:40000 -> 172.18.100.7:443/tcp`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.client_port {
            Some(port) => write!(f, "{}", Endpoint { address: self.client, port })?,
            None => write!(f, "{}", self.client)?,
        }
        let to = Endpoint { address: self.vip, port: self.port };
        write!(f, " -> {to}/{}", self.protocol)
    }
}

impl Packet {
    /// The entry that marks it, in the order in which the kernel looks: an address with its
    /// port, an address with every port, prefixes and port ranges.
    pub fn entry<'a>(&self, ruleset: &'a MarkRuleset) -> Option<(&'a MarkKey, &'a MarkEntry)> {
        let ports = PortRange::single(self.port).ok()?;
        let own = MarkKey { destination: Prefix::host(self.vip), protocol: self.protocol, ports };
        entry_of_host(&ruleset.entries, self.vip, self.protocol, self.port).or_else(|| {
            let mut ranges = ruleset.entries.iter();
            ranges.find(|(key, _)| key.lookup() == Lookup::Range && key.meets(&own))
        })
    }

    /// The services that may take it, in the order in which IPVS looks
    /// (`ip_vs_service_find`, `net/netfilter/ipvs/ip_vs_ctl.c`).
    pub fn services(&self, mark: Option<Mark>) -> impl Iterator<Item = ServiceKey> {
        let family = Family::of(self.vip);
        let (address, protocol) = (self.vip, self.protocol);
        let by_address = [self.port, 0].map(|port| ServiceKey::Address { address, protocol, port });
        mark.map(|mark| ServiceKey::Mark { mark, family }).into_iter().chain(by_address)
    }
}

/// What was read of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What marks.
    pub ruleset: &'a MarkRuleset,
    /// Those of [`Packet::services`] that there are, whoever made them.
    pub services: &'a ServiceTable,
    /// How many connections their real servers have.
    pub activity: &'a ActivityTable,
    /// What IPVS remembers of the client, and templates of its network.
    pub entries: &'a [ConnectionEntry],
    /// Whether `net.ipv4.vs.expire_quiescent_template` is set: a server of weight 0 keeps no
    /// persistent clients then.
    pub quiescent_expire: bool,
}

/// One step on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Step {
    /// Which one.
    pub stage: Stage,
    /// What happens there, a sentence for people.
    pub message: String,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// netfilter looks for a mark.
    Mark,
    /// IPVS looks for a connection, and then for a template.
    Known,
    /// IPVS looks for a virtual service.
    Service,
    /// The scheduler chooses.
    Schedule,
    /// The packet is sent to the real server.
    Forward,
    /// What has to hold for the answer.
    Return,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Mark => "mark",
            Self::Known => "known",
            Self::Service => "service",
            Self::Schedule => "schedule",
            Self::Forward => "forward",
            Self::Return => "return",
        })
    }
}

/// How it ends, as far as marks and IPVS decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// A real server gets it.
    Forwarded,
    /// There is a service, and nobody who may take it: the client is told so by ICMP.
    Refused,
    /// It is none of IPVS's business: the director's own programs get it, or nobody.
    NotBalanced,
}

/// The whole way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Journey {
    /// Whose packet it is.
    pub group: Option<GroupName>,
    /// Its mark, or the one that it would have: what keeps it from that is a step and a
    /// finding.
    pub mark: Option<Mark>,
    /// The entry that gives it, as `status` names it.
    pub entry: Option<String>,
    /// The service that takes it, such as `fwmark 10 ipv4`.
    pub service: Option<String>,
    /// The real servers of that, and whether each may be chosen.
    pub real_servers: Vec<Candidate>,
    /// The one that gets it, or those of which one does.
    pub chosen: Vec<String>,
    /// How it ends.
    pub end: End,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Whether IPVS knows the connection, which then needs no mark.
    #[serde(skip)]
    pub is_known: bool,
}

impl Journey {
    /// Follows a packet.
    pub fn of(packet: &Packet, facts: Facts<'_>) -> Self {
        let entry = packet.entry(facts.ruleset);
        let mut journey = Self {
            group: entry.and_then(|(_, entry)| entry.group.clone()),
            mark: entry.and_then(|(_, entry)| entry.mark),
            entry: entry.map(|(key, _)| key.to_string()),
            service: None,
            real_servers: Vec::new(),
            chosen: Vec::new(),
            end: End::NotBalanced,
            steps: Vec::new(),
            is_known: false,
        };
        journey.marked(&facts.ruleset.frame);
        // A connection that IPVS knows needs neither mark nor service.
        if let Some(connection) = known::connection(packet, facts.entries) {
            journey.say(Stage::Known, known::sentence(connection));
            journey.is_known = true;
            journey.goes_to_known(packet, facts, connection.real);
            return journey;
        }
        journey.say(Stage::Known, known::no_connection(packet));
        let service = packet
            .services(journey.mark)
            .find_map(|key| facts.services.get(&key).map(|service| (key, service)));
        let Some((key, service)) = service else {
            journey.say(Stage::Service, no_service(packet, journey.mark));
            return journey;
        };
        journey.served(packet, facts, key, service);
        journey
    }

    fn say(&mut self, stage: Stage, message: String) {
        self.steps.push(Step { stage, message });
    }

    /// Says that a rule of somebody else takes the packet away from what marks.
    pub fn misses_its_mark(&mut self) {
        let Some(message) = self.would_be_marked("a rule before ours keeps it from that") else {
            return;
        };
        if let Some(step) = self.steps.iter_mut().find(|step| step.stage == Stage::Mark) {
            step.message = message;
        }
    }

    fn marked(&mut self, frame: &Frame) {
        let damaged = match frame {
            Frame::RulesDiffer(_) | Frame::Damaged(_) => {
                self.would_be_marked("what marks is damaged")
            }
            Frame::Absent | Frame::Intact | Frame::Former => None,
        };
        let message = damaged.unwrap_or_else(|| match (&self.entry, self.mark) {
            (Some(entry), Some(mark)) => format!("{entry}{} marks it {mark}", self.of_group()),
            (Some(entry), None) => format!("{entry}{} gives it no mark", self.of_group()),
            (None, _) => "no entry of ours marks it".to_owned(),
        });
        self.say(Stage::Mark, message);
    }

    fn would_be_marked(&self, but: &str) -> Option<String> {
        let (entry, mark) = (self.entry.as_ref()?, self.mark?);
        Some(format!("{entry}{} would mark it {mark}, but {but}", self.of_group()))
    }

    fn of_group(&self) -> String {
        self.group.as_ref().map_or_else(String::new, |group| format!(" of group {group}"))
    }

    fn served(
        &mut self,
        packet: &Packet,
        facts: Facts<'_>,
        key: ServiceKey,
        service: &VirtualService,
    ) {
        self.group = self.group.take().or_else(|| service.group.clone());
        self.service = Some(key.to_string());
        let foreign = if service.recorded { "" } else { ", which somebody else made" };
        self.say(Stage::Service, format!("{key}: {service}{foreign}"));
        self.real_servers =
            service.destinations.iter().map(|it| Candidate::of(key, it, facts.activity)).collect();
        let chosen = match known::template(packet, key, service, facts) {
            Known::Holds { server, sentence } => {
                self.say(Stage::Schedule, sentence);
                vec![server]
            }
            Known::No { sentence } => {
                let choice = scheduling::choose(packet, service, &self.real_servers);
                let after = sentence.map_or_else(String::new, |sentence| format!("{sentence}; "));
                self.say(Stage::Schedule, after + &choice.sentence);
                choice.servers
            }
        };
        if chosen.is_empty() {
            self.end = End::Refused;
            return;
        }
        self.end = End::Forwarded;
        self.chosen = chosen.iter().map(ToString::to_string).collect();
        if service.flags.contains(ServiceFlags::ONE_PACKET) && packet.protocol == Protocol::Udp {
            let message = "no connection is remembered: each datagram is scheduled by itself";
            self.say(Stage::Forward, message.to_owned());
        }
        let mut ways: Vec<Way> = Vec::new();
        for server in chosen {
            let Some(destination) = service.destination(server) else { continue };
            let way = self.way(packet, facts, *destination);
            // Servers that are reached alike are said once.
            if !ways.iter().any(|other| other.is_like(&way)) {
                ways.push(way);
            }
        }
        for way in ways {
            self.say(Stage::Forward, way.forth());
            self.say(Stage::Return, way.back());
        }
    }

    /// The way to a real server, with what replaces the client's address on it.
    fn way<'a>(&self, packet: &Packet, facts: Facts<'a>, destination: Destination) -> Way<'a> {
        let source = self.mark.and_then(|mark| {
            let key = SourceKey { mark, server: destination.key.address };
            facts.ruleset.sources.get(&key)
        });
        Way { packet: *packet, destination, source }
    }

    /// Where a connection goes that is known, by the method that the server has now: the
    /// entry's own is not shown by the kernel.
    fn goes_to_known(&mut self, packet: &Packet, facts: Facts<'_>, real: Endpoint) {
        self.end = End::Forwarded;
        self.chosen = vec![real.to_string()];
        let of = |(key, service): (&ServiceKey, &VirtualService)| {
            let own = |port| DestinationKey { address: real.address, port };
            let destination = service.destination(own(0));
            let destination = destination.or_else(|| service.destination(own(real.port)));
            destination.map(|destination| (*key, *destination))
        };
        let found = packet
            .services(self.mark)
            .filter_map(|key| facts.services.get_key_value(&key))
            .find_map(of);
        match found {
            Some((key, destination)) => {
                self.service = Some(key.to_string());
                let way = self.way(packet, facts, destination);
                self.say(Stage::Forward, way.forth());
                self.say(Stage::Return, way.back());
            }
            None => self.say(
                Stage::Forward,
                format!(
                    "to {real}, which is no real server of a service any more: silence, or a \
                         reset with net.ipv4.vs.expire_nodest_conn=1"
                ),
            ),
        }
    }
}

fn no_service(packet: &Packet, mark: Option<Mark>) -> String {
    let Packet { vip, port, protocol, .. } = packet;
    let place = Endpoint { address: *vip, port: *port };
    let what = match mark {
        Some(mark) => {
            format!("there is no service of mark {mark}, nor one of {protocol} {place}")
        }
        None => format!("there is no service of {protocol} {place} to take it without a mark"),
    };
    format!(
        "{what}: where {vip} is an address of this director, its own programs answer or refuse; \
         else nobody does"
    )
}

#[cfg(test)]
mod tests;
