//! What is sent, byte for byte, and what is read, whatever it is.

use proptest::prelude::*;
use rustix::io::Errno;

use super::*;
use crate::backend::Count;
use crate::model::Protocol;
use crate::netlink::Private;
use crate::netlink::attributes::Fields;

fn set(kind: SetKind, family: Family) -> SetDefinition {
    let name = "front".to_owned();
    SetDefinition { name, kind, family, capacity: 3000, extensions: Extensions::ALL }
}

fn web() -> Member {
    Member {
        prefix: "172.18.100.7".parse().expect("an address"),
        port: Some((Protocol::Tcp, 80)),
        mark_key: None,
        skbmark: Some(10),
        count: Some(Count { packets: 2, bytes: 120 }),
        comment: Some("web".to_owned()),
    }
}

fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Bytes from hexadecimal digits, and from texts in quotes.
fn golden(text: &str) -> Vec<u8> {
    text.split_whitespace()
        .flat_map(|word| match word.strip_prefix('"') {
            Some(text) => text.trim_end_matches('"').as_bytes().to_vec(),
            None => word
                .as_bytes()
                .chunks(2)
                .map(|pair| {
                    let pair = std::str::from_utf8(pair).expect("ASCII");
                    u8::from_str_radix(pair, 16).expect("a byte")
                })
                .collect(),
        })
        .collect()
}

#[test]
#[cfg(target_endian = "little")]
fn a_set_is_asked_for_in_these_bytes() {
    let written = bytes(|out| put_definition(out, &set(SetKind::IpPort, Family::Ipv6)));
    let expected = golden(
        r#"0a000200 "front" 00 0000
           11000300 "hash:ip,port" 00 000000
           05000400 05 000000
           05000500 0a 000000
           1c000780
               08001240 00001000
               08001340 00000bb8
               08000840 00000058"#,
    );
    assert_eq!(written, expected);
}

#[test]
#[cfg(target_endian = "little")]
fn a_member_is_sent_in_these_bytes() {
    let set = set(SetKind::IpPort, Family::Ipv4);
    let written = bytes(|out| {
        put_members(out, &set, &[web()]);
    });
    let expected = golden(
        r#"0a000200 "front" 00 0000
           08000900 00000000
           58000880
               54000780
                   0c000180 08000140 ac126407
                   06000440 0050 0000
                   05000700 06 000000
                   0c001b40 0000000a ffffffff
                   0c001840 0000000000000078
                   0c001940 0000000000000002
                   08001a00 "web" 00
                   08000900 01000000"#,
    );
    assert_eq!(written, expected);
}

/// A member of each kind and family, with all that it can carry.
fn members() -> Vec<(SetDefinition, Member)> {
    let mut all = Vec::new();
    for (family, host, prefix) in [
        (Family::Ipv4, "172.18.100.7", "192.0.2.0/28"),
        (Family::Ipv6, "2001:db8::7", "2001:db8:7::/64"),
    ] {
        for kind in SetKind::ALL {
            let member = Member {
                prefix: if kind.has_prefix() { prefix } else { host }.parse().expect("a prefix"),
                port: kind.has_port().then_some((Protocol::Sctp, 5060)),
                mark_key: (kind == SetKind::IpMark).then_some(0x4c56_0001),
                ..web()
            };
            all.push((set(kind, family), member));
        }
    }
    all
}

#[test]
fn a_member_reads_back_as_it_was_written() {
    for (set, member) in members() {
        assert_eq!(member.unfit(&set), None, "{member}");
        let written = bytes(|out| member.put(out, set.kind.has_prefix(), 1));
        assert_eq!(Member::read(&written[4..], &set), Some(member));
    }
}

#[test]
fn a_set_reads_back_as_it_was_asked_for() {
    for (set, _) in members() {
        let payload = bytes(|out| {
            put_header(out);
            put_definition(out, &set);
        });
        let found = SetFound::read(&payload).expect("a set");
        assert_eq!((found.definition, found.name), (Some(set.clone()), set.name));
    }
}

#[test]
fn what_a_set_cannot_hold_is_said_before_it_is_sent() {
    let front = || set(SetKind::IpPort, Family::Ipv4);
    let plain = SetDefinition { extensions: Extensions::default(), ..front() };
    let bare = Member { skbmark: None, count: None, comment: None, ..web() };
    let address = |text: &str| text.parse().expect("an address");
    let words = |member: &Member, set: &SetDefinition| member.unfit(set).unwrap_or("fits");
    assert_eq!(words(&bare, &plain), "fits");
    let cases = [
        (Member { prefix: address("::1"), ..web() }, front(), "other address family"),
        (Member { prefix: address("192.0.2.0/28"), ..web() }, front(), "single addresses"),
        (Member { port: None, ..web() }, front(), "compares ports"),
        (web(), set(SetKind::Net, Family::Ipv4), "compares ports"),
        (Member { mark_key: Some(1), ..web() }, front(), "compares marks"),
        (Member { skbmark: Some(1), ..bare.clone() }, plain.clone(), "no marks to give"),
        (Member { count: web().count, ..bare.clone() }, plain.clone(), "does not count"),
        (Member { comment: web().comment, ..bare }, plain, "no comments"),
        (Member { comment: Some("x".repeat(256)), ..web() }, front(), "longer than 255"),
        (Member { comment: Some("a\0b".to_owned()), ..web() }, front(), "a NUL"),
    ];
    for (member, set, expected) in cases {
        assert!(words(&member, &set).contains(expected), "{member}: {}", words(&member, &set));
    }
}

#[test]
fn names_that_no_set_can_have_are_refused() {
    assert_eq!(unfit_name(&"x".repeat(31)), None);
    assert_eq!(unfit_name(""), Some("a set needs a name"));
    assert_eq!(unfit_name(&"x".repeat(32)), Some("its name is longer than 31 bytes"));
    assert_eq!(unfit_name("a\0b"), Some("its name contains a NUL"));
}

#[test]
fn a_message_is_never_longer_than_an_attribute_can_be() {
    let set = set(SetKind::IpPort, Family::Ipv4);
    let members = vec![Member { comment: Some("x".repeat(255)), ..web() }; 1000];
    let mut count = 0;
    let written = bytes(|out| count = put_members(out, &set, &members));
    let found = Fields::behind(&written, 0).nested(wire::MEMBERS).iter().count();
    assert!((150..1000).contains(&count) && found == count, "{count} written, {found} read");
}

#[test]
fn members_that_are_not_as_ours_are_counted_and_left_out() {
    let set = set(SetKind::IpPort, Family::Ipv4);
    let masked = |mask: u32| {
        let both = 10_u64 << 32 | u64::from(mask);
        bytes(|out| {
            let member = Member { skbmark: None, ..web() };
            member.put(out, false, 1);
            put_network(out, wire::member::SKBMARK, &both.to_be_bytes());
        })[4..]
            .to_vec()
    };
    assert_eq!(Member::read(&masked(u32::MAX), &set), Some(web()));
    assert_eq!(Member::read(&masked(0xff), &set), None);
    let mut timed = masked(u32::MAX);
    put_network(&mut timed, wire::set::TIMEOUT, &[0, 0, 0, 9]);
    assert_eq!(Member::read(&timed, &set), None);

    let mut found = SetFound { definition: Some(set), counted: Some(2), ..SetFound::default() };
    let payload = bytes(|out| {
        put_header(out);
        put_nested(out, wire::MEMBERS, |out| {
            web().put(out, false, 1);
            put_nested(out, wire::DATA, |out| out.extend_from_slice(&masked(0xff)));
        });
    });
    assert!(!found.is_whole());
    found.take(&payload);
    assert_eq!((found.members.as_slice(), found.foreign), (&[web()][..], 1));
    assert!(found.is_whole());
}

#[test]
fn the_line_and_the_number_of_a_refusal_become_words() {
    let refused = |number: u32, errno: Errno| {
        let request = bytes(|out| {
            put_header(out);
            put(out, wire::LINE, &7_u32.to_ne_bytes());
        });
        let private = (number > 0).then_some(Private { number, request });
        Refusal { sequence: 1, errno, offset: None, text: None, private }
    };
    let set = set(SetKind::NetPort, Family::Ipv4);
    assert_eq!(words::line(&refused(4103, Errno::REMOTEIO)), Some(7));
    assert_eq!(words::line(&refused(0, Errno::NOMEM)), None);
    let about = |number, errno| words::about("front", "it".into(), &refused(number, errno));
    let private = |number| about(number, Errno::REMOTEIO).to_string();
    assert_eq!(private(4103), "the kernel refused it: it is in the set already");
    assert_eq!(private(4352), "the kernel refused it: the set is full");
    assert_eq!(private(4999), "the kernel refused it: error 4999");
    assert!(matches!(about(4100, Errno::REMOTEIO), IpsetError::InUse(name) if name == "front"));
    assert!(matches!(about(0, Errno::NOENT), IpsetError::Missing(_)));
    assert!(matches!(about(0, Errno::PERM), IpsetError::Privilege));
    let created = |number, errno| words::not_created(&set, &refused(number, errno));
    assert!(matches!(created(0, Errno::EXIST), IpsetError::Exists(_)));
    let IpsetError::Unsupported(lacking) = created(4098, Errno::REMOTEIO) else { panic!() };
    assert!(lacking.contains("load the module ip_set_hash_netport"), "{lacking}");
    let unanswered =
        |errno| words::unanswered(NetlinkError::Refused(refused(0, errno))).to_string();
    assert!(unanswered(Errno::INVAL).starts_with("this kernel has no ipset: load the module"));
    assert_eq!(unanswered(Errno::PERM), "ipset needs CAP_NET_ADMIN");
    assert_eq!(unanswered(Errno::NOMEM), "cannot talk to ipset");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        for (set, member) in members() {
            let _ = Member::read(&payload, &set);
            // Bytes within a message that begins as one of the kernel's.
            let payload = bytes(|out| {
                put_header(out);
                put_definition(out, &set);
                put_nested(out, wire::MEMBERS, |out| {
                    member.put(out, set.kind.has_prefix(), 1);
                    out.extend_from_slice(&payload);
                });
            });
            let mut found = SetFound::read(&payload).expect("a set");
            found.take(&payload);
            prop_assert_eq!(&found.members[..1], &[member]);
        }
        if let Some(mut found) = SetFound::read(&payload) {
            found.take(&payload);
        }
    }
}
