//! What the kernel was seen to hold.

use super::{
    DirectorState, Ledger, Marking, Original, Originals, Ownership, Record, ServiceTable, Settings,
    Sources,
};
use crate::model::{Form, Marker};

/// A ruleset's generation: the kernel counts each commit of nf_tables. A switch that
/// names a stale one is refused whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(pub u32);

impl Generation {
    /// The generation after one more commit, of anybody. The kernel leaves 0 out
    /// (`nf_tables_commit` in `net/netfilter/nf_tables_api.c`).
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(1))
    }
}

/// The state of what surrounds the mark entries: table, chains, rules, maps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Frame {
    /// There is none.
    #[default]
    Absent,
    /// It is as we make it.
    Intact,
    /// The rules of a chain of ours differ; each sentence says what was found. Rules can
    /// be written again in the batch that switches the marks.
    RulesDiffer(Vec<String>),
    /// An earlier version made it, in another layout, and nothing differs from that. It marks
    /// as it did; the next switch makes it anew.
    Former,
    /// Something differs that cannot be changed in place (a map's type, a chain's hook,
    /// a chain or set that is not ours); each sentence says what was found.
    Damaged(Vec<String>),
}

/// The chains that are there only while something needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OptionalChains {
    /// Has fragments put together before they are marked: only the first of a packet has
    /// ports, and where the VIP is no local address nobody else puts them together.
    pub defragment: bool,
    /// Marks what the director itself sends.
    pub output: bool,
    /// Replaces clients' addresses. To the kernel it is reason to track every connection of
    /// the network namespace, whose directors without full NAT must not pay for that.
    pub postrouting: bool,
}

/// The marking half as the kernel holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkRuleset {
    /// Table, chains, rules and maps.
    pub frame: Frame,
    /// In which form the marks are written.
    pub form: Form,
    /// Which of the optional chains there are.
    pub chains: OptionalChains,
    /// The entries of the maps.
    pub entries: Marking,
    /// The entries of the shadow maps, which are looked up last. They hold something only
    /// while marks switch, and after a switch that was interrupted.
    pub shadow: Marking,
    /// Whose client addresses are replaced.
    pub sources: Sources,
    /// The commit record and the services that are ours.
    pub ledger: Ledger,
}

/// Both halves of a director as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// What writes the marks, or shall.
    pub marker: Marker,
    /// The marking half, as that has it.
    pub ruleset: MarkRuleset,
    /// What others of the markers hold of ours: marks that move to `marker`, or were on
    /// their way when somebody died.
    pub elsewhere: Vec<(Marker, MarkRuleset)>,
    /// The generation at which it was read.
    pub generation: Generation,
    /// How many commits nf_tables has counted, where the kernel has it. The count only grows,
    /// so a lower one than before is another network namespace.
    pub commits: Generation,
    /// The services that the ledger names, and those in the way of what is desired
    /// (not recorded).
    pub services: ServiceTable,
    /// The settings that are ours, and those that are desired.
    pub settings: Settings,
    /// What the settings that are ours were before.
    pub originals: Originals,
}

impl Observation {
    /// What the kernel would show of `state` after a faultless apply.
    pub fn of(state: &DirectorState) -> Self {
        let (marker, form) = (state.marker, state.form);
        let frame = if state.is_empty() { Frame::Absent } else { Frame::Intact };
        let services = state.ledger_entries().collect();
        let ledger = Ledger { record: None, services };
        Self {
            marker,
            ruleset: MarkRuleset {
                frame,
                form,
                chains: state.chains(),
                entries: state.marking.clone(),
                shadow: Marking::new(),
                sources: state.sources.clone(),
                ledger,
            },
            elsewhere: Vec::new(),
            generation: Generation::default(),
            commits: Generation::default(),
            services: state.services.clone(),
            settings: state.settings.clone(),
            originals: state
                .settings
                .keys()
                .map(|key| (key.clone(), Original::Was(None)))
                .collect(),
        }
    }

    /// Joins what was read: a service is recorded when a ledger names it, or `owned`
    /// does (services of a transaction that is under way), and takes its group's name from
    /// the ledger.
    pub fn join(
        marking: MarkingHalf,
        mut services: ServiceTable,
        settings: Settings,
        owned: &Ownership,
    ) -> Self {
        let MarkingHalf { marker, ruleset, elsewhere, generation, commits } = marking;
        for (key, service) in &mut services {
            let mut ledgers = [&ruleset]
                .into_iter()
                .chain(elsewhere.iter().map(|(_, ruleset)| ruleset))
                .map(|ruleset| &ruleset.ledger);
            let entry = ledgers.find_map(|ledger| ledger.services.get(key));
            service.recorded = entry.is_some() || owned.services.contains(key);
            service.group = entry.and_then(|entry| entry.group.clone());
        }
        let originals = owned.originals.clone();
        Self { marker, ruleset, elsewhere, generation, commits, services, settings, originals }
    }

    /// Where the marks are now: those that are to move have not moved yet.
    pub fn holder(&self) -> (Marker, &MarkRuleset) {
        match self.elsewhere.first() {
            Some((marker, ruleset)) if self.ruleset.frame == Frame::Absent => (*marker, ruleset),
            _ => (self.marker, &self.ruleset),
        }
    }

    /// The last commit that anybody's ledger tells of.
    pub fn record(&self) -> Option<&Record> {
        self.holder().1.ledger.record.as_ref()
    }

    /// The observed state, as something to return to.
    pub fn state(&self) -> DirectorState {
        let ours = self.settings.iter().filter(|(key, _)| self.originals.contains_key(*key));
        let (marker, ruleset) = self.holder();
        DirectorState {
            marking: ruleset.entries.clone(),
            services: self.services.clone(),
            sources: ruleset.sources.clone(),
            local_traffic: ruleset.chains.output,
            defragment: ruleset.chains.defragment,
            marker,
            form: ruleset.form,
            settings: ours.map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }
}

/// The marking half as it was read from all markers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkingHalf {
    /// What writes the marks, or shall.
    pub marker: Marker,
    /// What it holds of ours.
    pub ruleset: MarkRuleset,
    /// What the others hold of ours, where that is anything.
    pub elsewhere: Vec<(Marker, MarkRuleset)>,
    /// The generation of `ruleset`.
    pub generation: Generation,
    /// How many commits nf_tables has counted.
    pub commits: Generation,
}

impl MarkRuleset {
    /// Whether there is nothing of ours.
    pub fn is_absent(&self) -> bool {
        self.frame == Frame::Absent
    }
}
