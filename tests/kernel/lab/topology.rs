//! The lab's cables and addresses, as lines for `ip -batch`: one run of it for
//! each machine, because starting programs is what costs time here.

use std::fmt::Write;

use super::{Director, Kind, Namespace, RealServer, VIPS_V4, VIPS_V6};

/// Connects and configures all machines. The client machine is also the switch.
pub(super) fn build(client: &Namespace, director: &Director, servers: &[RealServer]) {
    client.ip(&(cables(director, servers) + &client_addresses()));
    // Frames that cross the switch are none of its firewall's business.
    if client.run(|| std::path::Path::new("/proc/sys/net/bridge").exists()) {
        client.sysctl("net.bridge.bridge-nf-call-iptables", "0");
        client.sysctl("net.bridge.bridge-nf-call-ip6tables", "0");
    }
    director.ip(&director_addresses());
    if servers.iter().any(|server| server.kind() == Kind::Nat) {
        director.sysctl("net.ipv4.ip_forward", "1");
        director.sysctl("net.ipv6.conf.all.forwarding", "1");
    }
    for server in servers {
        server.namespace().ip(&server_addresses(server));
    }
}

/// Connects another director, which has no VIP yet.
pub(super) fn join(client: &Namespace, second: &Director) {
    let path = second.namespace().path();
    let mut lines = String::new();
    for bridge in ["front", "back"] {
        writeln!(lines, "link add dir2-{bridge} type veth peer name {bridge} netns {path}")
            .unwrap();
        writeln!(lines, "link set dir2-{bridge} master {bridge} up").unwrap();
    }
    client.ip(&lines);
    second.ip("link set lo up\n\
         link set front up\n\
         link set back up\n\
         addr add 172.18.100.2/24 dev front\n\
         addr add 10.20.0.2/24 dev back\n");
}

/// The first director is cut off, and its first VIP moves to the second, as VRRP does it.
pub(super) fn fail_over(client: &Namespace, director: &Director, second: &Director) {
    director.ip("link set front down\nlink set back down");
    second.ip(&format!("addr add {}/32 dev front", VIPS_V4[0]));
    // What an announcement of the second one does.
    client.ip("neigh flush dev front");
}

/// Makes a real server take packets for the VIPs, by hand.
pub(super) fn prepare(server: &RealServer) {
    if server.kind().in_front() {
        // The VIPs on lo are for packets that come in anyway: nobody is to
        // learn from here that they are at this machine.
        server.namespace().sysctl("net.ipv4.conf.all.arp_ignore", "1");
        server.namespace().sysctl("net.ipv4.conf.all.arp_announce", "2");
        server.namespace().ip(&vips(server));
    }
}

/// Two bridges, and a cable from them to each device of the other machines.
fn cables(director: &Director, servers: &[RealServer]) -> String {
    let mut lines = String::from(
        "link set lo up\n\
         link add front type bridge\n\
         link add back type bridge\n\
         link set front up\n\
         link set back up\n",
    );
    let mut plug = |bridge: &str, machine: &str, namespace: &Namespace| {
        let end = format!("{machine}-{bridge}");
        let path = namespace.path();
        writeln!(lines, "link add {end} type veth peer name {bridge} netns {path}").unwrap();
        writeln!(lines, "link set {end} master {bridge} up").unwrap();
    };
    plug("front", "dir", director.namespace());
    plug("back", "dir", director.namespace());
    for server in servers {
        if server.kind().in_front() {
            plug("front", server.name(), server.namespace());
        }
        if server.kind().in_back() {
            plug("back", server.name(), server.namespace());
        }
    }
    lines
}

fn client_addresses() -> String {
    let v4 = (100..150).map(|host| format!("addr add 172.18.100.{host}/24 dev front\n"));
    let v6 = (100..120).map(|host| format!("addr add 2001:db8:18:100::{host}/64 dev front\n"));
    v4.chain(v6).collect()
}

fn director_addresses() -> String {
    let mut lines = String::from(
        "link set lo up\n\
         link set front up\n\
         link set back up\n\
         addr add 172.18.100.1/24 dev front\n\
         addr add 2001:db8:18:100::1/64 dev front nodad\n\
         addr add 10.20.0.1/24 dev back\n\
         addr add 2001:db8:20::1/64 dev back nodad\n",
    );
    for vip in VIPS_V4 {
        writeln!(lines, "addr add {vip}/32 dev front").unwrap();
    }
    for vip in VIPS_V6 {
        // Deprecated at once: never the source of what the director sends.
        writeln!(lines, "addr add {vip}/128 dev front nodad preferred_lft 0").unwrap();
    }
    lines
}

fn server_addresses(server: &RealServer) -> String {
    let mut lines = String::from("link set lo up\n");
    let kind = server.kind();
    if kind.in_front() {
        writeln!(lines, "link set front up").unwrap();
        writeln!(lines, "addr add {}/24 dev front", server.front_v4()).unwrap();
        writeln!(lines, "addr add {}/64 dev front nodad", server.front_v6()).unwrap();
    }
    if kind.in_back() {
        writeln!(lines, "link set back up").unwrap();
        writeln!(lines, "addr add {}/24 dev back", server.back_v4()).unwrap();
        writeln!(lines, "addr add {}/64 dev back nodad", server.back_v6()).unwrap();
    }
    if kind == Kind::Nat {
        lines.push_str(
            "route add default via 10.20.0.1\n\
             route add ::/0 via 2001:db8:20::1\n",
        );
    }
    lines
}

/// The VIPs, and what unpacks packets for them.
fn vips(server: &RealServer) -> String {
    let mut lines = String::new();
    for vip in VIPS_V4 {
        writeln!(lines, "addr add {vip}/32 dev lo").unwrap();
    }
    for vip in VIPS_V6 {
        writeln!(lines, "addr add {vip}/128 dev lo nodad").unwrap();
    }
    if server.kind() == Kind::Tunnel {
        // "external" takes tunnelled packets from any peer, and needs none of
        // the fallback devices that a namespace has or has not.
        lines.push_str(
            "link add tunnel4 type ipip external\n\
             link add tunnel6 type ip6tnl external\n\
             link set tunnel4 up\n\
             link set tunnel6 up\n",
        );
    }
    lines
}
