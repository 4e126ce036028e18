//! The changes of a plan: what a backend is asked to do, and the words for it.

use std::fmt;

use crate::model::Form;
use crate::state::{
    Destination, DestinationKey, Frame, LedgerEntry, MarkEntry, MarkKey, MarkRuleset,
    OptionalChains, PRESENT, Record, ServiceKey, SettingKey, SourceEntry, SourceKey,
    VirtualService,
};

/// A change of one virtual service or one of its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceChange {
    /// A service, without its destinations.
    AddService(ServiceKey, VirtualService),
    /// Another scheduler, flags, timeout, netmask or engine; destinations aside.
    EditService {
        /// Which service.
        key: ServiceKey,
        /// What it was.
        before: VirtualService,
        /// What it becomes.
        after: VirtualService,
    },
    /// A service with all its destinations.
    RemoveService(ServiceKey, VirtualService),
    /// A destination.
    AddDestination(ServiceKey, Destination),
    /// Another weight, forwarding method or threshold.
    EditDestination {
        /// Of which service.
        service: ServiceKey,
        /// What it was.
        before: Destination,
        /// What it becomes; the same key.
        after: Destination,
    },
    /// A destination.
    RemoveDestination(ServiceKey, Destination),
}

impl ServiceChange {
    /// The service that is changed.
    pub fn service(&self) -> ServiceKey {
        match self {
            Self::AddService(key, _)
            | Self::EditService { key, .. }
            | Self::RemoveService(key, _)
            | Self::AddDestination(key, _)
            | Self::EditDestination { service: key, .. }
            | Self::RemoveDestination(key, _) => *key,
        }
    }

    /// The destination that is changed, where it is one.
    pub fn destination(&self) -> Option<DestinationKey> {
        match self {
            Self::AddDestination(_, destination) | Self::RemoveDestination(_, destination) => {
                Some(destination.key)
            }
            Self::EditDestination { after, .. } => Some(after.key),
            _ => None,
        }
    }
}

impl fmt::Display for ServiceChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddService(key, service) => write!(f, "add service {key} {service}"),
            Self::EditService { key, after, .. } => write!(f, "change service {key} to {after}"),
            Self::RemoveService(key, _) => write!(f, "remove service {key}"),
            Self::AddDestination(key, destination) => {
                write!(f, "add real server {} {destination} to {key}", destination.key)
            }
            Self::EditDestination { service, after, .. } => {
                write!(f, "change real server {} of {service} to {after}", after.key)
            }
            Self::RemoveDestination(key, destination) => {
                write!(f, "remove real server {} from {key}", destination.key)
            }
        }
    }
}

/// A change of one setting; not both sides are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Which setting.
    pub key: SettingKey,
    /// What it was; `None` is absent.
    pub before: Option<String>,
    /// What it becomes.
    pub after: Option<String>,
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, before, after } = self;
        match (before, after) {
            (_, Some(after)) if after == PRESENT => write!(f, "add {key}"),
            (None, Some(after)) => write!(f, "set {key} to {after}"),
            (Some(before), Some(after)) => write!(f, "change {key} from {before} to {after}"),
            (_, None) => write!(f, "remove {key}"),
        }
    }
}

/// A change of one mark entry; not both sides are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryChange {
    /// Which packets.
    pub key: MarkKey,
    /// What they got.
    pub before: Option<MarkEntry>,
    /// What they get.
    pub after: Option<MarkEntry>,
}

/// A change of one source entry; not both sides are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceChange {
    /// Which packets.
    pub key: SourceKey,
    /// What their clients' address was replaced by.
    pub before: Option<SourceEntry>,
    /// What it will be replaced by.
    pub after: Option<SourceEntry>,
}

/// Which optional chains come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainChange {
    /// Those that were there.
    pub before: OptionalChains,
    /// Those that will be.
    pub after: OptionalChains,
}

impl ChainChange {
    /// Whether they stay as they are.
    pub fn is_empty(&self) -> bool {
        self.before == self.after
    }
}

/// A change of one ledger entry; not both sides are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerChange {
    /// Which service.
    pub key: ServiceKey,
    /// What the ledger said of it.
    pub before: Option<LedgerEntry>,
    /// What it will say.
    pub after: Option<LedgerEntry>,
}

/// What happens to table, chains, rules and maps in a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrameChange {
    /// Nothing.
    #[default]
    Keep,
    /// They are made, before the entries.
    Create,
    /// The rules of our chains are written again.
    RewriteRules,
    /// Everything goes and is made again, all in the one batch; the entries of
    /// [`MarkSwitch`] are then additions to nothing.
    Rebuild,
    /// Everything goes.
    Remove,
}

/// The one atomic step of the marking half.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarkSwitch {
    /// Table, chains, rules and maps.
    pub frame: FrameChange,
    /// The form in which the marks are written from then on.
    pub form: Form,
    /// The entries that differ.
    pub entries: Vec<EntryChange>,
    /// The entries of the shadow maps that come or go.
    pub shadow: Vec<EntryChange>,
    /// The sources that differ.
    pub sources: Vec<SourceChange>,
    /// The optional chains that come or go.
    pub chains: ChainChange,
    /// The ledger's entries that differ.
    pub ledger: Vec<LedgerChange>,
    /// The commit record of this switch, which replaces the one before.
    pub record: Option<Record>,
}

impl MarkSwitch {
    /// What it makes of a ruleset.
    #[must_use]
    pub fn applied_to(&self, ruleset: &MarkRuleset) -> MarkRuleset {
        let mut next = match self.frame {
            FrameChange::Remove => return MarkRuleset::default(),
            FrameChange::Create | FrameChange::Rebuild => MarkRuleset::default(),
            FrameChange::RewriteRules | FrameChange::Keep => ruleset.clone(),
        };
        if self.frame != FrameChange::Keep {
            (next.frame, next.form) = (Frame::Intact, self.form);
        }
        for (entries, changes) in
            [(&mut next.entries, &self.entries), (&mut next.shadow, &self.shadow)]
        {
            for EntryChange { key, .. } in changes {
                entries.remove(key);
            }
            for EntryChange { key, after, .. } in changes {
                entries.extend(after.clone().map(|after| (*key, after)));
            }
        }
        for SourceChange { key, after, .. } in &self.sources {
            next.sources.remove(key);
            next.sources.extend(after.clone().map(|after| (*key, after)));
        }
        for LedgerChange { key, after, .. } in &self.ledger {
            next.ledger.services.remove(key);
            next.ledger.services.extend(after.clone().map(|after| (*key, after)));
        }
        if self.frame != FrameChange::Keep || !self.chains.is_empty() {
            next.chains = self.chains.after;
        }
        if let Some(record) = &self.record {
            next.ledger.record = Some(record.clone());
        }
        next
    }

    /// Whether it changes nothing; the record alone is no reason to write.
    pub fn is_empty(&self) -> bool {
        // Another form is another frame.
        let Self { frame, form: _, entries, shadow, sources, chains, ledger, record: _ } = self;
        *frame == FrameChange::Keep
            && entries.is_empty()
            && shadow.is_empty()
            && sources.is_empty()
            && chains.is_empty()
            && ledger.is_empty()
    }
}
