//! One `[group.NAME]` to a [`Group`]: defaults filled in, every rule of a group held.

use crate::model::{
    Family, Forwarding, Group, GroupName, KernelName, Listener, Mark, Mode, Prefix, Via,
};

use super::codes::Code;
use super::diagnostic::Spot;
use super::listeners::{ReadListeners, Written};
use super::presets::Presets;
use super::reader::{Checked, Fields, Reported, Scope, Value};
use super::real_servers::ReadServer;
use super::text::family_name;
use super::{
    forwarding, listeners, marks, persistence, real_servers, scheduler, schema, snat, vips,
};

/// What a group claims, and the group itself where nothing is wrong with it.
pub(super) struct Draft {
    /// Its name as written.
    pub(super) name: String,
    /// Where it is defined.
    pub(super) spot: Spot,
    /// Whether it claims its traffic.
    pub(super) enabled: bool,
    /// Its VIPs, as far as they are sound.
    pub(super) vips: Vec<(Prefix, Spot)>,
    /// Its listeners, as far as they are sound.
    pub(super) listeners: Vec<Written>,
    /// The marks that the user chose.
    pub(super) marks: Vec<(Mark, Spot)>,
    /// What its services listen to.
    pub(super) via: Via,
    /// The group.
    pub(super) group: Option<Group>,
}

/// What a group may refer to.
pub(super) struct Known<'o> {
    pub(super) presets: &'o Presets,
    pub(super) schedulers: &'o [KernelName],
}

/// Reads a group, reporting all that is wrong with it.
pub(super) fn group(
    scope: &mut Scope<'_>,
    name: &str,
    header: Spot,
    value: Value<'_>,
    known: &Known<'_>,
) -> Checked<Draft> {
    let key = format!("group.{name}");
    if !matches!(value.data, toml::de::DeValue::Table(_)) {
        let help = "a group is a table of its own: [group.NAME]".to_owned();
        return Err(scope.wrong_type_with_help(value, &key, "a table", Some(help)));
    }
    let valid_name = name.parse::<GroupName>();
    if valid_name.is_err() {
        let help = "a name is a-z, 0-9, '_', '.' and '-', begins with a letter or digit, and has at most 63 characters";
        scope
            .report
            .error(Code::InvalidName, header, &format!("'{name}' cannot name a group"))
            .label("not a name")
            .help(help);
    }
    scope.group = Some(name.to_owned());
    let fields = scope.table(value, &key, &schema::GROUP)?;
    let enabled = fields.get("enabled").map(|field| scope.boolean(field.value, "enabled"));
    let vips = vips::read(scope, header, &fields);
    let persistence = persistence::read(scope, fields.get("persistence"));
    let mode = persistence
        .as_ref()
        .map(|persistence| persistence.as_ref().map(|persistence| persistence.mode))
        .map_err(|&reported| reported);
    let listeners = listeners::read(scope, header, &fields, mode, known.presets);
    let written = listeners.as_ref().map(|read| read.written.as_slice()).map_err(|&error| error);
    let marks = marks::read(scope, &fields, mode, written);
    let scheduler = scheduler::read(scope, fields.get("scheduler"), known.schedulers);
    let one_packet = one_packet(scope, &fields, &listeners);
    let forward = match fields.get("forward") {
        Some(field) => forwarding::read(scope, field.value),
        None => Ok(Forwarding::default()),
    };
    let servers = real_servers::read(scope, header, fields.get("real"), forward);
    let read = servers.as_ref().map(Vec::as_slice).map_err(|&error| error);
    let via = via(scope, &fields, mode, &vips, &listeners, read);
    let snat = snat::read(scope, &fields, read);
    let by_address = via == Ok(Via::Address);
    let mut sound = true;
    if let (Ok(vips), Ok(servers)) = (&vips, &servers) {
        sound &= families(scope, vips, servers);
        sound &= snat::apart(scope, servers);
    }
    if let (Ok(listeners), Ok(servers)) = (&listeners, &servers) {
        let apart = by_address || mode == Ok(Some(Mode::Ppc));
        sound &= mapped_ports(scope, apart, listeners, servers);
        if by_address {
            sound &= real_servers::apart(scope, listeners, servers);
        } else if mode.is_ok_and(|mode| mode.is_some()) {
            persistent_port(scope, listeners, servers);
        }
    }
    if let (Ok(listeners), Ok(Some(persistence)), Some(field)) =
        (&listeners, &persistence, fields.get("persistence"))
        && persistence.engine.is_some()
    {
        engine_of_udp(scope, field.key, listeners);
    }
    if let (Ok(true), Ok(servers), Some(field)) = (one_packet, &servers, fields.get("one-packet")) {
        one_packet_by_nat(scope, field.key, servers);
    }
    let mut draft = Draft {
        name: name.to_owned(),
        spot: header,
        enabled: enabled != Some(Ok(false)),
        vips: vips.as_ref().map_or(Vec::new(), Vec::clone),
        listeners: written.map_or(Vec::new(), <[Written]>::to_vec),
        marks: marks.as_ref().map_or(Vec::new(), |read| read.written.clone()),
        via: via.unwrap_or_default(),
        group: None,
    };
    // Everything is read before the first `?`, so that every mistake is reported.
    let assemble = || -> Checked<Group> {
        Ok(Group {
            name: valid_name.map_err(|_| Reported)?,
            enabled: enabled.transpose()?.unwrap_or(true),
            vips: vips?.into_iter().map(|(vip, _)| vip).collect(),
            listeners: listeners?.listeners,
            marks: marks?.choice,
            via: via?,
            scheduler: scheduler?,
            one_packet: one_packet?,
            persistence: persistence?,
            snat: snat?,
            real_servers: servers?.into_iter().map(|read| read.server).collect(),
        })
    };
    draft.group = assemble().ok().filter(|_| sound);
    Ok(draft)
}

/// The SIP engine reads UDP and refuses the rest, which IPVS then drops
/// (`ip_vs_sip_fill_param`, `net/netfilter/ipvs/ip_vs_pe_sip.c`; seen on Linux 6.1).
fn engine_of_udp(scope: &mut Scope<'_>, spot: Spot, listeners: &ReadListeners) {
    let other = listeners
        .listeners
        .iter()
        .find(|listener| listener.protocol != crate::model::Protocol::Udp);
    if let Some(listener) = other {
        scope
            .error(
                Code::EngineWithoutUdp,
                spot,
                format!("the sip engine handles UDP only: packets to {listener} will be dropped"),
            )
            .help("put the ports that are not UDP into a group without engine");
    }
}

/// To a persistent service by mark, IPVS keeps the port of the packet: it maps only where
/// that is the port of the service, which a mark does not have (`ip_vs_sched_persist`,
/// `net/netfilter/ipvs/ip_vs_core.c`; seen on Linux 6.1).
fn persistent_port(scope: &mut Scope<'_>, listeners: &ReadListeners, servers: &[ReadServer]) {
    let same = |port: u16| {
        listeners
            .listeners
            .iter()
            .all(|listener| listener.ports.is_single() && listener.ports.first() == port)
    };
    let mapped = servers.iter().find(|read| read.server.port.is_some_and(|port| !same(port)));
    if let Some(spot) = mapped.and_then(|read| read.port) {
        scope
            .error(
                Code::PersistentPort,
                spot,
                "the kernel does not map ports of a persistent mark: clients will be refused",
            )
            .label("ignored by IPVS")
            .help("use persistence = \"ppc\" with via = \"address\", which maps ports, or let the real server listen on the port of the VIP; without persistence, scheduler = \"mh\" or \"sh\" keeps a client on its server");
    }
}

fn one_packet(
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
    listeners: &Checked<ReadListeners>,
) -> Checked<bool> {
    let Some(field) = fields.get("one-packet") else { return Ok(false) };
    let one_packet = scope.boolean(field.value, "one-packet")?;
    let udp = |(listener, _): &Written| listener.protocol == crate::model::Protocol::Udp;
    if one_packet && listeners.as_ref().is_ok_and(|read| !read.written.iter().any(udp)) {
        scope
            .error(
                Code::OnePacketWithoutUdp,
                field.key,
                "one-packet does nothing, for no port is UDP",
            )
            .help("leave it out, or listen on a UDP port");
    }
    Ok(one_packet)
}

/// The answer is translated back by the entry of its connection, and IPVS keeps none for
/// one packet (`ip_vs_conn_new`, `net/netfilter/ipvs/ip_vs_conn.c`; seen on Linux 6.1).
fn one_packet_by_nat(scope: &mut Scope<'_>, spot: Spot, servers: &[ReadServer]) {
    if let Some(read) = servers.iter().find(|read| read.server.forwarding.maps_ports()) {
        let address = read.server.address;
        scope
            .error(
                Code::OnePacketByNat,
                spot,
                format!("clients will not take the answers of {address}: with one-packet, IPVS does not translate them back"),
            )
            .help("forward = \"dr\" or \"tun\", whose real servers answer as the VIP; or leave one-packet out");
    }
}

fn via(
    scope: &mut Scope<'_>,
    fields: &Fields<'_>,
    mode: Checked<Option<Mode>>,
    vips: &Checked<Vec<(Prefix, Spot)>>,
    listeners: &Checked<ReadListeners>,
    servers: Checked<&[ReadServer]>,
) -> Checked<Via> {
    let Some(field) = fields.get("via") else { return Ok(Via::Mark) };
    let via = scope.word(field.value, "via", &[("mark", Via::Mark), ("address", Via::Address)])?;
    if via == Via::Mark {
        return Ok(via);
    }
    let written = listeners.as_ref().map_or(&[][..], |read| &read.written);
    let range = written.iter().find(|(one, _)| !one.ports.is_single() && !one.ports.is_any());
    let prefix = vips.as_ref().ok().and_then(|vips| vips.iter().find(|(vip, _)| !vip.is_host()));
    let all = written.iter().find(|(one, _)| one.ports.is_any() && mode == Ok(None));
    let chosen = fields.get("mark").or(fields.get("marks"));
    let pfwmc = fields.get("persistence").filter(|_| mode == Ok(Some(Mode::Pfwmc)));
    let full = servers.ok().and_then(snat::first);
    let reasons = [
        pfwmc.map(|field| (field.value.spot, "pfwmc ties ports together by one")),
        chosen.map(|field| (field.key, "one is chosen here")),
        range.map(|&(_, spot)| (spot, "a range of ports needs one")),
        prefix.map(|&(_, spot)| (spot, "a prefix needs one")),
        all.map(|&(_, spot)| (spot, "\"any\" without pcc needs one")),
        full.map(|spot| (spot, "fullnat knows its packets by one")),
    ];
    let reasons: Vec<_> = reasons.into_iter().flatten().collect();
    if reasons.is_empty() {
        return Ok(via);
    }
    let why: Vec<_> = reasons.iter().map(|(_, why)| *why).collect();
    let message = format!("via = \"address\" goes without marks, but {}", why.join(", and "));
    let others: Vec<_> =
        reasons.into_iter().map(|(spot, why)| scope.report.label(spot, why)).collect();
    let error = scope.error(Code::ViaNeedsMark, field.value.spot, message);
    error.label("no marks here").help("leave via out: the group then goes by mark");
    for other in others {
        error.also(other);
    }
    Err(Reported)
}

/// Whether each real server has a VIP to serve and each family of VIPs a real server.
fn families(scope: &mut Scope<'_>, vips: &[(Prefix, Spot)], servers: &[ReadServer]) -> bool {
    let mut sound = true;
    let of = |family: Family| vips.iter().find(|(vip, _)| vip.family() == family);
    let present = || Family::BOTH.into_iter().filter(|&family| of(family).is_some());
    for read in servers {
        if present().any(|family| read.server.serves(family)) {
            continue;
        }
        sound = false;
        let address = read.server.address;
        let family = family_name(read.server.family());
        let message = format!("real server {address} is {family}, but no VIP is");
        scope
            .error(Code::FamilyWithoutVip, read.address, message)
            .label(format!("no {family} VIP to serve"))
            .help(format!("add an {family} VIP, or reach it with forward = \"tun\""));
    }
    if !sound {
        return false;
    }
    for (vip, spot) in present().filter_map(of) {
        if servers.iter().any(|read| read.server.serves(vip.family())) {
            continue;
        }
        sound = false;
        let family = family_name(vip.family());
        let message = format!("no real server serves the {family} VIP {vip}");
        scope
            .error(Code::FamilyWithoutServer, *spot, message)
            .label(format!("no real server is {family}"))
            .help(format!(
                "add an {family} real server, or reach one of the others with forward = \"tun\""
            ));
    }
    sound
}

/// Whether every real server with a port gets the packets of one port only: IPVS sends
/// every port of a mark to it. `apart` is whether each listener has a service of its own.
fn mapped_ports(
    scope: &mut Scope<'_>,
    apart: bool,
    listeners: &ReadListeners,
    servers: &[ReadServer],
) -> bool {
    let single = |(listener, _): &Written| listener.ports.is_single();
    let same = |pair: &[Written]| pair[0].0.ports == pair[1].0.ports;
    let written = &listeners.written;
    let one_port = written.iter().all(single) && (apart || written.windows(2).all(same));
    let mapped = servers.iter().find_map(|read| Some((read.server.port?, read.port?)));
    let (Some((port, spot)), false) = (mapped, one_port) else { return true };
    let ports = |listener: &Listener| listener.to_string();
    let names: Vec<_> = written.iter().take(4).map(|(listener, _)| ports(listener)).collect();
    let and_more = if written.len() > 4 { ", …" } else { "" };
    let what = if listeners.listeners == crate::model::Listeners::Any {
        "every port".to_owned()
    } else {
        format!("{}{and_more}", names.join(", "))
    };
    let help = if written.iter().all(single) {
        "use persistence = \"ppc\", which gives each port a mark, or make one group a port"
    } else {
        "make one group for each port that is mapped; a range keeps its ports"
    };
    scope
        .error(
            Code::PortOfSeveral,
            spot,
            format!("IPVS sends every port of a mark to the port of the real server, here {what} to {port}"),
        )
        .label("only where the mark has one port")
        .help(help);
    false
}
