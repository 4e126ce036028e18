//! Programs that write rules of their own beside ours, as docs/neighbours.md tells of them:
//! what breaks, that the doctor says so where it can, and that what the page says mends it.

use std::time::Duration;

use rustix::process::Signal;

use crate::lab::{CLIENT, Director, Kind, Lab, RealServer};
use crate::scene::{Fwmarkctl, list, until};

const DOCKER: &str = include_str!("neighbours/docker.rules");
const KUBERNETES: &str = include_str!("neighbours/kubernetes.rules");

const HTTP: &str = "172.18.100.7:80";
const HTTPS: &str = "172.18.100.7:443";

/// The marks that have neither of the two bits that Kubernetes takes for its own.
const WITHOUT_BITS: &str = "[director]\nmarks = \"0x4c560000-0x4c563fff\"\n";

/// A lab of two real servers, and its group; whose automatic mark, 0x4c56e53b, has both of
/// the bits of Kubernetes.
fn web(kind: Kind) -> (Lab, String) {
    let lab = Lab::of(&[kind, kind]);
    lab.serve_tcp(&[80, 443]);
    let forward = if kind == Kind::Nat { "nat" } else { "dr" };
    let config = format!(
        "[group.web]\nvips = [\"172.18.100.7\"]\nports = [\"80/tcp\", \"443/tcp\"]\n\
         forward = {forward:?}\nreal = {}\n",
        list(&lab, &[RealServer::v4])
    );
    lab.director().apply(&config);
    (lab, config)
}

/// Rules as they are loaded by who writes them: other tables and chains stay.
fn load(director: &Director, rules: &str) {
    director.command("iptables-nft-restore").arg("--noflush").stdin(rules).ok();
}

fn iptables(director: &Director, rule: &str) {
    director.command("iptables-nft").args(rule.split(' ')).ok();
}

fn answers(lab: &Lab, target: &str) -> bool {
    lab.client().patience(Duration::from_secs(2)).tcp(CLIENT, target).is_ok()
}

fn doctor(director: &Director, config: &str) -> String {
    director.with(&["doctor"], config).run().stdout
}

#[test]
fn a_port_that_docker_publishes_everywhere_is_taken_from_the_vip() {
    let (lab, config) = web(Kind::Dr);
    let director = lab.director();
    load(director, DOCKER);
    director.in_sync(&config).unwrap();
    assert!(answers(&lab, HTTPS), "a port that nobody publishes is served");
    assert!(!answers(&lab, HTTP));
    let found = doctor(director, &config);
    assert!(found.contains("D0205") && found.contains("172.18.100.7:80/tcp"), "{found}");
    // Published at one address of the director, as by -p 172.18.100.1:80:80.
    iptables(
        director,
        "-t nat -D DOCKER ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80",
    );
    iptables(
        director,
        "-t nat -A DOCKER -d 172.18.100.1/32 ! -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80",
    );
    assert!(answers(&lab, HTTP) && answers(&lab, HTTPS));
}

#[test]
fn docker_drops_the_answers_of_real_servers_by_nat_unless_its_users_say_otherwise() {
    let (lab, config) = web(Kind::Nat);
    let director = lab.director();
    load(director, DOCKER);
    assert!(!answers(&lab, HTTPS));
    let found = doctor(director, &config);
    assert!(found.contains("D0204"), "{found}");
    for server in lab.real_servers() {
        iptables(director, &format!("-I DOCKER-USER -s {} -j ACCEPT", server.v4()));
    }
    assert!(answers(&lab, HTTPS));
    // What Docker writes anew at its next start leaves that chain alone.
    director.in_sync(&config).unwrap();
}

#[test]
fn marks_without_the_bits_of_kubernetes_go_through_its_chains() {
    let (lab, config) = web(Kind::Dr);
    let director = lab.director();
    load(director, KUBERNETES);
    assert!(!answers(&lab, HTTP), "0x8000 is dropped");
    let found = doctor(director, &config);
    assert!(found.contains("D0201"), "{found}");
    director.apply(&format!("{WITHOUT_BITS}{config}"));
    assert!(answers(&lab, HTTP) && answers(&lab, HTTPS));
}

/// NAT beside kube-proxy: answers that conntrack knows nothing of are invalid to it, and
/// with conntrack it replaces the clients' addresses where a mark has its bit.
#[test]
fn nat_beside_kubernetes_takes_conntrack_and_marks_without_its_bits() {
    let (lab, config) = web(Kind::Nat);
    let director = lab.director();
    load(director, KUBERNETES);
    iptables(director, "-F KUBE-FIREWALL");
    assert!(!answers(&lab, HTTP), "answers are invalid without conntrack");
    let source = |director_table: &str, conntrack: &str| {
        director.apply(&format!("{director_table}{conntrack}{config}"));
        assert!(answers(&lab, HTTP), "{director_table}{conntrack}");
        lab.requests().pop().unwrap().from.ip().to_string()
    };
    let conntrack = "[director.sysctl]\nvs.conntrack = 1\n";
    assert!(source("", conntrack).ends_with("10.20.0.1"), "0x4000 is masqueraded");
    assert!(source(WITHOUT_BITS, conntrack).ends_with(CLIENT));
}

/// kube-proxy in its nftables mode begins by emptying IPVS, of which it has nothing then.
#[test]
fn services_that_somebody_flushes_are_brought_back_by_the_watch() {
    let (lab, config) = web(Kind::Dr);
    let director = lab.director();
    let watch = director.fwmarkctl(&["watch", "--no-apply", "--interval", "0.5"]).spawn();
    director.ipvsadm("-C");
    until("the services are there again", || director.in_sync(&config).is_ok());
    assert!(answers(&lab, HTTP));
    watch.signal(Signal::TERM);
    assert_eq!(watch.wait().code, Some(0));
}
