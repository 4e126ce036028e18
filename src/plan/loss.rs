//! What a plan takes out of service: the groups and real servers that serve now, and would
//! not any more. Somebody has to agree where that is more than a bound
//! (docs/decisions/0033-a-question-before-much-goes.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Plan;
use crate::model::{GroupName, Share};
use crate::state::{
    Destination, DestinationKey, DirectorState, Observation, ServiceKey, ServiceTable,
    VirtualService,
};

/// How many of those that serve would not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, schemars::JsonSchema)]
pub struct Portion {
    /// Those that would not.
    pub lost: usize,
    /// All that serve now.
    pub of: usize,
}

/// What a change takes out of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, schemars::JsonSchema)]
pub struct Loss {
    /// Groups without a real server that takes clients, or without a service.
    pub groups: Portion,
    /// Real servers, each of each group by itself, that go or get the weight 0.
    pub real_servers: Portion,
    /// Whether somebody serves afterwards.
    #[serde(skip)]
    pub leaves_some: bool,
}

impl Loss {
    /// What leading from what was observed to `to` takes out of service. Only services that
    /// are ours count, and real servers with a weight. A group that is renamed, or gets
    /// another mark, is the same. Where nothing changes for the worse nothing is counted.
    pub fn between(from: &Observation, to: &DirectorState) -> Self {
        let ours = || from.services.iter().filter(|(_, service)| service.recorded);
        // At once, and without memory: what most plans are, of directors of any size.
        if ours().all(|(key, service)| goes_on(service, to.services.get(key))) {
            return Self::default();
        }
        let after = Serving::of(&to.services);
        let (mut groups, mut real_servers) = (BTreeMap::new(), BTreeMap::new());
        for (&key, service) in ours() {
            let owner = Owner::of(key, service);
            for server in servers(key, service) {
                *groups.entry(owner).or_insert(false) |= after.has(owner, key);
                let stays = after.has_server(owner, key, server);
                *real_servers.entry((owner, server)).or_insert(false) |= stays;
            }
        }
        let leaves_some = !after.owners.is_empty();
        Self { groups: portion(&groups), real_servers: portion(&real_servers), leaves_some }
    }

    /// Whether no more is lost than somebody agreed to.
    fn is_within(self, agreed: Self) -> bool {
        self.groups.lost <= agreed.groups.lost && self.real_servers.lost <= agreed.real_servers.lost
    }

    /// Whether more than a share is lost. One group or real server alone is not worth a
    /// question while others serve, unless every loss is.
    fn exceeds(self, bound: Share) -> bool {
        let is_much = |portion: Portion| {
            let alone = portion.lost == 1 && self.leaves_some && bound != Share::NONE;
            !alone && bound.is_exceeded(portion.lost, portion.of)
        };
        is_much(self.groups) || is_much(self.real_servers)
    }
}

/// `3 of 4 groups and 12 of 14 real servers`: what is lost.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |Portion { lost, of }: Portion, what: &str| {
            let ending = if of == 1 { "" } else { "s" };
            (lost > 0).then(|| format!("{lost} of {of} {what}{ending}"))
        };
        let parts = [said(self.groups, "group"), said(self.real_servers, "real server")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str("nothing") } else { f.write_str(&parts.join(" and ")) }
    }
}

/// How much a plan may take out of service.
#[derive(Debug, Clone, Copy)]
pub struct Limit<'a> {
    /// More than this share of what serves needs somebody's consent.
    pub bound: Share,
    /// How much somebody has agreed to beforehand.
    pub agreed: Loss,
    /// The plan that somebody has seen and agreed to: that, and no other of its size.
    pub seen: Option<&'a Plan>,
    /// What is meant to last: a trial keeps what leaves, to be given back.
    pub lasting: &'a DirectorState,
}

impl Limit<'_> {
    /// Lets a plan pass, or tells what it would take out of service.
    ///
    /// # Errors
    /// [`Unconfirmed`].
    pub fn check(self, from: &Observation, plan: &Plan) -> Result<(), Box<Unconfirmed>> {
        let loss = Loss::between(from, self.lasting);
        if loss.is_within(self.agreed) || !loss.exceeds(self.bound) || self.seen == Some(plan) {
            return Ok(());
        }
        Err(Box::new(Unconfirmed { loss, bound: self.bound, plan: plan.clone() }))
    }
}

/// A plan that takes more out of service than somebody has agreed to.
#[derive(Debug, thiserror::Error)]
#[error("this takes {loss} out of service, which is more than {bound} of those that serve now")]
pub struct Unconfirmed {
    /// What it takes.
    pub loss: Loss,
    /// The bound that is exceeded.
    pub bound: Share,
    /// The plan.
    pub plan: Plan,
}

/// Whose a real server is. A service that no group has is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner<'a> {
    Group(&'a GroupName),
    Service(ServiceKey),
}

impl<'a> Owner<'a> {
    fn of(key: ServiceKey, service: &'a VirtualService) -> Self {
        service.group.as_ref().map_or(Self::Service(key), Self::Group)
    }
}

/// Who takes clients, by the group and by the service: either may change its name.
#[derive(Default)]
struct Serving<'a> {
    owners: BTreeSet<Owner<'a>>,
    servers: BTreeSet<(Owner<'a>, DestinationKey)>,
}

impl<'a> Serving<'a> {
    fn of(services: &'a ServiceTable) -> Self {
        let mut serving = Self::default();
        for (&key, service) in services {
            for server in servers(key, service) {
                for owner in [Owner::of(key, service), Owner::Service(key)] {
                    serving.owners.insert(owner);
                    serving.servers.insert((owner, server));
                }
            }
        }
        serving
    }

    fn has(&self, owner: Owner<'a>, key: ServiceKey) -> bool {
        self.owners.contains(&owner) || self.owners.contains(&Owner::Service(key))
    }

    fn has_server(&self, owner: Owner<'a>, key: ServiceKey, server: DestinationKey) -> bool {
        [owner, Owner::Service(key)].iter().any(|owner| self.servers.contains(&(*owner, server)))
    }
}

/// The real servers of a service that take clients; port 0 is that of the service.
fn servers(key: ServiceKey, service: &VirtualService) -> impl Iterator<Item = DestinationKey> + '_ {
    let own = key.port();
    let takes = service.destinations.iter().filter(|destination| destination.weight > 0);
    takes.map(move |&Destination { key: DestinationKey { address, port }, .. }| DestinationKey {
        address,
        port: if port == own { 0 } else { port },
    })
}

/// Whether every real server of a service that takes clients goes on with it.
fn goes_on(before: &VirtualService, after: Option<&VirtualService>) -> bool {
    let takes = |destination: Option<&Destination>| destination.is_some_and(|it| it.weight > 0);
    let mut serving = before.destinations.iter().filter(|destination| destination.weight > 0);
    serving.all(|it| takes(after.and_then(|after| after.destination(it.key))))
}

fn portion<K>(stays: &BTreeMap<K, bool>) -> Portion {
    Portion { lost: stays.values().filter(|stays| !**stays).count(), of: stays.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, Mark};
    use crate::state::{Method, Netmask, ServiceFlags};

    /// Of which group a service by mark is, and the weights of its servers by their last byte.
    type Row<'a> = (u32, &'a str, &'a [(u8, u32)]);

    fn service(group: &str, servers: &[(u8, u32)]) -> VirtualService {
        let destination = |&(host, weight): &(u8, u32)| Destination {
            key: DestinationKey { address: [10, 0, 0, host].into(), port: 0 },
            method: Method::DirectRouting,
            weight,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        VirtualService {
            group: group.parse().ok(),
            recorded: true,
            scheduler: "rr".parse().expect("a name"),
            flags: ServiceFlags::default(),
            timeout: 0,
            netmask: Netmask::host(Family::Ipv4),
            engine: None,
            destinations: servers.iter().map(destination).collect(),
        }
    }

    fn state(rows: &[Row<'_>]) -> DirectorState {
        let services = rows.iter().map(|&(mark, group, servers)| {
            let mark = Mark::new(mark).expect("a mark");
            (ServiceKey::Mark { mark, family: Family::Ipv4 }, service(group, servers))
        });
        DirectorState { services: services.collect(), ..DirectorState::default() }
    }

    fn loss(from: &[Row<'_>], to: &[Row<'_>]) -> Loss {
        Loss::between(&Observation::of(&state(from)), &state(to))
    }

    const BOTH: &[(u8, u32)] = &[(1, 1), (2, 1)];
    const FOUR: &[Row<'_>] = &[(1, "a", BOTH), (2, "b", BOTH), (3, "c", BOTH), (4, "d", BOTH)];

    #[test]
    fn what_goes_what_drains_and_what_is_disabled_is_counted() {
        assert_eq!(loss(FOUR, &FOUR[..1]).to_string(), "3 of 4 groups and 6 of 8 real servers");
        let drained: &[Row<'_>] = &[(1, "a", &[(1, 0), (2, 1)]), FOUR[1], FOUR[2], FOUR[3]];
        assert_eq!(loss(FOUR, drained).to_string(), "1 of 8 real servers");
        let silent: &[Row<'_>] = &[(1, "a", &[(1, 0), (2, 0)]), FOUR[1], FOUR[2], FOUR[3]];
        assert_eq!(loss(FOUR, silent).to_string(), "1 of 4 groups and 2 of 8 real servers");
        assert_eq!(loss(FOUR, &[]).to_string(), "4 of 4 groups and 8 of 8 real servers");
        assert!(!loss(FOUR, &[]).leaves_some);
        let one = loss(&[(1, "a", &[(1, 1)])], &[]);
        assert_eq!(one.to_string(), "1 of 1 group and 1 of 1 real server");
    }

    #[test]
    fn what_did_not_serve_or_is_not_ours_is_not_counted() {
        let drained: &[Row<'_>] = &[(1, "a", &[(1, 0), (2, 1)]), (2, "b", &[(1, 0)])];
        let found = loss(drained, &[]);
        assert_eq!(found.to_string(), "1 of 1 group and 1 of 1 real server");
        let mut observed = Observation::of(&state(FOUR));
        for service in observed.services.values_mut() {
            service.recorded = false;
        }
        assert_eq!(Loss::between(&observed, &state(&[])).to_string(), "nothing");
        assert_eq!(loss(&[], FOUR), Loss::default());
    }

    #[test]
    fn another_name_mark_weight_or_more_servers_lose_nothing() {
        let cases: [&[Row<'_>]; 4] = [
            &[(1, "renamed", BOTH)],
            &[(9, "a", BOTH)],
            &[(1, "a", &[(1, 7), (2, 9), (3, 1)])],
            // A port of its own with `ppc`: the group has another service beside it.
            &[(1, "a", BOTH), (2, "a", BOTH)],
        ];
        for to in cases {
            assert_eq!(loss(&FOUR[..1], to).to_string(), "nothing", "{to:?}");
        }
        // The other way round, each real server of the group is one although it is in two.
        let two = [(1, "a", BOTH), (2, "a", BOTH)];
        assert_eq!(loss(&two, &two[..1]).to_string(), "nothing");
        assert_eq!(loss(&two, &[(1, "a", &[(1, 1)])]).to_string(), "1 of 2 real servers");
    }

    #[test]
    fn by_address_a_server_is_the_same_on_every_port_but_one_of_its_own() {
        let at = |vip_port, ports: &[u16]| {
            let (address, protocol) = ([10, 1, 0, 1].into(), crate::model::Protocol::Tcp);
            let mut of_port = service("a", &[]);
            of_port.destinations = ports
                .iter()
                .map(|&port| {
                    let [first] = service("a", &[(1, 1)]).destinations[..] else { panic!() };
                    Destination { key: DestinationKey { port, ..first.key }, ..first }
                })
                .collect();
            (ServiceKey::Address { address, protocol, port: vip_port }, of_port)
        };
        let of = |services: Vec<(ServiceKey, VirtualService)>| {
            let services = services.into_iter().collect();
            DirectorState { services, ..DirectorState::default() }
        };
        let both = Observation::of(&of(vec![at(80, &[80, 8080]), at(443, &[443, 8080])]));
        assert_eq!(Loss::between(&both, &of(vec![at(80, &[80, 8080])])), {
            let portion = |of| Portion { lost: 0, of };
            Loss { groups: portion(1), real_servers: portion(2), leaves_some: true }
        });
        let mapped = Loss::between(&both, &of(vec![at(80, &[80]), at(443, &[443])]));
        assert_eq!(mapped.to_string(), "1 of 2 real servers");
    }

    #[test]
    fn a_bound_is_exceeded_by_more_than_it_and_by_one_alone_only_where_nobody_is_left() {
        let exceeds = |from: &[Row<'_>], to: &[Row<'_>], percent| {
            loss(from, to).exceeds(Share::new(percent).expect("a share"))
        };
        assert!(!exceeds(FOUR, &FOUR[..2], 50), "exactly one half");
        assert!(exceeds(FOUR, &FOUR[..1], 50));
        assert!(!exceeds(FOUR, &FOUR[..1], 75));
        assert!(!exceeds(FOUR, &[], 100), "never asked");
        assert!(exceeds(FOUR, &[], 99));
        // One alone: a lab, or the only server of a group that moves.
        let moved: &[Row<'_>] = &[(1, "a", &[(2, 1)])];
        assert!(!exceeds(&[(1, "a", &[(1, 1)])], moved, 50));
        assert!(exceeds(&[(1, "a", &[(1, 1)])], &[], 50), "nobody is left");
        assert!(exceeds(&[(1, "a", &[(1, 1)])], moved, 0), "every loss");
        assert!(!exceeds(FOUR, FOUR, 0), "no loss");
    }

    #[test]
    fn what_somebody_agreed_to_passes_and_not_more() {
        let (from, to) = (Observation::of(&state(FOUR)), state(&FOUR[..1]));
        let plan = Plan::between(&from, &to);
        let limit = |agreed| {
            Limit { bound: Share::HALF, agreed, seen: None, lasting: &to }.check(&from, &plan)
        };
        let refused = limit(Loss::default()).expect_err("nobody agreed");
        assert_eq!(
            refused.to_string(),
            "this takes 3 of 4 groups and 6 of 8 real servers out of service, \
             which is more than 50% of those that serve now"
        );
        assert_eq!(refused.plan, plan);
        assert!(limit(refused.loss).is_ok());
        assert!(limit(loss(FOUR, &FOUR[..2])).is_err(), "to less");
        // What was shown passes, and nothing else of that size.
        let seen = |to: &DirectorState| {
            let now = Plan::between(&from, to);
            let (bound, agreed, seen) = (Share::HALF, Loss::default(), Some(&plan));
            Limit { bound, agreed, seen, lasting: to }.check(&from, &now)
        };
        assert!(seen(&to).is_ok());
        assert!(seen(&state(&FOUR[1..2])).is_err(), "another group is left");
    }
}
