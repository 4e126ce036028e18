//! Virtual servers become services, in the order and by the rules of keepalived
//! (`ipvs_cmd`, `ipvs_group_cmd` and `set_vs_fwmark` of 2.2.7).

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::group::{Ranged, ServerGroup};
use super::real::Real;
use super::server::{Target, VirtualServer};
use super::table::{Table, group_name};
use crate::import::notes::{Notes, shown};
use crate::import::{Claim, Path};
use crate::model::{Family, GroupName, Mark, PortRange, Protocol};
use crate::state::{
    Destination, DestinationKey, MarkKey, Method, Netmask, ServiceFlags, ServiceKey, VirtualService,
};

/// More addresses of one range than anybody balances one by one.
const MAX_ADDRESSES: u128 = 65_536;

/// What keepalived knows while it makes services.
pub(super) struct Maker<'a> {
    pub(super) groups: &'a BTreeMap<String, ServerGroup>,
    /// The next mark, where keepalived marks by itself.
    next_mark: Option<u32>,
    /// The marks that groups have got, each protocol its own.
    marks: BTreeMap<(String, Protocol), Mark>,
    pub(super) table: Table,
}

impl<'a> Maker<'a> {
    pub(super) fn new(groups: &'a BTreeMap<String, ServerGroup>, first_mark: Option<u32>) -> Self {
        Self { groups, next_mark: first_mark, marks: BTreeMap::new(), table: Table::default() }
    }

    /// Adds the services of one virtual server.
    pub(super) fn add(&mut self, mut server: VirtualServer, notes: &mut Notes) {
        if server.reals.is_empty() {
            let what = "a virtual server without real servers: keepalived leaves it out";
            return notes.one(&server.place, what);
        }
        let group = match &server.target {
            Target::Group(name) => {
                let group = self.groups.get(name);
                let family = group
                    .ok_or_else(|| format!("there is no group {}", shown(name)))
                    .and_then(|group| server.family_with(group).map_err(str::to_owned));
                match family {
                    Ok(family) => server.family = family,
                    Err(why) => {
                        let what = format!("{why}: keepalived leaves this virtual server out");
                        return notes.one(&server.place, what);
                    }
                }
                group
            }
            _ => None,
        };
        server.complete(group, notes);
        match (&server.target, group) {
            (Target::Address { address, port }, _) => {
                self.by_address(&server, *address, *port, None, notes);
            }
            (Target::Mark(mark), _) => {
                let family = server.family.unwrap_or(Family::Ipv4);
                if let Some(mark) = Mark::new(*mark) {
                    self.by_mark(&server, mark, family, None, notes);
                }
            }
            (Target::Group(_), Some(group)) => self.by_group(&server, group, notes),
            (Target::Group(_), None) => {}
        }
    }

    fn by_group(&mut self, server: &VirtualServer, group: &ServerGroup, notes: &mut Notes) {
        let name = group_name(&group.name, &server.place, notes);
        let protocol = server.protocol.filter(|_| group.marks.is_empty());
        if let (Some(protocol), Some(_)) = (protocol, self.next_mark) {
            return self.by_own_mark(server, group, protocol, name.as_ref(), notes);
        }
        if server.timeout.is_some() && server.netmask.is_some() {
            let what = "keepalived forgets persistence_granularity for a group that it does not \
                        mark by itself: each address is a client, and so it is here";
            notes.one(&server.place, what);
        }
        let plain = VirtualServer { netmask: None, ..server.clone() };
        for entry in &group.ranges {
            if entry.range.size() > MAX_ADDRESSES {
                let what = format!("this range makes more than {MAX_ADDRESSES} services");
                notes.some("range", &entry.place, what);
                continue;
            }
            for address in entry.range.addresses() {
                self.by_address(&plain, address, entry.port, name.as_ref(), notes);
            }
        }
        for entry in &group.marks {
            let family = entry.family.or(server.family).unwrap_or(Family::Ipv4);
            self.by_mark(&plain, entry.mark, family, name.as_ref(), notes);
        }
    }

    /// One mark for all addresses of a group, and a rule for each of them.
    fn by_own_mark(
        &mut self,
        server: &VirtualServer,
        group: &ServerGroup,
        protocol: Protocol,
        name: Option<&GroupName>,
        notes: &mut Notes,
    ) {
        let known = self.marks.get(&(group.name.clone(), protocol)).copied();
        let fresh = || {
            let number = self.next_mark.take()?;
            self.next_mark = number.checked_add(1);
            Mark::new(number)
        };
        let Some(mark) = known.or_else(fresh) else {
            return notes.one(&server.place, "no mark is left for this group");
        };
        if known.is_none() {
            self.marks.insert((group.name.clone(), protocol), mark);
            for entry in &group.ranges {
                self.mark(entry, protocol, mark, name, notes);
            }
        }
        let families = match server.family {
            Some(family) => vec![family],
            None => Family::BOTH.into_iter().filter(|family| group.has(*family)).collect(),
        };
        for (number, family) in families.into_iter().enumerate() {
            // Only the first family gets the netmask.
            let netmask = server.netmask.filter(|_| number == 0);
            let server = VirtualServer { netmask, ..server.clone() };
            self.by_mark(&server, mark, family, name, notes);
        }
    }

    fn mark(
        &mut self,
        entry: &Ranged,
        protocol: Protocol,
        mark: Mark,
        name: Option<&GroupName>,
        notes: &mut Notes,
    ) {
        let Ok(ports) = PortRange::single(entry.port) else {
            let what = "keepalived marks an address without a port by the port 0, which is no \
                        packet's: it does not balance it, and no group does";
            return notes.one(&entry.place, what);
        };
        for destination in entry.range.prefixes() {
            let claim = Claim {
                key: MarkKey { destination, protocol, ports },
                mark,
                path: Path::Arriving,
                last: true,
                yields: false,
                name: name.cloned(),
                place: entry.place.clone(),
            };
            self.table.claim(claim, notes);
        }
    }

    fn by_address(
        &mut self,
        server: &VirtualServer,
        address: IpAddr,
        port: u16,
        name: Option<&GroupName>,
        notes: &mut Notes,
    ) {
        let protocol = server.protocol.unwrap_or(Protocol::Udp);
        let family = Family::of(address);
        let key = ServiceKey::Address { address, protocol, port };
        let in_group = matches!(server.target, Target::Group(_));
        let mut destinations = Vec::with_capacity(server.reals.len());
        for real in &server.reals {
            let maps = real.method == Some(Method::Nat) && real.port != 0;
            if !maps && real.port != 0 && real.port != port {
                let what = "only NAT reaches a real server at another port: keepalived ignores it";
                notes.some("port", &real.place, what);
            }
            // In a group keepalived leaves the port 0, which IPVS takes for the packet's own.
            if in_group && real.method == Some(Method::Nat) && real.port == 0 && port != 0 {
                let what = format!(
                    "keepalived makes this real server with the port 0 in {key}; the group has \
                     the port {port}, which is the same to clients: an apply exchanges them"
                );
                notes.some("port 0", &real.place, what);
            }
            destinations.push(destination(real, if maps { real.port } else { port }));
        }
        if let Some(service) = service(server, family, destinations, name) {
            self.table.add(key, service, &server.place, notes);
        }
    }

    fn by_mark(
        &mut self,
        server: &VirtualServer,
        mark: Mark,
        family: Family,
        name: Option<&GroupName>,
        notes: &mut Notes,
    ) {
        let key = ServiceKey::Mark { mark, family };
        let mut destinations = Vec::with_capacity(server.reals.len());
        for real in &server.reals {
            let maps = real.method == Some(Method::Nat);
            destinations.push(destination(real, if maps { real.port } else { 0 }));
        }
        if let Some(service) = service(server, family, destinations, name) {
            self.table.add(key, service, &server.place, notes);
        }
    }
}

fn destination(real: &Real, port: u16) -> Destination {
    Destination {
        key: DestinationKey { address: real.address, port },
        method: real.method.unwrap_or(Method::Nat),
        weight: real.weight.unwrap_or(1),
        upper_threshold: real.upper,
        lower_threshold: real.lower,
    }
}

/// A service, of a virtual server that was completed.
fn service(
    server: &VirtualServer,
    family: Family,
    mut destinations: Vec<Destination>,
    name: Option<&GroupName>,
) -> Option<VirtualService> {
    // Two ports of one real server become one where the port does not count.
    let mut seen = std::collections::BTreeSet::new();
    destinations.retain(|destination| seen.insert(destination.key));
    let persistent = server.timeout.is_some();
    let flags = if persistent { server.flags.with(ServiceFlags::PERSISTENT) } else { server.flags };
    let netmask = server.netmask.filter(|_| persistent);
    Some(VirtualService {
        group: name.cloned(),
        recorded: false,
        scheduler: server.scheduler?,
        flags,
        timeout: server.timeout.unwrap_or(0),
        netmask: netmask.unwrap_or(Netmask::host(family)),
        engine: server.engine.filter(|_| persistent),
        destinations,
    })
}
