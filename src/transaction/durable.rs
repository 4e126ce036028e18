//! The durable side of a transaction: history and journal, in the order that a crash at
//! any point can be told from any other.

use std::io;

use super::history::{Header, History, now};
use super::intent::{Ending, Intent, Purpose};
use super::journal::{Journal, RunJournal};
use crate::state::{DirectorState, Fingerprint, MarkBook, Ownership};

/// What a transaction adds to the history.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The state.
    pub state: &'a DirectorState,
    /// The marks, those of disabled groups included.
    pub marks: &'a MarkBook,
    /// The SHA-256 of the configuration, where there is one.
    pub config: Option<String>,
}

/// What is done between the writing of a generation and the first write to the kernel: a
/// trial arms its deadline.
pub type Arm<'a> = &'a dyn Fn(&Intent) -> io::Result<()>;

/// What is done when the way back begins: a trial ends. The intent is on disk, and says the
/// same; so whoever comes when this process died does it too.
pub type Disarm<'a> = &'a dyn Fn() -> io::Result<()>;

/// A [`Journal`] on disk.
#[derive(Clone)]
pub struct DurableJournal<'a> {
    history: &'a History,
    run: &'a RunJournal,
    draft: Option<Draft<'a>>,
    arm: Option<(Arm<'a>, Disarm<'a>)>,
}

impl<'a> DurableJournal<'a> {
    /// A journal for a transaction that adds nothing to the history.
    pub fn new(history: &'a History, run: &'a RunJournal) -> Self {
        Self { history, run, draft: None, arm: None }
    }

    /// The same for a transaction that leads to a new generation.
    #[must_use]
    pub fn with_draft(self, draft: Draft<'a>) -> Self {
        Self { draft: Some(draft), ..self }
    }

    /// The same with something that has to be ready before the kernel is touched, and what
    /// ends it when the way back begins.
    #[must_use]
    pub fn with_arm(self, arm: Arm<'a>, disarm: Disarm<'a>) -> Self {
        Self { arm: Some((arm, disarm)), ..self }
    }

    /// Saves the generation of a draft; the answer is its state as it was written.
    fn save(&self, intent: &Intent, draft: &Draft<'_>) -> io::Result<Vec<u8>> {
        let fingerprint = if self.is_drafted(intent) {
            intent.record.state
        } else {
            Fingerprint::of_state(draft.state)
        };
        let header = Header {
            number: intent.record.generation,
            time: now(),
            purpose: intent.purpose,
            author: intent.author.clone(),
            boot: intent.record.boot.clone(),
            config: draft.config.clone(),
            before: self.history.head()?,
            summary: intent.summary,
            state: fingerprint.to_string(),
        };
        let state = serde_json::to_vec(draft.state)?;
        self.history.save(&header, draft.marks, &state)?;
        Ok(state)
    }

    /// Whether the state that the kernel is led to is the one of the draft. A trial holds
    /// back what only the state before has.
    fn is_drafted(&self, intent: &Intent) -> bool {
        self.draft.is_some() && intent.purpose != Purpose::Trial
    }

    fn prepare(
        &self,
        intent: &Intent,
        owned: &Ownership,
        saved: Option<Vec<u8>>,
    ) -> io::Result<()> {
        self.run.remember(owned)?;
        let before = match self.history.raw_state(Fingerprint::of_state(&intent.before)) {
            Some(before) => before,
            None => serde_json::to_vec(&intent.before)?,
        };
        let after = match saved {
            Some(saved) if self.is_drafted(intent) => saved,
            _ => serde_json::to_vec(&intent.after)?,
        };
        self.run.write_with(intent, &before, &after)?;
        self.arm.map_or(Ok(()), |(arm, _)| arm(intent))
    }
}

impl Journal for DurableJournal<'_> {
    fn owned(&self) -> Ownership {
        self.run.owned()
    }

    fn remember(&self, owned: &Ownership) -> io::Result<()> {
        self.run.remember(owned)
    }

    fn next_generation(&self) -> u64 {
        // What cannot be read now cannot be written to in a moment.
        let newest = self.history.numbers().ok().and_then(|numbers| numbers.last().copied());
        newest.max(self.history.head().ok().flatten()).unwrap_or(0).saturating_add(1)
    }

    fn is_saved(&self) -> bool {
        let Some(draft) = &self.draft else { return true };
        match self.history.head() {
            // Nothing was ever applied, and nothing shall be.
            Ok(None) => draft.state.is_empty(),
            Ok(Some(head)) => {
                let header = self.history.header(head);
                header.is_ok_and(|h| h.state == Fingerprint::of_state(draft.state).to_string())
                    && self.history.marks(head).is_ok_and(|marks| marks == *draft.marks)
            }
            Err(_) => false,
        }
    }

    fn begin(&self, intent: &Intent, owned: &Ownership) -> io::Result<()> {
        let saved = self.draft.as_ref().map(|draft| self.save(intent, draft)).transpose()?;
        let prepared = self.prepare(intent, owned, saved);
        // Nothing was tried, so there is nothing to recover.
        if prepared.is_err()
            && let Err(error) = self.run.remove()
        {
            tracing::warn!("an intent is left over: {error}");
        }
        prepared
    }

    fn abort(&self, intent: &Intent) -> io::Result<()> {
        self.run.write(intent)?;
        self.arm.map_or(Ok(()), |(_, disarm)| disarm())
    }

    fn commit(&self, intent: &Intent) -> io::Result<()> {
        match intent.purpose {
            Purpose::Apply | Purpose::Rollback(_) | Purpose::Clear => {
                self.history.set_head(intent.record.generation)
            }
            // A trial counts when it is confirmed; the others lead to what counts.
            Purpose::Trial | Purpose::Confirm | Purpose::Expire(_) | Purpose::Restore => Ok(()),
        }
    }

    fn end(&self, intent: &Intent, ending: Ending, owned: &Ownership) -> io::Result<()> {
        // What began said which services would be ours; most often they are.
        if owned.services != &intent.services() - &intent.adopted() {
            self.run.remember_services(&owned.services)?;
        }
        self.run.remember_originals(&owned.originals)?;
        // That the history has no room for a line does not make the end another one.
        let generation = intent.generation();
        let recorded = self.history.record(generation, intent.purpose, ending, &intent.author);
        if let Err(error) = recorded.and_then(|()| self.history.prune()) {
            tracing::warn!("the history does not say how generation {generation} ended: {error}");
        }
        // What could not be undone stays to be undone.
        if ending == Ending::Incomplete { Ok(()) } else { self.run.remove() }
    }
}
