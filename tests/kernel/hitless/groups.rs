//! The groups of these scenes, and a lab that serves them beside traffic.

use std::time::Instant;

use crate::lab::{Failure, Kind, Lab, Line, Seen, Traffic};
use crate::scene::Fwmarkctl;

/// What clients reach of [`web`].
pub(super) const WEB: [&str; 4] =
    ["172.18.100.7:80", "172.18.100.7:443", "[2001:db8:18:100::7]:80", "[2001:db8:18:100::7]:443"];
/// What clients reach of [`mail`].
pub(super) const MAIL: [&str; 2] = ["172.18.100.8:25", "[2001:db8:18:100::8]:25"];
/// What clients reach of [`shop`].
pub(super) const SHOP: [&str; 2] = ["172.18.100.8:8080", "[2001:db8:18:100::8]:8080"];

/// A group of both families.
#[derive(Clone)]
pub(super) struct Group {
    pub(super) name: &'static str,
    /// The last parts of its VIPs.
    pub(super) vips: &'static [u8],
    pub(super) ports: &'static [&'static str],
    /// Without one it goes by address.
    pub(super) mark: Option<u32>,
    pub(super) scheduler: &'static str,
    /// Persistence, if any, as a line.
    pub(super) persistence: &'static str,
    /// The weights of rs1, rs2 and rs3; `None` where the group has not this one.
    pub(super) weights: [Option<u32>; 3],
}

pub(super) const fn web() -> Group {
    Group {
        name: "web",
        vips: &[7],
        ports: &["80/tcp", "443/tcp"],
        mark: Some(10),
        scheduler: "rr",
        persistence: "",
        weights: [Some(1); 3],
    }
}

pub(super) const fn mail() -> Group {
    Group { name: "mail", vips: &[8], ports: &["25/tcp"], mark: Some(25), ..web() }
}

/// Its marks are in the interval maps, those of the others in hash maps.
pub(super) const fn shop() -> Group {
    Group { name: "shop", vips: &[8], ports: &["8000-8100/tcp"], mark: Some(30), ..web() }
}

/// A configuration of `groups`.
pub(super) fn config(groups: &[Group]) -> String {
    groups.iter().map(Group::table).collect()
}

impl Group {
    fn table(&self) -> String {
        let Self { name, vips, ports, mark, scheduler, persistence, weights } = self;
        let both =
            |number: u8| [format!("172.18.100.{number}"), format!("2001:db8:18:100::{number}")];
        let vips: Vec<_> = vips.iter().copied().flat_map(both).collect();
        let servers = (11..).zip(weights).filter_map(|(number, weight)| Some((number, (*weight)?)));
        let entries = servers.flat_map(|(number, weight)| {
            both(number).map(|at| format!("{{ address = \"{at}\", weight = {weight} }}"))
        });
        let real = entries.collect::<Vec<_>>().join(", ");
        let mark = mark.map_or("via = \"address\"".to_owned(), |mark| format!("mark = {mark}"));
        format!(
            "[group.{name}]\nvips = {vips:?}\nports = {ports:?}\n{mark}\n\
             scheduler = {scheduler:?}\n{persistence}\nreal = [{real}]\n"
        )
    }
}

/// Every line of traffic.
pub(super) fn everybody(_: &Line) -> bool {
    true
}

/// A lab of three real servers, and the traffic in it.
pub(super) struct Scene<'a> {
    pub(super) lab: &'a Lab,
    pub(super) traffic: &'a Traffic,
}

impl Scene<'_> {
    /// A lab whose servers answer all that the groups have.
    pub(super) fn lab() -> Lab {
        let lab = Lab::of(&[Kind::Dr; 3]);
        lab.serve_tcp(&[25, 80, 443, 8080]);
        lab
    }

    /// Applies `groups`, and plays beside connections and requests to `targets`.
    pub(super) fn play(groups: &[Group], targets: &[&[&str]], play: impl FnOnce(&Scene<'_>)) {
        Self::play_in(&Self::lab(), groups, targets, play);
    }

    /// [`Scene::play`] in a lab that is there.
    pub(super) fn play_in(
        lab: &Lab,
        groups: &[Group],
        targets: &[&[&str]],
        play: impl FnOnce(&Scene<'_>),
    ) {
        lab.director().apply(&config(groups));
        let targets = targets.concat();
        // Three, so that each server has one, where that matters.
        let talks = targets.iter().flat_map(|target| match target {
            _ if [WEB[1], WEB[2]].contains(target) => vec![],
            _ if [WEB[0], WEB[3], MAIL[0]].contains(target) => vec![*target; 3],
            _ => vec![*target],
        });
        let talks: Vec<_> = talks.collect();
        lab.beside_traffic(&talks, &targets, |traffic| play(&Scene { lab, traffic }));
    }

    /// Applies `groups`, and plays beside a rush of new connections to `targets`.
    pub(super) fn rush(groups: &[Group], targets: &[&str], play: impl FnOnce(&Scene<'_>)) {
        let lab = Self::lab();
        lab.director().apply(&config(groups));
        lab.beside_rush(targets, |traffic| play(&Scene { lab: &lab, traffic }));
    }

    /// Applies `groups`. Those whom that does not concern are answered before, while it
    /// is done, and after it. The answer is what the apply printed.
    pub(super) fn change(&self, groups: &[Group], unconcerned: impl Fn(&Line) -> bool) -> String {
        self.change_to(&config(groups), unconcerned)
    }

    /// [`Scene::change`] by what is a configuration already.
    pub(super) fn change_to(&self, config: &str, unconcerned: impl Fn(&Line) -> bool) -> String {
        self.traffic.each_answers(2, &unconcerned);
        let began = Instant::now();
        let told = self.lab.director().apply(config);
        let ended = Instant::now();
        assert!(told.contains("Applied"), "{told}");
        // A line may wait all the while for what a change before this one cost it: a lost
        // packet is sent again after a second.
        let absent = self.traffic.absent(began, ended, &unconcerned);
        assert!(absent.is_empty(), "not there during the apply: {absent:?}");
        let answers = self.traffic.answers(began, ended, &unconcerned);
        assert!(answers > 0, "nobody was answered during the apply");
        self.traffic.each_answers(2, &unconcerned);
        told
    }

    /// None of these lines was refused, reset, or stood still.
    pub(super) fn unnoticed(&self, scene: &str, by: impl Fn(&Line) -> bool) {
        match self.traffic.undisturbed(by) {
            Ok(seen) => figures(&format!("{scene}, unconcerned"), &seen),
            Err(seen) => panic!("{scene}: {seen}: {:?}", seen.failures),
        }
    }

    /// These lines may have stood still, but nothing was refused or reset, and those that
    /// are open went on in the end.
    pub(super) fn survived(&self, scene: &str, by: impl Fn(&Line) -> bool) {
        self.traffic.each_answers(1, &by);
        let seen = self.traffic.seen(by);
        assert_eq!(seen.failures, [], "{scene}: {seen}");
        figures(&format!("{scene}, concerned"), &seen);
    }

    /// These lines may have been refused for a while, and are answered again.
    pub(super) fn refused_at_worst(&self, scene: &str, by: impl Fn(&Line) -> bool) {
        self.traffic.each_answers(2, &by);
        let seen = self.traffic.seen(by);
        let others: Vec<_> =
            seen.failures.iter().filter(|(_, why)| *why != Failure::Refused).collect();
        assert!(others.is_empty(), "{scene}: {others:?}");
        figures(&format!("{scene}, concerned"), &seen);
    }
}

/// What the plan notes of a group whose prefixes or port ranges change.
pub(super) fn interval_note(group: &str) -> String {
    format!("group {group}: new connections to prefixes and port ranges may be refused")
}

/// What `--nocapture` shows of a scene.
#[allow(clippy::print_stdout, reason = "the figures are what a reader of the output wants")]
pub(super) fn figures(scene: &str, seen: &Seen) {
    println!("\n  {scene}: {seen}");
}
