//! Random edits of the configurations that ship: what an edit does not concern stays byte
//! for byte, and the reader sees what was asked for.

use proptest::prelude::*;

use super::super::*;
use super::OPTIONS;
use crate::config::{Instead, Options, Sources, load};
use crate::model::{Listeners, PortRange};

/// The examples, as they are and with the line ends and the mark of other systems.
fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect()
}

#[derive(Debug, Clone)]
enum Wish {
    Disable,
    Scheduler(&'static str),
    Unset(&'static str),
    Port(u16),
    Weight(prop::sample::Index, u32),
    AddServer,
    RemoveServer(prop::sample::Index),
    RemoveGroup,
}

fn wish() -> impl Strategy<Value = Wish> {
    prop_oneof![
        Just(Wish::Disable),
        prop::sample::select(vec!["rr", "wlc", "dh"]).prop_map(Wish::Scheduler),
        prop::sample::select(vec!["scheduler", "mark", "enabled"]).prop_map(Wish::Unset),
        (50_000..60_000_u16).prop_map(Wish::Port),
        (any::<prop::sample::Index>(), 0..9_u32).prop_map(|(at, weight)| Wish::Weight(at, weight)),
        Just(Wish::AddServer),
        any::<prop::sample::Index>().prop_map(Wish::RemoveServer),
        Just(Wish::RemoveGroup),
    ]
}

/// Edits the file, and the group as it is to be read afterwards; the path of what the edit
/// may touch of what was there.
fn edit(edit: &mut Edit, group: &mut Group, wish: &Wish) -> Result<Vec<Step>, ConfigErrors> {
    let mut place = path(group.name.as_str());
    let key = |key: &str| Step::Key(key.to_owned());
    match wish {
        Wish::Disable => {
            group.enabled = false;
            place.push(key("enabled"));
            edit.set(&Setting::switch("enabled", false))?;
        }
        Wish::Scheduler(name) => {
            group.scheduler = crate::model::Scheduler::plain(name.parse().expect("a name"));
            place.push(key("scheduler"));
            edit.set(&Setting::scheduler(name).expect("a word"))?;
        }
        Wish::Unset(name) => {
            match *name {
                "scheduler" => {
                    group.scheduler =
                        crate::model::Scheduler::plain("wlc".parse().expect("a name"));
                }
                "enabled" => group.enabled = true,
                _ if group.is_per_listener() => {}
                _ => group.marks = crate::model::MarkChoice::Automatic,
            }
            place.push(key(name));
            edit.unset(name)?;
        }
        Wish::Port(port) => {
            place.push(key("ports"));
            let Listeners::Ports(ports) = &group.listeners else { return Ok(place) };
            let mut texts: Vec<_> = ports.iter().map(ToString::to_string).collect();
            texts.push(port.to_string());
            let new = crate::model::Listener {
                protocol: crate::model::Protocol::Tcp,
                ports: PortRange::single(*port).expect("a port"),
            };
            let mut all: Vec<_> = ports.iter().copied().chain([new]).collect();
            all.sort_unstable();
            group.listeners = Listeners::Ports(all);
            edit.set(&Setting::ports(&texts))?;
        }
        Wish::Weight(at, weight) => {
            place.push(key("real"));
            let server = at.get(&group.real_servers).clone();
            edit.set_weight(&server, *weight)?;
            let index = at.index(group.real_servers.len());
            group.real_servers[index].weight = *weight;
        }
        Wish::AddServer => {
            place.push(key("real"));
            let mut server = group.real_servers[0].clone();
            server.address = match server.address {
                std::net::IpAddr::V4(_) => "10.99.99.99".parse().expect("an address"),
                std::net::IpAddr::V6(_) => "fd99::99".parse().expect("an address"),
            };
            let mut text = format!("{},weight={}", server.address, server.weight);
            text += &server.port.map_or(String::new(), |port| format!(",port={port}"));
            server.upper_threshold = 0;
            server.lower_threshold = 0;
            edit.add_real_servers(&[text.parse().expect("a server")])?;
            group.real_servers.push(server);
        }
        Wish::RemoveServer(at) => {
            place.push(key("real"));
            let index = at.index(group.real_servers.len());
            edit.remove_real_server(&group.real_servers[index].clone())?;
            group.real_servers.remove(index);
        }
        Wish::RemoveGroup => edit.remove_group()?,
    }
    Ok(place)
}

/// The lines of `text` that what a path leads to is on, with what goes with it.
fn concerned(text: &str, place: &[Step]) -> Vec<std::ops::Range<usize>> {
    piece::pieces(text, &statements(text).expect("TOML"), place)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_an_edit_does_not_concern_stays(
        which in any::<prop::sample::Index>(),
        of in any::<prop::sample::Index>(),
        wish in wish(),
        crlf in any::<bool>(),
        mark in any::<bool>(),
    ) {
        let mut text = which.get(&examples()).clone();
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if mark {
            text.insert(0, '\u{feff}');
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("example.toml");
        std::fs::write(&file, &text).expect("writable");
        let config = load(Sources::file(&file), &OPTIONS).expect("valid");
        let name = of.get(&config.groups).name.clone();
        let (mut edited, group) = Edit::of_group(&config, name.as_str(), 1000).expect("there");
        let mut wanted = group.clone();
        let place = edit(&mut edited, &mut wanted, &wish)
            .unwrap_or_else(|why| panic!("{wish:?} of {name}: {why}"));

        // All lines but those concerned are there, in their order, to the byte.
        let concerned = concerned(&text, &place);
        let mut at = 0;
        let plain = |text: &str| text.trim_start_matches('\u{feff}').trim_end_matches('\n').to_owned();
        let mut after = edited.text().split_inclusive('\n');
        for line in text.split_inclusive('\n') {
            let begin = at;
            at += line.len();
            let is_concerned = concerned.iter().any(|piece| piece.start < at && begin < piece.end);
            if !is_concerned {
                let line = plain(line);
                prop_assert!(
                    after.any(|other| plain(other).starts_with(&line)),
                    "{:?} lost {:?}:\n{}", wish, line, edited.text()
                );
            }
        }
        prop_assert!(!crlf || !edited.text().replace("\r\n", "").contains('\n'));
        prop_assert_eq!(mark, edited.text().starts_with('\u{feff}'));

        // Groups that break a rule by the wish are refused by the reader; else they are read.
        let instead = Some(Instead { path: edited.path(), text: edited.text(), alone: false });
        if let Ok(read) = load(Sources::file(&file), &Options { instead, ..OPTIONS }) {
            for group in &config.groups {
                let found = read.groups.iter().find(|it| it.name == group.name);
                if group.name != name {
                    prop_assert_eq!(found, Some(group));
                } else if matches!(wish, Wish::RemoveGroup) {
                    prop_assert_eq!(found, None);
                } else if !matches!(wish, Wish::AddServer) {
                    prop_assert_eq!(found, Some(&wanted));
                } else {
                    let count = found.map(|group| group.real_servers.len());
                    prop_assert_eq!(count, Some(wanted.real_servers.len()));
                }
            }
        }
    }
}
