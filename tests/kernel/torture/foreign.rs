//! What others hold on the director, byte for byte as the kernel tells it: rules with
//! their handles and counters, sets, services with their counters and real servers.
//!
//! Not by `nft` and `ipvsadm`, which take longer to start than all of this, and leave
//! things out.

use fwmarkctl::netlink::{Bus, DUMP, NetlinkError, Socket, put_message};

use crate::lab::Director;

/// At our hook and priority, marking and counting; and a table of our name.
const RULES: &str = r#"
table inet firewall {
    set admins { type ipv4_addr; elements = { 172.18.100.100, 172.18.100.101 } }
    map ports { type inet_service : mark; elements = { 8080 : 0x63 } }
    chain prerouting {
        type filter hook prerouting priority mangle; policy accept;
        tcp dport 8080 counter packets 17 bytes 1717 comment "before us"
        meta mark set tcp dport map @ports
    }
    chain input {
        type filter hook input priority filter; policy accept;
        ip saddr @admins tcp dport 22 counter packets 3 bytes 180 accept
    }
}
table ip fwmarkctl {
    chain prerouting { tcp dport 80 counter; }
}
"#;

/// By mark and by address, of both families.
const SERVICES: &str = "\
-A -t 172.18.100.8:8081 -s rr -p 60
-a -t 172.18.100.8:8081 -r 172.18.100.12:8081 -g -w 5
-A -f 99 -s wlc
-a -f 99 -r 172.18.100.11:0 -g -w 3 -x 200 -y 100
-A -f 99 -6 -s sh -b sh-port
-a -f 99 -6 -r [2001:db8:18:100::11]:0 -g -w 1
";

/// How many services [`load`] makes.
pub(crate) const HOW_MANY: usize = 3;

/// Makes somebody else's rules and services. Nothing of it is in the tables that iptables
/// shares with everybody.
pub(crate) fn load(director: &Director) {
    director.nft(RULES);
    director.ipvsadm(SERVICES);
}

/// All virtual services, and everything of nf_tables that is not in our table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dump {
    /// Each with its real servers.
    pub(crate) services: Vec<Vec<u8>>,
    /// Tables, chains, rules, sets, their elements.
    pub(crate) rules: Vec<Vec<u8>>,
}

/// Reads the namespace of the calling thread, in which nobody edits meanwhile.
pub(crate) fn read() -> Dump {
    for _ in 0..50 {
        if let (Ok(rules), Ok(services)) = (rules(), services()) {
            return Dump { services, rules };
        }
    }
    panic!("what others hold cannot be read");
}

/// `linux/netfilter/nf_tables.h`: tables, chains, rules, sets.
const LISTS: [u8; 4] = [1, 4, 7, 10];
const ELEMENTS: u8 = 13;
const INET: u8 = 1;

fn rules() -> Result<Vec<Vec<u8>>, NetlinkError> {
    let mut socket = Socket::open(Bus::Netfilter)?;
    let mut found = Vec::new();
    let mut list = |kind: u8, family: u8, attributes: &[u8]| {
        let mut request = Vec::new();
        let sequence = socket.next_sequence();
        let kind = 10 << 8 | u16::from(kind);
        put_message(&mut request, kind, DUMP, sequence, |out| {
            out.extend_from_slice(&[family, 0, 0, 0]);
            out.extend_from_slice(attributes);
        });
        socket.dump(&request, |message| {
            let (family, rest) = (message.payload[0], &message.payload[4..]);
            let of_iptables = [&b"mangle\0"[..], b"nat\0"].iter().any(|name| contains(rest, name));
            let ours = match family {
                INET => contains(rest, b"fwmarkctl\0"),
                _ => of_iptables,
            };
            if !ours {
                // Without the generation, which every commit of anybody changes.
                found.push([&message.kind.to_ne_bytes()[..], &[family], rest].concat());
            }
            Ok(())
        })
    };
    for kind in LISTS {
        list(kind, 0, &[])?;
    }
    for set in ["admins", "ports"] {
        let attributes =
            [attribute(1, b"firewall\0"), attribute(2, &[set.as_bytes(), b"\0"].concat())];
        list(ELEMENTS, INET, &attributes.concat())?;
    }
    Ok(found)
}

const FAMILY_CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const GET_SERVICE: u8 = 4;
const GET_DESTINATION: u8 = 8;

fn services() -> Result<Vec<Vec<u8>>, NetlinkError> {
    let mut socket = Socket::open(Bus::Generic)?;
    let mut family = None;
    let mut request = Vec::new();
    let sequence = socket.next_sequence();
    put_message(&mut request, FAMILY_CONTROLLER, 0, sequence, |out| {
        out.extend_from_slice(&[GET_FAMILY, 1, 0, 0]);
        out.extend_from_slice(&attribute(2, b"IPVS\0"));
    });
    socket.transact(&request, |message| {
        // From a first receive on, the pieces of a dump are as large as the buffer: 32 KiB.
        family = family_number(&message.payload[4..]);
        Ok(())
    })?;
    let family = family.expect("this kernel has IPVS");
    let mut list = |command: u8, attributes: &[u8]| -> Result<Vec<Vec<u8>>, NetlinkError> {
        let mut request = Vec::new();
        let sequence = socket.next_sequence();
        put_message(&mut request, family, DUMP, sequence, |out| {
            out.extend_from_slice(&[command, 1, 0, 0]);
            out.extend_from_slice(attributes);
        });
        let mut found = Vec::new();
        socket.dump(&request, |message| {
            found.push(message.payload[4..].to_vec());
            Ok(())
        })?;
        found.sort();
        Ok(found)
    };
    // All come in the first piece. But where it ended, the kernel counts the services of all
    // namespaces (`ip_vs_genl_dump_services`): when others got more meanwhile, the last of
    // ours come again.
    let mut listed = list(GET_SERVICE, &[])?;
    listed.dedup();
    let mut all = Vec::new();
    for service in listed {
        // The answer to one question is what the other one asks about.
        let destinations = list(GET_DESTINATION, &service)?;
        all.push([vec![service], destinations].concat().concat());
    }
    all.sort();
    Ok(all)
}

/// The attribute 1 of an answer about a family: its number.
fn family_number(mut attributes: &[u8]) -> Option<u16> {
    loop {
        let header: [u8; 4] = *attributes.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        if header[2..] == 1_u16.to_ne_bytes() {
            return attributes[4..].first_chunk().map(|number| u16::from_ne_bytes(*number));
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
