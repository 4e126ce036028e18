//! Sets of ipset over netlink: what is written is what is listed, and what ipset(8) shows.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Instant;

use fwmarkctl::backend::Count;
use fwmarkctl::backend::ipset::{
    Extensions, Ipset, IpsetError, Member, SetDefinition, SetFound, SetKind,
};
use fwmarkctl::model::{Family, Prefix, Protocol};

use crate::lab::Namespace;

fn set(name: &str, kind: SetKind, family: Family) -> SetDefinition {
    SetDefinition {
        name: name.to_owned(),
        kind,
        family,
        capacity: 20_000,
        extensions: Extensions::ALL,
    }
}

/// One more than `i` packets: a set without packets is not told from one that does not
/// count.
fn member(i: u32) -> Member {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + i / 4);
    let port = u16::try_from(1 + i % 4 * 1000).unwrap();
    Member {
        prefix: Prefix::host(address.into()),
        port: Some((Protocol::ALL[i as usize % 3], port)),
        mark_key: None,
        skbmark: Some(0x4c56_0000 + i),
        count: Some(Count { packets: (i + 1).into(), bytes: u64::from(i) << 20 }),
        comment: Some(format!("group-{i}")),
    }
}

fn key(member: &Member) -> String {
    format!("{member:?}")
}

fn list(namespace: &Namespace, prefix: &str) -> Vec<SetFound> {
    namespace.run(|| Ipset::open().unwrap().list(prefix).unwrap())
}

#[test]
fn twenty_thousand_members_are_listed_as_they_were_added() {
    let namespace = Namespace::new();
    let front = set("fwmarkctl-a-4", SetKind::IpPort, Family::Ipv4);
    let members: Vec<_> = (0..20_000).map(member).collect();
    namespace.run(|| {
        let mut ipset = Ipset::open().unwrap();
        ipset.create(&front).unwrap();
        ipset.add(&front, &members).unwrap();
    });
    namespace.command("ipset").args(["create", "fwmarkctlx", "hash:mac"]).ok();
    namespace.command("ipset").args(["create", "other", "hash:ip"]).ok();

    let found = list(&namespace, "fwmarkctl-");
    let [found] = found.as_slice() else { panic!("{} sets", found.len()) };
    assert_eq!((found.definition.as_ref(), found.references, found.foreign), (Some(&front), 0, 0));
    let [ours, theirs] =
        [&members, &found.members].map(|all| all.iter().map(key).collect::<BTreeSet<_>>());
    assert_eq!((found.members.len(), ours == theirs), (20_000, true));

    let all = list(&namespace, "");
    let names: Vec<_> = all.iter().map(|set| (&*set.name, &*set.type_name)).collect();
    let expected =
        [("fwmarkctl-a-4", "hash:ip,port"), ("fwmarkctlx", "hash:mac"), ("other", "hash:ip")];
    assert_eq!(names, expected);
    assert_eq!((all[1].definition.as_ref(), all[1].members.len()), (None, 0));
}

/// What ipset(8) itself saves of a set that it made by these lines.
fn saved_after(lines: &str) -> BTreeSet<String> {
    let namespace = Namespace::new();
    namespace.command("ipset").arg("restore").stdin(lines).ok();
    saved(&namespace)
}

fn saved(namespace: &Namespace) -> BTreeSet<String> {
    let text = namespace.command("ipset").arg("save").ok();
    // Where a hash begins to be mixed from is by chance; how large it is, ours alone.
    let as_created = |line: &str| {
        let mut words = line.split(' ');
        let mut kept = Vec::new();
        while let Some(word) = words.next() {
            if ["hashsize", "bucketsize", "initval"].contains(&word) {
                words.next();
            } else {
                kept.push(word);
            }
        }
        kept.join(" ")
    };
    text.lines().map(as_created).collect()
}

#[test]
fn every_kind_is_what_the_tool_makes_of_the_same_words() {
    for (kind, four, six, rest) in [
        (SetKind::IpPort, "172.18.100.7", "2001:db8::7", ",tcp:80"),
        (SetKind::NetPort, "192.0.2.0/28", "2001:db8:7::/64", ",sctp:5060"),
        (SetKind::NetPort, "192.0.2.1", "2001:db8:7::1", ",udp:65535"),
        (SetKind::Net, "192.0.2.0/24", "2001:db8::/33", ""),
        (SetKind::IpMark, "172.18.100.7", "2001:db8::7", ",0x4c560001"),
    ] {
        for (family, address, word) in [(Family::Ipv4, four, "inet"), (Family::Ipv6, six, "inet6")]
        {
            let of_tool = saved_after(&format!(
                "create front {} family {word} maxelem 20000 counters comment skbinfo\n\
                 add front {address}{rest} packets 2 bytes 120 comment \"web\" skbmark 0xa\n",
                kind.type_name()
            ));
            let namespace = Namespace::new();
            let front = set("front", kind, family);
            let port = rest.trim_start_matches(',').split_once(':');
            let only = Member {
                prefix: address.parse().unwrap(),
                port: port.map(|(name, port)| (name.parse().unwrap(), port.parse().unwrap())),
                mark_key: (kind == SetKind::IpMark).then_some(0x4c56_0001),
                skbmark: Some(10),
                count: Some(Count { packets: 2, bytes: 120 }),
                comment: Some("web".to_owned()),
            };
            namespace.run(|| {
                let mut ipset = Ipset::open().unwrap();
                ipset.create(&front).unwrap();
                ipset.add(&front, std::slice::from_ref(&only)).unwrap();
            });
            assert_eq!(saved(&namespace), of_tool);
            let found = list(&namespace, "front").pop().unwrap();
            assert_eq!((found.definition, found.members), (Some(front), vec![only]));
        }
    }
}

#[test]
fn a_set_that_a_rule_names_is_in_use() {
    for iptables in ["iptables-legacy", "iptables-nft"] {
        let namespace = Namespace::new();
        let front = set("front", SetKind::IpPort, Family::Ipv4);
        namespace.run(|| {
            let mut ipset = Ipset::open().unwrap();
            ipset.create(&front).unwrap();
            assert!(matches!(ipset.create(&front), Err(IpsetError::Exists(_))));
        });
        let rule = "-t mangle -A PREROUTING -j SET --map-set front dst,dst --map-mark";
        namespace.command(iptables).args(rule.split(' ')).ok();
        assert_eq!(list(&namespace, "")[0].references, 1, "{iptables}");
        let destroy = || namespace.run(|| Ipset::open().unwrap().destroy("front"));
        assert!(matches!(destroy(), Err(IpsetError::InUse(name)) if name == "front"));
        namespace.command(iptables).args(["-t", "mangle", "-F"]).ok();
        // nf_tables frees its rules a moment later.
        let freed = (0..400).any(|_| {
            let freed = destroy();
            if freed.is_err() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            freed.is_ok()
        });
        assert!(freed, "{iptables}");
        assert!(matches!(destroy(), Err(IpsetError::Missing(_))));
        assert!(list(&namespace, "").is_empty());
    }
}

#[test]
fn the_member_that_is_refused_is_named() {
    let namespace = Namespace::new();
    let front = SetDefinition { capacity: 3000, ..set("front", SetKind::IpPort, Family::Ipv4) };
    namespace.run(|| {
        let mut ipset = Ipset::open().unwrap();
        let missing = ipset.add(&front, &[member(1)]);
        assert!(matches!(missing, Err(IpsetError::Missing(_))), "{missing:?}");
        ipset.create(&front).unwrap();
        let mut members: Vec<_> = (0..2500).map(member).collect();
        members.push(member(1200));
        let twice = ipset.add(&front, &members).unwrap_err();
        let expected = format!(
            "the kernel refused {} in the set front: it is in the set already",
            member(1200)
        );
        assert_eq!(twice.to_string(), expected);
        let found = ipset.list("front").unwrap();
        assert_eq!(found[0].members.len(), 2500);
        let more: Vec<_> = (2500..4000).map(member).collect();
        let full = ipset.add(&front, &more).unwrap_err().to_string();
        assert!(full.ends_with("in the set front: the set is full"), "{full}");
        let unfit = ipset.add(&front, &[Member { port: None, ..member(1) }]).unwrap_err();
        assert!(matches!(unfit, IpsetError::Unfit { .. }), "{unfit}");
        let nameless = SetDefinition { name: String::new(), ..front.clone() };
        assert!(matches!(ipset.create(&nameless), Err(IpsetError::Unfit { .. })));
    });
}

/// Not a promise but a measurement, for docs/decisions/0028.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stderr, reason = "its figures are what it is run for")]
fn how_long_it_takes() {
    for count in [10_000, 100_000] {
        let front = SetDefinition { capacity: count, ..set("f", SetKind::IpPort, Family::Ipv4) };
        let members: Vec<_> = (0..count).map(member).collect();
        let mut text = format!(
            "create f hash:ip,port maxelem {count} hashsize {} counters comment skbinfo\n",
            count.next_power_of_two()
        );
        for member in &members {
            let (mark, comment) = (member.skbmark.unwrap(), member.comment.as_ref().unwrap());
            text += &format!("add f {member} comment \"{comment}\" skbmark {mark:#x}\n");
        }
        for _ in 0..3 {
            let (ours, theirs) = (Namespace::new(), Namespace::new());
            ours.run(|| {
                let start = Instant::now();
                let mut ipset = Ipset::open().unwrap();
                ipset.create(&front).unwrap();
                ipset.add(&front, &members).unwrap();
                let written = start.elapsed();
                let found = ipset.list("f").unwrap();
                assert_eq!(found[0].members.len(), members.len());
                let listed = start.elapsed().saturating_sub(written);
                eprintln!("{count}: netlink {written:?}, listed again {listed:?}");
            });
            let start = Instant::now();
            theirs.command("ipset").arg("restore").stdin(&text).ok();
            eprintln!("{count}: ipset restore {:?}", start.elapsed());
        }
    }
}
