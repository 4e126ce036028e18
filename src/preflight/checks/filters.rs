//! Packets of clients, of IPVS and of real servers through the packet filters.
//!
//! IPVS takes packets at input, behind the filter, and keeps them from conntrack: unless
//! `net.ipv4.vs.conntrack` is set, conntrack never sees a connection of IPVS established.
//! So the packets of a connection are NEW for ever, and its FIN is INVALID; the answers of
//! a NAT real server come by the forward hook, the first of them (SYN and ACK) INVALID too.
//! What IPVS sends to real servers passes the output hook, untracked (`ip_vs_notrack`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::accept::{Which, command, to_the_front};
use super::drops::{Victims, finding, place};
use crate::model::{Family, PortRange, Prefix, Protocol, Tunnel};
use crate::preflight::codes::Code;
use crate::preflight::filter::{CtState, Doubt, Event, Hook, Kind, Packet, Ruleset, flags, walk};
use crate::preflight::finding::{Report, Severity};
use crate::preflight::scene::{Link, Route, Scene};
use crate::preflight::subject::{Client, Flow, Traffic};
use crate::state::{Destination, Method};

/// What is the matter, and where: one finding each.
type Cause = (Code, Severity, String);

/// Who sends a packet.
#[derive(Clone, Copy)]
enum Of {
    Client,
    Server,
}

/// What was found so far.
struct Search<'a> {
    scene: &'a Scene,
    ruleset: &'a Ruleset,
    found: BTreeMap<Cause, Victims>,
}

pub(super) fn check(scene: &Scene, report: &mut Report) {
    let Some(ruleset) = &scene.ruleset else { return };
    let mut search = Search { scene, ruleset, found: BTreeMap::new() };
    for traffic in &scene.subject.groups {
        for flow in &traffic.flows {
            search.flow(traffic, flow);
        }
    }
    for ((code, severity, place), victims) in search.found {
        report.add(finding(code, severity, &place, victims));
    }
}

impl Search<'_> {
    fn flow(&mut self, traffic: &Traffic, flow: &Flow) {
        for port in ports(flow.ports) {
            self.incoming(traffic, flow, port);
            let Some((_, service)) = traffic.service_of(flow) else { continue };
            for destination in &service.destinations {
                self.forwarded(traffic, flow, port, destination);
                if destination.method == Method::Nat {
                    self.answers(traffic, flow, port, destination);
                }
            }
        }
    }

    fn keeps_track(&self) -> bool {
        self.scene.sysctl("net.ipv4.vs.conntrack") == Some(1)
    }

    /// What clients send, up to IPVS.
    fn incoming(&mut self, traffic: &Traffic, flow: &Flow, port: Option<u16>) {
        let device = device(self.scene.entrance(flow.vip()));
        let packet = |tcp: u8, state: Option<CtState>| {
            let mut packet = Packet::to(flow.vip(), flow.protocol.number());
            if let Some(port) = port {
                packet = packet.with_port(port);
            }
            packet = packet.being(tcp, state.unwrap_or(CtState::New));
            // One-sided, as conntrack sees it: what it makes of that is not known.
            packet.state = state;
            packet.arrives_by.clone_from(&device);
            packet
        };
        let client = self.scene.subject.client;
        let mark = flow.mark.map(crate::model::Mark::get);
        let hooks = [Hook::Prerouting, Hook::Input];
        let events =
            self.pass(packet(flags::SYN, Some(CtState::New)), client, Of::Client, &hooks, mark);
        let mut seen = Vec::new();
        let which = |event: &Event| match flow.mark {
            Some(mark) if event.marked => Which::Marked(mark),
            _ => Which::To {
                destination: flow.destination,
                protocol: flow.protocol.number(),
                ports: flow.ports,
            },
        };
        for (event, whose) in &events {
            let code = match event.kind {
                Kind::Dropped => Code::FilterDropsNew,
                Kind::Diverted => Code::Diverted,
                Kind::Marked(_) => Code::MarkChanged,
                Kind::Missed => Code::MarkMissed,
            };
            self.note(code, event, traffic, flow, (which(event), *whose));
            seen.push(place(event));
        }
        if flow.protocol != Protocol::Tcp {
            return;
        }
        let one_sided = traffic.service_of(flow).is_none_or(|(_, service)| {
            service.destinations.iter().any(|d| d.method != Method::Nat)
        });
        let (later, closing) = match (self.keeps_track(), one_sided) {
            (false, _) => (Some(CtState::New), Some(CtState::Invalid)),
            (true, false) => (Some(CtState::Established), Some(CtState::Established)),
            (true, true) => (None, None),
        };
        for (tcp, state) in [(flags::ACK, later), (flags::FIN | flags::ACK, closing)] {
            let events = self.pass(packet(tcp, state), client, Of::Client, &hooks, mark);
            for (event, whose) in events.iter().filter(|(event, _)| event.kind == Kind::Dropped) {
                if !seen.contains(&place(event)) {
                    let which = (which(event), *whose);
                    self.note(Code::FilterDropsLater, event, traffic, flow, which);
                }
            }
        }
    }

    /// What IPVS sends to a real server.
    fn forwarded(
        &mut self,
        traffic: &Traffic,
        flow: &Flow,
        port: Option<u16>,
        destination: &Destination,
    ) {
        let server = destination.key.address;
        let Some(Route::Out { index, .. }) = self.scene.route(server, 0) else { return };
        let (to, protocol, to_port) = match destination.method {
            Method::DirectRouting => (flow.vip(), flow.protocol.number(), port),
            Method::Nat => {
                let mapped = (destination.key.port != 0).then_some(destination.key.port);
                (server, flow.protocol.number(), mapped.or(port))
            }
            Method::Tunnel(tunnel) => {
                let (protocol, port) = outer(tunnel, flow.family());
                (server, protocol, port)
            }
            Method::LocalNode | Method::Other(_) => return,
        };
        let mut packet = Packet::to(to, protocol).being(flags::SYN, CtState::Untracked);
        if let Some(port) = to_port {
            packet = packet.with_port(port);
        }
        if matches!(destination.method, Method::Tunnel(_)) || self.keeps_track() {
            packet.state = None;
        }
        packet.is_local = false;
        packet.leaves_by = device(self.scene.link(*index));
        let mark = flow.mark.map(crate::model::Mark::get);
        // In a tunnel it is the director that sends. What replaces the source comes last.
        let keeps_source = matches!(destination.method, Method::DirectRouting | Method::Nat);
        let client = self.scene.subject.client.filter(|_| keeps_source && !traffic.full_nat);
        let hooks = [Hook::Output, Hook::Postrouting];
        for (event, whose) in self.pass(packet, client, Of::Client, &hooks, mark) {
            if event.kind == Kind::Dropped {
                let ports = match to_port.map(PortRange::single) {
                    Some(Ok(ports)) => ports,
                    _ => PortRange::ANY,
                };
                let which = match flow.mark {
                    Some(mark) => Which::Marked(mark),
                    None => Which::To { destination: Prefix::host(to), protocol, ports },
                };
                self.note(Code::FilterDropsForwarded, &event, traffic, flow, (which, whose));
            }
        }
    }

    /// What a real server behind address translation answers.
    fn answers(
        &mut self,
        traffic: &Traffic,
        flow: &Flow,
        port: Option<u16>,
        destination: &Destination,
    ) {
        let server = destination.key.address;
        let Some(Route::Out { index, .. }) = self.scene.route(server, 0) else { return };
        let mapped = (destination.key.port != 0).then_some(destination.key.port);
        let port = mapped.or(port);
        let state = match (self.keeps_track(), flow.protocol) {
            (true, _) => CtState::Established,
            (false, Protocol::Tcp) => CtState::Invalid,
            (false, _) => CtState::New,
        };
        let packet = Packet::to(server, flow.protocol.number()).sent_by(server);
        let mut packet = packet.answering(None).being(flags::SYN | flags::ACK, state);
        if let Some(port) = port {
            packet = packet.with_source_port(port);
        }
        packet.arrives_by = device(self.scene.link(*index));
        packet.leaves_by = device(self.scene.entrance(flow.vip()));
        let protocol = flow.protocol.number();
        // With full NAT the director seems to be the client until conntrack undoes it.
        let client = self.scene.subject.client.filter(|_| !traffic.full_nat);
        let hooks = [Hook::Prerouting, Hook::Forward];
        for (event, whose) in self.pass(packet, client, Of::Server, &hooks, None) {
            if event.kind == Kind::Dropped {
                let which = Which::From { source: server, protocol, port };
                self.note(Code::FilterDropsAnswers, &event, traffic, flow, (which, whose));
            }
        }
    }

    /// What happens to a packet of anybody, or of this client; with each event the client
    /// to whom it happens because of who it is. A remedy is for that one alone.
    fn pass(
        &self,
        packet: Packet,
        client: Option<Client>,
        of: Of,
        hooks: &[Hook],
        mark: Option<u32>,
    ) -> Vec<(Event, Option<IpAddr>)> {
        let to_all = walk(self.ruleset, packet.clone(), hooks, mark);
        let Some(Client { address, port }) = client else {
            return to_all.into_iter().map(|event| (event, None)).collect();
        };
        let packet = match (of, port) {
            (Of::Client, Some(port)) => packet.sent_by(address).with_source_port(port),
            (Of::Client, None) => packet.sent_by(address),
            (Of::Server, Some(port)) => packet.answering(Some(address)).with_port(port),
            (Of::Server, None) => packet.answering(Some(address)),
        };
        let to_it = walk(self.ruleset, packet, hooks, mark).into_iter();
        to_it
            .map(|event| {
                let is_for_all = to_all.contains(&event);
                (event, (!is_for_all).then_some(address))
            })
            .collect()
    }

    fn note(
        &mut self,
        code: Code,
        event: &Event,
        traffic: &Traffic,
        flow: &Flow,
        (which, client): (Which, Option<IpAddr>),
    ) {
        let severity = if event.doubt == Doubt::None { Severity::Stops } else { Severity::MayStop };
        let victims = self.found.entry((code, severity, place(event))).or_default();
        victims.groups.extend(traffic.name.clone());
        victims.flows.insert(flow.name());
        let commands = match code {
            Code::MarkMissed => self.ruleset.chain(&event.base).map_or_else(Vec::new, to_the_front),
            _ => vec![command(&event.base, which, client)],
        };
        for command in commands {
            if !victims.remedy.contains(&command) {
                victims.remedy.push(command);
            }
        }
    }
}

/// Ports to try: where there are many, the first and the last.
fn ports(range: PortRange) -> Vec<Option<u16>> {
    match range {
        any if any.is_any() => vec![None],
        one if one.is_single() => vec![Some(one.first())],
        many => vec![Some(many.first()), Some(many.last())],
    }
}

fn device(link: Option<&Link>) -> Option<(u32, String)> {
    link.map(|link| (link.index, link.name.clone()))
}

/// Protocol and port of a tunnel's outer packet (RFC 2003, RFC 2473, RFC 2784).
fn outer(tunnel: Tunnel, inner: Family) -> (u8, Option<u16>) {
    match tunnel {
        Tunnel::Ipip => (if inner == Family::Ipv4 { 4 } else { 41 }, None),
        Tunnel::Gre { .. } => (47, None),
        Tunnel::Gue { port, .. } => (17, Some(port)),
    }
}
