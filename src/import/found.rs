//! What the readers found, before it is joined.

use super::Place;
use super::matches::Matches;
use crate::model::{Family, GroupName, Mark, Prefix};
use crate::state::{MarkKey, ServiceKey, Settings, Source, VirtualService};

/// On which way a rule sees packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// They arrive: PREROUTING.
    Arriving,
    /// The director sends them: OUTPUT.
    Local,
}

/// A rule that gives packets a mark.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Which packets.
    pub key: MarkKey,
    /// The mark, whole.
    pub mark: Mark,
    /// On which way.
    pub path: Path,
    /// Whether it leaves packets alone that have a mark.
    pub yields: bool,
    /// Whether packets that it marked see no later rule of its chain.
    pub last: bool,
    /// What its author called it, where that can name a group.
    pub name: Option<GroupName>,
    /// Where it stands.
    pub place: Place,
}

/// A rule that writes a mark in a way that no group can: packets of rules before it may not
/// keep the mark that these gave them.
#[derive(Debug, Clone)]
pub(super) struct Overwrite {
    /// Which packets it may meet.
    pub(super) matches: Matches,
    /// The mark, where it is known and whole.
    pub(super) mark: Option<u32>,
    /// On which way.
    pub(super) path: Path,
    /// Where it stands.
    pub(super) place: Place,
}

/// A rule that replaces the source of packets.
#[derive(Debug, Clone)]
pub struct Masking {
    /// Of which family they are.
    pub family: Family,
    /// With which mark; `None` is any.
    pub mark: Option<Mark>,
    /// To whom; `None` is anybody.
    pub destination: Option<Prefix>,
    /// Whether only what IPVS forwarded is meant.
    pub only_ipvs: bool,
    /// What becomes the source.
    pub source: Source,
    /// What else it asks, which a group cannot ask; in words.
    pub other: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// Something that is in a file and in no group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotTurned {
    /// Where it stands.
    pub place: Place,
    /// What it is, and why.
    pub sentence: String,
}

/// All that was found in all files.
#[derive(Debug, Default)]
pub struct Imported {
    /// The rules that mark, in the order in which packets meet them; and in which of the
    /// chains that a hook calls one after another they stand.
    pub(super) claims: Vec<(usize, Claim)>,
    /// Those that may change these marks, each with its chain and with how many claims were
    /// found before it.
    pub(super) overwrites: Vec<(usize, usize, Overwrite)>,
    /// The number of the chain that is read.
    chain: usize,
    /// The virtual services, in the order of the files. Their `group` is what their author
    /// called them, where that can name a group; whether they are recorded counts for nothing.
    pub(super) services: Vec<(ServiceKey, VirtualService, Place)>,
    /// The rules that replace sources.
    pub(super) masking: Vec<Masking>,
    /// What else is set: IPVS's timeouts and synchronisation.
    pub(super) settings: Settings,
    /// Which machine the files are read for.
    pub(super) machine: Option<String>,
    /// What was not turned.
    pub(super) not_turned: Vec<NotTurned>,
}

impl Imported {
    /// Nothing yet, of files of this machine: lines of keepalived.conf that are for another
    /// one do not count. Without a name no line counts that is for some.
    pub fn of_machine(name: Option<String>) -> Self {
        Self { machine: name, ..Self::default() }
    }

    /// Keeps a rule that marks; of those that meet a packet the later ones are told later.
    pub fn claim(&mut self, claim: Claim) {
        self.claims.push((self.chain, claim));
    }

    /// Keeps a rule that may change marks: those of the rules before it, or, behind all
    /// chains that are turned, those of every rule.
    pub(super) fn overwrite(&mut self, overwrite: Overwrite, behind_all: bool) {
        let before = if behind_all { usize::MAX } else { self.claims.len() };
        self.overwrites.push((self.chain, before, overwrite));
    }

    /// What follows is another chain: packets that were let go come to it again.
    pub(super) fn next_chain(&mut self) {
        self.chain += 1;
    }

    /// Keeps a virtual service with its real servers. One that was told before is told twice.
    pub fn service(&mut self, key: ServiceKey, service: VirtualService, place: Place) {
        self.services.push((key, service, place));
    }

    /// Keeps why something was not turned.
    pub fn not_turned(&mut self, place: Place, sentence: impl Into<String>) {
        self.not_turned.push(NotTurned { place, sentence: sentence.into() });
    }
}
