use super::*;
use crate::backend::Activity;
use crate::state::{Destination, Method, Netmask, Source, SourceEntry, SourceKey};

const VIP: &str = "192.0.2.1";

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

/// A director with the group web: port 80 and 443 of [`VIP`], mark 10, two servers.
struct World {
    ruleset: MarkRuleset,
    services: ServiceTable,
    activity: ActivityTable,
    entries: Vec<ConnectionEntry>,
    quiescent_expire: bool,
}

fn key() -> ServiceKey {
    "fwmark 10 ipv4".parse().expect("a key")
}

impl World {
    fn new(scheduler: &str) -> Self {
        let mut ruleset = MarkRuleset::default();
        for ports in ["80", "443", "8000-8100"] {
            let key = MarkKey {
                destination: VIP.parse().expect(VIP),
                protocol: Protocol::Tcp,
                ports: ports.parse().expect(ports),
            };
            let entry = MarkEntry { mark: Mark::new(10), group: "web".parse().ok() };
            ruleset.entries.insert(key, entry);
        }
        let destination = |address: &str| Destination {
            key: DestinationKey { address: ip(address), port: 0 },
            method: Method::DirectRouting,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let service = VirtualService {
            group: "web".parse().ok(),
            recorded: true,
            scheduler: scheduler.parse().expect(scheduler),
            flags: ServiceFlags::default(),
            timeout: 0,
            netmask: Netmask::host(Family::Ipv4),
            engine: None,
            destinations: vec![destination("10.0.0.1"), destination("10.0.0.2")],
        };
        Self {
            ruleset,
            services: [(key(), service)].into(),
            activity: ActivityTable::new(),
            entries: Vec::new(),
            quiescent_expire: false,
        }
    }

    fn service(&mut self) -> &mut VirtualService {
        self.services.get_mut(&key()).expect("the service")
    }

    fn busy(&mut self, server: usize, active: u32, inactive: u32) {
        let it = self.service().destinations[server].key;
        self.activity.insert((key(), it), Activity { active, inactive, persistent: 0 });
    }

    fn persists(&mut self, length: u8) {
        let service = self.service();
        service.flags = ServiceFlags::PERSISTENT;
        service.netmask = Netmask::from_length(Family::Ipv4, length);
    }

    fn remembers(&mut self, protocol: &str, client: &str, target: &str, real: &str) {
        let endpoint = |text: &str| {
            let place: std::net::SocketAddr = text.parse().expect(text);
            Endpoint { address: place.ip(), port: place.port() }
        };
        self.entries.push(ConnectionEntry {
            protocol: protocol.into(),
            client: endpoint(client),
            target: endpoint(target),
            real: endpoint(real),
            state: "ESTABLISHED".into(),
            expires: 99,
            engine: None,
        });
    }

    fn journey(&self, port: u16) -> Journey {
        let packet = Packet {
            client: ip("198.51.100.7"),
            client_port: Some(40_000),
            vip: ip(VIP),
            port,
            protocol: Protocol::Tcp,
        };
        let Self { ruleset, services, activity, entries, quiescent_expire } = self;
        let quiescent_expire = *quiescent_expire;
        Journey::of(&packet, Facts { ruleset, services, activity, entries, quiescent_expire })
    }

    fn chosen(&self) -> String {
        self.journey(80).chosen.join(" ")
    }
}

fn sentence(journey: &Journey, stage: Stage) -> &str {
    let step = journey.steps.iter().find(|step| step.stage == stage);
    step.map_or("", |step| &step.message)
}

#[test]
fn a_new_connection_goes_by_mark_service_and_scheduler() {
    let world = World::new("rr");
    for port in [80, 443, 8050] {
        let journey = world.journey(port);
        assert_eq!(journey.end, End::Forwarded, "{port}: {journey:#?}");
        assert_eq!(journey.service.as_deref(), Some("fwmark 10 ipv4"));
        assert_eq!(journey.chosen, ["10.0.0.1", "10.0.0.2"]);
        let stages: Vec<_> = journey.steps.iter().map(|step| step.stage).collect();
        let all = "Mark Known Service Schedule Forward Return";
        let stages: Vec<_> = stages.iter().map(|stage| format!("{stage:?}")).collect();
        assert_eq!(stages.join(" "), all);
    }
    let other = world.journey(81);
    assert_eq!((other.end, other.mark, other.entry), (End::NotBalanced, None, None));
    assert_eq!(other.steps.last().expect("a step").stage, Stage::Service);
}

#[test]
fn a_mark_without_a_service_is_lost_unless_the_address_has_one() {
    let mut world = World::new("rr");
    let (_, service) = world.services.pop_first().expect("the service");
    let journey = world.journey(80);
    assert_eq!(journey.end, End::NotBalanced);
    let said = sentence(&journey, Stage::Service);
    assert!(
        said.starts_with("there is no service of mark 10, nor one of tcp 192.0.2.1:80"),
        "{said}"
    );
    let by_address = "tcp 192.0.2.1:0".parse().expect("a key");
    world.services.insert(by_address, VirtualService { recorded: false, ..service });
    let journey = world.journey(80);
    assert_eq!(
        (journey.end, journey.service.as_deref()),
        (End::Forwarded, Some("tcp 192.0.2.1:0"))
    );
    assert!(sentence(&journey, Stage::Service).ends_with("which somebody else made"));
}

#[test]
fn each_scheduler_chooses_as_the_kernel_does() {
    for (scheduler, weights, loads, chosen) in [
        ("rr", [1, 1], [(9, 0), (0, 0)], "10.0.0.1 10.0.0.2"),
        ("lc", [1, 4], [(2, 0), (1, 255)], "10.0.0.2"),
        ("lc", [1, 1], [(1, 0), (0, 256)], "10.0.0.1 10.0.0.2"),
        ("wlc", [1, 4], [(1, 0), (3, 0)], "10.0.0.2"),
        ("wlc", [1, 4], [(1, 0), (5, 0)], "10.0.0.1"),
        // An active connection is worth 256 others.
        ("wlc", [1, 1], [(1, 0), (0, 255)], "10.0.0.2"),
        ("sed", [1, 3], [(0, 0), (3, 0)], "10.0.0.1"),
        ("nq", [1, 100], [(0, 7), (1, 0)], "10.0.0.1"),
        ("nq", [1, 100], [(1, 0), (1, 0)], "10.0.0.2"),
        ("fo", [2, 3], [(0, 0), (900, 0)], "10.0.0.2"),
        ("ovf", [2, 3], [(0, 0), (3, 0)], "10.0.0.1"),
        ("ovf", [2, 3], [(2, 0), (3, 0)], ""),
        // What has the weight 0 takes nobody, whatever is scheduled.
        ("wlc", [0, 1], [(0, 0), (99, 0)], "10.0.0.2"),
        ("rr", [0, 0], [(0, 0), (0, 0)], ""),
    ] {
        let mut world = World::new(scheduler);
        for (number, (weight, (active, inactive))) in weights.into_iter().zip(loads).enumerate() {
            world.service().destinations[number].weight = weight;
            world.busy(number, active, inactive);
        }
        assert_eq!(world.chosen(), chosen, "{scheduler} {weights:?} {loads:?}");
        let end = if chosen.is_empty() { End::Refused } else { End::Forwarded };
        assert_eq!(world.journey(80).end, end, "{scheduler} {weights:?}");
    }
}

#[test]
fn who_has_too_much_to_do_is_passed_over() {
    let mut world = World::new("wlc");
    world.service().destinations[0].upper_threshold = 3;
    world.busy(0, 2, 1);
    world.busy(1, 50, 0);
    let journey = world.journey(80);
    assert_eq!(journey.chosen, ["10.0.0.2"]);
    let why = journey.real_servers[0].passed_over.as_deref();
    assert_eq!(why, Some("3 connections reach its upper threshold 3"));
    world.busy(0, 2, 0);
    assert_eq!(world.chosen(), "10.0.0.1");
}

#[test]
fn a_known_connection_needs_neither_mark_nor_weight() {
    let mut world = World::new("wlc");
    world.remembers("TCP", "198.51.100.7:40000", "192.0.2.1:80", "10.0.0.2:80");
    world.ruleset = MarkRuleset::default();
    assert_eq!(world.chosen(), "10.0.0.2:80");
    // Another port of the client is another connection.
    world.entries[0].client.port = 40_001;
    assert_eq!(world.journey(80).end, End::NotBalanced);
}

#[test]
fn a_template_ties_a_client_of_its_network_to_its_server() {
    for (length, client) in [(32, "198.51.100.7:0"), (24, "198.51.100.0:0")] {
        let mut world = World::new("rr");
        world.persists(length);
        assert_eq!(world.chosen(), "10.0.0.1 10.0.0.2", "nobody is known yet");
        world.remembers("IP", client, "0.0.0.10:0", "10.0.0.2:0");
        assert_eq!(world.chosen(), "10.0.0.2");
        // A server that drains keeps whom it knows, unless they are to be dealt anew.
        world.service().destinations[1].weight = 0;
        assert_eq!(world.chosen(), "10.0.0.2");
        world.quiescent_expire = true;
        assert_eq!(world.chosen(), "10.0.0.1");
        // The template of another mark, or of a server that left, counts for nothing.
        world.quiescent_expire = false;
        world.entries[0].target.address = ip("0.0.0.11");
        assert_eq!(world.chosen(), "10.0.0.1");
        world.entries[0].target.address = ip("0.0.0.10");
        world.service().destinations.pop();
        let journey = world.journey(80);
        assert_eq!(journey.chosen, ["10.0.0.1"]);
        assert!(sentence(&journey, Stage::Schedule).contains("10.0.0.2, which left"));
    }
}

#[test]
fn the_way_back_is_that_of_the_method() {
    let mut world = World::new("wlc");
    for (method, port, forth, back) in [
        (Method::DirectRouting, 0, "by direct routing", "answers 198.51.100.7 itself"),
        (Method::Nat, 8080, "the server's port 8080", "leads over this director"),
        (Method::Tunnel(crate::model::Tunnel::Ipip), 0, "(IP in IP)", "rp_filter off"),
        (Method::LocalNode, 0, "to the director itself", "the director answers"),
    ] {
        let mut only = world.service().destinations[0];
        (only.method, only.key.port) = (method, port);
        world.service().destinations = vec![only];
        let journey = world.journey(80);
        let said = [Stage::Forward, Stage::Return].map(|stage| sentence(&journey, stage));
        assert!(said[0].contains(forth) && said[1].contains(back), "{said:?}");
        world.service().destinations[0].key.port = 0;
    }
    let mut only = world.service().destinations[0];
    only.method = Method::Nat;
    world.service().destinations = vec![only];
    let source = SourceKey { mark: Mark::new(10).expect("not 0"), server: only.key.address };
    let entry = SourceEntry { source: Source::Masquerade, group: None };
    world.ruleset.sources.insert(source, entry);
    assert!(sentence(&world.journey(80), Stage::Forward).contains("full NAT"));
    // The same is said of a connection that is known.
    world.remembers("TCP", "198.51.100.7:40000", "192.0.2.1:80", "10.0.0.1:80");
    let known = world.journey(80);
    assert_eq!(known.chosen, ["10.0.0.1:80"]);
    assert!(sentence(&known, Stage::Forward).contains("full NAT"), "{known:#?}");
}

#[test]
fn nothing_is_said_to_be_marked_by_what_is_damaged() {
    let mut world = World::new("rr");
    let but_for = "192.0.2.1:80/tcp of group web would mark it 10, but ";
    world.ruleset.frame = Frame::RulesDiffer(vec!["the jumps are not there".to_owned()]);
    let said = world.journey(80);
    assert_eq!(sentence(&said, Stage::Mark), format!("{but_for}what marks is damaged"));
    assert_eq!(sentence(&world.journey(81), Stage::Mark), "no entry of ours marks it");
    world.ruleset.frame = Frame::Intact;
    let mut said = world.journey(80);
    assert!(sentence(&said, Stage::Mark).ends_with("of group web marks it 10"));
    said.misses_its_mark();
    assert_eq!(
        sentence(&said, Stage::Mark),
        format!("{but_for}a rule before ours keeps it from that")
    );
    assert!(!said.is_known);
    world.remembers("TCP", "198.51.100.7:40000", "192.0.2.1:80", "10.0.0.2:80");
    assert!(world.journey(80).is_known);
}
